# The two commands: `make run` sets everything up and serves, `make test` sets up the same way and tests.
PYTHON ?= python3
VENV ?= .venv
# A pip index of CPU-only torch wheels saves several GB: make run TORCH_INDEX=<url>
TORCH_INDEX ?=
PORT ?= 8000
OUT ?= runs
ARGS ?=

PY := $(VENV)/bin/python
PIP := $(PY) -m pip install --quiet --disable-pip-version-check --constraint constraints.txt
export RAY_USAGE_STATS_ENABLED = 0

.PHONY: run test check bench train clean

run: $(VENV)/.run
	$(PY) -m serve run --port $(PORT) $(ARGS)

test: $(VENV)/.dev
	$(PY) -m pytest $(ARGS)

check: $(VENV)/.dev
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports

bench: $(VENV)/.dev
	$(PY) -m benchmarks.latency $(ARGS)

# The shipped checkpoint and sample catalogue, from scratch, into OUT/base and OUT/sample.
train: $(VENV)/.run
	$(PY) -m train fit --preset base --data sim --body-epochs 10 --frozen person_mask --epochs 8 --out $(OUT)/base $(ARGS)
	$(PY) -m train sample --checkpoint $(OUT)/base --out $(OUT)/sample

clean:
	rm -rf $(VENV) runs bench-out

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

# torch first, from its own index where one is named; everything else, what it needs included, from the default index.
$(VENV)/.run: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(if $(TORCH_INDEX),$(PY) -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --no-deps --index-url $(TORCH_INDEX) torch torchvision)
	$(PIP) --editable .
	touch $@

$(VENV)/.dev: $(VENV)/.run
	$(PIP) --editable ".[dev]"
	touch $@
