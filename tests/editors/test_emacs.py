"""Emacs with eglot, configured as docs/editors.md says, in batch: suggestions by `completion-at-point`."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.editors, pytest.mark.model]

ROOT = Path(__file__).parent.parent.parent
REMEDY = (
    "No Emacs with eglot is installed. Install one (Debian, Ubuntu: apt-get install emacs-nox elpa-eglot)."
)

SCRIPT = r"""
(require 'package)
(package-initialize)
(require 'eglot)
(setq eglot-sync-connect t eglot-connect-timeout 300 make-backup-files nil)
(load (expand-file-name "configuration.el"))
(find-file (expand-file-name "main.py"))
(apply #'eglot--connect (eglot--guess-contact))
(insert "def fibonacci(n: int) -> int:\n    \"\"\"The n-th Fibonacci number, recursively.\"\"\"\n    ")
(eglot--signal-textDocument/didChange)
;; While the model is loaded an answer may be empty, or come too late for eglot.
(let ((tries 0) found)
  (while (and (not found) (< tries 100))
    (setq tries (1+ tries))
    (accept-process-output nil 1)
    (setq found (ignore-errors (all-completions "" (nth 2 (eglot-completion-at-point)))))))
(goto-char (point-max))
(completion-at-point)
(save-buffer)
(eglot-shutdown (eglot-current-server))
"""


COPILOT_SCRIPT = r"""
(dolist (folder (split-string (getenv "COPILOT_SERVER_COPILOT_EL") path-separator))
  (add-to-list 'load-path folder))
(require 'copilot)
(setq make-backup-files nil)
(load (expand-file-name "configuration.el"))
(find-file (expand-file-name "main.py"))
(python-mode)
(copilot-mode 1)
(insert "def fibonacci(n: int) -> int:\n    \"\"\"The n-th Fibonacci number, recursively.\"\"\"\n    ")
(let ((tries 0))
  (while (and (not (copilot--overlay-visible)) (< tries 100))
    (setq tries (1+ tries))
    (copilot-complete)
    (sleep-for 3)))
(copilot-accept-completion-by-line 1)
(copilot-accept-completion)
(save-buffer)
(accept-process-output nil 1)
"""

BEGUN = r'recursively\."""\n    \S.*\n +return '


def run_emacs(folder: Path, script: str, first_line: str) -> str:
    """Run a script with a configuration of docs/editors.md; return the text of main.py afterwards."""
    emacs = os.environ.get("COPILOT_SERVER_EMACS") or shutil.which("emacs")
    assert emacs, REMEDY
    documented = (ROOT / "docs" / "editors.md").read_text("utf-8")
    (configuration,) = re.findall(rf"```elisp\n({first_line}\n.*?)```", documented, re.DOTALL)
    (folder / "configuration.el").write_text(configuration, "utf-8")
    (folder / "script.el").write_text(script, "utf-8")
    done = subprocess.run(
        [emacs, "--batch", "-q", "-l", "script.el"],
        cwd=folder,
        env=os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert done.returncode == 0, f"{REMEDY}\n{done.stderr}"
    return (folder / "main.py").read_text("utf-8")


def test_eglot(tmp_path: Path):
    written = run_emacs(tmp_path, SCRIPT, ";; eglot")
    assert re.search(BEGUN, written), written


if "COPILOT_SERVER_COPILOT_EL" in os.environ:
    # Debian has no package of copilot.el, so this runs only if the variable names checkouts of it and of its
    # dependencies, separated by colons. It needs Emacs 30, for track-changes.

    def test_copilot_el(tmp_path: Path):
        written = run_emacs(tmp_path, COPILOT_SCRIPT, ";; copilot.el")
        assert re.search(BEGUN, written), written
