# `make run` and `make test` are all that a newcomer needs; `make check` is the loop while you work.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Installation runs again when one of the files that it depends on has changed.
STAMP := $(VENV)/.installed
KERNELS := $(wildcard copilot_server/engine/backends/cpu/kernels/*.[ch])

.PHONY: install run check lint format test test-long test-editors browser emacs compilers emulators sanitize hostile bench clean
.PHONY: wheels zig release lock
.PHONY: vllm transformers-serve engine-llamacpp engine-vllm test-engine
.PHONY: vsix lint-vscode editors-vscode docs-vscode docs-neovim

install: $(STAMP)

$(STAMP): pyproject.toml constraints.txt setup.py $(KERNELS)
	@echo "Installing into $(VENV); the first time this takes minutes."
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[default-model,dev]'
	@touch $@

run: install
	$(BIN)/copilot-server pull qwen2.5-coder-0.5b
	$(BIN)/copilot-server --selftest humaneval --model qwen2.5-coder-0.5b

# Lint, types, import contracts and the unit tests, side by side.
check: install
	@$(BIN)/python scripts/stages.py check

# Everything but the long tests. A stage that fails keeps no other from running; the summary names it.
test: install browser emacs compilers
	@$(BIN)/python scripts/stages.py test

test-long: install browser emacs compilers emulators zig
	@$(BIN)/python scripts/stages.py test-long

# Real editors, the real server, the real model. What cannot be run is reported, and is a failure in CI.
test-editors: install browser emacs
	@$(BIN)/python scripts/stages.py editors

lint: install
	@$(BIN)/python scripts/stages.py lint

format: install
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# The HTML report and VS Code are tested in a real browser. As root on Debian this installs one; elsewhere the tests
# say which to install.
browser:
	@for name in $$COPILOT_SERVER_CHROMIUM chromium-headless-shell chromium google-chrome; do \
	  command -v "$$name" >/dev/null && exit 0; \
	done; \
	if test "$$(id -u)" = 0 && command -v apt-get >/dev/null; then \
	  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq --no-install-recommends \
	    chromium-headless-shell >/dev/null || echo "Chromium could not be installed."; \
	fi

# Completion at point is tested in a real Emacs.
emacs:
	@command -v emacs >/dev/null || test "$$(id -u)" != 0 || ! command -v apt-get >/dev/null || { \
	  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq --no-install-recommends \
	    emacs-nox elpa-eglot >/dev/null || echo "Emacs could not be installed."; \
	}

# The kernels must compile with each of these; the tests compile with those that are installed. With SIMD Everywhere
# they emulate the instructions that this processor lacks.
COMPILERS := gcc-11 gcc-12 clang
compilers:
	@for name in $(COMPILERS); do command -v "$$name" >/dev/null || missing=1; done; \
	test -e /usr/include/simde/x86/avx512.h || missing=1; \
	test -z "$$missing" || test "$$(id -u)" != 0 || ! command -v apt-get >/dev/null || { \
	  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq --no-install-recommends \
	    $(COMPILERS) libsimde-dev >/dev/null || echo "Not all of $(COMPILERS) libsimde-dev could be installed."; \
	}

# The long tests run the kernels for ARM in an emulator.
EMULATORS := gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user wine64
emulators:
	@command -v aarch64-linux-gnu-gcc >/dev/null && command -v qemu-aarch64 >/dev/null && \
	{ command -v wine64 || command -v wine || test -x /usr/lib/wine/wine64; } >/dev/null || \
	test "$$(id -u)" != 0 || ! command -v apt-get >/dev/null || { \
	  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq --no-install-recommends \
	    $(EMULATORS) >/dev/null || echo "Not all of $(EMULATORS) could be installed."; \
	}

# The long tests build the wheels of every platform. The compiler is among the tools of the release.
zig: install
	@$(BIN)/python -c "from scripts import tools; tools.tool('python')"

# The kernels under AddressSanitizer and UndefinedBehaviorSanitizer, their thread pool under ThreadSanitizer.
sanitize: install
	$(BIN)/pytest -m '' -v -s tests/integration/test_sanitize.py

# Attacks, each with a benign twin: hostile programs, problem sets and whatever else is in tests/hostile. Prints a table;
# fails if an attack succeeded or a twin failed.
hostile: install
	$(BIN)/pytest -q -r '' -m '' tests/hostile

# Remote engines, each in a virtual environment of its own, for the long tests and for `make engine-vllm`.
vllm: install
	$(BIN)/python -m benchmarks.bench.venvs vllm

transformers-serve: install
	$(BIN)/python -m benchmarks.bench.venvs transformers

# Serves the 0.5B on this machine, in the foreground: make engine-llamacpp PORT=8080
engine-llamacpp: install
	$(BIN)/copilot-server pull qwen2.5-coder-0.5b
	$(BIN)/python -m tests.support.engines llamacpp $(or $(PORT),8080)

engine-vllm: vllm
	$(BIN)/copilot-server pull qwen2.5-coder-0.5b
	$(BIN)/python -m tests.support.engines vllm $(or $(PORT),8000)

# Runs the tests of the server and of the self-test with a running engine: make test-engine ENGINE=http://...
test-engine: install
	@test -n "$(ENGINE)" || { echo "Which engine? make test-engine ENGINE=http://127.0.0.1:8080"; exit 2; }
	$(BIN)/pytest --engine $(ENGINE) tests/integration/test_with_engine.py tests/integration/test_lsp_server.py

# Compares with other engines, which it installs beside the project: see benchmarks/bench. Another model, or another
# instruction set than the processor's best: make bench FLAGS="--model qwen2.5-coder-1.5b --isa avx2"
bench: install
	$(BIN)/copilot-server pull qwen2.5-coder-0.5b
	$(BIN)/python -m benchmarks.bench $(FLAGS)

# Packs the extension: code --install-extension editors/vscode/copilot-server.vsix
vsix: install
	@tests/editors/vscode.sh package

lint-vscode: install
	@tests/editors/vscode.sh check

# Runs all checks of the extension, the last of them in a real VS Code, and reports what it could not run.
editors-vscode: install browser
	@tests/editors/vscode.sh

# Take the pictures and the recordings in docs/, of a real VS Code and of a real Neovim.
docs-vscode: vsix browser
	tests/editors/code_server/install.sh
	$(BIN)/python -m tests.editors.vscode_pictures

docs-neovim: install browser
	$(BIN)/python -m tests.editors.neovim_recording

# Writes requirements.lock, from which the VS Code extension installs, anew: after a change of pyproject.toml or of
# constraints.txt. The versions that it has are kept where they fit.
lock: install
	$(BIN)/python scripts/lock.py

# Builds the sdist and a wheel for each platform into dist/, with kernels that zig's C compiler has compiled.
wheels: install
	$(BIN)/python scripts/wheels.py

# Builds sdist, wheels and .vsix into dist/, with lists of what they consist of, and checks each in a clean environment.
# Known vulnerabilities of what they consist of are asked for first: make release FLAGS=--unaudited goes on without.
release: install
	$(BIN)/python scripts/release.py $(FLAGS)

clean:
	rm -rf $(VENV) build dist .cache .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	rm -rf editors/vscode/node_modules editors/vscode/dist editors/vscode/out editors/vscode/*.vsix
	rm -rf tests/editors/code_server/node_modules
