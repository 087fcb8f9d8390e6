# `make demo` and `make test` do all the set-up: a virtual environment in .venv, the pinned packages, the models.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DEMO_MODELS := qwen2.5-coder-1.5b-instruct all-minilm-l6-v2 all-mpnet-base-v2
TEST_MODELS := smollm2-135m-instruct all-minilm-l6-v2
DEMO := mollia-demo
AIRGAP := mollia-airgap
# What llama.cpp is compiled with; the quotes inside are for a path with spaces.
export CMAKE_ARGS ?= -DCMAKE_PROJECT_INCLUDE="$(CURDIR)/release/llama.cmake"

.PHONY: help demo airgap-demo test proofs lint lock release audit pictures clean

help:
	@echo "make demo   install into .venv, fetch the demo's models, run the whole job (about 6 minutes the first time)"
	@echo "make airgap-demo   the same from a bundle, without a network (Linux; about 15 minutes the first time)"
	@echo "make test   install into .venv, fetch the tests' models, run the test suite without its slow proofs"
	@echo "make proofs   the slow proofs: kill -9, strace, namespaces, builds, memory, the real browser and terminal"
	@echo "make lint   ruff and mypy"
	@echo "make pictures PROJECT=folder   the documentation's pictures, from the tutorial's project (needs chromium)"
	@echo "make release   wheel, source archive, SBOM and SHA256SUMS of the last commit into dist/, the same bytes every time"
	@echo "make lock   requirements.lock from constraints.txt (asks pip's index)"
	@echo "make audit ADVISORIES=FILE   the locked versions beside OSV advisories from a file, without a network"

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade "pip>=23.2"

$(VENV)/.installed: $(BIN)/python pyproject.toml constraints.txt
	@echo "installing; llama.cpp is compiled for this processor, which takes about 2 minutes on two cores"
	$(BIN)/python -m pip install --constraint constraints.txt --editable .
	@touch $@

$(VENV)/.installed-test: $(VENV)/.installed
	$(BIN)/python -m pip install --constraint constraints.txt --editable ".[test]"
	@touch $@

demo: $(VENV)/.installed
	$(BIN)/mollia models pull $(DEMO_MODELS)
	rm -rf $(DEMO)
	$(BIN)/mollia demo $(DEMO)
	@echo "(to have mollia on the path: . $(BIN)/activate)"

airgap-demo: $(VENV)/.installed
	$(BIN)/mollia models pull $(DEMO_MODELS)
	PYTHON=$(PYTHON) benchmarks/airgap_demo.sh $(BIN) $(AIRGAP) $(DEMO_MODELS)

test: $(VENV)/.installed-test
	$(BIN)/mollia models pull $(TEST_MODELS)
	@echo "the tests without the slow proofs (kill -9, strace, namespaces, builds ...), which run with: make proofs"
	$(BIN)/python -m pytest --numprocesses 2 --dist loadfile -m "not proof"

proofs: $(VENV)/.installed-test
	$(BIN)/mollia models pull $(TEST_MODELS)
	$(BIN)/python -m pytest --numprocesses 2 --dist loadfile -m proof

lint: $(VENV)/.installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/mypy release
	$(BIN)/mypy benchmarks

lock: $(VENV)/.installed-test
	$(BIN)/python release/lock.py

release: $(VENV)/.installed-test
	$(BIN)/python release/build.py

audit: $(VENV)/.installed-test
	$(BIN)/python release/audit.py $(ADVISORIES)

pictures: $(VENV)/.installed
	$(BIN)/python docs/pictures/make.py $(PROJECT)

clean:
	rm -rf $(VENV) $(DEMO) $(AIRGAP) build dist *.egg-info
