"""A package index on the loopback with one wheel, which it can hold back, and a server that needs it."""

from __future__ import annotations

import hashlib
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from copilot_server import __version__

WHEEL = "tiny_dep-1.0-py3-none-any.whl"
#: Starts the checkout's server.
_SERVER = """
import os, sys, tiny_dep
def main():
    os.execv({program!r}, [{program!r}, *sys.argv[1:]])
"""


@dataclass
class SmallIndex:
    """The index: its URL, and when it gives the wheel out."""

    wheel: bytes
    url: str = ""
    #: Set while the wheel is given out; requests for it wait otherwise.
    gives: threading.Event = field(default_factory=threading.Event)
    #: How often the wheel has been asked for.
    asked: int = 0


@contextmanager
def running_index(folder: Path) -> Iterator[SmallIndex]:
    """Serve it until the end of the block."""
    wheel = make_wheel(folder / WHEEL, "tiny_dep", "1.0", "")
    index = SmallIndex(wheel.read_bytes())

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path.endswith(".whl"):
                index.asked += 1
                index.gives.wait()
                self._answer(index.wheel, "application/octet-stream")
            elif self.path == "/simple/tiny-dep/":
                self._answer(f'<a href="/{WHEEL}">{WHEEL}</a>'.encode(), "text/html")
            else:
                self.send_error(404)

        def _answer(self, body: bytes, kind: str) -> None:
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        index.url = f"http://127.0.0.1:{server.server_port}/simple"
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield index
        finally:
            index.gives.set()
            server.shutdown()


def bundle_small_server(folder: Path, index: SmallIndex, program: Path) -> None:
    """Put a server that needs the index's wheel, and starts ``program``, in place of an extension's."""
    for archive in [*folder.glob("*.whl"), *folder.glob("*.tar.gz")]:
        archive.unlink()
    name = f"copilot_server-{__version__}-py3-none-any.whl"
    code = _SERVER.format(program=str(program))
    make_wheel(folder / name, "copilot_server", __version__, code, main="copilot_server:main")
    digest = hashlib.sha256(index.wheel).hexdigest()
    for lock in folder.glob("requirements*.lock"):
        lock.write_text(f"tiny-dep==1.0 \\\n    --hash=sha256:{digest}\n", "utf-8")


def make_wheel(path: Path, name: str, version: str, code: str, main: str = "") -> Path:
    """Make a wheel of one module, with the program ``copilot-server`` if it has a ``main``."""
    info = f"{name}-{version}.dist-info"
    files = {
        f"{name}.py": code,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name.replace('_', '-')}\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/RECORD": "",
    }
    if main:
        files[f"{info}/entry_points.txt"] = f"[console_scripts]\ncopilot-server = {main}\n"
    with zipfile.ZipFile(path, "w") as wheel:
        for file, text in files.items():
            wheel.writestr(file, text)
    return path
