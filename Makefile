# Everything a developer does, by name. `make help` lists it.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
BIN := .venv/bin
TRAIN_BIN := .venv-train/bin
PROMPTS := learning/data/prompts
PYTEST_ARGS ?=

.PHONY: help run dev-cluster dev-cluster-down test train-test check generate format control-plane redis bench eval eval-sources gateways conformance soak requirements clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: ## serve the quick start on port 3003, with simulated providers
	@scripts/environment run
	@$(BIN)/fairlead serve --resources examples/quickstart

dev-cluster: dev ## run a Kubernetes control plane, the operator and two routers in the background
	@$(BIN)/python -m devcluster up

dev-cluster-down: dev ## stop all of that; its data stays
	@$(BIN)/python -m devcluster down

test: check control-plane redis ## check, then run every test
	$(BIN)/pytest -n auto $(PYTEST_ARGS)
	@$(MAKE) --no-print-directory train-test

train-test: ## test what makes bundles, with PyTorch in an environment of its own (6 GB, once)
	@scripts/environment train
	.venv-train/bin/python -m pytest tests/train

check: dev ## style, types, layers, generated files
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/python -m fairlead_crds.generate --check
	$(BIN)/python -m fairlead_contract.schemas --check docs/schemas
	$(BIN)/python -m fairlead_operator.document --check docs/operations.md
	$(BIN)/python -m fairlead_router.http.openapi.document --check docs
	$(BIN)/python -m fairlead_router.record.document --check docs/observability.md

generate: dev ## write CRDs, API reference, schemas and tables of the docs anew
	$(BIN)/python -m fairlead_crds.generate
	$(BIN)/python -m fairlead_contract.schemas docs/schemas
	$(BIN)/python -m fairlead_operator.document docs/operations.md
	$(BIN)/python -m fairlead_router.http.openapi.document docs
	$(BIN)/python -m fairlead_router.record.document docs/observability.md

format: dev ## format the code, mend what can be mended
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

control-plane: dev ## build the programs of a Kubernetes control plane, once, for tests and make dev-cluster
	$(BIN)/python -m devcluster.binaries

redis: dev ## fetch redis-server, once, for tests, unless it is installed
	$(BIN)/python -m devcluster.redis_binaries

bench: dev control-plane ## measure decisions, edits, the proxy path, the operator and the classifier
	$(BIN)/python -m bench.decide
	$(BIN)/python -m bench.edit
	$(BIN)/python -m bench.proxy
	$(BIN)/python -m bench.propagation
	$(BIN)/python -m bench.operator_scale
	$(BIN)/python -m bench.classify

eval: ## judge the default classifier beside other methods, and write docs/evaluation.md (PyTorch, some minutes)
	@scripts/environment train
	$(TRAIN_BIN)/python -m fairlead_learning.evaluate --train $(PROMPTS)_train.jsonl --eval $(PROMPTS)_dev.jsonl --into docs/evaluation.md

eval-sources: ## train a classifier for each fold of sources, judge it on those left out (PyTorch, half an hour)
	@scripts/environment train
	$(TRAIN_BIN)/python -m fairlead_learning.evaluate.sources --train $(PROMPTS)_train.jsonl --bundles .work/folds --into docs/evaluation.md

conformance: dev ## judge Fairlead and its peers by the streaming contract, and write docs/conformance.md
	$(BIN)/python -m bench.conformance --into docs/conformance.md

gateways: dev ## install other gateways outside the tree, measure the router beside them (a quarter of an hour)
	$(BIN)/python -m bench.gateways

soak: dev control-plane ## let the operator write 20,000 times and see whether memory grows
	$(BIN)/python -m bench.soak

requirements: dev ## pin all packages anew, by hash
	$(BIN)/python -m pip install --quiet 'uv>=0.9'
	export UV_CUSTOM_COMPILE_COMMAND='make requirements'; \
	compile() { $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url "$$@"; }; \
	compile requirements/build.in -o requirements/build.txt; \
	compile --extra dev -c requirements/build.txt pyproject.toml -o requirements/dev.txt; \
	compile --extra router --extra files --extra classifier -c requirements/dev.txt pyproject.toml -o requirements/run.txt; \
	compile --extra train -c requirements/dev.txt pyproject.toml -o requirements/train.txt

clean: ## remove what the other targets made
	rm -rf .venv .mypy_cache .ruff_cache .hypothesis .import_linter_cache

.PHONY: dev
dev:
	@scripts/environment dev
