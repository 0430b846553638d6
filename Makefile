# Two commands set everything up on a machine with Python 3.11 or later and make: `make demo` and `make test`.

PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3; do command -v $$p && break; done)
VENV := .venv
BIN := $(VENV)/bin
# Compiled bytecode matters to the start-up time of the command line.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo test bench lint clean

$(BIN)/.installed: setup.cfg pyproject.toml
	@case "$$(uname -s)" in Linux|Darwin) ;; *) echo "muniment runs on Linux and macOS: on Windows use WSL" >&2; exit 1;; esac
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "muniment needs Python 3.11 or later: set PYTHON=/path/to/python3.11" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --config-settings editable_mode=compat --editable '.[dev]'
	@touch $@

demo: $(BIN)/.installed
	@$(BIN)/python demo/run.py

# Judges of what is exported, in an environment of their own: some are under the GPL, and none is a dependency.
.pywb/.installed: Makefile $(BIN)/.installed
	$(BIN)/python -m venv .pywb
	.pywb/bin/python -m pip install --quiet --disable-pip-version-check pywb==2.10.0 wacz==0.6.0 bagit==1.9.0 'setuptools<81'
	@touch $@

test: $(BIN)/.installed .pywb/.installed
	$(BIN)/python -m pytest -n auto --maxprocesses 4 --dist worksteal

bench: $(BIN)/.installed
	$(BIN)/python -m bench

lint: $(BIN)/.installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

clean:
	rm -rf $(VENV) .pywb .demo .bench build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
