# make bench-store: the storage engines by themselves, without network or protocol.
.PHONY: bench-store
$(BUILD)/bench/store_bench: $(BUILD)/obj/bench/store_bench.o $(call libs,store model base)
	$(call link,-lrocksdb -lpthread)
bench-store: $(BUILD)/bench/store_bench
	$<
