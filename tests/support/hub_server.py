"""A model hub on the loopback: the routes that huggingface_hub requests, with files kept in memory."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

COMMIT = "0123456789abcdef0123456789abcdef01234567"
#: What ``running_hub_of`` calls its model.
REPOSITORY = "team/tiny"
#: huggingface_hub passes bytes on in chunks of 10 MiB, so that only of a larger file a part can be kept.
LARGE, CUT_BYTES, KEPT_BYTES = 16_000_000, 12_000_000, 10 * 2**20


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    range: str | None
    authorization: str | None


@dataclass
class Hub:
    """What the hub holds, how it misbehaves, and which requests it got."""

    #: By "org/name/file".
    files: dict[str, bytes] = field(default_factory=dict)
    #: Large files, which are answered with a redirect and named by their sha256.
    large: set[str] = field(default_factory=set)
    #: Sent in place of a file, whose own size and hash are still reported.
    tampered: dict[str, bytes] = field(default_factory=dict)
    #: After how many bytes the next answers break off, in the order of the requests.
    cuts_bytes: list[int] = field(default_factory=list)
    #: An answer that breaks off stays open until this is set, as a stalled connection does.
    stalled: threading.Event | None = None
    ignores_ranges: bool = False
    token: str | None = None
    requests: list[Request] = field(default_factory=list)
    endpoint: str = ""
    #: The name of another host, since hubs keep large files on one.
    elsewhere: str = ""

    def add(self, repository: str, name: str, content: bytes, *, large: bool = False) -> None:
        self.files[f"{repository}/{name}"] = content
        if large:
            self.large.add(f"{repository}/{name}")

    def downloads(self) -> list[Request]:
        """The GETs of files, redirects not counted."""
        return [r for r in self.requests if r.method == "GET" and r.path.startswith("/cdn/")]


@contextmanager
def running_hub() -> Iterator[Hub]:
    hub = Hub()

    class Handler(_Handler):
        pass

    Handler.hub = hub
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    hub.endpoint = f"http://127.0.0.1:{server.server_address[1]}"
    hub.elsewhere = f"http://localhost:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield hub
    finally:
        if hub.stalled is not None:
            hub.stalled.set()
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def running_hub_of(model: Path) -> Iterator[Hub]:
    """A hub with a model, to which a large text belongs: the first file, which may break off."""
    with running_hub() as hub:
        for path in model.iterdir():
            hub.add(REPOSITORY, path.name, path.read_bytes())
        hub.add(REPOSITORY, "LICENSE", bytes(LARGE), large=True)
        yield hub


class _Handler(BaseHTTPRequestHandler):
    hub: Hub
    protocol_version = "HTTP/1.1"

    def do_HEAD(self) -> None:
        self._route()

    def do_GET(self) -> None:
        self._route()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        pass

    def _route(self) -> None:
        path = unquote(urlsplit(self.path).path)
        asked = Request(self.command, path, self.headers.get("Range"), self.headers.get("Authorization"))
        self.hub.requests.append(asked)
        if path.startswith("/cdn/"):
            self._send_file(path.removeprefix("/cdn/"))
        elif self.hub.token is not None and asked.authorization != f"Bearer {self.hub.token}":
            self._answer(HTTPStatus.UNAUTHORIZED, {"X-Error-Message": "Who are you?"})
        elif path.startswith("/api/models/"):
            self._answer_info(path.removeprefix("/api/models/"))
        else:
            self._answer_resolve(path.removeprefix("/"))

    def _answer_info(self, path: str) -> None:
        repository, _, _revision = path.partition("/revision/")
        keys = [key for key in self.hub.files if key.startswith(f"{repository}/")]
        if not keys:
            self._answer(HTTPStatus.NOT_FOUND, {"X-Error-Code": "RepoNotFound"})
            return
        siblings = [self._sibling(key, key.removeprefix(f"{repository}/")) for key in keys]
        info = {"id": repository, "modelId": repository, "sha": COMMIT, "siblings": siblings, "tags": []}
        body = json.dumps(info).encode()
        self._answer(HTTPStatus.OK, {"Content-Type": "application/json"}, body)

    def _sibling(self, key: str, name: str) -> dict[str, object]:
        content = self.hub.files[key]
        sibling: dict[str, object] = {"rfilename": name, "size": len(content), "blobId": "b" * 40}
        if key in self.hub.large:
            sha256 = hashlib.sha256(content).hexdigest()
            sibling["lfs"] = {"size": len(content), "sha256": sha256, "pointerSize": 130}
        return sibling

    def _answer_resolve(self, path: str) -> None:
        repository, _, rest = path.partition("/resolve/")
        key = f"{repository}/{rest.partition('/')[2]}"
        if key not in self.hub.files:
            self._answer(HTTPStatus.NOT_FOUND, {"X-Error-Code": "EntryNotFound"})
            return
        content = self.hub.files[key]
        headers = {"X-Repo-Commit": COMMIT, "ETag": f'"{hashlib.sha1(content).hexdigest()}"'}
        if key in self.hub.large:
            headers |= {"X-Linked-Size": str(len(content)), "Location": f"{self.hub.elsewhere}/cdn/{key}"}
            headers["X-Linked-ETag"] = f'"{hashlib.sha256(content).hexdigest()}"'
            self._answer(HTTPStatus.FOUND, headers)
        else:
            self._answer(HTTPStatus.OK, headers, content)

    def _send_file(self, key: str) -> None:
        content = self.hub.tampered.get(key, self.hub.files[key])
        asked = self.headers.get("Range")
        start = int(asked.removeprefix("bytes=").partition("-")[0]) if asked else 0
        if asked is None or self.hub.ignores_ranges:
            self._answer(HTTPStatus.OK, {}, content, may_cut=True)
            return
        headers = {"Content-Range": f"bytes {start}-{len(content) - 1}/{len(content)}"}
        self._answer(HTTPStatus.PARTIAL_CONTENT, headers, content[start:], may_cut=True)

    def _answer(
        self, status: HTTPStatus, headers: dict[str, str], body: bytes = b"", *, may_cut: bool = False
    ) -> None:
        self.send_response(status)
        for name, value in ({"Content-Length": str(len(body))} | headers).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "HEAD":
            return
        if may_cut and self.hub.cuts_bytes:
            self.wfile.write(body[: self.hub.cuts_bytes.pop(0)])
            self.wfile.flush()
            if self.hub.stalled is not None:
                self.hub.stalled.wait()
            self.close_connection = True
            return
        self.wfile.write(body)
