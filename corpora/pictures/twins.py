"""Near-duplicate pictures: small copies of pictures are compared, mirrored, turned and moved ones too.

A pair's distance is the part of the drawing that differs: the sum over cells of the largest difference of a channel,
over the cells that either picture covers with something other than its most frequent colour. 0 is the same picture, 1
nothing in common. Sets grow from the nearest pairs on, and stay small.

Memory: 2.5 KB for each picture. Time: 16 seconds of one core for 100,000 pictures of 16x16.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache

import numpy as np

from corpora.errors import counted
from corpora.near import kept

CELLS = 16  # of a small copy, on each side
TIGHT, LOOSE = 0.05, 0.15  # pairs of at most this distance always are near-duplicates; those of more never are
MOST = 200_000  # pictures; more are not compared
_COARSE = 8  # cells of the copies that candidates are chosen by
_NEIGHBOURS = 6  # candidates of each picture
_AXES = 12  # numbers that candidates are chosen by
_AT_ONCE = 1024  # pairs
_LEAST = 16 / 256  # of the cells: a smaller drawing counts as so large
_SMALL_CAP = 8  # pictures in a set, of a corpus too small for a quarter of a split


class Twins:
    """Gathers small copies of the pictures of a build, and finds the sets of near-duplicates among them."""

    def __init__(self) -> None:
        self._copies: dict[str, list[bytes]] = {}
        self._centred: dict[str, list[bytes]] = {}
        self._shape = (0, 0)
        self.count = 0
        self.together = self.sets = self.apart = 0  # pictures in sets of several, those sets, pairs of sets too large

    def add(self, name: str, pixels: np.ndarray) -> None:
        """Take in a picture, (H, W, 4) uint8, of the input `name`; all have one size."""
        self.count += 1
        copies, centred = self._copies.setdefault(name, []), self._centred.setdefault(name, [])
        if self.count > MOST:
            self._copies.clear()
            self._centred.clear()
            return
        whole, drawing = _drawn(pixels)
        self._shape = tuple(min(CELLS, side) for side in pixels.shape[:2])
        copies.append(_small(whole))
        centred.append(copies[-1] if drawing is None else _small(drawing))

    def find(self, share: float) -> Mapping[str, np.ndarray] | None:
        """The set that each picture is of, (n,) int64 by input; None if there are too many pictures, or one.

        `share`: that of the smallest split, a quarter of which a set may fill.
        """
        if not 1 < self.count <= MOST:
            return None
        copies = self._array(self._copies)
        _, first, names = np.unique(copies.reshape(self.count, -1), axis=0, return_index=True, return_inverse=True)
        pairs = [_pairs(copies[first])]
        centred = self._array(self._centred)[first]
        if (centred != copies[first]).any():
            pairs.append(_pairs(centred))
        one, other, far = (np.concatenate(column) for column in zip(*pairs, strict=True))
        sizes = np.bincount(names)
        cap = max(2, min(_SMALL_CAP, self.count // 20), int(share * self.count / 4))
        sets = self._grown(one, other, far, sizes, cap)[names]
        self._count(sets, names)
        ends = np.cumsum([len(some) for some in self._copies.values()])
        return dict(zip(self._copies, np.split(sets, ends[:-1]), strict=True))

    def notes(self, units: str) -> list[str]:
        """Lines on the sets."""
        if self.count > MOST:
            return [f"{self.count:,} {units} are too many to look for near-duplicates (at most {MOST:,})"]
        notes = []
        if self.together:
            notes.append(
                f"{self.together:,} {units} are near-duplicates, mirrored and moved ones among them; {kept(self.sets)}"
            )
        if self.apart:
            pairs = counted(self.apart, "pair")
            notes.append(f"{pairs} of near-duplicates may be in different splits: their sets would be too large")
        return notes

    def _array(self, copies: Mapping[str, list[bytes]]) -> np.ndarray:
        every = b"".join(b"".join(some) for some in copies.values())
        return np.frombuffer(every, np.uint8).reshape(self.count, 5, *self._shape)

    def _grown(self, one: np.ndarray, other: np.ndarray, far: np.ndarray, sizes: np.ndarray, cap: int) -> np.ndarray:
        """Sets from pairs, the nearest first, of at most `cap` pictures: (n,) int64."""
        parent = np.arange(len(sizes)).tolist()
        held = sizes.tolist()

        def root(place: int) -> int:
            while parent[place] != place:
                parent[place] = parent[parent[place]]
                place = parent[place]
            return place

        for place in np.argsort(far, kind="stable").tolist():
            first, second = root(int(one[place])), root(int(other[place]))
            if first == second:
                continue
            if held[first] + held[second] > cap:
                self.apart += 1
                continue
            parent[max(first, second)] = min(first, second)
            held[min(first, second)] = held[first] + held[second]
        return np.array([root(place) for place in range(len(parent))])

    def _count(self, sets: np.ndarray, names: np.ndarray) -> None:
        """Count the pictures that are in a set with others that are not the same."""
        different = np.bincount(np.unique(np.stack([sets, names]), axis=1)[0], minlength=len(sets))
        held = np.bincount(sets, minlength=len(sets))
        self.sets, self.together = int((different > 1).sum()), int(held[different > 1].sum())


def _drawn(pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
    """A picture in five channels of 0 to 1, (H, W, 5): red, green, blue times alpha, alpha, and whether the pixel is
    not of the most frequent colour; and the same with the drawing in the middle, None where it fills the picture."""
    packed = np.ascontiguousarray(pixels).view(np.uint32)[..., 0]
    values, counts = np.unique(packed, return_counts=True)
    ground = values[np.argmax(counts)]
    drawing = packed != ground
    out = np.empty((*packed.shape, 5), np.float32)
    alpha = pixels[..., 3:] / np.float32(255)
    out[..., :3] = pixels[..., :3] * (alpha / 255)
    out[..., 3:4] = alpha
    out[..., 4] = drawing
    rows, columns = np.flatnonzero(drawing.any(1)), np.flatnonzero(drawing.any(0))
    if not len(rows):
        return out, None
    down = (packed.shape[0] - 1 - rows[-1] - rows[0]) // 2
    across = (packed.shape[1] - 1 - columns[-1] - columns[0]) // 2
    return out, np.roll(out, (down, across), (0, 1)) if down or across else None


@cache
def _means(size: int, cells: int) -> np.ndarray:
    """The weights of the mean of each of so many cells along a side of `size` pixels: (cells, size)."""
    edges = np.arange(cells + 1) * size / cells
    places = np.arange(size)
    inside = np.minimum(edges[1:, None], places + 1) - np.maximum(edges[:-1, None], places)
    return (inside.clip(0) * cells / size).astype(np.float32)


def _small(drawn: np.ndarray) -> bytes:
    """A picture (H, W, 5) as the means of at most 16x16 cells, a byte each: channel by channel."""
    height, width = drawn.shape[:2]
    if height > CELLS:
        drawn = np.tensordot(_means(height, CELLS), drawn, (1, 0))
    if width > CELLS:
        drawn = np.tensordot(_means(width, CELLS), drawn, (1, 1)).swapaxes(0, 1)
    return np.rint(drawn * 255).astype(np.uint8).transpose(2, 0, 1).tobytes()


def _coarse(copies: np.ndarray) -> np.ndarray:
    """Copies (N, 5, H, W) uint8 as the means of at most 8x8 cells, uint8."""
    _, channels, height, width = copies.shape
    tall, wide = min(_COARSE, height), min(_COARSE, width)
    down, across = _means(height, tall), _means(width, wide)
    out = np.empty((len(copies), channels, tall, wide), np.uint8)
    for start in range(0, len(copies), _AT_ONCE):
        part = copies[start : start + _AT_ONCE].astype(np.float32)
        out[start : start + _AT_ONCE] = np.rint(down @ (part @ across.T))
    return out


def _orbit(copies: np.ndarray) -> Iterator[np.ndarray]:
    """Pictures (N, C, H, W) as they are, mirrored and turned; by quarters too, if they are square."""
    for one in (copies, copies.swapaxes(2, 3)) if copies.shape[2] == copies.shape[3] else (copies,):
        yield from (one, one[..., ::-1], one[..., ::-1, :], one[..., ::-1, ::-1])


def _pairs(copies: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pairs of near-duplicates among different copies, (N, 5, H, W) uint8: one (P,), the other (P,), distances (P,)."""
    from scipy.spatial import cKDTree

    if len(copies) < 2:
        return np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0)
    coarse = _coarse(copies)
    # The mean over the orbit is the same for mirrored and turned pictures, and never further apart than they are.
    same = sum(_orbit(coarse), np.zeros(coarse.shape, np.float32)).reshape(len(copies), -1)
    centred = same - same.mean(0)
    axes = np.linalg.eigh(centred.T @ centred)[1][:, ::-1][:, :_AXES]
    points = centred @ axes
    near = cKDTree(points).query(points, k=min(_NEIGHBOURS + 1, len(copies)))[1][:, 1:]
    pairs = np.stack([np.repeat(np.arange(len(copies)), near.shape[1]), near.ravel()])
    pairs = np.unique(np.sort(pairs, 0), axis=1)
    pairs = pairs[:, pairs[0] != pairs[1]]
    areas = np.maximum(copies[:, 4].mean((1, 2)) / 255, _LEAST)
    low = _distances(coarse, areas, *pairs)  # but for rounding, never more than the distance
    pairs = pairs[:, low <= LOOSE + 0.02]
    far = _distances(copies, areas, *pairs)
    bar = _bar(far, pairs, len(copies))
    return pairs[0, far <= bar], pairs[1, far <= bar], far[far <= bar]


def _distances(copies: np.ndarray, areas: np.ndarray, one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """The distances of pairs (P,), over the mirrored and turned; `areas` (N,) of the drawings, as parts of all."""
    copies = copies[:, :4]
    out = np.empty(len(one))
    for start in range(0, len(one), _AT_ONCE):
        some, others = one[start : start + _AT_ONCE], other[start : start + _AT_ONCE]
        first, second = copies[some], copies[others]
        least = np.full(len(some), np.inf)
        for turned in _orbit(second):
            apart = np.maximum(first, turned)
            apart -= np.minimum(first, turned)
            least = np.minimum(least, apart.max(1).sum((1, 2), dtype=np.int64))
        out[start : start + _AT_ONCE] = least / 255 / first[0, 0].size / np.maximum(areas[some], areas[others])
    return out


def _bar(far: np.ndarray, pairs: np.ndarray, count: int) -> float:
    """The distance up to which pairs are near-duplicates: three quarters of what is usual between nearest ones."""
    nearest = np.full(count, LOOSE * 2)
    np.minimum.at(nearest, pairs[0], far)
    np.minimum.at(nearest, pairs[1], far)
    return float(np.clip(0.75 * np.median(nearest), TIGHT, LOOSE))
