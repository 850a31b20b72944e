"""Pictures as files for other programs: indexed PNG and GIF, a file for each, sheets with JSON, names already taken."""

from __future__ import annotations

import io
import json
import threading
from pathlib import Path

import numpy as np
import pytest
from bars import HEIGHT, WIDTH, said
from PIL import Image

from corpora.build import build
from corpora.commands import new_file, reserve
from corpora.corpus import Corpus
from corpora.errors import InputError
from corpora.pictures import sheet
from imagegen import PictureModel, verbs
from imagegen.pictures import indexed


def table(count: int, clear: bool) -> list[tuple[int, int, int, int]]:
    """So many different colours, the first of them transparent if `clear`."""
    opaque = [(number % 256, 7 * number % 256, number // 256, 255) for number in range(count - clear)]
    return [(0, 0, 0, 0)] * clear + opaque


def drawn(colours: list[tuple[int, int, int, int]], seed: int = 0, size: tuple[int, int] = (9, 7)) -> np.ndarray:
    return np.array(colours, np.uint8)[np.random.default_rng(seed).integers(0, len(colours), size)]


@pytest.mark.parametrize("clear", [False, True])
@pytest.mark.parametrize("count", [2, 3, 16, 167, 256])
def test_an_indexed_png_has_the_palette_in_its_order(count, clear):
    colours = table(count, clear)
    picture = drawn(colours)
    with Image.open(io.BytesIO(indexed.png(picture, colours, 2))) as image:
        assert image.mode == "P"
        stored = image.getpalette()
        assert stored[: 3 * count] == [part for colour in colours for part in colour[:3]]
        numbers = np.array(image)[::2, ::2]
        assert (np.array(colours, np.uint8)[numbers] == picture).all()
        assert (np.array(image.convert("RGBA"))[::2, ::2] == picture).all()


def test_colours_beside_the_palette_come_behind_it_and_half_transparent_ones_stay():
    colours = [(0, 0, 0, 0), (9, 9, 9, 255), (200, 0, 0, 128)]
    picture = drawn([*colours, (160, 160, 160, 255)])
    with Image.open(io.BytesIO(indexed.png(picture, colours))) as image:
        assert image.getpalette()[9:12] == [160, 160, 160]
        assert (np.array(image.convert("RGBA")) == picture).all()
    many = drawn(table(700, False), size=(40, 40))
    with Image.open(io.BytesIO(indexed.png(many, table(700, False)))) as image:
        assert image.mode == "RGBA" and (np.array(image) == many).all()


@pytest.mark.parametrize("clear", [False, True])
@pytest.mark.parametrize("count", [2, 5, 256])
def test_a_gif_keeps_every_frame_palette_and_transparency(count, clear):
    colours = table(count, clear)
    frames = [drawn(colours, seed) for seed in (0, 1, 1, 2)]  # two frames are the same
    with Image.open(io.BytesIO(indexed.gif(frames, colours, 3, (0.1, 0.5)))) as image:
        assert image.n_frames == 4 and image.info["loop"] == 0
        for number, frame in enumerate(frames):
            image.seek(number)
            shown = np.array(image.convert("RGBA"))[::3, ::3]
            assert (shown[..., 3] == frame[..., 3]).all()
            assert (shown[frame[..., 3] > 0] == frame[frame[..., 3] > 0]).all()
            assert image.info["duration"] == (100 if number == 0 else 500)
    with pytest.raises(InputError, match=r"300 colours: a GIF holds 256; write \.webp"):
        indexed.gif([drawn(table(300, False), size=(40, 40))], table(300, False))
    with pytest.raises(InputError, match="no frame"):
        indexed.gif([], colours)


@pytest.mark.parametrize(("count", "columns"), [(1, 1), (2, 2), (4, 2), (7, 3), (12, 4), (16, 4), (17, 5), (64, 8)])
def test_a_sheet_is_near_a_square_and_full_where_it_can_be(count, columns):
    assert indexed.columns_of(count) == columns


def cut(page: np.ndarray, about: dict) -> list[np.ndarray]:
    """The pictures of a sheet by the rectangles of its JSON."""
    boxes = [frame["frame"] for frame in about["frames"]]
    return [page[box["y"] : box["y"] + box["h"], box["x"] : box["x"] + box["w"]] for box in boxes]


def test_each_picture_is_a_file_at_true_size_and_a_sheet_has_no_gaps(runs, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    words = ["sample", "-n", 7, "--model", runs["pixelcnn"]]
    code, out, err = said(capsys, *words, "--out-dir", "icons", "--sheet", "page.png")
    assert (code, err) == (0, "") and out.startswith("icons (7 files), page.png: 7 pictures, seed 0")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["icons", "page.json", "page.png"]
    model = PictureModel.from_pretrained(runs["pixelcnn"])
    truth = model.pictures(model.sample(7))
    colours = [part for colour in model.palette.colours for part in colour[:3]]
    for number, picture in enumerate(truth):
        with Image.open(f"icons/{number:04}.png") as image:
            assert image.mode == "P" and image.size == (WIDTH, HEIGHT)
            assert image.getpalette()[: len(colours)] == colours
            assert (np.array(image.convert("RGBA")) == picture).all()
    about = json.loads(Path("page.json").read_text())
    with Image.open("page.png") as image:
        page = np.array(image.convert("RGBA"))
        assert image.mode == "P" and image.size == (3 * WIDTH, 3 * HEIGHT)
    assert all((one == other).all() for one, other in zip(cut(page, about), truth, strict=True))
    assert not page[2 * HEIGHT :, WIDTH:].any()  # transparent after the last
    assert about["meta"] | {"version": ""} == {
        "app": "stroll", "version": "", "image": "page.png", "format": "I8", "size": {"w": 3 * WIDTH, "h": 3 * HEIGHT},
        "scale": "1",
    }  # fmt: skip
    assert about["frames"][4] == {
        "filename": "0004.png", "frame": {"x": WIDTH, "y": HEIGHT, "w": WIDTH, "h": HEIGHT}, "rotated": False,
        "trimmed": False, "spriteSourceSize": {"x": 0, "y": 0, "w": WIDTH, "h": HEIGHT},
        "sourceSize": {"w": WIDTH, "h": HEIGHT}, "duration": 100,
    }  # fmt: skip
    for name, line in (
        (
            ["--out-dir", "icons"],
            "icons holds files already: choose another --out-dir, or give --force to write in it",
        ),
        (["--out-dir", "page.png"], "page.png is no folder: choose another --out-dir"),
        (["--sheet", "page.png"], "page.png exists already: choose another --sheet, or give --force to replace it"),
        (["--sheet", "page.gif"], "page.gif: a sheet is written as .png: choose another ending"),
        (["--sheet", "x.png", "--out", "x.png"], "--out and --sheet are both x.png: give each a name of its own"),
    ):
        assert said(capsys, *words, *name)[::2] == (2, f"error: {line}\n")
    Path("x.json").write_text("mine")
    assert said(capsys, *words, "--sheet", "x.png")[2].startswith("error: x.json exists already")
    Path("icons/mine.txt").write_text("mine")
    assert said(capsys, *words, "--seed", 1, "--out-dir", "icons", "--force")[0] == 0
    assert len(list(Path("icons").iterdir())) == 8 and Path("icons/mine.txt").read_text() == "mine"


def test_files_and_sheets_are_read_back_as_the_same_rows(runs, corpus, tmp_path):
    model = PictureModel.from_pretrained(runs["pixelcnn"])
    drawing = verbs.sample(12, model=model, seed=2)
    drawing.save_pictures(tmp_path / "icons")
    drawing.save_sheet(tmp_path / "page.png")
    same = {"keep_duplicates": "true", "codec_from": str(corpus), "valid_share": "0", "test_share": "0"}
    drawing.save(tmp_path / "grid.png")  # enlarged, with gaps
    drawing.save(tmp_path / "moving.gif", 1)
    (tmp_path / "json").mkdir()  # the sheet after another program has dropped our note in it
    Image.open(tmp_path / "page.png").convert("RGBA").save(tmp_path / "json" / "page.png")
    (tmp_path / "json" / "page.json").write_bytes((tmp_path / "page.json").read_bytes())
    for number, source in enumerate(("icons", "page.png", "grid.png", "moving.gif", "json/page.png")):
        more = {"frames": "all"} if source.endswith("gif") else {}
        build([str(tmp_path / source)], tmp_path / str(number), settings=same | more)
        again = Corpus.open(tmp_path / str(number))
        stored = again.rows("train")
        rows = [tuple(row.tolist()) for row in stored.pad(np.arange(len(stored)))]
        assert sorted(rows) == sorted(tuple(row) for row in drawing.facts["tokens"]), source


def test_a_class_of_no_training_picture_is_passed_over_unless_it_is_asked_for():
    model = verbs.picture_model("creatures")
    first, *others = model.model.vocab.labels
    model.opened = model.opened._replace(facts={**model.opened.facts, "labels_unseen": [first]})
    drawing = verbs.sample(2, model=model)
    assert drawing.facts["label"] == others[:2]
    with pytest.raises(InputError, match=r"no row that .* was trained on has it"):
        verbs.sample(1, label=first, model=model)


def test_the_files_of_classes_say_them(tmp_path):
    drawing = verbs.sample(2, label="ghost", model="creatures")
    assert drawing.save_pictures(tmp_path / "ghosts") == ["0000-ghost.png", "0001-ghost.png"]
    with Image.open(tmp_path / "ghosts" / "0000-ghost.png") as image:
        assert image.info["transparency"] is not None
        assert (np.array(image.convert("RGBA")) == drawing.pictures[0]).all()
    assert verbs._file_name(3, labels=[None, None, None, "../a b"]) == "0003-.._a_b.png"


def test_completions_and_traversals_are_files_too(runs, corpus, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    row = f"{corpus}@test:0"
    assert (
        said(capsys, "complete", row, "-n", 2, "--model", runs["pixelcnn"], "--out-dir", "a", "--sheet", "a.png")[0]
        == 0
    )
    assert sorted(path.name for path in Path("a").iterdir()) == ["0000-00.png", "0000-01.png", "0000-whole.png"]
    words = ["traverse", row, "--codes", "0,2", "--steps", 3, "--model", runs["vae"]]
    assert said(capsys, *words, "--out-dir", "b", "--sheet", "b.png", "--out", "b.gif")[0] == 0
    assert len(list(Path("b").iterdir())) == 9 and len(list(Path("b").glob("*-own.png"))) == 1
    with Image.open("b.png") as image, Image.open("b.gif") as moving:
        assert image.size == (3 * WIDTH, 3 * HEIGHT) and moving.n_frames == 16
    assert said(capsys, "reconstruct", row, "--model", runs["vae"], "--out-dir", "c")[0] == 0
    assert said(capsys, "interpolate", row, row, "--steps", 3, "--model", runs["vae"], "--out", "d.gif")[0] == 0
    with Image.open("d.gif") as moving:
        assert moving.n_frames == 4  # there and back


def test_a_grid_says_where_its_pictures_lie(runs, tmp_path):
    drawing = verbs.sample(5, model=runs["pixelcnn"])
    with Image.open(drawing.save(tmp_path / "a.png", scale=4)) as image:
        assert image.mode == "P"
        tiles = sheet.tiles_of(image.text[sheet.TILES], image.size[::-1])
        page = np.array(image.convert("RGBA"))[::4, ::4]
    assert tiles == sheet.Tiles(HEIGHT, WIDTH, 3, 5, 1, 1, 4)
    assert (page[1 : 1 + HEIGHT, 1 : 1 + WIDTH] == drawing.pictures[0]).all() and (page == drawing.grid).all()


def test_two_commands_at_once_take_names_of_their_own(tmp_path, monkeypatch):
    """Both are named before either writes; none overwrites the other's picture, nor one of the user."""
    monkeypatch.chdir(tmp_path)
    Path("sample.png").write_text("mine")
    barrier, taken = threading.Barrier(8), []

    def command() -> None:
        path = new_file(None, "sample.png")
        barrier.wait()
        taken.append(str(reserve(path, "sample.png")))

    threads = [threading.Thread(target=command) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(taken) == sorted(f"sample-{number}.png" for number in range(2, 10))
    assert Path("sample.png").read_text() == "mine"


def test_a_picture_that_cannot_be_written_leaves_no_file(runs, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def full(*args: object, **options: object) -> bytes:
        raise InputError("the disk is full")

    monkeypatch.setattr(indexed, "png", full)
    for words in ([], ["--out-dir", "some/icons"]):
        assert said(capsys, "sample", "-n", 1, "--model", runs["pixelcnn"], *words)[0] == 2
        assert not list(tmp_path.iterdir())
