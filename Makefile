# Every target makes its own environment in .venv; a second call reuses it. `make` alone lists the targets.
#
#   PYTHON       the interpreter that .venv is made from, 3.11 to 3.13       make install PYTHON=python3.12
#   VENV         where the environment goes                                  make test VENV=/somewhere/else
#   TORCH        which torch to install, 2.11 or newer                       make install TORCH=torch==2.11.0
#   DEMO         options of `llmcxr demo`                                    make demo DEMO='--seed 3 --n 16'
#   TORCH_INDEX  where torch comes from, for example the CPU-only builds     make install TORCH_INDEX=https://download.pytorch.org/whl/cpu

PYTHON ?= python3
VENV ?= .venv
TORCH ?= torch==2.13.0
TORCH_INDEX ?=
DEMO ?=

SHELL := /bin/bash -o pipefail
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
# A process a core, each of one thread: networks of tests are too small for more. Tests of one file stay together.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -n auto --dist loadfile

.DEFAULT_GOAL := help
.PHONY: help install demo demo-train test test-all lint format bench clean

help:  ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 14

# torch goes in first and is then held by a constraint, so that nothing installed later can replace it (and bring
# gigabytes of CUDA, or a torchvision that does not match).
$(VENV)/.torch:
	@echo "making $(VENV): torch first, some minutes"
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(0 if (3, 11) <= v < (3, 14) else f"llmcxr needs Python 3.11 to 3.13, $(PYTHON) is {v[0]}.{v[1]}; choose another: make install PYTHON=python3.12")'
	@$(PYTHON) -m venv $(VENV)
	@$(PIP) install --quiet $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX)) '$(TORCH)' \
	  || { echo "could not install $(TORCH): choose a version that your index has, 2.11 or newer, with TORCH=torch==X.Y.Z (and TORCH_INDEX=URL)"; exit 1; }
	@$(BIN)/python -c 'from importlib.metadata import version; print("torch==" + version("torch"))' > $(VENV)/constraints.txt
	@touch $@

$(VENV)/.installed: $(VENV)/.torch setup.cfg pyproject.toml
	@$(PIP) install --quiet --constraint $(VENV)/constraints.txt --editable '.[dicom,plot,log]'
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	@$(PIP) install --quiet --constraint $(VENV)/constraints.txt --editable '.[dicom,plot,log,dev]'
	@# the originals that ours are tested against, without what they ask for: a torchvision, an old Lightning
	@$(PIP) install --quiet --no-deps taming-transformers-rom1504==0.0.6 lpips==0.1.4
	@touch $@

install: $(VENV)/.installed  ## the package and what it needs, in .venv
	@echo "installed: $(BIN)/llmcxr --help"

demo: $(VENV)/.installed  ## draw, read, answer and score with the embedded model; writes runs/demo
	$(BIN)/llmcxr demo --out runs/demo $(DEMO)

demo-train: $(VENV)/.installed  ## train the whole thing from scratch on the phantom, twenty minutes on two cores
	$(BIN)/llmcxr train configs/tokenizer/demo.yaml
	$(BIN)/llmcxr train configs/lm/demo.yaml
	$(BIN)/llmcxr curves runs/demo-train/tokenizer runs/demo-train/lm --out runs/demo-train/curves.png
	$(BIN)/llmcxr demo --model runs/demo-train/lm/model --out runs/demo-train $(DEMO)

test: $(VENV)/.installed-dev  ## the tests that take seconds each
	$(PYTEST) -m 'not slow'

test-all: $(VENV)/.installed-dev  ## all tests, also those that take minutes
	$(PYTEST)

lint: $(VENV)/.installed-dev  ## style and formatting, changing nothing
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: $(VENV)/.installed-dev  ## bring the files into the form that lint asks for
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/.installed-dev  ## the speed claims, each against the plain way, in this run
	@for name in $(filter-out timing,$(basename $(notdir $(wildcard benchmarks/[!_]*.py)))); do \
	  echo "== benchmarks/$$name.py"; $(BIN)/python -m benchmarks.$$name || exit 1; done

clean:  ## remove the environment; runs/ stays
	rm -rf $(VENV)
