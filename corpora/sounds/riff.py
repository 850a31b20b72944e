"""WAV files, read chunk by chunk: whole numbers of 8 to 32 bits, fractions of 32 or 64 bits, A-law and mu-law.

A WAV file is a RIFF file: chunks, each with a name of four letters and a length. `fmt ` says how the samples are kept,
`data` holds them; others are skipped. RF64 (EBU Tech 3306) is the same for files over 4 GB.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

import numpy as np

from corpora.errors import InputError

WHOLE, FRACTIONS, A_LAW, MU_LAW, EXTENSIBLE = 1, 3, 6, 7, 0xFFFE  # kinds of samples, as `fmt ` numbers them
_UNKNOWN = 0xFFFFFFFF  # the length that a program writes which does not know it yet
_MOST_CHANNELS = 64


class Other(Exception):
    """A kind of WAV file that is not read here, such as ADPCM."""


class Damaged(Exception):
    """A WAV file that says what cannot be."""


class Wave(NamedTuple):
    """The samples of a WAV file."""

    samples: np.ndarray  # (T, C) int16
    sample_rate: int
    done: tuple[str, ...]  # what was done to read it, a phrase each


class _Format(NamedTuple):
    kind: int
    channels: int
    rate: int
    width: int  # bytes of a sample


def is_wave(head: bytes) -> bool:
    """Whether a file that begins with these 12 bytes is a WAV file."""
    return head[:4] in (b"RIFF", b"RF64") and head[8:12] == b"WAVE"


def parse(data: bytes, most: int) -> Wave:
    """The samples of a WAV file.

    Raises Other for a kind that is not read here, Damaged for a file that is cut off or says what cannot be, and
    InputError for one of more than `most` samples.
    """
    shape: _Format | None = None
    long: int | None = None  # the length of `data` where its own field is too short for it
    place = 12
    while place + 8 <= len(data):
        name, size = struct.unpack_from("<4sI", data, place)
        body = data[place + 8 : place + 8 + size] if name in (b"fmt ", b"ds64") else b""
        if name == b"ds64" and len(body) >= 16:
            long = struct.unpack_from("<Q", body, 8)[0]
        elif name == b"fmt ":
            shape = _format(body)
        elif name == b"data":
            if shape is None:
                raise Damaged("no 'fmt ' chunk before the samples")
            return _data(data, place + 8, size, shape, long, most)
        place += 8 + size + size % 2  # chunks begin at even places
    raise Damaged("it is cut off before the samples")


def _format(body: bytes) -> _Format:
    if len(body) < 16:
        raise Damaged(f"a 'fmt ' chunk of {len(body)} bytes, of 16 at least")
    kind, channels, rate, _, block, bits = struct.unpack_from("<HHIIHH", body)
    if kind == EXTENSIBLE and len(body) >= 26:
        kind = struct.unpack_from("<H", body, 24)[0]  # the first bytes of the sub-format
    if kind not in (WHOLE, FRACTIONS, A_LAW, MU_LAW):
        raise Other(f"format {kind}")
    if not 1 <= channels <= _MOST_CHANNELS:
        raise Damaged(f"{channels:,} channels")
    if not block or block % channels:
        raise Damaged(f"{channels} channels in blocks of {block} bytes")
    width = block // channels  # which may be more than the bits need: 12 bits in 2 bytes, at their upper end
    widths = {WHOLE: (1, 2, 3, 4), FRACTIONS: (4, 8), A_LAW: (1,), MU_LAW: (1,)}[kind]
    if width not in widths or not 1 <= bits <= 8 * width or (kind == FRACTIONS and bits != 8 * width):
        raise Damaged(f"{bits} bits in {width} bytes")
    return _Format(kind, channels, rate, width)


def _data(data: bytes, start: int, size: int, shape: _Format, long: int | None, most: int) -> Wave:
    """The samples from `start` on: `size` bytes, or all that follow where the length is not known."""
    left = len(data) - start
    done: tuple[str, ...] = ()
    if size == _UNKNOWN and long is not None:
        size = long
    elif size == _UNKNOWN or (size == 0 and left and struct.unpack_from("<I", data, 4)[0] in (0, _UNKNOWN)):
        size, done = left, ("had no length in their head and were read to the end",)
    if size > left:
        raise Damaged("it is cut off")
    block = shape.channels * shape.width
    if size // shape.width > most:
        raise InputError(f"more than {most:,} samples: cut it into clips")
    raw = data[start : start + size // block * block]
    samples, more = _sixteen(raw, shape.kind, shape.width)
    return Wave(samples.reshape(-1, shape.channels), shape.rate, done + more)


def _sixteen(data: bytes, kind: int, width: int) -> tuple[np.ndarray, tuple[str, ...]]:
    """Samples as int16, and what was done."""
    if kind == FRACTIONS:
        values = np.frombuffer(data, f"<f{width}").astype(np.float64)
        if not np.isfinite(values).all():
            raise Damaged("samples that are not numbers (NaN or infinite)")
        beyond = ("had samples beyond full scale, which were cut",) * bool(np.abs(values).max(initial=0) > 1)
        samples = np.rint(values * 32768).clip(-(2**15), 2**15 - 1).astype(np.int16)
        return samples, (f"brought from fractions of {8 * width} bits to 16 bits", *beyond)
    if kind in (A_LAW, MU_LAW):
        table = _a_law() if kind == A_LAW else _mu_law()
        return table[np.frombuffer(data, np.uint8)], (f"unpacked from {'A' if kind == A_LAW else 'mu'}-law",)
    if width == 1:  # unsigned
        samples = ((np.frombuffer(data, np.uint8).astype(np.int16) - 128) << 8).astype(np.int16)
    elif width == 2:
        samples = np.frombuffer(data, "<i2").astype(np.int16)
    else:  # the two upper bytes
        parts = np.frombuffer(data, np.uint8).reshape(-1, width)
        samples = np.ascontiguousarray(parts[:, -2:]).view("<i2")[:, 0].astype(np.int16)
    return samples, () if width == 2 else (f"brought from {8 * width} bits to 16",)


def _mu_law() -> np.ndarray:
    """The samples of the 256 codes of G.711 mu-law. (256,) int16"""
    code = ~np.arange(256) & 255
    level = (((code & 15) << 3) + 132) << (code >> 4 & 7)
    return np.where(code & 128, 132 - level, level - 132).astype(np.int16)


def _a_law() -> np.ndarray:
    """The samples of the 256 codes of G.711 A-law. (256,) int16"""
    code = np.arange(256) ^ 0x55
    segment, step = code >> 4 & 7, (code & 15) << 4
    level = np.where(segment, (step + 264) << np.maximum(segment - 1, 0), step + 8)
    return np.where(code & 128, level, -level).astype(np.int16)
