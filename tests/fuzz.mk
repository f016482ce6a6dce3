# make fuzz: the decoders of bytes from outside, under libFuzzer, ASan and UBSan.
#
#   make fuzz FUZZ_RUNS=5000000 FUZZ_SEED=7      longer, and another road
#
# tests/fuzz/fuzz_<target>.c is one target; its seeds come from tests/fuzz/make_corpus.c.  What a run
# finds worth keeping stays in $(BUILD)/fuzz/corpus for the next one.

FUZZ_RUNS ?= 50000
FUZZ_SEED ?= 1
FUZZ_CC ?= clang
FUZZ_DIR := $(BUILD)/fuzz
FUZZ_TARGETS := message frame object version filter
FUZZ_CFLAGS := -std=c11 -D_GNU_SOURCE -O1 -g $(CL_WARN) -Icluster -I. -Itests/unit/wire \
               -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
FUZZ_SOURCES := $(base_SOURCES) $(model_SOURCES) $(wire_SOURCES)
FUZZ_OBJECTS := $(patsubst %.c,$(FUZZ_DIR)/obj/%.o,$(FUZZ_SOURCES))
FUZZ_PROGRAMS := $(patsubst %,$(FUZZ_DIR)/fuzz_%,$(FUZZ_TARGETS))
FUZZ_CORPUS_OBJECTS := $(FUZZ_DIR)/obj/tests/fuzz/make_corpus.o \
                       $(FUZZ_DIR)/obj/tests/unit/wire/random_body.o

$(FUZZ_DIR)/obj/%.o: %.c
	@mkdir -p $(@D)
	$(FUZZ_CC) $(FUZZ_CFLAGS) -fsanitize=fuzzer-no-link -MMD -MP -c -o $@ $<
-include $(shell find $(FUZZ_DIR)/obj -name '*.d' 2>/dev/null)

$(FUZZ_DIR)/fuzz_%: $(FUZZ_DIR)/obj/tests/fuzz/fuzz_%.o $(FUZZ_OBJECTS)
	$(FUZZ_CC) -fsanitize=fuzzer,address,undefined -o $@ $^
$(FUZZ_DIR)/make_corpus: $(FUZZ_CORPUS_OBJECTS) $(FUZZ_OBJECTS)
	$(FUZZ_CC) -fsanitize=address,undefined -o $@ $^
.PRECIOUS: $(FUZZ_DIR)/obj/%.o

fuzz: $(FUZZ_PROGRAMS) $(FUZZ_DIR)/make_corpus
	$(FUZZ_DIR)/make_corpus $(FUZZ_DIR)/seeds
	tests/fuzz/run_fuzz.sh $(FUZZ_DIR) $(FUZZ_RUNS) $(FUZZ_SEED) $(FUZZ_TARGETS)
