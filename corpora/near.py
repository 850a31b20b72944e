"""Sets of near-duplicates among the items of one input, by their keys; memory stays flat however many there are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Self

import numpy as np

from corpora.errors import counted
from corpora.spool import Spool

FEW = 20  # more different items than these under one key of near-duplicates are no near-duplicates: sums, dates
_AT_ONCE = 500_000  # items whose keys are in memory together
_SMALL = 50  # a set of fewer items is never large


@dataclass
class Near:
    """The near-duplicates of an input."""

    apart: np.ndarray  # (n,) uint64, sorted: keys of near-duplicates that more than FEW different items have
    large: np.ndarray  # (n,) uint64, sorted: sets of more than a share of all items
    large_items: int = 0  # items in those
    largest: int = 0  # items in the largest set
    sets: int = 0  # sets of items that are not the same to the letter
    together: int = 0  # items in those
    apart_items: int = 0  # items whose key of near-duplicates does not count

    @classmethod
    def of(cls, spool: Spool, *, large: float) -> Self:
        """Find the near-duplicates of a spool; `large`: a set of more than this share of its items is large."""
        near = cls(np.zeros(0, np.uint64), np.zeros(0, np.uint64))
        passes = -(-spool.count // _AT_ONCE)
        bounds = [place * 2**64 // passes for place in range(passes)] + [2**64 - 1]
        for low, high in pairwise(bounds):
            columns: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
            for chunk in spool.chunks(data=False):
                own = (chunk.near >= np.uint64(low)) & ((chunk.near < np.uint64(high)) | (high == bounds[-1]))
                columns.append((chunk.near[own], chunk.keys[own], chunk.exact[own]))
            keys_near, keys, exact = (np.concatenate(column) for column in zip(*columns, strict=True))
            near._count(keys_near, keys, exact, max(_SMALL, large * spool.count))
        near.apart.sort()
        near.large.sort()
        return near

    def _count(self, near: np.ndarray, keys: np.ndarray, exact: np.ndarray, large: float) -> None:
        """Count the sets of some items: all those of their keys of near-duplicates."""
        if not len(near):
            return
        order = np.lexsort((exact, keys, near))
        near, keys, exact = near[order], keys[order], exact[order]
        new_near = _starts(near)
        new_key = new_near | _starts(keys)
        new_exact = new_key | _starts(exact)
        place = np.cumsum(new_near) - 1
        many = np.bincount(place, new_key) > FEW
        self.apart = np.concatenate([self.apart, near[new_near][many]])
        self.apart_items += int(many[place].sum())
        new_set = new_near | (new_key & many[place])
        member = np.cumsum(new_set) - 1
        sizes, variants = np.bincount(member), np.bincount(member, new_exact)
        self.sets += int((variants > 1).sum())
        self.together += int(sizes[variants > 1].sum())
        self.largest = max(self.largest, int(sizes.max()))
        names = np.where(many[place], keys, near)[new_set]
        self.large = np.concatenate([self.large, names[sizes > large]])
        self.large_items += int(sizes[sizes > large].sum())

    def sets_of(self, keys: np.ndarray, near: np.ndarray) -> np.ndarray:
        """The set of each item, by its two keys: (n,) uint64."""
        return np.where(np.isin(near, self.apart), keys, near)

    def notes(self, units: str) -> list[str]:
        """Lines on what was held together, and what not."""
        notes = []
        if self.together:
            notes.append(
                f"{self.together:,} {units} differ from others in case, spaces, signs or digits alone; "
                f"{kept(self.sets)}"
            )
        if self.apart_items:
            notes.append(
                f"{self.apart_items:,} {units} differ from more than {FEW} others in digits or signs alone: these are "
                "taken as different"
            )
        return notes


def kept(sets: int) -> str:
    """The end of a note on sets of near-duplicates."""
    return f"of their {counted(sets, 'set')} each is kept in one split"


def _starts(column: np.ndarray) -> np.ndarray:
    """Where a value is not that before it, (n,) bool."""
    return np.concatenate([[True], column[1:] != column[:-1]])


def joined(sets: np.ndarray, columns: Sequence[np.ndarray]) -> np.ndarray:
    """Sets joined where items have a value of one of the columns in common, directly or by way of others: (n,) uint64.

    All arrays are (n,). The name of a joined set is the least of those in it.
    """
    places = [np.unique(column, return_inverse=True)[1] for column in (sets, *columns)]
    names = sets.copy()
    while True:
        before = names
        for place in places:
            least = np.full(int(place.max()) + 1, np.iinfo(np.uint64).max, np.uint64)
            np.minimum.at(least, place, names)
            names = least[place]
        if np.array_equal(names, before):
            return names
