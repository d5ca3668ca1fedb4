# tests.mk: how the tests and the checks of the code are built and run; the
# Makefile includes it.  What each kind of test proves: tests/README.md.
#
# A variant (asan, tsan, coverage, fuzz) is a whole build of its own in
# $(BUILD)/<variant>, made by calling make again with other flags.
FUZZ_SECONDS ?= 60
ROUNDS ?= 100
STAGES ?=
ROWS ?=
TESTS ?=
CLIENTS ?=
COMPARE ?=
PATHS ?=
CONTENTION ?=

# The suites are those of suites.h, so that the list is written once.
SUITES := $(shell sed -n 's/^ *X(\([a-z0-9_]*\)).*/\1/p' tests/suites.h)
FUZZERS := $(patsubst tests/fuzz/fuzz_%.c,%,$(wildcard tests/fuzz/fuzz_*.c))
C_FILES := $(shell find src tests -name '*.[ch]')

test_object = $(patsubst %,$(BUILD)/tests/%.o,$(1))
# Objects before the library, wherever a rule of its own adds one.
LINKED = $(filter %.o,$^) $(filter %.a,$^)
LINK_TEST = @mkdir -p $(@D) && echo "  LD $@" && \
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $(LINKED) -lcunit $(LDLIBS)

# Calls of the C library that tests/faults lets fail or watches, and the store's
# clock, which it lets run faster.
WRAPPED := $(shell sed -n 's/^ *X(\([a-z_]*\)).*/\1/p' tests/faults_calls.h) \
	munmap pthread_cond_timedwait clock_steady_ms

TEST_PROGRAMS := $(BUILD)/tests/unit \
	$(patsubst %,$(BUILD)/tests/replay/%,$(FUZZERS)) \
	$(BUILD)/tests/faults $(BUILD)/tests/crash

$(BUILD)/tests/%.o: tests/%.c
	@mkdir -p $(@D)
	@echo "  CC $<"; $(CC) $(CFLAGS) -Isrc -Itests -MMD -MP -c -o $@ $<

# What reads and writes the files of client export and import; a fuzzer has it.
FORMAT_PARTS := text item format json csv

