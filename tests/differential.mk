# make differential: random SQL on foreign and on ordinary tables, which must agree; about a minute.
#
#   make differential SEEDS=17            one seed, or SEEDS=1..50, of STATEMENTS statements each
#   make differential-soak SOAK_SECONDS=3600
#
# Without SEEDS they are derived from the commit.

SEEDS ?=
STATEMENTS ?= 300
DIFFERENTIAL := $(BUILD)/tests/differential/differential
DIFFERENTIAL_OBJECTS := $(patsubst %.c,$(BUILD)/obj/%.o,$(wildcard tests/differential/*.c))

$(DIFFERENTIAL_OBJECTS): CL_CFLAGS += -I$(shell $(PG_CONFIG) --includedir)
$(DIFFERENTIAL): $(DIFFERENTIAL_OBJECTS)
	$(call link,-lpq)

RUN_DIFFERENTIAL = +BUILD='$(BUILD)' PG_CONFIG='$(PG_CONFIG)' \
                   tests/differential/run_differential.sh $(DIFFERENTIAL) --statements $(STATEMENTS)
.PHONY: differential differential-soak
differential: all $(DIFFERENTIAL)
	$(RUN_DIFFERENTIAL) --shrink 60 $(if $(SEEDS),--seeds $(SEEDS))
differential-soak: all $(DIFFERENTIAL)
	$(RUN_DIFFERENTIAL) --shrink 120 --seeds $${SEED:-$$(date +%s)} --seconds $(SOAK_SECONDS)
