"""Colours: sRGB and CIE L*a*b*, transparency laid on white, colours as numbers.

Colours are compared in CIE L*a*b* (CIE 15:2018, Colorimetry, section 8.2.1; sRGB after IEC 61966-2-1, D65, the 2 degree
observer), where a Euclidean distance, Delta E after CIE76, is about as large as the difference looks: 1 can just be
seen, and up to about 10 two colours pass for shades of one.
"""

from __future__ import annotations

import numpy as np

_AT_ONCE = 1 << 21  # distances that are held in memory

# IEC 61966-2-1: linear sRGB to CIE XYZ, as the exact inverse chromaticities give it (Lindbloom's matrix, 7 digits).
_TO_XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)
_WHITE = _TO_XYZ.sum(1)  # D65, so that (255, 255, 255) is L* 100, a* 0 and b* 0 to the last digit
_EPSILON, _KAPPA = 216 / 24389, 24389 / 27  # the intent of the standard, which prints 0.008856 and 903.3


def lab_of(rgb: np.ndarray) -> np.ndarray:
    """CIE L*a*b* of sRGB colours: (..., 3) of 0 to 255 -> (..., 3) float64, L* of 0 to 100."""
    share = np.asarray(rgb, np.float64) / 255
    linear = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
    xyz = linear @ _TO_XYZ.T / _WHITE
    f = np.where(xyz > _EPSILON, np.cbrt(xyz), (_KAPPA * xyz + 16) / 116)
    x, y, z = f[..., 0], f[..., 1], f[..., 2]
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], -1)


def rgb_of(lab: np.ndarray) -> np.ndarray:
    """The sRGB colours nearest to CIE L*a*b*: (..., 3) -> (..., 3) uint8. What sRGB cannot show is cut off."""
    lightness, a, b = (np.asarray(lab, np.float64)[..., i] for i in range(3))
    y = (lightness + 16) / 116
    f = np.stack([y + a / 500, y, y - b / 200], -1)
    xyz = np.where(f**3 > _EPSILON, f**3, (116 * f - 16) / _KAPPA) * _WHITE
    linear = np.clip(xyz @ np.linalg.inv(_TO_XYZ).T, 0, 1)
    share = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    return np.rint(255 * share).astype(np.uint8)


def on_white(pixels: np.ndarray) -> np.ndarray:
    """Pictures laid on white: (..., 4) uint8 -> (..., 4) uint8, opaque all over."""
    alpha = pixels[..., 3:].astype(np.uint32)
    mixed = (pixels[..., :3] * alpha + 255 * (255 - alpha) + 127) // 255
    return np.concatenate([mixed.astype(np.uint8), np.full_like(pixels[..., 3:], 255)], -1)


def pack(rgb: np.ndarray) -> np.ndarray:
    """Colours as numbers: (N, 3 or more) uint8 -> (N,) uint32. What comes after blue is left out."""
    red, green, blue = (rgb[:, i].astype(np.uint32) for i in range(3))
    return red << 16 | green << 8 | blue


def unpack(numbers: np.ndarray) -> np.ndarray:
    """The inverse of `pack`: (N,) uint32 -> (N, 3) uint8."""
    return np.stack([numbers >> 16 & 255, numbers >> 8 & 255, numbers & 255], -1).astype(np.uint8)


def nearest(lab: np.ndarray, table: np.ndarray) -> np.ndarray:
    """The row of `table` (V, 3) nearest to each of (N, 3): (N,) int64. Differences are taken one by one, so that equal
    colours have exactly 0."""
    step = max(1, _AT_ONCE // len(table))
    places = [
        ((lab[i : i + step, None] - table[None]) ** 2).sum(-1).argmin(1) for i in range(0, len(lab), step)
    ]  # fmt: skip
    return np.concatenate(places) if places else np.zeros(0, np.int64)
