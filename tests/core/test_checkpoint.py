"""Model folders and checkpoints: what is damaged, foreign or hostile is refused in one line, and nothing is run."""

from __future__ import annotations

import json
import pickle
import re
import shutil
import struct
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import small
from corpora import files
from corpora.codecs.words import Words
from corpora.errors import InputError
from textgen.core import checkpoint, recipes
from textgen.runs import library
from textgen.runs.run import Run
from textgen.runs.screen import Screen

FILES = ("config.json", "codec.json", "model.safetensors", "manifest.json")
WORDS = Words(["the", "cat", "dog", "sees", "a", "bird", "red", "sleeps", "near"])
LENGTH = 12


def write(folder: Path, model: str = "vae", louder: float = 1.0, **settings: Any) -> Path:
    """A model folder with untrained weights."""
    recipe = recipes.compose(model, small.settings(model, **settings))[0]
    torch.manual_seed(0)
    made = small.louder(recipes.build(recipe, library.vocabulary(WORDS)), louder)
    with files.new_folder(folder) as new:
        facts = {"recipe": recipe.to_dict(), "length": LENGTH}
        checkpoint.write_model(new, facts, WORDS.to_dict(), checkpoint.weights(made))
        files.write_manifest(new, {"format": checkpoint.FORMAT})
    return folder


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    return write(tmp_path_factory.mktemp("whole") / "model", width=8, encoder_width=8)


@pytest.fixture
def folder(whole, tmp_path) -> Path:
    """A copy of a whole model folder, to be spoilt."""
    return Path(shutil.copytree(whole, tmp_path / "model"))


def list_again(folder: Path) -> None:
    """Make the manifest match what the files have become."""
    (folder / files.MANIFEST).unlink()
    files.write_manifest(folder, {"format": checkpoint.FORMAT})


def put(folder: Path, name: str, data: bytes) -> None:
    """Replace a file as a stranger would who also writes the manifest."""
    (folder / name).write_bytes(data)
    list_again(folder)


