"""The prepared items of one input on disk while a corpus is built: memory stays flat however many there are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np

from corpora.errors import InputError
from corpora.row import Entry, clean

SPLITS = ("train", "valid", "test")
_CHUNK_ROWS = 10_000
_CHUNK_BYTES = 4 << 20
_MOST_LABELS = 100_000
_NO_LABEL = ("", "nan", "<na>")  # as tables write a missing value
_FIELDS = {
    "sizes": np.int64,
    "labels": np.int32,
    "keys": np.uint64,
    "splits": np.int8,
    "near": np.uint64,
    "groups": np.uint64,
    "exact": np.uint32,
}


class Chunk(NamedTuple):
    """Some entries of a spool, one after another."""

    data: list[bytes]  # empty where only the numbers are asked for
    numbers: np.ndarray  # (n,) int64, among all entries
    labels: np.ndarray  # (n,) int32, -1 for none
    keys: np.ndarray  # (n,) uint64
    splits: np.ndarray  # (n,) int8 into SPLITS where the source names them, -1 elsewhere
    near: np.ndarray  # (n,) uint64, keys of near-duplicates
    groups: np.ndarray  # (n,) uint64, 0 for none
    exact: np.ndarray  # (n,) uint32, which tell items of one key apart


# The split of each item of a chunk: (n,), an index into SPLITS, or -1 for removed.
Assign = Callable[[Chunk], np.ndarray]


class Spool:
    """The entries of one input, in their order. `labels` gives each label a number, the same in every spool."""

    def __init__(
        self, path: Path, entries: Iterable[Entry], labels: dict[str, int], tell: Callable[[str, int], None]
    ) -> None:
        self._data = path.with_name(f"{path.name}.spool-data")
        self._paths = {field: path.with_name(f"{path.name}.spool-{field}") for field in _FIELDS}
        self.read = 0  # entries, those dropped included
        self.count = 0
        self.size = 0
        self.named = False  # whether an entry says which split it is of
        self.grouped = False  # whether an entry is of a group
        self.dropped: Counter[str] = Counter()
        self.relabelled = 0  # items whose label was cleaned
        self.unlabelled: Counter[str] = Counter()  # items with a label that says there is none, by that label
        self._numbers: dict[str, int] = {}  # of labels as they were read
        self._renumbered: np.ndarray | None = None
        with ExitStack() as stack:
            self._files = [stack.enter_context(path.open("xb")) for path in (self._data, *self._paths.values())]
            for some in _chunks(entries):
                self._add(some, labels)
                tell("reading", self.read)
        del self._files

    def _add(self, entries: list[Entry], labels: dict[str, int]) -> None:
        self.read += len(entries)
        self.dropped.update(entry.dropped for entry in entries if entry.dropped is not None)
        kept = [entry for entry in entries if entry.dropped is None]
        columns = (
            [len(entry.data) for entry in kept],
            [-1 if entry.label is None else self._label(entry.label, labels) for entry in kept],
            [entry.key for entry in kept],
            [-1 if entry.split is None else SPLITS.index(entry.split) for entry in kept],
            [entry.key if entry.near is None else entry.near for entry in kept],
            [entry.group or 0 for entry in kept],
            [entry.exact for entry in kept],
        )
        self._files[0].write(b"".join(entry.data for entry in kept))
        for file, kind, column in zip(self._files[1:], _FIELDS.values(), columns, strict=True):
            file.write(np.array(column, kind).tobytes())
        self.count += len(kept)
        self.size += sum(columns[0])
        self.named |= any(entry.split is not None for entry in kept)
        self.grouped |= any(entry.group is not None for entry in kept)

    def _label(self, label: str, labels: dict[str, int]) -> int:
        """The number of a label, -1 for one that says there is none."""
        if label not in self._numbers:
            name = clean(label)
            if name.lower() in _NO_LABEL:
                self._numbers[label] = -1
            elif name not in labels and len(labels) >= _MOST_LABELS:
                raise InputError(f"more than {_MOST_LABELS:,} different labels: are these classes?")
            else:
                self._numbers[label] = labels.setdefault(name, len(labels))
        number = self._numbers[label]
        if number < 0:
            self.unlabelled[clean(label)] += 1
        elif label not in labels:
            self.relabelled += 1
        return number

    def chunks(self, *, data: bool = True) -> Iterator[Chunk]:
        """The entries in their order, a few at a time."""
        with ExitStack() as stack:
            body = stack.enter_context(self._data.open("rb"))
            columns = {field: stack.enter_context(path.open("rb")) for field, path in self._paths.items()}
            for start in range(0, self.count, _CHUNK_ROWS):
                rows = {
                    field: np.frombuffer(file.read(_CHUNK_ROWS * np.dtype(_FIELDS[field]).itemsize), _FIELDS[field])
                    for field, file in columns.items()
                }
                if self._renumbered is not None:
                    rows["labels"] = self._renumbered[rows["labels"]]
                sizes = rows["sizes"]
                # Cut where a multiple of the allowed bytes is passed.
                parts = np.cumsum(sizes) // _CHUNK_BYTES if data else np.zeros(len(sizes), np.int64)
                cuts = [0, *(np.flatnonzero(np.diff(parts)) + 1).tolist(), len(sizes)]
                for first, last in pairwise(cuts):
                    part = slice(first, last)
                    yield Chunk(
                        [body.read(size) for size in sizes[part].tolist()] if data else [],
                        np.arange(start + first, start + last),
                        *(rows[field][part] for field in Chunk._fields[2:]),
                    )

    def renumber(self, numbers: np.ndarray) -> None:
        """Give labels other numbers: that of label i is `numbers[i]`; the last one, of no label, is -1."""
        self._renumbered = numbers

    def column(self, field: str) -> np.ndarray:
        """A field of all entries at once: `keys`, `near`, `groups`, `splits`, `labels` or `exact`."""
        return np.concatenate([getattr(chunk, field) for chunk in self.chunks(data=False)])

    def remove(self) -> None:
        """Delete the files."""
        for path in (self._data, *self._paths.values()):
            path.unlink()


class Selection:
    """The entries of a spool that fall into train, or all of them, as often as they are wanted."""

    def __init__(self, spool: Spool, assign: Assign | None = None) -> None:
        self._spool, self._assign = spool, assign
        self.rows, self.size = spool.count, spool.size

    def chunks(self, share: float = 1.0) -> Iterator[tuple[list[bytes], np.ndarray]]:
        """Their data and numbers (n,), chunk by chunk; `share` < 1: so many of them, spread evenly."""
        for chunk in self._spool.chunks():
            chosen = np.ones(len(chunk.numbers), bool) if self._assign is None else self._assign(chunk) == 0
            if share < 1:  # multiples of the golden ratio, modulo 1, never gather anywhere
                spread = chunk.numbers.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
                chosen &= spread < np.uint64(int(share * 2**64))
            places = np.flatnonzero(chosen)
            yield [chunk.data[place] for place in places], chunk.numbers[places]


def _chunks(entries: Iterable[Entry]) -> Iterator[list[Entry]]:
    """Lists of entries that stay small in number and in bytes."""
    chunk: list[Entry] = []
    total = 0
    for entry in entries:
        chunk.append(entry)
        total += len(entry.data)
        if len(chunk) >= _CHUNK_ROWS or total >= _CHUNK_BYTES:
            yield chunk
            chunk, total = [], 0
    if chunk:
        yield chunk
