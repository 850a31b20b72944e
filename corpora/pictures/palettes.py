"""Palettes as files, in and out: GIMP .gpl, .hex, JASC and Microsoft .pal, Paint.NET .txt, lines `red green blue`,
Adobe .ase and .act, and the palette of an indexed PNG or GIF. The order of the colours is kept.

    colours = palettes.read("sweetie16.gpl").colours
    palettes.write("sweetie16.hex", colours)

A file is known by what it begins with, whatever its name; the ending decides when one is written.
"""

from __future__ import annotations

import io
import re
import struct
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from corpora import files
from corpora.errors import InputError, counted, quoted
from corpora.pictures.colour import rgb_of

LARGEST = 4096  # colours of a palette
_LARGEST_FILE = 16 << 20  # bytes
_SWATCH = 24  # pixels of a side
_PICTURES = (b"\x89PNG", b"GIF8", b"BM", b"\xff\xd8\xff", b"RIFF", b"\x0a\x05")
_INDEXED = ("PNG", "GIF", "BMP", "PCX")
Colour = tuple[int, int, int, int]  # red, green, blue, alpha, 0 to 255


class Listed(NamedTuple):
    """The colours of a file, each once, in their order."""

    colours: list[Colour]  # red, green, blue, alpha; a transparent one is (0, 0, 0, 0)
    names: list[str]  # as many; empty where the file has none
    transparent: int | None = None  # the place of the transparent colour
    notes: tuple[str, ...] = ()  # what was left out or guessed, for people
    kind: str = ""  # the format: `GIMP`, `hex` ...


class _Raw(NamedTuple):
    """Colours as they stand in a file, with what a message calls each place."""

    kind: str
    colours: Sequence[Sequence[int]]  # of 3 or 4 numbers
    names: list[str] = []  # noqa: RUF012
    places: list[int] = []  # noqa: RUF012
    notes: tuple[str, ...] = ()
    strict: bool = False  # colours that stand there twice are refused, since their numbers mean something


def read(path: str | Path) -> Listed:
    """The colours of a palette file, in its order; one that stands there again is left out, and a note says so.

    A plain list of lines `red green blue` with a colour twice is refused: its numbers are the tokens of a file of
    pixels. Raises InputError, naming the line where there is one, for what is no palette.
    """
    path = Path(path)
    where = files.quoted_path(path)
    data = files.read_bytes(path, _LARGEST_FILE)
    if not data:
        raise InputError(f"{where}: the file is empty")
    return _listed(_parsed(data, path, where), where)


def _parsed(data: bytes, path: Path, where: str) -> _Raw:
    """The colours of a file in the format that it begins with."""
    ending = path.suffix.lower()
    if data[:4] == b"ASEF":
        return _ase(data, where)
    if data[:4] == b"RIFF" and data[8:12] == b"PAL ":
        return _riff(data, where)
    if ending == ".act" or (ending == ".pal" and len(data) in (768, 772)):
        return _act(data, where)
    if data[4:6] == b"\xe0\xa5":
        raise InputError(f"{where}: an Aseprite file of pictures: export its palette as .gpl, .hex or .png")
    if data.startswith(_PICTURES):
        return _picture(data, where)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        if not data.startswith((b"GIMP Palette", b"JASC-PAL")):
            raise InputError(
                f"{where}: byte {error.start}: not UTF-8, so not a palette of lines `red green blue`, nor another "
                "format that is known: .gpl, .hex, .pal, .txt, .ase, .act, indexed .png"
            ) from error
        text = data.decode("latin-1")  # of old programs; only names can hold other letters
    lines = text.splitlines()
    if lines and lines[0].strip() == "GIMP Palette":
        return _gimp(lines, where)
    if lines and lines[0].strip() == "JASC-PAL":
        return _jasc(lines, where)
    return _plain(lines, where, ending)


