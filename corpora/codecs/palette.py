"""Palettes: a picture as a row of colour tokens line by line, and back; centres from the colours of pictures."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, Self

import numpy as np

from corpora import files
from corpora.codec import Codec, notes, value
from corpora.colour import lab_of, nearest, on_white, pack, rgb_of, unpack
from corpora.errors import InputError, choose, quoted

LARGEST = 4096  # colours of a palette
LONGEST_SIDE = 1024  # of a picture, in pixels
ORDERS = {"down": "top", "up": "bottom", "right": "left", "left": "right"}  # of pixels: the side that comes first
EXACT = 256  # up to so many colours are kept as they are, where no number is asked for
SIZES = (16, 32, 48, 64, 96, 128, 192, 256)  # of which the smallest that will do is taken, where none is asked for
_CELLS = 50_000  # points that are clustered at most
_OPAQUE = 128  # of 255: the least alpha that is not transparent
_TRANSPARENT = (0, 0, 0, 0)


class Palette(Codec):
    """Pictures of one size <-> a token for each pixel: the number of its colour. There are no special tokens.

    `order` is the way in which pixels follow each other: `down`, rows from the top, or `up`, from the bottom, each from
    left to right; `right`, columns from the left, or `left`, from the right, each from top to bottom. `colours` are
    (red, green, blue, alpha) of 0 to 255, all different. Alpha is 255, but for the transparent colour (0, 0, 0, 0),
    which is token 0 where there is one.
    """

    name = "palette"
    modality = "picture"
    things = "pictures"
    pad: ClassVar[None] = None
    stop: ClassVar[None] = None
    blank: ClassVar[None] = None

    def __init__(
        self,
        colours: Sequence[Sequence[int]],
        height: int,
        width: int,
        *,
        order: str = "down",
        notes: Sequence[str] = (),
    ) -> None:
        self.height, self.width, self.order = height, width, choose("order", order, ORDERS)
        for side in (height, width):
            if not 1 <= side <= LONGEST_SIDE:
                raise InputError(f"a picture of {height}x{width} pixels: each side should have 1 to {LONGEST_SIDE:,}")
        if not 2 <= len(colours) <= LARGEST:
            raise InputError(f"a palette of {len(colours):,} colours: expected between 2 and {LARGEST:,}")
        self.colours: list[tuple[int, int, int, int]] = []
        for token, colour in enumerate(colours):
            if len(colour) != 4 or not all(0 <= part <= 255 for part in colour):
                raise InputError(f"colour {token} of the palette is {quoted(colour, 60)}: expected 4 numbers, 0 to 255")
            red, green, blue, alpha = map(int, colour)
            if alpha != 255 and (token or (red, green, blue, alpha) != _TRANSPARENT):
                raise InputError(
                    f"colour {token} of the palette is not opaque: only colour 0 may be transparent, and is then "
                    f"{list(_TRANSPARENT)}"
                )
            self.colours.append((red, green, blue, alpha))
        seen: dict[tuple[int, int, int, int], int] = {}
        for token, entry in enumerate(self.colours):
            if seen.setdefault(entry, token) != token:
                raise InputError(f"colours {seen[entry]} and {token} of the palette are the same: {list(entry)}")
        self.vocab_size = len(self.colours)
        self.transparent = self.colours[0] == _TRANSPARENT
        self.notes = list(notes)
        self._table = np.array(self.colours, np.uint8)
        raster = np.arange(height * width).reshape(height, width)
        lines = {"down": raster, "up": raster[::-1], "right": raster.T, "left": raster.T[::-1]}[self.order]
        self.lines: tuple[int, int] = (len(lines), lines.shape[1])  # how many rows or columns, and pixels in each
        self._pixels = lines.reshape(-1)  # (L,), the place in raster order of each token's pixel
        self._places = np.argsort(self._pixels)  # (L,), the inverse

    @classmethod
    def _from_dict(cls, data: Mapping[str, Any]) -> Self:
        colours = value(data, "colours", list)
        if not all(isinstance(one, list) and len(one) == 4 and all(type(n) is int for n in one) for one in colours):
            raise InputError("the codec's 'colours' should be a list of colours, each a list of 4 whole numbers")
        order = value(data, "order", str) if "order" in data else "down"
        return cls(colours, value(data, "height", int), value(data, "width", int), order=order, notes=notes(data))

    def to_dict(self) -> dict[str, Any]:
        return {
            "codec": self.name,
            "vocab_size": self.vocab_size,
            "height": self.height,
            "width": self.width,
            **({} if self.order == "down" else {"order": self.order}),  # old corpora keep their fingerprints
            "colours": [list(colour) for colour in self.colours],
            "notes": list(self.notes),
        }

    @property
    def shape(self) -> tuple[int, int]:
        """Rows or columns of a picture in the order of its tokens, and pixels in each."""
        return self.lines

    @property
    def lab(self) -> np.ndarray:
        """CIE L*a*b* of the colours: (V, 3) float64. The transparent one counts as white, on which it is shown."""
        return lab_of(on_white(self._table)[:, :3])

    def alike(self, most: int) -> np.ndarray:
        """Groups of colours that a person takes for one: the number of each colour's group, (V,) int64, from 0.

        Two are of one group if a chain of colours leads from one to the other in which red, green and blue each change
        by at most `most` from one to the next (single linkage). A transparent colour stands alone.
        """
        table = self._table.astype(np.int64)
        table[:, 3] *= 1000  # opaque and transparent are never near
        near = np.logical_and.reduce([np.abs(part[:, None] - part) <= most for part in table.T])
        groups = np.arange(self.vocab_size)
        while True:
            least = np.where(near, groups, self.vocab_size).min(1)  # the least number next to each, until none changes
            if (least == groups).all():
                return np.unique(groups, return_inverse=True)[1]
            groups = least

    def scan(self, values: np.ndarray) -> np.ndarray:
        """Values of pixels in the order of tokens: (..., H, W) -> (..., H * W)."""
        return values.reshape(*values.shape[:-2], -1)[..., self._pixels]

    def unscan(self, values: np.ndarray) -> np.ndarray:
        """The inverse of `scan`: (..., H * W) -> (..., H, W)."""
        return values[..., self._places].reshape(*values.shape[:-1], self.height, self.width)

    def encode_many(self, pixels: np.ndarray) -> np.ndarray:
        """Tokens of pictures in their order: (N, H, W, 4) uint8 -> (N, H * W) int64.

        A pixel gets the colour nearest in CIE L*a*b* (of equally near ones the first). With an alpha below 128 it is
        transparent where the palette has that colour; where it has not, pixels are laid on white first.
        """
        pixels = np.asarray(pixels)
        if pixels.dtype != np.uint8 or pixels.ndim != 4 or pixels.shape[1:] != (self.height, self.width, 4):
            raise InputError(
                f"pictures of shape {pixels.shape[1:]}, {pixels.dtype}: this palette is for "
                f"({self.height}, {self.width}, 4), uint8"
            )
        flat = pixels.reshape(-1, 4)
        clear = flat[:, 3] < _OPAQUE if self.transparent else np.zeros(len(flat), bool)
        colours, places = np.unique(pack(flat if self.transparent else on_white(flat)), return_inverse=True)
        tokens = self.nearest(unpack(colours))[places]
        tokens[clear] = 0
        return self.scan(tokens.reshape(pixels.shape[:3]))

    def encode(self, thing: np.ndarray) -> list[int]:
        """Tokens of one picture: (H, W, 4) uint8 -> H * W numbers. As `encode_many`."""
        return self.encode_many(np.asarray(thing)[None])[0].tolist()

    def nearest(self, rgb: np.ndarray) -> np.ndarray:
        """The opaque colour nearest to each of some: (N, 3) uint8 -> tokens (N,) int64."""
        first = int(self.transparent)
        return first + nearest(lab_of(rgb), self.lab[first:])

    def decode(self, tokens: Sequence[int] | np.ndarray) -> np.ndarray:
        """The picture of a row of tokens: H * W numbers -> (H, W, 4) uint8.

        Raises InputError for a token outside the palette, or for more or fewer than H * W.
        """
        row = np.asarray(tokens, np.int64)
        if row.shape != (self.height * self.width,):
            raise InputError(
                f"{row.size:,} tokens: a picture of {self.height}x{self.width} has {self.height * self.width:,}"
            )
        outside = row[(row < 0) | (row >= self.vocab_size)]
        if len(outside):
            raise InputError(f"token {outside[0]} is outside the palette of {self.vocab_size:,} colours")
        return self._table[self.unscan(row)]


class Distortion(NamedTuple):
    """The distance of a palette from the opaque pixels of some pictures."""

    rmse: float  # root mean square over red, green and blue, 0 to 255
    mean: float  # Delta E (CIE76) of a pixel, mean
    most: float  # Delta E (CIE76) that 95 % of pixels do not pass

    def __str__(self) -> str:
        return (
            f"RMSE {self.rmse:.1f} (RGB, 0 to 255), Delta E (CIE76) mean {self.mean:.2f}, 95 % within {self.most:.1f}"
        )


def distortion(palette: Palette, rgb: np.ndarray, counts: np.ndarray) -> Distortion:
    """The distance of a palette from colours (N, 3) uint8 that occur `counts` (N,) times."""
    return _distortion(rgb, lab_of(rgb), counts, np.array(palette.colours)[palette.nearest(rgb), :3])


def build_palette(
    rgb: np.ndarray,
    counts: np.ndarray,
    height: int,
    width: int,
    *,
    colours: int | None = None,
    delta_e: float = 10.0,
    transparent: bool = False,
) -> Palette:
    """The palette for different colours (N, 3) uint8 that occur `counts` (N,) times in pictures of height x width.

    They are kept as they are if there are no more than `colours` (the transparent one, if wanted, included), or than
    256 where no number is given. Otherwise they are clustered by k-means, weighted by their counts, in CIE L*a*b*;
    the colour of a cluster is its weighted mean. Where no number is given, the smallest of `SIZES` is taken with which
    95 % of pixels change by a Delta E of at most `delta_e`. The same colours give the same palette. Tokens are in the
    order of how often they occur. Raises InputError if there are fewer than two colours.
    """
    order = np.lexsort((pack(rgb), -counts))  # by count; equal ones by their value
    rgb, counts = rgb[order], counts[order]
    extra = [_TRANSPARENT] if transparent else []
    if len(rgb) + len(extra) < 2:
        raise InputError("all pixels have one colour: a palette needs at least two")
    if colours is not None and colours - len(extra) < 1:
        raise InputError(f"colours={colours}: with the transparent one there should be at least 2")
    if len(rgb) + len(extra) <= (colours or EXACT):
        exact = [*extra, *((*map(int, one), 255) for one in rgb)]
        return Palette(exact, height, width, notes=[f"{len(exact):,} colours, as they are in the pictures"])
    lab = lab_of(rgb)
    points, weights = _cells(rgb, lab, counts)
    centres, far = rgb[:0], Distortion(0, 0, 0)
    for size in SIZES if colours is None else [colours]:
        centres = _clustered(points, weights, size - len(extra))
        far = _distortion(rgb, lab, counts, centres[nearest(lab, lab_of(centres))])
        if far.most <= delta_e:
            break
    tokens = nearest(lab, lab_of(centres))
    used = np.bincount(tokens, counts, len(centres))
    order = np.lexsort((pack(centres), -used))
    chosen = [*extra, *((*map(int, centres[i]), 255) for i in order if used[i])]
    note = f"{len(chosen):,} colours for the {len(rgb):,} of the pictures: {far}"
    if colours is None and far.most > delta_e:
        note += f"; more than delta_e={delta_e:g}, which asks for more colours (colours=N)"
    return Palette(chosen, height, width, notes=[note])


def read_palette(path: Path) -> list[tuple[int, int, int]]:
    """The colours of a palette file, a line `red green blue` of 0 to 255 for each token (a blank line ends nothing).

    Raises InputError naming the line that is wrong, or that holds a colour again.
    """
    where = files.quoted_path(path)
    try:
        lines = files.read_bytes(path, 1 << 20).decode("utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise InputError(
            f"{where}: byte {error.start}: not UTF-8, so not a palette of lines `red green blue`"
        ) from error
    colours: dict[tuple[int, int, int], int] = {}
    for number, line in enumerate(lines, 1):
        parts = re.split(r"[\s,;]+", line.strip())
        if parts == [""]:
            continue
        if len(parts) != 3 or not all(re.fullmatch(r"[0-9]{1,3}", part) and int(part) <= 255 for part in parts):
            raise InputError(
                f"{where}: line {number}: {quoted(line.strip(), 40)}: expected red, green and blue, each 0 to 255"
            )
        colour = (int(parts[0]), int(parts[1]), int(parts[2]))
        if colour in colours:
            raise InputError(f"{where}: line {number}: the same colour as line {colours[colour]}: take one out")
        colours[colour] = number
    if not 2 <= len(colours) <= LARGEST:
        raise InputError(f"{where}: {len(colours):,} colours: a palette has between 2 and {LARGEST:,}")
    return list(colours)


def _distortion(rgb: np.ndarray, lab: np.ndarray, counts: np.ndarray, shown: np.ndarray) -> Distortion:
    if not len(rgb):  # every pixel is transparent
        return Distortion(0, 0, 0)
    total = counts.sum()
    squares = ((rgb.astype(np.float64) - shown) ** 2).mean(1)
    apart = np.sqrt(((lab - lab_of(shown)) ** 2).sum(1))
    order = np.argsort(apart, kind="stable")
    place = np.searchsorted(np.cumsum(counts[order]), 0.95 * total)
    return Distortion(
        float(np.sqrt((squares * counts).sum() / total)),
        float((apart * counts).sum() / total),
        float(apart[order[min(place, len(order) - 1)]]),
    )


def _cells(rgb: np.ndarray, lab: np.ndarray, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Points (P, 3) in CIE L*a*b* and their weights: the colours, or means of small cubes of RGB if they are many."""
    for bits in range(8):
        numbers, cell = np.unique(pack(rgb >> bits), return_inverse=True)
        if len(numbers) <= _CELLS:
            break
    weights = np.bincount(cell, counts)
    means = np.stack([np.bincount(cell, counts * lab[:, i]) / weights for i in range(3)], -1)
    return means, weights


def _clustered(points: np.ndarray, weights: np.ndarray, count: int) -> np.ndarray:
    """The colours of `count` clusters at most: (K, 3) uint8, each once."""
    from sklearn.cluster import KMeans
    from threadpoolctl import threadpool_limits

    if len(points) > count:
        # One thread: several would add up in an order of their own, and the last digits could move a colour.
        with threadpool_limits(1):
            fitted = KMeans(count, n_init=3, random_state=0).fit(points, sample_weight=weights)
        total = np.bincount(fitted.labels_, weights, count)
        kept = total > 0
        sums = [np.bincount(fitted.labels_, weights * points[:, i], count)[kept] / total[kept] for i in range(3)]
        points = np.stack(sums, -1)
    return unpack(np.unique(pack(rgb_of(points))))
