"""Splits: train, valid and test, by the keys of items, so that nothing held out is in train as well."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from corpora.errors import InputError
from corpora.naming import named as named
from corpora.spool import SPLITS, Assign, Chunk, Spool

if TYPE_CHECKING:
    from corpora.modality import BuildConfig
_EXACT = 100_000  # up to so many rows the shares of the splits are met exactly


class Splits(NamedTuple):
    """The split of every item, and what was removed."""

    assign: dict[str, Assign]  # by the name of the spool
    present: list[str]  # the splits there are
    removed: dict[str, int]  # held-out items that are in another split too, by split
    repeated: int  # items that repeat another of their split, dropped
    notes: list[str] = []  # noqa: RUF012 (never changed)


def assign(spools: Mapping[str, Spool], config: BuildConfig, *, repeats: bool, unit: str) -> Splits:
    """Settle the split of every item of the inputs `train` and, where they are given, `valid` and `test`.

    With one input, items fall into the splits they name or, if none does, are split by their keys. `repeats`: items
    that are the same stay if they are in one split. Raises InputError where a split would be empty.
    """
    for name, spool in spools.items():
        if not spool.count:
            why = ", ".join(f"{count:,} {reason}" for reason, count in spool.dropped.items()) or "nothing was read"
            raise InputError(f"no usable {unit} for {name}: {why}")
    whole, several = spools["train"], len(spools) > 1
    removed = {name: 0 for name in spools if name != "train"}
    start = {name: _constant(SPLITS.index(name)) for name in spools}
    present = [name for name in SPLITS if name in spools]
    if whole.named:
        present, start["train"] = _named(whole, spools, unit)
        if "train" not in present:
            raise InputError(
                f"every {unit} that was read is held out ({' and '.join(present)}): add some for train, or raise limit"
            )
    elif not several:
        shares = {"train": 1.0, "valid": config.valid_share, "test": config.test_share}
        decide = by_hash(whole.count, whole.key_chunks, config.valid_share, config.test_share, unit)
        start = {"train": lambda chunk: decide(chunk.keys)}
        present = [name for name in SPLITS if shares[name] > 0]
    if config.keep_duplicates or (repeats and not several and not whole.named):
        return Splits(start, present, removed, 0)
    if repeats and several and not whole.named:
        return Splits(_without_leaks(spools, removed, unit), present, removed, 0)
    return _without_repeats(spools, start, present, removed, repeats, unit)


def _named(whole: Spool, spools: Mapping[str, Spool], unit: str) -> tuple[list[str], Assign]:
    """The splits there are where the items of `whole` name theirs, and the split of each; those that name none are
    of train. Raises InputError where one of them has an input of its own."""

    def places(chunk: Chunk) -> np.ndarray:
        return np.maximum(chunk.splits, 0)

    taken = {SPLITS[place] for chunk in whole.chunks(data=False) for place in np.unique(places(chunk)).tolist()}
    for name in SPLITS[1:]:
        if name in taken and name in spools:
            raise InputError(
                f"the input names {unit}s of {name}, and --{name} names others: leave out one of the two, or build "
                "from the files of train alone"
            )
    return [name for name in SPLITS if name in taken or name in spools], places


def _constant(place: int) -> Assign:
    return lambda chunk: np.full(len(chunk.numbers), place)


def _without_leaks(spools: Mapping[str, Spool], removed: dict[str, int], unit: str) -> dict[str, Assign]:
    """Remove held-out items whose key is in train, and those of valid whose key is in test; `removed` counts them.

    Keys are read chunk by chunk, those of one held-out split at a time in memory.
    """
    assigned = {"train": _constant(0)}
    for name in removed:
        own = np.unique(np.concatenate(list(spools[name].key_chunks())))
        seen = np.zeros(len(own), bool)
        others = [spools["train"], *([spools["test"]] if name == "valid" and "test" in spools else [])]
        for keys in (keys for other in others for keys in other.key_chunks()):
            place = np.minimum(np.searchsorted(own, keys), len(own) - 1)
            seen[place[own[place] == keys]] = True
        removed[name] = sum(int(np.isin(keys, own[seen]).sum()) for keys in spools[name].key_chunks())
        if removed[name] == spools[name].count:
            raise InputError(f"every {unit} of {name} is in train (or test) as well; keep_duplicates=true keeps them")
        assigned[name] = _but(own[seen], SPLITS.index(name))
    return assigned


def _but(keys: np.ndarray, place: int) -> Assign:
    return lambda chunk: np.where(np.isin(chunk.keys, keys), -1, place)


def _without_repeats(
    spools: Mapping[str, Spool],
    start: Mapping[str, Assign],
    present: list[str],
    removed: dict[str, int],
    repeats: bool,
    unit: str,
) -> Splits:
    """Keep the first item of each key alone (`repeats`: all of one split); train goes before test, test before valid.

    Memory: 9 bytes for each item.
    """
    keys = {name: np.concatenate(list(spool.key_chunks())) for name, spool in spools.items()}
    places = {
        name: np.concatenate([start[name](chunk) for chunk in spool.chunks(data=False)]).astype(np.int8)
        for name, spool in spools.items()
    }
    seen = np.zeros(0, np.uint64)
    repeated = 0
    for name in sorted(present, key=("train", "test", "valid").index):
        spool = name if name in spools else "train"
        numbers = np.flatnonzero(places[spool] == SPLITS.index(name))
        own = keys[spool][numbers]
        elsewhere = np.isin(own, seen)
        firsts = np.full(len(own), repeats)
        firsts[np.unique(own, return_index=True)[1]] = True
        repeated += int((~firsts & ~elsewhere).sum())
        if elsewhere.any():
            removed[name] = removed.get(name, 0) + int(elsewhere.sum())
        places[spool][numbers[~firsts | elsewhere]] = -1
        seen = np.concatenate([seen, own[firsts & ~elsewhere]])
        if not (firsts & ~elsewhere).any():
            if len(own):
                raise InputError(f"every {unit} of {name} is in another split; keep_duplicates=true keeps them")
            raise InputError(
                f"no {unit} fell into {name}: there are too few different ones; raise {name}_share, or set it to 0"
            )
    return Splits({name: _listed(one) for name, one in places.items()}, present, removed, repeated)


def _listed(places: np.ndarray) -> Assign:
    return lambda chunk: places[chunk.numbers]


def by_hash(
    count: int, hashes: Callable[[], Iterator[np.ndarray]], valid_share: float, test_share: float, unit: str = "row"
) -> Callable[[np.ndarray], np.ndarray]:
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
                f"only {len(keys)} usable {unit}{'s' * (len(keys) != 1)}, counting near-duplicates once: at least "
                f"{1 + sum(counts.values())} are needed for {needs}; add {unit}s, or set valid_share=0 test_share=0"
            )
        bounds = [int(keys[sum(list(counts.values())[: i + 1])]) for i in range(len(counts))]
    else:
        sums = [sum(list(wanted.values())[: i + 1]) for i in range(len(wanted))]
        bounds = [int(share * 2**64) for share in sums]
    edges = np.array(bounds, np.uint64)
    numbers = np.array([*map(SPLITS.index, wanted), 0])
    return lambda keys: numbers[np.searchsorted(edges, keys, side="right")]
