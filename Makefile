# Two commands need nothing but Python 3.11+ and make: `make demo` and `make test`.
PYTHON ?= python3
VENV   := .venv
INTEROP := .venv-interop
JS     := tests/live/interop/js/node_modules
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.ready
# Three workers for two cores: each waits for its own subprocesses a tenth of the time. `make test JOBS=8` for more.
JOBS   ?= 3
comma  := ,
# Images of CI often set it. Compiled once, a command starts in 0.8 s instead of 1.1, and tests start a thousand.
export PYTHONDONTWRITEBYTECODE =

.PHONY: demo test js interop lint check docs bench-quick clean help

help:
	@echo "make demo         the main job on bundled recordings"
	@echo "make test         all tests"
	@echo "make js           OpenTelemetry's JavaScript exporters, for tests of the service"
	@echo "make interop      the SDK in real frameworks, in an environment of their own"
	@echo "make lint         ruff, mypy, import-linter, generated docs up to date"
	@echo "make check        lint + test"
	@echo "make docs         write again what is generated from code"
	@echo "make bench-quick  short versions of the statistics and monitor benchmarks"

# $(call environment,FOLDER,GROUP,EXTRAS): uv when present, venv and pip otherwise; made again when a pyproject.toml
# changes.
define environment
	@if command -v uv >/dev/null 2>&1; then \
	  uv venv --quiet --allow-existing --python $(PYTHON) $(1) && \
	  uv pip install --quiet --python $(1)/bin/python -e '.$(3)' -e ./instrumentation --group $(2); \
	else \
	  $(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.12 ...")' && \
	  $(PYTHON) -m venv $(1) && \
	  $(1)/bin/python -m pip install --quiet --disable-pip-version-check --upgrade 'pip>=25.1' && \
	  $(1)/bin/python -m pip install --quiet --disable-pip-version-check -e '.$(3)' -e ./instrumentation --group $(2); \
	fi
	@touch $(1)/.ready
endef

$(STAMP): pyproject.toml instrumentation/pyproject.toml
	$(call environment,$(VENV),dev,[live$(comma)grpc])

$(INTEROP)/.ready: pyproject.toml instrumentation/pyproject.toml
	$(call environment,$(INTEROP),interop,)

demo: $(STAMP)
	@$(BIN)/sort-drift demo

js: $(JS)/.ready

$(JS)/.ready: tests/live/interop/js/package.json
	cd $(dir $<) && npm install --no-package-lock --no-audit --no-fund
	@touch $@

test: $(STAMP)
	@command -v npm >/dev/null && $(MAKE) js || echo "no npm, or no packages: JavaScript exporters are not tested"
	$(BIN)/python -m pytest -n $(JOBS) --dist worksteal

interop: $(INTEROP)/.ready
	$(INTEROP)/bin/python -m pytest -n $(JOBS) --dist loadgroup -W ignore tests/interop

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m docs.generate --check

docs: $(STAMP)
	$(BIN)/python -m docs.generate

check: lint test

bench-quick: bench-quick-statistics bench-quick-live

bench-quick-%: $(STAMP)
	$(BIN)/python -m benchmarks.$* --quick

clean:
	rm -rf $(VENV) $(INTEROP) $(JS) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
