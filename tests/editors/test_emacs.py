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
REMEDY = "No Emacs with eglot is here. Install one (Debian, Ubuntu: apt-get install emacs-nox elpa-eglot)."

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


def test_eglot(tmp_path: Path):
    emacs = shutil.which("emacs")
    assert emacs, REMEDY
    documented = (ROOT / "docs" / "editors.md").read_text("utf-8")
    (configuration,) = re.findall(r"```elisp\n(;; eglot.*?)```", documented, re.DOTALL)
    (tmp_path / "configuration.el").write_text(configuration, "utf-8")
    (tmp_path / "script.el").write_text(SCRIPT, "utf-8")
    done = subprocess.run(
        [emacs, "--batch", "-q", "-l", "script.el"],
        cwd=tmp_path,
        env=os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert done.returncode == 0, f"{REMEDY if 'eglot' in done.stderr else ''}\n{done.stderr}"
    written = (tmp_path / "main.py").read_text("utf-8")
    assert re.search(r'recursively\."""\n    \S.*\n +return ', written), written
