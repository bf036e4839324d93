# raycluster: one makefile. `make help` lists the targets.
VERSION := 0.1.0
.DEFAULT_GOAL := all

CC ?= cc
CFLAGS ?= -O2 -g
CPPFLAGS ?=
LDFLAGS ?=
PKG_CONFIG ?= pkg-config
PROTOC_C ?= protoc-c
PREFIX ?= /usr
BUILD ?= build
V ?= 0
Q := $(if $(filter 1,$(V)),,@)
say = $(if $(filter 1,$(V)),@:,@printf '  %-7s %s\n')

SYSTEMD_VERSION := $(shell $(PKG_CONFIG) --modversion libsystemd | sed 's/[^0-9].*//')

# --- what is built -----------------------------------------------------------------------------
# One static archive a room folder, linked from the top floor down: an upward call does not link.
FLOOR4 := conf disco gcs engine reflect member
LIBDIRS := role probe $(FLOOR4) sys wire model base
PROGS := ray-headd ray-workerd ray-engine raycluster ray-probe
DIR_ray-headd := head
DIR_ray-workerd := worker
DIR_ray-engine := supervisor
DIR_raycluster := cli
DIR_ray-probe := probe-cli
PROGDIRS := head worker supervisor cli probe-cli

PKGS := libsystemd libconfig libnl-3.0 libnl-route-3.0 openssl libnghttp2 libcares libprotobuf-c jansson smartcols sqlite3
PKG_CFLAGS := $(shell $(PKG_CONFIG) --cflags $(PKGS))
PKG_LIBS := $(shell $(PKG_CONFIG) --libs $(PKGS))

WARN := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wformat=2 \
        -Wimplicit-fallthrough -Wvla -Wundef -Wpointer-arith -Wno-unused-parameter
ALL_CPPFLAGS = -D_GNU_SOURCE -DRAYCLUSTER_VERSION='"$(VERSION)"' -Idaemon -I$(BUILD)/gen $(CPPFLAGS)
ALL_CFLAGS = -std=gnu17 $(WARN) $(WERROR) -fno-common -fstack-protector-strong -fPIE $(PKG_CFLAGS) $(CFLAGS) $(EXTRA_CFLAGS)
ALL_LDFLAGS = -pie -Wl,-z,relro,-z,now -Wl,--as-needed $(LDFLAGS) $(EXTRA_CFLAGS)

src = $(sort $(wildcard daemon/$(1)/*.c))
objs = $(patsubst daemon/%.c,$(BUILD)/obj/%.o,$(call src,$(1)))
lib = $(BUILD)/lib/lib-$(1).a

PROTOS := $(sort $(wildcard daemon/wire/*.proto))
PROTO_C := $(patsubst daemon/wire/%.proto,$(BUILD)/gen/wire/%.pb-c.c,$(PROTOS))
PROTO_H := $(PROTO_C:.c=.h)
PROTO_O := $(patsubst $(BUILD)/gen/wire/%.c,$(BUILD)/obj/gen/%.o,$(PROTO_C))

BUILT_PROGS := $(foreach p,$(PROGS),$(if $(call src,$(DIR_$(p))),$(BUILD)/bin/$(p)))

define room_rule
$(call lib,$(1)): $(call objs,$(1)) $(if $(filter wire,$(1)),$(PROTO_O))
	$(say) AR $$@
	@mkdir -p $$(@D) && rm -f $$@
	$(Q)$(AR) rcs $$@ $$^
endef
$(foreach d,$(LIBDIRS) $(PROGDIRS),$(eval $(call room_rule,$(d))))

LIBS := $(foreach d,$(LIBDIRS),$(call lib,$(d)))

.DEFAULT_GOAL := all
.PHONY: all
all: $(LIBS) $(BUILT_PROGS) ## build everything

define prog_rule
$(BUILD)/bin/$(1): $(call lib,$(DIR_$(1))) $(LIBS)
	$(say) LINK $$@
	@mkdir -p $$(@D)
	$(Q)$(CC) $$(ALL_CFLAGS) $$(ALL_LDFLAGS) -o $$@ -Wl,--whole-archive $(call lib,$(DIR_$(1))) -Wl,--no-whole-archive $(LIBS) $(PKG_LIBS) -lm
endef
$(foreach p,$(PROGS),$(eval $(call prog_rule,$(p))))

$(BUILD)/obj/%.o: daemon/%.c $(BUILD)/flags | $(PROTO_H)
	$(say) CC $@
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CPPFLAGS) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/obj/gen/%.o: $(BUILD)/gen/wire/%.c $(BUILD)/flags
	$(say) CC $@
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CPPFLAGS) $(ALL_CFLAGS) -Wno-shadow -Wno-missing-braces -MMD -MP -c -o $@ $<

# Else make removes the header when it is done, and the next run builds all that includes it again.
.SECONDARY: $(PROTO_C) $(PROTO_H)
$(BUILD)/gen/wire/%.pb-c.c $(BUILD)/gen/wire/%.pb-c.h &: daemon/wire/%.proto
	$(say) PROTOC $@
	@mkdir -p $(BUILD)/gen/wire
	$(Q)$(PROTOC_C) --proto_path=daemon/wire --c_out=$(BUILD)/gen/wire $<

# Changed flags rebuild everything: a stale object with other flags is the worst kind of test result.
FLAGS_NOW = $(CC) $(ALL_CPPFLAGS) $(ALL_CFLAGS) $(ALL_LDFLAGS)
$(BUILD)/flags: FORCE
	@mkdir -p $(BUILD)
	@printf '%s\n' '$(subst ','\'',$(FLAGS_NOW))' | cmp -s - $@ || printf '%s\n' '$(subst ','\'',$(FLAGS_NOW))' > $@
FORCE:

-include mk/install.mk
include mk/test.mk

.PHONY: clean help dist
clean: ## remove the build folder
	rm -rf $(BUILD)

dist: ## a source tarball of HEAD
	git archive --format=tar.gz --prefix=raycluster-$(VERSION)/ -o raycluster-$(VERSION).tar.gz HEAD

help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## */\1\t/' | sort | expand -t 18

-include $(shell find $(BUILD)/obj $(BUILD)/tests -name '*.d' 2>/dev/null)
