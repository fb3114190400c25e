# Everything a person or CI runs. Needs python3 (3.11 or newer), python3-venv and make.
PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: setup demo test check bench chaos wire test-services services screenshots clean help

help: ## what there is
	@grep -E '^[a-z-]+:.*##' Makefile | sed 's/:.*##/\t/'

setup: $(STAMP) ## a virtual environment with exactly the locked packages; then .venv/bin/envstream runs

$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "envstream needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) --version): set PYTHON=python3.11"; exit 2; }
	@test -x $(RUN)/pip || $(PYTHON) -m venv $(VENV) || { echo "cannot make $(VENV): apt-get install python3-venv"; exit 2; }
	$(RUN)/pip install --quiet --disable-pip-version-check --require-hashes --only-binary :all: -r requirements.lock
	$(RUN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $(STAMP)

demo: setup ## seven days of the example district through the whole path, with a summary
	@rm -rf .run/demo
	$(RUN)/envstream up --once --data .run/demo --port 0 --control-port 0 --simulate 7 --full 3 \
	  --scenario episode --scenario exceedance --scenario silent

test: setup ## the tests; those that need a real Kafka or InfluxDB skip with a reason where there is none
	$(RUN)/pytest

check: setup ## what every commit must pass: lint, types, rooms, tests
	$(RUN)/ruff check .
	$(RUN)/ruff format --check .
	$(RUN)/mypy
	$(RUN)/lint-imports
	$(RUN)/pytest

bench: setup ## speed and memory of this machine, printed; nothing is asserted
	$(RUN)/python -m benchmarks

chaos: setup ## kill -9 at random moments, twenty seeds, on the embedded broker and on a real Kafka
	ENVSTREAM_CHAOS_SEEDS=20 $(RUN)/pytest -s -m whole tests/e2e/test_chaos.py tests/e2e/test_chaos_all.py tests/e2e/test_chaos_alerts.py tests/e2e/test_kafka.py tests/e2e/test_embedded.py

wire: setup ## 500 loggers, a packet a second each, for two minutes; the broker frozen in the middle
	ENVSTREAM_WIRE_SECONDS=120 $(RUN)/pytest -s -m whole tests/e2e/test_wire.py

test-services: setup ## seven simulated days on a real Kafka and InfluxDB, every query of every dashboard; then both taken away
	ENVSTREAM_SERVICES_DAYS=7 $(RUN)/pytest tests/e2e/test_services.py
	ENVSTREAM_FAULTS=full $(RUN)/pytest -s tests/services/test_faults.py

services: ## a real Kafka, InfluxDB and Chromium for the tests (Java, Maven, Go, cargo, apt; about 6 minutes once)
	tests/services/kafka.sh install
	tests/services/influxdb.sh install
	tests/services/chromium.sh install

screenshots: setup ## pictures of the desk for docs/desk.md, by a real Chromium
	$(RUN)/python -m tests.desk.screenshots

clean: ## what was made here
	rm -rf $(VENV) .run build *.egg-info
