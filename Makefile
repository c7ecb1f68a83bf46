# What a developer or a first visitor calls. GNU make 3.81 (macOS) or later; all paths are relative, so the
# checkout may lie anywhere.

PY := .venv/bin/python
# More arguments for the tool behind test and bench: make test ARGS="tests/domain -x"
ARGS ?=

.PHONY: help run test check lint fmt bench pictures lock clean

help: ## this list
	@sed -n 's/^\([a-z]*\):.*## /\1	/p' Makefile | while IFS='	' read -r name text; do \
	  printf '  make %-10s %s\n' "$$name" "$$text"; done

run: ## set up, then run the sample workflow in the TUI, on simulated models (no key, no cost)
	@.ci/environment run 'start: the sample workflow research-brief, on simulated models'
	@if [ -t 0 ] && [ -t 1 ]; then tui=--tui; else tui=; fi; \
	AETHERMIND_HOME="$$PWD/.demo" exec .venv/bin/aethermind run research-brief -i topic="the tides" --sim --yes $$tui

# Three at a time on two cores: many tests wait for programs, terminals and servers.
test: ## set up with the test extras, then run the whole suite
	@.ci/environment dev 'tests'
	@$(PY) -m pytest -n 3 $(ARGS)

check: lint ## format, lint, types, import contracts, fast tests
	@$(PY) -m pytest -q tests/domain tests/engine tests/test_architecture.py

lint: ## the part of check that runs no code
	@.ci/environment dev 'format, lint, types, import contracts'
	@$(PY) -m ruff format --check
	@$(PY) -m ruff check
	@$(PY) -m mypy
	@.venv/bin/lint-imports --no-logo

fmt: ## format, and repair what the linter can
	@.ci/environment dev 'format'
	@$(PY) -m ruff check --fix
	@$(PY) -m ruff format

bench: ## this engine against the bare limit: one table with ratios
	@.ci/environment dev 'bench'
	@$(PY) -m bench.engine $(ARGS)

pictures: ## draw the README's pictures from the running app
	@.ci/environment dev 'pictures'
	@$(PY) docs/pictures.py

# Versions and hashes alone, for Linux and macOS, Python 3.11 and later. Existing pins stay unless
# ARGS=--upgrade; the run lock ends with the build backend, so that the project installs without isolation.
LOCK = uv pip compile --quiet --universal --generate-hashes --python-version 3.11 --no-header --no-annotate $(ARGS)

lock: ## resolve pyproject.toml into the two lock files (needs uv; ARGS=--upgrade for newer versions)
	@PATH="$$PWD/.venv/bin:$$PATH"; command -v uv >/dev/null || { echo 'make lock needs uv: pip install uv' >&2; exit 1; }; \
	sed -n 's/^requires = \["\(.*\)"\]$$/\1/p' pyproject.toml | \
	  $(LOCK) -o requirements.lock pyproject.toml - >/dev/null && \
	$(LOCK) -c requirements.lock --extra dev -o requirements-dev.lock pyproject.toml >/dev/null

clean: ## remove caches, builds and the demo's data (for a new environment also: rm -rf .venv)
	@rm -rf .demo .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache build dist snapshot_report.html
	@find bench docs src tests -name __pycache__ -prune -exec rm -rf {} + 2>/dev/null || true
