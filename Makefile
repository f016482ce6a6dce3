# One Makefile: the cluster (our rules), the extension (PGXS), the tests.
#
#   make            build/dynkvd build/dynkv build/libdynkv.a dynkv_fdw.so
#   make test       everything scripts/test.sh runs, without installing packages
#   make unit sim regress differential sessions live fuzz bench lint format
#   make V=1 ...    shows the commands of the cluster's rules
#   make SAN=1 unit the unit tests under ASan and UBSan (objects in build/san)
#
# Each layer of cluster/ becomes one archive, build/lib/lib<layer>.a; a program or test links the
# archives of the layers it may see, and no other.

ifdef SAN
BUILD ?= build/san
SAN_FLAGS := -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
else
BUILD ?= build
endif

Q := $(if $(V),,@)
PG_CONFIG ?= pg_config
DYNKV_VERSION := 0.1

PROGRAMS := $(BUILD)/dynkvd $(BUILD)/dynkv $(BUILD)/libdynkv.a

# What differs between releases of a library is asked of the linker, when a rule needs it.
# links FLAGS,FUNCTION: whether a program that calls the function can be linked with these flags.
links = $(shell echo 'char $(2)(void); int main(void) { return $(2)(); }' | \
                $(CL_CC) -fno-builtin -x c - $(1) -o /dev/null 2>/dev/null && echo yes)
ROCKSDB_DEFINES = $(if $(call links,-lrocksdb,rocksdb_logger_create_callback_logger),\
                       -DDYNKV_ROCKSDB_HAS_CALLBACK_LOGGER)

.PHONY: cluster extension unit sim regress sessions live lint format test bench fuzz soak
.DEFAULT_GOAL := all
all: cluster
cluster: $(PROGRAMS)

# ---- the extension, by PGXS ----

EXTENSION := dynkv_fdw
MODULE_big := dynkv_fdw
OBJS := dynkv_fdw.o $(patsubst %.c,%.o,$(wildcard fdw/*.c))
DATA := dynkv_fdw--1.0.sql
PGFILEDESC := "dynkv_fdw - foreign data wrapper for a dynkv cluster"
PG_CPPFLAGS := -Icluster -I. -MMD -MP
PG_CFLAGS := -fvisibility=hidden -Werror
SHLIB_LINK := $(BUILD)/libdynkv.a -Wl,--exclude-libs,ALL
EXTRA_CLEAN := build dynkv_fdw.d $(wildcard fdw/*.d)
# No bitcode: clang would write its own header dependencies over those of the objects.
override with_llvm := no
PGXS := $(shell $(PG_CONFIG) --pgxs)
include $(PGXS)
-include dynkv_fdw.d $(wildcard fdw/*.d)

dynkv_fdw.so: $(BUILD)/libdynkv.a
extension: dynkv_fdw.so

# ---- the cluster ----

CL_CC ?= gcc
CL_WARN := -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes -Werror
CL_CFLAGS := -std=c11 -D_GNU_SOURCE -O2 -g -fPIC -fvisibility=hidden $(CL_WARN) $(SAN_FLAGS) \
             -DDYNKV_SOFTWARE_VERSION='"$(DYNKV_VERSION)"' -Icluster -I.
LAYERS := base model wire core store client daemon cli

define layer_rules
$(1)_SOURCES := $$(wildcard cluster/$(1)/*.c)
$(1)_OBJECTS := $$(patsubst %.c,$(BUILD)/obj/%.o,$$($(1)_SOURCES))
$(BUILD)/lib/lib$(1).a: $$($(1)_OBJECTS)
	@mkdir -p $$(@D)
	@rm -f $$@
	$(Q)ar rcs $$@ $$^
endef
$(foreach layer,$(LAYERS),$(eval $(call layer_rules,$(layer))))

$(BUILD)/obj/%.o: %.c
	@mkdir -p $(@D)
	@echo "compile $<"
	$(Q)$(CL_CC) $(CL_CFLAGS) $(OBJECT_DEFINES) -MMD -MP -c -o $@ $<
$(BUILD)/obj/cluster/store/rocksdb_open.o: OBJECT_DEFINES = $(ROCKSDB_DEFINES)
-include $(shell find $(BUILD)/obj -name '*.d' 2>/dev/null)

libs = $(foreach layer,$(1),$(BUILD)/lib/lib$(layer).a)
link = @mkdir -p $(@D) && echo "link $@" && $(CL_CC) $(SAN_FLAGS) -o $@ $(filter %.o,$^) $(filter %.a,$^) $(1)

# libdynkv is the client layer with all that it stands on, as one archive.
$(BUILD)/libdynkv.a: $(client_OBJECTS) $(wire_OBJECTS) $(model_OBJECTS) $(base_OBJECTS)
	@rm -f $@
	$(Q)ar rcs $@ $^

$(BUILD)/dynkvd: $(daemon_OBJECTS) $(call libs,core store wire model base)
	$(call link,-rdynamic -lnng -lrocksdb -lpthread)
$(BUILD)/dynkv: $(cli_OBJECTS) $(BUILD)/libdynkv.a
	$(call link,-lpthread)

# ---- tests ----
# tests/unit/<layer>/test_<name>.c is one cmocka program, linked with its layer and those below.

UNIT_LIBS_base   := base
UNIT_LIBS_model  := model base
UNIT_LIBS_wire   := wire model base
UNIT_LIBS_core   := core wire model base
UNIT_LIBS_store  := store model base
UNIT_LIBS_client := client wire model base
UNIT_LIBS_daemon := daemon core store wire model base
UNIT_LIBS_cli    := cli client wire model base
UNIT_LINK_store  := -lrocksdb -lpthread
UNIT_LINK_client := -lnng -lpthread
UNIT_LINK_daemon := -lnng -lrocksdb -lpthread
# Helpers that several tests of one layer share: tests/unit/<layer>/*.c that are not test_*.c.

# cmocka 2 deprecates macros that 1, which Debian 12 and 13 have, offers nothing else for.
$(BUILD)/obj/tests/unit/%.o: OBJECT_DEFINES = -Wno-deprecated-declarations

define unit_rules
UNIT_$(1) := $$(patsubst %.c,$(BUILD)/%,$$(wildcard tests/unit/$(1)/test_*.c))
UNIT_HELP_$(1) := $$(patsubst %.c,$(BUILD)/obj/%.o,$$(filter-out tests/unit/$(1)/test_%,$$(wildcard tests/unit/$(1)/*.c)))
$$(UNIT_$(1)): $(BUILD)/tests/unit/$(1)/%: $(BUILD)/obj/tests/unit/$(1)/%.o $$(UNIT_HELP_$(1)) $(call libs,$(UNIT_LIBS_$(1)))
	$$(call link,-lcmocka $(UNIT_LINK_$(1)))
UNIT_PROGRAMS += $$(UNIT_$(1))
.PHONY: unit-$(1)
unit-$(1): $$(UNIT_$(1))
	scripts/run_unit.sh $$^
endef
$(foreach layer,base model wire core store client daemon cli,$(eval $(call unit_rules,$(layer))))
.PRECIOUS: $(BUILD)/obj/%.o

unit: $(UNIT_PROGRAMS)
	scripts/run_unit.sh $(UNIT_PROGRAMS)

-include $(wildcard tests/*.mk bench/*.mk)
