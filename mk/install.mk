# SPDX-License-Identifier: Apache-2.0
#
# make install: what the packages hold. Every directory can be set on the command line; those of systemd come from
# pkg-config, since they differ between distributions and between their releases.

INSTALL ?= install
PKG_CONFIG ?= pkg-config
SED ?= sed
PREFIX ?= /usr
BUILD ?= build

sd_dir = $(or $(shell $(PKG_CONFIG) --variable=$(1) systemd 2>/dev/null),$(2))

bindir ?= $(PREFIX)/bin
sbindir ?= $(PREFIX)/sbin
libdir ?= $(PREFIX)/lib
libexecdir ?= $(PREFIX)/libexec
datadir ?= $(PREFIX)/share
mandir ?= $(datadir)/man
docdir ?= $(datadir)/doc/raycluster
sysconfdir ?= /etc
unitdir ?= $(call sd_dir,systemdsystemunitdir,/usr/lib/systemd/system)
presetdir ?= $(call sd_dir,systemdsystempresetdir,/usr/lib/systemd/system-preset)
sysusersdir ?= $(call sd_dir,sysusersdir,/usr/lib/sysusers.d)
tmpfilesdir ?= $(call sd_dir,tmpfilesdir,/usr/lib/tmpfiles.d)
catalogdir ?= $(call sd_dir,catalogdir,/usr/lib/systemd/catalog)
dbuspolicydir ?= $(datadir)/dbus-1/system.d
dbusinterfacesdir ?= $(datadir)/dbus-1/interfaces
polkitrulesdir ?= $(datadir)/polkit-1/rules.d
completionsdir ?= $(datadir)/bash-completion/completions
firewalldir ?= $(PREFIX)/lib/firewalld/services
ufwdir ?= $(sysconfdir)/ufw/applications.d
needrestartdir ?= $(sysconfdir)/needrestart/conf.d
nologin ?= /usr/sbin/nologin

substitute = $(SED) \
	-e 's|@bindir@|$(bindir)|g' \
	-e 's|@libexecdir@|$(libexecdir)|g' \
	-e 's|@sysconfdir@|$(sysconfdir)|g' \
	-e 's|@docdir@|$(docdir)|g' \
	-e 's|@nologin@|$(nologin)|g'

# The daemons and the supervisor are units' business, but "ray-headd --check" should be typed without a path.
install_libexec := ray-headd ray-workerd ray-engine
install_bin := raycluster ray-probe
install_units_in := $(wildcard units/*.service.in)
install_units := $(wildcard units/*.slice units/*.target)
install_manuals := $(wildcard man/*.[1578])
install_interfaces := $(wildcard units/dbus/org.raycluster1*.xml)

# $(call put,FILES,DIRECTORY,MODE)
put = $(if $(strip $(1)),$(INSTALL) -D -m $(3) -t $(DESTDIR)$(2) $(1))

.PHONY: install install-programs install-units install-data install-manuals

install: install-programs install-units install-data install-manuals

install-programs: $(addprefix $(BUILD)/bin/,$(install_libexec) $(install_bin))
	$(call put,$(addprefix $(BUILD)/bin/,$(install_libexec)),$(libexecdir)/raycluster,755)
	$(call put,$(addprefix $(BUILD)/bin/,$(install_bin)),$(bindir),755)
	$(INSTALL) -d $(DESTDIR)$(sbindir)
	for p in $(install_libexec); do \
		ln -sf --relative $(DESTDIR)$(libexecdir)/raycluster/$$p $(DESTDIR)$(sbindir)/$$p || exit 1; \
	done

install-units:
	$(INSTALL) -d $(DESTDIR)$(unitdir) $(DESTDIR)$(presetdir) $(DESTDIR)$(sysusersdir) $(DESTDIR)$(tmpfilesdir)
	for u in $(install_units_in); do \
		n=$${u##*/}; \
		$(substitute) $$u > $(DESTDIR)$(unitdir)/$${n%.in} && chmod 644 $(DESTDIR)$(unitdir)/$${n%.in} || exit 1; \
	done
	$(call put,$(install_units),$(unitdir),644)
	$(call put,units/80-raycluster.preset,$(presetdir),644)
	$(substitute) units/raycluster.sysusers.in > $(DESTDIR)$(sysusersdir)/raycluster.conf
	chmod 644 $(DESTDIR)$(sysusersdir)/raycluster.conf
	$(INSTALL) -m 644 units/raycluster.tmpfiles $(DESTDIR)$(tmpfilesdir)/raycluster.conf

install-data:
	$(call put,$(wildcard units/raycluster.catalog),$(catalogdir),644)
	$(call put,units/dbus/org.raycluster1.conf,$(dbuspolicydir),644)
	$(call put,$(install_interfaces),$(dbusinterfacesdir),644)
	$(call put,units/polkit/50-raycluster.rules,$(polkitrulesdir),644)
	$(call put,$(wildcard units/firewalld/*.xml),$(firewalldir),644)
	$(call put,units/ufw/raycluster,$(ufwdir),644)
	$(call put,units/needrestart/raycluster.conf,$(needrestartdir),644)
	$(call put,README.md,$(docdir),644)
	$(call put,$(wildcard units/examples/*),$(docdir)/examples,644)
	$(call put,$(wildcard completion/raycluster completion/ray-probe),$(completionsdir),644)
# The schema of ray-probe --json lies beside the code that writes it: who changes the one sees the other.
	$(call put,daemon/probe-cli/ray-probe.schema.json,$(datadir)/raycluster,644)
	$(call put,$(wildcard etc/raycluster.conf),$(sysconfdir),644)
	$(INSTALL) -d $(DESTDIR)$(sysconfdir)/raycluster.conf.d $(DESTDIR)$(sysconfdir)/raycluster

install-manuals:
	$(foreach p,$(install_manuals),$(call put,$(p),$(mandir)/man$(patsubst .%,%,$(suffix $(p))),644) &&) true

.PHONY: deb rpm check-pkg
rpm: ## rpm packages of the working tree, by Debian's rpmbuild, in build/rpm
	tests/pkg/build-rpm $(BUILD)/rpm

deb: ## Debian packages of the working tree, in build/deb
	tests/pkg/build-deb $(BUILD)/deb

check-pkg: all ## units, rules, packages: everything that needs no booted guest
	tests/pkg/run
