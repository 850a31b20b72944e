"""Picture files that are odd, but whole: PNG of every depth and kind, EXIF, animations, other formats. The right pixels
are known, since the files are written here."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from corpora.errors import InputError
from corpora.pictures import decoding

SIZE = (9, 11)
PASSES = ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1))


def chunk(kind: bytes, data: bytes, check: int | None = None) -> bytes:
    return (
        struct.pack(">I", len(data))
        + kind
        + data
        + struct.pack(">I", zlib.crc32(kind + data) if check is None else check)
    )


def filtered(lines: list[bytes], step: int) -> bytes:
    """Lines of bytes, each with another filter of PNG."""
    out, above = b"", bytes(len(lines[0]))
    for number, line in enumerate(lines):
        kind, coded = number % 5, []
        for i, value in enumerate(line):
            left = line[i - step] if i >= step else 0
            up, corner = above[i], above[i - step] if i >= step else 0
            guess = left + up - corner
            paeth = min((abs(guess - left), 0, left), (abs(guess - up), 1, up), (abs(guess - corner), 2, corner))[2]
            coded.append((value - (0, left, up, (left + up) // 2, paeth)[kind]) & 255)
        out, above = out + bytes([kind, *coded]), line
    return out


def packed(values: np.ndarray, depth: int, step: int) -> bytes:
    """Values (H, W, C) as filtered lines."""
    lines = []
    for row in values:
        bits = "".join(f"{int(value):0{depth}b}" for value in row.reshape(-1))
        bits += "0" * (-len(bits) % 8)
        lines.append(bytes(int(bits[i : i + 8], 2) for i in range(0, len(bits), 8)))
    return filtered(lines, step)


def png(values: np.ndarray, depth: int, colour: int, *extra: bytes, interlaced: bool = False) -> bytes:
    """A PNG file of values (H, W, C) of `depth` bits."""
    height, width, channels = values.shape
    step = max(1, depth * channels // 8)
    parts = PASSES if interlaced else ((0, 0, 1, 1),)
    passes = [values[top::down, left::across] for top, left, down, across in parts]
    data = b"".join(packed(one, depth, step) for one in passes if one.size)
    head = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlaced)
    body = chunk(b"IHDR", head) + b"".join(extra) + chunk(b"IDAT", zlib.compress(data)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def read(tmp_path: Path, data: bytes, name: str = "x.png", every: bool = False) -> list[decoding.Frame]:
    path = tmp_path / name
    path.write_bytes(data)
    return list(decoding.frames(path, every))


def rgba(grey: np.ndarray, alpha: np.ndarray | int = 255) -> np.ndarray:
    """(H, W) or (H, W, 3) of 0 to 255 as (H, W, 4)."""
    shades = grey if grey.ndim == 3 else np.repeat(grey[..., None], 3, 2)
    return np.concatenate([shades, np.broadcast_to(alpha, grey.shape[:2])[..., None]], 2).astype(np.uint8)


@pytest.mark.parametrize("interlaced", [False, True])
@pytest.mark.parametrize("depth", [1, 2, 4, 8, 16])
def test_grey_with_a_transparent_one(depth, interlaced, tmp_path):
    most = 1 << depth
    values = np.random.default_rng(depth).integers(0, most, (*SIZE, 1))
    key = int(values[3, 4, 0])
    if depth == 16:
        values[5, 5, 0] = key ^ 1  # differs in the low byte alone
    high_bits = key | (0x0100 if depth < 8 else 0)  # to be ignored
    data = png(values, depth, 0, chunk(b"tRNS", struct.pack(">H", high_bits)), interlaced=interlaced)
    shades = values[..., 0] >> 8 if depth == 16 else values[..., 0] * (255 // (most - 1))
    (frame,) = read(tmp_path, data)
    assert (frame.pixels == rgba(shades, np.where(values[..., 0] == key, 0, 255))).all()
    assert ("cut from 16 bits a channel to 8" in frame.done) == (depth == 16)


@pytest.mark.parametrize("interlaced", [False, True])
@pytest.mark.parametrize("depth", [8, 16])
def test_colours_with_a_transparent_one(depth, interlaced, tmp_path):
    values = np.random.default_rng(depth).integers(0, 1 << depth, (*SIZE, 3))
    key = values[3, 4].copy()
    values[0, 0], values[8, 10], values[5, 5] = key, key, key ^ (0, 0, 1)
    data = png(values, depth, 2, chunk(b"tRNS", struct.pack(">3H", *key)), interlaced=interlaced)
    (frame,) = read(tmp_path, data)
    assert (frame.pixels == rgba(values >> (depth - 8), np.where((values == key).all(2), 0, 255))).all()
    assert frame.pixels[[3, 0, 8, 5], [4, 0, 10, 5], 3].tolist() == [0, 0, 0, 255]


@pytest.mark.parametrize("depth", [1, 2, 4, 8])
def test_palettes_with_half_transparent_entries(depth, tmp_path):
    count = min(1 << depth, 20)
    table = np.random.default_rng(depth).integers(0, 256, (count, 4))
    table[count // 2 :, 3] = 255  # tRNS may be shorter than the palette
    values = np.random.default_rng(1).integers(0, count, (*SIZE, 1))
    extra = chunk(b"PLTE", table[:, :3].astype(np.uint8).tobytes())
    extra += chunk(b"tRNS", table[: count // 2, 3].astype(np.uint8).tobytes())
    (frame,) = read(tmp_path, png(values, depth, 3, extra))
    assert (frame.pixels == table[values[..., 0]]).all()
    assert frame.done == ("had a palette of their own",)


def test_numbers_beyond_the_palette_are_told(tmp_path):
    (frame,) = read(tmp_path, png(np.full((2, 2, 1), 3), 2, 3, chunk(b"PLTE", bytes((255, 0, 0, 0, 255, 0)))))
    assert frame.pixels.tolist() == [[[0, 0, 0, 255]] * 2] * 2
    assert "held numbers beyond their palette, which are black" in frame.done


@pytest.mark.parametrize("channels", [2, 4])
def test_sixteen_bits_with_alpha(channels, tmp_path):
    values = np.random.default_rng(0).integers(0, 1 << 16, (*SIZE, channels))
    (frame,) = read(tmp_path, png(values, 16, 4 if channels == 2 else 6))
    assert (frame.pixels[..., 3] == values[..., -1] >> 8).all()
    assert (frame.pixels[..., :3] == values[..., : channels - 1] >> 8).all()


LARGE = b"x" * (3 << 20)


@pytest.mark.parametrize(
    "extra",
    [
        chunk(b"zTXt", b"Comment\0\0" + zlib.compress(LARGE)),
        chunk(b"tEXt", b"Comment\0" + LARGE),
        chunk(b"iTXt", b"Comment\0\1\0\0\0" + zlib.compress(LARGE)),
        chunk(b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(LARGE)),
        chunk(b"zTXt", b"Comment\0\0not zlib"),
        chunk(b"tEXt", b"Comment\0whatever", check=1),
        chunk(b"iCCP", b"odd\0\0" + zlib.compress(LARGE)),
        chunk(b"tIME", b"short") + chunk(b"pHYs", b"") + chunk(b"gAMA", b"\0") + chunk(b"prVt", b"private"),
        b"".join(chunk(b"zTXt", b"C%d\0\0" % n + zlib.compress(b"y" * (1 << 19))) for n in range(140)),
    ],
    ids=["zTXt", "tEXt", "iTXt", "exif", "damaged", "checksum", "profile", "short", "many"],
)
def test_texts_of_any_size_do_not_matter(extra, tmp_path):
    values = np.random.default_rng(0).integers(0, 256, (*SIZE, 4))
    (frame,) = read(tmp_path, png(values, 8, 6, extra))
    assert (frame.pixels == values).all()
    assert frame.done == ()


@pytest.mark.parametrize("share", [0.2, 0.5, 0.9])
def test_files_that_are_cut_off_are_refused(share, tmp_path):
    data = png(np.random.default_rng(0).integers(0, 256, (60, 60, 4)), 8, 6)
    with pytest.raises(InputError, match=r"x\.png: the picture is cut off or damaged: .*; get it again"):
        read(tmp_path, data[: int(len(data) * share)])
    (frame,) = read(tmp_path, data[:-12])  # whole but for the end mark
    assert frame.pixels.shape == (60, 60, 4)


# ------------------------------------------------------------------------------------------------------- EXIF


def exif(orientation: int, *entries: tuple[int, int, int, bytes], order: str = "<", kind: int = 3) -> bytes:
    """EXIF with an orientation and other tags (tag, type, count, four bytes)."""
    value = {3: "HH", 4: "I", 1: "BBBB", 11: "f"}[kind]
    own = struct.pack(order + value, *([orientation] + [0] * (len(value) - 1)))
    rows = sorted([(0x0112, kind, 1, own), *entries])
    out = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}IH", 8, len(rows))
    return out + b"".join(struct.pack(f"{order}HHI", *row[:3]) + row[3] for row in rows) + bytes(4)


ODD = [
    (),
    ((0x011A, 5, 1, b"\xff\xff\xff\x7f"),),  # a fraction beyond the end
    ((0x0103, 2, 4, b"6\0\0\0"),),  # letters where a number should be
    ((0x0100, 4, 1, b"\xff\xff\xff\xff"),),
    ((0x0111, 4, 1, b"\x01\0\0\0"), (0x0117, 4, 1, b"\xff\xff\xff\x7f")),  # strips that are not there
    ((0x9999, 99, 1, b"abcd"),),  # a type that there is not
    ((0x8769, 4, 1, b"\xff\xff\0\0"),),  # a further list that is not there
    ((0x0132, 2, 1 << 30, b"\0\0\0\0"),),
    ((0x011A, 11, 1, struct.pack("<f", -1.5)), (0x0128, 2, 2, b"x\0\0\0")),
]


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("ending", ["png", "jpg", "webp"])
def test_orientation_alone_is_applied(odd, ending, tmp_path):
    values = np.random.default_rng(0).integers(0, 2, (4, 6, 3), np.uint8).repeat(8, 0).repeat(8, 1) * 255
    out = io.BytesIO()
    options = {"lossless": True} if ending == "webp" else {"quality": 100, "subsampling": 0} if ending == "jpg" else {}
    Image.fromarray(values).save(
        out, {"jpg": "JPEG"}.get(ending, ending.upper()), exif=b"Exif\0\0" + exif(6, *odd), **options
    )
    (frame,) = read(tmp_path, out.getvalue(), f"x.{ending}")
    assert (np.abs(frame.pixels[..., :3].astype(int) - np.rot90(values, -1)) < 60).all()
    assert frame.done == ("turned as their EXIF orientation says",)


@pytest.mark.parametrize("orientation", range(10))
def test_every_orientation(orientation, tmp_path):
    values = np.random.default_rng(0).integers(0, 256, (3, 5, 3), np.uint8)
    out = io.BytesIO()
    order, kind = (">", 4) if orientation % 2 else ("<", 3)
    Image.fromarray(values).save(out, "PNG", exif=exif(orientation, order=order, kind=kind))
    from PIL import ImageOps

    right = np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(out.getvalue()))).convert("RGBA"))
    (frame,) = read(tmp_path, out.getvalue())
    assert (frame.pixels == right).all()
    assert bool(frame.done) == (1 < orientation < 9)


# ------------------------------------------------------------------------------------------------- animations


def frames_of(count: int, size: tuple[int, int] = (6, 5)) -> list[np.ndarray]:
    draw = np.random.default_rng(0)
    return [
        np.where(draw.random((*size, 1)) < 0.3, 0, [*draw.integers(0, 256, 3), 255]).astype(np.uint8)
        for _ in range(count)
    ]


@pytest.mark.parametrize("disposal", [0, 1, 2])
def test_every_frame_of_an_animated_png(disposal, tmp_path):
    several = frames_of(4)
    images = [Image.fromarray(one) for one in several]
    out = io.BytesIO()
    images[0].save(out, "PNG", save_all=True, append_images=images[1:], disposal=disposal, blend=0)
    shown = read(tmp_path, out.getvalue(), every=True)
    assert len(shown) == 4
    assert all((frame.pixels == one).all() for frame, one in zip(shown, several, strict=True))
    assert [frame.number for frame in shown] == [0, 1, 2, 3]
    (first,) = read(tmp_path, out.getvalue())
    assert (first.pixels == several[0]).all()
    assert first.done == ("taken as the first frame of an animation",)


@pytest.mark.parametrize("every", [True, False])
def test_a_still_that_is_no_part_of_the_animation(every, tmp_path):
    still, *several = frames_of(3)
    images = [Image.fromarray(one) for one in several]
    out = io.BytesIO()
    Image.fromarray(still).save(out, "PNG", save_all=True, append_images=images, default_image=True, blend=0)
    shown = read(tmp_path, out.getvalue(), every=every)
    assert len(shown) == (2 if every else 1)
    assert all((frame.pixels == one).all() for frame, one in zip(shown, several, strict=False))
    assert "had a still that is no part of their animation: it is left out" in shown[0].done


def test_every_frame_of_a_gif(tmp_path):
    several = frames_of(4)
    images = [Image.fromarray(one) for one in several]
    out = io.BytesIO()
    images[0].save(out, "GIF", save_all=True, append_images=images[1:], disposal=2)
    shown = read(tmp_path, out.getvalue(), "x.gif", every=True)
    assert len(shown) == 4
    for frame, one in zip(shown, several, strict=True):
        seen = one[..., 3] > 0
        assert (frame.pixels[seen] == one[seen]).all()
        assert (frame.pixels[~seen, 3] == 0).all()


# ---------------------------------------------------------------------------------------------- other formats


@pytest.mark.parametrize(
    ("name", "format_", "alpha"),
    [
        ("x.bmp", "BMP", False),
        ("x.tga", "TGA", True),
        ("x.tif", "TIFF", True),
        ("x.pcx", "PCX", False),
        ("x.ppm", "PPM", False),
        ("x.qoi", "QOI", True),
        ("x.ico", "ICO", True),
        ("x.png", "BMP", False),  # the name does not matter
    ],
)
def test_other_formats(name, format_, alpha, tmp_path):
    from PIL import features

    if format_ == "QOI" and tuple(map(int, features.version("pil").split(".")[:2])) < (11, 3):
        pytest.skip("this Pillow does not write QOI")
    values = np.random.default_rng(0).integers(0, 256, (16, 16, 4), np.uint8)
    values[..., 3] = np.where(values[..., 3] < 128, 0, 255) if alpha else 255
    values[values[..., 3] == 0] = 0
    out = io.BytesIO()
    Image.fromarray(values if alpha else values[..., :3]).save(out, format_)
    (frame,) = read(tmp_path, out.getvalue(), name)
    seen = values[..., 3] > 0
    assert (frame.pixels[seen] == values[seen]).all()
    assert (frame.pixels[~seen, 3] == 0).all()


def test_pages_of_a_tiff(tmp_path):
    several = [Image.fromarray(one) for one in frames_of(3)]
    out = io.BytesIO()
    several[0].save(out, "TIFF", save_all=True, append_images=several[1:])
    (first,) = read(tmp_path, out.getvalue(), "x.tif")
    assert first.done == ("taken as the first page of several",)
    assert len(read(tmp_path, out.getvalue(), "x.tif", every=True)) == 3


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"PK\x03\x04", "a zip archive: unpack it first"),
        (b"%PDF-1.7", "a PDF document: export its pictures as PNG"),
        (b"<?xml version='1.0'?><svg/>", "an SVG drawing: export it as PNG"),
        (b"\0\0\0\x18ftypheic", "a picture or film as 'heic': convert it to PNG"),
        (b"\0\0\0\0\xe0\xa5\1\0", "an Aseprite file: export it as PNG or GIF"),
        (b"\0" * 600, "nothing but zero bytes: get it again"),
        ("ein Wort für sich\n".encode(), "this is text, not a picture: expected PNG"),
    ],
)
def test_files_of_other_kinds_are_named(data, message, tmp_path):
    with pytest.raises(InputError) as caught:
        read(tmp_path, data)
    assert str(caught.value).startswith(f"{tmp_path / 'x.png'}: {message}")
