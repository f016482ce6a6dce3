# make sessions: PostgreSQL sessions under cancels, errors, dying nodes and each other; about a minute.
#
#   make sessions SESSIONS="cancel"      only the tests whose sentence has this in it

SESSIONS ?=
SESSIONS_OBJECTS := $(patsubst %.c,$(BUILD)/obj/%.o,$(wildcard tests/sessions/*.c)) \
                    $(patsubst %,$(BUILD)/obj/tests/live/%.o,live_run live_node live_client)
SESSIONS_PROGRAM := $(BUILD)/tests/sessions/sessions

$(patsubst %.c,$(BUILD)/obj/%.o,$(wildcard tests/sessions/*.c)): CL_CFLAGS += -I$(shell $(PG_CONFIG) --includedir)
$(SESSIONS_PROGRAM): $(SESSIONS_OBJECTS) $(call libs,wire model base)
	$(call link,-lpq -lnng -lpthread)

.PHONY: sessions
sessions: all $(SESSIONS_PROGRAM)
	+BUILD='$(BUILD)' PG_CONFIG='$(PG_CONFIG)' scripts/sessions.sh $(SESSIONS_PROGRAM) $(if $(SESSIONS),'$(SESSIONS)')
