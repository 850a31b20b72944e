"""The parts of PNG files that Pillow does not read as the standard has them (W3C PNG, third edition).

Chunks of text may be larger than Pillow takes, and damaged, while the picture is whole: they are left out. The colour
that tRNS makes transparent is one of the file's own depth, of 1 to 16 bits, and is compared at that depth.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

if TYPE_CHECKING:
    from PIL import Image

SIGNATURE = b"\x89PNG\r\n\x1a\n"
_KEPT = (b"tRNS", b"eXIf", b"acTL", b"fcTL", b"fdAT")  # of the chunks that a reader may pass over
_TEXTS = (b"Raw profile type exif", b"Raw profile type APP1", b"XML:com.adobe.xmp", b"stroll-sheet")
_LONGEST_TEXT = 1 << 16  # bytes
_PASSES = ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1))  # Adam7


def chunks(file: BinaryIO) -> Iterator[tuple[bytes, int, int]]:
    """(type, where the chunk begins, bytes of data) of every chunk, to the end or to where the file is cut off."""
    file.seek(0, io.SEEK_END)
    end = file.tell()
    at = len(SIGNATURE)
    while at + 12 <= end:
        file.seek(at)
        length, kind = struct.unpack(">I4s", file.read(8))
        if at + 12 + length > end:
            return
        yield kind, at, length
        at += 12 + length


def plain(file: BinaryIO) -> BinaryIO:
    """The file without the chunks that say nothing of the pixels: texts, times, profiles; the file itself if it has
    none. What is cut off or damaged otherwise stays so."""
    listed = list(chunks(file))
    left_out = [one for one in listed if not _is_kept(file, *one)]
    file.seek(0)
    if not left_out:
        return file
    skipped, out, at = {start for _, start, _ in left_out}, io.BytesIO(), 0
    for _, start, length in listed:
        file.seek(at)
        out.write(file.read(start - at))
        at = start + 12 + length if start in skipped else start
    file.seek(at)
    out.write(file.read())
    out.seek(0)
    return out


def _is_kept(file: BinaryIO, kind: bytes, start: int, length: int) -> bool:
    if kind[:1].isupper() or kind in _KEPT:
        return True
    if kind not in (b"tEXt", b"zTXt", b"iTXt") or length > _LONGEST_TEXT:
        return False
    file.seek(start + 8)
    data, (check,) = file.read(length), struct.unpack(">I", file.read(4))
    keyword, _, rest = data.partition(b"\0")
    if keyword not in _TEXTS or zlib.crc32(kind + data) != check:
        return False
    return kind == b"tEXt" or (kind == b"iTXt" and rest[:1] == b"\0") or _is_short(rest[1 + 3 * (kind == b"iTXt") :])


def _is_short(packed: bytes) -> bool:
    try:
        packer = zlib.decompressobj()
        packer.decompress(packed, _LONGEST_TEXT)
    except zlib.error:
        return False
    return packer.eof


def keyed(image: Image.Image, file: BinaryIO) -> np.ndarray | None:
    """Where the pixels of a PNG have the colour that tRNS makes transparent, (H, W) bool, compared at the depth of the
    file; None where it has no such colour. The picture is loaded."""
    depth, colour = _head(file)
    key = _key(file, 3 if colour == 2 else 1) if colour in (0, 2) else None
    if key is None:
        return None
    if colour == 2:
        values = _deep(file, image.height, image.width) if depth == 16 else np.asarray(image.convert("RGB"), np.int64)
        return (values == key % (1 << depth)).all(-1)
    least = int(key[0]) % (1 << depth)  # the bits above are to be ignored
    if depth == 16:
        return np.asarray(image, np.int64) == least
    return np.asarray(image.convert("L"), np.int64) == least * (255 // ((1 << depth) - 1))


def _key(file: BinaryIO, channels: int) -> np.ndarray | None:
    """The transparent colour, (1,) or (3,) int64, as the chunk tRNS before the pixels has it."""
    for kind, start, length in chunks(file):
        if kind == b"tRNS" and length >= 2 * channels:
            file.seek(start + 8)
            return np.frombuffer(file.read(2 * channels), ">u2").astype(np.int64)
        if kind == b"IDAT":
            return None
    return None


def depth(file: BinaryIO) -> int:
    """Bits in a channel, as the head of the file says."""
    return _head(file)[0]


def _head(file: BinaryIO) -> tuple[int, int]:
    """Bits in a channel, and the type of colour: 0 grey, 2 RGB, 3 indexed, 4 and 6 with alpha."""
    before = file.tell()  # where Pillow goes on
    file.seek(0)
    head = file.read(26)
    file.seek(before)
    return (head[24], head[25]) if len(head) == 26 else (8, 2)


def _deep(file: BinaryIO, height: int, width: int) -> np.ndarray:
    """The pixels of an RGB picture of 16 bits a channel, which Pillow cuts to 8: (H, W, 3) int64."""
    packer, data = zlib.decompressobj(), bytearray()
    most = (height + 8) * (6 * width + 16)
    for kind, start, length in chunks(file):
        if kind == b"IDAT" and len(data) < most:
            file.seek(start + 8)
            data += packer.decompress(file.read(length), most - len(data))
    file.seek(28)
    out = np.zeros((height, width, 3), np.int64)
    passes = _PASSES if file.read(1) == b"\1" else ((0, 0, 1, 1),)
    at = 0
    for top, left, down, across in passes:
        rows, columns = len(range(top, height, down)), len(range(left, width, across))
        if rows and columns:
            size = rows * (6 * columns + 1)
            lines = _unfiltered(bytes(data[at : at + size]), rows, 6 * columns)
            out[top::down, left::across] = lines.view(">u2").reshape(rows, columns, 3)
            at += size
    return out


def _unfiltered(data: bytes, rows: int, width: int) -> np.ndarray:
    """Lines of bytes, each behind the number of its filter, as they were before the filters: (rows, width) uint8."""
    lines = np.frombuffer(data, np.uint8).reshape(rows, width + 1)
    out = np.zeros((rows, width), np.uint8)
    for number, line in enumerate(lines):
        kind, above = line[0], out[number - 1] if number else np.zeros(width, np.uint8)
        if kind == 0:
            out[number] = line[1:]
        elif kind == 1:
            out[number] = np.cumsum(line[1:].reshape(-1, 6), 0, dtype=np.uint8).reshape(-1)
        elif kind == 2:
            out[number] = line[1:] + above
        else:
            out[number] = _sequential(line[1:].tolist(), above.tolist(), average=bool(kind == 3))
    return out


def _sequential(line: list[int], above: list[int], *, average: bool) -> np.ndarray:
    """A line before the filter Average or Paeth, in which each byte needs the one six before it."""
    out = [0] * (len(line) + 6)
    for i, value in enumerate(line):
        left, up, corner = out[i], above[i], above[i - 6] if i >= 6 else 0
        if average:
            near = (left + up) // 2
        else:
            guess = left + up - corner
            near = min((abs(guess - left), 0, left), (abs(guess - up), 1, up), (abs(guess - corner), 2, corner))[2]
        out[i + 6] = (value + near) & 255
    return np.array(out[6:], np.uint8)