# Parts of the programs that have suites; the library does not hold them.
TESTED_PARTS := client_options client_moment client_program \
	client_bench/histogram client_bench/zipf \
	$(FORMAT_PARTS:%=client_transfer/%) \
	$(patsubst %,client_transfer/%,beside progress resume sender signals) \
	$(patsubst src/%.c,%,$(wildcard src/client_check/*.c))

# What suites share.
TEST_PARTS := support fake served samples tabled disk logged stored called \
	audit model resp_feed spoken talked dialog compare/exchange \
	torture/history/linear torture/history/linear_model \
	torture/history/worlds

$(BUILD)/tests/unit: $(call test_object,main $(TEST_PARTS) $(SUITES:%=test_%)) \
	$(TESTED_PARTS:%=$(BUILD)/obj/%.o) $(BUILD)/lib/libfixkv.a
	$(LINK_TEST) -lm

$(BUILD)/tests/faults: $(call test_object,faults faults_calls faults_disk \
		faults_history faults_power faults_restore faults_store \
		faults_work support) \
	$(BUILD)/lib/libfixkv.a
	$(LINK_TEST) $(WRAPPED:%=-Wl,--wrap=%)

$(BUILD)/tests/crash: $(call test_object,crash crash_aim crash_server crash_writer \
		arguments guard tcp support) $(BUILD)/lib/libfixkv.a
	$(LINK_TEST)

# What the network alone costs, to measure the server against.
$(BUILD)/bin/echo: $(call test_object,echo)
	@mkdir -p $(@D)
	@echo "  LD $@"; $(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS)

# The generator of `make compare`, and what a cache miss costs.
COMPARE_PROGRAMS := $(BUILD)/compare/load $(BUILD)/compare/miss $(BUILD)/bin/echo

$(BUILD)/compare/load: $(call test_object,$(addprefix compare/,load loop \
		batch exchange usage) arguments tcp) \
	$(BUILD)/obj/client_bench/histogram.o $(BUILD)/obj/client_bench/zipf.o \
	$(BUILD)/lib/libfixkv.a
	@mkdir -p $(@D)
	@echo "  LD $@"; $(CC) $(CFLAGS) $(LDFLAGS) -o $@ $(LINKED) -lm $(LDLIBS)

$(BUILD)/compare/miss: $(call test_object,compare/miss)
	@mkdir -p $(@D)
	@echo "  LD $@"; $(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS)

# Loaded into a server, before the C library.
$(BUILD)/contention/locks.so: tests/contention/locks.c
	@mkdir -p $(@D)
	@echo "  LD $@"; $(CC) $(CFLAGS) -fPIC -shared -o $@ $<

# A client of Redis's, on a library that only `make test-clients` needs.
$(BUILD)/tests/clients/hiredis: $(call test_object,clients/hiredis)
	@mkdir -p $(@D)
	@echo "  LD $@"; $(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ -lhiredis $(LDLIBS)

# A fuzzer's entrance, fed with the files of its corpus.
$(BUILD)/tests/replay/%: $(BUILD)/tests/fuzz/fuzz_%.o \
	$(BUILD)/tests/fuzz/replay.o $(BUILD)/lib/libfixkv.a
	@mkdir -p $(@D)
	@echo "  LD $@"; $(CC) $(CFLAGS) $(LDFLAGS) -o $@ $(LINKED) $(LDLIBS)

$(BUILD)/tests/replay/transfer $(BUILD)/tests/fuzz/fuzz_transfer: \
	$(FORMAT_PARTS:%=$(BUILD)/obj/client_transfer/%.o)

$(BUILD)/tests/replay/resp $(BUILD)/tests/fuzz/fuzz_resp: \
	$(call test_object,resp_feed)

# The same entrance, fed by libFuzzer; built by `make fuzz` with clang.
$(BUILD)/tests/fuzz/fuzz_%: $(BUILD)/tests/fuzz/fuzz_%.o \
	$(BUILD)/lib/libfixkv.a
	$(CC) $(CFLAGS) $(LDFLAGS) -fsanitize=fuzzer -o $@ $(LINKED) $(LDLIBS)

include tests/torture/torture.mk

# Objects are made on the way to more than one program; make keeps them.
.SECONDARY:

test-programs: $(TEST_PROGRAMS) $(TORTURE_PROGRAMS) $(COMPARE_PROGRAMS)
fuzz-programs: $(patsubst %,$(BUILD)/tests/fuzz/fuzz_%,$(FUZZERS))

test: ## build everything and run all tests (STAGES="unit ..." for some)
	@tests/dependencies build test redis
	@$(MAKE) --no-print-directory all test-programs
	@BUILD=$(BUILD) CC=$(CC) tests/run-all $(STAGES)

unit: test-programs ## run unit tests alone (TESTS="crc32c file.names_move_and_go")
	@$(BUILD)/tests/unit $(TESTS)

NO_RECOVER := -fno-sanitize-recover=all
# Of the variants that tests alone run: the server knows DEBUG.
DEBUG_FLAGS := -DFIXKV_DEBUG
ASAN_FLAGS := -O1 -g $(DEBUG_FLAGS) -fsanitize=address,undefined $(NO_RECOVER)
TSAN_FLAGS := -O1 -g $(DEBUG_FLAGS) -fsanitize=thread
COVERAGE_FLAGS := -O0 -g $(DEBUG_FLAGS) --coverage
FUZZ_FLAGS := -O1 -g -fsanitize=fuzzer-no-link,address,undefined $(NO_RECOVER)

# $(call variant,NAME,FLAGS): builds the variant; its stages stand behind it.
variant = @tests/dependencies build test && \
	$(MAKE) --no-print-directory BUILD=$(BUILD)/$(1) CFLAGS='$(2)' \
		all test-programs && \
	BUILD=$(BUILD)/$(1) CC=$(CC) tests/run-all

SANITIZED_STAGES := unit corpus faults
COVERED_STAGES := $(SANITIZED_STAGES) check restore

asan: ## unit tests, corpus and faults with ASan and UBSan
	$(call variant,asan,$(ASAN_FLAGS)) $(SANITIZED_STAGES)

tsan: ## the same with ThreadSanitizer
	$(call variant,tsan,$(TSAN_FLAGS)) $(SANITIZED_STAGES)

valgrind: test-programs ## unit tests under valgrind memcheck (TESTS=...)
	@tests/dependencies test
	@BUILD=$(BUILD) tests/under-valgrind memcheck $(TESTS)

helgrind: test-programs ## unit tests under valgrind helgrind (TESTS=...)
	@tests/dependencies test
	@BUILD=$(BUILD) tests/under-valgrind helgrind $(TESTS)

coverage: ## line and branch coverage of all tests, by file and in total
	@find $(BUILD)/coverage -name '*.gcda' -delete 2>/dev/null || true
	$(call variant,coverage,$(COVERAGE_FLAGS)) $(COVERED_STAGES)
	@tests/coverage $(BUILD)/coverage

fuzz-variant:
	@$(MAKE) --no-print-directory BUILD=$(BUILD)/fuzz CC=clang \
		CFLAGS='$(FUZZ_FLAGS)' fuzz-programs

fuzz: ## each fuzzer for FUZZ_SECONDS=60 seconds with clang's libFuzzer
	@tests/dependencies build clang fuzz
	@$(MAKE) --no-print-directory fuzz-variant
	@BUILD=$(BUILD)/fuzz FUZZ_SECONDS=$(FUZZ_SECONDS) tests/fuzz/run $(FUZZERS)

torture: all test-programs ## what it survives, at length (ROWS="kill ..." for some)
	@tests/dependencies build test
	@BUILD=$(BUILD) CC=$(CC) tests/torture/run long $(ROWS)

test-redis: all ## 1,000,000 random commands, to redis-server and to fixkv
	@tests/dependencies build redis
	@BUILD=$(BUILD) tests/differ/run long
	@BUILD=$(BUILD) tests/differ/run --commands 100000 --sync always

crash: all test-programs ## ROUNDS=100 rounds of kill and recover
	@$(BUILD)/tests/crash --build $(BUILD) $(ROUNDS)

compare: all $(COMPARE_PROGRAMS) ## beside redis, memcached, echo (COMPARE="quick", "get memory")
	@tests/dependencies build compare
	@BUILD=$(BUILD) tests/compare/run $(COMPARE)

speed: ## CPU time a request, against an echo server
	@$(MAKE) --no-print-directory compare COMPARE=speed

contention: all $(COMPARE_PROGRAMS) $(BUILD)/contention/locks.so ## who waits for locks, with 8 workers (CONTENTION="--zipf --works set")
	@tests/dependencies build test
	@BUILD=$(BUILD) tests/contention/run $(CONTENTION)

instructions: all ## instructions a request, and budgets (PATHS="--lower" "resp SET")
	@tests/dependencies build test
	@BUILD=$(BUILD) tests/instructions/run $(PATHS)

test-clients: ## the clients of Redis that Debian has (CLIENTS="python ...")
	@tests/dependencies build clients hiredis redis
	@$(MAKE) --no-print-directory all $(BUILD)/tests/clients/hiredis
	@BUILD=$(BUILD) tests/clients/run $(CLIENTS)

tidy: ## format, clang-tidy, cppcheck, layers and sizes
	@tests/dependencies tidy hiredis
	@$(MAKE) --no-print-directory --keep-going \
		tidy-format tidy-clang tidy-cppcheck tidy-layers

tidy-format:
	clang-format-14 --dry-run -Werror $(C_FILES)

tidy-clang:
	printf '%s\n' $(filter %.c,$(C_FILES)) | xargs -P 2 -n 4 tests/clang-tidy

# ctuuninitvar: takes every buffer that a function fills for one that it reads;
# uninitvar in tests: does not see that REQUIRE ends the test.
tidy-cppcheck:
	cppcheck --quiet --std=c11 --enable=warning,performance,portability \
		--inline-suppr --error-exitcode=1 -D__x86_64__ -Isrc -Itests \
		--suppress=missingIncludeSystem --suppress=ctuuninitvar \
		'--suppress=uninitvar:tests/*' src tests

tidy-layers:
	tests/layers

help: ## this list
	@awk -F':.*## ' '/^[a-z-]+:.*## / { printf "make %-10s %s\n", $$1, $$2 }' \
		$(MAKEFILE_LIST)

-include $(shell find $(BUILD)/tests -name '*.d' 2>/dev/null)

.PHONY: test test-programs fuzz-programs fuzz-variant unit asan tsan valgrind helgrind \
	coverage fuzz crash torture tidy tidy-format tidy-clang tidy-cppcheck tidy-layers \
	test-clients compare speed test-redis instructions contention help
