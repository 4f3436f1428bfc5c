# Everything a fresh machine needs: `make demo`, `make test`.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
JOBS ?= auto

.PHONY: setup demo test test-all test-adapters lint docs format bundled clean

setup: $(STAMP) bubblewrap

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed; run make PYTHON=/path/to/python3.11"; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@

.PHONY: bubblewrap
bubblewrap:
	@if [ "$$(uname -s)" != Linux ]; then \
	  echo "setup: judging needs Linux; here use the Dockerfile."; \
	elif command -v bwrap >/dev/null || command -v nsjail >/dev/null; then :; \
	elif ! command -v apt-get >/dev/null; then \
	  echo "setup: please install bubblewrap with your package manager: programs run in it."; \
	elif [ "$$(id -u)" = 0 ]; then \
	  echo "setup: installing bubblewrap"; \
	  (apt-get update -qq && apt-get install -y -qq --no-install-recommends bubblewrap) >/dev/null \
	  || echo "setup: could not install bubblewrap; see 'codefeedback doctor'."; \
	elif sudo -n true 2>/dev/null; then \
	  echo "setup: installing bubblewrap"; \
	  (sudo -n apt-get update -qq && sudo -n apt-get install -y -qq --no-install-recommends bubblewrap) >/dev/null \
	  || echo "setup: could not install bubblewrap; see 'codefeedback doctor'."; \
	else \
	  echo "setup: bubblewrap is missing and this user may not install it: sudo apt-get install bubblewrap"; \
	fi

# An agent that needs the feedback, with a transcript; then a model learns to use feedback, which takes
# a few minutes, and writes a page about it.
STORED := benchmarks/results/learning-2026-11-21-cb7fd66e0f.json

demo: setup
	$(BIN)/codefeedback doctor
	rm -rf runs/demo
	$(BIN)/python -m agents evaluate --agent wrong-then-right --out runs/demo/wrong-then-right --transcript
	$(BIN)/codefeedback view runs/demo/wrong-then-right --html runs/demo/episodes.html
	$(BIN)/python -m benchmarks.learning --out runs/demo/learning --stored $(STORED)

test: setup
	$(BIN)/python -m pytest -n $(JOBS) --dist worksteal -m "not slow and not network and not gpu" tests

test-all: setup
	$(BIN)/python -m pytest -n $(JOBS) --dist worksteal -m "not network and not gpu" tests

# Each adapter with the library it is for, in an environment of its own: they want different versions.
ADAPTERS ?= gem skyrl openenv verifiers verifiers-legacy ray trl

test-adapters: bubblewrap $(addprefix test-adapter-,$(ADAPTERS))

test-adapter-%:
	test -x .adapters/$*/bin/python || $(PYTHON) -m venv .adapters/$*
	.adapters/$*/bin/python -m pip install --quiet --constraint constraints-adapters.txt \
	  --editable '.[$*]' pytest pytest-timeout
	.adapters/$*/bin/python -m pytest -p no:cacheprovider tests/adapters \
	  -k '$(if $(filter verifiers,$*),verifiers and not legacy,$(subst -,_,$*))'

lint: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

# The documentation site, in site/; every warning is an error, broken links and anchors included.
docs: setup
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet --strict

format: setup
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bundled: setup
	$(BIN)/python -m codefeedback_env.datasets.bundled.build

clean:
	rm -rf $(VENV) .adapters build dist site *.egg-info .mypy_cache .ruff_cache .pytest_cache
