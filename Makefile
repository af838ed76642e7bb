# Each target sets up what it needs: the first use makes .venv, later uses find it current.
PYTHON ?= python3
BIN := $(CURDIR)/.venv/bin
STAMP := .venv/installed
export PATH := $(BIN):$(PATH)

MADE := $(wildcard .scratch data/raw data/splits data/pseudo_labels models/[!R]* reports/*.html reports/*.csv)

.DEFAULT_GOAL := help
.PHONY: help install run up results bench test torture lint vulnerabilities docs clean

help: ## show this list
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 16

install: $(STAMP) ## make .venv with the tested versions of everything

# The stamp is older than its sources exactly when the installation is out of date.
$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed")'
	@echo "setting up .venv: downloads what constraints.txt lists, several minutes and 6.3 GB on disk the first time,"
	@echo "most of it torch with CUDA; 'make install TORCH_INDEX=ADDRESS' takes a CPU build (docs/engineer.md)"
	$(PYTHON) -m venv .venv
	$(if $(TORCH_INDEX),$(BIN)/pip install --quiet -c constraints.txt --index-url $(TORCH_INDEX) torch torchvision)
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
	PYTHONPATH=. python benchmarks/torture.py $(or $(ARGS),kills callers corruption life ticks)

lint: install ## check style and types
	ruff check .
	ruff format --check .
	mypy

# In an environment of its own, made each time: what it installs is no part of the product. A version that could
# not be asked about, or no network, is an error too.
vulnerabilities: ## ask PyPI for known vulnerabilities of every pinned version (network needed)
	$(PYTHON) -m venv --clear .scratch/pip-audit
	.scratch/pip-audit/bin/pip install --quiet --disable-pip-version-check pip-audit==2.10.1
	.scratch/pip-audit/bin/pip-audit --strict --no-deps --disable-pip --requirement constraints.txt

docs: install ## build the documentation site, .scratch/site/index.html; a broken link fails
	mkdocs build --quiet

bench: install ## measure what a run costs when nothing changed, beside the bare tools (minutes)
	python benchmarks/noop.py

# Trainings take hours, so it asks; a computer that can't be asked says YES=y.
clean: ## remove the environment and all that can be computed again (the DVC cache stays)
	@test "$(YES)" = y || { echo "to be removed: .venv, and $$(du -shc $(MADE) 2>/dev/null | tail -1 | cut -f1) of results;" && \
		echo "'dvc checkout' brings back results that the DVC cache has" && \
		printf 'remove? [y/N] ' && read answer && test "$$answer" = y; } || { echo 'nothing removed'; exit 1; }
	rm -rf .venv $(MADE)
