# Everything sets itself up: a virtual environment in .venv, packages pinned by constraints.txt, a Chromium
# for the browser tests. Needed beforehand: make and python3-venv.

SHELL := /bin/bash
PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/.installed
DEVELOPING := .venv/.developing
BROWSER := .cache/chromium.path
NODE := .cache/node.path

export PIP_CONSTRAINT := constraints.txt
export PIP_BUILD_CONSTRAINT := constraints.txt
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PIP_ROOT_USER_ACTION := ignore

.DEFAULT_GOAL := help
.PHONY: help run test check bench constraints clean

help:
	@echo "make run     a server on http://127.0.0.1:8080 with a demo conference and a caller, and a link to join"
	@echo "             (ARGS='--port 8081' for another port)"
	@echo "make test    all tests (ARGS='tests/bridge -k name' for some)"
	@echo "make check   format, lint, types, import rule"
	@echo "make bench   measure this machine"
	@echo "make clean   remove everything that was set up"

run: $(INSTALLED)
	@exec $(BIN)/mediabridge demo $(ARGS)

test: $(DEVELOPING) $(BROWSER)
	@export CHROMIUM="$$(cat $(BROWSER))" PLAYWRIGHT_NODEJS_PATH="$$(cat $(NODE))"; \
	if [ -n "$(ARGS)" ]; then exec $(BIN)/pytest $(ARGS); fi; \
	tried() { \
	  $(BIN)/pytest "$$@" && return; \
	  echo "again, by itself: what failed (a machine that stood still, or a race to be found: look at it)"; \
	  $(BIN)/pytest -m "$$2" --last-failed --last-failed-no-failures none; \
	}; \
	failed=0; \
	echo "three at a time: what does not ask how late it is, and mostly waits"; \
	tried -m 'not load and not timed' -n 3 --dist loadfile --no-loadscope-reorder || failed=1; \
	echo "two at a time, a core for each: what does"; \
	tried -m 'timed and not load' -n 2 --dist loadfile --no-loadscope-reorder || failed=1; \
	exit $$failed

check: $(DEVELOPING)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/pytest -q -p no:cacheprovider tests/test_architecture.py tests/test_house_words.py

bench: $(DEVELOPING)
	@$(BIN)/python -m benchmarks $(ARGS)

# --- set-up: done once, and again when what it depends on has changed ---

$(INSTALLED): pyproject.toml constraints.txt | .venv
	@echo "installing packages into .venv …"
	@$(BIN)/pip install --quiet --editable .
	@touch $@

$(DEVELOPING): pyproject.toml constraints.txt | .venv
	@echo "installing packages and tools into .venv …"
	@$(BIN)/pip install --quiet --editable '.[dev]'
	@touch $@ $(INSTALLED)

.venv:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or later is needed (make PYTHON=python3.12 …)" >&2; exit 1; }
	@$(PYTHON) -m venv .venv >/dev/null || \
	  { rm -rf .venv; echo "python3-venv is missing: apt-get install -y make python3-venv" >&2; exit 1; }

# Looked at every time: a browser can be removed behind our back.
$(BROWSER): .FORCE | $(DEVELOPING)
	@tests/kit/install_browser.sh

.PHONY: .FORCE
.FORCE:

# The newest versions that pyproject.toml allows, as pins; to be tried with `make test` before they are kept.
constraints:
	@rm -rf .cache/constraints && mkdir -p .cache && $(PYTHON) -m venv .cache/constraints
	@unset PIP_CONSTRAINT PIP_BUILD_CONSTRAINT; .cache/constraints/bin/pip install --quiet --upgrade setuptools '.[dev,postgresql]'
	@{ head -n 2 constraints.txt; .cache/constraints/bin/pip freeze --all \
	  | grep -v -E '^(pip|mediabridge)[ =]'; } > .cache/constraints.txt
	@mv .cache/constraints.txt constraints.txt && rm -rf .cache/constraints build

clean:
	rm -rf .venv .cache .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build *.egg-info
