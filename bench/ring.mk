# make bench-ring: how evenly the ring places replicas, and how much a join and a leave move.
.PHONY: bench-ring
$(BUILD)/bench/ring_figures: $(BUILD)/obj/bench/ring_figures.o $(call libs,model base)
	$(call link,)
bench-ring: $(BUILD)/bench/ring_figures
	$<
