# Ringmail's chores. `make run` and `make test` are all that a new machine needs: they build .venv from the
# lock files (with hashes) whenever those change.
PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	command -v $$p >/dev/null && $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' && echo $$p && break; done)
VENV := .venv
BIN := $(VENV)/bin
JOBS ?= 2
PART ?= kills
SECONDS ?= 600

.PHONY: run test check format bench proof lock clean
.DEFAULT_GOAL := help

help:  ## what can be made
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/'

$(VENV)/pyvenv.cfg:
	@test -n "$(PYTHON)" || { echo "Ringmail needs Python 3.11 or newer: install it, or say make PYTHON=/path/to/python3"; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.run: $(VENV)/pyvenv.cfg requirements/run.txt requirements/build.txt pyproject.toml
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/run.txt -r requirements/build.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.test: $(VENV)/.run requirements/test.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/test.txt
	@touch $@

run: $(VENV)/.run  ## the demo: sample mail, calls and SMS through the real connectors
	@exec $(BIN)/ringmail demo

test: $(VENV)/.test  ## the whole suite, with real peers where they can be had
	@sh tests/peers.sh
	$(BIN)/python -m pytest -n $(JOBS) --dist loadscope

check: $(VENV)/.test  ## format, lint, types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

format: $(VENV)/.test  ## put the sources in order
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(VENV)/.test  ## measure: ratios against a peer or a limit in the same run
	$(BIN)/python -m benchmarks

proof: $(VENV)/.test  ## a long proof: make proof PART=kills SECONDS=600
	PROOF_SECONDS=$(SECONDS) $(BIN)/python -m pytest -n 0 tests/proofs/test_$(PART).py -s --timeout 0

lock:  ## renew the lock files
	$(BIN)/pip install --quiet uv
	$(BIN)/uv pip compile -q --universal --generate-hashes --no-header --no-annotate --python-version 3.11 pyproject.toml -o requirements/run.txt
	printf 'hatchling\neditables\n' | $(BIN)/uv pip compile -q --universal --generate-hashes --no-header --no-annotate --python-version 3.11 - -o requirements/build.txt
	$(BIN)/uv pip compile -q --universal --generate-hashes --no-header --no-annotate --python-version 3.11 --extra test pyproject.toml -o requirements/test.txt

clean:  ## remove what was built
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache
