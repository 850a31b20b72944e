"""Palette files: read by what they begin with, written by their ending, the order of the colours kept."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from corpora.build import build
from corpora.cli import main
from corpora.corpus import Corpus
from corpora.errors import InputError
from corpora.pictures import palettes

RGB = [(0, 0, 0), (200, 40, 40), (40, 200, 40), (40, 40, 200), (255, 255, 255)]
OPAQUE = [(*colour, 255) for colour in RGB]
LINES = "".join(f"{r} {g} {b}\n" for r, g, b in RGB)
HEX = [f"{r:02x}{g:02x}{b:02x}" for r, g, b in RGB]


def indexed(format_: str = "PNG", transparency: object = None) -> bytes:
    """An indexed picture that does not use its palette in order."""
    image = Image.fromarray(np.array([[4, 0, 2, 1], [3, 3, 0, 1]], np.uint8), "P")
    image.putpalette([part for colour in RGB for part in colour], "RGB")
    out = io.BytesIO()
    image.save(out, format_, **({} if transparency is None else {"transparency": transparency}))
    return out.getvalue()


def ase() -> bytes:
    """Swatches in a group, as RGB, grey, CMYK and L*a*b*."""
    values = [(b"RGB ", (1, 0, 0)), (b"Gray", (0.5,)), (b"CMYK", (0, 1, 0, 0)), (b"LAB ", (1, 0, 0))]
    blocks = [struct.pack(">HIH", 0xC001, 4, 1) + b"\0\0"]
    for model, floats in values:
        body = struct.pack(">H", 2) + "é\0".encode("utf-16-be") + model + struct.pack(f">{len(floats)}fH", *floats, 0)
        blocks.append(struct.pack(">HI", 1, len(body)) + body)
    blocks.append(struct.pack(">HI", 0xC002, 0))
    return b"ASEF" + struct.pack(">HHI", 1, 0, len(blocks)) + b"".join(blocks)


FILES = {
    "x.gpl": "GIMP Palette\nName: x\nColumns: 4\n#\n" + "".join(f"{r:3} {g:3} {b:3}\tIndex\n" for r, g, b in RGB),
    "old.gpl": "GIMP Palette\n# no name, no columns\n" + LINES,
    "x.hex": "\n".join(HEX),
    "hashes.hex": "\r\n".join(f"#{one.upper()}" for one in HEX),
    "lospec.txt": "; paint.net Palette File\n; Colors: 5\n" + "".join(f"FF{one}\n" for one in HEX),
    "jasc.pal": f"JASC-PAL\r\n0100\r\n5\r\n{LINES}".replace("\n", "\r\n").replace("\r\r", "\r"),
    "lines.txt": LINES,
    "comma.csv": LINES.replace(" ", ", "),
    "marked.txt": "\ufeff" + LINES,
    "noted.txt": "// a palette\n" + "\n".join(f"{one} ; name" for one in HEX),
    "riff.pal": b"RIFF" + struct.pack("<I", 16 + 20) + b"PAL data" + struct.pack("<IHH", 24, 0x300, 5)
    + b"".join(bytes((*colour, 0)) for colour in RGB),
    "short.act": b"".join(map(bytes, RGB)).ljust(768, b"\xff") + struct.pack(">HH", 5, 0xFFFF),
    "filled.act": b"".join(map(bytes, RGB)).ljust(768, b"\xff"),
    "indexed.png": indexed(),
    "indexed.gif": indexed("GIF"),
    "any.bin": indexed(),
}  # fmt: skip


@pytest.mark.parametrize("name", FILES)
def test_every_kind_of_file_is_read_in_its_order(name, tmp_path):
    data = FILES[name]
    (tmp_path / name).write_bytes(data if isinstance(data, bytes) else data.encode())
    assert palettes.read(tmp_path / name).colours[:5] == OPAQUE


def test_names_alpha_and_notes(tmp_path):
    def read(name: str, data: str | bytes) -> palettes.Listed:
        (tmp_path / name).write_bytes(data if isinstance(data, bytes) else data.encode())
        return palettes.read(tmp_path / name)

    listed = read(
        "a.gpl", "GIMP Palette\nChannels: RGBA\n1 2 3 255 a dark one\n4 5 6 0\n7 8 9 100 x\n1 2 3 255 again\n"
    )
    assert listed.colours == [(1, 2, 3, 255), (0, 0, 0, 0), (7, 8, 9, 100)]
    assert (listed.names, listed.transparent) == (["a dark one", "", "x"], 1)
    assert listed.notes == ("1 repeated colour left out",)
    assert read("a.txt", "; x\n80ff0001\n00ffffff\nFFff0001\n").colours == [
        (255, 0, 1, 128), (0, 0, 0, 0), (255, 0, 1, 255)
    ]  # fmt: skip
    assert read("a.hex", "ff000180\nff0001ff\n").colours == [(255, 0, 1, 128), (255, 0, 1, 255)]
    assert read("latin.gpl", "GIMP Palette\nName: Gr\xfcn\n1 2 3 gr\xfcn\n4 5 6\n".encode("latin-1")).names[0] == "grün"
    listed = read("x.ase", ase())
    assert listed.colours == [(255, 0, 0, 255), (128, 128, 128, 255), (255, 0, 255, 255), (255, 255, 255, 255)]
    assert (listed.names, listed.notes) == (["é"] * 4, ("CMYK colours are converted without a profile",))
    assert read("t.png", indexed(transparency=bytes((255, 0, 90)))).colours[:4] == [
        (0, 0, 0, 255), (0, 0, 0, 0), (40, 200, 40, 90), (40, 40, 200, 255)
    ]  # fmt: skip
    out = io.BytesIO()
    Image.fromarray(np.array([[OPAQUE[3], OPAQUE[1]], [OPAQUE[3], OPAQUE[4]]], np.uint8)).save(out, "PNG")
    listed = read("row.png", out.getvalue())
    assert listed.colours == [OPAQUE[3], OPAQUE[1], OPAQUE[4]]
    assert "the picture has no palette" in listed.notes[0]


@pytest.mark.parametrize("ending", palettes.ENDINGS)
@pytest.mark.parametrize("count", [2, 5, 11, 100, 255])
def test_written_and_read_back(ending, count, tmp_path):
    draw = np.random.default_rng(count)
    colours = [(0, 0, 0, 0), *dict.fromkeys((*map(int, one), 255) for one in draw.integers(0, 256, (count, 3)))]
    notes = palettes.write(tmp_path / f"x{ending}", colours)
    again = palettes.read(tmp_path / f"x{ending}")
    kept = ending in (".txt", ".act", ".png")
    assert again.colours == colours[0 if kept else 1 :]
    assert again.transparent == (0 if kept else None)
    assert notes == ([] if kept else [f"{ending} holds no transparent colour: it is left out"])


def test_what_a_format_cannot_hold(tmp_path):
    colours = [*OPAQUE, (1, 2, 3, 100)]
    assert palettes.write(tmp_path / "x.png", colours) == palettes.write(tmp_path / "x.txt", colours) == []
    assert palettes.read(tmp_path / "x.png").colours == palettes.read(tmp_path / "x.txt").colours == colours
    for ending in (".gpl", ".hex", ".pal", ".ase", ".act"):
        assert palettes.write(tmp_path / f"x{ending}", colours) == [
            f"{ending} holds no alpha: half-transparent colours are written as opaque"
        ]
    many = [(n >> 8, n & 255, 0, 255) for n in range(300)]
    with pytest.raises(InputError, match=r"300 colours: a colour table .* holds 256"):
        palettes.write(tmp_path / "x.act", many)
    palettes.write(tmp_path / "many.png", many)
    assert palettes.read(tmp_path / "many.png").colours == many
    with pytest.raises(InputError, match=r"a palette can be written as \.gpl, \.hex"):
        palettes.write(tmp_path / "x.jpg", many)


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("x.gpl", b"", "the file is empty"),
        ("x.gpl", b"GIMP Palette\n1 2\n", "line 2: '1 2': expected red, green and blue, each 0 to 255, and a name"),
        ("x.gpl", b"GIMP Palette\n1 2 300\n", "line 2: '1 2 300': expected red"),
        ("x.gpl", b"GIMP Palette\n1 2 3\n1 2 3\n", "1 colours: a palette has between 2 and 4,096"),
        ("x.pal", b"JASC-PAL\n0100\n5\n1 2 3\n", "1 colours, fewer than the 5 of line 3: the file is cut off"),
        ("x.pal", b"JASC-PAL\n0100\nfive\n", "line 3: expected the number of colours"),
        ("x.pal", b"RIFF\0\0\0\0PAL data", "the palette is cut off"),
        ("x.hex", b"ff0000\nfg0000\n", "line 2: 'fg0000': expected a colour such as ff8800"),
        ("x.act", b"123", "3 bytes: a colour table (.act) has 768 or 772"),
        ("x.ase", b"ASEF\0\1\0\0\0\0\0\5", "the swatches (.ase) are cut off or damaged"),
        ("x.ase", b"\0\0\0\0\xe0\xa5", "an Aseprite file of pictures: export its palette"),
        ("x.png", b"\x89PNG\r\n\x1a\n", "not an indexed PNG, GIF, BMP or PCX whose palette can be read"),
        ("x.png", indexed()[:60], "not an indexed PNG"),
        ("x.txt", b"\xff\xfe\xfd", "byte 0: not UTF-8, so not a palette"),
        ("x.txt", b"a poem\nof two lines\n", "line 1: 'a poem': expected red, green and blue"),
    ],
)
def test_files_that_are_no_palette(name, data, message, tmp_path):
    (tmp_path / name).write_bytes(data)
    with pytest.raises(InputError) as caught:
        palettes.read(tmp_path / name)
    assert str(caught.value).startswith(f"{tmp_path / name}: {message}")


def corpus(tmp_path: Path, **settings: object) -> Corpus:
    draw = np.random.default_rng(0)
    for number in range(9):
        pixels = np.array(OPAQUE, np.uint8)[draw.integers(0, 5, (4, 4))]
        (tmp_path / "in").mkdir(exist_ok=True)
        Image.fromarray(pixels).save(tmp_path / "in" / f"{number}.png")
    return build([str(tmp_path / "in")], tmp_path / "c", settings=settings, replace=True)


def test_a_corpus_takes_and_gives_a_palette(tmp_path, capsys):
    colours = [*OPAQUE[::-1], (9, 9, 9, 255)]
    for ending in palettes.ENDINGS:
        palettes.write(tmp_path / f"x{ending}", colours)
        built = corpus(tmp_path, palette_file=str(tmp_path / f"x{ending}"))
        assert built.codec.colours == colours
        assert main(["palette", str(tmp_path / "c"), "--out", str(tmp_path / f"y{ending}")]) == 0
        assert "the 6 colours of the palette, in the order of its tokens" in capsys.readouterr().out
        assert (tmp_path / f"y{ending}").read_bytes()[-9:] == (tmp_path / f"x{ending}").read_bytes()[-9:]
        assert palettes.read(tmp_path / f"y{ending}").colours == colours
    (tmp_path / "t.txt").write_text("; x\nffffffff\n00ff00ff\nff000000\nffc82828\nff28c828\nff2828c8\nffc82828\n")
    built = corpus(tmp_path, palette_file=str(tmp_path / "t.txt"))
    assert built.codec.colours[:3] == [(0, 0, 0, 0), (255, 255, 255, 255), (0, 0, 0, 255)]
    assert built.manifest["notes"] == [
        "the 6 colours are as given",
        "t.txt: 1 repeated colour left out",
        "t.txt: its transparent colour, number 1, is moved to the front",
    ]


def test_models_have_palettes(tmp_path, capsys):
    assert main(["palette", "creatures", "--out", str(tmp_path / "x.gpl"), "--json"]) == 0
    assert '"colours"' in capsys.readouterr().out
    assert main(["palette", "everyday", "--out", str(tmp_path / "y.gpl")]) == 2
    assert "its codec is pieces, for text: pictures alone have a palette" in capsys.readouterr().err
    assert main(["palette", "nothing", "--out", str(tmp_path / "y.gpl")]) == 2
    assert "'nothing': no corpus or model: give a folder, or one of " in capsys.readouterr().err
    assert main(["palette", str(tmp_path / "x.gpl"), "--out", str(tmp_path / "y.gpl")]) == 2
    assert "is a file: give the folder of a corpus, a run or a model (a palette file" in capsys.readouterr().err
    assert not (tmp_path / "y.gpl").exists()
