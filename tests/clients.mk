# make clients: Debian's PostgreSQL clients on foreign tables.   CLIENTS="psql jdbc": only those.
# make compat: compiles the extension against other PostgreSQL versions' headers.
.PHONY: clients compat
clients: all
	+BUILD='$(BUILD)' PG_CONFIG='$(PG_CONFIG)' scripts/clients.sh --no-install $(CLIENTS)
compat:
	+BUILD='$(BUILD)' PG_CONFIG='$(PG_CONFIG)' scripts/compat.sh