def _listed(raw: _Raw, where: str) -> Listed:
    """Each colour once, checked; of several transparent ones the first."""
    seen: dict[Colour, int] = {}
    names: list[str] = []
    again = 0
    for number, parts in enumerate(raw.colours):
        alpha = int(parts[3]) if len(parts) > 3 else 255
        colour = (int(parts[0]), int(parts[1]), int(parts[2]), alpha) if alpha else (0, 0, 0, 0)
        place = raw.places[number] if raw.places else number
        if colour in seen:
            if raw.strict:
                raise InputError(f"{where}: line {place}: the same colour as line {seen[colour]}: take one out")
            again += 1
            continue
        seen[colour] = place
        names.append(raw.names[number] if raw.names else "")
    if not 2 <= len(seen) <= LARGEST:
        raise InputError(f"{where}: {len(seen):,} colours: a palette has between 2 and {LARGEST:,}")
    colours = list(seen)
    notes = list(raw.notes)
    if again:
        notes.append(f"{counted(again, 'repeated colour')} left out")
    clear = colours.index((0, 0, 0, 0)) if (0, 0, 0, 0) in seen else None
    return Listed(colours, names if any(names) else [], clear, tuple(notes), raw.kind)


# ------------------------------------------------------------------------------------------------- formats, in


def _numbers(parts: Sequence[str], where: str, number: int, line: str, expected: str) -> list[int]:
    """Numbers of 0 to 255. Raises InputError naming the line for others."""
    if not all(re.fullmatch(r"[0-9]{1,3}", part) and int(part) <= 255 for part in parts):
        raise InputError(f"{where}: line {number}: {quoted(line.strip(), 40)}: expected {expected}")
    return [int(part) for part in parts]


def _gimp(lines: Sequence[str], where: str) -> _Raw:
    """GIMP: after the head, `red green blue` and a name, of Aseprite also with alpha (`Channels: RGBA`)."""
    channels, colours, names, places = 3, [], [], []
    for number, line in enumerate(lines[1:], 2):
        head = re.match(r"\s*(Name|Columns|Channels):\s*(.*)", line)
        if head:
            channels = 4 if head[1] == "Channels" and head[2].strip().upper() == "RGBA" else channels
        elif line.strip() and not line.lstrip().startswith("#"):
            parts = line.split(None, channels)
            expected = "red, green and blue, each 0 to 255, and a name"
            if len(parts) < channels:
                raise InputError(f"{where}: line {number}: {quoted(line.strip(), 40)}: expected {expected}")
            colours.append(_numbers(parts[:channels], where, number, line, expected))
            names.append(parts[channels].strip() if len(parts) > channels else "")
            places.append(number)
    return _Raw("GIMP", colours, names, places)


def _jasc(lines: Sequence[str], where: str) -> _Raw:
    """JASC (Paint Shop Pro): `JASC-PAL`, `0100`, how many, and then lines `red green blue`, some with alpha."""
    rows = [(number, line) for number, line in enumerate(lines[3:], 4) if line.strip()]
    try:
        count = int(lines[2].strip())
    except (IndexError, ValueError) as error:
        raise InputError(f"{where}: line 3: expected the number of colours, as JASC-PAL has it") from error
    if count > len(rows):
        raise InputError(f"{where}: {len(rows):,} colours, fewer than the {count:,} of line 3: the file is cut off")
    notes = () if count == len(rows) else (f"{len(rows) - count:,} lines after the {count:,} colours are left alone",)
    colours, places = [], []
    for number, line in rows[:count]:
        parts, expected = line.split(), "red, green and blue, each 0 to 255"
        if len(parts) not in (3, 4):
            raise InputError(f"{where}: line {number}: {quoted(line.strip(), 40)}: expected {expected}")
        colours.append(_numbers(parts, where, number, line, expected))
        places.append(number)
    return _Raw("JASC", colours, places=places, notes=notes)


_HEX = re.compile(r"(?:#|0x)?([0-9A-Fa-f]{8}|[0-9A-Fa-f]{6})\b(.*)")


