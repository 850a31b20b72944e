"""A corpus: splits of rows of tokens with their codec, and batches that are functions of (seed, step).

Nothing here keeps state between batches. The rows of step n follow from the seed and n alone, so a run resumes
anywhere, and any number of processes see the same batches.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np

from corpora import codec as codecs
from corpora import files, store
from corpora.codec import Codec
from corpora.errors import InputError, choose

_POOL = 100  # batches whose rows are sorted by length together


def pad(
    rows: Sequence[Sequence[int] | np.ndarray], length: int | None, pad: int | None, stop: int | None
) -> np.ndarray:
    """Rows of tokens, without stop, as one array: tokens, stop, pads: (B, L) int64.

    L is `length`, or the length of the longest row with its stop. Raises ValueError for a row that does not fit, or
    that would need pads where there is no `pad`.
    """
    sizes = np.fromiter(map(len, rows), np.int64, len(rows))
    ends = sizes + (stop is not None)
    length = int(ends.max(initial=int(stop is not None))) if length is None else length
    if (ends > length).any() or (pad is None and (ends < length).any()):
        raise ValueError(f"rows of {int(ends.min())} to {int(ends.max())} tokens cannot be made {length} long")
    out = np.full((len(rows), length), 0 if pad is None else pad, np.int64)
    if len(rows):
        out[np.arange(length) < sizes[:, None]] = np.concatenate([np.asarray(row, np.int64) for row in rows])
    if stop is not None:
        out[np.arange(len(rows)), sizes] = stop
    return out


class Batch(NamedTuple):
    """Rows of one step, for one process."""

    tokens: np.ndarray  # (B, L) int64: tokens, stop, pads; L is that of the whole batch
    rows: np.ndarray  # (B,) int64: which rows of the split they are
    total: int  # rows in the batch over all processes
    classes: np.ndarray  # (B,) int64: numbers of their labels, as `Rows.classes` gives them


class Rows:
    """The rows of one split. `len(rows)`; `rows[i]` is a view of the tokens of row i, without stop."""

    def __init__(self, arrays: store.Arrays, codec: Codec, label_names: Sequence[str] = ()) -> None:
        self.tokens = arrays.tokens  # (T,) all rows end to end
        self.offsets = arrays.offsets  # (rows + 1,)
        self.labels = arrays.labels  # (rows,) int32 into label_names, -1 for none; None if the corpus has no labels
        self.label_names = list(label_names)
        self._codec = codec
        self._stops = int(codec.stop is not None)  # how many each row has

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, row: int) -> np.ndarray:
        row = self._checked(row)
        return self.tokens[self.offsets[row] : self.offsets[row + 1]]

    def __iter__(self) -> Iterator[np.ndarray]:
        return (self[row] for row in range(len(self)))

    @property
    def lengths(self) -> np.ndarray:
        """Tokens of each row, its stop counted if there is one: (rows,) int64."""
        return np.diff(self.offsets) + self._stops

    def text(self, row: int) -> str:
        """The text of a row. Raises InputError if the rows are not text."""
        return codecs.of_text(self._codec).decode(self[row].tolist())

    def picture(self, row: int) -> np.ndarray:
        """The picture of a row: (H, W, 4) uint8, red, green, blue and alpha. Raises InputError if the
        rows are not pictures."""
        if self._codec.shape is None:
            raise InputError(f"the rows are {self._codec.things} (codec {self._codec.name}): this works on pictures")
        return self._codec.decode(self[row].tolist())

    def thing(self, row: int) -> Any:
        """The thing that a row stands for: a text, a picture (H, W, 4) uint8, samples (T,) int16."""
        return self._codec.decode(self[row].tolist())

    def label(self, row: int) -> str | None:
        """The label of a row, or None."""
        if self.labels is None:
            return None
        number = int(self.labels[self._checked(row)])
        return self.label_names[number] if number >= 0 else None

    def classes(self, rows: Sequence[int] | np.ndarray) -> np.ndarray:
        """The labels of rows as numbers among all label names in alphabetical order, (B,) int64; -1 for none."""
        return np.full(len(rows), -1) if self.labels is None else self._places[self.labels[np.asarray(rows, np.int64)]]

    @cached_property
    def _places(self) -> np.ndarray:
        """Where each label name stands in alphabetical order, and -1 at the end, where -1 finds it."""
        places = {name: place for place, name in enumerate(sorted(self.label_names))}
        return np.array([*(places[name] for name in self.label_names), -1])

    def pad(self, rows: Sequence[int] | np.ndarray, length: int | None = None) -> np.ndarray:
        """Rows as one array: tokens, stop, pads: (B, L) int64, L the longest with its stop or `length`."""
        codec = self._codec
        return pad([self[row] for row in np.asarray(rows, np.int64).tolist()], length, codec.pad, codec.stop)

    def in_order(self, size: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Every row once, sorted by length (then by number), as (rows (B,), tokens (B, L)) of at most `size` rows."""
        if size < 1:
            raise InputError(f"a batch of {size} rows: expected at least 1")
        order = np.argsort(self.lengths, kind="stable")
        for start in range(0, len(order), size):
            rows = order[start : start + size]
            yield rows, self.pad(rows)

    def _checked(self, row: int) -> int:
        if not -len(self) <= row < len(self):
            raise IndexError(f"row {row} of {len(self)}")
        return int(row) % len(self)


