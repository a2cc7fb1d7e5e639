#!/bin/sh
# Installs code-server, the VS Code that runs in a browser, beside this file, in the versions of the lockfile. The
# scripts of the packages are not run, since they compile what only terminals and passwords need.
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
