# make differential: random SQL on foreign and on ordinary tables, which must agree; about a minute.
#
#   make differential SEEDS=17            one seed, or SEEDS=1..50, of STATEMENTS statements each
#   make differential TRACE=1 SEEDS=17    prints every statement
#   make differential-soak                fresh seeds for SOAK_SECONDS; part of make soak
#
# Without SEEDS they are derived from the commit.

SEEDS ?=
STATEMENTS ?= 300
TRACE ?=
DIFFERENTIAL := $(BUILD)/tests/differential/differential
DIFFERENTIAL_OBJECTS := $(patsubst %.c,$(BUILD)/obj/%.o,$(wildcard tests/differential/*.c))

$(DIFFERENTIAL_OBJECTS): CL_CFLAGS += -I$(shell $(PG_CONFIG) --includedir)
$(DIFFERENTIAL): $(DIFFERENTIAL_OBJECTS)
	$(call link,-lpq)

RUN_DIFFERENTIAL = +BUILD='$(BUILD)' PG_CONFIG='$(PG_CONFIG)' \
                   tests/differential/run_differential.sh $(DIFFERENTIAL)
.PHONY: differential differential-soak
differential: all $(DIFFERENTIAL)
	$(RUN_DIFFERENTIAL) --statements $(STATEMENTS) --shrink 60 $(if $(SEEDS),--seeds $(SEEDS)) \
	    $(if $(TRACE),--trace 1)
differential-soak: all $(DIFFERENTIAL)
	$(RUN_DIFFERENTIAL) --soak $(SOAK_SECONDS) $$(date +%s) --statements $(STATEMENTS) --shrink 120
soak: differential-soak
