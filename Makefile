# 云上讲堂. `make help` lists the targets. Only Python >= 3.11 and make are needed.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STATE  := .state
T      ?=
# The whole-system tests in tests/e2e follow these alone: they have deadlines of their own.
# Three at a time on two cores: half of a test's time is waiting for media that comes as it is shown.
SUITES := $(addprefix tests/,meta unit contract fuzz conformance integration)

export PIP_DISABLE_PIP_VERSION_CHECK = 1

.DEFAULT_GOAL := help
.PHONY: help run demo test check test-unit test-e2e bench fuzz format migrate openapi lock captions player clean

help: ## List the targets
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

run: $(STATE)/run $(STATE)/player ## Install what is missing, build the player, start everything
	@exec $(BIN)/hall up

demo: $(STATE)/run $(STATE)/player ## The same, with sample data and a class that is live
	@exec $(BIN)/hall demo

test: $(STATE)/dev $(STATE)/player $(STATE)/browser ## All tests, against real servers and a real browser
	$(BIN)/python -m tests.report_browser
ifeq ($(T),)
	$(BIN)/pytest -n 3 --dist loadfile $(SUITES)
	$(BIN)/pytest -n 3 --dist loadfile tests/e2e
else
	$(BIN)/pytest $(T)
endif
	cd player && $(NODE_ENV) npm test --silent

test-unit: $(STATE)/dev ## Only the fast tests
	$(BIN)/pytest -n 2 tests/unit tests/contract tests/fuzz

test-e2e: $(STATE)/dev $(STATE)/player $(STATE)/browser ## Only the whole system in the browser
	$(BIN)/pytest -n 3 --dist loadfile tests/e2e

check: $(STATE)/dev $(STATE)/player ## Lint, types, import arrows, front end
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy -p kernel -p streamer -p transcode -p vod -p hall
	$(BIN)/lint-imports
	cd player && $(NODE_ENV) npm run --silent check

bench: $(STATE)/dev $(STATE)/player $(STATE)/browser ## Ratios measured side by side, JSON lines
	$(BIN)/python -m tests.bench

fuzz: $(STATE)/dev ## The parsers, longer than in the tests
	HYPOTHESIS_PROFILE=long $(BIN)/pytest tests/fuzz

format: $(STATE)/dev $(STATE)/player ## Rewrite the code in the one style
	$(BIN)/ruff check --fix --exit-zero .
	$(BIN)/ruff format .
	cd player && $(NODE_ENV) npm run --silent format

migrate: $(STATE)/run ## Bring the database to the newest revision
	$(BIN)/hall migrate

openapi: $(STATE)/run ## Write docs/openapi.json and the front end's types
	$(BIN)/python -m vod.http.openapi > docs/openapi.json
	cd player && $(NODE_ENV) npm run --silent api

lock: ## Resolve the requirements again (needs uv)
	for set in requirements requirements-captions requirements-dev; do \
	  uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	    --no-annotate --custom-compile-command "make lock" $$set.in -o $$set.lock; done

captions: $(STATE)/run ## Install the speech recogniser of automatic captions (optional)
	$(BIN)/pip install --quiet --require-hashes -r requirements-captions.lock

player: $(STATE)/player ## Build the front end

clean: ## Remove what was installed and built; data stays
	rm -rf $(VENV) $(STATE) player/node_modules player/dist *.egg-info

# -- What the targets stand on: a stamp per step, redone when its input changes ------------------
$(STATE)/venv:
	@mkdir -p $(STATE)
	$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed" if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(STATE)/run: $(STATE)/venv requirements.lock pyproject.toml
	$(BIN)/pip install --quiet --require-hashes -r requirements.lock
	$(BIN)/pip install --quiet --no-deps --no-build-isolation --no-index -e .
	@touch $@

$(STATE)/dev: $(STATE)/run requirements-dev.lock
	$(BIN)/pip install --quiet --require-hashes -r requirements-dev.lock
	@touch $@

# Node >= 20 from PATH, else the one that the wheel brings.
NODE_ENV = PATH="$$($(CURDIR)/$(BIN)/python -m hall.node):$$PATH"

$(STATE)/node_modules: $(STATE)/run player/package-lock.json player/package.json
	cd player && $(NODE_ENV) npm ci --no-audit --no-fund --loglevel=error
	@touch $@

$(STATE)/player: $(STATE)/node_modules $(shell find player/src player/public player/index.html player/vite.config.ts -type f 2>/dev/null)
	cd player && $(NODE_ENV) npm run --silent build
	@touch $@

$(STATE)/browser: $(STATE)/dev
	$(BIN)/python -m tests.ensure_browser
	@touch $@
