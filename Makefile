# `make help` lists what there is; CONTRIBUTING.md explains it.
.DEFAULT_GOAL := help
SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
MAKEFLAGS += --no-print-directory

VENV ?= .venv
PYTHON ?= $(shell command -v python3.11 || command -v python3)
# Which build of torch: cuda where a driver for an NVIDIA card is, else cpu where pip finds one.
TORCH ?= $(if $(shell command -v nvidia-smi),cuda,cpu)

BIN := $(VENV)/bin
LOCKS := requirements/lock.txt requirements/lock-cpu.txt requirements/lock-cuda.txt \
  requirements/lock-built.txt
# What is installed is compiled afterwards, on all cores, but for files of torch that are of another Python.
OF_ANOTHER = /py3[0-9]+_[a-z]+\.py$$
INSTALL = $(BIN)/python -m pip install -qq --no-input --no-compile --disable-pip-version-check
LOCKED = $(INSTALL) --no-deps --require-hashes --only-binary :all:
# Two at a time, each on one thread: on two cores that ends sooner than one at a time on both.
PYTEST = OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -n 2 --dist loadfile --no-loadscope-reorder
# So many side by side as the targets are, or as `make -j` has said; what one of them says stays together.
BESIDE = --output-sync=target $(if $(findstring --jobserver,$(MAKEFLAGS)),,-j $(words $(1))) $(1)
# The longest first.
OTHERS = tests/e2e tests/integration tests/contracts

# The type checker is bundled with its wheel: it has nothing to ask any other host.
export PYRIGHT_PYTHON_IGNORE_WARNINGS := 1
export RUFF_OUTPUT_FORMAT := concise
# Idle threads of torch sleep instead of spinning, as in the command: on a busy machine they take a core away.
export OMP_WAIT_POLICY ?= PASSIVE
# A module is compiled once, not by each of the hundreds of processes that tests start.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help
help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

.PHONY: venv
venv: $(VENV)/.locked ## a virtual environment with every package as locked (about 2 minutes)

$(VENV)/.locked: pyproject.toml $(LOCKS)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "cesello needs Python 3.11 or newer: make venv PYTHON=...")'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "installing the locked packages into $(VENV)"
	@$(LOCKED) -r requirements/lock.txt
	@$(LOCKED) -r requirements/lock-$(TORCH).txt 2> $(VENV)/torch.log || { \
	  echo "no $(TORCH) build of torch fits here ($(VENV)/torch.log): installing the package index's"; \
	  $(LOCKED) -r requirements/lock-cuda.txt; }
	@$(INSTALL) --no-deps --require-hashes --no-build-isolation -r requirements/lock-built.txt
	@$(INSTALL) --no-deps --no-build-isolation --editable .
	@$(BIN)/python -m pip check --disable-pip-version-check
	@$(BIN)/python -W ignore -m compileall -q -j 0 -x '$(OF_ANOTHER)' $(VENV)/lib
	@touch $@

.PHONY: quickstart
quickstart: venv ## prepare the kit of small models and data, then tune a model on this machine
	$(BIN)/cesello kit install
	$(BIN)/cesello train recipes/quickstart.yaml

.PHONY: kit
kit: venv ## the kit of small models and data, downloaded and converted where it is missing
	@$(BIN)/cesello kit install

.PHONY: check
check: lint ## the fast gates: format, lint, types, import contracts, unit tests
	@$(MAKE) $(call BESIDE,$(GATES))

.PHONY: test
test: lint ## the gates, then the contract, integration and end-to-end tests
	@$(MAKE) $(call BESIDE,kit $(GATES))
	$(PYTEST) $(OTHERS)

.PHONY: test-all
test-all: lint ## as `make test`, with the slow tests and those that download more than the kit
	@$(MAKE) $(call BESIDE,kit peers loggers $(GATES))
	$(PYTEST) -m "" $(OTHERS)

.PHONY: lint
lint: venv
	$(BIN)/ruff format --check --quiet
	$(BIN)/ruff check --quiet

# Side by side: a type checker uses one core, and a download none.
GATES = mypy pyright contracts unit

.PHONY: $(GATES)
mypy: venv
	$(BIN)/mypy --no-error-summary

pyright: venv
	$(BIN)/pyright --pythonpath $(BIN)/python > $(VENV)/pyright.log || { cat $(VENV)/pyright.log; exit 1; }

contracts: venv
	$(BIN)/lint-imports --no-logo > $(VENV)/contracts.log || { cat $(VENV)/contracts.log; exit 1; }

unit: venv
	$(PYTEST) tests/unit

.PHONY: peers
peers: build/peers/.ready ## what benchmarks are measured against, apart from everything else

build/peers/.ready: requirements/bench.txt | venv
	@$(LOCKED) --upgrade --target build/peers -r requirements/bench.txt
	@touch $@

.PHONY: memory-peers
memory-peers: build/memory-peers/.ready ## what the memory is measured against

build/memory-peers/.ready: requirements/bench-memory.txt | venv
	@$(LOCKED) --upgrade --target build/memory-peers -r requirements/bench-memory.txt
	@touch $@

.PHONY: loggers
loggers: build/loggers/.ready ## the loggers that are extras, apart from everything else

build/loggers/.ready: requirements/extras.txt | venv
	@$(LOCKED) --upgrade --target build/loggers -r requirements/extras.txt
	@touch $@

.PHONY: bench
bench: kit peers memory-peers ## measure every figure of the README again
	for program in benchmarks/*.py; do PYTHONPATH=. $(BIN)/python "$$program"; done

.PHONY: docs
docs: venv ## the documentation site, in build/site
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet
	@echo "$(BIN)/python -m http.server --directory build/site  # and open http://localhost:8000"
	@echo "or open build/site/index.html, where the search does not work"

.PHONY: lock
lock: ## write requirements/ anew (ARGS=--upgrade for newer versions)
	$(BIN)/python tools/lock.py $(ARGS)

.PHONY: sbom
sbom: venv ## a bill of materials of what is installed with cesello, in dist/sbom.cdx.json
	@$(BIN)/python tools/sbom.py dist/sbom.cdx.json

.PHONY: clean
clean: ## remove what was built, but neither the environment nor any run
	rm -rf build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	find src tests tools benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +
