# make lint: layers, symbols, format and the other rules of scripts/lint.sh.
# make test: everything that scripts/test.sh runs, without installing packages.
lint:
	+BUILD='$(BUILD)' PG_CONFIG='$(PG_CONFIG)' scripts/lint.sh
format:
	find cluster fdw tests bench *.c -name '*.[ch]' | xargs clang-format -i
test:
	+BUILD='$(BUILD)' PG_CONFIG='$(PG_CONFIG)' scripts/test.sh --no-install
