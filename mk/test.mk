# Tests, lint, fuzzing, sanitizers. Included by the Makefile.

UNIT_SRC := $(sort $(wildcard tests/unit/test-*.c))
UNIT_BIN := $(patsubst tests/unit/%.c,$(BUILD)/tests/unit/%,$(UNIT_SRC))
FUZZ_SRC := $(sort $(wildcard tests/fuzz/fuzz-*.c))
FUZZ_BIN := $(patsubst tests/fuzz/%.c,$(BUILD)/tests/fuzz/%,$(FUZZ_SRC))
FAKE_SRC := $(sort $(wildcard tests/fake/*.c))
FAKE_BIN := $(patsubst tests/fake/%.c,$(BUILD)/tests/fake/%,$(FAKE_SRC))
BENCH_SRC := $(sort $(wildcard tests/bench/*.c))
BENCH_BIN := $(patsubst tests/bench/%.c,$(BUILD)/tests/bench/%,$(BENCH_SRC))
# A unit test of a program's room (head, worker, supervisor, cli, probe-cli) is named test-DIR-*.c and
# links that room too; the room's main.c is left out.
progdir_of = $(firstword $(foreach d,$(PROGDIRS),$(if $(filter test-$(d)-%,$(1)),$(d))))
progobjs_of = $(if $(call progdir_of,$(1)),$(filter-out %/main.o,$(call objs,$(call progdir_of,$(1)))))

.PHONY: check check-unit check-fuzz check-golden lint check-docs check-asan check-net-asan check-valgrind check-valgrind-some tests
tests: $(UNIT_BIN) $(FUZZ_BIN) $(FAKE_BIN) $(BENCH_BIN) ## build the tests

.SECONDEXPANSION:
$(BUILD)/tests/unit/%: tests/unit/%.c $$(call progobjs_of,$$*) $(LIBS) $(BUILD)/flags $(FAKE_BIN)
	$(say) TEST $@
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CPPFLAGS) -Itests/unit -DTEST_DATA='"$(CURDIR)/tests"' -DTEST_BUILD='"$(abspath $(BUILD))"' $(ALL_CFLAGS) -Wno-missing-prototypes -MMD -MP -MF $@.d $(ALL_LDFLAGS) -o $@ $< $(call progobjs_of,$*) $(LIBS) $(PKG_LIBS) -lcmocka -lm

$(BUILD)/tests/fake/%: tests/fake/%.c $(LIBS) $(BUILD)/flags
	$(say) FAKE $@
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CPPFLAGS) $(ALL_CFLAGS) -MMD -MP -MF $@.d $(ALL_LDFLAGS) -o $@ $< $(LIBS) $(PKG_LIBS) -lm

$(BUILD)/tests/bench/%: tests/bench/%.c $(LIBS) $(BUILD)/flags
	$(say) BENCH $@
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CPPFLAGS) $(ALL_CFLAGS) -MMD -MP -MF $@.d $(ALL_LDFLAGS) -o $@ $< $(LIBS) $(PKG_LIBS) -lm

$(BUILD)/tests/fuzz/%: tests/fuzz/%.c tests/fuzz/replay.c $(LIBS) $(BUILD)/flags
	$(say) FUZZ $@
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CPPFLAGS) $(ALL_CFLAGS) -Wno-missing-prototypes -MMD -MP -MF $@.d $(ALL_LDFLAGS) -o $@ $< $(if $(filter %-fsanitize=fuzzer,$(EXTRA_CFLAGS)),,tests/fuzz/replay.c) $(LIBS) $(PKG_LIBS) -lm

check-unit: all $(UNIT_BIN) ## unit tests
	@tests/unit/run $(UNIT_BIN)

check-fuzz: $(FUZZ_BIN) ## replay every fuzz corpus
	@tests/fuzz/run $(FUZZ_BIN)

check: lint check-unit check-fuzz check-docs ## lint, unit tests, corpus replay, docs; no root, no network

check-docs: all ## keys, verbs, D-Bus members and message ids against their pages
	@set -e; for t in $(sort $(wildcard tests/docs/*)); do BUILD=$(BUILD) $$t; done

check-net: all ## probe and discovery in network namespaces (root)
	@tests/net/run

check-room: ## the machine room in a box (root)
	@tests/room/run

ASAN = BUILD=$(BUILD)-asan CFLAGS='-O1 -g' EXTRA_CFLAGS='-fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer'
check-asan: ## unit tests and corpora under ASan and UBSan
	$(Q)$(MAKE) $(ASAN) check-unit check-fuzz

check-net-asan: ## ray-probe in network namespaces under ASan and UBSan (root)
	$(Q)$(MAKE) $(ASAN) all
	@$(ASAN) NET_TIMEOUT=1800 SLACK=20 tests/net/run $(or $(NET),probe)

VALGRIND = SLACK=4 RUNNER='valgrind -q --error-exitcode=99 --leak-check=full --show-leak-kinds=definite --errors-for-leak-kinds=definite'
check-valgrind: all $(UNIT_BIN) ## unit tests under valgrind
	@$(VALGRIND) tests/unit/run $(UNIT_BIN)

# Who listens to strangers and who keeps keys, in a few minutes: what the head, a worker, members and
# the codecs do in one process. Left out are those that take as long as all others, for sums (keys,
# tokens, a full store), or because they wait.
VALGRIND_SLOW := test-member-renewal test-join-token test-store test-gate-attacks test-membership%
VALGRIND_SOME := $(filter-out $(addprefix $(BUILD)/tests/unit/,$(VALGRIND_SLOW)),$(filter $(addprefix $(BUILD)/tests/unit/test-,\
	member% head-% worker-% backup% gcs-codec reflect-codec tls-link approval enrolment renewal guard guests h2 h2-scan),$(UNIT_BIN)))
check-valgrind-some: all $(VALGRIND_SOME) ## members, head, worker and codecs under valgrind
	@$(VALGRIND) tests/unit/run $(VALGRIND_SOME)

T ?= h2
FUZZ_SECONDS ?= 60
# What is found goes to FUZZ_NEW, not into the kept corpus; fuzz-keep takes over what reaches new code.
FUZZ_NEW ?= $(BUILD)-fuzz/new/$(T)
FUZZ_KEPT = tests/fuzz/corpus/$(T)
.PHONY: fuzz fuzz-build fuzz-keep coverage bench
fuzz-build:
	$(Q)$(MAKE) BUILD=$(BUILD)-fuzz CC=clang CFLAGS='-O1 -g' EXTRA_CFLAGS='-fsanitize=address,undefined -fno-sanitize-recover=undefined -fsanitize=fuzzer-no-link' $(BUILD)-fuzz/lib/lib-base.a $(foreach d,$(LIBDIRS),$(BUILD)-fuzz/lib/lib-$(d).a)
	$(Q)clang $(ALL_CPPFLAGS) -I$(BUILD)-fuzz/gen -std=gnu17 -O1 -g -fsanitize=address,undefined,fuzzer -fno-sanitize-recover=undefined $(PKG_CFLAGS) -o $(BUILD)-fuzz/fuzz-$(T) tests/fuzz/fuzz-$(T).c $(foreach d,$(LIBDIRS),$(BUILD)-fuzz/lib/lib-$(d).a) $(PKG_LIBS) -lm
	@mkdir -p $(FUZZ_NEW)

fuzz: fuzz-build ## fuzz one target for FUZZ_SECONDS: make fuzz T=grpc
	$(BUILD)-fuzz/fuzz-$(T) -max_total_time=$(FUZZ_SECONDS) -max_len=65536 -timeout=10 -rss_limit_mb=1024 -print_final_stats=1 -artifact_prefix=$(BUILD)-fuzz/$(T)- $(FUZZ_NEW) $(FUZZ_KEPT)

fuzz-keep: fuzz-build ## keep of what make fuzz found the few small inputs that reach new code
	$(BUILD)-fuzz/fuzz-$(T) -merge=1 -use_counters=0 -max_len=4096 -timeout=10 $(FUZZ_KEPT) $(FUZZ_NEW)

coverage: ## line coverage of the unit tests
	$(Q)$(MAKE) BUILD=$(BUILD)-cov CFLAGS='-O0 -g' EXTRA_CFLAGS='--coverage' check-unit check-fuzz
	$(Q)tests/lint/coverage $(BUILD)-cov

bench: all ## benchmarks against the peers (root); writes tests/bench/RESULTS.md
	@tests/bench/run

# --- lint --------------------------------------------------------------------------------------
C_ALL := $(sort $(wildcard daemon/*/*.c daemon/*/*.h tests/unit/*.c tests/unit/*.h tests/fuzz/*.c tests/fake/*.[ch] tests/bench/*.[ch]))
.PHONY: lint-layers lint-format lint-tidy lint-rooms lint-shell lint-spell lint-man lint-state format
lint: lint-layers lint-format lint-rooms lint-shell lint-spell lint-man lint-tidy ## every lint

lint-layers: ## includes go downwards only; one door a library
	@tests/lint/layers

lint-rooms: ## sizes of files, one state assignment
	@tests/lint/rooms

lint-format: ## clang-format says the same
	@clang-format --dry-run -Werror $(C_ALL)

format: ## run clang-format over the tree
	@clang-format -i $(C_ALL)

TIDY_STAMP := $(patsubst daemon/%.c,$(BUILD)/tidy/%.ok,$(sort $(wildcard daemon/*/*.c)))
lint-tidy: $(TIDY_STAMP) ## clang-tidy, explicit list, all fatal
$(BUILD)/tidy/%.ok: daemon/%.c .clang-tidy | $(PROTO_H)
	@$(if $(filter 1,$(V)),echo "  TIDY    $<",:)
	@mkdir -p $(@D)
	$(Q)clang-tidy --quiet $< -- $(ALL_CPPFLAGS) -std=gnu17 $(PKG_CFLAGS) >$@.log 2>&1 || { grep -E 'warning:|error:' $@.log; exit 1; }
	@touch $@

SHELL_SCRIPTS = $(shell git ls-files 2>/dev/null | xargs -r grep -lE '^\#!/(usr/)?bin/(env )?(ba)?sh' 2>/dev/null)
lint-shell: ## shellcheck
	@$(if $(SHELL_SCRIPTS),shellcheck -x $(SHELL_SCRIPTS),:)

lint-spell: ## codespell
	@codespell -q 3 -S '*.lock,$(BUILD)*,./tests/fuzz/corpus,*.json' -L 'ist,ans,fo,te,nd,iif,crate,dashbord' $(shell git ls-files 2>/dev/null | grep -vE 'corpus|\.lock$$|LICENSE|debian/copyright|\.bin$$')

lint-man: ## mandoc -Tlint
	@tests/lint/man