def alter(folder: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    """Change config.json, and the manifest with it."""
    facts = json.loads((folder / "config.json").read_bytes())
    change(facts)
    put(folder, "config.json", json.dumps(facts).encode())


def refusal(folder: Path, opening: Callable[[Path], Any] = library.open_model) -> str:
    """The one line that opening it gives."""
    with pytest.raises(InputError) as caught:
        opening(folder)
    text = str(caught.value)
    assert "\n" not in text
    assert len(text) < 800  # it may list every setting
    return text


def test_a_whole_folder_opens_as_it_was_written(whole):
    opened = library.open_model(whole)
    assert (opened.length, opened.name, opened.recipe.model) == (LENGTH, "model", "vae")
    assert opened.codec.to_dict() == WORDS.to_dict()
    assert not opened.model.training
    stored = checkpoint.read_model(whole).tensors
    for name, value in checkpoint.weights(opened.model).items():
        assert torch.equal(value, stored[name])


# ------------------------------------------------------------------------------------------------------ damage


@pytest.mark.parametrize("share", [0, 0.01, 0.5, 0.99, "one byte"])
@pytest.mark.parametrize("name", FILES)
def test_a_truncated_file_is_refused_by_name(folder, name, share):
    data = (folder / name).read_bytes()
    (folder / name).write_bytes(data[:-1] if share == "one byte" else data[: int(share * len(data))])
    if name == files.MANIFEST and share == "one byte":  # the line end alone is gone: nothing is lost
        assert library.open_model(folder).length == LENGTH
        return
    assert str(folder / name) in refusal(folder)


@pytest.mark.parametrize("name", FILES)
def test_a_flipped_bit_is_noticed_wherever_it_is(folder, name):
    data = (folder / name).read_bytes()
    for place in range(0, len(data) - (name == files.MANIFEST), max(1, len(data) // 60)):
        spoilt = bytearray(data)
        spoilt[place] ^= 1 << place % 8
        (folder / name).write_bytes(spoilt)
        said = refusal(folder, checkpoint.read_model)
        assert name == files.MANIFEST or str(folder / name) in said
    assert str(folder / name) in refusal(folder) or name == files.MANIFEST


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_named(folder, name):
    (folder / name).unlink()
    said = refusal(folder)
    assert name in said
    assert str(folder) in said


@pytest.mark.parametrize("name", FILES[:3])
def test_a_file_that_the_manifest_does_not_list_is_not_believed(folder, name):
    manifest = json.loads((folder / files.MANIFEST).read_bytes())
    del manifest["files"][name]
    (folder / files.MANIFEST).write_text(json.dumps(manifest))
    assert f"the file '{name}' is not listed" in refusal(folder)


@pytest.mark.parametrize("name", ["../model/config.json", "a/b", "..", ".", "", "a\\b", "a\0b", "x" * 300, "é" * 200])
def test_a_manifest_cannot_name_a_file_elsewhere(folder, name):
    manifest = json.loads((folder / files.MANIFEST).read_bytes())
    manifest["files"][name] = {"bytes": 1, "sha256": ""}
    (folder / files.MANIFEST).write_text(json.dumps(manifest))
    assert "manifest.json: bad entry" in refusal(folder)


@pytest.mark.parametrize("version", [2, 0, "1", None, [1]])
def test_another_format_version_is_refused_with_both_named(folder, version):
    manifest = json.loads((folder / files.MANIFEST).read_bytes())
    (folder / files.MANIFEST).write_text(json.dumps({**manifest, "format": version}))
    assert f"has format {version!r}, this version of the program reads format 1" in refusal(folder)


def test_a_symbolic_link_is_not_followed(folder, tmp_path):
    elsewhere = (folder / "codec.json").rename(tmp_path / "elsewhere.json")
    (folder / "codec.json").symlink_to(elsewhere)
    assert "the file 'codec.json' is missing" in refusal(folder)


def test_the_links_of_the_hugging_face_cache_are_followed_and_no_others(folder, tmp_path):
    cache = tmp_path / "models--owner--name"
    (cache / "blobs").mkdir(parents=True)
    (cache / "snapshots").mkdir()
    snapshot = folder.rename(cache / "snapshots" / "0123abcd")
    for number, name in enumerate(FILES):
        (snapshot / name).rename(cache / "blobs" / str(number))
        (snapshot / name).symlink_to(Path("../../blobs") / str(number))
    assert library.open_model(snapshot).length == LENGTH
    outside = (cache / "blobs" / "1").rename(tmp_path / "outside")
    (cache / "blobs" / "1").symlink_to(outside)
    assert "the file 'codec.json' is missing" in refusal(snapshot)


# -------------------------------------------------------------------------------------------- hostile weights


class Trap:
    """Unpickling it makes a file."""

    def __init__(self, canary: Path) -> None:
        self.canary = canary

    def __reduce__(self) -> Any:
        return Path.touch, (self.canary,)


@pytest.mark.parametrize("kind", ["protocol 0", "protocol 2", "protocol 4", "protocol 5", "torch", "zip"])
def test_a_pickle_is_refused_without_being_opened(folder, tmp_path, kind):
    canary, payload = tmp_path / "canary", tmp_path / "payload"
    if kind == "torch":
        torch.save({"weight": torch.zeros(2), "trap": Trap(canary)}, payload)
        torch.load(payload, weights_only=False)
    else:
        data = pickle.dumps({"trap": Trap(canary)}, int(kind[-1]) if kind != "zip" else 4)
        payload.write_bytes(data)
        pickle.loads(data)  # noqa: S301 - our own
    assert canary.exists(), "the trap does not work"
    canary.unlink()
    if kind == "zip":
        with zipfile.ZipFile(tmp_path / "zip", "w") as archive:
            archive.write(payload, "archive/data.pkl")
        payload = tmp_path / "zip"
    put(folder, checkpoint.MODEL, payload.read_bytes())
    said = refusal(folder)
    assert f"{folder / checkpoint.MODEL} is not a safetensors file that can be used" in said
    assert kind == "protocol 0" or "it is a pickle or zip file, which can run code and is never opened" in said
    assert not canary.exists()


def safetensors(table: Any, data: bytes = b"", length: int | None = None) -> bytes:
    header = table if isinstance(table, bytes) else json.dumps(table).encode()
    return struct.pack("<Q", len(header) if length is None else length) + header + data


def entry(start: int, stop: int, shape: Any = (1,), dtype: Any = "F32") -> dict[str, Any]:
    return {"dtype": dtype, "shape": list(shape), "data_offsets": [start, stop]}


BAD_WEIGHTS = {
    "nothing": b"",
    "seven bytes": b"1234567",
    "header longer than the file": safetensors({}, length=1000),
    "header of 2^63 bytes": safetensors({}, length=1 << 63),
    "header bomb": safetensors(b"{" + b" " * (2 << 20) + b"}"),
    "header nested a million deep": safetensors(b"[" * 1_000_000),
    "header not JSON": safetensors(b"not JSON"),
    "header a list": safetensors([1]),
    "entry a number": safetensors({"a": 1}),
    "overlapping": safetensors({"a": entry(0, 4), "b": entry(0, 4)}, bytes(8)),
    "partly overlapping": safetensors({"a": entry(0, 8, (2,)), "b": entry(4, 12, (2,))}, bytes(12)),
    "hole at the start": safetensors({"a": entry(4, 8)}, bytes(8)),
    "hole between": safetensors({"a": entry(0, 4), "b": entry(8, 12)}, bytes(12)),
    "bytes left at the end": safetensors({"a": entry(0, 4)}, bytes(8)),
    "bytes that are not there": safetensors({"a": entry(0, 4000, (1000,))}, bytes(8)),
    "backwards": safetensors({"a": entry(4, 0)}, bytes(4)),
    "shape that does not fit": safetensors({"a": entry(0, 4, (2,))}, bytes(4)),
    "negative shape": safetensors({"a": entry(0, 4, (-1, -1))}, bytes(4)),
    "shape of many dimensions": safetensors({"a": entry(0, 4, (1,) * 9)}, bytes(4)),
    "huge shape": safetensors({"a": entry(0, 4, (1 << 62, 1 << 62))}, bytes(4)),
    "unknown type": safetensors({"a": entry(0, 4, dtype="F31")}, bytes(4)),
    "type of another size": safetensors({"a": entry(0, 4, dtype="F64")}, bytes(4)),
    "no type": safetensors({"a": {"shape": [1], "data_offsets": [0, 4]}}, bytes(4)),
    "odd name": safetensors({"a b\n": entry(0, 4)}, bytes(4)),
    "long name": safetensors({"a" * 300: entry(0, 4)}, bytes(4)),
}


@pytest.mark.parametrize("data", BAD_WEIGHTS.values(), ids=BAD_WEIGHTS)
def test_malformed_weights_are_refused_at_once(folder, data):
    put(folder, checkpoint.MODEL, data)
    began = time.process_time()
    assert f"{folder / checkpoint.MODEL} is not a safetensors file that can be used: " in refusal(folder)
    assert time.process_time() - began < 2


def test_a_header_of_any_length_is_read():
    # 640, 1,152 and 19,280 begin with the bytes that a pickle or a zip file begins with
    for length in [*range(64, 2048, 8), 19_280, 65_536]:
        table = json.dumps({"a": entry(0, 4)}).encode().ljust(length)
        assert checkpoint.unpack(safetensors(table, struct.pack("<f", 1.5)), Path("f"))["a"].tolist() == [1.5]


def test_weights_of_another_type_are_refused(folder):
    path = folder / checkpoint.MODEL
    tensors = checkpoint.unpack(path.read_bytes(), path)
    name = "summary.weight"
    put(folder, path.name, checkpoint.pack({**tensors, name: tensors[name].to(torch.int32)}))
    assert f"{path} has another shape or type of 'summary.weight'" in refusal(folder)


def test_weights_of_another_model_are_refused_with_a_few_names(folder, tmp_path):
    other = write(tmp_path / "other", width=16, encoder_width=8)
    put(folder, checkpoint.MODEL, (other / checkpoint.MODEL).read_bytes())
    said = refusal(folder)
    assert "has another shape or type of 'backbone." in said
    assert "weights and config.json do not belong together" in said
    put(folder, checkpoint.MODEL, (write(tmp_path / "lm", "lm") / checkpoint.MODEL).read_bytes())
    assert "lacks 'backbone.first.bias', " in refusal(folder)
    assert " more: " in refusal(folder)


# ------------------------------------------------------------------------------------------- hostile settings


NAMES = [
    "os",
    "sys",
    "canary",
    "../canary",
    "../x",
    "textgen.models.vae",
    "vae.py",
    "vae\n",
    "",
    "__init__",
    ".",
    "x" * 999,
]


@pytest.mark.parametrize("where", ["model", "package", "backbone", "encoder", "prior"])
def test_a_name_from_a_file_imports_nothing(folder, tmp_path, monkeypatch, where):
    """Names are looked up among our own files; a module that lies on the path is not touched."""
    (tmp_path / "canary.py").write_text("raise SystemExit('imported')")
    monkeypatch.syspath_prepend(tmp_path)
    known = [*NAMES, *(["textgen.backbones", "corpora", "imagegen.models"] if where == "package" else ["lm.", "LSTM"])]
    for name in [*known, 1, None, ["vae"], {"vae": 1}]:
        before = set(sys.modules)

        def change(facts: dict[str, Any], name: Any = name) -> None:
            recipe = facts["recipe"]
            (recipe if where in ("model", "package") else recipe["settings"])[where] = name

        alter(folder, change)
        assert str(folder) in refusal(folder)
        assert set(sys.modules) == before


@pytest.mark.parametrize(
    "settings",
    [
        {"width": 16384, "layers": 64},
        {"embedding": 16384},
        {"latent": 4096, "encoder_width": 16384, "encoder_layers": 64},
        {"backbone": "transformer", "width": 16384, "layers": 128},
        {"prior": "mixture", "components": 4096, "covariance": "full", "latent": 4096},
        {"prior": "flow", "transforms": 64, "bins": 64, "prior_width": 4096, "latent": 4096},
    ],
)
def test_a_config_that_asks_for_a_giant_is_refused_at_once(folder, settings):
    alter(folder, lambda facts: facts["recipe"].update(settings=settings))
    began = time.process_time()
    assert "weights and config.json do not belong together" in refusal(folder)
    assert time.process_time() - began < 3


@pytest.mark.parametrize(
    "settings",
    [{"width": "wide"}, {"width": -8}, {"width": True}, {"widht": 8}, {"latent": 1e9}, {"rate": "nan"}, [], 3],
)
def test_settings_that_make_no_sense_are_refused(folder, settings):
    alter(folder, lambda facts: facts["recipe"].update(settings=settings))
    assert f"{folder}: config.json or codec.json is not usable: " in refusal(folder)


@pytest.mark.parametrize("recipe", [None, [], [1], "vae", 3, {}, {"model": "vae"}])
def test_a_recipe_that_is_none_is_refused(folder, recipe):
    alter(folder, lambda facts: facts.update(recipe=recipe))
    assert f"{folder}: config.json or codec.json is not usable: " in refusal(folder)


@pytest.mark.parametrize("length", [0, -1, True, 12.0, "12", None, 10**9, [12]])
def test_a_bad_length_is_refused(folder, length):
    alter(folder, lambda facts: facts.update(length=length))
    assert f"length {length!r} is not a number of tokens" in refusal(folder)
    alter(folder, lambda facts: facts.pop("length"))
    assert "is not usable: 'length'" in refusal(folder)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b'{"length": 12, "length": 13}', "duplicate key 'length'"),
        (b'{"recipe": {"a": 1, "a": 1}}', "duplicate key 'a'"),
        (b'{"length": NaN}', "NaN is not a number that JSON knows"),
        (b'{"length": -Infinity}', "-Infinity is not a number"),
        (b'{"length": 1e999}', "1e999 is not a number"),
        (b'{"length": ' + b"9" * 5000 + b"}", "is not valid JSON"),
        (b"[" * 100_000, "is not valid JSON"),
        (b'{"length": "\xff"}', "is not valid JSON"),
        (b"[1]", "should hold one JSON object"),
        (b"", "is not valid JSON"),
    ],
)
def test_json_that_is_not_plain_is_refused(folder, data, reason):
    put(folder, "config.json", data)
    said = refusal(folder)
    assert f"{folder / 'config.json'} " in said
    assert reason in said


