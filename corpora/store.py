"""Tokenised rows on disk: flat arrays that are appended to when a corpus is built and memory-mapped afterwards.

Of each split: `NAME.tokens.bin` (uint16, or uint32 for a vocabulary over 65,535; rows end to end, without stop),
`NAME.offsets.bin` (int64, one more than there are rows) and, where there are labels, `NAME.labels.bin` (int32,
-1 for none). All little-endian. Beside them `codec.json` and `manifest.json`.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

import numpy as np

from corpora.errors import InputError
from corpora.files import quoted_path

FORMAT = 1
OFFSET = np.dtype("<i8")
LABEL = np.dtype("<i4")


class Arrays(NamedTuple):
    """The arrays of a split."""

    tokens: np.ndarray  # (T,) uint16 or uint32
    offsets: np.ndarray  # (rows + 1,) int64
    labels: np.ndarray | None  # (rows,) int32


def token_type(vocab_size: int) -> np.dtype:
    """The smallest of the two types that holds every token."""
    return np.dtype("<u2" if vocab_size <= 65_535 else "<u4")


class Writer:
    """Appends rows to the arrays of one split. A context manager; the files are fsynced at its end."""

    def __init__(self, folder: Path, split: str, vocab_size: int, *, labels: bool) -> None:
        self._type = token_type(vocab_size)
        self._tokens = (folder / f"{split}.tokens.bin").open("xb")
        self._offsets = (folder / f"{split}.offsets.bin").open("xb")
        self._labels = (folder / f"{split}.labels.bin").open("xb") if labels else None
        self._offsets.write(np.zeros(1, OFFSET).tobytes())
        self.rows = 0
        self.tokens = 0  # stop tokens not counted
        self.longest = 0

    def add(self, rows: Sequence[Sequence[int]], labels: np.ndarray) -> None:
        """Append rows of tokens, and their labels (rows,)."""
        if not rows:
            return
        lengths = np.fromiter(map(len, rows), OFFSET, len(rows))
        total = int(lengths.sum())
        self._tokens.write(np.fromiter(chain.from_iterable(rows), self._type, total).tobytes())
        self._offsets.write((self.tokens + np.cumsum(lengths)).astype(OFFSET).tobytes())
        if self._labels is not None:
            self._labels.write(labels.astype(LABEL).tobytes())
        self.rows += len(rows)
        self.tokens += total
        self.longest = max(self.longest, int(lengths.max()))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for file in (self._tokens, self._offsets, self._labels):
            if file is not None:
                if kind is None:
                    file.flush()
                    os.fsync(file.fileno())
                file.close()


def read(
    folder: Path, split: str, facts: Any, vocab_size: int, *, labels: bool, measures: Sequence[str] = ()
) -> Arrays:
    """Map the arrays of a split. Raises InputError if their sizes disagree with each other or the manifest.

    `facts` is what the manifest counts of the split: rows, tokens, longest, and the `measures` of the codec.
    """
    for fact in ("rows", "tokens", *measures, "longest"):
        if not isinstance(facts, dict) or type(facts.get(fact)) is not int or facts[fact] < 0:
            raise InputError(f"{quoted_path(folder)}: the manifest does not say how many {fact} {split!r} has")
    rows = facts["rows"]
    offsets = _map(folder / f"{split}.offsets.bin", OFFSET)
    tokens = _map(folder / f"{split}.tokens.bin", token_type(vocab_size))
    numbers = _map(folder / f"{split}.labels.bin", LABEL) if labels else None
    if (
        len(offsets) != rows + 1
        or offsets[0] != 0
        or offsets[-1] != len(tokens)
        or (numbers is not None and len(numbers) != rows)
    ):
        raise InputError(f"{quoted_path(folder)}: the arrays of {split!r} do not fit together; build the corpus again")
    return Arrays(tokens, offsets, numbers)


def check(arrays: Arrays, vocab_size: int, label_count: int, what: str) -> None:
    """Read all of a split: offsets ascend, tokens and labels are in range. Raises InputError otherwise."""
    tokens, offsets, labels = arrays
    step = 1 << 22
    wrong = any(bool((np.diff(offsets[i : i + step + 1]) < 0).any()) for i in range(0, len(offsets) - 1, step))
    wrong |= any(int(tokens[i : i + step].max()) >= vocab_size for i in range(0, len(tokens), step))
    if labels is not None and len(labels):
        wrong |= int(labels.min()) < -1 or int(labels.max()) >= label_count
    if wrong:
        raise InputError(f"{what}: offsets, tokens or labels are out of range; build the corpus again")


def _map(path: Path, kind: np.dtype) -> np.ndarray:
    size = path.stat().st_size if path.is_file() else -1
    if size < 0 or size % kind.itemsize:
        raise InputError(f"{quoted_path(path)} is {'missing' if size < 0 else 'cut off'}; build the corpus again")
    if size == 0:  # which cannot be mapped
        return np.zeros(0, kind)
    return np.asarray(np.memmap(path, kind, mode="r"))  # a plain array over the map indexes faster
