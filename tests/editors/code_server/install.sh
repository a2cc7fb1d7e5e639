#!/bin/sh
# Installs the VS Code that runs in a browser beside this file, as the lockfile has it. No script of a package
# is run: they would compile what only terminals and passwords need.
set -eu
cd "$(dirname "$0")"
installed=node_modules/.installed
if test -f "$installed" && test "$installed" -nt package-lock.json; then
  exit 0
fi
echo "Installing a VS Code that runs in a browser, for the tests; the first time this takes a minute."
npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
(cd node_modules/code-server/lib/vscode && npm install --omit=dev --ignore-scripts --no-audit --no-fund --loglevel=error)
touch "$installed"
