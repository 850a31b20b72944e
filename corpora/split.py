"""Splits: train, valid and test, by the keys of items, so that nothing held out is in train as well."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from corpora.errors import InputError, counted
from corpora.near import Near, joined
from corpora.spool import SPLITS, Assign, Chunk, Spool

if TYPE_CHECKING:
    from corpora.modality import BuildConfig
_EXACT = 100_000  # up to so many rows the shares of the splits are met exactly
_MIX = np.uint64(0x9E3779B97F4A7C15)
_MOST_MOVED = 100  # labels for which a set is moved to train
_MISSED = 0.1  # a share that is missed by more, as a part of itself, is told

Twins = Mapping[str, np.ndarray]  # of each spool, by its name: (n,) the set of near-duplicates that each item is of


@dataclass
class Splits:
    """The split of every item, and what was removed."""

    assign: dict[str, Assign]  # by the name of the spool
    present: list[str]  # the splits there are
    removed: dict[str, int]  # held-out items that are in another split too, by split
    nearly: dict[str, int] = field(default_factory=dict)  # those of them that are so but for case, spaces, punctuation
    repeated: int = 0  # items that repeat another of their split, dropped
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class _Task:
    """The inputs, `train` and perhaps `valid` and `test`, and how they are to be split."""

    spools: Mapping[str, Spool]
    config: BuildConfig
    repeats: bool
    unit: str
    twins: Twins | None

    @property
    def whole(self) -> Spool:
        return self.spools["train"]

    def count(self, number: int, what: str = "") -> str:
        """`1 usable row`, `2 rows`."""
        return counted(number, f"{what}{self.unit}")


def assign(
    spools: Mapping[str, Spool], config: BuildConfig, *, repeats: bool, unit: str, twins: Twins | None = None
) -> Splits:
    """Settle the split of every item of the inputs `train` and, where they are given, `valid` and `test`.

    With one input, items fall into the splits they name or, if none does, are split by their keys. `repeats`: items
    that are the same stay if they are in one split. `twins`: sets of near-duplicates beyond those of equal keys.
    Raises InputError where a split would be empty.
    """
    task = _Task(spools, config, repeats, unit, twins)
    for name, spool in spools.items():
        if not spool.count:
            why = ", ".join(f"{count:,} {reason}" for reason, count in spool.dropped.items()) or "nothing was read"
            raise InputError(f"no usable {unit} for {name}: {why}")
    by_share = len(spools) == 1 and not task.whole.named
    splits = _by_share(task) if by_share else _as_named(task)
    if not config.keep_duplicates and not (repeats and by_share):
        remove = _without_leaks if repeats and not task.whole.named else _without_repeats
        remove(task, splits)
    return splits


# ------------------------------------------------------------------------------------------------- named splits


def _as_named(task: _Task) -> Splits:
    """The splits that the inputs name: an input each, and those that items of `train` name themselves.

    Items that name none are of train. Raises InputError where a split has an input of its own and is named as well.
    """
    spools, unit = task.spools, task.unit
    start = {name: _constant(SPLITS.index(name)) for name in spools}
    taken = {"train"}
    if task.whole.named:
        start["train"] = lambda chunk: np.maximum(chunk.splits, 0)
        taken = {SPLITS[place] for place in np.unique(np.maximum(task.whole.column("splits"), 0)).tolist()}
    for name in SPLITS[1:]:
        if name in taken and name in spools:
            raise InputError(
                f"the input names {unit}s of {name}, and --{name} names others: leave out one of the two, or build "
                "from the files of train alone"
            )
    present = [name for name in SPLITS if name in taken or (name in spools and name != "train")]
    if "train" not in taken:
        raise InputError(
            f"every {unit} that was read is held out ({' and '.join(present)}): add some for train, or raise limit"
        )
    splits = Splits(start, present, {name: 0 for name in spools if name != "train"})
    splits.notes += _twins_apart(task, splits)
    return splits


def _twins_apart(task: _Task, splits: Splits) -> list[str]:
    """A note on each held-out split, as the input gives it, that has near-duplicates in train."""
    if task.twins is None:
        return []
    spools = task.spools
    places = np.concatenate([_places(splits.assign[name], spool) for name, spool in spools.items()])
    sets = np.concatenate([task.twins[name] for name in spools])
    keys = np.concatenate([spool.column("keys") for spool in spools.values()])
    notes = []
    for place, name in enumerate(SPLITS[1:], 1):
        own, train = places == place, places == 0
        near = np.isin(sets[own], sets[train]) & ~np.isin(keys[own], keys[train])
        if near.any():
            notes.append(
                f"{task.count(int(near.sum()))} of the {int(own.sum()):,} of {name} nearly equal one of train; they "
                "stay, since the input says what is held out"
            )
    return notes


# ------------------------------------------------------------------------------------------------------- shares


def _by_share(task: _Task) -> Splits:
    """Split one input by shares of its rows; near-duplicates, and items of one group, stay together."""
    whole, config = task.whole, task.config
    shares = {"test": config.test_share, "valid": config.valid_share}
    wanted = {name: share for name, share in shares.items() if share > 0}
    near = Near.of(whole, large=min(wanted.values(), default=1.0) / 20)
    if whole.count <= _EXACT or whole.grouped or task.twins is not None:
        return _filled(task, near, wanted)
    return _by_hash(task, near, wanted)


def _shared(task: _Task, near: Near, decide: Assign, wanted: Iterable[str], notes: list[str]) -> Splits:
    present = [name for name in SPLITS if name == "train" or name in wanted]
    return Splits({"train": decide}, present, {}, notes=near.notes(f"{task.unit}s") + notes)


def _by_hash(task: _Task, near: Near, wanted: Mapping[str, float]) -> Splits:
    """The split of every item by the hash of its set, whatever others there are; large sets are of train."""
    total = task.whole.count
    scale = total / max(1, total - near.large_items)
    scale = min(scale, max(1.0, 0.9 / sum(wanted.values(), 1e-9)))
    sums = [scale * sum([*wanted.values()][: i + 1]) for i in range(len(wanted))]
    edges = np.array([int(share * 2**64) for share in sums], np.uint64)
    numbers = np.array([*map(SPLITS.index, wanted), 0])

    def decide(chunk: Chunk) -> np.ndarray:
        sets = near.sets_of(chunk.keys, chunk.near)
        return np.where(np.isin(sets, near.large), 0, numbers[np.searchsorted(edges, sets, side="right")])

    reached = sum(
        (np.bincount(decide(chunk), minlength=len(SPLITS)) for chunk in task.whole.chunks(data=False)),
        np.zeros(len(SPLITS), np.int64),
    )
    return _shared(task, near, decide, wanted, _missed(task, reached, wanted, total, near.largest))


def _filled(task: _Task, near: Near, wanted: Mapping[str, float]) -> Splits:
    """The split of every item with the shares met within one set; notes on those that are not.

    Raises InputError if there are too few sets.
    """
    sets, counted = _sets(task, near)
    inverse = np.unique(sets, return_inverse=True)[1]
    sizes = np.bincount(inverse, counted).astype(np.int64)
    total, left = int(sizes.sum()), len(sizes)
    counts = {name: max(1, round(share * total)) for name, share in wanted.items()}
    if left <= len(wanted) < len(np.unique(task.whole.column("keys"))):  # but for groups, there would be enough
        counts = dict([*counts.items()][len(wanted) + 1 - left :])  # validation is the last to go
    elif left <= len(wanted):
        needs = " and ".join(["train", *wanted])
        raise InputError(
            f"only {task.count(left, 'usable ')}, counting near-duplicates once: at least {1 + len(counts)} are needed "
            f"for {needs}; add {task.unit}s, or set valid_share=0 test_share=0"
        )
    chosen = np.zeros(left, np.int8)
    for number, (name, count) in enumerate(counts.items()):
        others = len(counts) - number  # splits to come, and train: a set at least for each
        members = _members(sizes, np.flatnonzero(chosen == 0), count, left - others)
        chosen[members] = SPLITS.index(name)
        left -= len(members)
    _label_train(chosen, inverse, sizes, task.whole.column("labels"))
    reached = np.bincount(chosen, sizes, len(SPLITS))
    notes = _missed(task, reached, wanted, total, int(sizes.max()))
    return _shared(task, near, _listed(chosen[inverse]), counts, notes)


def _label_train(chosen: np.ndarray, inverse: np.ndarray, sizes: np.ndarray, labels: np.ndarray) -> None:
    """Move to train, in `chosen`, a set of each label that has none there, in exchange for one that train can spare.

    `inverse` (n,): the set of each item; `chosen`, `sizes`: the split of each set, and its items. Where no exchange is
    left, nothing is moved.
    """
    members, named_so = np.unique(np.stack([inverse, labels]), axis=1)
    trained = np.bincount(named_so[chosen[members] == 0] + 1, minlength=int(labels.max()) + 2)  # sets, by label and one
    lost = np.flatnonzero(trained == 0)
    lost = lost[(lost > 0) & np.isin(lost - 1, labels)] - 1
    for label in lost[:_MOST_MOVED].tolist():
        own = members[named_so == label]
        mine = int(own[np.argmin(sizes[own])])
        needed = np.unique(members[(named_so >= 0) & (trained[named_so + 1] < 2)])
        spare = np.setdiff1d(np.flatnonzero((chosen == 0) & (sizes <= 2 * sizes[mine] + 1)), needed)
        if len(spare):
            other = int(spare[np.argmin(np.abs(sizes[spare] - sizes[mine]))])
            chosen[mine], chosen[other] = 0, chosen[mine]
            trained[named_so[members == mine] + 1] += 1
            trained[named_so[members == other] + 1] -= 1


def _sets(task: _Task, near: Near) -> tuple[np.ndarray, np.ndarray]:
    """The set that each item must stay with, (n,) uint64, and whether it counts, (n,) bool: of items that are the same
    and are to be dropped, the first alone."""
    whole = task.whole
    keys, groups = whole.column("keys"), whole.column("groups")
    sets = near.sets_of(keys, whole.column("near"))
    columns = [keys] if task.twins is None else [keys, task.twins["train"].astype(np.uint64)]
    if whole.grouped:
        columns.append(np.where(groups > 0, groups, keys))
    if len(columns) > 1:
        sets = joined(sets, columns)
    counted = np.ones(len(sets), bool)
    if not (task.repeats or task.config.keep_duplicates):
        counted[:] = False
        counted[np.unique(keys, return_index=True)[1]] = True
    return sets, counted


def _members(sizes: np.ndarray, free: np.ndarray, count: int, most: int) -> list[int]:
    """At most `most` of the free sets that together have `count` items or about so many.

    They are taken in their order, those that are too large for the rest passed over; a last one that is too large
    comes in if the sum is nearer to `count` with it.
    """
    members: list[int] = []
    total, known = 0, sizes.tolist()
    for place in free.tolist():
        if total >= count or len(members) >= most:
            break
        if total + known[place] <= count:
            members.append(place)
            total += known[place]
    if total < count and len(members) < most:
        rest = np.setdiff1d(free, members)
        nearest = int(rest[np.argmin(np.abs(total + sizes[rest] - count))])
        if not members or abs(total + known[nearest] - count) < count - total:
            members.append(nearest)
    return members


def _missed(task: _Task, reached: np.ndarray, wanted: Mapping[str, float], total: int, largest: int) -> list[str]:
    """A note on each share that is not met, with the numbers."""
    notes = []
    for name, share in wanted.items():
        count = int(reached[SPLITS.index(name)])
        if not count or abs(count - share * total) > max(1.0, _MISSED * share * total):
            notes.append(
                f"{name} has {count:,} of {task.count(total)} ({count / total:.1%}), not {share:.1%}: those that must "
                f"stay together do, and the largest set of them has {largest:,}"
            )
    return notes


def _places(assign: Assign, spool: Spool) -> np.ndarray:
    """The split of every item of a spool: (n,) int8."""
    return np.concatenate([assign(chunk) for chunk in spool.chunks(data=False)]).astype(np.int8)


def _constant(place: int) -> Assign:
    return lambda chunk: np.full(len(chunk.numbers), place)


def _listed(places: np.ndarray) -> Assign:
    return lambda chunk: places[chunk.numbers]


# ---------------------------------------------------------------------------------------------- what is removed


def _to_the_letter(keys: np.ndarray, exact: np.ndarray) -> np.ndarray:
    """Keys that are equal where items are the same to the letter, (n,) uint64."""
    return keys ^ (exact.astype(np.uint64) * _MIX)


def _without_leaks(task: _Task, splits: Splits) -> None:
    """Remove held-out items whose key is in train, and those of valid whose key is in test; count them.

    Keys are read chunk by chunk, those of one held-out split at a time in memory.
    """
    spools = task.spools
    for name in splits.removed:
        mine = np.concatenate([chunk.keys for chunk in spools[name].chunks(data=False)])
        letters = _to_the_letter(mine, spools[name].column("exact"))
        own, own_letters = np.unique(mine), np.unique(letters)
        seen, seen_letters = np.zeros(len(own), bool), np.zeros(len(own_letters), bool)
        others = [spools["train"], *([spools["test"]] if name == "valid" and "test" in spools else [])]
        for chunk in (chunk for other in others for chunk in other.chunks(data=False)):
            _mark(own, seen, chunk.keys)
            _mark(own_letters, seen_letters, _to_the_letter(chunk.keys, chunk.exact))
        leaks = np.isin(mine, own[seen])
        splits.removed[name] = int(leaks.sum())
        splits.nearly[name] = int((leaks & ~np.isin(letters, own_letters[seen_letters])).sum())
        if leaks.all():
            near = splits.nearly[name]
            but = f" ({near:,} of {len(mine):,} but for case, spaces or punctuation)" if near else ""
            raise InputError(
                f"every {task.unit} of {name} is in train (or test) as well{but}; keep_duplicates=true keeps them"
            )
        splits.assign[name] = _but(own[seen], SPLITS.index(name))


def _mark(own: np.ndarray, seen: np.ndarray, keys: np.ndarray) -> None:
    """Set `seen` where a sorted own key is among others."""
    place = np.minimum(np.searchsorted(own, keys), len(own) - 1)
    seen[place[own[place] == keys]] = True


def _but(keys: np.ndarray, place: int) -> Assign:
    return lambda chunk: np.where(np.isin(chunk.keys, keys), -1, place)


def _without_repeats(task: _Task, splits: Splits) -> None:
    """Keep the first item of each key alone (`repeats`: all of one split); train goes before test, test before valid.

    Memory: 20 bytes for each item.
    """
    spools, unit = task.spools, task.unit
    keys = {name: spool.column("keys") for name, spool in spools.items()}
    letters = {name: _to_the_letter(keys[name], spool.column("exact")) for name, spool in spools.items()}
    places = {name: _places(splits.assign[name], spool) for name, spool in spools.items()}
    seen, seen_letters = np.zeros(0, np.uint64), np.zeros(0, np.uint64)
    for name in sorted(splits.present, key=("train", "test", "valid").index):
        spool = name if name in spools else "train"
        numbers = np.flatnonzero(places[spool] == SPLITS.index(name))
        own, own_letters = keys[spool][numbers], letters[spool][numbers]
        elsewhere = np.isin(own, seen)
        firsts = np.full(len(own), task.repeats)
        firsts[np.unique(own, return_index=True)[1]] = True
        kept = firsts & ~elsewhere
        splits.repeated += int((~firsts & ~elsewhere).sum())
        if elsewhere.any():
            splits.removed[name] = splits.removed.get(name, 0) + int(elsewhere.sum())
            splits.nearly[name] = int((elsewhere & ~np.isin(own_letters, seen_letters)).sum())
        places[spool][numbers[~kept]] = -1
        seen = np.concatenate([seen, own[kept]])
        seen_letters = np.concatenate([seen_letters, own_letters[kept]])
        if not kept.any():
            if len(own):
                raise InputError(f"every {unit} of {name} is in another split; keep_duplicates=true keeps them")
            raise InputError(
                f"no {unit} fell into {name}: there are too few different ones; raise {name}_share, or set it to 0"
            )
    splits.assign = {name: _listed(one) for name, one in places.items()}
