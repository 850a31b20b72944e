"""Little creatures drawn on the spot, 16x16 pixels and mirrored. For trying things out, for tests and for demos.

A picture is drawn from (sprites_seed, its number) alone. The label says what kind of creature it is.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from corpora.errors import InputError
from corpora.row import Picture
from corpora.settings import Settings, setting

MODALITY = "picture"
SIDE = 16
OUTLINE, WHITE = (40, 36, 60), (255, 255, 255)
# Light and dark of each hue. A creature has two or three of the hues, so 2 to 4 colours beside outline and white.
HUES = {
    "red": ((236, 92, 92), (172, 50, 72)),
    "orange": ((255, 166, 74), (214, 104, 44)),
    "yellow": ((255, 226, 98), (226, 160, 52)),
    "green": ((128, 210, 92), (52, 148, 92)),
    "teal": ((98, 214, 204), (38, 142, 158)),
    "blue": ((112, 164, 255), (66, 92, 200)),
    "purple": ((190, 132, 240), (118, 72, 178)),
    "pink": ((255, 166, 200), (216, 96, 152)),
}
_NOTHING, _BODY, _SHADE, _ACCENT, _WHITE, _DARK = range(6)
_AXIS = SIDE // 2  # only the left half is drawn


@dataclass(frozen=True)
class Config(Settings):
    """Settings of the creatures."""

    count: int = setting(2000, "pictures", low=3, high=100_000_000, unit="pictures")
    sprites_seed: int = setting(0, "which pictures")


def accepts(address: str) -> bool:
    """Whether this source is meant when none is named."""
    return address == "sprites"


def read(inputs: Sequence[str], config: Config) -> Iterator[Picture]:
    """`count` pictures; the inputs may be nothing or `sprites`."""
    if any(address != "sprites" for address in inputs):
        raise InputError("the sprites source reads no files: write `sprites` in place of a file name")
    for number in range(config.count):
        # Python seeds from a string through SHA-512, the same in every version and process.
        pixels, kind = _creature(random.Random(f"{config.sprites_seed}/{number}"))
        yield Picture(pixels, kind, f"sprite {number}")


def _creature(draw: random.Random) -> tuple[np.ndarray, str]:
    """A picture (16, 16, 4) uint8, and its kind."""
    kind = draw.choice(list(KINDS))
    half = np.zeros((SIDE, _AXIS), np.uint8)
    eyes, wide = KINDS[kind](half, draw)
    if kind != "toadstool" and draw.random() < 0.35:
        _spots(half, draw)
    _shade(half)
    _face(half, draw, eyes, wide)
    grid = np.concatenate([half, half[:, ::-1]], 1)
    padded = np.pad(grid > 0, 1)
    near = padded[2:, 1:-1] | padded[:-2, 1:-1] | padded[1:-1, 2:] | padded[1:-1, :-2]
    grid[near & (grid == _NOTHING)] = _DARK
    hue, other = draw.sample(list(HUES), 2)
    accent = HUES[other][0] if draw.random() < 0.75 else HUES[hue][1]
    table = [(0, 0, 0, 0)] + [(*rgb, 255) for rgb in (*HUES[hue], accent, WHITE, OUTLINE)]
    return np.array(table, np.uint8)[grid], kind


def _oval(half: np.ndarray, down: float, tall: float, wide: float, what: int, across: float = _AXIS) -> None:
    """Fill an ellipse around (down, across) with the half axes tall and wide."""
    rows, columns = np.mgrid[:SIDE, :_AXIS] + 0.5
    half[((rows - down) / tall) ** 2 + ((columns - across) / wide) ** 2 <= 1] = what


def _slime(half: np.ndarray, draw: random.Random) -> tuple[int, int]:
    """A drop on the ground."""
    wide, tall = draw.uniform(5.4, 6.9), draw.uniform(6, 9)
    _oval(half, 13, tall, wide, _BODY)
    half[13:] = _NOTHING
    half[13, _AXIS - int(wide) :] = _BODY
    if draw.random() < 0.6:  # a drip on top
        top = int(np.flatnonzero(half[:, -1])[0])
        half[max(1, top - draw.choice((1, 2))) : top + 1, -1] = _BODY
    if draw.random() < 0.5:
        _oval(half, 14, tall * 0.45, wide * 0.6, _ACCENT)
        half[14:] = _NOTHING
    return 9, 3


def _cat(half: np.ndarray, draw: random.Random) -> tuple[int, int]:
    """A round head with pointed ears or long ones, and a small body."""
    _oval(half, 12, 2.9, draw.uniform(3, 4.2), _BODY)  # the body
    half[14:, :] = _NOTHING
    half[14, _AXIS - 3 : _AXIS - 1] = _BODY  # a foot
    wide = draw.uniform(5.2, 6.4)
    _oval(half, 7.2, 4, wide, _BODY)
    left = _AXIS - int(wide)
    if draw.random() < 0.6:
        half[2:6, left] = half[3:6, left + 1] = half[4:6, left + 2] = _BODY
        half[4, left + 1] = _ACCENT
    else:
        half[1:5, left + 2 : left + 4] = _BODY
        half[2:5, left + 3] = _ACCENT
    _oval(half, 12.4, 1.9, 2, _ACCENT)  # the belly
    return 7, 3


def _ghost(half: np.ndarray, draw: random.Random) -> tuple[int, int]:
    """A dome with a ragged hem."""
    wide = draw.choice((5, 6))
    _oval(half, 7.5, 6.2, wide + 0.3, _BODY)
    half[7:13, _AXIS - wide :] = _BODY
    hem = draw.choice((0, 1))
    half[13, _AXIS - wide :: 2] = _BODY
    half[13 + hem, _AXIS - wide] = _BODY
    half[13 + hem, -1] = _BODY
    if draw.random() < 0.5:  # arms
        half[9, _AXIS - wide - 1] = _BODY
    return 6, 3


def _beetle(half: np.ndarray, draw: random.Random) -> tuple[int, int]:
    """An oval with feelers, legs and wing cases."""
    wide = draw.uniform(4.6, 5.8)
    _oval(half, 10.2, 4.6, wide, _BODY)
    for row in (8, 10, 12):
        half[row, 1 : _AXIS - 3] = np.where(half[row, 1 : _AXIS - 3] == 0, _DARK, half[row, 1 : _AXIS - 3])
        half[row, : int(_AXIS - wide)] = _NOTHING
        half[row, max(1, int(_AXIS - wide) - 1)] = _DARK
    _oval(half, 11.4, 3, wide - 1.3, _ACCENT)
    half[8:, -1] = np.where(half[8:, -1] == _ACCENT, _BODY, half[8:, -1])  # where the wing cases meet
    _oval(half, 6.2, 2.9, draw.uniform(3.4, 4.2), _BODY)  # the head
    tip = draw.choice((3, 4, 5))
    half[2:4, _AXIS - 3] = _DARK
    half[1, _AXIS - tip] = _ACCENT
    return 6, 2


def _robot(half: np.ndarray, draw: random.Random) -> tuple[int, int]:
    """A box with an aerial, on feet or wheels."""
    wide = draw.choice((4, 5))
    half[4:10, _AXIS - wide :] = _BODY  # the head
    half[10:13, _AXIS - wide + 1 :] = _BODY
    half[11, -2:] = _ACCENT
    half[13:15, _AXIS - 3 : _AXIS - 1] = _ACCENT if draw.random() < 0.5 else _BODY
    if draw.random() < 0.5:
        half[2:4, -1] = _DARK
        half[1, -1] = _ACCENT
    else:
        half[2:4, _AXIS - 3] = _ACCENT
    if draw.random() < 0.6:  # ears
        half[6:8, _AXIS - wide - 1] = _ACCENT
    half[10:12, _AXIS - wide] = _ACCENT  # arms
    return 6, draw.choice((2, 3))


def _bird(half: np.ndarray, draw: random.Random) -> tuple[int, int]:
    """A round body with a beak, wings and feet."""
    wide = draw.uniform(4.6, 5.6)
    _oval(half, 8.3, 5.2, wide, _BODY)
    wing = draw.choice((7, 9))
    half[wing : wing + 3, _AXIS - int(wide) - 1] = _SHADE
    half[wing + 1 : wing + 3, _AXIS - int(wide) - 2 + (wing == 9)] = _SHADE
    _oval(half, 11, 2.4, wide - 2, _WHITE)
    half[8:10, -1] = _ACCENT  # the beak
    half[9, -2] = _ACCENT if draw.random() < 0.5 else half[9, -2]
    half[14, _AXIS - 3 : _AXIS - 1] = _ACCENT
    half[13, _AXIS - 3] = _ACCENT
    if draw.random() < 0.6:  # a tuft
        half[1:4, -1] = _BODY
        half[2, -2] = _BODY
    return 6, 3


def _toadstool(half: np.ndarray, draw: random.Random) -> tuple[int, int]:
    """A cap with spots over a face."""
    half[9:14, _AXIS - draw.choice((3, 4)) :] = _WHITE
    wide = draw.uniform(5.8, 6.9)
    _oval(half, 9, draw.uniform(5.8, 7.4), wide, _BODY)
    half[9:, : _AXIS - 4] = _NOTHING
    half[9:14, _AXIS - 4 :] = _WHITE
    half[13, _AXIS - 4] = _NOTHING
    half[14:] = _NOTHING
    _oval(half, 4.5, 1.3, 1.3, _ACCENT, draw.choice((_AXIS, _AXIS - 1)))
    _oval(half, 7, 1.3, 1.3, _ACCENT, _AXIS - draw.choice((4, 5)) + 0.5)
    return 10, 2


def _octopus(half: np.ndarray, draw: random.Random) -> tuple[int, int]:
    """A big head over curling arms."""
    wide = draw.uniform(5, 6)
    _oval(half, 6, 4.7, wide, _BODY)
    half[9:12, _AXIS - int(wide) + 1 :] = _BODY
    half[11:14, _AXIS - 5] = half[12:14, _AXIS - 3] = half[12:15, -1] = _BODY
    half[13, 1:3] = _BODY
    half[12 - draw.choice((0, 1)), 1] = _BODY
    half[14, _AXIS - 4] = _BODY
    half[12:15, _AXIS - 2] = _NOTHING
    if draw.random() < 0.5:
        _oval(half, 3, 1.2, 2.2, _ACCENT)
    return 7, 3


# What each draws: fills the left half (16, 8), and says in which row the eyes are and how far from the middle.
KINDS: dict[str, Callable[[np.ndarray, random.Random], tuple[int, int]]] = {
    "beetle": _beetle,
    "bird": _bird,
    "cat": _cat,
    "ghost": _ghost,
    "octopus": _octopus,
    "robot": _robot,
    "slime": _slime,
    "toadstool": _toadstool,
}


def _spots(half: np.ndarray, draw: random.Random) -> None:
    """A few spots of the accent's colour on the body."""
    for _ in range(draw.choice((2, 3, 4))):
        row, column = draw.randrange(2, 14), draw.randrange(1, _AXIS)
        if half[row, column] == _BODY:
            half[row, column] = _ACCENT


