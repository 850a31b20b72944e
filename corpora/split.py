"""Which split a row belongs to, by the hash of what makes it different: text and pictures alike."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from corpora.errors import InputError
from corpora.settings import require

SPLITS = ("train", "valid", "test")
_EXACT = 100_000  # up to so many rows the shares of the splits are met exactly

# Says of a chunk of keys (n,) which split each row belongs to: an index into SPLITS, or -1 for removed.
Assign = Callable[[np.ndarray], np.ndarray]


def check(valid_share: float, test_share: float, split_seed: int) -> None:
    """Raise InputError for settings of a split that cannot work."""
    require(0 <= valid_share < 1, "valid_share", valid_share, "a share from 0 to below 1")
    require(0 <= test_share < 1, "test_share", test_share, "a share from 0 to below 1")
    require(valid_share + test_share < 1, "test_share", test_share, "valid_share + test_share below 1")
    require(0 <= split_seed < 2**63, "split_seed", split_seed, "a whole number of 0 or more")


def by_hash(count: int, hashes: Callable[[], Iterator[np.ndarray]], valid_share: float, test_share: float) -> Assign:
    """Split `count` rows by the hashes of their keys (uint64, in chunks): equal keys fall into the same split.

    Raises InputError if there are too few different ones.
    """
    shares = {"test": test_share, "valid": valid_share}
    wanted = {name: share for name, share in shares.items() if share > 0}
    if count <= _EXACT:
        keys = np.unique(np.concatenate(list(hashes())))
        counts = {name: max(1, round(share * len(keys))) for name, share in wanted.items()}
        if len(keys) <= sum(counts.values()):
            needs = " and ".join(["train", *wanted])
            raise InputError(
                f"only {len(keys)} usable row{'s' * (len(keys) != 1)}, counting near-duplicates once: at least "
                f"{1 + sum(counts.values())} are needed for {needs}; add rows, or set valid_share=0 test_share=0"
            )
        bounds = [int(keys[sum(list(counts.values())[: i + 1])]) for i in range(len(counts))]
    else:
        sums = [sum(list(wanted.values())[: i + 1]) for i in range(len(wanted))]
        bounds = [int(share * 2**64) for share in sums]
    edges = np.array(bounds, np.uint64)
    numbers = np.array([*map(SPLITS.index, wanted), 0])
    return lambda keys: numbers[np.searchsorted(edges, keys, side="right")]
