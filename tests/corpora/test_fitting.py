"""Pictures brought to a size, sheets cut into tiles, edges trimmed, layouts of sheets."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from corpora.build import build
from corpora.corpus import Corpus
from corpora.errors import InputError
from corpora.pictures import fitting, sheet, tiles

COLOURS = np.array([(255, 255, 255, 255), (200, 30, 40, 255), (20, 160, 60, 255), (0, 0, 0, 0)], np.uint8)
NO_SHARES = {"valid_share": 0, "test_share": 0, "keep_duplicates": True}


def art(number: int, height: int = 6, width: int = 5) -> np.ndarray:
    return COLOURS[np.random.default_rng(number).integers(0, 4, (height, width))]


def photo(number: int, height: int = 40, width: int = 40) -> np.ndarray:
    pixels = np.random.default_rng(number).integers(0, 256, (height, width, 4), np.uint8)
    pixels[..., 3] = 255
    return pixels


def built(tmp_path: Path, *inputs: Path | str, **settings: object) -> tuple[list[np.ndarray], Corpus]:
    corpus = build([str(one) for one in inputs], tmp_path / "c", settings=NO_SHARES | settings, replace=True)
    rows = corpus.rows("train")
    return [rows.picture(i) for i in range(len(rows))], corpus


# ---------------------------------------------------------------------------------------------------------- fit


def test_area_is_the_mean_under_each_new_pixel():
    whole = photo(0, 8, 12)
    fitted = fitting.fit(whole, (4, 4), "area")
    right = whole.reshape(4, 2, 4, 3, 4).mean((1, 3))
    assert (np.abs(fitted.pixels - right) <= 0.5).all()
    assert fitted.change == "resized by area to 4x4; their sides were not in proportion"
    uneven = fitting.fit(whole[:3, :3], (2, 2), "area").pixels[0, 0].astype(float)
    weights = np.array([[1, 0.5], [0.5, 0.25]])[..., None] / 2.25
    assert uneven == pytest.approx((whole[:2, :2] * weights).sum((0, 1)), abs=0.5)


def test_transparent_pixels_lend_no_colour_to_a_mean():
    pixels = np.array([[[255, 0, 0, 255], [0, 255, 0, 0]]], np.uint8)
    assert fitting.fit(pixels, (1, 1), "area").pixels.tolist() == [[[255, 0, 0, 128]]]


def test_photographs_are_known_by_their_colours():
    assert fitting.photographic(photo(0))
    assert fitting.photographic(photo(0, 12, 12))  # 144 pixels, nearly as many colours
    grey = np.random.default_rng(0).integers(0, 256, (28, 28, 1), np.uint8).repeat(3, 2)
    assert fitting.photographic(np.pad(grey, ((0, 0), (0, 0), (0, 1)), constant_values=255))
    assert not fitting.photographic(art(0, 64, 64))
    assert not fitting.photographic(photo(0, 8, 8))  # too small to tell
    assert not fitting.photographic(photo(0) & (255, 255, 255, 0))  # nothing can be seen
    assert fitting.fit(photo(0), (8, 8), "resize").change == "resized by area to 8x8, as photographs, of many colours"
    assert (
        fitting.fit(art(0, 12, 10), (6, 5), "resize").change
        == "resized to 6x5 by the nearest pixel, as pixel art, of few colours"
    )


@pytest.mark.parametrize("how", fitting.WAYS)
def test_a_picture_of_the_size_stays(how):
    assert fitting.fit(art(0), (6, 5), how).change == ""
    assert (fitting.fit(art(0), (6, 5), how).pixels == art(0)).all()


def test_crop_and_pad():
    fitted = fitting.fit(art(0, 9, 8), (4, 4), "crop")
    assert (fitted.pixels == art(0, 9, 8)[2:6, 2:6]).all()
    assert (fitted.corner, fitted.change) == ((2, 2), "cropped to 4x4")
    padded = fitting.fit(art(0), (10, 9), "pad").pixels
    assert (padded[2:8, 2:7] == art(0)).all()
    assert padded.sum() == art(0).sum(dtype=int)
    with pytest.raises(InputError, match=r"a\.png is 6x5, too small to crop to 7x4: use fit=pad or fit=resize"):
        fitting.fit(art(0), (7, 4), "crop", name="a.png")
    with pytest.raises(InputError, match="no fit 'stretch'"):
        fitting.fit(art(0), (7, 4), "stretch")


def test_a_build_says_how_it_resized(tmp_path):
    Image.fromarray(photo(0)).save(tmp_path / "a.png")
    Image.fromarray(art(0, 12, 10)).save(tmp_path / "b.png")
    _, corpus = built(tmp_path, tmp_path / "a.png", tmp_path / "b.png", size="6x5", fit="resize")
    assert corpus.manifest["notes"][1:] == [
        "1 picture resized by area to 6x5, as photographs, of many colours; their sides were not in proportion",
        "1 picture resized to 6x5 by the nearest pixel, as pixel art, of few colours",
    ]


# ------------------------------------------------------------------------------------------------------- sheets


def drawn(
    count: int, columns: int, margin: int, spacing: int, line: tuple[int, ...], end: int | None = None
) -> np.ndarray:
    """A sheet of pictures 6x5; `end`: pixels after the last ones, by default the margin."""
    tiles_ = sheet.Tiles(6, 5, columns, count, margin, spacing)
    pixels = np.empty((*tiles_.size, 4), np.uint8)
    pixels[:] = line
    for number in range(count):
        top, left = tiles_.corner(number)
        pixels[top : top + 6, left : left + 5] = art(number)
    cut = margin - (margin if end is None else end)
    return pixels[: len(pixels) - cut, : pixels.shape[1] - cut]


@pytest.mark.parametrize("line", [(0, 0, 0, 0), (255, 255, 255, 255), (255, 0, 255, 255)])
@pytest.mark.parametrize(("margin", "spacing"), [(0, 0), (0, 1), (1, 1), (1, 0), (2, 3), (3, 2), (0, 2), (4, 1)])
def test_margin_and_spacing_are_guessed_where_lines_show(margin, spacing, line):
    for count, columns in [(12, 4), (20, 5), (6, 2), (9, 9)]:
        for end in {0, margin}:
            pixels = drawn(count, columns, margin, spacing, line, end)
            grid = tiles.grid_of(pixels, (6, 5), None, None)
            assert (grid.margin, grid.spacing) == (margin, spacing)
            assert (grid.lines == line) == (margin > 0 or spacing > 0)
            cells = [part for _, _, part in tiles.cut(pixels, (6, 5), grid)]
            assert all((one == art(n)).all() for n, one in enumerate(cells))
            assert len(cells) == count


def test_a_sheet_that_divides_both_ways(tmp_path):
    pixels = drawn(20, 4, 1, 1, (255, 0, 255, 255))
    assert pixels.shape == (36, 25, 4)  # six by five tiles without lines, too
    Image.fromarray(pixels).save(tmp_path / "x.png")
    shown, corpus = built(tmp_path, tmp_path / "x.png", tile="6x5")
    assert (shown[0] == art(0)).all()
    assert corpus.manifest["notes"][1] == (
        "1 picture cut into tiles of 6x5 with margin=1 spacing=1, as lines of one colour around them show "
        "(margin=0 spacing=0 cuts without)"
    )
    shown, corpus = built(tmp_path, tmp_path / "x.png", tile="6x5", margin=0, spacing=0)
    assert (len(shown), len(corpus.manifest["notes"])) == (30, 1)


def test_sprites_with_empty_borders_are_no_grid():
    """Transparent edges inside of the tiles are not taken for lines between them."""
    draw = np.random.default_rng(0)
    for _ in range(200):
        tile = int(draw.integers(6, 12))
        rows, columns = draw.integers(1, 6, 2)
        pixels = np.zeros((rows * tile, columns * tile, 4), np.uint8)
        for row in range(rows):
            for column in range(columns):
                top, left, height, width = (*draw.integers(0, 3, 2), *draw.integers(1, tile - 2, 2))
                pixels[row * tile + top :, column * tile + left :][:height, :width] = (9, 9, 9, 255)
        grid = tiles.grid_of(pixels, (tile, tile), None, None)
        assert (grid.margin, grid.spacing, grid.rows, grid.columns) == (0, 0, rows, columns)


def test_margin_and_spacing_that_are_said(tmp_path):
    Image.fromarray(drawn(12, 4, 2, 3, (1, 1, 1, 255))).save(tmp_path / "x.png")
    shown, corpus = built(tmp_path, tmp_path / "x.png", tile="6x5", margin=2, spacing=3)
    assert all((one == art(n)).all() for n, one in enumerate(shown))
    assert len(corpus.manifest["notes"]) == 1


@pytest.mark.parametrize("gap", [0, 1])
@pytest.mark.parametrize("count", [1, 5, 16])
def test_a_sheet_of_ours_reads_back(count, gap, tmp_path):
    several = [art(number) for number in range(count)]
    several[-1] = np.zeros_like(several[0]) if count > 1 else several[0]
    places = sheet.layout(several, gap=gap)
    sheet.write(tmp_path / "x.png", sheet.encoded(tmp_path / "x.png", sheet.grid(several, gap=gap), 4, tiles=places))
    shown, corpus = built(tmp_path, tmp_path / "x.png")
    assert len(shown) == count
    assert all((one == other).all() for one, other in zip(shown, several, strict=True))
    what = "1 picture is" if count == 1 else f"{count} pictures are"
    assert what.split()[0] + " picture" in corpus.manifest["notes"][1]
    assert "cut from a sheet as its own file says" in corpus.manifest["notes"][1]
    shown, _ = built(tmp_path, tmp_path / "x.png", sheets=False)
    assert len(shown) == 1


def test_a_sheet_of_ours_that_lost_its_layout(tmp_path):
    several = [art(number) for number in range(7)]
    Image.fromarray(sheet.enlarged(sheet.grid(several), 4)).save(tmp_path / "x.png")
    shown, corpus = built(tmp_path, tmp_path / "x.png", tile="6x5")
    assert all((one == other).all() for one, other in zip(shown, several, strict=True))
    assert "at their own size, since they are enlarged 4 times, with margin=1 spacing=1" in corpus.manifest["notes"][1]
    assert corpus.manifest["dropped"] == {"empty cells at the end of a sheet": 2}


def test_an_enlarged_sheet_without_lines(tmp_path):
    several = [art(number) for number in range(6)]
    Image.fromarray(sheet.enlarged(sheet.grid(several, 3, gap=0), 4)).save(tmp_path / "x.png")
    shown, corpus = built(tmp_path, tmp_path / "x.png", tile="6x5")
    assert all((one == other).all() for one, other in zip(shown, several, strict=True))
    assert corpus.manifest["notes"][1] == (
        "1 picture cut into tiles of 6x5 at their own size, since they are enlarged 4 times"
    )


def test_a_layout_that_is_not_of_the_picture():
    places = sheet.layout([art(0)] * 4)._replace(scale=2)
    size = tuple(2 * side for side in places.size)
    assert sheet.tiles_of(places.to_json(), size) == places
    for text in (None, "", "[]", "{}", "[" * 10_000, '{"tile": 5}', places._replace(total=-1).to_json()):
        assert sheet.tiles_of(text, size) is None
    assert sheet.tiles_of(places.to_json(), (size[0] + 1, size[1])) is None


def frame(x: int, y: int, w: int = 5, h: int = 6, **more: object) -> dict[str, object]:
    return {"frame": {"x": x, "y": y, "w": w, "h": h}, **more}


@pytest.mark.parametrize("listed", [True, False])
def test_the_layout_of_aseprite(listed, tmp_path):
    pixels = np.zeros((20, 30, 4), np.uint8)
    pixels[0:6, 0:5], pixels[7:13, 10:15], pixels[0:5, 20:26] = art(0), art(1), np.rot90(art(2), -1)
    Image.fromarray(pixels).save(tmp_path / "walk.png")
    frames = {
        "walk 0.png": frame(0, 0),
        "walk 1.png": frame(
            11, 8, 3, 4, trimmed=True, spriteSourceSize={"x": 1, "y": 1, "w": 3, "h": 4}, sourceSize={"w": 5, "h": 6}
        ),
        "walk 2.png": frame(20, 0, rotated=True),
        "walk 3.png": frame(0, 14),
    }
    as_list = [{"filename": name, **entry} for name, entry in frames.items()]
    (tmp_path / "walk.json").write_text(
        json.dumps({"frames": as_list if listed else frames, "meta": {"image": "walk.png"}})
    )
    shown, corpus = built(tmp_path, tmp_path / "walk.png")
    middle = np.zeros_like(art(1))
    middle[1:5, 1:4] = art(1)[1:5, 1:4]
    assert all((one == other).all() for one, other in zip(shown, [art(0), middle, art(2), art(0) * 0], strict=True))
    assert corpus.manifest["notes"][1] == "4 pictures cut from a sheet as walk.json beside them says"
    shown, _ = built(tmp_path, tmp_path / "walk.png", sheets=False)
    assert len(shown) == 1


def test_layouts_that_do_not_fit(tmp_path):
    Image.fromarray(art(0)).save(tmp_path / "a.png")
    (tmp_path / "a.json").write_text(json.dumps({"frames": {"one": frame(3, 0)}, "meta": {}}))
    with pytest.raises(InputError, match=r"a\.json: one lies outside of the sheet of 6x5: export both again"):
        built(tmp_path, tmp_path / "a.png")
    for other in ({"frames": 5}, {"frames": {"one": frame(3, 0)}, "meta": {"image": "b.png"}}, {"frames": [{}]}):
        (tmp_path / "a.json").write_text(json.dumps(other))
        assert len(built(tmp_path, tmp_path / "a.png")[0]) == 1


# --------------------------------------------------------------------------------------------------------- trim


def test_empty_edges_are_trimmed(tmp_path):
    clear = np.zeros((12, 11, 4), np.uint8)
    clear[3:9, 4:9] = np.where(art(1)[..., 3:] > 0, art(1), (1, 2, 3, 255))
    white = np.full((12, 11, 4), 255, np.uint8)
    white[3:9, 4:9] = (5, 6, 7, 255)
    assert tiles.trimmed(clear).shape == tiles.trimmed(white).shape == (6, 5, 4)
    assert tiles.trimmed(clear * 0).shape == tiles.trimmed(white * 0 + 255).shape == (12, 11, 4)
    Image.fromarray(clear).save(tmp_path / "a.png")
    Image.fromarray(white).save(tmp_path / "b.png")
    shown, corpus = built(tmp_path, tmp_path / "a.png", tmp_path / "b.png", trim=True)
    assert (shown[0] == clear[3:9, 4:9]).all()
    assert corpus.manifest["notes"][1] == "2 pictures trimmed at their empty edges"


# -------------------------------------------------------------------------------------------- half-transparency


def soft(number: int, colours: int = 30) -> np.ndarray:
    draw = np.random.default_rng(number)
    table = np.random.default_rng(7).integers(0, 256, (colours, 4), np.uint8)
    table[: colours // 2, 3] = 255
    return table[draw.integers(0, colours, (8, 8))]


def test_half_transparent_pixels_are_kept_where_the_palette_can(tmp_path):
    for number in range(6):
        Image.fromarray(soft(number)).save(tmp_path / f"{number}.png")
    shown, corpus = built(tmp_path, *(tmp_path / f"{n}.png" for n in range(6)))
    assert all((one == soft(n)).all() for n, one in enumerate(shown))
    assert "of the pixels are half transparent: their alpha is kept" in corpus.manifest["notes"][1]
    again = Corpus.open(tmp_path / "c", verify=True).codec
    assert (again.levels, again.to_dict()) == (True, corpus.codec.to_dict())
    shown, corpus = built(tmp_path, *(tmp_path / f"{n}.png" for n in range(6)), colours=20)
    assert {*np.unique(np.stack(shown)[..., 3]).tolist()} <= {0, 255}
    assert "made opaque, " in corpus.manifest["notes"][1] and "dropped (alpha=128" in corpus.manifest["notes"][1]
    shown, corpus = built(tmp_path, *(tmp_path / f"{n}.png" for n in range(6)), colours=20, alpha="keep")
    assert corpus.codec.vocab_size <= 20
    assert corpus.codec.levels
    assert np.abs(np.stack(shown)[..., 3].astype(int) - np.stack([soft(n) for n in range(6)])[..., 3]).mean() < 30
    (tmp_path / "x.hex").write_text("ff0000\n00ff00\n")
    _, corpus = built(tmp_path, tmp_path / "0.png", alpha="keep", palette_file=str(tmp_path / "x.hex"))
    assert "the palette that was given has no such colours" in corpus.manifest["notes"][1]
    assert any("laid on white" in note for note in built(tmp_path, tmp_path / "0.png", alpha=0)[1].manifest["notes"])


def test_pictures_that_a_threshold_makes_equal_stay_in_one_split(tmp_path):
    for number in range(30):
        pixels = soft(number // 3, 12)
        pixels[0, 0] = (1, 2, 3, 200 + number % 3)
        Image.fromarray(pixels).save(tmp_path / f"{number:02}.png")
    inputs = [str(tmp_path / f"{number:02}.png") for number in range(30)]
    corpus = build(inputs, tmp_path / "c", settings={"colours": 9, "twins": False})
    assert "made opaque" in corpus.manifest["notes"][1]
    rows = {name: {one.picture(i).tobytes() for i in range(len(one))} for name, one in corpus.splits.items()}
    assert sum(map(len, rows.values())) == len(set.union(*rows.values())) == 10


# ----------------------------------------------------------------------------------------------------- folders


def test_what_is_left_alone_is_told(tmp_path):
    folder = tmp_path / "icons"
    folder.mkdir()
    for number in range(6):
        Image.fromarray(art(number)).save(folder / f"{number}.{('png', 'bmp', 'tga')[number % 3]}")
    for name in ("License.txt", "a.md", "b.md", "x.aseprite", "Thumbs.db", ".hidden"):
        (folder / name).write_bytes(b"x")
    (folder / "0.json").write_text(json.dumps({"frames": {"a": frame(0, 0)}, "meta": {"image": "0.png"}}))
    _, corpus = built(tmp_path, folder, alpha=0)
    assert corpus.manifest["read"] == 6
    (note,) = (note for note in corpus.manifest["notes"] if "kinds left out" in note)
    assert note.startswith("5 files of other kinds left out (.md 2, ")
    assert all(f"{kind} 1" in note for kind in (".txt", ".aseprite", ".db"))


def test_colours_that_train_has_not_are_told(tmp_path):
    for number in range(6):
        Image.fromarray(art(number)).save(tmp_path / f"{number}.png")
    odd = art(9)
    odd[0, :2] = [(1, 250, 2, 255), (250, 1, 2, 255)]
    Image.fromarray(odd).save(tmp_path / "odd.png")
    inputs = [str(tmp_path / f"{number}.png") for number in range(6)]
    corpus = build(inputs, tmp_path / "c", test=str(tmp_path / "odd.png"), settings={"valid_share": 0})
    note = "1 picture outside of train with 2 colours that train has not: the nearest was taken"
    assert note in corpus.manifest["notes"]
