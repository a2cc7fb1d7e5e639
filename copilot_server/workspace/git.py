"""How git is run in a repository that may be anybody's: nothing that its configuration names is run.

Hooks, the file-system monitor, signature checks and fetching on demand are switched off, since a repository
that was unpacked from an archive may bring a configuration of its own.
"""

from __future__ import annotations

import os

#: The first arguments of every command.
GIT = (
    *("git", "--no-pager", "--literal-pathspecs", "-c", "core.fsmonitor=false"),
    *("-c", f"core.hooksPath={os.devnull}", "-c", "log.showSignature=false", "-c", "protocol.allow=never"),
    *("-c", "core.quotePath=false", "-c", "diff.renameLimit=2000", "-c", "submodule.recurse=false"),
)
_SET = {
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_PAGER": "cat",
    "LC_ALL": "C",
}


def git_environment() -> dict[str, str]:
    """Return the environment for git: this process's, without what directs git elsewhere."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    return kept | _SET
