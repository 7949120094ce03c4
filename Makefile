# SPDX-License-Identifier: Apache-2.0
# A thin front for Meson and the test suites. `make help` lists what there is.

BUILD := build
VENV := $(BUILD)/venv
REPORTS := $(BUILD)/reports
WERROR ?= false
FUZZ_SECONDS ?= 60
DEV_ARGS ?=

.NOTPARALLEL:
.DEFAULT_GOAL := build
.PHONY: help build deps run test fault unit asan tsan lint format fuzz bench docs debian13 clean

# Sets up build folder $(1) with options $(2) unless that has been done, and compiles it.
define compile
@test -e $(1)/build.ninja || meson setup $(1) $(2) || \
    { sed -n '/^--- stderr ---/,$$p' $(1)/meson-logs/meson-log.txt; exit 1; }
@grep -qx '$(WERROR)' $(1)/.werror 2>/dev/null || \
    { meson configure $(1) -Dwerror=$(WERROR) && echo '$(WERROR)' >$(1)/.werror; }
@ninja -C $(1) --quiet
endef

ASAN := -Db_sanitize=address,undefined
TSAN := -Db_sanitize=thread
UNIT_SUITES := --suite unit --suite fuzz

help: ## this list
	@sed -n 's/^\([a-z0-9]*\):.*## \(.*\)/make \1	\2/p' Makefile | expand -t 16

build: ## build/user-service (nothing is installed; says what is missing)
	@tools/deps.sh --check build
	$(call compile,$(BUILD),)

deps: ## install with apt what building and running need, if anything is missing
	@tools/deps.sh build

run: deps build ## build and run it with PostgreSQL, keys and an inbox (DEV_ARGS="--port 8080")
	@exec $(BUILD)/user-service dev $(DEV_ARGS)

test: ## every suite: unit and fuzz corpus with sanitizers, integration
	@tools/deps.sh test
	$(call compile,$(BUILD),)
	$(call compile,$(BUILD)/asan,$(ASAN))
	@tools/venv.sh $(VENV)
	@python3 tools/run_suites.py \
	    unit $(BUILD)/asan/meson-logs/unit.junit.xml \
	        "meson test -C $(BUILD)/asan --no-rebuild --print-errorlogs --suite unit --logbase unit" \
	    -- integration $(REPORTS)/integration.xml \
	        "$(VENV)/bin/pytest --junitxml=$(REPORTS)/integration.xml" \
	    -- fuzz $(BUILD)/asan/meson-logs/fuzz.junit.xml \
	        "meson test -C $(BUILD)/asan --no-rebuild --print-errorlogs --suite fuzz --logbase fuzz"

fault: ## the races and crashes, for as long as a release should see them
	@tools/deps.sh test
	$(call compile,$(BUILD),)
	@tools/venv.sh $(VENV)
	FAULT=1 $(VENV)/bin/pytest -m fault

unit: ## the unit tests with address and undefined-behaviour sanitizers
	@tools/deps.sh test
	$(call compile,$(BUILD)/asan,$(ASAN))
	@meson test -C $(BUILD)/asan --no-rebuild --print-errorlogs $(UNIT_SUITES)

asan: unit ## unit and integration tests with address and undefined-behaviour sanitizers
	@tools/venv.sh $(VENV)
	USER_SERVICE_BIN=$(abspath $(BUILD)/asan/user-service) $(VENV)/bin/pytest

tsan: ## unit and integration tests with the thread sanitizer
	@tools/deps.sh test
	$(call compile,$(BUILD)/tsan,$(TSAN))
	@meson test -C $(BUILD)/tsan --no-rebuild --print-errorlogs $(UNIT_SUITES)
	@tools/venv.sh $(VENV)
	USER_SERVICE_BIN=$(abspath $(BUILD)/tsan/user-service) $(VENV)/bin/pytest

lint: ## clang-format, clang-tidy, shellcheck, ruff, and the house's own rules
	@tools/deps.sh lint
	@tools/venv.sh $(VENV)
	$(call compile,$(BUILD),)
	@tools/lint.sh $(BUILD)

format: ## lay the sources out as `make lint` wants them
	@tools/deps.sh lint
	@tools/venv.sh $(VENV)
	@tools/lint.sh --format $(BUILD)

fuzz: ## fuzz each parser for FUZZ_SECONDS (60)
	@tools/deps.sh fuzz
	@tools/fuzz.sh $(BUILD)/fuzz $(FUZZ_SECONDS)

bench: ## the figures of docs/PERFORMANCE.md
	@tools/deps.sh bench
	$(call compile,$(BUILD),)
	@tools/venv.sh $(VENV)
	@$(VENV)/bin/python bench/run.py $(BUILD)

docs: build ## docs/CONFIGURATION.md, from the table of settings
	@python3 tools/configuration_md.py $(BUILD)/user-service

debian13: ## build and run the unit tests in a Debian 13 root (needs root)
	@tools/debian13.sh

clean: ## remove what was built (not .local/, where `make run` keeps its data)
	rm -rf $(BUILD)
