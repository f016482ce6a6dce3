# make live: real dynkvd processes on loopback, with ports from the kernel and real stores.
#
#   make live LIVE="garbage"      only the tests whose sentence has this in it

LIVE ?=
LIVE_OBJECTS := $(patsubst %.c,$(BUILD)/obj/%.o,$(wildcard tests/live/*.c))

$(BUILD)/tests/live/live: $(LIVE_OBJECTS) $(call libs,wire model base)
	$(call link,-lnng -lpthread)

live: $(BUILD)/tests/live/live $(BUILD)/dynkvd
	$(BUILD)/tests/live/live $(BUILD)/dynkvd $(if $(LIVE),'$(LIVE)')
