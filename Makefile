# make lab     JupyterLab on notebook 00 (make lab ARGS="--port 8899 --no-browser")
# make check   the quick loop: lint, format, types, quick tests, in a minute
# make test    tests of everything, on two cores, in minutes (one after the other: make test ARGS="-n 0")
# make test-all  the rest as well: more cases, more lessons in a browser, nbgrader
# make bench   measure speed beside other programs, into benchmarks/RESULTS.md (some: ARGS="trajectories")
# make docs    the public names from their docstrings, as pages in build/docs
# make lock    choose the newest versions that pyproject.toml allows
# make clean   remove everything these targets made
# The first use makes .venv; name another interpreter with PYTHON=python3.12.
# The lock has no PyTorch: BENCH_PYTHON=path/to/python measures with an environment that has it.

PYTHON ?= python3
VENV := .venv
BENCH_PYTHON ?= $(VENV)/bin/python
# Kept apart from VENV so that a new lock empties it and a new pyproject.toml only adds the package again.
LOCKED := $(VENV)/.locked
READY := $(VENV)/.ready
BIN := $(VENV)/bin
# Whoever forbids Python to keep what it compiled starts each kernel in three times the time.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help lab test test-all check bench docs lock clean

help:
	@sed -n 's/^# \{0,1\}//p; /^$$/q' Makefile

$(LOCKED): requirements.lock
	@command -v $(PYTHON) >/dev/null 2>&1 || { \
	  echo "There is no $(PYTHON) here. Install Python 3.11 or newer, or name it: make PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "$(PYTHON) is `$(PYTHON) --version 2>&1`; this needs 3.11 or newer. Name another: make PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo "$(PYTHON) cannot make virtual environments: its venv or ensurepip is missing."; \
	  echo "On Debian and Ubuntu: apt-get install python3-venv. Or name another: make PYTHON=python3.12"; exit 1; }
	@echo "Setting up $(VENV) (once; a minute or two) ..."
	@$(PYTHON) -m venv --clear $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile --require-hashes -r requirements.lock
	@touch $@

$(READY): $(LOCKED) pyproject.toml
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

lab: $(READY)
	@$(BIN)/overparam-edu lab --dir . $(ARGS)

# A file goes to one worker, which shares servers and pages among its tests (conftest.py says which first).
PYTEST := $(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

test: $(READY)
	$(PYTEST) -m "not thorough" $(ARGS)

test-all: $(READY)
	$(PYTEST) $(ARGS)

check: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(PYTEST) -q -m "not browser and not slow and not thorough" --ignore=tests/browser $(ARGS)

bench: $(READY)
	$(BENCH_PYTHON) benchmarks $(ARGS)

docs: $(READY)
	$(BIN)/python -W error docs/build_api.py build/docs

lock: $(READY)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	$(BIN)/uv pip compile pyproject.toml --extra test --extra docs --universal --python-version 3.11 \
	  --upgrade --generate-hashes --no-emit-index-url --no-emit-find-links \
	  --custom-compile-command "make lock" --quiet --output-file requirements.lock

clean:
	rm -rf $(VENV) build dist artifacts .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
