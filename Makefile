# Everything a developer does, by name. `make help` lists it.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
BIN := .venv/bin
TRAIN_BIN := .venv-train/bin
PROMPTS := learning/data/prompts
PYTEST_ARGS ?=
# A KUBECONFIG of the environment is not meant: this installs things.
ELSEWHERE = $(if $(filter command,$(firstword $(origin KUBECONFIG))),--kubeconfig $(KUBECONFIG))

.PHONY: help run dev-cluster dev-cluster-down cluster cluster-down image e2e programs test train-test check generate format control-plane redis bench eval eval-sources gateways conformance soak requirements clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: runtime ## serve the quick start on port 3003, with simulated providers
	@$(BIN)/fairlead serve --resources examples/quickstart

dev-cluster: dev ## run a Kubernetes control plane, the operator and two routers in the background
	@$(BIN)/python -m devcluster up

dev-cluster-down: dev ## stop all of that; its data stays
	@$(BIN)/python -m devcluster down

cluster: runtime ## a real cluster on this machine, with Fairlead on it, and one request answered (root; KUBECONFIG=… IMAGE=… for another)
	@$(BIN)/python -m devcluster.showcase up $(ELSEWHERE) $(if $(IMAGE),--image $(IMAGE))

cluster-down: runtime ## remove all of that
	@$(BIN)/python -m devcluster.showcase down $(ELSEWHERE)

image: runtime ## build the image from the Dockerfile, and say what its parts weigh (root)
	@$(BIN)/python -m devcluster.images

test: check programs redis ## check, then run every test but those of make e2e
	$(BIN)/pytest -n auto $(PYTEST_ARGS)
	@$(MAKE) --no-print-directory train-test

e2e: programs image ## test image, chart and faults on a real cluster (root)
	@$(BIN)/python -m devcluster.images redis --quiet >/dev/null
	@$(BIN)/python -m devcluster.cluster prepare
	$(BIN)/pytest tests/image tests/e2e $(PYTEST_ARGS)

train-test: ## test what makes bundles, with PyTorch in an environment of its own (6 GB, once)
	@scripts/environment train
	$(TRAIN_BIN)/python -m pytest --confcutdir=tests/train tests/train

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
	$(BIN)/python -m charts.generate --check
	$(BIN)/python -m tests.gitops.argo_files --check

generate: dev ## write CRDs, API reference, schemas and tables of the docs anew
	$(BIN)/python -m fairlead_crds.generate
	$(BIN)/python -m fairlead_contract.schemas docs/schemas
	$(BIN)/python -m fairlead_operator.document docs/operations.md
	$(BIN)/python -m fairlead_router.http.openapi.document docs
	$(BIN)/python -m fairlead_router.record.document docs/observability.md
	$(BIN)/python -m charts.generate
	$(BIN)/python -m tests.gitops.argo_files

format: dev ## format the code, mend what can be mended
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

control-plane: dev ## build the programs of a Kubernetes control plane, once, for tests and make dev-cluster
	$(BIN)/python -m devcluster.binaries

programs: dev ## build all programs of Go that tests and make cluster need, once
	@$(BIN)/python -m devcluster.programs

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

eval-sources: ## train a classifier for each fold of sources, judge it on those left out (PyTorch, most of an hour)
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
	compile --extra train -c requirements/dev.txt pyproject.toml -o requirements/train.txt; \
	$(BIN)/uv pip compile --quiet --python-version 3.11 --python-platform linux --generate-hashes --no-emit-index-url \
		$$(sed -e 's/ *#.*//' -e '/^$$/d' -e 's/^/--no-emit-package /' requirements/image.without) \
		--extra router --extra files --extra classifier --extra operator --extra otel \
		-c requirements/dev.txt pyproject.toml -o requirements/image.txt

clean: ## remove what the other targets made
	rm -rf .venv .mypy_cache .ruff_cache .hypothesis .import_linter_cache

.PHONY: dev runtime
dev:
	@scripts/environment dev

runtime:
	@scripts/environment run
