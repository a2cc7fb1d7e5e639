"""Hostile models: folders and GGUF files that anybody may have made, and what other users put beside them.

Each is loaded in a process of its own, as the server loads it, and completes a function. It must be refused
with a remedy, or served as if the attack were not there. The twin is a change of the same kind that no
attacker needs, and it is served.
"""

from __future__ import annotations

import json
import os
import pickle
import shutil
import struct
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch as torch_files
from safetensors.numpy import load_file, save_file

from copilot_server.engine.models.gguf import described_folder, prepared_folder
from copilot_server.fetch.derived import derived_folder
from tests.support.model_process import load_and_complete
from tests.support.tiny_gguf import build_tiny_gguf

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="limits on a process's memory")

Change = Callable[[Path], object]
WEIGHTS, CONFIG, TOKENIZER = "model.safetensors", "config.json", "tokenizer.json"
EMBEDDING = "model.embed_tokens.weight"
LAYER = "model.layers.1.mlp."
#: Names a file that the attacker's code writes.
MARKER = "COPILOT_SERVER_TEST_MARKER"


@dataclass(frozen=True)
class Attack:
    """What it tries, how the folder changes, what the refusal says, and the change that does no harm.

    ``refusal``: None if the folder is served, and the attack has no effect.
    """

    tries: str
    spoil: Change
    refusal: str | None
    harmless: Change


def config(**changes: object) -> Change:
    return change_json(CONFIG, lambda tree: tree.update(changes))


def change_json(name: str, change: Callable[[Any], object]) -> Change:
    def apply(folder: Path) -> None:
        tree = json.loads((folder / name).read_text("utf-8"))
        change(tree)
        (folder / name).write_text(json.dumps(tree), "utf-8")

    return apply


def tensors(**changes: Callable[[np.ndarray], np.ndarray]) -> Change:
    """Change tensors by name, with ``__`` for each dot."""

    def apply(folder: Path) -> None:
        found = load_file(folder / WEIGHTS)
        for name, change in changes.items():
            dotted = name.replace("__", ".")
            found[dotted] = np.ascontiguousarray(change(found[dotted]))
        save_file(found, folder / WEIGHTS, {"format": "pt"})

    return apply


def header(change: Callable[[dict[str, Any]], object]) -> Change:
    """Change the header of the weights, and leave the data as they are."""

    def apply(folder: Path) -> None:
        data = (folder / WEIGHTS).read_bytes()
        (length,) = struct.unpack("<Q", data[:8])
        tree = json.loads(data[8 : 8 + length])
        change(tree)
        text = json.dumps(tree).encode()
        (folder / WEIGHTS).write_bytes(struct.pack("<Q", len(text)) + text + data[8 + length :])

    return apply


def header_length(length: int) -> Change:
    def apply(folder: Path) -> None:
        data = (folder / WEIGHTS).read_bytes()
        (folder / WEIGHTS).write_bytes(struct.pack("<Q", length) + data[8:])

    return apply


def padded_header(folder: Path) -> None:
    """Add spaces to the header, as the format allows."""
    data = (folder / WEIGHTS).read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    text = data[8 : 8 + length] + b" " * 64
    (folder / WEIGHTS).write_bytes(struct.pack("<Q", len(text)) + text + data[8 + length :])


def in_turn(*changes: Change) -> Change:
    return lambda folder: [change(folder) for change in changes]


def taller(rows: np.ndarray) -> np.ndarray:
    return np.concatenate([rows] * 4)


def wider(rows: np.ndarray) -> np.ndarray:
    return np.concatenate([rows] * 4, axis=1)


def one_more_row(rows: np.ndarray) -> np.ndarray:
    return np.concatenate([rows, rows[:1]])


def all_four_times_as_wide(folder: Path) -> None:
    wide = {
        f"model__layers__{i}__mlp__{name}_proj__weight": taller for i in (0, 1) for name in ("gate", "up")
    }
    wide |= {f"model__layers__{i}__mlp__down_proj__weight": wider for i in (0, 1)}
    tensors(**wide)(folder)
    config(intermediate_size=256)(folder)


def vocabulary_word(offset: int, length: int = 30) -> Change:
    """Add a word with an id that is ``offset`` behind the last row of the embedding."""

    def apply(folder: Path) -> None:
        token_id = json.loads((folder / CONFIG).read_text("utf-8"))["vocab_size"] + offset
        change_json(TOKENIZER, lambda tree: tree["model"]["vocab"].update({"w" * length: token_id}))(folder)

    return apply


