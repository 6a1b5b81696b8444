# `make up` and `make test` are all that is needed; both install first, and are quick the second time.
.DEFAULT_GOAL := help
MAKEFLAGS += --jobs=2
.PHONY: help install up test crashes lint format bench lock clean

PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
# uv takes 15 s for what takes pip two minutes: pip installs uv, uv the rest. Plain pip: `make install WITH=pip`.
WITH ?= uv
ifeq ($(WITH),pip)
INSTALLER := $(BIN)/pip --disable-pip-version-check
else
UV_FIRST = sed -n '/^uv==/,/[^\\]$$/p' requirements.lock | $(BIN)/pip --disable-pip-version-check install --quiet --require-hashes -r /dev/stdin
INSTALLER := VIRTUAL_ENV="$(CURDIR)/.venv" $(BIN)/uv pip
endif
NPM := PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/npm --prefix dashboards --loglevel error
DASHBOARD_FILES := $(shell find dashboards -name node_modules -prune -o -name dist -prune -o -type f -print) api/openapi.json
DBT_FILES := $(shell find dbt_project -name target -prune -o -name logs -prune -o -type f -print)

help: ## Show this list
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 16

install: .venv/installed dbt_project/target/manifest.json dashboards/dist/index.html ## Install everything into .venv, build the dashboard

up: install ## Start tutorq with demo data; Ctrl-C stops it
	@$(BIN)/tutorq up --demo

test: lint ## The whole gate: lint, types, and all tests on real components
	$(NPM) test
	$(BIN)/pytest --numprocesses=auto --maxprocesses=4 --dist=loadfile --ignore=tests/crashes

crashes: install ## Kill loads, models and Postgres in their middle, and fill its disk (minutes)
	$(BIN)/pytest --numprocesses=2 --dist=loadfile -o faulthandler_timeout=3600 tests/crashes

lint: install ## Style, types, import directions, SQL, the OpenAPI description, container files
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/sqlfluff lint --disable-progress-bar dbt_project
	$(BIN)/python -m api.openapi --check
	$(BIN)/check-jsonschema --builtin-schema vendor.compose-spec docker-compose.yml
	$(BIN)/hadolint deploy/Dockerfile
	$(NPM) run lint

format: install ## Reformat the code
	$(BIN)/ruff check --fix
	$(BIN)/ruff format
	$(NPM) run format

bench: install ## Measure what we claim (SIZE=full for the large sizes)
	$(BIN)/python -m benchmarks

lock: install ## Pin newest versions anew
	$(BIN)/uv pip compile pyproject.toml --group dev --universal --python-version 3.11 --generate-hashes --no-header --quiet --upgrade -o requirements.lock
	$(BIN)/uv pip compile pyproject.toml --group build --constraint requirements.lock --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --quiet -o deploy/requirements.lock

clean: ## Remove what was installed and built, but not your data in var/
	rm -rf .venv dashboards/node_modules dashboards/dist dashboards/test-results dbt_project/target dbt_project/logs .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache *.egg-info

.venv/installed: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "tutorq needs Python 3.11 or newer; set PYTHON=/path/to/python")'
	$(PYTHON) -m venv .venv
	$(UV_FIRST)
	$(INSTALLER) install --quiet --no-deps --require-hashes -r requirements.lock
	$(INSTALLER) install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

# Dagster reads the manifest; it is made here, not when the code location is imported.
dbt_project/target/manifest.json: .venv/installed $(DBT_FILES)
	$(BIN)/dbt --quiet parse --project-dir dbt_project --profiles-dir dbt_project
	@touch $@

dashboards/node_modules/.package-lock.json: .venv/installed dashboards/package.json dashboards/package-lock.json
	$(NPM) ci --ignore-scripts --no-audit --no-fund
	@touch $@

# The API serves what is built here.
dashboards/dist/index.html: dashboards/node_modules/.package-lock.json $(DASHBOARD_FILES)
	$(NPM) run build
	@touch $@
