# fixkv: make run, make test; `make help` lists the rest.
CC ?= cc
BUILD ?= build
PREFIX ?= /usr/local
DESTDIR ?=
VERSION := $(shell sed -n 's/^\#define KV_VERSION "\(.*\)"/\1/p' src/kv_store.h)
SOVERSION := 0

WARNINGS := -Wall -Wextra -Wpedantic -Wshadow -Wstrict-prototypes \
	-Wmissing-prototypes -Wpointer-arith -Wcast-qual -Wwrite-strings \
	-Wundef -Wvla -Wformat=2 -Werror
CFLAGS ?= -O2 -g
override CFLAGS += -std=c11 -D_GNU_SOURCE -pthread -fno-omit-frame-pointer \
	$(WARNINGS)
LDLIBS := -pthread

# Everything but the programs goes into the library.
SOURCES := $(shell find src -name '*.c')
PROGRAMS := $(wildcard src/*_main.c)
CLIENT_PARTS := $(wildcard src/client_*.c src/client_*/*.c)
LIBRARY := $(filter-out $(PROGRAMS) $(CLIENT_PARTS),$(SOURCES))
object = $(patsubst src/%.c,$(BUILD)/obj/%.o,$(1))

all: ## server, client and library: the default
all: $(BUILD)/bin/server $(BUILD)/bin/client $(BUILD)/lib/libfixkv.a \
	$(BUILD)/lib/libfixkv.so

$(BUILD)/obj/%.o: src/%.c
	@mkdir -p $(@D)
	@echo "  CC $<"; $(CC) $(CFLAGS) -fPIC -fvisibility=hidden -Isrc -MMD -MP -c -o $@ $<

$(BUILD)/lib/libfixkv.a: $(call object,$(LIBRARY))
	@mkdir -p $(@D)
	@echo "  AR $@"; rm -f $@ && ar rcs $@ $^

$(BUILD)/lib/libfixkv.so: $(call object,$(LIBRARY))
	@mkdir -p $(@D)
	@echo "  LD $@"; $(CC) $(CFLAGS) $(LDFLAGS) -shared -Wl,-soname,libfixkv.so.$(SOVERSION) \
		-o $@.$(SOVERSION) $^ $(LDLIBS)
	@ln -sf $(@F).$(SOVERSION) $@

$(BUILD)/bin/server: $(BUILD)/obj/server_main.o $(BUILD)/lib/libfixkv.a
	@mkdir -p $(@D)
	@echo "  LD $@"; $(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS)

$(BUILD)/bin/client: $(call object,$(CLIENT_PARTS)) $(BUILD)/lib/libfixkv.a
	@mkdir -p $(@D)
	@echo "  LD $@"; $(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS) -lm

-include $(shell find $(BUILD)/obj -name '*.d' 2>/dev/null)

include tests/tests.mk
include systemd/install.mk

run: all ## the server, in the foreground
	@echo 'In a second terminal:  build/bin/client put name "John Doe"'
	@echo '                       build/bin/client get name'
	@echo '                       build/bin/client test'
	@exec $(BUILD)/bin/server

clean: ## removes all that was built
	rm -rf $(BUILD)

.PHONY: all run clean
