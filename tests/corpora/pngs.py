"""PNG files written byte by byte, in every mode that the format has, and what each should look like."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence

import numpy as np

GREY, RGB, INDEXED, GREY_ALPHA, RGBA = 0, 2, 3, 4, 6  # colour types
CHANNELS = {GREY: 1, RGB: 3, INDEXED: 1, GREY_ALPHA: 2, RGBA: 4}
SIGNATURE = b"\x89PNG\r\n\x1a\n"
# Adam7: the first row, the first column, and the steps, of each of seven passes.
PASSES = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)]


def chunk(kind: bytes, data: bytes = b"", crc: int | None = None) -> bytes:
    """A chunk; `crc` puts another in place of the right one."""
    check = zlib.crc32(kind + data) if crc is None else crc
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", check)


def _lines(values: np.ndarray, depth: int) -> bytes:
    """Rows (H, W, C), each after its filter byte, packed into `depth` bits a value."""
    out = b""
    for row in values.reshape(len(values), -1):
        if depth == 16:
            packed = row.astype(">u2").tobytes()
        elif depth == 8:
            packed = row.astype(np.uint8).tobytes()
        else:
            bits = np.unpackbits(row.astype(np.uint8)[:, None], axis=1)[:, 8 - depth :]
            packed = np.packbits(bits.reshape(-1)).tobytes()
        out += b"\0" + packed
    return out


def png(
    values: np.ndarray,
    kind: int = RGBA,
    depth: int = 8,
    *,
    palette: Sequence[Sequence[int]] = (),
    transparent: Sequence[int] = (),
    interlaced: bool = False,
    before: bytes = b"",
    after: bytes = b"",
    end: bool = True,
) -> bytes:
    """A PNG file of values (H, W) or (H, W, C), each below 2 ** depth.

    `transparent`: the alphas of an indexed file's colours, or the values of the one transparent colour. `before`,
    `after`: chunks before and after the pixels.
    """
    values = np.asarray(values)
    values = values[..., None] if values.ndim == 2 else values
    height, width, channels = values.shape
    assert channels == CHANNELS[kind] and int(values.max(initial=0)) < 1 << depth
    out = SIGNATURE + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, int(interlaced)))
    if palette:
        out += chunk(b"PLTE", bytes(part for colour in palette for part in colour[:3]))
    if len(transparent):
        out += chunk(b"tRNS", bytes(transparent) if kind == INDEXED else struct.pack(f">{channels}H", *transparent))
    if interlaced:
        parts = [values[top::down, left::across] for top, left, down, across in PASSES]
        data = b"".join(_lines(part, depth) for part in parts if part.size)
    else:
        data = _lines(values, depth)
    return out + before + chunk(b"IDAT", zlib.compress(data)) + after + (chunk(b"IEND") if end else b"")


def shown(
    values: np.ndarray,
    kind: int,
    depth: int,
    palette: Sequence[Sequence[int]] = (),
    transparent: Sequence[int] = (),
) -> np.ndarray:
    """What such a file shows: (H, W, 4) uint8; 16 bits are cut to the upper 8."""
    values = np.asarray(values)
    values = values[..., None] if values.ndim == 2 else values
    if kind == INDEXED:
        alphas = [*transparent, *[255] * (len(palette) - len(transparent))]
        return np.array([[*colour[:3], alpha] for colour, alpha in zip(palette, alphas, strict=True)], np.uint8)[
            values[..., 0]
        ]
    wide = values.astype(np.int64)
    eight = (wide >> 8 if depth == 16 else wide * 255 // ((1 << depth) - 1)).astype(np.uint8)
    colours = eight[..., :3] if kind in (RGB, RGBA) else np.repeat(eight[..., :1], 3, -1)
    if kind in (GREY_ALPHA, RGBA):
        alpha = eight[..., -1:]
    else:
        alpha = np.full((*values.shape[:2], 1), 255, np.uint8)
        if len(transparent):
            alpha[(values == np.array(transparent)).all(-1)] = 0
    return np.concatenate([colours, alpha], -1)