def vocabulary_word_with_a_row(folder: Path) -> None:
    vocabulary_word(0)(folder)
    size = json.loads((folder / CONFIG).read_text("utf-8"))["vocab_size"]
    tensors(model__embed_tokens__weight=one_more_row, lm_head__weight=one_more_row)(folder)
    config(vocab_size=size + 1)(folder)


def added_token(**about: object) -> Change:
    return change_json(TOKENIZER, lambda tree: tree["added_tokens"].append(tree["added_tokens"][-1] | about))


def normalizer(*replacements: tuple[str, str]) -> Change:
    chain = [{"type": "Replace", "pattern": {"String": old}, "content": new} for old, new in replacements]
    return change_json(
        TOKENIZER, lambda tree: tree.update(normalizer={"type": "Sequence", "normalizers": chain})
    )


def splitter(pattern: str) -> Change:
    split = {"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": False}
    return change_json(
        TOKENIZER,
        lambda tree: tree.update(
            pre_tokenizer={"type": "Sequence", "pretokenizers": [split, tree["pre_tokenizer"]]}
        ),
    )


def nested(name: str, depth: int) -> Change:
    def apply(folder: Path) -> None:
        text = (folder / name).read_text("utf-8").rstrip()
        (folder / name).write_text(f'{text[:-1]}, "more": {"[" * depth}{"]" * depth}}}', "utf-8")

    return apply


def overlap(tree: dict[str, Any]) -> None:
    names = [name for name in tree if name.endswith("gate_proj.weight")]
    tree[names[0]]["data_offsets"] = tree[names[1]]["data_offsets"]


def move_out(tree: dict[str, Any]) -> None:
    start, end = tree[EMBEDDING]["data_offsets"]
    tree[EMBEDDING]["data_offsets"] = [start + 2**40, end + 2**40]


class Writes:
    """Writes a file when it is unpickled."""

    def __init__(self, marker: str) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.write_text, (Path(self.marker), "the pickle ran")


def only_a_pickle(folder: Path) -> None:
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps(Writes(os.environ[MARKER])))
    (folder / WEIGHTS).unlink()


def a_pickle_beside(folder: Path) -> None:
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps(Writes(os.environ[MARKER])))


def own_code(model_type: str) -> Change:
    def apply(folder: Path) -> None:
        (folder / "own.py").write_text(f"open({os.environ[MARKER]!r}, 'w').write('ran')\n")
        classes = {"AutoConfig": "own.OwnConfig", "AutoModelForCausalLM": "own.OwnModel"}
        config(model_type=model_type, auto_map=classes)(folder)
        change_json(
            "tokenizer_config.json", lambda tree: tree.update(auto_map={"AutoTokenizer": ["own.T", None]})
        )(folder)

    return apply


def code_that_nothing_names(folder: Path) -> None:
    (folder / "own.py").write_text(f"open({os.environ[MARKER]!r}, 'w').write('ran')\n")


def linked(name: str, to: str) -> Change:
    def apply(folder: Path) -> None:
        (folder / name).unlink(missing_ok=True)
        (folder / name).symlink_to(to)

    return apply


def linked_to_its_own(name: str) -> Change:
    """A link to a file elsewhere, as the cache of Hugging Face has them."""

    def apply(folder: Path) -> None:
        blob = folder.parent / f"blob-{name}"
        (folder / name).rename(blob)
        (folder / name).symlink_to(blob)

    return apply


def pipe(name: str) -> Change:
    def apply(folder: Path) -> None:
        (folder / name).unlink(missing_ok=True)
        os.mkfifo(folder / name)

    return apply


def own_packed_weights(folder: Path) -> None:
    """Pack other weights, with what the server writes about them, and put them into the folder."""
    forge_packed(packed_weights(folder))
    shutil.copyfile(packed_weights(folder), folder / "packed-int8.weights")
    packed_weights(folder).unlink()


def nothing(_: Path) -> None:
    """Change nothing."""


def sized(name: str, value: object, harmless: Change = nothing) -> Attack:
    shown = f"10**{len(str(value)) - 1}" if len(str(value)) > 20 else repr(value)
    return Attack(f"{name} of {shown} in config.json", config(**{name: value}), "config.json", harmless)


