"""The Python environment of a workspace, of which only what documents use is read, in the background."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable

from copilot_server.workspace.environment.disk import Disk
from copilot_server.workspace.environment.finding import site_packages_for
from copilot_server.workspace.environment.known import EnvironmentFiles, Known, WorkspaceFiles
from copilot_server.workspace.environment.reading import SummaryReader
from copilot_server.workspace.summary import FileSummary

#: The most files that are read for one look, and that are known altogether. The others count as empty.
MAX_READ, MAX_SUMMARIES = 300, 1500
#: With more answers than this, what names exist in which modules, all is forgotten.
MAX_KNOWN = 50_000
#: How often it is looked whether packages were installed or removed, and how long the process is kept.
CHECK_S, IDLE_S = 10.0, 30.0

Look = Callable[[EnvironmentFiles], object]


class Environment:
    """What is known of the packages that documents import. Every method may be called from any thread.

    Whoever asks gets what is known at once, and has what is missing looked for by a thread. All that one look
    finds becomes known at the same time, and ``version`` changes then. Nothing is kept on the disk.
    """

    def __init__(
        self,
        workspace: WorkspaceFiles,
        excludes: Callable[[str], bool],
        virtual_env: str = "",
    ) -> None:
        """``excludes``: whether a file must not be read. ``virtual_env``: the active environment, if any."""
        self._workspace = workspace
        self._excludes = excludes
        self._virtual_env = virtual_env
        self._reader = SummaryReader()
        self._changed = threading.Condition()
        self._looks: dict[str, Look] = {}
        self._is_busy = False
        self._is_closed = False
        self._is_check_due = False
        self._checked_s = time.monotonic()
        self._thread: threading.Thread | None = None
        self._known = Known()
        self.version = 0

    def files(self, path: str) -> EnvironmentFiles:
        """Return the files that are known for the document at ``path``. They stay as they are."""
        if self._thread is not None and time.monotonic() - self._checked_s > CHECK_S:
            with self._changed:
                self._is_check_due = True
                self._changed.notify_all()
        known = self._known
        return EnvironmentFiles(self._workspace, known.sites.get(_folder_of(path)), known)

    def look(self, path: str, look: Look) -> None:
        """Let ``look`` ask for what the document at ``path`` needs, on the thread that reads what is missing.

        A later look for the same document takes the place of one that has not begun.
        """
        with self._changed:
            if self._is_closed:
                return
            self._looks[path] = look
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="environment", daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def wait(self, timeout_s: float) -> bool:
        """Wait until all looks are done; return whether they are."""
        with self._changed:
            return self._changed.wait_for(self._is_idle, timeout_s)

    def close(self) -> None:
        """End the thread and the process."""
        with self._changed:
            self._is_closed = True
            self._looks.clear()
            thread = self._thread
            self._changed.notify_all()
        self._reader.close()
        if thread is not None:
            thread.join()

    def source(self, path: str) -> str:
        """Return the file from which a module file's definitions were read; the file itself if none was."""
        return self._known.sources.get(path) or path

    @property
    def sites(self) -> frozenset[str]:
        """The folders of packages that are known."""
        return frozenset(self._known.changed_ns)

    def _run(self) -> None:
        while (task := self._next()) is not None:
            self._forget_if_changed()
            path, look = task
            if look is not None:
                self._find_out(path, look)
            with self._changed:
                self._is_busy = False
                self._changed.notify_all()
        self._reader.rest()

    def _next(self) -> tuple[str, Look | None] | None:
        """Wait for something to do; None at the end."""
        while True:
            with self._changed:
                if self._changed.wait_for(self._has_work, IDLE_S):
                    self._is_busy = True
                    path = next(iter(self._looks), "")
                    return None if self._is_closed else (path, self._looks.pop(path, None))
            self._reader.rest()

    def _has_work(self) -> bool:
        return self._is_closed or self._is_check_due or bool(self._looks)

    def _is_idle(self) -> bool:
        return self._is_closed or not (self._looks or self._is_busy or self._is_check_due)

    def _find_out(self, path: str, look: Look) -> None:
        known, folder = self._known.copy(), _folder_of(path)
        if folder not in known.sites:
            known.sites[folder] = self._site(path)
        site = known.sites[folder]
        if site:
            known.changed_ns.setdefault(site, _changed_ns(site))
        files = _ReadFiles(self._workspace, site, known, Disk(site, self._excludes), self._reader)
        look(files)
        self._publish(known, is_new=files.has_read)

    def _site(self, path: str) -> str:
        return site_packages_for(path, self._workspace.folders, self._virtual_env)

    def _forget_if_changed(self) -> None:
        """Forget everything if a package was installed or removed, or if an environment came or went."""
        with self._changed:
            is_due = self._is_check_due or time.monotonic() - self._checked_s > CHECK_S
            self._is_check_due = False
        if not is_due:
            return
        self._checked_s, known = time.monotonic(), self._known
        is_same = all(self._site(f"{folder}/document.py") == site for folder, site in known.sites.items())
        is_same &= all(_changed_ns(site) == time_ns for site, time_ns in known.changed_ns.items())
        if not is_same or len(known) > MAX_KNOWN:
            self._publish(Known(), is_new=True)

    def _publish(self, known: Known, *, is_new: bool) -> None:
        with self._changed:
            self._known = known
            self.version += is_new


class _ReadFiles(EnvironmentFiles):
    """The files as they are on the disk: what is not known is looked for, and changes ``known``."""

    def __init__(
        self, workspace: WorkspaceFiles, site: str, known: Known, disk: Disk, reader: SummaryReader
    ) -> None:
        super().__init__(workspace, site, known)
        self._disk = disk
        self._reader = reader
        self._left = min(MAX_READ, MAX_SUMMARIES - len(known.summaries))
        #: Whether any file was read.
        self.has_read = False

    def _look_for_source(self, path: str) -> str:
        self._known.sources[path] = self._disk.source(path)
        return self._known.sources[path]

    def _look_for_folder(self, path: str) -> bool:
        self._known.folders[path] = self._disk.has_folder(path)
        return self._known.folders[path]

    def _read(self, path: str, source: str) -> FileSummary | None:
        self._left -= 1
        summary = self._reader.summary(source) if self._left >= 0 else FileSummary()
        self.has_read = True
        self._known.summaries[path] = summary
        return summary


def _folder_of(path: str) -> str:
    return os.path.dirname(path)  # noqa: PTH120 - at each key


def _changed_ns(folder: str) -> int:
    try:
        return os.stat(folder).st_mtime_ns  # noqa: PTH116
    except OSError:
        return 0
