# torture.mk: the programs of the rows in tests/torture/run; tests.mk includes
# it.
torture_object = $(call test_object,$(addprefix torture/,$(1)))

# Fuzzers' entrances that are fed with changed copies of their corpus.
MUTATED := wire resp wal backup

TORTURE_PROGRAMS := $(addprefix $(BUILD)/torture/, \
	nth power/record power/verify damage clock_frames \
	$(MUTATED:%=mutate-%) history transfers collections race \
	$(patsubst %,preload/%.so,clock disk nth power))

# What the row kill and those that need a server of their own share.
SERVER_PARTS := $(call test_object,crash_server support)
WRITER_PARTS := $(call test_object,crash_writer tcp)
COLLECTION_PARTS := $(call torture_object,$(addprefix collections/, \
		world world_talk writer)) $(call test_object,audit talk)

# ---- Loaded into the server -------------------------------------------------

# Comes before the C library of the server that it is loaded into; a sanitizer
# would have to come before it.
$(BUILD)/torture/preload/%.so: tests/torture/preload/%.c
	@mkdir -p $(@D)
	@echo "  LD $@"; $(CC) $(filter-out -fsanitize=% --coverage,$(CFLAGS)) \
		-fPIC -shared -o $@ $<

$(BUILD)/tests/torture/preload/%.o $(BUILD)/tests/torture/power/trac%.o: \
	override CFLAGS += -fPIC

LINK_PRELOAD = @mkdir -p $(@D) && echo "  LD $@" && \
	$(CC) $(CFLAGS) $(LDFLAGS) -shared -o $@ $^ $(LDLIBS)

$(BUILD)/torture/preload/nth.so: $(call torture_object,preload/preload \
		preload/nth)
	$(LINK_PRELOAD)

$(BUILD)/torture/preload/power.so: $(call torture_object,preload/preload \
		preload/power power/trace)
	$(LINK_PRELOAD)

# ---- Programs ---------------------------------------------------------------

$(BUILD)/torture/nth: $(call torture_object,nth) \
		$(call test_object,arguments guard) $(WRITER_PARTS) \
		$(COLLECTION_PARTS) $(SERVER_PARTS) $(BUILD)/lib/libfixkv.a
	$(LINK_TEST)

$(BUILD)/torture/power/record: $(call torture_object,power/record \
		power/trace power/history collections/guests) \
		$(call test_object,arguments talk) $(WRITER_PARTS) $(SERVER_PARTS) $(BUILD)/lib/libfixkv.a
	$(LINK_TEST)

$(BUILD)/torture/power/verify: $(call torture_object,power/verify power/plan \
		power/disk power/guests power/image power/trace power/history) \
		$(call test_object,arguments audit support) $(WRITER_PARTS) \
		$(BUILD)/lib/libfixkv.a
	$(LINK_TEST)

$(BUILD)/torture/damage: $(call torture_object,$(addprefix damage/, \
		damage cases files history image open world)) \
		$(call test_object,arguments) $(SERVER_PARTS) \
		$(BUILD)/lib/libfixkv.a
	$(LINK_TEST)

$(BUILD)/torture/clock_frames: $(call torture_object,clock_frames \
		damage/history damage/image damage/world) \
		$(call test_object,support) $(BUILD)/lib/libfixkv.a
	$(LINK_TEST)

$(BUILD)/torture/mutate-%: $(BUILD)/tests/fuzz/fuzz_%.o \
		$(call torture_object,mutate) \
		$(call test_object,arguments support) \
		$(BUILD)/lib/libfixkv.a
	$(LINK_TEST)

$(BUILD)/torture/mutate-resp: $(call test_object,resp_feed)

$(BUILD)/torture/history: $(call torture_object,$(addprefix history/, \
		history record request plant proxy linear linear_model \
		linear_print worlds)) \
		$(call test_object,arguments guard tcp) $(SERVER_PARTS) \
		$(BUILD)/lib/libfixkv.a
	$(LINK_TEST)

$(BUILD)/torture/transfers: $(call torture_object,$(addprefix transfers/, \
		transfers bank sum)) \
		$(call test_object,arguments guard) $(SERVER_PARTS) \
		$(BUILD)/lib/libfixkv.a
	$(LINK_TEST)

$(BUILD)/torture/collections: $(call torture_object,$(addprefix collections/, \
		collections guests)) \
		$(call test_object,arguments guard tcp) \
		$(COLLECTION_PARTS) $(SERVER_PARTS) $(BUILD)/lib/libfixkv.a
	$(LINK_TEST)

$(BUILD)/torture/race: $(call torture_object,race)
	$(LINK_TEST)

# What the row threads has ThreadSanitizer watch.
tsan-programs:
	@$(MAKE) --no-print-directory BUILD=$(BUILD)/tsan CFLAGS='$(TSAN_FLAGS)' \
		$(BUILD)/tsan/tests/unit $(BUILD)/tsan/torture/race

.PHONY: tsan-programs
