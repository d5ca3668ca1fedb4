# torture.mk: the programs of the rows in tests/torture/run; tests.mk includes
# it.
TORTURE_PROGRAMS := $(BUILD)/torture/preload_disk.so

# Comes before the C library of the server that it is loaded into; a sanitizer
# would have to come before it.
$(BUILD)/torture/%.so: tests/torture/%.c
	@mkdir -p $(@D)
	@echo "  LD $@"; $(CC) $(filter-out -fsanitize=% --coverage,$(CFLAGS)) \
		-fPIC -shared -o $@ $<
TORTURE_PROGRAMS += $(BUILD)/torture/damage

$(BUILD)/torture/damage: $(call test_object,torture/damage \
		torture/damage_cases torture/damage_files \
		torture/damage_history torture/damage_image \
		torture/damage_open torture/damage_world \
		crash_server support) $(BUILD)/lib/libfixkv.a
	$(LINK_TEST)

# A fuzzer's entrance, fed with changed copies of its corpus.
MUTATED := wire wal backup
TORTURE_PROGRAMS += $(MUTATED:%=$(BUILD)/torture/mutate-%)

$(BUILD)/torture/mutate-%: $(BUILD)/tests/fuzz/fuzz_%.o \
		$(call test_object,torture/mutate support) \
		$(BUILD)/lib/libfixkv.a
	$(LINK_TEST)

TORTURE_PROGRAMS += $(BUILD)/torture/clock_frames \
	$(BUILD)/torture/preload_clock.so

$(BUILD)/torture/clock_frames: $(call test_object,torture/clock_frames \
		torture/damage_history torture/damage_image \
		torture/damage_world support) $(BUILD)/lib/libfixkv.a
	$(LINK_TEST)

$(BUILD)/torture/preload_clock.so: tests/torture/preload_clock.c
	@mkdir -p $(@D)
	@echo "  LD $@"; $(CC) $(CFLAGS) -fPIC -shared -o $@ $<
TORTURE_PROGRAMS += $(BUILD)/torture/history
TORTURE_PROGRAMS += $(BUILD)/torture/history $(BUILD)/torture/transfers
TORTURE_PROGRAMS += $(BUILD)/torture/history $(BUILD)/torture/transfers \
	$(BUILD)/torture/race

$(BUILD)/torture/history: $(call test_object,torture/history torture/record \
		torture/request torture/plant torture/proxy torture/tcp \
		torture/linear torture/linear_model torture/linear_print torture/worlds \
		torture/arguments torture/guard \
		crash_server support) $(BUILD)/lib/libfixkv.a
	$(LINK_TEST)

$(BUILD)/torture/transfers: $(call test_object,torture/transfers torture/bank \
		torture/sum torture/arguments torture/guard crash_server support) \
		$(BUILD)/lib/libfixkv.a
	$(LINK_TEST)

$(BUILD)/torture/race: $(call test_object,torture/race)
	$(LINK_TEST)

# What the row threads has ThreadSanitizer watch.
tsan-programs:
	@$(MAKE) --no-print-directory BUILD=$(BUILD)/tsan CFLAGS='$(TSAN_FLAGS)' \
		$(BUILD)/tsan/tests/unit $(BUILD)/tsan/torture/race

.PHONY: tsan-programs


TORTURE_PROGRAMS += $(addprefix $(BUILD)/torture/,nth preload_nth.so \
	power_record power_verify preload_power.so)

# What a server's process is watched with.
$(BUILD)/tests/torture/prelo%.o $(BUILD)/tests/torture/power_trac%.o: \
	override CFLAGS += -fPIC

LINK_PRELOAD = @mkdir -p $(@D) && echo "  LD $@" && \
	$(CC) $(CFLAGS) $(LDFLAGS) -shared -o $@ $^ $(LDLIBS)

$(BUILD)/torture/preload_nth.so: $(call test_object,torture/preload \
		torture/preload_nth)
	$(LINK_PRELOAD)

$(BUILD)/torture/nth: $(call test_object,torture/nth crash_server crash_writer \
		support) $(BUILD)/lib/libfixkv.a
	$(LINK_TEST)

POWER_PARTS := torture/power_trace torture/power_history

$(BUILD)/torture/preload_power.so: $(call test_object,torture/preload \
		torture/preload_power torture/power_trace)
	$(LINK_PRELOAD)

$(BUILD)/torture/power_record: $(call test_object,torture/power_record \
		$(POWER_PARTS) crash_server crash_writer support) \
		$(BUILD)/lib/libfixkv.a
	$(LINK_TEST)

$(BUILD)/torture/power_verify: $(call test_object,torture/power_verify \
		torture/power_plan torture/power_disk torture/power_image \
		$(POWER_PARTS) crash_writer support) $(BUILD)/lib/libfixkv.a
	$(LINK_TEST)
