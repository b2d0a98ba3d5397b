# The tasks of the project, the same for people, hooks and CI.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: install demo ui check test test-long bench lock clean

install: .venv/installed ## Everything that the lock names, by hash, into .venv

.venv/installed: requirements.lock pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	test -x $(BIN)/uv || $(BIN)/python -m pip install --quiet --disable-pip-version-check uv==0.13.9
	$(BIN)/uv pip install --quiet --compile-bytecode --python .venv --require-hashes -r requirements.lock
	$(BIN)/uv pip install --quiet --python .venv --no-build-isolation --no-deps --editable .
	touch $@

demo: install ## A real model trained, gated, released, scored and rolled back
	$(BIN)/ops demo

ui: install ## Dagster's UI and MLflow's, on loopback
	$(BIN)/ops ui

check: install ## Format, lint, types, import contract, component YAML
	$(BIN)/ruff format --check --quiet .
	$(BIN)/ruff check --quiet .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/dg check yaml

test: install ## The suite, in under six minutes
	$(BIN)/pytest -n 2 --dist loadfile

test-long: install ## The commands of the README, in a copy of the project
	$(BIN)/pytest -m long

bench: install ## What is claimed of its speed, measured against peers: minutes, on a machine with nothing else to do
	$(BIN)/python -m benchmarks mlops

lock: ## The lock file anew, hash-pinned, for every supported Python; the extra `embeddings` brings its own torch
	$(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	  --no-emit-find-links --no-header --extra dev --extra xgboost --quiet pyproject.toml --output-file requirements.lock

clean: ## The demo's state, and every cache
	rm -rf .ops .ops.previous-* .mypy_cache .pytest_cache .ruff_cache .hypothesis
