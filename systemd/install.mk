# install.mk: make install and make uninstall; the Makefile includes it.
#
# PREFIX is where the programs and the library will be used, DESTDIR a directory
# put before every name while installing, as packagers do.
SYSCONFDIR ?= /etc
SYSTEMD_DIR ?= $(PREFIX)/lib/systemd/system
INSTALL ?= install

SHARED := libfixkv.so.$(SOVERSION)
CONFIG := $(DESTDIR)$(SYSCONFDIR)/fixkv/fixkv.conf
# What uninstall removes; the settings are looked at first.
INSTALLED := $(DESTDIR)$(PREFIX)/bin/fixkv-server $(DESTDIR)$(PREFIX)/bin/fixkv \
	$(addprefix $(DESTDIR)$(PREFIX)/lib/,libfixkv.a $(SHARED) libfixkv.so \
		pkgconfig/fixkv.pc) \
	$(DESTDIR)$(PREFIX)/include/kv_store.h $(DESTDIR)$(SYSTEMD_DIR)/fixkv.service

# Installed into this machine itself: its list of libraries is made anew.
REFRESH_LIBRARIES = if [ -z "$(DESTDIR)" ] && [ -w /etc/ld.so.cache ]; then \
	PATH="$$PATH:/usr/sbin:/sbin" ldconfig; fi

# PREFIX may be another than the last time, so these are always made.
$(BUILD)/fixkv.service: systemd/fixkv.service FORCE
	@mkdir -p $(@D)
	sed -e 's|@PREFIX@|$(PREFIX)|g' -e 's|@SYSCONFDIR@|$(SYSCONFDIR)|g' $< >$@

$(BUILD)/fixkv.pc: FORCE
	@mkdir -p $(@D)
	printf '%s\n' 'prefix=$(PREFIX)' 'libdir=$${prefix}/lib' \
		'includedir=$${prefix}/include' '' 'Name: fixkv' \
		'Description: key-value store for records of one size' \
		'Version: $(VERSION)' 'Cflags: -I$${includedir}' \
		'Libs: -L$${libdir} -lfixkv' 'Libs.private: -pthread' >$@

install: ## into PREFIX=/usr/local, below DESTDIR if that is set
install: all $(BUILD)/fixkv.service $(BUILD)/fixkv.pc
	mkdir -p $(sort $(dir $(INSTALLED) $(CONFIG)))
	$(INSTALL) $(BUILD)/bin/server $(DESTDIR)$(PREFIX)/bin/fixkv-server
	$(INSTALL) $(BUILD)/bin/client $(DESTDIR)$(PREFIX)/bin/fixkv
	$(INSTALL) -m 644 $(BUILD)/lib/libfixkv.a $(DESTDIR)$(PREFIX)/lib/
	$(INSTALL) $(BUILD)/lib/$(SHARED) $(DESTDIR)$(PREFIX)/lib/
	ln -sf $(SHARED) $(DESTDIR)$(PREFIX)/lib/libfixkv.so
	$(INSTALL) -m 644 src/kv_store.h $(DESTDIR)$(PREFIX)/include/
	$(INSTALL) -m 644 $(BUILD)/fixkv.pc $(DESTDIR)$(PREFIX)/lib/pkgconfig/
	$(INSTALL) -m 644 $(BUILD)/fixkv.service $(DESTDIR)$(SYSTEMD_DIR)/
	[ -e $(CONFIG) ] || $(INSTALL) -m 640 config/fixkv.conf $(CONFIG)
	@$(REFRESH_LIBRARIES)

uninstall: ## removes what install put there, but no changed settings, no data
	rm -f $(INSTALLED)
	if cmp -s config/fixkv.conf $(CONFIG); then rm -f $(CONFIG); fi
	if [ -e $(CONFIG) ]; then echo '$(CONFIG) was changed and stays'; \
	elif [ -d $(dir $(CONFIG)) ]; then \
		rmdir --ignore-fail-on-non-empty $(dir $(CONFIG)); fi
	@$(REFRESH_LIBRARIES)

FORCE:

.PHONY: install uninstall FORCE