ATTACKS = {
    "gate_proj": Attack(
        "a gate_proj four times as large as config.json says, past the scratch memory",
        tensors(model__layers__1__mlp__gate_proj__weight=taller), f"{LAYER}gate_proj.weight has the shape",
        all_four_times_as_wide,
    ),
    "feed_forward": Attack(
        "feed-forward tensors four times as large as config.json says",
        in_turn(all_four_times_as_wide, config(intermediate_size=64)), "gate_proj.weight has the shape",
        all_four_times_as_wide,
    ),
    "small_embedding": Attack(
        "an embedding with fewer rows than the vocabulary",
        tensors(model__embed_tokens__weight=lambda rows: rows[:8]), f"{EMBEDDING} has the shape",
        tensors(model__embed_tokens__weight=lambda rows: rows * 2),
    ),
    "norm": Attack(
        "a norm with fewer numbers than the width",
        tensors(model__norm__weight=lambda numbers: numbers[:1]), "model.norm.weight has the shape",
        tensors(model__norm__weight=lambda numbers: numbers * 2),
    ),
    "number_format": Attack(
        "a tensor in a number format of other size",
        tensors(model__norm__weight=lambda numbers: numbers.astype(np.uint8)), "model.norm.weight holds U8",
        tensors(model__norm__weight=lambda numbers: numbers.astype(np.float16)),
    ),
    "not_finite": Attack(
        "weights that are not finite",
        tensors(model__norm__weight=lambda numbers: numbers * np.inf), "not finite",
        tensors(model__norm__weight=lambda numbers: numbers * 2),
    ),
    **{
        f"{name}={value if len(str(value)) < 20 else 'huge'}": sized(name, value, harmless)
        for name, value, harmless in (
            ("hidden_size", -32, nothing),
            ("hidden_size", 2**31, nothing),
            ("hidden_size", "32", nothing),
            ("num_hidden_layers", 10**9, config(num_hidden_layers=1)),
            ("num_hidden_layers", -1, config(num_hidden_layers=1)),
            ("num_attention_heads", 0, nothing),
            ("num_attention_heads", -4, nothing),
            ("num_key_value_heads", 2**40, nothing),
            ("head_dim", 10**6, nothing),
            ("intermediate_size", 10**400, nothing),
            ("vocab_size", 2**63, nothing),
            ("max_position_embeddings", 10**12, config(max_position_embeddings=2**20)),
            ("max_position_embeddings", -1, config(max_position_embeddings=64)),
            ("rms_norm_eps", float("nan"), config(rms_norm_eps=1e-5)),
            ("rope_parameters", {"rope_type": "default", "rope_theta": 0},
             config(rope_parameters={"rope_type": "default", "rope_theta": 1e6})),
        )
    },
    "more_layers": Attack(
        "more layers in config.json than there are tensors for",
        config(num_hidden_layers=900, layer_types=None), "model.layers.2.input_layernorm.weight is missing",
        config(num_hidden_layers=1, layer_types=None),
    ),
    "token_outside": Attack(
        "a word of the tokenizer with an id behind the embedding",
        vocabulary_word(0), "has the token", vocabulary_word_with_a_row,
    ),
    "token_far_outside": Attack(
        "a word of the tokenizer with the id 2**31",
        vocabulary_word(2**31 - 700), "has the token", vocabulary_word(-1),
    ),
    "added_token_outside": Attack(
        "a token for common text with an id behind the embedding",
        added_token(id=2**30, content="return", special=False), "has the token",
        added_token(id=2**30, content="[PAD]", special=True),
    ),
    "growing_text": Attack(
        "a normalizer that makes 10**15 characters of one",
        normalizer(*[("e", "e" * 1000)] * 5), "replacements", normalizer(("\t", "    "), ("\r", "\n")),
    ),
    "growing_output": Attack(
        "a token of a million characters",
        vocabulary_word(-1, 10**6), "a token of 1000000 characters", vocabulary_word(-1, 100),
    ),
    "slow_pattern": Attack(
        "a regular expression that backtracks for ever",
        splitter(r"(\w+\w+)+!(?=\1)|([a-z :()\n*0-9]+)+#"), "cannot read this text", splitter(r"\w+|\W"),
    ),
    "pickle": Attack("a pickle in place of the weights", only_a_pickle, "cannot be read", nothing),
    "pickle_beside": Attack("a pickle beside the weights", a_pickle_beside, None, nothing),
    "code": Attack(
        "Python code for a model type of its own", own_code("own"), "config.json", code_that_nothing_names,
    ),
    "code_beside": Attack(
        "Python code for a known model type", own_code("qwen2"), None, code_that_nothing_names,
    ),
    "nested_config": Attack(
        "200,000 nested lists in config.json", nested(CONFIG, 200_000), "config.json", nested(CONFIG, 20),
    ),
    "nested_tokenizer": Attack(
        "200,000 nested lists in tokenizer.json",
        nested(TOKENIZER, 200_000), "tokenizer.json is not", change_json(TOKENIZER, lambda tree: tree),
    ),
    "nested_header": Attack(
        "200,000 nested lists in the header of the weights",
        header(lambda tree: tree.update(more="@")), "cannot be read", padded_header,
    ),
    "overlap": Attack(
        "tensors that overlap", header(overlap), "overlap",
        header(lambda tree: tree.update(sorted(tree.items()))),
    ),
    "outside_of_file": Attack(
        "a tensor a terabyte behind the end of the file", header(move_out), "within the file", padded_header,
    ),
    "negative_offset": Attack(
        "a tensor before the beginning of the file",
        header(lambda tree: tree[EMBEDDING].update(data_offsets=[-64, 0])), "cannot be read", padded_header,
    ),
    "shape_overflows": Attack(
        "a shape whose product is 0 in 64 bits",
        header(lambda tree: tree[EMBEDDING].update(shape=[2**32, 2**32])), "within the file", padded_header,
    ),
    "header_length": Attack(
        "a header of 2**63 bytes", header_length(2**63), "not a safetensors file", padded_header,
    ),
    "header_of_file": Attack(
        "a header as long as the file", header_length(10**6), "not a safetensors file", padded_header,
    ),
    "endless_tokenizer": Attack(
        "tokenizer.json as a link to /dev/zero",
        linked(TOKENIZER, "/dev/zero"), "neither a file", linked_to_its_own(TOKENIZER),
    ),
    "endless_weights": Attack(
        "weights as a link to /dev/zero",
        linked(WEIGHTS, "/dev/zero"), "neither a file", linked_to_its_own(WEIGHTS),
    ),
    "pipe": Attack(
        "tokenizer.json as a pipe", pipe(TOKENIZER), "neither a file", linked_to_its_own(TOKENIZER),
    ),
    "large_json": Attack(
        "a tokenizer.json of 300 MB",
        lambda folder: os.truncate(folder / TOKENIZER, 300 << 20), "far more", linked_to_its_own(TOKENIZER),
    ),
    "packed": Attack("packed weights of its own in the folder", own_packed_weights, None, nothing),
}  # fmt: skip


