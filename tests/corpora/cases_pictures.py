"""Cases of pictures, sheets and palettes."""

from __future__ import annotations

import gzip
import io
import json
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from cases import group
from desk import Desk, pictures
from PIL import Image
from pngs import GREY, GREY_ALPHA, INDEXED, RGB, RGBA, SIGNATURE, chunk, png, shown

from corpora.pictures import sheet

# --------------------------------------------------------------------------------------------------- Pictures: PNG

case = group("Pictures: PNG")

SIDE = (7, 6)  # height and width of the pictures here
INDEXED_COLOURS = [
    (255, 0, 0),
    (0, 200, 0),
    (0, 0, 255),
    (250, 250, 10),
    (1, 2, 3),
    (90, 90, 90),
    (9, 200, 9),
    (7, 0, 77),
]


def _same(built: Any, expected: list[np.ndarray]) -> None:
    """Check that a corpus has these pictures; the colour under a transparent pixel does not matter."""
    plain = []
    for picture in expected:
        picture = picture.copy()
        picture[picture[..., 3] == 0] = 0
        plain.append(picture.tobytes())
    assert built.pixels() == sorted(set(plain))


def _mode(
    name: str, what: str, kind: int, depth: int, outcome: str = "read: every pixel as it is", **more: Any
) -> None:
    """A row on a mode of PNG: eight files of random pixels, with a transparent colour where `more` says so."""

    @case(what, outcome, name=f"png_{name}")
    def test(desk: Desk) -> None:
        draw, expected = np.random.default_rng(0), []
        channels = {GREY: 1, RGB: 3, INDEXED: 1, GREY_ALPHA: 2, RGBA: 4}[kind]
        for i in range(8):
            if kind == INDEXED:
                values = draw.integers(0, min(8, 1 << depth), (*SIDE, 1))
            elif depth == 16:  # the lower byte tells a transparent value from its neighbours
                values = draw.choice([0, 255, 256, 4660, 4661, 65535], (*SIDE, channels))
            else:
                values = (
                    draw.integers(0, 3 if depth > 1 else 2, (*SIDE, channels))
                    * ((1 << depth) - 1)
                    // (2 if depth > 1 else 1)
                )
            if kind in (GREY_ALPHA, RGBA):
                values[..., -1] = draw.choice([0, (1 << depth) - 1], SIDE)
            palette = INDEXED_COLOURS[: 1 << depth] if kind == INDEXED else []
            transparent = more.get("transparent", ())
            if transparent == "first":
                transparent = values[0, 0].tolist()
            desk.put(f"in/{i}.png", png(values, kind, depth, palette=palette, transparent=transparent,
                                        interlaced=more.get("interlaced", False)))  # fmt: skip
            expected.append(shown(values, kind, depth, palette, transparent))
        built = desk.build("in", valid_share=0, test_share=0)
        _same(built, expected)
        if depth == 16:
            built.tells("16 bits")


_mode("grey1", "1-bit grey (black and white)", GREY, 1)
_mode("grey2", "2-bit grey", GREY, 2)
_mode("grey4", "4-bit grey", GREY, 4)
_mode("grey8", "8-bit grey", GREY, 8)
_mode("grey16", "16-bit grey", GREY, 16, "told: cut to 8 bits")
_mode("grey_alpha8", "grey with alpha", GREY_ALPHA, 8)
_mode("grey_alpha16", "16-bit grey with alpha", GREY_ALPHA, 16, "told: cut to 8 bits")
_mode("rgb8", "8-bit colour", RGB, 8)
_mode("rgb16", "16-bit colour", RGB, 16, "told: cut to 8 bits")
_mode("rgba8", "colour with alpha", RGBA, 8)
_mode("rgba16", "16-bit colour with alpha", RGBA, 16, "told: cut to 8 bits")
_mode("indexed1", "a palette of 2 colours (1 bit)", INDEXED, 1)
_mode("indexed2", "a palette of 4 colours (2 bits)", INDEXED, 2)
_mode("indexed4", "a palette of 8 colours (4 bits)", INDEXED, 4)
_mode("indexed8", "a palette of 8 colours (8 bits)", INDEXED, 8)
_mode("indexed_clear", "a palette with a transparent colour (Aseprite)", INDEXED, 4, transparent=[0])
_mode("indexed_clear_last", "a palette whose last colour is transparent", INDEXED, 4, transparent=[255] * 7 + [0])
_mode("grey1_key", "1-bit grey with a transparent value", GREY, 1, transparent="first")
_mode("grey2_key", "2-bit grey with a transparent value", GREY, 2, transparent="first")
_mode("grey8_key", "8-bit grey with a transparent value", GREY, 8, transparent="first")
_mode("grey16_key", "16-bit grey with a transparent value", GREY, 16,
      "told: cut to 8 bits; only the exact value is transparent", transparent="first")  # fmt: skip
