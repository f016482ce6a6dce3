# make regress: the SQL suites on a cluster and a PostgreSQL of their own.  SUITES="a b": only those.
regress: all
	+BUILD='$(BUILD)' PG_CONFIG='$(PG_CONFIG)' scripts/regress.sh $(SUITES)
