# Needs python3.11 (or a later python3), make and a package index.

.DEFAULT_GOAL := verify
.PHONY: setup verify test test-all cases certificates crosscheck engines mutate fuzz kernels schemas browser man lint bench clean

BIN := .venv/bin
STAMP := .venv/.stamp
# A version manager's python3.11 may be a stub that does not run, so each candidate is tried.
PYTHON ?= $(shell for p in python3.11 python3; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)

setup: $(STAMP)

# compat: a plain path entry; setuptools' import hook would cost each start of Python 13 ms.
$(STAMP): pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo "make setup: no Python 3.11 or later found; set PYTHON=..." >&2; exit 1; }
	$(PYTHON) -m venv --clear .venv
	$(BIN)/pip install -q -c constraints.txt setuptools
	$(BIN)/pip install -q -c constraints.txt --no-build-isolation \
		--config-settings editable_mode=compat -e '.[dev]'
	@touch $@

verify: setup
	@$(BIN)/python -m proofs.selfcheck

test: setup
	$(BIN)/pytest -q -n auto

test-all: kernels schemas
	$(BIN)/pytest -q -n auto -m "not product"

cases: kernels
	$(BIN)/pytest -q -n auto -m verdicts

# make certificates CERTIFICATES="--kernel 7.3"
certificates: kernels
	@$(BIN)/python -m tests.certificates_full $(CERTIFICATES)

crosscheck: kernels
	@$(BIN)/python -m tests.crosscheck_full

# make engines ENGINES="--seconds 300 --kernel 7.3"
engines: kernels
	@$(BIN)/python -m tests.engines_full $(ENGINES)

# What was found out is kept: it may be stopped and goes on.
mutate: setup
	$(BIN)/msrproof mutate $(if $(MUTATE_KERNEL),--kernel $(MUTATE_KERNEL),\
		--patch models/reference/patches/perf-metrics.patch)

# make fuzz FUZZ="--count 100 --seed 7 --seconds 600 c mails"
fuzz: kernels
	@$(BIN)/python -m tests.fuzz $(FUZZ)

kernels: setup
	@$(BIN)/python -m tests.kernels.fetch || \
		echo "make: going on without the kernels above; their tests are skipped" >&2

schemas: setup
	@$(BIN)/python -m tests.schemas || echo "make: going on without the schemas above" >&2

# Debian's Chromium, and what drives it; only root can install the former.
browser: setup
	@$(BIN)/pip install -q -c constraints.txt playwright || echo "make: no playwright" >&2
	@command -v chromium >/dev/null || apt-get install -qq -y chromium >/dev/null 2>&1 || \
		echo "make: no Chromium; the tests that need it are skipped" >&2

# To read it: man -l build/msrproof.1
man: setup
	@mkdir -p build
	@$(BIN)/python -m verify.manual > build/msrproof.1

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: setup
	@$(BIN)/python -m tests.bench.bench
	@$(BIN)/python -m tests.bench.growth

clean:
	rm -rf .venv build *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
