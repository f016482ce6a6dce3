# make bench: the workloads of docs/performance.md, all in one run (bench/compare/run.sh).
bench: all
	+BUILD='$(BUILD)' PG_CONFIG='$(PG_CONFIG)' bench/compare/run.sh