class Corpus:
    """Splits of rows, with the codec that made them. Open one with `Corpus.open`; `corpora.build` makes them."""

    def __init__(self, codec: Codec, splits: dict[str, Rows], manifest: dict[str, Any]) -> None:
        self.codec = codec
        self.splits = splits
        self.manifest = manifest
        self._pool: tuple[Any, list[np.ndarray]] = (None, [])

    @classmethod
    def open(cls, folder: Path | str, *, verify: bool = False) -> Self:
        """Map a corpus that `build` made. File sizes are checked always, every byte with `verify`.

        Raises InputError if the folder is not a corpus, or not whole.
        """
        folder = Path(folder)
        manifest = files.read_manifest(folder, what="corpus", format_version=store.FORMAT, hashes=verify)
        codec = codecs.read(folder)
        names, splits = manifest.get("label_names"), manifest.get("splits")
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise InputError(f"{files.quoted_path(folder)}: the manifest's label names are not a list of words")
        if not isinstance(splits, dict) or not set(splits) <= {"train", "valid", "test"} or "train" not in splits:
            raise InputError(f"{files.quoted_path(folder)}: the manifest's splits should be train, valid and test")
        kinds = {"read": int, "dropped": dict, "held_out_duplicates_removed": dict, "notes": list, "source": dict}
        wrong = [key for key, kind in kinds.items() if not isinstance(manifest.get(key), kind)]
        counts = [*manifest["dropped"].values(), *manifest["held_out_duplicates_removed"].values()] if not wrong else []
        inputs = manifest["source"].get("inputs") if not wrong else {}
        if not isinstance(inputs, dict) or not all(
            isinstance(several, list) and all(isinstance(one, dict) and "name" in one for one in several)
            for several in inputs.values()
        ):
            wrong.append("source")
        wrong += ["dropped"] * any(type(count) is not int for count in counts)
        if wrong:
            raise InputError(f"{files.quoted_path(folder)}: the manifest's {wrong[0]!r} is missing or malformed")
        rows = {}
        for name in ("train", "valid", "test"):
            if name in splits:
                arrays = store.read(
                    folder, name, splits[name], codec.vocab_size, labels=bool(names), measures=codec.measures
                )
                if codec.shape is not None:
                    _check_pictures(arrays, codec.shape, f"{files.quoted_path(folder)}: {name}")
                if verify:
                    store.check(arrays, codec.vocab_size, len(names), f"{files.quoted_path(folder)}: {name}")
                rows[name] = Rows(arrays, codec, names)
        return cls(codec, rows, manifest)

    def in_memory(self) -> Self:
        """This corpus once its arrays are copied into memory, so that its folder may go."""
        for split in self.splits.values():
            split.tokens, split.offsets = split.tokens.copy(), split.offsets.copy()
            split.labels = None if split.labels is None else split.labels.copy()
        return self

    @cached_property
    def fingerprint(self) -> str:
        """16 hexadecimal digits that name these rows and this codec, wherever and whenever they were built."""
        facts = {name: entry.get("sha256") for name, entry in self.manifest["files"].items()}
        return hashlib.sha256(files.to_json([facts, self.manifest["label_names"]])).hexdigest()[:16]

    def rows(self, split: str) -> Rows:
        """The rows of a split. Raises InputError, naming those there are, if it has none of that name."""
        return self.splits[choose("split", split, self.splits)]

    def epoch_steps(self, size: int, split: str = "train") -> int:
        """Steps in which batches of `size` rows visit every row once."""
        if size < 1:
            raise InputError(f"a batch of {size} rows: expected at least 1")
        return max(1, -(-len(self.rows(split)) // size))

    def batch(self, step: int, seed: int, size: int, split: str = "train", rank: int = 0, world: int = 1) -> Batch:
        """The rows of a step, a function of (seed, step): rows of like length, in an order drawn for each epoch.

        An epoch is `epoch_steps(size)` steps and visits every row once; where `size` does not divide the rows, its
        last batches (at most 150) have fewer, so that no process is left without a row. Process
        `rank` of `world` gets every `world`-th row of the same batch, padded to the length of the whole batch.
        """
        if step < 0 or not 0 <= rank < world:
            raise InputError(f"step {step}, rank {rank} of {world}: expected 0 <= step and 0 <= rank < world")
        rows, steps = self.rows(split), self.epoch_steps(size, split)
        epoch, step = divmod(step, steps)
        pools = max(1, round(steps / _POOL))
        pool = step * pools // steps
        first, last = (-(-p * steps // pools) for p in (pool, pool + 1))
        key = (split, seed, size, epoch, pool)
        known, batches = self._pool  # one tuple, so that threads never see halves of two pools
        if known != key:
            places = np.arange(first * size, min(last * size, len(rows)), dtype=np.uint64)
            batches = _pool(rows, permute(places, len(rows), f"{seed}/{epoch}/rows"), size, f"{seed}/{epoch}/{pool}")
            self._pool = (key, batches)
        chosen = batches[step - first]
        length = int((rows.offsets[chosen + 1] - rows.offsets[chosen]).max(initial=0)) + rows._stops
        mine = chosen[rank::world]
        return Batch(rows.pad(mine, length), mine, len(chosen), rows.classes(mine))


def _check_pictures(arrays: store.Arrays, shape: tuple[int, int], what: str) -> None:
    """Raise InputError unless every row has one token for each pixel."""
    length = shape[0] * shape[1]
    if not np.array_equal(arrays.offsets, np.arange(len(arrays.offsets), dtype=np.int64) * length):
        raise InputError(f"{what}: not every row has the {length:,} tokens of a picture; build the corpus again")


def _pool(rows: Rows, numbers: np.ndarray, size: int, key: str) -> list[np.ndarray]:
    """Cut the rows of a pool into batches of like length, in random order; they differ by one row at most."""
    lengths = rows.offsets[numbers + 1] - rows.offsets[numbers]
    ordered = numbers[np.lexsort((_mix(numbers.astype(np.uint64), _key(f"{key}/ties")), lengths))]
    count = -(-len(numbers) // size)
    draw = _mix(np.arange(count, dtype=np.uint64), _key(f"{key}/batches"))
    batches = np.array_split(ordered, count)
    return [batches[number] for number in np.argsort(draw, kind="stable")]


def permute(places: np.ndarray, count: int, key: str) -> np.ndarray:
    """Where a random permutation of `count` numbers, drawn by `key`, sends `places` (uint64); as int64.

    A Feistel network over the next power of four, walked until it lands inside: memory for `places` alone.
    """
    half = np.uint64(max(1, (max(count - 1, 1).bit_length() + 1) // 2))
    mask = (np.uint64(1) << half) - np.uint64(1)
    keys = [_key(f"{key}/{turn}") for turn in range(6)]

    def walk(values: np.ndarray) -> np.ndarray:
        left, right = values >> half, values & mask
        for turn in keys:
            left, right = right, left ^ (_mix(right, turn) & mask)
        return (left << half) | right

    moved = walk(places)
    outside = np.flatnonzero(moved >= count)
    while len(outside):
        moved[outside] = walk(moved[outside])
        outside = outside[moved[outside] >= count]
    return moved.astype(np.int64)


def _key(text: str) -> np.uint64:
    return np.uint64(int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little"))


def _mix(values: np.ndarray, key: np.uint64) -> np.ndarray:
    """Scramble uint64 values: the finaliser of SplitMix64, keyed. Arithmetic wraps around."""
    values = values ^ key
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))
