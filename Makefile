# shootdown: every target sets up what it needs. `make help` lists them.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

# What `make cosim` passes on; empty means the command's own default.
DEVICE ?=
BACKEND ?=
TRACE ?=
SEED ?=
MEMORY ?=
OUT ?=
ARGS ?=
# And what `make regress` passes on, besides SEED, OUT, WAVES and JOBS.
SET ?=
SEEDS ?=
RESEED ?=
TEST ?=
BLOCK ?=
RULE ?=
SCALE ?=
MUTANT ?=
TIMEOUT ?=
FARM ?=
RESUME ?=
COSIM_ARGS = $(if $(DEVICE),--device $(DEVICE)) $(if $(BACKEND),--backend $(BACKEND)) $(if $(TRACE),--trace $(TRACE)) \
             $(if $(SEED),--seed $(SEED)) $(if $(MEMORY),--memory $(MEMORY)) $(if $(OUT),--out $(OUT)) $(if $(WAVES),--waves) $(ARGS)

REGRESS_ARGS = $(if $(SET),--set $(SET)) $(foreach name,$(TEST),--test '$(name)') $(BLOCK:%=--block %) $(RULE:%=--rule %) \
               $(if $(SEEDS),--seeds $(SEEDS)) $(if $(SEED),--seed $(SEED)) $(if $(RESEED),--reseed $(RESEED)) \
               $(if $(SCALE),--scale $(SCALE)) $(if $(MUTANT),--mutant $(MUTANT)) $(if $(WAVES),--waves) \
               $(if $(TIMEOUT),--timeout $(TIMEOUT)) --jobs $(JOBS) $(if $(FARM),--farm $(FARM)) $(if $(OUT),--out $(OUT)) \
               $(if $(RESUME),--resume) $(ARGS)

# Test processes: two, the size of machine the time limits are meant for.
JOBS ?= 2
PYTEST = $(BIN)/pytest -n $(JOBS)

.DEFAULT_GOAL := help
.PHONY: help setup cosim test test-all regress claims lint gen bench-rtl bench-model bench-speed bench-vm clean

help: ## List the targets
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):[^#]*## (.*)/  \1|\2/' | awk -F'|' '{printf "  make %-12s %s\n", $$1, $$2}'
	@echo
	@echo "  Variables of 'make cosim': DEVICE BACKEND TRACE SEED MEMORY OUT WAVES=1 ARGS='...'; of the tests: JOBS ARGS."

setup: $(STAMP) ## Make .venv with everything pinned in pyproject.toml

$(STAMP): pyproject.toml tools/preflight.py
	@$(PYTHON) tools/preflight.py
	@echo "setting up $(VENV) (about a minute)"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@

cosim: $(STAMP) ## Play the shipped program against the RTL (DEVICE=gru, or hca); report in build/cosim/index.html
	@$(BIN)/shootdown cosim $(COSIM_ARGS)

test: $(STAMP) ## The tests (some 35 minutes on two cores the first time, builds included)
	@$(PYTEST) -m "not slow" $(ARGS)

test-all: $(STAMP) ## Every test, the slow ones too
	@$(PYTEST) $(ARGS)

regress: $(STAMP) ## The regression: SET=smoke|default|full, or TEST= SEED= MUTANT= WAVES=1 (docs/regress.md)
	@$(BIN)/shootdown regress $(REGRESS_ARGS)

claims: $(STAMP) ## Measure what the thread claimed; docs/claims.md with its plots (two minutes)
	@$(BIN)/shootdown claims --docs --jobs $(JOBS) $(if $(SEED),--seed $(SEED)) $(ARGS)

lint: $(STAMP) ## ruff, mypy, Verilator -Wall on every module, generated files up to date, the test plan complete
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/python -m spec.generate --check
	@$(BIN)/python -m shootdown.regress.testplan --check
	@$(BIN)/shootdown claims --check
	@$(BIN)/python tools/lint_rtl.py

gen: $(STAMP) ## Regenerate what comes from spec/, and the test plan
	@$(BIN)/python -m spec.generate
	@$(BIN)/python -m shootdown.regress.testplan

bench-rtl: $(STAMP) ## Exact cycle counts of the RTL
	@$(BIN)/shootdown bench rtl $(ARGS)

bench-model: $(STAMP) ## The model's error against the RTL
	@$(BIN)/shootdown bench model $(ARGS)

bench-speed: $(STAMP) ## What a run costs beside other ways to run it (minutes, an idle machine)
	@$(BIN)/shootdown bench speed $(ARGS)

bench-vm: $(STAMP) ## What the software stack does alone, without a device
	@$(BIN)/shootdown bench vm $(ARGS)

clean: ## Remove build products (the virtual environment stays)
	@rm -rf build .pytest_cache .mypy_cache .ruff_cache
