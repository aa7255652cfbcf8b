# make run    a bot to chat with, in this terminal
# make quick  the tests to run after each change (half a minute): no server, none of the slow ones
# make slow   the slow tests that need no server (a minute)
# make hermetic  all tests that need no server: the quick ones in full, and the slow ones
# make integration  the tests with Prosody, ejabberd and Chromium; what is missing is skipped
# make test   all of these (eight minutes)
# make soak   cuts, kills and stops by the hundred on Prosody and ejabberd (an hour; CI: a tenth)
# make bench  what the bot costs, beside others (minutes; peers that are missing are skipped)
# make fuzz   changed input by chance: N=1000000 inputs, SEED=... to have the same ones again
# make bench-attack  how long the bot is held up by an attack
# make bench-growth  what more rooms, occupants, patterns and bytes cost, drawn into docs/ (minutes)
# make bench-matching  what it costs to find who a message is for (half a minute)
# make lint   style and types, and whether the changelog's fragments can be read
# make docs   these pages as HTML in build/docs, and the manual pages in build/man
# make man    the manual pages alone
# make clean  removes all that these make

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

# Processes that run tests beside each other: one for each core; or name a number, JOBS=1.
JOBS ?= $(shell nproc 2>/dev/null || getconf _NPROCESSORS_ONLN)
# Integration tests mostly wait, so each core has time for two of them.
SERVER_JOBS ?= $(shell echo $$((2 * $(JOBS))))
# Further options, such as TRIAL=--temp-directory=/tmp/trial
TRIAL ?=

.DEFAULT_GOAL := help
.PHONY: help run quick slow hermetic integration test fuzz soak bench bench-attack bench-growth bench-matching lint docs man clean

help:
	@sed -n 's/^# \(make .*\)/\1/p' Makefile

# Written anew when the dependencies change. Nothing here may read the input,
# which belongs to the demo.
$(VENV)/ready-%: setup.cfg pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "xbot needs Python 3.11 or later; name one with: make PYTHON=python3.11 ..." >&2; exit 1; }
	@test -x $(BIN)/pip || $(PYTHON) -m venv $(VENV) </dev/null
	@echo "installing xbot[$*] into $(VENV), once; this takes a minute ..." >&2
	@$(BIN)/pip install --quiet --editable '.[$*]' </dev/null >&2
	@touch $@

run: $(VENV)/ready-run
	@$(BIN)/xbot demo

quick: $(VENV)/ready-test
	XBOT_TESTS=quick $(BIN)/trial -j$(JOBS) $(TRIAL) $$($(BIN)/python -m tests.hermetic quick)

slow: $(VENV)/ready-test
	$(BIN)/trial -j$(JOBS) $(TRIAL) $$($(BIN)/python -m tests.hermetic slow)

hermetic: $(VENV)/ready-test
	$(BIN)/trial -j$(JOBS) $(TRIAL) $$($(BIN)/python -m tests.hermetic)

integration: $(VENV)/ready-test
	$(BIN)/trial -j$(SERVER_JOBS) $(TRIAL) tests.integration

test: hermetic integration

fuzz: $(VENV)/ready-test
	$(BIN)/python -m tests.hostile.fuzz $(or $(N),1000000) $(SEED)

# Options such as SOAK="--server prosody --seed 7"; all: python -m tests.soak --help
soak: $(VENV)/ready-test
	$(BIN)/python -m tests.soak $(SOAK)

bench-attack: $(VENV)/ready-test
	$(BIN)/python -m benchmarks.attack

bench: $(VENV)/ready-bench
	$(BIN)/python -m benchmarks

bench-growth: $(VENV)/ready-bench
	$(BIN)/python -m benchmarks.growth --publish

bench-matching: $(VENV)/ready-run
	$(BIN)/python -m benchmarks.matching

lint: $(VENV)/ready-lint
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/towncrier build --draft >/dev/null

docs: man
	$(BIN)/sphinx-build -q -W --keep-going -b html docs build/docs

man: $(VENV)/ready-docs
	$(BIN)/sphinx-build -q -W --keep-going -b man docs build/man

clean:
	rm -rf $(VENV) _trial_temp* build dist *.egg-info .hypothesis .mypy_cache .ruff_cache