def _shade(half: np.ndarray) -> None:
    """The lower rim of the body, and its outer one below the middle, lie in the shade."""
    body = half == _BODY
    filled = np.pad(half > 0, ((0, 1), (1, 0)))
    below, beside = filled[1:, 1:], filled[:-1, :-1]
    low = np.arange(SIDE)[:, None] >= SIDE // 2
    half[body & (~below | (~beside & low))] = _SHADE


def _face(half: np.ndarray, draw: random.Random, row: int, wide: int) -> None:
    """Eyes and mouth."""
    column = _AXIS - wide
    style = draw.choice(("round", "round", "tall", "dots", "sleepy"))
    if style == "round":
        half[row : row + 2, column : column + 2] = _WHITE
        half[row + draw.choice((0, 1)) : row + 2, column + 1] = _DARK
    elif style == "tall":
        half[row - 1 : row + 2, column] = _DARK
        half[row - 1, column] = _WHITE
    elif style == "dots":
        half[row : row + 2, column] = _DARK
        if half[row + 2, column - 1] in (_BODY, _SHADE, _WHITE):
            half[row + 2, column - 1] = _ACCENT  # a cheek
    else:
        half[row + 1, column : column + 2] = _DARK
        half[row, column] = _DARK
    if half[row + 2, -1] == _ACCENT:  # there is a beak
        return
    mouth = draw.choice(("smile", "open", "none", "teeth"))
    if mouth == "smile":
        half[row + 3 if half[row + 4, -1] else row + 2, -1] = _DARK
    elif mouth == "open":
        half[row + 2, -1] = _DARK
    elif mouth == "teeth" and half[row + 4, -1]:
        half[row + 2, -2:] = _DARK
        half[row + 3, -2] = _WHITE
