# make bench: the workloads of docs/performance.md, all in one run (bench/compare/run.sh).
bench: all
	+BUILD='$(BUILD)' PG_CONFIG='$(PG_CONFIG)' bench/compare/run.sh

# The programs that print figures, so that they are not forgotten when what they use changes.
.PHONY: bench-build
bench-build: $(addprefix $(BUILD)/bench/,ring_figures gossip_figures sync_figures store_bench)