@pytest.mark.parametrize("change", [{"codec": "os"}, {"vocab_size": 7}, {"words": ["a", 3]}, {"words": None}])
def test_a_codec_that_is_not_one_of_ours_is_refused(folder, change):
    put(folder, "codec.json", json.dumps({**WORDS.to_dict(), **change}).encode())
    assert f"{folder}: config.json or codec.json is not usable: " in refusal(folder)


# ------------------------------------------------------------------------------------------------------ saving


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_weights_that_are_not_numbers_are_not_saved(tmp_path, value):
    tensors = {"fine": torch.zeros(3), "bad": torch.tensor([0.0, value])}
    with (
        pytest.raises(InputError, match="the tensor bad holds NaN or infinity: it is not saved"),
        files.new_folder(tmp_path / "deep" / "model") as new,
    ):
        checkpoint.write_model(new, {}, {}, tensors)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_weights_that_are_not_numbers_are_not_opened(tmp_path, value, toy_autoencoder):
    """A stranger's file may hold them, with a manifest that fits. The tensor is named."""
    from safetensors.torch import save

    stored = checkpoint.read_model(toy_autoencoder)
    name = max(name for name, tensor in stored.tensors.items() if tensor.is_floating_point())
    with files.new_folder(tmp_path / "model") as new:
        checkpoint.write_model(new, stored.config, stored.codec, stored.tensors)
        spoiled = {**stored.tensors, name: stored.tensors[name].clone()}
        spoiled[name].view(-1)[-1] = value
        (new / checkpoint.MODEL).write_bytes(save(spoiled))
        files.write_manifest(new, {"format": checkpoint.FORMAT})
    with pytest.raises(InputError, match=rf"the tensor {re.escape(name)} holds NaN or infinity \(1 of "):
        library.open_model(tmp_path / "model")


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_facts_that_json_cannot_hold_are_not_saved(value):
    with pytest.raises(ValueError, match="not JSON compliant"):
        files.to_json({"score": value})


