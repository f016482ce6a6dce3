# make bench-sync: what anti-entropy compares and moves where few of a million keys differ.
.PHONY: bench-sync
$(BUILD)/bench/sync_figures: $(BUILD)/obj/bench/sync_figures.o \
                             $(BUILD)/obj/tests/unit/core/cluster.o $(BUILD)/obj/tests/unit/core/cluster_client.o \
                             $(call libs,core wire model base)
	$(call link,)
bench-sync: $(BUILD)/bench/sync_figures
	$<