_mode("rgb8_key", "8-bit colour with a transparent colour", RGB, 8, transparent="first")
_mode("rgb16_key", "16-bit colour with a transparent colour", RGB, 16,
      "told: cut to 8 bits; only the exact colour is transparent", transparent="first")  # fmt: skip
_mode("interlaced", "interlaced (Adam7)", RGBA, 8, interlaced=True)
_mode("interlaced_indexed", "interlaced, with a palette", INDEXED, 2, interlaced=True, transparent=[255, 0])


def _folder(desk: Desk, count: int = 24, **more: Any) -> list[np.ndarray]:
    """A folder `in` of different pictures, which are returned."""
    every = pictures(count, *SIDE, **more)
    for i, one in enumerate(every):
        desk.draw(f"in/{i:03}.png", one)
    return every


@case("half-transparent pixels (soft edges, shadows)", "told: how many pixels, and what becomes of them")
def png_half_transparent(desk):
    every = _folder(desk)
    soft = every[0].copy()
    soft[0, :3, 3] = [40, 127, 200]
    desk.draw("in/soft.png", soft)
    desk.build("in").tells("half.transparent|translucent|alpha")


@case(
    "half-transparent pixels in few levels (a shadow of alpha 90)",
    "told: the alpha is kept, as a colour of the palette",
)
def png_shadow(desk):
    every = []
    for one in pictures(24, *SIDE):
        one[-2:] = (0, 0, 0, 90)
        every.append(one)
        desk.draw(f"in/{len(every)}.png", one)
    built = desk.build("in", valid_share=0, test_share=0)
    _same(built, every)
    built.tells("half transparent")


@case("half-transparent pixels, `alpha=128`", "told: the share made opaque, the share dropped")
def png_threshold(desk):
    for i, one in enumerate(pictures(24, *SIDE)):
        one[0, :3, 3] = [60, 127, 128]
        desk.draw(f"in/{i}.png", one)
    built = desk.build("in", alpha=128)
    built.tells("made opaque", "dropped")
    assert {alpha for one, _ in built.drawn() for alpha in one[..., 3].reshape(-1).tolist()} == {0, 255}


@case("half-transparent pixels, `alpha=0`", "read: laid on white")
def png_on_white(desk):
    picture = pictures(1, *SIDE)[0]
    picture[0, 0], picture[1, 1] = (0, 0, 0, 0), (255, 0, 0, 51)
    desk.draw("in/a.png", picture)
    built = desk.build("in", alpha=0, valid_share=0, test_share=0)
    assert built.drawn()[0][0][0, 0].tolist() == [255, 255, 255, 255]
    assert built.drawn()[0][0][1, 1].tolist() == [255, 204, 204, 255]


@case("a comment of two megabytes (`zTXt`)", "read: comments are not pixels")
def png_large_comment(desk):

    every = _folder(desk)
    extra = pictures(1, *SIDE, seed=9)[0]
    comment = chunk(b"zTXt", b"Comment\0\0" + zlib.compress(b"a" * (2 << 20)))
    desk.put("in/big.png", png(extra, before=comment))
    _same(desk.build("in"), [*every, extra])


@case("a comment with a wrong checksum", "read: comments are not pixels")
def png_bad_comment(desk):
    every = _folder(desk)
    extra = pictures(1, *SIDE, seed=9)[0]
    desk.put("in/bad.png", png(extra, before=chunk(b"tEXt", b"a\0b", crc=1)))
    _same(desk.build("in"), [*every, extra])


