"""Grids, PNG, GIF and terminal previews show just the pixels they were given."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from corpora.errors import InputError
from corpora.pictures import sheet


def drawn(seed: int, height: int = 5, width: int = 4) -> np.ndarray:
    made = np.random.default_rng(seed).integers(0, 256, (height, width, 4), np.uint8)
    made[..., 3] = np.where(made[..., 3] < 128, 0, 255)
    return made


def test_png_round_trip():
    picture = drawn(0)
    again = np.asarray(Image.open(io.BytesIO(sheet.png(picture, 3))))
    assert np.array_equal(again[::3, ::3], picture)
    assert again.shape == (15, 12, 4)


@pytest.mark.parametrize("count", [1, 2, 5, 9])
def test_grid_holds_every_picture(count):
    several = [drawn(number) for number in range(count)]
    drawn_sheet = sheet.grid(several, columns=2)
    columns = min(count, 2)
    for number, picture in enumerate(several):
        row, column = divmod(number, columns)
        top, left = 1 + row * 6, 1 + column * 5
        assert np.array_equal(drawn_sheet[top : top + 5, left : left + 4], picture)


def test_gif_has_every_frame_and_its_colours():
    frames = [np.full((4, 4, 4), (value, 0, 255 - value, 255), np.uint8) for value in (0, 100, 200)]
    made = Image.open(io.BytesIO(sheet.gif(frames, 2, seconds=0.2)))
    assert made.n_frames == 3
    for number, frame in enumerate(frames):
        made.seek(number)
        assert np.array_equal(np.asarray(made.convert("RGB"))[::2, ::2], frame[..., :3])


def test_transparency_shows_the_board_and_opaque_pixels_stay():
    picture = drawn(1)
    shown = sheet.flat(picture)
    solid = picture[..., 3] == 255
    assert np.array_equal(shown[solid], picture[solid][:, :3])
    assert (shown[~solid] >= 235).all()


def test_preview_has_a_line_for_two_rows_of_pixels():
    lines = sheet.preview(drawn(2)).splitlines()
    assert len(lines) == 3 and all(line.count("\u2580") == 4 and line.endswith("\x1b[0m") for line in lines)


def test_errors(tmp_path):
    with pytest.raises(InputError, match="there is no picture to show"):
        sheet.grid([])
    with pytest.raises(InputError, match="several sizes"):
        sheet.grid([drawn(0), drawn(0, 6)])
    with pytest.raises(InputError, match="no frame"):
        sheet.gif([])
    with pytest.raises(InputError):
        sheet.write(tmp_path / "absent" / "a.png", b"")
    assert not list(tmp_path.iterdir())