def test_the_same_tensors_are_the_same_bytes():
    tensors = {"b": torch.arange(6.0).view(2, 3), "a": torch.ones(2, dtype=torch.bool), "c": torch.tensor(0.5)}
    data = checkpoint.pack(tensors)
    assert checkpoint.pack(dict(reversed(tensors.items()))) == data
    sliced = {**tensors, "b": torch.arange(12.0).view(2, 6)[:, :3] - torch.tensor([[0.0], [3.0]])}
    assert checkpoint.pack({**sliced, "b": sliced["b"].t().contiguous().t()}) == data
    back = checkpoint.unpack(data, Path("f"))
    assert all(torch.equal(back[name], tensors[name]) for name in tensors)


@pytest.mark.parametrize("backbone", small.BACKBONES)
def test_tied_weights_are_stored_once_and_restored_tied(tmp_path, backbone):
    folder = write(tmp_path / "model", "lm", louder=2.0, backbone=backbone)
    stored = checkpoint.read_model(folder).tensors
    opened = library.open_model(folder).model
    owners: dict[int, list[str]] = {}
    for name, weight in opened.named_parameters(remove_duplicate=False):
        owners.setdefault(weight.data_ptr(), []).append(name)
    assert all(len([name for name in names if name in stored]) == 1 for names in owners.values())
    fresh = recipes.build(library.open_model(folder).recipe, library.vocabulary(WORDS))
    again: dict[int, list[str]] = {}
    for name, weight in fresh.named_parameters(remove_duplicate=False):
        again.setdefault(weight.data_ptr(), []).append(name)
    assert sorted(owners.values()) == sorted(again.values())
    if backbone in ("lstm", "transformer"):
        assert opened.backbone.head.weight is opened.backbone.embedding.weight


