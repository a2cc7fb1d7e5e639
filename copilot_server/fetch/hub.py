"""Fetching from a model hub through huggingface_hub, which honours HF_ENDPOINT, HF_TOKEN and the like.

Its ``snapshot_download`` is not used: it downloads a file from the start after an interrupted pull, and takes
more than a minute to give up on a hub that cannot be reached.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fnmatch import fnmatch
from typing import TYPE_CHECKING, BinaryIO, TypeVar, cast

from attrs import frozen

from copilot_server.catalog import HubSource
from copilot_server.errors import DownloadError
from copilot_server.fetch.partial import Expected, Partial
from copilot_server.fetch.progress import in_thread, unless_cancelled

if TYPE_CHECKING:
    from huggingface_hub.hf_api import RepoSibling

_Answer = TypeVar("_Answer")

#: How long one attempt at one of the hub's addresses may take, in seconds.
TIMEOUT_S = 5.0
#: How long all attempts together may take, in seconds; a hub that has not answered by then is unreachable.
DEADLINE_S = 8.0

# The first pattern that matches any file is used. Pickles (.bin) are never fetched: reading one may run code.
_WEIGHTS = ("model*.safetensors", "*.safetensors")
_BESIDE_WEIGHTS = ("*.json", "*.txt", "*.model", "*.jinja", "LICENSE*")
_SHA256 = re.compile(r"[0-9a-f]{64}")


@frozen
class Listing:
    """The files of a repository that make up a model, at one commit."""

    commit: str
    files: tuple[Expected, ...]

    @property
    def size_bytes(self) -> int:
        """The size of all files together."""
        return sum(file.size_bytes for file in self.files)


def fetch_file(source: HubSource, partial: Partial) -> None:
    """Append the bytes that ``partial`` still lacks.

    Raises:
        DownloadError: the hub cannot be reached, lacks the file, or has a different one.
        FetchCancelledError: the user has ended the pull.
        DiskSpaceError, HashMismatchError: raised by ``partial``.
    """
    from huggingface_hub import get_hf_file_metadata, hf_hub_url  # noqa: PLC0415 - slow to import
    from huggingface_hub.file_download import http_get  # noqa: PLC0415
    from huggingface_hub.utils import (  # type: ignore[attr-defined]  # noqa: PLC0415 - exported lazily
        build_hf_headers,
        silent_tqdm,
    )

    expected = partial.expected
    url = hf_hub_url(source.repository, expected.name, revision=source.revision)

    def fetch() -> None:
        metadata = _in_time(lambda: get_hf_file_metadata(url, timeout=TIMEOUT_S))
        _check_offer(expected, metadata.size, metadata.etag)
        http_get(
            url,
            cast("BinaryIO", partial),
            resume_size=partial.size_bytes,
            # A compressed response could not be resumed.
            headers={**build_hf_headers(), "Accept-Encoding": "identity"},
            expected_size=expected.size_bytes,
            tqdm_class=silent_tqdm,
        )

    with _download_errors(source):
        unless_cancelled(fetch, partial.progress)


def list_snapshot(source: HubSource) -> Listing:
    """List the files that make up the model: its configuration, its tokenizer and one set of weights.

    Raises:
        DownloadError: the hub cannot be reached, or has no such model.
    """
    from huggingface_hub import HfApi  # noqa: PLC0415 - slow to import

    with _download_errors(source):
        info = _in_time(
            lambda: HfApi().model_info(
                source.repository, revision=source.revision, timeout=TIMEOUT_S, files_metadata=True
            )
        )
    # Only the top folder: some repositories have the same weights in other formats in subfolders.
    siblings = {s.rfilename: s for s in info.siblings or () if re.fullmatch(r"\w[\w.-]*", s.rfilename)}
    names = _wanted(list(siblings))
    if info.sha is None or not names:
        msg = f"{source.repository} on the hub holds no weights in safetensors"
        raise DownloadError(msg)
    return Listing(info.sha, tuple(_expected(siblings[name]) for name in names))


def _wanted(names: list[str]) -> list[str]:
    for pattern in _WEIGHTS:
        if weights := [name for name in names if fnmatch(name, pattern)]:
            beside = [name for name in names if any(fnmatch(name, other) for other in _BESIDE_WEIGHTS)]
            return sorted(beside) + sorted(weights)
    return []


def _expected(sibling: RepoSibling) -> Expected:
    sha256 = sibling.lfs.sha256 if sibling.lfs is not None else None
    return Expected(sibling.rfilename, sibling.size or 0, sha256)


def _check_offer(expected: Expected, size_bytes: int | None, etag: str | None) -> None:
    """Refuse a different file before it is fetched: a hub's ETag is the sha256 of a large file."""
    if size_bytes not in {None, expected.size_bytes}:
        msg = f"the hub's {expected.name} has {size_bytes} bytes instead of {expected.size_bytes}"
        raise DownloadError(msg)
    if expected.sha256 and etag and _SHA256.fullmatch(etag) and etag != expected.sha256:
        msg = f"the hub's {expected.name} has the sha256 {etag} instead of {expected.sha256}"
        raise DownloadError(msg)


def _in_time(ask: Callable[[], _Answer]) -> _Answer:
    """Call ``ask`` with one deadline for the name lookup and all addresses together, which have none.

    Raises:
        TimeoutError: there is no answer after ``DEADLINE_S``.
        Exception: the exception that ``ask`` raised.
    """
    return in_thread(ask, "hub").result(DEADLINE_S)


@contextmanager
def _download_errors(source: HubSource) -> Iterator[None]:
    from huggingface_hub import errors  # noqa: PLC0415 - slow to import

    # The exception of the HTTP library that huggingface_hub happens to use.
    no_answer: type[Exception] = errors.HTTPError  # type: ignore[attr-defined]
    try:
        yield
    except errors.GatedRepoError as error:
        remedy = "Accept its licence on the hub, and set HF_TOKEN to one of your tokens."
        msg = f"the hub requires an agreement for {source.repository}"
        raise DownloadError(msg, remedy=remedy) from error
    except errors.HfHubHTTPError as error:
        msg = f"the hub answered {error.response.status_code} for {source.repository}"
        raise DownloadError(msg) from error
    except (no_answer, OSError, errors.HFValidationError) as error:
        reason = (str(error) or type(error).__name__).splitlines()[0].rstrip(".")
        msg = f"the hub cannot be reached for {source.repository} ({reason})"
        raise DownloadError(msg) from error
