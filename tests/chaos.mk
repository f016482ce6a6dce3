# make chaos: five real nodes under kills, pauses and partitions; about a minute.
# make chaos-long: the same for at least 20,000 acknowledged additions, and with nodes that join and leave.
#
# make chaos-run CHAOS="--seed 7 --seconds 30 --r 1 --w 1"      one run; options: tests/chaos/chaos.c
#
# Partitions need root, for network namespaces; without, they are skipped, and that is said.

CHAOS ?=
CHAOS_OBJECTS := $(patsubst %.c,$(BUILD)/obj/%.o,$(wildcard tests/chaos/*.c)) \
                 $(patsubst %,$(BUILD)/obj/tests/live/%.o,live_run live_node live_client)
CHAOS_PROGRAM := $(BUILD)/tests/chaos/chaos

$(CHAOS_PROGRAM): $(CHAOS_OBJECTS) $(call libs,client wire model base)
	$(call link,-lnng -lpthread)

.PHONY: chaos chaos-long chaos-run
chaos: $(CHAOS_PROGRAM) $(BUILD)/dynkvd
	$(CHAOS_PROGRAM) $(BUILD)/dynkvd --seconds 25 --additions 1500 $(CHAOS)
	$(CHAOS_PROGRAM) $(BUILD)/dynkvd --seconds 20 --additions 1000 --without-context --expect-violations
chaos-long: $(CHAOS_PROGRAM) $(BUILD)/dynkvd
	$(CHAOS_PROGRAM) $(BUILD)/dynkvd --seconds 300 --additions 20000 $(CHAOS)
	$(CHAOS_PROGRAM) $(BUILD)/dynkvd --seconds 120 --additions 5000 --change
chaos-run: $(CHAOS_PROGRAM) $(BUILD)/dynkvd
	$(CHAOS_PROGRAM) $(BUILD)/dynkvd $(CHAOS)