@pytest.mark.parametrize("backbone", small.BACKBONES)
def test_what_is_opened_computes_what_was_saved(tmp_path, backbone):
    recipe = recipes.compose("vae", small.settings("vae", backbone=backbone))[0]
    torch.manual_seed(1)
    model = small.louder(recipes.build(recipe, library.vocabulary(WORDS))).eval()
    model.rate.log_beta.fill_(-1.25)
    with files.new_folder(tmp_path / "model") as new:
        facts = {"recipe": recipe.to_dict(), "length": LENGTH}
        checkpoint.write_model(new, facts, WORDS.to_dict(), checkpoint.weights(model))
        files.write_manifest(new, {"format": checkpoint.FORMAT})
    opened = library.open_model(tmp_path / "model").model
    tokens = small.rows([3, 5, 1], library.vocabulary(WORDS))
    codes = model.posterior(tokens).mean
    assert torch.equal(opened.posterior(tokens).mean, codes)
    assert torch.equal(opened.distortion(tokens, codes), model.distortion(tokens, codes))
    assert opened.rate.beta == model.rate.beta


def test_an_export_in_half_precision_gives_nearly_the_same_codes(toy_run, tmp_path):
    full = library.export(toy_run, tmp_path / "full", half=False)
    half = library.export(toy_run, tmp_path / "half")
    exported = checkpoint.read_model(half).tensors
    assert {value.dtype for value in exported.values() if value.is_floating_point()} == {torch.float16}
    assert (half / checkpoint.MODEL).stat().st_size < 0.55 * (full / checkpoint.MODEL).stat().st_size
    models = [library.open_model(folder) for folder in (toy_run, full, half)]
    assert len({opened.codec.vocab_size for opened in models}) == 1
    tokens = small.rows([4, 6, 2, 3], library.vocabulary(models[0].codec))
    with torch.inference_mode():
        means = [opened.model.posterior(tokens).mean for opened in models]
        deviation = models[0].model.posterior(tokens).stddev
    assert torch.equal(means[0], means[1])
    assert not torch.equal(means[0], means[2])
    assert float(((means[0] - means[2]) / deviation).abs().max()) < 0.05
    assert {weight.dtype for weight in models[2].model.parameters()} == {torch.float32}


