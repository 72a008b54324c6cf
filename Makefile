# Everything a developer does, by name. `make help` lists it.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
BIN := .venv/bin
PYTEST_ARGS ?=

.PHONY: help run test check generate format bench requirements clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: ## serve the quick start on port 3003, with simulated providers
	@scripts/environment run
	@$(BIN)/fairlead serve --resources examples/quickstart

test: check ## check, then run every test
	$(BIN)/pytest -n auto $(PYTEST_ARGS)

check: dev ## style, types, layers, generated files
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/python -m fairlead_crds.generate --check
	$(BIN)/python -m fairlead_contract.schemas --check docs/schemas

generate: dev ## write CRDs, API reference and schemas anew
	$(BIN)/python -m fairlead_crds.generate
	$(BIN)/python -m fairlead_contract.schemas docs/schemas

format: dev ## format the code, mend what can be mended
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: dev ## measure decisions, edits and the proxy path
	$(BIN)/python -m bench.decide
	$(BIN)/python -m bench.edit
	$(BIN)/python -m bench.proxy

requirements: dev ## pin all packages anew, by hash
	$(BIN)/python -m pip install --quiet 'uv>=0.9'
	export UV_CUSTOM_COMPILE_COMMAND='make requirements'; \
	compile() { $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url "$$@"; }; \
	compile --extra router --extra files pyproject.toml -o requirements/run.txt; \
	compile requirements/build.in -o requirements/build.txt; \
	compile --extra dev -c requirements/run.txt -c requirements/build.txt pyproject.toml -o requirements/dev.txt

clean: ## remove what the other targets made
	rm -rf .venv .mypy_cache .ruff_cache .hypothesis .import_linter_cache

.PHONY: dev
dev:
	@scripts/environment dev