def _plain(lines: Sequence[str], where: str, ending: str) -> _Raw:
    """Lines of hexadecimal colours, RRGGBB, of Paint.NET AARRGGBB (in .hex RRGGBBAA), or lines `red green blue`."""
    rows = [(number, line.strip()) for number, line in enumerate(lines, 1)]
    comments = any(line.startswith(";") for _, line in rows)
    rows = [(n, line) for n, line in rows if line and not line.startswith((";", "//"))]
    if not rows or not all(_HEX.fullmatch(line) or line.startswith("# ") for _, line in rows[:1]):
        return _decimal(rows, where)
    colours: list[Sequence[int]] = []
    places, long = [], False
    for number, line in rows:
        if line == "#" or line.startswith("# "):
            continue
        match = _HEX.fullmatch(line)
        if match is None or match[2].strip()[:1] not in ("", ";", "#", "/"):
            raise InputError(f"{where}: line {number}: {quoted(line, 40)}: expected a colour such as ff8800")
        parts = bytes.fromhex(match[1])
        long |= len(parts) == 4
        last = len(parts) == 4 and ((ending == ".hex" and not comments) or line.startswith("#"))
        colours.append(parts if len(parts) == 3 or last else (*parts[1:], parts[0]))
        places.append(number)
    return _Raw("Paint.NET" if long and ending != ".hex" else "hex", colours, places=places)


def _decimal(rows: Sequence[tuple[int, str]], where: str) -> _Raw:
    colours, places = [], []
    for number, line in rows:
        parts = re.split(r"[\s,;]+", line)
        expected = "red, green and blue, each 0 to 255"
        if len(parts) != 3:
            raise InputError(f"{where}: line {number}: {quoted(line, 40)}: expected {expected}")
        colours.append(_numbers(parts, where, number, line, expected))
        places.append(number)
    return _Raw("lines `red green blue`", colours, places=places, strict=True)


def _act(data: bytes, where: str) -> _Raw:
    """Adobe colour table: 256 colours of three bytes; then, in some, how many are used and which is transparent."""
    if len(data) not in (768, 772):
        raise InputError(f"{where}: {len(data):,} bytes: a colour table (.act) has 768 or 772")
    colours = [list(data[3 * i : 3 * i + 3]) for i in range(256)]
    count, clear = struct.unpack(">HH", data[768:]) if len(data) == 772 else (256, 0xFFFF)
    if 0 < count < 256:
        colours = colours[:count]
    if clear < len(colours):
        colours[clear] = [0, 0, 0, 0]
    while len(data) == 768 and len(colours) > 2 and colours[-1] == colours[-2]:  # the end is filled with one colour
        colours.pop()
    return _Raw("Adobe colour table", colours)


def _riff(data: bytes, where: str) -> _Raw:
    """Microsoft: RIFF PAL; red, green, blue and flags of each."""
    if len(data) < 24:
        raise InputError(f"{where}: the palette is cut off")
    (count,) = struct.unpack_from("<H", data, 22)
    if len(data) < 24 + 4 * count:
        raise InputError(f"{where}: fewer colours than the {count:,} that its head says: the palette is cut off")
    return _Raw("Microsoft", [list(data[24 + 4 * i : 27 + 4 * i]) for i in range(count)])


def _ase(data: bytes, where: str) -> _Raw:
    """Adobe Swatch Exchange: named colours as RGB, grey, L*a*b* or CMYK (converted simply)."""
    readers: dict[bytes, tuple[int, Callable[[Sequence[float]], Sequence[float]]]] = {
        b"RGB ": (3, lambda v: [255 * x for x in v]),
        b"Gray": (1, lambda v: [255 * v[0]] * 3),
        b"CMYK": (4, lambda v: [255 * (1 - x) * (1 - v[3]) for x in v[:3]]),
        b"LAB ": (3, lambda v: [float(x) for x in rgb_of(np.array([100 * v[0], v[1], v[2]]))]),
    }
    colours: list[Sequence[int]] = []
    names, models = [], set()
    try:
        (count,), at = struct.unpack_from(">I", data, 8), 12
        for _ in range(min(count, len(data))):
            kind, size = struct.unpack_from(">HI", data, at)
            at += 6 + size
            if kind != 1:  # the beginning or the end of a group
                continue
            start = at - size
            (letters,) = struct.unpack_from(">H", data, start)
            name = data[start + 2 : start + 2 + 2 * letters].decode("utf-16-be", "replace").rstrip("\0")
            start += 2 + 2 * letters
            model = data[start : start + 4]
            floats, convert = readers[model]
            values = struct.unpack_from(f">{floats}f", data, start + 4)
            colours.append([max(0, min(255, round(x))) for x in convert(values)])
            names.append(name)
            models.add(model)
    except (struct.error, KeyError, ValueError, OverflowError) as error:
        raise InputError(f"{where}: the swatches (.ase) are cut off or damaged") from error
    notes = ("CMYK colours are converted without a profile",) if b"CMYK" in models else ()
    return _Raw("Adobe swatches", colours, names, notes=notes)