def test_an_export_holds_no_training_state_and_refuses_a_folder_that_exists(toy_run, tmp_path):
    made = library.export(toy_run, tmp_path / "model")
    assert sorted(path.name for path in made.iterdir()) == sorted([*FILES, "README.md"])
    before = {path.name: path.read_bytes() for path in made.iterdir()}
    assert "exists already" in refusal(toy_run, lambda source: library.export(source, made))
    assert {path.name: path.read_bytes() for path in made.iterdir()} == before
    again = library.export(made, tmp_path / "again")  # an exported model can be exported
    assert (again / checkpoint.MODEL).read_bytes() == before[checkpoint.MODEL]


# ------------------------------------------------------------------------------------------- checkpoints of a run


def folders(where: Path, steps: list[int]) -> None:
    for step in steps:
        (where / f"step-{step:09d}").mkdir(parents=True)
        (where / f"step-{step:09d}" / "x").touch()


@given(
    steps=st.lists(st.integers(0, 10**6), min_size=1, max_size=8, unique=True),
    keep=st.integers(0, 5),
    judged=st.integers(-1, 7),
)
def test_pruning_keeps_the_newest_and_the_best(tmp_path_factory, steps, keep, judged):
    where = tmp_path_factory.mktemp("run") / "checkpoints"
    folders(where, steps)
    best = steps[judged % len(steps)] if judged >= 0 else None
    for other in ("step-12", "step-00000000a", "notes"):
        (where / other).mkdir()
    checkpoint.prune(where, keep, best)
    kept = {*sorted(steps)[-max(2, keep) :], *([] if best is None else [best])}
    assert [checkpoint.step_of(path) for path in checkpoint.listed(where)] == sorted(kept, reverse=True)
    assert {path.name for path in where.iterdir() if checkpoint.step_of(path) is None} == {
        "step-12",
        "step-00000000a",
        "notes",
    }