@pytest.fixture
def folder(tiny_model_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of a tiny model, with a cache of its own and the path of the attacker's file."""
    monkeypatch.setenv("COPILOT_SERVER_HOME", str(tmp_path / "home"))
    monkeypatch.setenv(MARKER, str(tmp_path / "marker"))
    (tmp_path / "home").mkdir()
    return Path(shutil.copytree(tiny_model_dir, tmp_path / "model"))


@pytest.mark.parametrize("name", ATTACKS)
def test_hostile_folder(
    name: str, folder: Path, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    attack = ATTACKS[name]
    record_property("tries", attack.tries)
    honest = attack.refusal or load_and_complete(folder)
    shutil.rmtree(derived_folder(folder))
    attack.spoil(folder)
    met = load_and_complete(folder)
    record_property("met", met.replace(f"{folder}", "MODEL"))
    assert not (tmp_path / "marker").exists()
    if attack.refusal is None:
        assert met == honest
    else:
        assert met.startswith("refused: ")
        assert attack.refusal in met
        assert met.rpartition(" | ")[2]


@pytest.mark.parametrize("name", ATTACKS)
def test_folder_twin(name: str, folder: Path) -> None:
    ATTACKS[name].harmless(folder)
    assert load_and_complete(folder).startswith("served: ")


def packed_weights(folder: Path) -> Path:
    """Have the folder packed; return the file."""
    load_and_complete(folder)
    return derived_folder(folder) / "packed-int8.weights"


def forge_packed(path: Path) -> None:
    """Put other weights into a packed file; the rest of it is as the server wrote it."""
    data = bytearray(path.read_bytes())
    half = len(data) // 2
    data[half:] = bytes(len(data) - half)
    path.write_bytes(data)


def writable_by_others(path: Path) -> None:
    path.chmod(0o666)


def writable_by_its_group(path: Path) -> None:
    path.chmod(0o660)


def give_to_others(path: Path) -> None:
    """Let another user own it; only the administrator can."""
    if os.geteuid() != 0:
        pytest.skip("only the administrator can give a file away")
    os.chown(path, 12345, -1)


@pytest.mark.parametrize(
    "how", [lambda path: path.chmod(0o666), lambda path: path.chmod(0o660), give_to_others]
)
def test_hostile_neighbour_writes_packed_weights(how: Change, folder: Path) -> None:
    honest = load_and_complete(folder)
    path = packed_weights(folder)
    forge_packed(path)
    how(path)
    assert load_and_complete(folder) == honest


def test_packed_weights_that_only_we_may_write_are_believed_twin(folder: Path) -> None:
    """Which shows that forged ones would have mattered."""
    honest = load_and_complete(folder)
    forge_packed(packed_weights(folder))
    assert load_and_complete(folder) != honest


def test_hostile_neighbour_links_packed_weights_to_theirs(folder: Path, tmp_path: Path) -> None:
    honest = load_and_complete(folder)
    path = packed_weights(folder)
    forge_packed(path)
    theirs = path.rename(tmp_path / "theirs")
    path.symlink_to(theirs)
    assert load_and_complete(folder) == honest


def test_hostile_neighbour_owns_the_cache(folder: Path, tmp_path: Path) -> None:
    load_and_complete(folder)
    give_to_others(tmp_path / "home" / "prepared")
    met = load_and_complete(folder)
    assert met.startswith("refused: ")
    assert "belongs to another user" in met


def test_cache_of_our_own_twin(folder: Path, tmp_path: Path) -> None:
    load_and_complete(folder)
    (tmp_path / "home" / "prepared").chmod(0o777)  # ours: the mode is mended
    assert load_and_complete(folder).startswith("served: ")
    assert not (tmp_path / "home" / "prepared").stat().st_mode & 0o022


@pytest.fixture(scope="module")
def good_gguf(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return build_tiny_gguf(tmp_path_factory.mktemp("gguf") / "tiny.gguf").read_bytes()


@pytest.fixture
def gguf(good_gguf: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A tiny model in a folder that others may write to, with a cache of its own."""
    monkeypatch.setenv("COPILOT_SERVER_HOME", str(tmp_path / "home"))
    (tmp_path / "home").mkdir()
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o777)
    (shared / "tiny.gguf").write_bytes(good_gguf)
    return shared / "tiny.gguf"


def number_at(data: bytes, at: int, kind: str, value: int) -> bytes:
    return data[:at] + struct.pack(f"<{kind}", value) + data[at + struct.calcsize(kind) :]


def value_of(data: bytes, name: str) -> int:
    """Where the value of a metadata entry begins, after its name and type."""
    return data.index(name.encode()) + len(name) + 4


#: What each tries, and how it changes the file.
GGUF_ATTACKS: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "tensors": ("a GGUF file with 2**63 tensors", lambda data: number_at(data, 8, "Q", 2**63)),
    "values": ("a GGUF file with 2**40 values", lambda data: number_at(data, 16, "Q", 2**40)),
    "key_length": ("a GGUF file with a key of 2**63 bytes", lambda data: number_at(data, 24, "Q", 2**63)),
    "layers": (
        "a GGUF file with a million layers in 100 KB",
        lambda data: number_at(data, value_of(data, "qwen2.block_count"), "I", 10**6),
    ),
    "width": (
        "a GGUF file with a width of 2**31",
        lambda data: number_at(data, value_of(data, "qwen2.embedding_length"), "I", 2**31),
    ),
    "array": (
        "a GGUF file with an array of 2**60 tokens",
        lambda data: number_at(data, value_of(data, "tokenizer.ggml.tokens") + 4, "Q", 2**60),
    ),
    "type": (
        "a GGUF file with a value of a type that there is not",
        lambda data: number_at(data, value_of(data, "qwen2.block_count") - 4, "I", 99),
    ),
    "dimensions": (
        "a GGUF file with a tensor of 2**32 - 1 dimensions",
        lambda data: number_at(data, data.rindex(b"token_embd.weight") + 17, "I", 2**32 - 1),
    ),
    "shape": (
        "a GGUF file with a tensor of 2**60 rows",
        lambda data: number_at(data, data.rindex(b"token_embd.weight") + 29, "Q", 2**60),
    ),
    "cut": ("a GGUF file that ends within its tensors", lambda data: data[: len(data) // 2]),
}


@pytest.mark.parametrize("name", GGUF_ATTACKS)
def test_hostile_gguf(
    name: str, gguf: Path, good_gguf: bytes, record_property: Callable[[str, object], None]
) -> None:
    tries, change = GGUF_ATTACKS[name]
    gguf.write_bytes(change(good_gguf))
    record_property("tries", tries)
    met = load_and_complete(gguf)
    record_property("met", met.replace(f"{gguf}", "MODEL"))
    assert met.startswith("refused: ")
    assert "not a GGUF file that can be read" in met


def test_gguf_twin(gguf: Path, good_gguf: bytes) -> None:
    """Another number in the header, of the same kind as those of the attacks."""
    gguf.write_bytes(number_at(good_gguf, value_of(good_gguf, "qwen2.context_length"), "I", 256))
    assert load_and_complete(gguf).startswith("served: ")


def unpacked(gguf: Path) -> Path:
    """What transformers unpacks a GGUF file to, made anew with other weights; numpy has no bfloat16."""
    folder = prepared_folder(gguf)
    found = torch_files.load_file(folder / WEIGHTS)
    found["model.norm.weight"] = -found["model.norm.weight"]
    torch_files.save_file(found, folder / WEIGHTS, {"format": "pt"})
    return folder


def described(gguf: Path) -> Path:
    """What the kernels read from a GGUF file by themselves, with other weights."""
    folder = described_folder(gguf)
    assert folder is not None
    packed = folder / "packed-gguf.weights"
    packed.write_bytes(packed.read_bytes()[:-4096] + bytes(4096))
    return folder


#: Both ways to serve a GGUF file: the number format, and what forges what was made of the file.
WAYS = [("bfloat16", unpacked), ("gguf", described)]


@pytest.mark.parametrize(("dtype", "forge"), WAYS)
def test_hostile_neighbour_puts_what_would_be_made_beside_a_gguf(
    dtype: str, forge: Callable[[Path], Path], gguf: Path, tmp_path: Path
) -> None:
    honest = load_and_complete(gguf, dtype)
    ours = forge(gguf)
    shutil.copytree(ours, gguf.parent / ours.name)
    for name in (CONFIG, TOKENIZER):
        shutil.copyfile(ours / name, gguf.parent / name)
    shutil.rmtree(tmp_path / "home")
    (tmp_path / "home").mkdir()
    assert load_and_complete(gguf, dtype) == honest


@pytest.mark.parametrize(("dtype", "forge"), WAYS)
def test_what_is_in_our_own_cache_would_be_loaded_twin(
    dtype: str, forge: Callable[[Path], Path], gguf: Path
) -> None:
    honest = load_and_complete(gguf, dtype)
    forge(gguf)
    assert load_and_complete(gguf, dtype) != honest


@pytest.mark.parametrize(("dtype", "forge"), WAYS)
def test_hostile_neighbour_writes_to_what_was_made_of_a_gguf(
    dtype: str, forge: Callable[[Path], Path], gguf: Path
) -> None:
    honest = load_and_complete(gguf, dtype)
    for path in forge(gguf).iterdir():
        path.chmod(0o666)
    assert load_and_complete(gguf, dtype) == honest


def test_pickle_and_code_would_write_their_files_twin(folder: Path, tmp_path: Path) -> None:
    """The attacks with pickles and code are ones indeed."""
    marker = tmp_path / "marker"
    a_pickle_beside(folder)
    pickle.loads((folder / "pytorch_model.bin").read_bytes())
    assert marker.read_text() == "the pickle ran"
    own_code("own")(folder)
    subprocess.run([sys.executable, folder / "own.py"], check=True)
    assert marker.read_text() == "ran"
