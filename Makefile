# The two commands of the README are `make demo` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/pip --disable-pip-version-check --quiet
DEMO := demo

.PHONY: help demo docs test test-extras torture fuzz lint format clean

help:  ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/'

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) install --constraint constraints.txt --editable .
	@touch $@

$(VENV)/.installed-test: pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) install --constraint constraints.txt --editable '.[test]'
	@touch $(VENV)/.installed $@

$(VENV)/.installed-docs: pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) install --constraint constraints.txt --editable '.[docs]'
	@touch $(VENV)/.installed $@

demo: $(VENV)/.installed  ## train, evaluate and predict on the embedded videos (minutes on 2 cores)
	PATH="$(CURDIR)/$(BIN):$$PATH" sh scripts/demo.sh $(DEMO)

docs: $(VENV)/.installed-docs  ## build the documentation, build/site/index.html
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --config-file docs/mkdocs.yml
	@echo "build/site/index.html; with search: $(BIN)/python -m http.server --directory build/site"

test: $(VENV)/.installed-test lint  ## the core tests (under 20 minutes on 2 cores)
	$(BIN)/python -m pytest --numprocesses 2 --dist loadfile

test-extras: $(VENV)/.installed-test  ## tests of the optional parts: launchers, Optuna, JAX, PyTorch beside us, METEOR (needs Java), ONNX, docs, the web page and the report (need Chromium)
	$(PIP) install --constraint constraints.txt --editable '.[test,hosts,meteor,joblib,submitit,ray,optuna,bench,onnx,demo,docs,browser]'
	$(BIN)/python -m pytest -m extras

torture: $(VENV)/.installed-test  ## 120 kills at random moments; nothing may be lost (under 25 minutes)
	$(BIN)/python scripts/torture.py

fuzz: $(VENV)/.installed-test  ## fuzz the parsers of data of strangers for a minute (Linux)
	@test "$$(uname -s)" = Linux || { echo "fuzz: atheris has wheels for Linux alone"; exit 2; }
	$(PIP) install --constraint constraints.txt --editable '.[test,fuzz]'
	$(BIN)/python tests/fuzz/run.py

lint: $(VENV)/.installed-test  ## ruff: rules, docstrings, format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: $(VENV)/.installed-test  ## apply ruff's fixes and format
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:  ## remove what the targets made
	rm -rf $(VENV) $(DEMO) build dist
