# On Windows, use the plain commands in README.md.
VENV := .venv
PYTHON ?= python3
BIN := $(VENV)/bin
PORT ?= 7860

.PHONY: help run test check fix ingest eval bench
.DEFAULT_GOAL := help

help: ## say what can be made
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

# Made anew when what it depends on changes. One file each, so that a broken install is not taken for a whole one.
$(VENV)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet -c constraints.txt -e .
	touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	$(BIN)/pip install --quiet -c constraints.txt -e '.[dev]'
	touch $@

run: $(VENV)/.installed ## set up if needed, ingest if needed, serve the page
	$(BIN)/python app.py --port $(PORT)

test: $(VENV)/.installed-dev ## set up if needed, run every test
	$(BIN)/python -m pytest

check: $(VENV)/.installed-dev ## lint, types, the guide's PDF
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python corpus/render.py --check

fix: $(VENV)/.installed-dev ## mend what the linter can mend
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

ingest: $(VENV)/.installed ## bring the index up to date with corpus/
	$(BIN)/python -m ingest

eval: $(VENV)/.installed-dev ## print the evaluation tables
	$(BIN)/python -m ingest
	$(BIN)/python -m bot eval tests/evaluation

bench: $(VENV)/.installed-dev ## measure start, ingest, latency and memory
	$(BIN)/python -m benchmarks.run