@case("cut off in its pixels", "refused: cut off or damaged, the file")
def png_cut(desk):
    whole = sheet.png(pictures(1, 40, 40)[0])
    assert "a.png: the picture is cut off or damaged" in desk.refused(desk.put("a.png", whole[: len(whole) // 2]))


@case("no end mark, all pixels there", "read")
def png_without_end(desk):
    every = _folder(desk)
    extra = pictures(1, *SIDE, seed=9)[0]
    desk.put("in/open.png", png(extra, end=False))
    _same(desk.build("in"), [*every, extra])


@case("an index beyond the palette", "told: those pixels are black")
def png_beyond_palette(desk):
    desk.put("a.png", png(np.array([[0, 1, 7]]), INDEXED, 8, palette=INDEXED_COLOURS[:3]))
    built = desk.build("a.png", valid_share=0, test_share=0)
    _same(built, [np.array([[[255, 0, 0, 255], [0, 200, 0, 255], [0, 0, 0, 255]]], np.uint8)])
    built.tells("1 picture.*beyond.*palette")


@case("an empty file, or one of another kind, named `.png`", "refused: not a picture, and what is read")
def png_that_is_none(desk):
    assert "empty" in desk.refused(desk.put("a.png", b""))
    assert "not a picture: expected PNG" in desk.refused(desk.put("b.png", "text\n" * 20))
    assert "c.png" in desk.refused(desk.put("c.png", SIGNATURE + bytes(20)))


@case("a head that says 100,000 x 100,000 pixels", "refused: too many, before they are unpacked")
def png_bomb(desk):
    head = SIGNATURE + chunk(b"IHDR", struct.pack(">IIBBBBB", 100_000, 100_000, 8, 6, 0, 0, 0))
    assert "pixels" in desk.refused(desk.put("a.png", head + chunk(b"IDAT", b"x")))


@case("a JPEG named `.png`, a PNG named `.jpg`", "read: by what it is")
def png_by_content(desk):
    every = pictures(12, *SIDE)
    for i, one in enumerate(every):
        desk.put(f"in/{i}.jpg", sheet.png(one))
    _same(desk.build("in"), every)


# ---------------------------------------------------------------------------- Pictures: GIF, JPEG, WebP and others

case = group("Pictures: GIF, JPEG, WebP and others")


def _saved(picture: np.ndarray, kind: str, mode: str = "RGBA", **options: Any) -> bytes:
    out = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(picture), "RGBA").convert(mode).save(out, kind, **options)
    return out.getvalue()


@case("WebP without loss", "read: every pixel")
def webp(desk):
    every = pictures(12, *SIDE)
    for i, one in enumerate(every):
        desk.put(f"in/{i}.webp", _saved(one, "WEBP", lossless=True))
    _same(desk.build("in"), every)


@case("JPEG, also progressive and grey", "read: near to what was saved")
def jpeg(desk):
    for i in range(12):
        flat = np.full((8, 8, 4), 255, np.uint8)
        flat[..., 0] = 20 * i
        desk.put(f"in/{i}.jpg", _saved(flat, "JPEG", "RGB", progressive=i % 2 == 0))
        desk.put(f"in/grey{i}.jpeg", _saved(flat, "JPEG", "L"))
    assert len(desk.build("in").drawn()) == 24


@case("JPEG in CMYK (print)", "told: converted")
def jpeg_cmyk(desk):
    _folder(desk)
    desk.put("in/print.jpg", _saved(pictures(1, *SIDE)[0], "JPEG", "CMYK"))
    desk.build("in").tells("1 picture converted from CMYK")


@case("a cut-off JPEG", "refused: cut off or damaged")
def jpeg_cut(desk):
    whole = _saved(np.random.default_rng(0).integers(0, 255, (64, 64, 4), np.uint8), "JPEG", "RGB")
    assert "cut off or damaged" in desk.refused(desk.put("a.jpg", whole[: len(whole) // 2]))


def _tags(entries: list[tuple[int, int, int, bytes]]) -> bytes:
    """EXIF of tags (number, kind, count, four bytes or fewer), little-endian."""
    rows = b"".join(struct.pack("<HHI", *one[:3]) + one[3].ljust(4, b"\0") for one in entries)
    return b"Exif\0\0II*\0\x08\0\0\0" + struct.pack("<H", len(entries)) + rows + bytes(4)


_TURNS = {  # the orientation of EXIF, and what makes the picture upright
    1: lambda p: p, 2: lambda p: p[:, ::-1], 3: lambda p: p[::-1, ::-1], 4: lambda p: p[::-1],
    5: lambda p: p.transpose(1, 0, 2), 6: lambda p: np.rot90(p, -1), 7: lambda p: p[::-1, ::-1].transpose(1, 0, 2),
    8: lambda p: np.rot90(p, 1),
}  # fmt: skip


@case("photographs with each of the eight EXIF orientations", "told: turned as they are meant to be seen")
def exif_orientation(desk):
    every = pictures(16, 6, 6)
    expected = []
    for i, one in enumerate(every):
        tags = _tags([(0x112, 3, 1, struct.pack("<H", i % 8 + 1))])
        desk.put(f"in/{i}.png", png(one, before=chunk(b"eXIf", tags[6:])))
        expected.append(np.ascontiguousarray(_TURNS[i % 8 + 1](one)))
    built = desk.build("in")
    _same(built, expected)
    built.tells("14 pictures turned")


@case("an orientation beside odd or broken EXIF tags", "read: turned, whatever the other tags hold")
def exif_odd(desk):
    one = pictures(1, 6, 6)[0]
    turn = (0x112, 3, 1, struct.pack("<H", 6))
    odd = [
        [(0x10F, 2, 3, b"ab\0"), turn], [turn, (0x11A, 10, 1, b"\xff\xff\xff\xff")], [turn, (0x132, 4, 1, b"abcd")],
        [turn, (0x111, 4, 900, b"\0\1\0\0")], [turn, (0x213, 3, 1, b"a"), (0x9999, 99, 1, b"x")],
        [turn, (0x11B, 5, 1, b"\x08\0\0\0")],
    ]  # fmt: skip
    for i, tags in enumerate(odd):
        desk.put(f"odd{i}.png", png(one, before=chunk(b"eXIf", _tags(tags)[6:])))
        built = desk.build(f"odd{i}.png", valid_share=0, test_share=0)
        assert built.drawn()[0][0].tolist() == np.rot90(one, -1).tolist(), i
        desk.put(f"odd{i}.jpg", _saved(one, "JPEG", "RGB", exif=_tags(tags)))
        desk.build(f"odd{i}.jpg", valid_share=0, test_share=0).tells("turned")


@case("an animated GIF, `frames=first` (the default)", "told: the first frame is taken")
def gif_first(desk):
    _folder(desk)
    frames = [Image.fromarray(one, "RGBA").convert("RGB") for one in pictures(5, *SIDE, seed=3)]
    out = io.BytesIO()
    frames[0].save(out, "GIF", save_all=True, append_images=frames[1:])
    desk.put("in/walk.gif", out.getvalue())
    built = desk.build("in")
    built.tells("1 picture .*first frame of an animation")


def _animation(desk: Desk, name: str, frames: list[np.ndarray], kind: str) -> str:
    images = [Image.fromarray(np.ascontiguousarray(one), "RGBA") for one in frames]
    out = io.BytesIO()
    images[0].save(out, kind, save_all=True, append_images=images[1:], **({"lossless": True} if kind == "WEBP" else {}))
    return desk.put(name, out.getvalue())


@case("animations, `frames=all`: GIF, WebP, APNG", "told: every frame, all of one file in one split")
def frames_all(desk):
    for kind, ending in (("PNG", "png"), ("WEBP", "webp"), ("GIF", "gif")):
        expected = []
        for i in range(12):
            frames = pictures(5, *SIDE, seed=i)
            _animation(desk, f"{ending}/{i}.{ending}", frames, kind)
            expected += frames
        built = desk.build(ending, frames="all", valid_share=0.2, test_share=0.2)
        _same(built, expected)
        built.tells("frame of an animation")
        for name in ("train", "valid", "test"):
            files = [
                next(i for i, one in enumerate(expected) if one.tobytes() == kept) // 5 for kept in built.pixels(name)
            ]
            assert all(files.count(number) == 5 for number in files), (kind, name)


@case("frames of one long animation that hardly differ, `frames=all`", "told: all in one split")
def frames_leak(desk):
    first, frames = pictures(1, 12, 12)[0], []
    for i in range(60):
        frame = first.copy()
        frame[i // 10, i % 10] = (255, 0, 255, 255)
        frames.append(frame)
    built = desk.build(_animation(desk, "walk.png", frames, "PNG"), frames="all")
    assert len(built.drawn("train")) == 60 == len(built.drawn())
    built.tells("must stay together")
    few = desk.build(_animation(desk, "few.png", frames[:6], "PNG"), frames="all")
    assert len(few.drawn("train")) == 6
    few.tells(r"valid has 0 of 6 pictures \(0.0%\), not 10.0%")
    few.tells(r"test has 0 of 6 pictures \(0.0%\), not 10.0%")


@case("an APNG whose still picture is no frame of it, `frames=all`", "read: without the still one")
def frames_hidden_still(desk):
    frames = pictures(4, *SIDE, seed=5)
    images = [Image.fromarray(one, "RGBA") for one in frames]
    out = io.BytesIO()
    images[0].save(out, "PNG", save_all=True, append_images=images[1:], default_image=True)
    built = desk.build(desk.put("a.png", out.getvalue()), frames="all", valid_share=0, test_share=0)
    _same(built, frames[1:])


@case("a GIF that is cut off, or has no picture", "refused: cut off or damaged")
def gif_cut(desk):
    whole = _saved(pictures(1, 40, 40, colours=6)[0], "GIF", "P")
    assert "a.gif" in desk.refused(desk.put("a.gif", whole[: len(whole) // 2]))
    assert "b.gif" in desk.refused(desk.put("b.gif", b"GIF89a\x05\0\x05\0\0\0\0;"))


def _other(name: str, what: str, ending: str, kind: str, mode: str = "RGB") -> None:
    @case(what, "read: every pixel", name=name)
    def test(desk: Desk) -> None:
        every = pictures(12, 16, 16)
        for i, one in enumerate(every):
            desk.put(f"in/{i}.{ending}", _saved(one, kind, mode))
        _same(desk.build("in"), every)


_other("bmp", "`.bmp`", "bmp", "BMP")
_other("tiff", "`.tif`", "tif", "TIFF")
_other("tga", "`.tga`", "tga", "TGA")
_other("pcx", "`.pcx`", "pcx", "PCX")
_other("ppm", "`.ppm`", "ppm", "PPM")
_other("ico", "`.ico`", "ico", "ICO", "RGBA")


def _stranger(name: str, what: str, file: str, content: bytes) -> None:
    @case(what, "refused: what is read", name=name)
    def test(desk: Desk) -> None:
        desk.put(f"in/{file}", content)
        assert "PNG" in desk.refused(f"in/{file}", "--source", "images")
        assert Path(file).suffix in desk.refused("in")


_stranger("svg", "`.svg`", "a.svg", b'<svg xmlns="http://www.w3.org/2000/svg"><rect width="9"/></svg>')
_stranger("aseprite", "an Aseprite file `.aseprite`", "a.aseprite", struct.pack("<IH", 200, 0xA5E0) + bytes(194))
_stranger("photoshop", "a Photoshop file `.psd`", "a.psd", b"8BPS\0\1" + bytes(200))
_stranger("heic", "`.heic` of a telephone", "a.heic", b"\0\0\0\x18ftypheic" + bytes(200))


# --------------------------------------------------------------------------------- Pictures: size, colours, splits

case = group("Pictures: size, colours, splits")


@case("pictures of several sizes", "refused: both sizes, and `fit=`")
def sizes_differ(desk):
    _folder(desk)
    desk.draw("in/preview.png", pictures(1, 30, 40)[0])
    error = desk.refused("in")
    assert "preview.png is 30x40" in error and "7x6" in error and "fit=" in error


@case("a pack with a preview of another size, `size=HEIGHTxWIDTH fit=drop`", "told: what is of another size is dropped")
def sizes_dropped(desk):
    every = _folder(desk)
    desk.draw("in/preview.png", pictures(1, 30, 40)[0])
    built = desk.build("in", size="7x6", fit="drop")
    _same(built, every)
    built.tells("1 of another size than 7x6")


@case("several sizes, `fit=pad`", "told: how many; the picture in the middle of transparent pixels")
def sizes_padded(desk):
    every = _folder(desk)
    built = desk.build("in", size="9x10", fit="pad")
    _same(built, [np.pad(one, ((1, 1), (2, 2), (0, 0))) for one in every])
    built.tells("24 pictures padded")


@case("several sizes, `fit=crop`", "told: how many; the middle is kept")
def sizes_cropped(desk):
    every = _folder(desk)
    built = desk.build("in", size="5x4", fit="crop")
    _same(built, [one[1:6, 1:5] for one in every])
    built.tells("24 pictures cropped")


@case("several sizes, `fit=resize`, pixel art", "told: the nearest pixel; no new colour")
def sizes_resized(desk):
    every = _folder(desk)
    built = desk.build("in", size="14x12", fit="resize")
    _same(built, [one.repeat(2, 0).repeat(2, 1) for one in every])
    built.tells("24 pictures resized|nearest")


@case("photographs, `fit=resize`", "told: the mean of the area")
def sizes_of_photographs(desk):
    draw = np.random.default_rng(0)
    for i in range(12):
        photo = draw.integers(0, 256, (40, 40, 4), np.uint8)
        photo[..., 3] = 255
        desk.draw(f"in/{i}.png", photo)
    built = desk.build("in", size="4x4", fit="resize", colours=64)
    built.tells("area")
    means = np.concatenate([one[..., :3].reshape(-1, 3) for one, _ in built.drawn()])
    assert means.min() > 90 and means.max() < 170  # of 100 random pixels each


@case("a pack at two sizes (`16x16/`, `32x32/`)", "refused: both sizes; one folder is read")
def sizes_of_a_pack(desk):
    every = pictures(24, 8, 8)
    for i, one in enumerate(every):
        desk.draw(f"in/8x8/{i}.png", one)
        desk.draw(f"in/16x16/{i}.png", one.repeat(2, 0).repeat(2, 1))
    error = desk.refused("in")
    assert "16x16" in error and "8x8" in error
    _same(desk.build("in/8x8"), every)


@case("a picture over 1,024 pixels on a side", "refused: `tile=` or `size=`")
def sizes_too_large(desk):
    assert "1,024" in desk.refused(desk.draw("a.png", np.full((3, 1100, 4), 255, np.uint8)))


@case("more than 256 colours", "told: clustered, how many, and how far they are")
def colours_many(desk):
    draw = np.random.default_rng(0)
    for i in range(12):
        photo = draw.integers(0, 256, (12, 12, 4), np.uint8)
        photo[..., 3] = 255
        desk.draw(f"in/{i}.png", photo)
    desk.build("in").tells("colours for the .* of the pictures: RMSE")


@case("colours of valid and test that train has not", "told: how many pictures; the nearest colours are taken")
def colours_held_out(desk):
    _folder(desk)
    odd = pictures(1, *SIDE, seed=7)[0]
    odd[0, 0] = (1, 254, 77, 255)
    desk.draw("test/a.png", odd)
    desk.build("in", "--test", "test").tells("1 picture.*colour")


@case("pictures of one colour alone", "refused: a palette needs two")
def colours_one(desk):
    for i in range(4):
        desk.draw(f"in/{i}.png", np.full((4, 4, 4), 255, np.uint8))
    assert "one colour" in desk.refused("in", valid_share=0, test_share=0)


@case("sub-folders `cat/`, `dog/`", "read: labels")
def pictures_in_folders(desk):
    for i, one in enumerate(pictures()):
        desk.draw(f"in/{('cat', 'dog')[i % 2]}/{i}.png", one)
    built = desk.build("in")
    assert built.labels == ["cat", "dog"]
    expected = {one.tobytes(): ("cat", "dog")[i % 2] for i, one in enumerate(pictures())}
    assert all(expected[one.tobytes()] == label for one, label in built.drawn())


@case("the same picture twice", "told: kept once, the others dropped as duplicates")
def pictures_again(desk):
    every = _folder(desk)
    desk.draw("in/again.png", every[0])
    built = desk.build("in")
    assert (len(built.drawn()), built.dropped) == (24, {"duplicates": 1})


@case("pictures that differ in a few pixels (recoloured, retouched)", "told: how many; they stay in one split")
def pictures_near(desk):
    every = pictures(60, 16, 16, colours=5)
    for i, one in enumerate(every):
        twin = one.copy()
        twin[3, 4:6] = (255, 0, 255, 255)
        desk.draw(f"in/{i:02}a.png", one)
        desk.draw(f"in/{i:02}b.png", twin)
    built = desk.build("in")
    assert len(built.drawn()) == 120
    for name in ("train", "valid", "test"):
        kept = [one for one, _ in built.drawn(name)]
        for one in kept:
            twins = [(one != other).any(-1).sum() <= 2 for other in kept]
            assert sum(twins) == 2, name
    built.tells("near")


@case("a picture of `--test` that is in train too", "told: removed from the test split")
def pictures_held_out_again(desk):
    every = _folder(desk)
    for i, one in enumerate([*pictures(6, *SIDE, seed=8), every[0]]):
        desk.draw(f"test/{i}.png", one)
    built = desk.build("in", "--test", "test")
    assert len(built.drawn("test")) == 6
    built.tells("1 of test that are in another split")


# ------------------------------------------------------------------------------------------------- Sheets of tiles

case = group("Sheets of tiles")


def _sheet(tiles: list[np.ndarray], columns: int, margin: int = 0, spacing: int = 0) -> np.ndarray:
    """Tiles on one picture, transparent around and between them."""
    height, width = tiles[0].shape[:2]
    rows = -(-len(tiles) // columns)
    out = np.zeros(
        (2 * margin + rows * (height + spacing) - spacing, 2 * margin + columns * (width + spacing) - spacing, 4),
        np.uint8,
    )
    for i, tile in enumerate(tiles):
        top, left = margin + i // columns * (height + spacing), margin + i % columns * (width + spacing)
        out[top : top + height, left : left + width] = tile
    return out


@case("a sheet without gaps, `tile=8x8`", "read: every tile")
def sheet_plain(desk):
    tiles = pictures(24, 8, 8)
    _same(desk.build(desk.draw("a.png", _sheet(tiles, 6)), tile="8x8"), tiles)


@case("tiles that are not square, `tile=8x6`", "read: HEIGHTxWIDTH")
def sheet_not_square(desk):
    tiles = pictures(24, 8, 6)
    _same(desk.build(desk.draw("a.png", _sheet(tiles, 6)), tile="8x6"), tiles)


@case("a margin and gaps, `margin=1 spacing=1`", "read: every tile")
def sheet_spacing(desk):
    tiles = pictures(24, 8, 8)
    for margin, spacing in ((1, 1), (0, 1), (2, 0), (3, 2)):
        name = desk.draw(f"a{margin}{spacing}.png", _sheet(tiles, 6, margin, spacing))
        _same(desk.build(name, tile="8x8", margin=margin, spacing=spacing), tiles)


@case("a margin and gaps of which nothing is said", "told: guessed where a regular grid shows")
def sheet_guessed(desk):
    tiles = pictures(64, 8, 8)
    built = desk.build(desk.draw("a.png", _sheet(tiles, 8, 1, 1)), tile="8x8")
    _same(built, tiles)
    built.tells("spacing|margin")


@case("a sheet that is no multiple of the tile", "told: what is left over at the right or below")
def sheet_left_over(desk):
    tiles = pictures(24, 8, 8)
    whole = np.pad(_sheet(tiles, 6), ((0, 3), (0, 5), (0, 0)), constant_values=200)
    built = desk.build(desk.draw("a.png", whole), tile="8x8")
    _same(built, tiles)
    built.tells("margin|left over")


@case("tiles that are transparent all over", "told: left out and counted")
def sheet_transparent_tiles(desk):
    tiles = pictures(22, 8, 8)
    built = desk.build(desk.draw("a.png", _sheet(tiles, 6)), tile="8x8")
    assert (len(built.drawn()), built.dropped) == (22, {"transparent tiles": 2})


def _aseprite(name: str, listed: bool) -> None:
    @case(
        f"a sheet with Aseprite's JSON beside it ({'array' if listed else 'hash'})", "told: cut as it says", name=name
    )
    def test(desk: Desk) -> None:
        every = pictures(24, 8, 6)
        desk.draw("in/hero.png", _sheet(every, 5))
        frames = [
            {"filename": f"hero {i}.aseprite", "frame": {"x": i % 5 * 6, "y": i // 5 * 8, "w": 6, "h": 8},
             "rotated": False, "trimmed": False, "spriteSourceSize": {"x": 0, "y": 0, "w": 6, "h": 8},
             "sourceSize": {"w": 6, "h": 8}, "duration": 100} for i in range(24)
        ]  # fmt: skip
        meta = {"app": "https://www.aseprite.org/", "image": "hero.png", "size": {"w": 30, "h": 40}, "scale": "1"}
        held: Any = frames if listed else {one.pop("filename"): one for one in frames}
        desk.put("in/hero.json", json.dumps({"frames": held, "meta": meta}))
        built = desk.build("in")
        _same(built, every)
        built.tells("hero.json")


_aseprite("sheet_aseprite_array", True)
_aseprite("sheet_aseprite_hash", False)


@case("tiles on a coloured ground with lines of that colour (magenta)", "told: margin and spacing that the lines show")
def sheet_on_magenta(desk):
    every = pictures(24, 8, 8)
    whole = np.zeros((6 * 9 + 1, 4 * 9 + 1, 4), np.uint8)
    whole[:] = (255, 0, 255, 255)
    for i, one in enumerate(every):
        whole[1 + i // 4 * 9 : 9 + i // 4 * 9, 1 + i % 4 * 9 : 9 + i % 4 * 9] = one
    built = desk.build(desk.draw("a.png", whole), tile="8x8")
    _same(built, every)
    built.tells("margin=1 spacing=1")


@case("a sheet smaller than a tile", "refused: choose smaller tiles")
def sheet_too_small(desk):
    assert "smaller than tile=64x64" in desk.refused(desk.draw("a.png", pictures()[0]), tile="64x64")


@case("a contact sheet or samples that this project wrote", "read: the same pictures, exactly")
def sheet_of_ours(desk):
    every = pictures(24, 8, 8)
    tiles = sheet.layout(every, 6, sheet.GAP)
    desk.put("ours.png", sheet.png(sheet.grid(every, 6), 3, tiles=tiles))
    _same(desk.build("ours.png"), every)
    desk.put("tight.png", sheet.png(sheet.grid(every, 6, gap=0), 1, tiles=sheet.layout(every, 6, 0)))
    _same(desk.build("tight.png"), every)


@case("sprites on wide transparent canvases, `trim=true`", "read: without the empty border")
def sheet_trimmed(desk):
    every = pictures(24, 8, 8)
    for i, one in enumerate(every):
        desk.draw(f"in/{i}.png", np.pad(one, ((i % 3, 5), (2, i % 4), (0, 0))))
    _same(desk.build("in", trim=True), every)


@case("a tile size that is none: `tile=8`, `tile=0x8`", "refused: HEIGHTxWIDTH")
def sheet_bad_tile(desk):
    name = desk.draw("a.png", pictures(1, 8, 8)[0])
    assert "HEIGHTxWIDTH" in desk.refused(name, tile="8") and "HEIGHTxWIDTH" in desk.refused(name, tile="0x8")


# -------------------------------------------------------------------------------------------------------- Palettes

case = group("Palettes")

PALETTE = [(0, 0, 0), (255, 255, 255), (200, 30, 30), (30, 200, 30), (30, 30, 200)]


def _with_palette(desk: Desk, name: str) -> None:
    """Build with a palette file and check that the colours and their order are those of `PALETTE`."""
    draw = np.random.default_rng(0)
    for i in range(12):
        table = np.array([[*colour, 255] for colour in PALETTE], np.uint8)
        desk.draw(f"in/{i}.png", table[draw.integers(0, 5, SIDE)])
    built = desk.build("in", palette_file=name)
    assert [tuple(colour[:3]) for colour in built.corpus.codec.colours] == PALETTE


_HEX = "".join(f"{r:02x}{g:02x}{b:02x}\n" for r, g, b in PALETTE)
_ROWS = "".join(f"{r} {g} {b}\n" for r, g, b in PALETTE)


def _palette(name: str, what: str, file: str, content: str | bytes) -> None:
    @case(what, "read: the colours in their order", name=name)
    def test(desk: Desk) -> None:
        _with_palette(desk, desk.put(file, content))


_palette("palette_plain", "lines `red green blue`, `palette_file=`", "p.txt", _ROWS)
_palette("palette_gpl", "GIMP `.gpl`", "p.gpl", "GIMP Palette\nName: five\nColumns: 4\n# a comment\n" + "".join(
    f"{r:3} {g:3} {b:3}\tColour {i}\n" for i, (r, g, b) in enumerate(PALETTE)))  # fmt: skip
_palette("palette_hex", "`.hex` (Lospec), with CR LF too", "p.hex", _HEX.replace("\n", "\r\n"))
_palette("palette_jasc", "JASC `.pal`", "p.pal", "JASC-PAL\r\n0100\r\n5\r\n" + _ROWS.replace("\n", "\r\n"))
_palette("palette_paint", "Paint.NET `.txt`", "p.txt",
         "; paint.net Palette File\n; Colors: 5\n" + "".join(f"FF{row.upper()}\n" for row in _HEX.split()))  # fmt: skip
_palette("palette_png", "the palette of an indexed PNG", "p.png", png(np.arange(5)[None], INDEXED, 8, palette=PALETTE))
_palette("palette_act", "Adobe `.act`", "p.act",
         bytes(part for one in PALETTE for part in one).ljust(768, b"\0") + struct.pack(">HH", 5, 0xFFFF))  # fmt: skip
_palette("palette_ase", "Adobe `.ase`", "p.ase", b"ASEF\0\1\0\0" + struct.pack(">I", 5) + b"".join(
    b"\0\1" + struct.pack(">IH", 22, 1) + b"\0\0RGB " + struct.pack(">3fH", *(p / 255 for p in colour), 0)
    for colour in PALETTE))  # fmt: skip


@case("a colour twice in a list of lines", "refused: the line, take one out")
def palette_twice(desk):
    _folder(desk)
    assert "line 6" in desk.refused("in", palette_file=desk.put("p.txt", _ROWS + "0 0 0\n"))


@case("a palette file that is none", "refused: the line, or what is read")
def palette_that_is_none(desk):
    _folder(desk)
    assert "p.txt" in desk.refused("in", palette_file=desk.put("p.txt", "red green\n"))
    assert "q.gpl" in desk.refused("in", palette_file=desk.put("q.gpl", "GIMP Palette\n1 2 999 x\n"))
    assert "no.gpl" in desk.refused("in", palette_file="no.gpl")


@case("`corpora palette CORPUS --out x.gpl`, and read again", "read: the same colours in the same order")
def palette_out(desk):
    _folder(desk)
    built = desk.build("in")
    for ending in ("gpl", "hex", "pal", "png", "txt", "act", "ase"):
        code, _, err = desk.run("palette", str(built.folder), "--out", f"x.{ending}")
        assert (code, err) == (0, ""), ending
        again = desk.build("in", palette_file=f"x.{ending}")
        assert again.corpus.codec.colours == built.corpus.codec.colours, ending


# -------------------------------------------------------------------------------------------------- Arrays and IDX

case = group("Arrays and IDX")


@case("`.npz` of (N, H, W, 3) or (N, H, W, 4) uint8, labels in another array", "read")
def arrays_npz(desk):
    every = np.stack(pictures(24, *SIDE))
    np.savez(desk.folder / "a.npz", pictures=every, kind=np.arange(24) % 3)
    built = desk.build("a.npz", array="pictures", label_array="kind")
    _same(built, list(every))
    assert built.labels == ["0", "1", "2"]
    np.savez(desk.folder / "b.npz", pictures=every[..., :3])
    _same(desk.build("b.npz", array="pictures"), list(every))


@case("`.npy` of (N, H, W) grey", "read")
def arrays_npy(desk):
    every = np.random.default_rng(0).integers(0, 4, (24, *SIDE)).astype(np.uint8) * 80
    np.save(desk.folder / "a.npy", every)
    opaque = np.full((*every.shape, 1), 255, np.uint8)
    _same(desk.build("a.npy"), list(np.concatenate([every[..., None].repeat(3, -1), opaque], -1)))


@case("fractions, objects, or another shape", "refused: what is expected")
def arrays_odd(desk):
    np.save(desk.folder / "a.npy", np.zeros((3, 4, 4)))
    np.save(desk.folder / "b.npy", np.array([{}], object), allow_pickle=True)
    np.save(desk.folder / "c.npy", np.zeros(5, np.uint8))
    assert "expected (N, H, W)" in desk.refused("a.npy") and "expected (N, H, W)" in desk.refused("c.npy")
    assert "b.npy: not a readable" in desk.refused("b.npy")


@case("a cut-off `.npz`", "refused: one line")
def arrays_cut(desk):
    np.savez(desk.folder / "a.npz", pictures=np.stack(pictures()))
    whole = (desk.folder / "a.npz").read_bytes()
    assert "b.npz" in desk.refused(desk.put("b.npz", whole[: len(whole) // 2]))


def _idx(values: np.ndarray) -> bytes:
    return struct.pack(">HBB", 0, 8, values.ndim) + struct.pack(f">{values.ndim}I", *values.shape) + values.tobytes()


@case("MNIST as it comes (`-images-idx3-ubyte.gz` beside `-labels-idx1-ubyte.gz`)", "read: pictures and labels")
def idx(desk):
    every = np.random.default_rng(0).integers(0, 4, (24, *SIDE)).astype(np.uint8) * 80
    desk.put("in/x-images-idx3-ubyte.gz", gzip.compress(_idx(every)))
    desk.put("in/x-labels-idx1-ubyte.gz", gzip.compress(_idx((np.arange(24) % 3).astype(np.uint8))))
    built = desk.build("in/x-images-idx3-ubyte.gz", valid_last=4)
    assert (len(built.drawn("train")), len(built.drawn("valid"))) == (20, 4)
    assert built.labels == ["0", "1", "2"]
    desk.put("in/x-labels-idx1-ubyte.gz", gzip.compress(_idx(np.zeros(20, np.uint8))))
    assert "20" in desk.refused("in/x-images-idx3-ubyte.gz")