def test_a_sweep_removes_what_is_unfinished_and_nothing_else(tmp_path):
    where, outside = tmp_path / "checkpoints", tmp_path / "outside"
    folders(where, [10, 20])
    (where / f"{files.UNFINISHED}step-000000030-1-2" / "deep").mkdir(parents=True)
    (where / f"{files.UNFINISHED}recipe.json-1-2").write_text("half")
    outside.mkdir()
    (outside / "precious").touch()
    (where / f"{files.UNFINISHED}link").symlink_to(outside)
    checkpoint.sweep(where)
    assert sorted(path.name for path in where.iterdir()) == ["step-000000010", "step-000000020"]
    assert (outside / "precious").exists()


@pytest.fixture
def copied(toy_run, tmp_path, request) -> Path:
    """A copy of a run with two checkpoints; the judgement in them says that the older is the best."""
    copy = Path(shutil.copytree(toy_run, tmp_path / "run"))
    newest, older = checkpoint.listed(copy / "checkpoints")
    for one in (newest, older):
        state = json.loads((one / checkpoint.STATE).read_bytes())
        put(one, checkpoint.STATE, json.dumps({**state, "best_step": checkpoint.step_of(older)}).encode())
    return copy


def spoil(folder: Path, how: str) -> None:
    path = folder / checkpoint.MODEL
    if how == "gone":
        shutil.rmtree(folder)
    elif how == "file gone":
        path.unlink()
    elif how == "truncated":
        path.write_bytes(path.read_bytes()[:-100])
    else:
        path.write_bytes(path.read_bytes()[:-1] + b"\x55")


SPOILT = pytest.mark.parametrize("how", ["gone", "file gone", "truncated", "flipped"])


@SPOILT
def test_the_best_is_opened_and_the_newest_where_the_best_is_spoilt(copied, how):
    newest, older = checkpoint.listed(copied / "checkpoints")
    assert library.best(copied) == library.locate(copied) == older
    spoil(older, how)
    assert library.best(copied) == newest
    assert library.open_model(copied).facts["run"]["step"] == checkpoint.step_of(newest)


@SPOILT
def test_a_spoilt_newest_is_passed_over_and_named(copied, how):
    newest, older = checkpoint.listed(copied / "checkpoints")
    assert library.newest_whole(copied)[0] == newest
    spoil(newest, how)
    found, state, skipped = library.newest_whole(copied)
    assert (found, state["step"]) == (older, checkpoint.step_of(older))
    assert len(skipped) == (how != "gone")
    assert all(str(newest) in line and checkpoint.MODEL in line for line in skipped)


def test_resuming_past_a_spoilt_checkpoint_says_so_and_makes_it_again(copied, capsys):
    newest, older = checkpoint.listed(copied / "checkpoints")
    spoil(newest, "truncated")
    step = checkpoint.step_of(older) + 1
    Run.open(copied).train(Screen(), steps=step)
    said = capsys.readouterr().err
    assert f"skipped a damaged checkpoint: {newest / checkpoint.MODEL} is truncated or altered" in said
    assert f"resuming from step {step - 1} of {step} (verified)" in said


def test_a_run_without_a_whole_checkpoint_says_what_is_wrong(copied):
    for one in checkpoint.listed(copied / "checkpoints"):
        spoil(one, "flipped")
    said = refusal(copied)
    assert said.startswith(f"no checkpoint of {copied} is whole; the newest: ")
    assert "its SHA-256 is not the one recorded" in said
    shutil.rmtree(copied / "checkpoints")
    assert refusal(copied).startswith(f"{copied} has no checkpoint yet")


def test_a_model_folder_is_no_checkpoint_to_resume_from(copied):
    newest, _ = checkpoint.listed(copied / "checkpoints")
    (newest / checkpoint.STATE).unlink()
    list_again(newest)
    assert library.newest_whole(copied)[2] == [
        f"{newest / files.MANIFEST}: the file 'training.json' is not listed: get the model folder again"
    ]
