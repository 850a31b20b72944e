"""Palettes: a picture as a row of colour tokens line by line, and back; centres from the colours of pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, Self

import numpy as np

from corpora.codec import Codec, notes, value
from corpora.errors import InputError, choose, quoted
from corpora.pictures import palettes
from corpora.pictures.colour import lab_of, nearest, on_white, pack, rgb_of, unpack
from corpora.pictures.palettes import LARGEST

LONGEST_SIDE = 1024  # of a picture, in pixels
ORDERS = {"down": "top", "up": "bottom", "right": "left", "left": "right"}  # of pixels: the side that comes first
EXACT = 256  # up to so many colours are kept as they are, where no number is asked for
SIZES = (16, 32, 48, 64, 96, 128, 192, 256)  # of which the smallest that will do is taken, where none is asked for
_CELLS = 50_000  # points that are clustered at most
OPAQUE = 128  # of 255: the least alpha that is not transparent
_TRANSPARENT = (0, 0, 0, 0)


class Palette(Codec):
    """Pictures of one size <-> a token for each pixel: the number of its colour. There are no special tokens.

    `order` is the way in which pixels follow each other: `down`, rows from the top, or `up`, from the bottom, each from
    left to right; `right`, columns from the left, or `left`, from the right, each from top to bottom. `colours` are
    (red, green, blue, alpha) of 0 to 255, all different. The transparent colour (0, 0, 0, 0) is token 0 where there is
    one; others may be half transparent (`levels`: whether some are).
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
            if alpha == 0 and (token or (red, green, blue, alpha) != _TRANSPARENT):
                raise InputError(
                    f"colour {token} of the palette is transparent: only colour 0 may be, and is then "
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
        self.levels = bool(((self._table[:, 3] > 0) & (self._table[:, 3] < 255)).any())
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
        """CIE L*a*b* of the colours: (V, 3) float64. Transparent ones count as they look on white."""
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
        transparent where the palette has that colour; where it has not, pixels are laid on white first. Where the
        palette has half-transparent colours, a pixel gets the one that looks most like it, on white and on black.
        """
        pixels = np.asarray(pixels)
        if pixels.dtype != np.uint8 or pixels.ndim != 4 or pixels.shape[1:] != (self.height, self.width, 4):
            raise InputError(
                f"pictures of shape {pixels.shape[1:]}, {pixels.dtype}: this palette is for "
                f"({self.height}, {self.width}, 4), uint8"
            )
        flat = pixels.reshape(-1, 4)
        if self.levels:
            colours, places = np.unique(pack_alpha(flat), return_inverse=True)
            alike = nearest(_looks(unpack_alpha(colours)), _looks(self._table))
            return self.scan(alike[places].reshape(pixels.shape[:3]))
        clear = flat[:, 3] < OPAQUE if self.transparent else np.zeros(len(flat), bool)
        colours, places = np.unique(pack(flat if self.transparent else on_white(flat)), return_inverse=True)
        tokens = self.nearest(unpack(colours))[places]
        tokens[clear] = 0
        return self.scan(tokens.reshape(pixels.shape[:3]))

    def encode(self, thing: np.ndarray) -> list[int]:
        """Tokens of one picture: (H, W, 4) uint8 -> H * W numbers. As `encode_many`."""
        return self.encode_many(np.asarray(thing)[None])[0].tolist()

    def nearest(self, rgb: np.ndarray) -> np.ndarray:
        """The opaque colour nearest to each of some: (N, 3) uint8 -> tokens (N,) int64; of those of a palette without
        opaque ones the colour that looks so on white."""
        opaque = np.flatnonzero(self._table[:, 3] == 255)
        opaque = opaque if len(opaque) else np.arange(self.vocab_size)
        return opaque[nearest(lab_of(rgb), self.lab[opaque])]

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


def pack_alpha(rgba: np.ndarray) -> np.ndarray:
    """Colours with alpha as numbers: (N, 4) uint8 -> (N,) uint32. Wholly transparent ones are 0."""
    return np.where(rgba[:, 3] > 0, pack(rgba) | rgba[:, 3].astype(np.uint32) << 24, np.uint32(0))


def unpack_alpha(numbers: np.ndarray) -> np.ndarray:
    """The inverse of `pack_alpha`: (N,) uint32 -> (N, 4) uint8."""
    return np.concatenate([unpack(numbers), (numbers >> 24).astype(np.uint8)[:, None]], 1)


def _looks(rgba: np.ndarray) -> np.ndarray:
    """Colours with alpha as they look on white and on black, CIE L*a*b* of both: (N, 4) uint8 -> (N, 6). Their
    distance is Delta E for opaque ones, and 0 between transparent ones."""
    on_black = np.rint(rgba[:, :3] * (rgba[:, 3:] / 255))
    return np.concatenate([lab_of(on_white(rgba)[:, :3]), lab_of(on_black)], 1) / np.sqrt(2)


def distortion(palette: Palette, colours: np.ndarray, counts: np.ndarray) -> Distortion:
    """The distance of a palette from colours (N, 3) or (N, 4) uint8 that occur `counts` (N,) times, none of them wholly
    transparent; half-transparent ones, in so far as the palette has such, as they look on white."""
    rgba = _with_alpha(colours)
    if not palette.levels:
        rgb = rgba[:, :3]
        return _distortion(rgb, lab_of(rgb), counts, np.array(palette.colours)[palette.nearest(rgb), :3])
    table = np.array(palette.colours, np.uint8)
    shown = on_white(table[nearest(_looks(rgba), _looks(table))])[:, :3]
    rgb = on_white(rgba)[:, :3]
    return _distortion(rgb, lab_of(rgb), counts, shown)


def _with_alpha(colours: np.ndarray) -> np.ndarray:
    """(N, 3) or (N, 4) uint8 -> (N, 4), opaque where nothing else is said."""
    return np.pad(colours, ((0, 0), (0, 4 - colours.shape[1])), constant_values=255)


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
    """The palette for different colours that occur `counts` (N,) times in pictures of height x width.

    Colours are (N, 3) uint8, or (N, 4) with half-transparent ones among them. They are kept as they are if there are no
    more than `colours` (the transparent one, if wanted, included), or than 256 where no number is given. Otherwise they
    are clustered by k-means, weighted by their counts, in CIE L*a*b*; the colour of a cluster is its weighted mean;
    half-transparent ones are clustered apart, by their alpha as well, into a quarter of the palette at most. Where no
    number is given, the smallest of `SIZES` is taken with which 95 % of pixels change by `delta_e` (CIE76) at most.
    The same colours give the same palette. Tokens are in the order of how often they occur. Raises InputError if there
    are fewer than two colours.
    """
    rgba = _with_alpha(rgb)
    order = np.lexsort((rgba[:, 3], pack(rgba), -counts))  # by count; equal ones by their value
    rgba, counts = rgba[order], counts[order]
    extra = [_TRANSPARENT] if transparent else []
    if len(rgba) + len(extra) < 2:
        raise InputError("all pixels have one colour: a palette needs at least two")
    if colours is not None and colours - len(extra) < 1:
        raise InputError(f"colours={colours}: with the transparent one there should be at least 2")
    if len(rgba) + len(extra) <= (colours or EXACT):
        exact = [*extra, *(tuple(map(int, one)) for one in rgba)]
        return Palette(exact, height, width, notes=[f"{len(exact):,} colours, as they are in the pictures"])
    chosen, far = _fewer(rgba, counts, colours, delta_e, len(extra))
    note = f"{len(extra) + len(chosen):,} colours for the {len(rgba):,} of the pictures: {far}"
    if colours is None and far.most > delta_e:
        note += f"; more than delta_e={delta_e:g}, which asks for more colours (colours=N)"
    return Palette([*extra, *chosen.tolist()], height, width, notes=[note])


def _fewer(
    rgba: np.ndarray, counts: np.ndarray, colours: int | None, delta_e: float, taken: int
) -> tuple[np.ndarray, Distortion]:
    """Fewer colours (K, 4) for those of pictures (N, 4), the most used ones first, and their distance;
    `taken`: places of the palette that are not theirs."""
    half = rgba[:, 3] < 255
    parts = [(rgba[~half], counts[~half])] + ([(rgba[half], counts[half])] if half.any() else [])
    cells = [_cells(some, _points(some), own) for some, own in parts]
    shown = on_white(rgba)[:, :3] if half.any() else rgba[:, :3]
    lab = lab_of(shown)
    looks = _looks(rgba) if half.any() else lab
    for size in SIZES if colours is None else [colours]:
        room = size - taken
        shares = [room] if len(parts) == 1 else _shares(room, [len(some) for some, _ in parts])
        each = [_clustered(*cell, share) for cell, share in zip(cells, shares, strict=True) if share]
        centres = np.concatenate([_with_alpha(one) for one in each])
        tokens = nearest(looks, _looks(centres) if half.any() else lab_of(centres[:, :3]))
        flat = on_white(centres)[:, :3] if half.any() else centres[:, :3]
        far = _distortion(shown, lab, counts, flat[tokens])
        if far.most <= delta_e:
            break
    used = np.bincount(tokens, counts, len(centres))
    order = np.lexsort((centres[:, 3], pack(centres), -used))
    return centres[[i for i in order if used[i]]], far


def _points(rgba: np.ndarray) -> np.ndarray:
    """Colours as points to be clustered: CIE L*a*b*, and of half-transparent ones alpha as well, of 0 to 100."""
    lab = lab_of(rgba[:, :3])
    return lab if (rgba[:, 3] == 255).all() else np.concatenate([lab, rgba[:, 3:] / 2.55], 1)


def _shares(room: int, counts: Sequence[int]) -> list[int]:
    """Places of a palette for opaque and for half-transparent colours: a quarter for the latter at most, if others need
    the rest."""
    opaque, half = counts
    few = min(half, max(1, room // 4, room - opaque))
    return [min(opaque, room - few), few]


def read_palette(path: Path) -> list[tuple[int, int, int]]:
    """The colours of a palette file in their order, as `corpora.pictures.palettes.read` has them, without alpha."""
    return [(red, green, blue) for red, green, blue, _ in palettes.read(path).colours]


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


def _cells(rgba: np.ndarray, points: np.ndarray, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Points (P, 3 or 4) to be clustered and their weights: the colours, or means of small cubes of them if they are
    many."""
    for bits in range(8):
        coarse = rgba >> bits
        coarse[:, 3] = coarse[:, 3].clip(1)
        numbers, cell = np.unique(pack_alpha(coarse), return_inverse=True)
        if len(numbers) <= _CELLS:
            break
    weights = np.bincount(cell, counts)
    means = np.stack([np.bincount(cell, counts * points[:, i]) / weights for i in range(points.shape[1])], -1)
    return means, weights


def _clustered(points: np.ndarray, weights: np.ndarray, count: int) -> np.ndarray:
    """The colours of `count` clusters at most: (K, 3) uint8, each once; of points with alpha (K, 4)."""
    from sklearn.cluster import KMeans
    from threadpoolctl import threadpool_limits

    if len(points) > count:
        # One thread: several would add up in an order of their own, and the last digits could move a colour.
        with threadpool_limits(1):
            fitted = KMeans(count, n_init=3, random_state=0).fit(points, sample_weight=weights)
        total = np.bincount(fitted.labels_, weights, count)
        kept = total > 0
        axes = range(points.shape[1])
        sums = [np.bincount(fitted.labels_, weights * points[:, i], count)[kept] / total[kept] for i in axes]
        points = np.stack(sums, -1)
    if points.shape[1] == 3:
        return unpack(np.unique(pack(rgb_of(points))))
    alpha = np.rint(points[:, 3:] * 2.55).clip(1, 254).astype(np.uint8)
    return unpack_alpha(np.unique(pack_alpha(np.concatenate([rgb_of(points[:, :3]), alpha], 1))))
