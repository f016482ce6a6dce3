# make sim: the simulator: fresh seeds, found seeds, every mutant.   make soak: an hour of fresh seeds.
#
# tests/sim/ is one program, which sees the core and what stands under it.

SIM_OBJECTS := $(patsubst %.c,$(BUILD)/obj/%.o,$(wildcard tests/sim/*.c))

$(BUILD)/dynkv-sim: $(SIM_OBJECTS) $(call libs,core wire model base)
	$(call link,)

SOAK_SECONDS ?= 3600
sim: $(BUILD)/dynkv-sim
	tests/sim/run_sim.sh $(BUILD)/dynkv-sim
soak: $(BUILD)/dynkv-sim
	tests/sim/soak.sh $(BUILD)/dynkv-sim $(SOAK_SECONDS)
