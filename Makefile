# Every target sets up what it needs: a virtual environment in .venv with the pinned dependencies.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready

.DEFAULT_GOAL := help
.PHONY: help bench demo docs notebooks pictures boards boards-check test lint types release-check clean setup

help:            ## show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-13s %s\n", $$1, $$2}'

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "asdbench needs Python 3.11 or newer; '$(PYTHON)' is not. Try: make PYTHON=/path/to/python3.11 $(MAKECMDGOALS)"; exit 3; }
	@echo "Setting up $(VENV) (once; PyTorch weighs 6 GB, so this takes some minutes)"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	@$(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python --constraint constraints.txt --editable '.[dev,docs]'
	@$(BIN)/uv pip install --quiet --no-deps --python $(BIN)/python aisfx==0.1.2 || echo "The pretrained encoder aisfx could not be fetched; its tests will be skipped."
	@touch $@

setup: $(READY)  ## create .venv and install asdbench into it

demo: $(READY)   ## the main job on the synthetic machines, then a pretrained encoder
	$(BIN)/asdbench run --extractor simclr --scorer mahalanobis-ml
	@! $(BIN)/python -c "from importlib import metadata; metadata.version('aisfx')" 2>/dev/null || (set -x; $(BIN)/asdbench run --extractor aisfx --scorer mahalanobis-lw)

boards: $(READY) ## render every board from its records
	$(BIN)/asdbench leaderboard render

boards-check: $(READY) ## fail when a board is not what its records give
	$(BIN)/asdbench leaderboard check

docs: $(READY)   ## the documentation as a site, into site/; strict, and without network
	NO_MKDOCS_2_WARNING=1 PYTHONWARNINGS=ignore $(BIN)/mkdocs build --strict --quiet
	@echo "Open site/index.html"

notebooks: $(READY) ## run the notebooks of examples/, and write what they show into them
	$(BIN)/python tools/notebooks.py

pictures: $(READY) ## the pictures of README and documentation, by Chromium
	$(BIN)/python tools/pictures.py

bench:           ## the benchmarks, and a table of ratios (40 minutes at most); some by NAMES="startup matrix"
	@test -x $(BIN)/python || $(MAKE) setup
	@$(BIN)/python -c 'import librosa' 2>/dev/null || $(BIN)/uv pip install --quiet --python $(BIN)/python --constraint constraints.txt 'librosa>=0.10' || echo "librosa could not be installed; what is measured against it is left out."
	@status=0; $(BIN)/python benchmarks/all.py $(NAMES) || status=$$?; $(BIN)/python benchmarks/render.py; exit $$status

test: $(READY)   ## all tests, in two processes of one thread each
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist worksteal

lint: $(READY)   ## ruff and the import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

types: $(READY)  ## mypy, strict
	$(BIN)/mypy

release-check: $(READY) ## build wheel and archive, and try them as a user gets them
	$(BIN)/python tools/release_check.py

clean:           ## remove what the targets made
	rm -rf $(VENV) site dist build .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