def _picture(data: bytes, where: str) -> _Raw:
    """The palette of an indexed picture in its order; of another picture its colours, as they come first."""
    from PIL import Image

    try:
        with Image.open(io.BytesIO(data), formats=_INDEXED) as image:
            if image.width * image.height > 1 << 24:
                raise InputError(f"{where}: too large a picture for a palette: give one of the swatches alone")
            image.load()
            if image.mode == "P" and image.palette is not None:
                return _indexed(image)
            pixels = np.array(image.convert("RGBA")).reshape(-1, 4)
    except InputError:
        raise
    except (OSError, ValueError, SyntaxError, EOFError, IndexError, struct.error) as error:
        raise InputError(f"{where}: not an indexed PNG, GIF, BMP or PCX whose palette can be read") from error
    pixels[pixels[:, 3] == 0] = 0
    _, first = np.unique(pixels, axis=0, return_index=True)
    if len(first) > LARGEST:
        raise InputError(f"{where}: a picture without a palette, of {len(first):,} colours: save it as an indexed PNG")
    note = "the picture has no palette: its colours are taken as they come, from the left above"
    return _Raw("picture", pixels[np.sort(first)].tolist(), notes=(note,))


def _indexed(image: object) -> _Raw:
    """The palette that a picture holds, with the alpha of each where it says so."""
    mode, entries = image.palette.getdata()  # type: ignore[attr-defined]
    width = len(mode.split(";")[0])
    table = np.frombuffer(bytes(entries), np.uint8)
    colours = table[: len(table) // width * width].reshape(-1, width)[:, :3].tolist()
    clear = image.info.get("transparency")  # type: ignore[attr-defined]
    if isinstance(clear, int) and clear < len(colours):
        colours[clear] = [0, 0, 0, 0]
    elif isinstance(clear, bytes):
        colours = [[*colour, alpha] for colour, alpha in zip(colours, clear.ljust(len(colours), b"\xff"), strict=False)]
    return _Raw(f"palette of a {image.format} picture", colours)  # type: ignore[attr-defined]


# ------------------------------------------------------------------------------------------------ formats, out


def write(path: str | Path, colours: Sequence[Sequence[int]], names: Sequence[str] = ()) -> list[str]:
    """Write colours, of 3 or 4 numbers of 0 to 255 each, as the ending says: .gpl, .hex, .pal (JASC), .txt (Paint.NET),
    .ase, .act, or .png, an indexed picture of the swatches. Returns what the format could not hold, a line for each.

    Of a format without transparency the transparent colour is left out, and half-transparent ones are opaque. Raises
    InputError for another ending, and for more colours than a format holds.
    """
    path = Path(path)
    if path.suffix.lower() not in _WRITERS:
        raise InputError(f"{path}: a palette can be written as {', '.join(_WRITERS)}: choose one of these endings")
    every: list[Colour] = [(c[0], c[1], c[2], c[3] if len(c) > 3 else 255) for c in colours]
    if not every:
        raise InputError(f"{path}: there is no colour to write")
    notes, kept = [], list(range(len(every)))
    if path.suffix.lower() not in _WITH_ALPHA:
        kept = [n for n in kept if every[n][3]]
        if len(kept) < len(every):
            notes.append(f"{path.suffix} holds no transparent colour: it is left out")
    if path.suffix.lower() not in _WITH_LEVELS and any(0 < every[n][3] < 255 for n in kept):
        notes.append(f"{path.suffix} holds no alpha: half-transparent colours are written as opaque")
    data = _WRITERS[path.suffix.lower()](
        [every[n] for n in kept], [names[n] for n in kept] if names else [""] * len(kept), path
    )
    with files.explained(path):
        files.replace_file(path, data)
    return notes


def _named(colour: Sequence[int], name: str) -> str:
    return " ".join(name.split()) or "#{:02x}{:02x}{:02x}".format(*colour[:3])


def _gpl_out(colours: Sequence[Colour], names: Sequence[str], path: Path) -> bytes:
    rows = (
        f"{r:3d} {g:3d} {b:3d}\t{_named((r, g, b), name)}" for (r, g, b, _), name in zip(colours, names, strict=True)
    )
    return "\n".join(["GIMP Palette", f"Name: {path.stem}", "Columns: 8", "#", *rows, ""]).encode()


def _hex_out(colours: Sequence[Colour], names: Sequence[str], path: Path) -> bytes:
    return "".join("{:02x}{:02x}{:02x}\n".format(*colour[:3]) for colour in colours).encode()


def _jasc_out(colours: Sequence[Colour], names: Sequence[str], path: Path) -> bytes:
    rows = ["{} {} {}".format(*colour[:3]) for colour in colours]
    return "\r\n".join(["JASC-PAL", "0100", str(len(rows)), *rows, ""]).encode()


def _paint_out(colours: Sequence[Colour], names: Sequence[str], path: Path) -> bytes:
    rows = ("{3:02X}{0:02X}{1:02X}{2:02X}".format(*colour) for colour in colours)
    return "\r\n".join(["; paint.net Palette File", f"; {path.stem}, {len(colours)} colors", *rows, ""]).encode()


def _act_out(colours: Sequence[Colour], names: Sequence[str], path: Path) -> bytes:
    if len(colours) > 256:
        raise InputError(f"{path}: {len(colours):,} colours: a colour table (.act) holds 256; write .gpl, .hex or .txt")
    clear = next((number for number, colour in enumerate(colours) if colour[3] == 0), 0xFFFF)
    table = b"".join(bytes(colour[:3]) for colour in colours).ljust(768, b"\0")
    return table + struct.pack(">HH", len(colours), clear)


def _ase_out(colours: Sequence[Colour], names: Sequence[str], path: Path) -> bytes:
    blocks = []
    for colour, name in zip(colours, names, strict=True):
        text = _named(colour, name).encode("utf-16-be") + b"\0\0"
        body = struct.pack(">H", len(text) // 2) + text + b"RGB " + struct.pack(">3f", *(c / 255 for c in colour[:3]))
        body += struct.pack(">H", 2)  # neither global nor spot
        blocks.append(struct.pack(">HI", 1, len(body)) + body)
    return b"ASEF" + struct.pack(">HHI", 1, 0, len(blocks)) + b"".join(blocks)


def swatches(colours: Sequence[Sequence[int]]) -> np.ndarray:
    """The number of the colour that each pixel of a picture of the swatches shows, (H, W) int64; the last one is
    as wide as what is left of its row."""
    across = min(len(colours), 16 if len(colours) > 64 else 8)
    down = -(-len(colours) // across)
    numbers = np.minimum(np.arange(down * across), len(colours) - 1)
    return numbers.reshape(down, across).repeat(_SWATCH, 0).repeat(_SWATCH, 1)


def _png_out(colours: Sequence[Colour], names: Sequence[str], path: Path) -> bytes:
    """Swatches as an indexed PNG with the colours in their order; a full picture where they are more than 256."""
    from PIL import Image

    numbers, out = swatches(colours), io.BytesIO()
    table = np.array(colours, np.uint8)
    if len(colours) > 256:
        Image.fromarray(table[numbers], "RGBA").save(out, "PNG", optimize=True)
        return out.getvalue()
    image = Image.fromarray(numbers.astype(np.uint8), "P")
    image.putpalette(table[:, :3].tobytes(), "RGB")
    alpha = {} if (table[:, 3] == 255).all() else {"transparency": table[:, 3].tobytes()}
    image.save(out, "PNG", **alpha)
    return out.getvalue()


_WRITERS: dict[str, Callable[[Sequence[Colour], Sequence[str], Path], bytes]] = {
    ".gpl": _gpl_out,
    ".hex": _hex_out,
    ".pal": _jasc_out,
    ".txt": _paint_out,
    ".ase": _ase_out,
    ".act": _act_out,
    ".png": _png_out,
}
_WITH_ALPHA = (".txt", ".act", ".png")  # of formats that hold a transparent colour
_WITH_LEVELS = (".txt", ".png")  # of formats that hold half-transparent ones
ENDINGS = tuple(_WRITERS)
