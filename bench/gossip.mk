# make bench-gossip: how fast members learn of a death, what that costs, and how often they are wrong.
.PHONY: bench-gossip
$(BUILD)/bench/gossip_figures: $(BUILD)/obj/bench/gossip_figures.o $(call libs,core wire model base)
	$(call link,)
bench-gossip: $(BUILD)/bench/gossip_figures
	$<
