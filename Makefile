# Each target sets up what it needs: the first use makes .venv, later uses find it current.
PYTHON ?= python3
BIN := $(CURDIR)/.venv/bin
STAMP := .venv/installed
export PATH := $(BIN):$(PATH)

.DEFAULT_GOAL := help
.PHONY: help install run up results test torture lint clean

help: ## show this list
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 16

install: $(STAMP) ## make .venv with the tested versions of everything

# The stamp is older than its sources exactly when the installation is out of date.
$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed")'
	@echo "setting up .venv: several minutes and gigabytes the first time (torch)"
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[test]'
	@touch $@

run: install ## run the pipeline (dvc repro): only what changed runs
	dvc --wait-for-lock repro
	@selfsame summary

up: install ## start server, worker and schedules in this terminal; Ctrl-C stops them
	@exec python -m flows.up

results: install ## measure docs/results.md (hours); ARGS="--only digits --data-dir DIR --jobs 2"
	python benchmarks/results.py $(ARGS)

# A file's tests stay in one process, since what they share is set up once per process.
test: install ## run the tests, on four cores at most
	pytest --numprocesses logical --maxprocesses 4 --dist loadfile

torture: install ## kill, spoil and crowd a small pipeline (half an hour); ARGS="kills --times 100"
	python benchmarks/torture.py $(or $(ARGS),kills callers corruption life ticks)

lint: install ## check style
	ruff check .
	ruff format --check .

clean: ## remove the environment and all that can be computed again (the DVC cache stays)
	rm -rf .venv .scratch data/raw data/splits data/pseudo_labels models/* reports/*.html reports/*.csv
