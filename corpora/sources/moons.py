"""Phases of the moon drawn on the spot, in a few shades: pictures that lie on a curve, with nothing but the phase to
tell them apart. For seeing what a code between two codes decodes to (docs/why.md).

A picture is drawn from (moons_seed, its number) alone. The label names the phase.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from corpora.errors import InputError
from corpora.row import Picture
from corpora.settings import Settings, setting

MODALITY = "picture"
SKY = (22, 24, 56)
DARK, LIT = (58, 60, 92), (252, 240, 190)
FULL = 0.5  # the phase of the full moon; 0 and 1 are the new one, 0.25 and 0.75 half moons
_FINE = 8  # points of a pixel, down and across, that are in the light or not


@dataclass(frozen=True)
class Config(Settings):
    """Settings of the moons."""

    count: int = setting(
        2000,
        "pictures; many phases look the same, and the same picture counts once",
        low=3,
        high=100_000_000,
        unit="pictures",
    )
    moon_side: int = setting(20, "pixels of each side", low=4, high=1024, unit="pixels")
    moon_shades: int = setting(5, "shades from the dark of the moon to the lit", low=2, high=64)
    waning: bool = setting(False, "whole months, in place of waxing moons alone")
    moons_seed: int = setting(0, "which pictures")


def accepts(address: str) -> bool:
    """Whether this source is meant when none is named."""
    return address == "moons"


def read(inputs: Sequence[str], config: Config) -> Iterator[Picture]:
    """`count` pictures, the phase of each uniform; the inputs may be nothing or `moons`."""
    if any(address != "moons" for address in inputs):
        raise InputError("the moons source reads no files: write `moons` in place of a file name")
    for number in range(config.count):
        # Python seeds from a string through SHA-512, the same in every version and process.
        phase = random.Random(f"{config.moons_seed}/{number}").random() * (1 if config.waning else FULL)
        light = lit(phase, config.moon_side, config.moon_shades)
        yield Picture(coloured(light, config.moon_shades), named(light, config.moon_shades), f"moon {number}")


def lit(phase: float, side: int = 20, shades: int = 5) -> np.ndarray:
    """The light on each pixel, (side, side) whole numbers from 0 to shades - 1; -1 is the sky.

    `phase` is a share of the month. The line between light and dark is half an ellipse through the poles. A waxing moon
    is lit on the right, as in the north.
    """
    radius, middle = 0.45 * side, side / 2
    across = np.broadcast_to(np.arange(side) + 0.5 - middle, (side, side))
    disc = across**2 + across.T**2 <= radius**2
    fine = (np.arange(side * _FINE) + 0.5) / _FINE - middle
    wide = np.sqrt(np.maximum(radius**2 - fine[:, None] ** 2, 0))  # half of the moon's width at each height
    edge = math.cos(2 * math.pi * phase) * wide
    moon = np.abs(fine) <= wide  # (8 side, 8 side)
    light = moon & (fine > edge if phase <= FULL else fine < -edge)
    of, share = (points.reshape(side, _FINE, side, _FINE).sum((1, 3)) for points in (moon, light))
    return np.where(disc, np.floor(share / np.maximum(of, 1) * (shades - 1) + 0.5), -1).astype(int)


def coloured(light: np.ndarray, shades: int = 5) -> np.ndarray:
    """A picture (H, W, 4) uint8 of light as `lit` gives it."""
    share = np.linspace(0, 1, shades)[:, None]
    table = np.concatenate([np.array(DARK) * (1 - share) + np.array(LIT) * share, [SKY]])  # -1, the sky, is the last
    return np.pad(table.round().astype(np.uint8), ((0, 0), (0, 1)), constant_values=255)[light]


def named(light: np.ndarray, shades: int = 5) -> str:
    """The name of a phase, from the picture alone: pictures that look the same have the same name."""
    share = light[light >= 0].mean() / (shades - 1)
    if share in (0, 1):
        return "full" if share else "new"
    if abs(share - 0.5) < 0.04:
        kind = "half"
    else:
        kind = "crescent" if share < 0.5 else "gibbous"
    half = light.shape[1] // 2
    left, right = light[:, :half].sum(), light[:, -half:].sum()
    return f"waxing {kind}" if right > left else f"waning {kind}"
