"""Corpora of pictures: laws of every source of them, what the build does, the command line, and every error's text."""

from __future__ import annotations

import io
import json
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from corpora import Corpus, Picture, settings
from corpora.build import build, build_items, from_texts, source_of
from corpora.cli import main
from corpora.errors import InputError
from corpora.row import items_alone
from corpora.sources import arrays, hub_images, images, lecture, sprites

SOURCES = [
    name for name in settings.names("corpora.sources") if settings.find("corpora.sources", name).MODALITY == "picture"
]
NO_SHARES = {"valid_share": 0, "test_share": 0}
COLOURS = np.array([(255, 255, 255), (200, 30, 40), (20, 160, 60), (30, 60, 200), (40, 40, 40)], np.uint8)


def pixels(number: int, height: int = 6, width: int = 5) -> np.ndarray:
    """A picture of a few colours, opaque, different for each number."""
    draw = np.random.default_rng(number)
    return np.pad(COLOURS[draw.integers(0, 5, (height, width))], ((0, 0), (0, 0), (0, 1)), constant_values=255)


def save(path: Path, array: np.ndarray, **options: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path, **options)
    return path


def write_lecture(folder: Path, rows: int = 12) -> np.ndarray:
    """The two files, and their tokens (rows, 400)."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "colormap.txt").write_text("".join(f"{r} {g} {b}\n" for r, g, b in COLOURS))
    tokens = np.random.default_rng(0).integers(0, 5, (rows, 400))
    (folder / "pixel_color.txt").write_text("".join(" ".join(map(str, row)) + "\n" for row in tokens))
    return tokens


def write_dataset(folder: Path, count: int = 12, **columns: list[object]) -> None:
    """A local dataset with a column of pictures and one of classes, as the library writes it."""
    import datasets

    icons = [Image.fromarray(pixels(number)) for number in range(count)]
    kinds = datasets.ClassLabel(names=["a", "b"])
    given = {"icon": icons, "kind": [number % 2 for number in range(count)], **columns}
    made = datasets.Dataset.from_dict(given).cast_column("icon", datasets.Image()).cast_column("kind", kinds)
    folder.mkdir(parents=True, exist_ok=True)
    made.to_parquet(folder / "train.parquet")


def example(name: str, folder: Path) -> tuple[list[str], dict[str, object]]:
    """Inputs and settings with which a source gives pictures. A new source needs a line here."""
    for number in range(12):
        save(folder / "icons" / f"kind{number % 2}" / f"{number}.png", pixels(number))
    np.savez(folder / "x.npz", x=np.stack([pixels(n) for n in range(12)]), kind=np.array(["a", "b"] * 6))
    write_lecture(folder / "lecture")
    (folder / "digits").mkdir()
    grey = np.stack([pixels(n)[..., 0] for n in range(12)])
    for part, some in (("train", grey[:9]), ("t10k", grey[9:])):
        head = bytes((0, 0, 8, 3)) + np.array(some.shape, ">u4").tobytes()
        (folder / "digits" / f"{part}-images-idx3-ubyte").write_bytes(head + some.tobytes())
    if name == "hub_images":
        write_dataset(folder / "data")
    return {
        "arrays": ([str(folder / "x.npz")], {"label_array": "kind"}),
        "hub_images": ([f"hf-images:{folder / 'data'}"], {"label_column": "kind"}),
        "idx": ([str(folder / "digits")], {"valid_last": 2}),
        "images": ([str(folder / "icons")], {}),
        "lecture": ([f"lecture:{folder / 'lecture'}"], {}),
        "moons": (["moons"], {"count": 150, "waning": True}),
        "sprites": (["sprites"], {"count": 150}),
    }[name]


def read(module, inputs, **words) -> list[Picture]:
    (config,) = settings.override([module.Config()], words)
    return list(items_alone(module.read([str(given) for given in inputs], config)))


def refused(call, *inputs, **words) -> str:
    with pytest.raises(InputError) as caught:
        call(*inputs, **words)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def made(tmp_path: Path, rows, **words) -> Corpus:
    """A corpus of pictures at hand: arrays, or {split: arrays}."""
    rows = rows if isinstance(rows, dict) else {"train": rows}
    some = {
        split: [
            Picture(one, None, f"{split} {n}") if isinstance(one, np.ndarray) else one for n, one in enumerate(all_)
        ]
        for split, all_ in rows.items()
    }
    build_items(some, tmp_path / "c", "picture", settings=words, replace=True)
    return Corpus.open(tmp_path / "c", verify=True)


@pytest.fixture(autouse=True)
def offline(monkeypatch, tmp_path):
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


# Every source


@pytest.mark.parametrize("name", SOURCES)
def test_every_source_gives_the_same_pictures_each_time(name, tmp_path):
    inputs, words = example(name, tmp_path)
    module = settings.find("corpora.sources", name)
    assert source_of(inputs) == name
    found, again = read(module, inputs, **words), read(module, inputs, **words)
    assert [one[1:] for one in found] == [one[1:] for one in again]
    assert all((one.pixels == other.pixels).all() for one, other in zip(found, again, strict=True))
    assert all(one.pixels.dtype == np.uint8 and one.pixels.shape[2] == 4 and one.name for one in found)
    corpus = build(inputs, tmp_path / "one", settings=words)
    assert corpus.fingerprint == build(inputs, tmp_path / "two", settings=words).fingerprint
    assert set(corpus.splits) == {"train", "valid", "test"}
    kept = {(r.picture(i).tobytes(), r.label(i)) for r in corpus.splits.values() for i in range(len(r))}
    assert kept == {(one.pixels.tobytes(), one.label) for one in found}  # the palettes are exact
    facts = json.loads((tmp_path / "one" / "manifest.json").read_text())
    assert facts["source"]["name"] == name
    assert str(tmp_path) not in json.dumps(facts)


@pytest.mark.parametrize("name", SOURCES)
def test_every_source_says_what_its_settings_are(name):
    module = settings.find("corpora.sources", name)
    assert module.__doc__
    assert module.MODALITY == "picture"
    assert all(doc for _, _, doc in settings.describe(module.Config))


def test_names_choose_the_source(tmp_path):
    save(tmp_path / "pictures" / "deep" / "a.PNG", pixels(0))
    save(tmp_path / "both" / "a.png", pixels(0))
    (tmp_path / "both" / "License.txt").write_text("a line\n")
    assert refused(source_of, [str(tmp_path / "both")]).endswith(
        "both: 1 pictures and as many text files: say --source images or --source text"
    )
    (tmp_path / "both" / "more.txt").write_text("a line\n")
    save(tmp_path / "pack" / "a.png", pixels(0))
    save(tmp_path / "pack" / "b.bmp", pixels(0)[..., :3])
    (tmp_path / "pack" / "License.txt").write_text("a line\n")
    save(tmp_path / "unnamed.png", pixels(0)).rename(tmp_path / "unnamed.dat")
    write_lecture(tmp_path / "lee")
    for given, name in [
        ("a.png", "images"), ("a.JPEG", "images"), ("a.gif", "images"), ("a.webp", "images"), ("a.npz", "arrays"),
        ("a.npy", "arrays"), ("sprites", "sprites"), (tmp_path / "pictures", "images"), (tmp_path / "both", "text"),
        (tmp_path / "pack", "images"), ("a.bmp", "images"), (tmp_path / "unnamed.dat", "images"), ("a.psd", "images"),
        (tmp_path / "lee", "lecture"), (tmp_path / "lee" / "pixel_color.txt", "lecture"), ("lecture:x", "lecture"),
        ("hf-images:ylecun/mnist", "hub_images"), ("hf:ag_news", "hub"),
    ]:  # fmt: skip
        assert source_of([str(given)]) == name


# The build


def test_the_manifest(tmp_path):
    inputs, _ = example("images", tmp_path)
    save(tmp_path / "icons" / "kind0" / "again.png", pixels(3))
    corpus = build(inputs, tmp_path / "out", settings={"split_seed": 1})
    facts = corpus.manifest
    assert facts["codec"] == {"name": "palette", "vocab_size": 5}
    assert facts["palette"] == {"split": "train", "rmse": 0.0, "delta_e_mean": 0.0, "delta_e_95": 0.0}
    assert (facts["read"], facts["dropped"], facts["held_out_duplicates_removed"]) == (13, {"duplicates": 1}, {})
    assert facts["splits"]["train"] == {"rows": 10, "tokens": 300, "longest": 30}
    assert [facts["splits"][name]["rows"] for name in ("valid", "test")] == [1, 1]
    assert facts["label_names"] == ["kind0", "kind1"]
    assert facts["notes"] == ["5 colours, as they are in the pictures"]
    assert facts["settings"]["fit"] == "exact"
    (given,) = facts["source"]["inputs"]["train"]
    assert given["name"] == "icons"
    assert {"kind0/0.png", "kind1/1.png"} <= {file["name"] for file in given["files"]}
    arrays = {f"{split}.{kind}.bin" for split in corpus.splits for kind in ("tokens", "offsets", "labels")}
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"manifest.json", "codec.json", *arrays}


def test_rows_and_batches_have_neither_stop_nor_pad(tmp_path):
    corpus = made(tmp_path, [pixels(n) for n in range(40)])
    rows = corpus.rows("train")
    assert (rows.lengths == 30).all()
    assert rows.pad([0, 3]).shape == (2, 30)
    assert corpus.codec.decode(rows.pad([3])[0]).tolist() == rows.picture(3).tolist() == rows.picture(-29).tolist()
    steps = [corpus.batch(step, seed=0, size=8) for step in range(corpus.epoch_steps(8))]
    assert all(batch.tokens.shape[1] == 30 and batch.tokens.dtype == np.int64 for batch in steps)
    assert sorted(int(row) for batch in steps for row in batch.rows) == list(range(32))
    assert (np.concatenate([corpus.batch(1, 0, 8, rank=r, world=2).tokens for r in (0, 1)]).shape) == (8, 30)
    assert sum(len(tokens) for _, tokens in rows.in_order(7)) == 32
    assert "rows are pictures" in refused(rows.text, 0)
    text = from_texts(["a b", "c d", "e f"], "words", valid_share=0, test_share=0)
    assert refused(text.rows("train").picture, 0) == "the rows are text (codec words): this works on pictures"


def test_a_corpus_with_rows_of_another_length_is_refused(tmp_path):
    made(tmp_path, [pixels(n) for n in range(40)])
    path = tmp_path / "c" / "train.offsets.bin"
    offsets = np.fromfile(path, "<i8")
    offsets[3] += 1
    offsets.tofile(path)
    assert "train: not every row has the 30 tokens of a picture; build" in refused(Corpus.open, tmp_path / "c")


def test_pictures_that_are_the_same(tmp_path):
    rows = {"train": [pixels(0), pixels(1), pixels(0)], "valid": [pixels(1), pixels(2), pixels(3)]}
    rows["test"] = [pixels(3), pixels(4), pixels(4)]
    corpus = made(tmp_path, rows)
    assert {name: len(split) for name, split in corpus.splits.items()} == {"train": 2, "valid": 1, "test": 2}
    assert corpus.manifest["held_out_duplicates_removed"] == {"valid": 2, "test": 0}
    assert corpus.manifest["dropped"] == {"duplicates": 2}
    corpus = made(tmp_path, rows, keep_duplicates=True)
    assert [len(split) for split in corpus.splits.values()] == [3, 3, 3]
    rows["valid"] = [pixels(1)]
    assert refused(made, tmp_path, rows) == (
        "every picture of valid is in another split; keep_duplicates=true keeps them"
    )
    assert "only 1 usable picture, counting near-duplicates once" in refused(made, tmp_path, [pixels(0)] * 9)
    assert len(made(tmp_path, [pixels(0)] * 3 + [pixels(1)], **NO_SHARES).rows("train")) == 2


def test_the_palette_is_made_from_train_alone(tmp_path):
    odd = np.full((6, 5, 4), (1, 2, 250, 255), np.uint8)
    corpus = made(tmp_path, {"train": [pixels(0), pixels(1)], "valid": [odd]})
    assert (1, 2, 250, 255) not in corpus.codec.colours
    assert (corpus.rows("valid").picture(0) == (*COLOURS[3], 255)).all()


def test_sizes_and_ways_to_fit(tmp_path):
    mixed = [pixels(0), pixels(1, 8, 9)]
    assert refused(made, tmp_path, mixed) == (
        "train 1 is 8x9, but train 0 is 6x5: fit=crop, fit=pad or fit=resize and size=HEIGHTxWIDTH bring all to one; "
        "fit=drop leaves the others out"
    )
    assert refused(made, tmp_path, mixed, size="8x9") == (
        "train 0 is 6x5, not 8x9: fit=crop, fit=pad or fit=resize bring all to one; fit=drop leaves the others out"
    )
    corpus = made(tmp_path, mixed, size="4x3", fit="crop", **NO_SHARES)
    assert (corpus.rows("train").picture(0) == pixels(0)[1:5, 1:4]).all()
    assert corpus.manifest["notes"][1] == "2 pictures cropped to 4x3"
    corpus = made(tmp_path, mixed, size="10x9", fit="pad", **NO_SHARES)
    padded = corpus.rows("train").picture(0)
    assert (padded[2:8, 2:7] == pixels(0)).all()
    assert (padded.sum() == pixels(0).sum(), corpus.codec.colours[0]) == (True, (0, 0, 0, 0))
    corpus = made(tmp_path, mixed, size="12x10", fit="resize", **NO_SHARES)
    assert (corpus.rows("train").picture(0) == pixels(0).repeat(2, 0).repeat(2, 1)).all()
    assert refused(made, tmp_path, mixed, size="7x7", fit="crop") == (
        "train 0 is 6x5, too small to crop to 7x7: use fit=pad or fit=resize"
    )
    assert refused(made, tmp_path, mixed, size="8x8", fit="pad") == (
        "train 1 is 8x9, too large to pad to 8x8: use fit=crop or fit=resize"
    )
    assert refused(made, tmp_path, [pixels(0, 1, 1025)]).startswith(
        "train 0 is 1x1025: pictures may have sides of 1 to"
    )


def test_sheets_are_cut_into_tiles(tmp_path):
    sheet = np.concatenate([np.concatenate([pixels(0), pixels(1)], 1), np.concatenate([pixels(2), pixels(3)], 1)])
    sheet[6:, 5:] = 0  # the last one is wholly transparent
    corpus = made(tmp_path, [sheet], tile="6x5", **NO_SHARES)
    found = {corpus.rows("train").picture(i).tobytes() for i in range(3)}
    assert found == {pixels(n).tobytes() for n in range(3)}
    assert (corpus.manifest["read"], corpus.manifest["dropped"]) == (4, {"transparent tiles": 1})
    corpus = made(tmp_path, [sheet], tile="5x5", **NO_SHARES)
    assert corpus.manifest["notes"][1] == (
        "1 picture cut into tiles of 5x5 that leave a margin over at the right or below"
    )
    assert refused(made, tmp_path, [sheet], tile="13x5") == (
        "train 0 is 12x10, smaller than tile=13x5: choose smaller tiles"
    )
    assert refused(made, tmp_path, [sheet * 0], tile="6x5") == "no usable picture for train: 4 transparent tiles"


def test_alpha(tmp_path):
    soft = pixels(0)
    soft[0, :, 3] = (0, 100, 127, 128, 200)
    corpus = made(tmp_path, [soft], **NO_SHARES)  # a palette can hold them
    shown = corpus.rows("train").picture(0)
    assert shown[0, :, 3].tolist() == [0, 100, 127, 128, 200]
    assert (shown[shown[..., 3] > 0] == soft[shown[..., 3] > 0]).all()
    assert corpus.manifest["notes"][1].startswith("13.33% of the pixels are half transparent: their alpha is kept")
    corpus = made(tmp_path, [soft], alpha=128, **NO_SHARES)
    shown = corpus.rows("train").picture(0)
    assert shown[0, :, 3].tolist() == [0, 0, 0, 255, 255]
    assert (shown[0, 3:, :3] == soft[0, 3:, :3]).all()
    assert corpus.manifest["notes"][1] == (
        "13.33% of the pixels are half transparent: 6.67% made opaque, 6.67% dropped (alpha=128; alpha=keep keeps them)"
    )
    assert made(tmp_path, [soft], alpha=1, **NO_SHARES).rows("train").picture(0)[0, :, 3].tolist() == [0] + [255] * 4
    corpus = made(tmp_path, [soft], alpha=0, **NO_SHARES)
    assert not corpus.codec.transparent
    assert corpus.rows("train").picture(0)[0, 0].tolist() == [255] * 4


def test_colours_that_are_given(tmp_path):
    path = tmp_path / "map.txt"
    path.write_text("250 0 0\n0 250 0\n0 0 250\n")
    corpus = made(tmp_path, [pixels(n) for n in range(20)], palette_file=str(path))
    assert [colour[:3] for colour in corpus.codec.colours] == [(250, 0, 0), (0, 250, 0), (0, 0, 250)]
    assert corpus.manifest["notes"][0].startswith("the 3 colours are as given; for the 5 of the pictures: RMSE ")
    assert corpus.manifest["palette"]["delta_e_mean"] > 10
    assert corpus.manifest["settings"]["palette_file"] == "map.txt"
    corpus = made(tmp_path, [pixels(n) for n in range(20)], colours=3)
    assert corpus.codec.vocab_size == 3
    Path(tmp_path / "c").rename(tmp_path / "first")
    again = made(tmp_path, [pixels(n) for n in range(30, 50)], codec_from=str(tmp_path / "first"))
    assert again.codec.to_dict() == corpus.codec.to_dict()
    assert again.manifest["notes"][0].startswith("the palette is that of codec_from; for these pictures: RMSE")
    assert refused(made, tmp_path, [pixels(0)], codec_from=str(tmp_path / "first"), size="9x9") == (
        "size=9x9: the palette of codec_from is for pictures of 6x5"
    )
    build(["toy"], tmp_path / "text", settings={"count": 20, "codec": "bytes"})
    assert "its codec is bytes, for text; pictures need palette" in refused(
        made, tmp_path, [pixels(0)], codec_from=str(tmp_path / "text")
    )
    path.write_text("250 0 0\n0 250\n")
    assert refused(made, tmp_path, [pixels(0)], palette_file=str(path)).startswith(f"{path}: line 2: '0 250': expected")


@pytest.mark.parametrize("order", ["down", "up", "right", "left"])
def test_an_order_moves_tokens_and_not_pictures(order, tmp_path):
    some = [pixels(n) for n in range(20)]
    plain = made(tmp_path, some, **NO_SHARES)
    Path(tmp_path / "c").rename(tmp_path / "first")
    corpus = made(tmp_path, some, order=order, **NO_SHARES)
    rows = corpus.rows("train")
    assert corpus.codec.order == order
    assert all((rows.picture(n) == plain.rows("train").picture(n)).all() for n in range(20))
    turned = {"down": lambda p: p, "up": lambda p: p[::-1], "right": lambda p: p.swapaxes(0, 1)}
    turned["left"] = lambda p: p[:, ::-1].swapaxes(0, 1)
    wanted = [plain.codec.encode(one) for one in some]
    wanted = [turned[order](np.array(one).reshape(6, 5)).reshape(-1).tolist() for one in wanted]
    assert rows.pad(range(20)).tolist() == wanted
    assert (corpus.fingerprint == plain.fingerprint) == (order == "down")
    again = made(tmp_path, some, codec_from=str(tmp_path / "first"), order=order, **NO_SHARES)
    assert again.rows("train").pad(range(20)).tolist() == wanted
    Path(tmp_path / "c").rename(tmp_path / "second")
    assert made(tmp_path, some, codec_from=str(tmp_path / "second"), **NO_SHARES).codec.order == order


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"order": "across"}, "no order 'across': choose from down, left, right, up"),
        ({"size": "0x5"}, "size=0x5: expected HEIGHTxWIDTH, each from 1 to 1,024 pixels, such as 20x20"),
        ({"size": "20"}, "size=20: expected HEIGHTxWIDTH"),
        ({"tile": "5x2000"}, "tile=5x2000: expected HEIGHTxWIDTH"),
        ({"fit": "crop"}, "fit=crop needs a size to bring the pictures to: add size=HEIGHTxWIDTH"),
        ({"fit": "cut", "size": "2x2"}, "no fit 'cut': did you mean 'exact'? choose from area, crop, drop, exact"),
        ({"colours": 1}, "colours=1: expected 2 to 4,096, or none"),
        ({"alpha": 256}, "alpha=256: expected 0 to 255, auto or keep"),
        ({"alpha": "kept"}, "alpha=kept: expected auto, keep, or 0 to 255"),
        ({"margin": 1}, "margin and spacing are of the tiles of a sheet: add tile=HEIGHTxWIDTH"),
        ({"spacing": -1, "tile": "2x2"}, "spacing=-1: expected 0 to 4,096, or none"),
        ({"delta_e": 0}, "delta_e=0: expected a number above 0"),
        (
            {"colours": 5, "palette_file": "x"},
            "colours and palette_file each decide the colours: leave out all but one",
        ),
        ({"valid_share": 0.6, "test_share": 0.6}, "test_share=0.6: expected valid_share + test_share below 1"),
        ({"limit": 0}, "limit=0: expected 1 or more, or none"),
        ({"vocab": 5}, "unknown setting 'vocab': known: alpha, codec_from, colours"),
        ({"palette_file": "none.txt"}, "none.txt: no such file"),
    ],
)
def test_settings_that_cannot_work(words, message, tmp_path):
    assert refused(made, tmp_path, [pixels(0)], **words).startswith(message)
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_left_behind(tmp_path):
    def broken():
        yield Picture(pixels(0), None, "one")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build_items({"train": broken()}, tmp_path / "deep" / "c", "picture")
    assert list(tmp_path.iterdir()) == []
    assert refused(made, tmp_path, []) == "no usable picture for train: nothing was read"
    (tmp_path / "c").mkdir()
    assert "c is not a corpus, so it is not replaced: remove it yourself" in refused(made, tmp_path, [pixels(0)])
    assert "exists already" in refused(
        build_items, {"train": [Picture(pixels(0), None, "a")]}, tmp_path / "c", "picture"
    )


def test_limit_is_for_train_alone(tmp_path):
    rows = {"train": [pixels(n) for n in range(9)], "valid": [pixels(n) for n in range(20, 25)]}
    corpus = made(tmp_path, rows, limit=3)
    assert [len(split) for split in corpus.splits.values()] == [3, 5]


# Files


def test_labels_lie_within_a_folder_around_all_and_hidden_folders_are_not_read(tmp_path):
    for number in range(12):
        kind = ("enemies", "items")[number % 2]
        save(tmp_path / "in" / "PNG" / kind / f"size{number % 3}" / f"{number}.png", pixels(number))
    save(tmp_path / "in" / "preview.png", pixels(20))
    save(tmp_path / "in" / ".thumbs" / "0.png", pixels(21))
    corpus = build([str(tmp_path / "in")], tmp_path / "c", settings={"valid_share": 0, "test_share": 0})
    assert corpus.manifest["read"] == 13
    assert sorted(corpus.manifest["label_names"]) == ["enemies", "items"]
    assert {
        "1 hidden file left out",
        "labels are the folders in PNG",
        "folders within those of the labels are not read as labels: 'size0', 'size1', 'size2'",
        "1 of 13 pictures: without a label",
    } <= {*corpus.manifest["notes"]}


def test_labels_are_the_names_of_folders(tmp_path):
    save(tmp_path / "d" / "cats" / "big" / "1.png", pixels(1))
    save(tmp_path / "d" / "dogs" / "2.png", pixels(2))
    save(tmp_path / "d" / "3.png", pixels(3))
    save(tmp_path / "d" / ".hidden.png", pixels(4))
    (tmp_path / "d" / "notes.md").write_text("no picture")
    assert [one.label for one in read(images, [tmp_path / "d"])] == [None, "cats", "dogs"]
    assert [one.label for one in read(images, [tmp_path / "d" / "dogs", tmp_path / "d" / "3.png"])] == [None, None]


def test_kinds_of_pictures(tmp_path):
    grey = pixels(0)[..., 0]
    photo = np.full((16, 16, 3), (200, 30, 40), np.uint8)
    cases = [
        (save(tmp_path / "grey.png", grey), grey, ()),
        (save(tmp_path / "rgba.png", pixels(0)), pixels(0)[..., :3], ()),
        (tmp_path / "palette.gif", pixels(0)[..., :3], ("had a palette of their own",)),
        (tmp_path / "palette.png", pixels(0)[..., :3], ("had a palette of their own",)),
        (save(tmp_path / "plain.webp", pixels(0), lossless=True), pixels(0)[..., :3], ()),
        (tmp_path / "cmyk.jpg", photo, ("converted from CMYK",)),
        (save(tmp_path / "deep.png", grey.astype(np.uint16) * 257), grey, ("cut from 16 bits a channel to 8",)),
    ]
    Image.fromarray(pixels(0)[..., :3]).quantize(8).save(tmp_path / "palette.gif")
    Image.fromarray(pixels(0)[..., :3]).quantize(8).save(tmp_path / "palette.png")
    Image.fromarray(photo).convert("CMYK").save(tmp_path / "cmyk.jpg", quality=100)
    for path, wanted, done in cases:
        (one,) = read(images, [path])
        wanted = wanted if wanted.ndim == 3 else wanted[..., None].repeat(3, 2)
        assert one.done == done, path
        assert np.abs(one.pixels[..., :3].astype(int) - wanted).max() <= (3 if path.suffix == ".jpg" else 0), path
        assert (one.pixels[..., 3] == 255).all()
    clear = pixels(0)
    clear[0, 0] = 0
    Image.fromarray(clear).quantize(8).save(tmp_path / "clear.png")
    assert read(images, [tmp_path / "clear.png"])[0].pixels[0, :2, 3].tolist() == [0, 255]
    corpus = build([str(tmp_path / "cmyk.jpg"), str(tmp_path / "clear.png")], tmp_path / "c",
                   settings={"size": "6x5", "fit": "crop", **NO_SHARES})  # fmt: skip
    assert corpus.manifest["notes"][1:] == [
        "1 picture converted from CMYK",
        "1 picture cropped to 6x5",
        "1 picture had a palette of their own",
    ]


def test_pictures_are_turned_as_their_camera_held_them(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned a quarter clockwise
    save(tmp_path / "turned.png", pixels(0), exif=exif)
    (one,) = read(images, [tmp_path / "turned.png"])
    assert (one.pixels == np.rot90(pixels(0), -1)).all()
    assert one.done == ("turned as their EXIF orientation says",)


def test_animations(tmp_path):
    frames = [Image.fromarray(pixels(n)) for n in range(3)]
    for name in ("a.gif", "a.webp", "a.png"):
        frames[0].save(tmp_path / name, save_all=True, append_images=frames[1:], lossless=True)
        (one,) = read(images, [tmp_path / name])
        assert (one.pixels == pixels(0)).all()
        assert one.done[-1] == "taken as the first frame of an animation"
        found = read(images, [tmp_path / name], frames="all")
        assert [one.name[-7:] for one in found[1:]] == ["frame 1", "frame 2"]
        assert all((one.pixels == pixels(n)).all() for n, one in enumerate(found))
    assert "no frames 'some': choose from all, first" in refused(read, images, [tmp_path / "a.gif"], frames="some")


def png_head(height: int, width: int) -> bytes:
    """A PNG that says it is huge, and holds next to nothing."""
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0)), (b"IDAT", zlib.compress(bytes(100)))]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )


def encoded(kind: str, size: int = 60) -> bytes:
    data = io.BytesIO()
    Image.fromarray(pixels(0, size, size)[..., :3]).save(data, kind)
    return data.getvalue()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "the file is empty"),
        (b"these are words", "this is text, not a picture: expected PNG, GIF, JPEG, WebP, BMP"),
        (b"\x01\x02\x03\x04", "not a picture that can be read: expected PNG, GIF, JPEG, WebP, BMP"),
        (b"8BPS\0\1", "a Photoshop file: export it as PNG"),
        (encoded("BMP")[:500], "the picture is cut off or damaged: "),
        (encoded("PNG")[:500], "the picture is cut off or damaged: "),
        (encoded("JPEG")[:900], "the picture is cut off or damaged: "),
        (encoded("GIF")[:400], "the picture is cut off or damaged: "),
        (png_head(9000, 9000), "its head says more than 67,108,864 pixels: make it smaller"),
        (png_head(60_000, 60_000), "its head says more than 67,108,864 pixels: make it smaller"),
        (png_head(0, 5), ""),
    ],
    ids=["empty", "words", "bytes", "psd", "bmp", "png", "jpeg", "gif", "large", "bomb", "nothing"],
)
def test_files_that_are_no_pictures(data, message, tmp_path):
    path = tmp_path / "x.png"
    path.write_bytes(data)
    assert refused(read, images, [path]).startswith(f"{path}: {message}")


def test_folders_without_pictures(tmp_path):
    assert refused(read, images, [tmp_path]).startswith(
        f"{tmp_path}: no picture in this folder; it holds no file; read are "
    )
    (tmp_path / "a.psd").write_bytes(b"8BPS")
    assert "no picture in this folder; it holds .psd 1; read are" in refused(read, images, [tmp_path])
    assert "no such file" in refused(read, images, [tmp_path / "none.png"])


# Arrays


def test_arrays_of_every_shape(tmp_path):
    stack = np.stack([pixels(n) for n in range(3)])
    for array in (stack, stack[..., :3], stack[..., 0]):
        np.save(tmp_path / "x.npy", array)
        found = read(arrays, [tmp_path / "x.npy"])
        wanted = array if array.ndim == 4 else array[..., None].repeat(3, 3)
        assert all((one.pixels[..., :3] == wanted[n, ..., :3]).all() for n, one in enumerate(found))
        assert all((one.pixels[..., 3] == 255).all() and one.label is None for one in found)
    np.savez(tmp_path / "x.npz", a=stack, b=stack, kind=np.array([3, 4, 4]))
    assert [one.label for one in read(arrays, [tmp_path / "x.npz"], array="b", label_array="kind")] == ["3", "4", "4"]
    np.savez(tmp_path / "y.npz", a=stack, names=np.array([b"p", b"q", b"q"]))
    assert [one.label for one in read(arrays, [tmp_path / "y.npz"], label_array="names")] == ["p", "q", "q"]


def test_arrays_that_are_no_pictures(tmp_path):
    path, stack = tmp_path / "x.npz", np.stack([pixels(n) for n in range(3)])
    np.savez(path, a=stack, b=stack, few=np.array([1, 2]), real=stack / 255, flat=stack[0, 0])
    assert refused(read, arrays, [path]) == (
        f"{path}: several arrays could be pictures: say array=NAME; arrays: a, b, few, real, flat"
    )
    assert refused(read, arrays, [path], array="c") == (f"{path}: no array 'c': choose from a, b, few, real, flat")
    assert refused(read, arrays, [path], array="a", label_array="few") == (
        f"{path}: few has the shape (2,): expected a label for each of the 3 pictures"
    )
    assert refused(read, arrays, [path], array="real") == (
        f"{path}: real: an array of shape (3, 6, 5, 4), float64, is not uint8: expected (N, H, W), (N, H, W, 3) or "
        "(N, H, W, 4), uint8"
    )
    assert "(5, 4), uint8, has not the shape of pictures" in refused(read, arrays, [path], array="flat")
    np.savez(path, few=np.array([1, 2]))
    assert refused(read, arrays, [path]) == (
        f"{path}: none of the arrays could be pictures: expected (N, H, W), (N, H, W, 3) or (N, H, W, 4), uint8; "
        "arrays: few (2,) int64"
    )
    np.save(tmp_path / "x.npy", stack)
    assert "a single array without a name: leave out array" in refused(read, arrays, [tmp_path / "x.npy"], array="a")
    np.save(tmp_path / "x.npy", stack[:0])
    assert refused(read, arrays, [tmp_path / "x.npy"]).endswith("x.npy: the array holds no picture")
    np.save(tmp_path / "x.npy", np.array([{}], object), allow_pickle=True)
    assert "not a readable .npy or .npz file: 'Object arrays cannot be loaded" in refused(
        read, arrays, [tmp_path / "x.npy"]
    )
    for data in (b"", b"words", path.read_bytes()[:60]):
        path.write_bytes(data)
        assert refused(read, arrays, [path]).startswith(f"{path}: not a readable .npy or .npz file")
    assert "no such file" in refused(read, arrays, [tmp_path / "none.npz"])


# The lecture's files


def test_the_tokens_are_the_numbers_of_the_file(tmp_path):
    tokens = write_lecture(tmp_path / "d", 792)
    corpus = build([str(tmp_path / "d" / "pixel_color.txt")], tmp_path / "c")
    for name, part in (("train", slice(0, 632)), ("valid", slice(632, 712)), ("test", slice(712, 792))):
        assert (corpus.rows(name).pad(range(len(corpus.rows(name)))) == tokens[part]).all()
    assert [colour[:3] for colour in corpus.codec.colours] == [tuple(map(int, one)) for one in COLOURS]
    assert corpus.manifest["notes"][0] == "the 5 colours are as given"
    (given,) = corpus.manifest["source"]["inputs"]["train"]
    assert [file["name"] for file in given["files"]] == ["pixel_color.txt", "colormap.txt"]
    assert build([f"lecture:{tmp_path / 'd'}"], tmp_path / "few", settings={"colours": 3}).codec.vocab_size == 3


def test_coloured_backgrounds_are_repaired(tmp_path):
    write_lecture(tmp_path)
    rows = np.zeros((4, 20, 20), int)
    rows[0, 5:15, 5:15] = 1  # a sprite on white
    rows[1], rows[1, 5:15, 5:15], rows[1, 8:10, 8:10] = 2, 1, 2  # on green, with green inside
    rows[2], rows[2, 6:14, 6:14] = 4, 3  # on the colour of its outline
    rows[3, 2:, :] = 3  # a large one, cut by the edge
    rows[3, 2, :9] = rows[3, 2:9, 0] = rows[3, 2:9, -1] = 1
    (tmp_path / "pixel_color.txt").write_text("".join(" ".join(map(str, row.ravel())) + "\n" for row in rows))
    found = [one.pixels for one in read(lecture, [tmp_path], repair=True)]
    table = np.pad(COLOURS, ((0, 0), (0, 1)), constant_values=255)
    wanted = rows.copy()
    wanted[1][wanted[1] == 2] = 0
    wanted[1, 8:10, 8:10] = 2
    wanted[2] = 0
    wanted[2, 5:15, 6:14] = wanted[2, 6:14, 5:15] = 4
    wanted[2, 6:14, 6:14] = 3
    for number in range(3):
        assert (found[number] == table[wanted[number]]).all(), number
    assert [one.done for one in read(lecture, [tmp_path])] == [()] * 4
    assert [bool(one.done) for one in read(lecture, [tmp_path], repair=True)][:3] == [False, True, True]


def test_lecture_files_that_are_wrong(tmp_path):
    assert "pixel_color.txt: no such file: the lecture source needs" in refused(read, lecture, [tmp_path])
    write_lecture(tmp_path, 3)
    path = tmp_path / "pixel_color.txt"
    assert "reads one folder, or one file of pixels, not 2" in refused(read, lecture, [tmp_path, tmp_path])
    good = path.read_text()
    path.write_text(good + "1 2 3\n")
    assert refused(read, lecture, [tmp_path]) == f"{path}: line 4: 3 numbers, expected 400 (20x20 pixels)"
    path.write_text(good + "0 " * 399 + "5\n")
    assert refused(read, lecture, [tmp_path]) == f"{path}: line 4: '5': expected the number of a colour, 0 to 4"
    path.write_text("\n")
    assert refused(read, lecture, [tmp_path]).endswith("the file is empty")
    path.write_text(good)
    (tmp_path / "colormap.txt").write_text("1 2 3\n4 5 6\n" * 2)
    assert "colormap.txt: line 3: the same colour as line 1" in refused(read, lecture, [tmp_path])
    (tmp_path / "colormap.txt").write_text("1 2 3\n4 5 6\n")
    assert "repair=true needs white (255 255 255) among the colours" in refused(read, lecture, [tmp_path], repair=True)


# Creatures


def test_creatures_follow_from_seed_and_number():
    few, more = (read(sprites, ["sprites"], count=count) for count in (20, 60))
    assert all((one.pixels == other.pixels).all() for one, other in zip(few, more, strict=False))
    other = read(sprites, [], count=20, sprites_seed=1)
    assert any((one.pixels != again.pixels).any() for one, again in zip(few, other, strict=True))
    assert {one.label for one in more} == set(sprites.KINDS)
    for one in more:
        assert one.pixels.shape == (16, 16, 4)
        assert (one.pixels == one.pixels[:, ::-1]).all()  # mirrored
        assert not one.pixels[one.pixels[..., 3] == 0].any()
        colours = {tuple(colour) for colour in one.pixels[one.pixels[..., 3] == 255][:, :3].tolist()}
        assert sprites.OUTLINE in colours
        assert 2 <= len(colours - {sprites.OUTLINE, sprites.WHITE}) <= 4
    assert refused(read, sprites, ["x"]) == (
        "the sprites source reads no files: write `sprites` in place of a file name"
    )


# The command line


def call(capsys, *words: object) -> tuple[int, str, str]:
    code = main([str(word) for word in words])
    return (code, *capsys.readouterr())


def test_build_and_show(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    example("images", tmp_path)
    code, out, err = call(capsys, "build", "icons", "--out", "c")
    assert (code, err) == (0, "")
    assert out.splitlines() == [
        "built c: 10 train, 1 valid, 1 test; palette of 5 colours, pictures of 6x5",
        "read      12 rows; dropped: none",
        "labels    2: kind0, kind1",
        "note      5 colours, as they are in the pictures",
    ]
    code, out, err = call(capsys, "show", "c", "--verify")
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[0].endswith("  every byte verified")
    assert lines[1:3] == ["from      images: icons", "codec     palette of 5 colours, pictures of 6x5"]
    table = lines.index("") + 1
    assert [line.split() for line in lines[table : table + 4]] == [
        ["split", "rows", "tokens"], ["train", "10", "300"], ["valid", "1", "30"], ["test", "1", "30"],
    ]  # fmt: skip
    facts = json.loads(call(capsys, "show", "c", "--json")[1])
    assert facts["palette"]["height"] == 6
    assert facts["palette"]["order"] == "down"
    assert facts["splits"]["train"] == {"rows": 10, "tokens": 300, "longest": 30}
    code, out, err = call(capsys, "build", "sprites", "count=30", "colours=6", "--out", "s", "--json")
    assert json.loads(out)["codec"] == {"name": "palette", "vocab_size": 6}
    assert "one of them transparent, pictures of 16x16\n" in call(capsys, "show", "s")[1]
    assert (
        "pictures of 16x16, order left\n" in call(capsys, "build", "sprites", "count=30", "order=left", "--out", "l")[1]
    )
    assert "Delta E (CIE76) mean" in call(capsys, "show", "s")[1]
    held = ("--valid", "icons/kind1", "--test", "icons/kind1/3.png", "--out", "h")
    assert "removed   1 of valid that are in another split" in call(capsys, "build", "icons/kind0", *held)[1]


def test_errors_are_one_line(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    save(tmp_path / "a.png", pixels(0))
    for words, message in [
        (["a.png", "size=0x5"], "error: size=0x5: expected HEIGHTxWIDTH, each from 1 to 1,024 pixels, such as 20x20\n"),
        (["a.png", "colour=5"], "error: unknown setting 'colour': did you mean 'colours'? known: "),
        (["no.png"], "error: no.png: no such file or folder: check the path\n"),
        (["a.png", "sprites"], "error: a.png looks like images and sprites like sprites: build from one kind"),
        (["a.png"], "error: only 1 usable picture, counting near-duplicates once: at least 3 are needed for train and"),
        (["lecture:nowhere"], "error: nowhere: no such file"),
    ]:
        code, out, err = call(capsys, "build", *words, "--out", "c")
        assert (code, out, err.count("\n")) == (2, "", 1)
        assert err.startswith(message)
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]


def test_list_names_the_sources_of_pictures(capsys):
    out = call(capsys, "list")[1]
    for words in ("source images: ", "source sprites: ", "every build of pictures: ", "delta_e=10.0", "palette"):
        assert words in out


# Views of training pictures


def gradient(side: int) -> np.ndarray:
    """A picture in which every pixel has a colour of its own."""
    down, across = np.mgrid[:side, :side].astype(np.uint8)
    return np.stack([down * 20, across * 20, 0 * down, np.full_like(down, 255)], 2)


def test_views_are_mirrored_and_moved_in_turn_and_see_what_the_crop_cut_off(tmp_path):
    save(tmp_path / "in" / "0.png", gradient(8))
    colours = tmp_path / "colours.txt"  # those beyond the crop too
    colours.write_text("".join(f"{red} {green} {blue}\n" for red, green, blue, _ in gradient(8).reshape(-1, 4)))
    words = {"size": "4x4", "fit": "crop", "flip": True, "shift": 2, "views": 7, "tag": True, **NO_SHARES}
    words["palette_file"] = str(colours)
    corpus = build([str(tmp_path / "in")], tmp_path / "c", settings=words)
    rows, whole = corpus.rows("train"), gradient(8)
    assert (len(rows), corpus.manifest["originals"]) == (8, 1)
    places = []
    for number in range(8):
        mirrored, moved = number % 2 == 1, number % 4 >= 2
        seen = rows.picture(number)[:, ::-1] if mirrored else rows.picture(number)
        top, left = (int(part) // 20 for part in seen[0, 0, :2])
        np.testing.assert_array_equal(seen, whole[top : top + 4, left : left + 4])
        assert moved or (top, left) == (2, 2)
        places.append((top, left))
        expected = {(0, 0): "as it is", (1, 0): "mirrored", (0, 1): "moved", (1, 1): "mirrored and moved"}
        assert rows.label(number) == expected[mirrored, moved]
    assert len(set(places)) > 2
    again = build([str(tmp_path / "in")], tmp_path / "again", settings=words)
    assert again.fingerprint == corpus.fingerprint


def test_views_beyond_the_edge_see_the_edge_and_held_out_pictures_have_none(tmp_path):
    save(tmp_path / "in" / "0.png", gradient(4))
    save(tmp_path / "held" / "0.png", gradient(4)[::-1].copy())
    corpus = build([str(tmp_path / "in")], tmp_path / "c", valid=[str(tmp_path / "held")], settings={"shift": 3})
    assert (len(corpus.rows("train")), len(corpus.rows("valid"))) == (16, 1)
    padded = np.pad(gradient(4), ((3, 3), (3, 3), (0, 0)), mode="edge")
    windows = [padded[top : top + 4, left : left + 4] for top in range(7) for left in range(7)]
    for number in range(16):
        assert any((corpus.rows("train").picture(number) == window).all() for window in windows)
    np.testing.assert_array_equal(corpus.rows("train").picture(0), gradient(4))


def test_flip_alone_gives_every_picture_and_its_mirror_image(tmp_path):
    save(tmp_path / "in" / "0.png", gradient(4))
    corpus = build([str(tmp_path / "in")], tmp_path / "c", settings={"flip": True, **NO_SHARES})
    first, second = (corpus.rows("train").picture(number) for number in range(2))
    np.testing.assert_array_equal(first[:, ::-1], second)
    assert len(corpus.rows("train")) == 2
    tagged = build([str(tmp_path / "in")], tmp_path / "tagged", settings={"flip": True, "tag": True, **NO_SHARES})
    assert tagged.manifest["label_names"] == ["as it is", "mirrored"]


def test_the_palette_has_what_views_bring_into_sight(tmp_path):
    picture = np.zeros((8, 8, 4), np.uint8)  # transparent around, opaque in the middle
    picture[2:6, 2:6] = (0, 200, 0, 255)
    save(tmp_path / "in" / "0.png", picture)
    words = {"size": "4x4", "fit": "crop", "shift": 1, **NO_SHARES}
    rows = build([str(tmp_path / "in")], tmp_path / "c", settings=words).rows("train")
    assert {tuple(pixel) for row in range(len(rows)) for pixel in rows.picture(row).reshape(-1, 4).tolist()} == {
        (0, 0, 0, 0), (0, 200, 0, 255)
    }  # fmt: skip


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"views": 3}, "views and tag are of mirrored and moved pictures: add flip=true or shift=PIXELS"),
        ({"tag": True}, "views and tag are of mirrored and moved pictures"),
        ({"shift": 65}, "shift=65: expected 0 to 64 pixels"),
        ({"flip": True, "views": -1}, "views=-1: expected 0 to 10,000"),
    ],
)
def test_views_that_cannot_be(words, message, tmp_path):
    save(tmp_path / "in" / "0.png", gradient(4))
    assert message in refused(build, [str(tmp_path / "in")], tmp_path / "c", settings={**words, **NO_SHARES})


def test_tags_and_labels_are_one_thing(tmp_path):
    save(tmp_path / "in" / "kind" / "0.png", gradient(4))
    message = refused(build, [str(tmp_path / "in")], tmp_path / "c", settings={"flip": True, "tag": True, **NO_SHARES})
    assert message == "tag=true: the pictures have labels already; leave out one of the two"
    assert not (tmp_path / "c").exists()


def test_originals_of_the_lecture_are_found_by_their_centres(tmp_path):
    tokens = write_lecture(tmp_path / "lee", 3)
    wholes = COLOURS[np.random.default_rng(1).integers(0, 5, (3, 26, 26))]
    for number, row in enumerate(tokens):
        wholes[number, 3:23, 3:23] = COLOURS[row].reshape(20, 20, 3)
        save(tmp_path / "wholes" / f"{2 - number}.png", wholes[number])  # in another order
    words = {"originals": str(tmp_path / "wholes"), "shift": 3, "views": 5, **NO_SHARES}
    rows = build([str(tmp_path / "lee")], tmp_path / "c", settings=words).rows("train")
    np.testing.assert_array_equal(rows.pad(range(3)), tokens)
    for number in range(len(rows)):
        seen, whole = rows.picture(number)[..., :3], wholes[number % 3]
        windows = [whole[top : top + 20, left : left + 20] for top in range(7) for left in range(7)]
        assert any((seen == window).all() for window in windows)
    save(tmp_path / "few" / "0.png", wholes[0])
    words["originals"] = str(tmp_path / "few")
    message = refused(build, [str(tmp_path / "lee")], tmp_path / "d", settings=words)
    assert message == "originals: no picture has row 1 of the pixels in its centre"
    save(tmp_path / "small" / "0.png", wholes[0, :10, :10])
    words["originals"] = str(tmp_path / "small")
    assert "expected pictures of one size, at least 20x20" in refused(
        build, [str(tmp_path / "lee")], tmp_path / "d", settings=words
    )


# Columns of the Hub


@pytest.mark.parametrize("streaming", [True, False])
def test_pictures_of_a_dataset_come_as_they_are_with_the_names_of_their_classes(streaming, tmp_path):
    write_dataset(tmp_path / "data")
    given = f"hf-images:{tmp_path / 'data'}"
    found = read(hub_images, [given], label_column="kind", streaming=streaming)
    assert [one.label for one in found] == ["a", "b"] * 6
    assert all((one.pixels == pixels(number)).all() for number, one in enumerate(found))
    assert found[3].name == f"{given}, row 3" and [one.label for one in read(hub_images, [given])] == [None] * 12


def test_folders_of_pictures_are_datasets_too(tmp_path):
    for split, count in (("train", 4), ("test", 2)):
        for number in range(count):
            save(tmp_path / "data" / split / f"kind{number % 2}" / f"{number}.png", pixels(number))
    given = f"hf-images:{tmp_path / 'data'}"
    found = read(hub_images, [f"{given}#test"], label_column="label")
    assert [(one.label, (one.pixels == pixels(n)).all()) for n, one in enumerate(found)] == [("kind0", 1), ("kind1", 1)]
    assert len(read(hub_images, [given], split="train")) == 4


def test_datasets_of_pictures_that_cannot_be_used(tmp_path):
    write_dataset(tmp_path / "data", words=["x"] * 12)
    given = f"hf-images:{tmp_path / 'data'}"
    for words, message in [
        ({"column": "icno"}, "no column 'icno': did you mean 'icon'?"),
        ({"label_column": "knid"}, "no column 'knid': did you mean 'kind'?"),
        ({"column": "words"}, "row 0: 'x': not a picture"),
        ({"split": "valid"}, "no split 'valid'"),
    ]:
        assert message in refused(read, hub_images, [given], **words)
    (tmp_path / "text").mkdir()
    (tmp_path / "text" / "train.jsonl").write_text('{"text": "a"}\n')
    said = refused(read, hub_images, [f"hf-images:{tmp_path / 'text'}"])
    assert said.endswith("no column holds pictures: say column=NAME; columns: text")
    assert "name a dataset" in refused(read, hub_images, ["hf-images:"])
    assert refused(read, hub_images, ["hf-images:/no/such"]) == "hf-images:/no/such: no such folder"
    write_dataset(tmp_path / "gap", other=[Image.fromarray(pixels(0))] + [None] * 11)
    gap = f"hf-images:{tmp_path / 'gap'}"
    assert "several columns hold pictures: say column=NAME; columns: icon, other" in refused(read, hub_images, [gap])
    assert "row 1: None: not a picture" in refused(read, hub_images, [gap], column="other")
