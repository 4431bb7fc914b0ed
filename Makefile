# One target for each thing a person does. `make help` lists them.

PYTHON ?= python3
BIN := .venv/bin
DEMO := .demo
COMPOSE ?= $(shell docker compose version >/dev/null 2>&1 && echo docker compose || echo docker-compose)

.DEFAULT_GOAL := help
.PHONY: help install demo test test-fast fuzz fuzz-api lint format openapi bench soak chaos screenshots up down workers constraints audit sbom clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

install: .venv/.installed ## create .venv with everything pinned

.venv/.installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed; name one with: make install PYTHON=python3.12"; exit 2; }
	@echo "Installing into .venv; the first time this downloads about 3 GB and takes 7 GB of disk (10 GB while it installs)."
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install -qq --disable-pip-version-check -c constraints.txt --editable '.[dev,heic,openvino]'
	@touch $@

demo: install ## draw a sample catalog, index it, serve it on http://127.0.0.1:8000 (PORT=...)
	@$(BIN)/python -m search_api.demo --folder $(DEMO) $(if $(PORT),--port $(PORT))

test: install lint ## run every test, checks of style and types first
	@tests/install_programs.sh
	@# in the order of the folders: else slow files with few tests come last, and one process works alone for minutes
	$(BIN)/python -m pytest -n auto --dist loadfile --no-loadscope-reorder

test-fast: install ## run the tests that need neither browser nor other processes
	$(BIN)/python -m pytest tests/unit tests/conformance tests/architecture

fuzz: install ## try ever new bytes on the readers of pictures and feeds, SECONDS=60 for each
	$(BIN)/python -m pip install -qq --disable-pip-version-check -c constraints.txt atheris
	$(BIN)/python -m tests.fuzzing pictures --seconds $(or $(SECONDS),60)
	$(BIN)/python -m tests.fuzzing feeds --seconds $(or $(SECONDS),60)

fuzz-api: install ## send EXAMPLES=200 requests of each kind, made up from the OpenAPI document, to each route
	FUZZ_API_EXAMPLES=$(or $(EXAMPLES),200) $(BIN)/python -m pytest --timeout 0 tests/integration/test_openapi_properties.py

lint: install ## check style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: install ## put the code into its standard form
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

openapi: install ## write docs/openapi.json; refused where programs would break, unless BREAKING=accepted
	$(BIN)/python -m search_api.describe docs/openapi.json $(if $(filter accepted,$(BREAKING)),--accept-breaking)

bench: install ## measure against alternatives, ten minutes; BENCH=full: peers, more models, a million vectors too
	$(BIN)/python -m benchmarks

soak: install ## load the API for SECONDS=600, hostile queries and reindexes included, then twice its capacity
	$(BIN)/python -m benchmarks.soak $(if $(SECONDS),--seconds $(SECONDS)) $(if $(JSON),--json $(JSON))

chaos: install ## kill -9 each process at random moments for ROUNDS=50 rounds, and check after each what must hold
	$(BIN)/python -m tests.chaos $(if $(ROUNDS),--rounds $(ROUNDS)) $(if $(SEED),--seed $(SEED))

screenshots: install ## take pictures of the page anew, into docs/screenshots
	$(BIN)/python -m tests.e2e.screenshots

up: ## start Redis, Qdrant, a worker and the API in Docker (settings and secrets in .env)
	@test -f .env || { echo "Copy .env.example to .env and put in secrets first."; exit 2; }
	$(COMPOSE) up -d --build

down: ## stop them; what they stored stays
	$(COMPOSE) down

workers: install ## run WORKERS=1 workers and the API without Docker, on REDIS_URL=... and QDRANT_URL=...
	@test -n "$(REDIS_URL)" -a -n "$(QDRANT_URL)" || \
		{ echo "Say where they are: make workers REDIS_URL=redis://HOST:6379/0 QDRANT_URL=http://HOST:6333"; exit 2; }
	@export VITRINE_PROFILE=production VITRINE_REDIS_URL="$(REDIS_URL)" VITRINE_QDRANT_URL="$(QDRANT_URL)"; \
	pids=; trap 'kill $$pids 2>/dev/null; wait' EXIT; trap 'exit 130' INT TERM; \
	for number in $$(seq $(or $(WORKERS),1)); do $(BIN)/python -m workers & pids="$$pids $$!"; done; \
	$(BIN)/python -m search_api $(if $(PORT),--port $(PORT)) & pids="$$pids $$!"; wait

constraints: ## refresh constraints.txt with the newest versions that fit; run make test and make audit after it
	rm -rf .venv-fresh
	$(PYTHON) -m venv .venv-fresh
	.venv-fresh/bin/python -m pip install -qq --disable-pip-version-check --editable '.[dev,heic,openvino,fuzz]'
	@# names and versions alone, so that any package index may serve them: hashes would tie them to the files of one
	( echo "# Every package of an environment that passed all tests; made by: make constraints"; \
	  .venv-fresh/bin/python -m pip freeze --exclude-editable --exclude pip --exclude setuptools \
	  | grep -E '^[A-Za-z0-9._-]+==[^ ]+$$' ) > .venv-fresh/constraints.txt
	mv .venv-fresh/constraints.txt constraints.txt
	rm -rf .venv-fresh

audit: install ## bandit over the code, pip-audit over constraints.txt; REQUIRE=1 fails if the advisories cannot be asked
	@$(BIN)/python -m tests.supply.audit $(if $(AUDIT_URL),--url $(AUDIT_URL)) $(if $(REQUIRE),--require)

sbom: install ## write sbom.json: all that is installed, in CycloneDX, with what each part is needed for
	@$(BIN)/python -m tests.supply.sbom sbom.json

clean: ## remove the environment, caches and the demo's files
	rm -rf .venv .venv-fresh $(DEMO) .pytest_cache .mypy_cache .ruff_cache .hypothesis .fuzzing *.egg-info
