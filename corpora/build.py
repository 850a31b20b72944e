"""Build a corpus of text: read, clean, split, train a codec, tokenise. Memory stays flat however large the input is.

The source is read once, into a spool of cleaned lines beside the corpus to be; splits and codec are decided from
that, and the spool is tokenised in chunks and removed.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from dataclasses import replace as replaced
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from corpora import codec as codecs
from corpora import files, split, store
from corpora import settings as parts
from corpora.codec import TextCodec
from corpora.corpus import Corpus
from corpora.errors import InputError
from corpora.pictures import Config as PictureConfig
from corpora.pictures import build_pictures
from corpora.row import Row, clean, key_hash
from corpora.settings import require, setting
from corpora.sources.text import files_of as text_files
from corpora.split import SPLITS, Assign, by_hash

_CHUNK_ROWS = 10_000
_CHUNK_CHARACTERS = 4_000_000
_MOST_LABELS = 100_000
_LOOKED_AT = 50_000  # rows that a chooser sees

Progress = Callable[[str, int], None]  # (what is being done, rows done so far)


class Chooser(Protocol):
    """Chooses settings by the text itself, once it is read."""

    def codec(self, rows: int, texts: Sequence[str], held_out: bool) -> Mapping[str, Any]:
        """Settings of build and codec, from the number of rows of train and a sample of them, before any is split off.

        `held_out`: there are files for validation or test.
        """

    def longest(self, lengths: np.ndarray) -> Mapping[str, Any]:
        """Settings of the build, from the lengths in tokens, stop not counted, of a sample of rows."""


@dataclass(frozen=True)
class Config:
    """What becomes of the rows."""

    min_length: int = setting(1, "tokens a row must have at least, stop not counted")
    max_length: int = setting(200, "tokens a row may have at most, stop not counted; longer rows are dropped")
    max_words: int | None = setting(None, "words a row may have at most")
    valid_share: float = setting(0.02, "share of the different rows held out for validation, where no file is given")
    test_share: float = setting(0.02, "share of the different rows held out for the test, where no file is given")
    split_seed: int = setting(0, "which rows are held out")
    limit: int | None = setting(None, "read so many rows of the input at most")
    keep_duplicates: bool = setting(False, "keep rows of given valid and test files that stand in train as well")
    codec_from: str | None = setting(None, "take the codec of this corpus or model folder")
    codec_rows: int = setting(1_000_000, "train the codec on so many rows at most")
    codec_megabytes: int = setting(64, "train the codec on so many MB of text at most")

    def check(self) -> None:
        """Raise InputError for values that cannot work."""
        require(self.min_length >= 0, "min_length", self.min_length, "0 tokens or more")
        require(1 <= self.max_length < 2**31, "max_length", self.max_length, "at least 1 token")
        if self.min_length > self.max_length:
            raise InputError(f"min_length={self.min_length} is more than max_length={self.max_length}")
        require(self.max_words is None or self.max_words >= 1, "max_words", self.max_words, "at least 1 word")
        split.check(self.valid_share, self.test_share, self.split_seed)
        require(self.limit is None or self.limit >= 1, "limit", self.limit, "at least 1 row")
        require(self.codec_rows >= 1, "codec_rows", self.codec_rows, "at least 1 row")
        require(self.codec_megabytes >= 1, "codec_megabytes", self.codec_megabytes, "at least 1 MB")


def build(
    inputs: Sequence[str],
    out: Path | str,
    *,
    source: str | None = None,
    valid: str | Sequence[str] | None = None,
    test: str | Sequence[str] | None = None,
    settings: Mapping[str, Any] | None = None,
    replace: bool = False,
    progress: Progress | None = None,
    chooser: Chooser | None = None,
) -> Corpus:
    """Build the corpus `out` from inputs, and open it.

    `source` names a module of `corpora.sources`; left out, it follows from the inputs' names. `valid` and `test` are
    an input, or several, of the same source; without either, both are split off by a hash of each row. `settings` are
    those of the source, the build and the codec; a `chooser` chooses others once the text is read (for pictures
    none is asked). A source whose module says `PICTURES = True` gives pictures: see `pictures`. Raises InputError for
    anything wrong; then, as when interrupted, nothing is left behind.
    """
    out = Path(out)
    given = {"train": list(inputs)} | {
        name: [held_out] if isinstance(held_out, str) else list(held_out)
        for name, held_out in (("valid", valid), ("test", test))
        if held_out is not None
    }
    everything = [one for several in given.values() for one in several]
    if everything.count("-") > 1:
        raise InputError("standard input (-) can be read once only")
    source = source or source_of(everything)
    module = parts.find("corpora.sources", source)
    pictures = getattr(module, "PICTURES", False)
    chosen, *_ = parts.override(configs(source), settings or {})
    rest = {key: value for key, value in (settings or {}).items() if key not in asdict(chosen)}
    rows = {name: module.read(several, chosen) for name, several in given.items()}

    def described() -> dict[str, Any]:
        files_of = getattr(module, "files_of", text_files)
        return {
            "name": module.__name__.rpartition(".")[2],
            "settings": _without_folders(asdict(chosen)),
            "inputs": {name: [_described(one, files_of) for one in several] for name, several in given.items()},
        }

    if pictures:
        colours = module.colours(everything) if hasattr(module, "colours") else None
        build_pictures(rows, out, settings=rest, colours=colours, source=described, replace=replace, progress=progress)
    else:
        build_rows(rows, out, settings=rest, source=described, replace=replace, progress=progress, chooser=chooser)
    return Corpus.open(out)


def from_texts(
    texts: Iterable[str],
    codec: TextCodec | str | None = None,
    *,
    labels: Iterable[str | None] | None = None,
    valid: Iterable[str] | None = None,
    test: Iterable[str] | None = None,
    **settings: Any,
) -> Corpus:
    """A corpus in memory, through the same steps as `build`; `settings` are those of the build and the codec.

    `codec` is one at hand, or the name of a kind to train.
    """
    if isinstance(codec, str):
        settings["codec"], codec = codec, None
    rows = {"train": map(Row, texts) if labels is None else map(Row, texts, labels)}
    rows |= {name: map(Row, some) for name, some in (("valid", valid), ("test", test)) if some is not None}
    with tempfile.TemporaryDirectory(prefix="corpora-") as folder:
        out = Path(folder) / "corpus"
        build_rows(rows, out, codec=codec, settings=settings)
        return Corpus.open(out).in_memory()


def configs(source: str) -> list[Any]:
    """The settings that a build from a source has: of the source, of the build and, for text, of the codec."""
    module = parts.find("corpora.sources", source)
    of_build = [PictureConfig()] if getattr(module, "PICTURES", False) else [Config(), codecs.Config()]
    return [module.Config(), *of_build]


def _described(given: str, files_of: Callable[[Sequence[str]], list[Path]]) -> dict[str, Any]:
    """What the manifest says of an input: its name without the folders around it and, for files, size and SHA-256."""
    path = Path(given.removeprefix("lecture:"))
    if given.startswith(("hf:", "hf-images:")):
        scheme, _, name = given.partition(":")
        return {"name": f"{scheme}:{Path(name).name}" if name.startswith(("/", ".", "~")) else given}
    if not (path.is_file() or path.is_dir()):
        return {"name": path.name or given}
    folder = path if path.is_dir() else path.parent
    return {
        "name": path.name,
        "files": [
            {
                "name": file.relative_to(folder).as_posix(),
                "bytes": file.stat().st_size,
                "sha256": files.sha256_file(file),
            }
            for file in files_of([given])
        ],
    }


def _without_folders(values: dict[str, Any]) -> dict[str, Any]:
    """Settings for the manifest, which travels: of paths, the last part."""
    paths = ("labels", "vocab_file", "codec_from", "originals")
    return {key: Path(value).name if key in paths and value else value for key, value in values.items()}


def source_of(inputs: Sequence[str]) -> str:
    """The source that inputs call for by their names. Raises InputError if they call for different ones."""
    if not inputs:
        raise InputError(
            "nothing to read: name a file, a folder, hf:NAME, toy, sprites, moons, or - for standard input"
        )
    found = {}
    for given in inputs:
        claims = (n for n in parts.names("corpora.sources") if parts.find("corpora.sources", n).accepts(given))
        found[next(claims, "text")] = given
    if len(found) > 1:
        (first, one), (second, other) = list(found.items())[:2]
        raise InputError(f"{one} looks like {first} and {other} like {second}: build from one kind, or name --source")
    return next(iter(found))


def build_rows(
    rows: Mapping[str, Iterable[Row]],
    out: Path,
    *,
    codec: TextCodec | None = None,
    settings: Mapping[str, Any] | None = None,
    source: Callable[[], dict[str, Any]] | None = None,
    replace: bool = False,
    progress: Progress | None = None,
    chooser: Chooser | None = None,
) -> None:
    """`build` for rows already at hand: those of `train`, and of `valid` and `test` where they are given.

    `codec`, if there is one, is taken as it is, but for the words that its lexicon gains; `source`, called at the end,
    describes where the rows are from.
    """
    config, codec_config = parts.override([Config(), codecs.Config()], settings or {})
    tell = progress or (lambda what, count: None)
    taken = codec is not None or config.codec_from is not None
    extra = sorted(set(settings or {}) & set(asdict(codec_config)))
    if taken and extra:
        raise InputError(f"{extra[0]}: the codec is taken as it is, so leave out {', '.join(extra)}")
    if codec is None and config.codec_from is not None:
        codec = codecs.of_text(codecs.read(Path(config.codec_from)))
    if replace and out.exists() and not (out / files.MANIFEST).is_file():
        raise InputError(f"{files.quoted_path(out)} is not a corpus, so it is not replaced: remove it yourself")
    files.sweep(out)
    with files.new_folder(out, replace=replace) as folder, files.explained(out):
        names: dict[str, int] = {}
        spools = {
            name: _Spool(folder / name, rows[name], config, names, config.limit if name == "train" else None, tell)
            for name in SPLITS
            if name in rows
        }
        sample: list[str] = []
        if chooser is not None and spools["train"].count:
            some = replaced(config, codec_rows=_LOOKED_AT, codec_megabytes=16)
            sample = list(_sample(spools["train"], lambda keys: np.zeros(len(keys), np.int64), some))
            found = chooser.codec(spools["train"].count, sample, len(spools) > 1)
            config, codec_config = parts.override([config, codec_config], found)
        splits, removed = _assign(spools, config)
        if codec is None:
            tell("training the codec", 0)
            codec = codecs.train(_sample(spools["train"], splits["train"], config), codec_config)
        else:
            if codec.lexicon:
                tell("finding its words", 0)
            codec = codec.learned(_sample(spools["train"], splits["train"], config))
        if sample and chooser is not None:
            lengths = np.fromiter(map(len, codec.encode_many(sample)), np.int64, len(sample))
            (config,) = parts.override([config], chooser.longest(lengths))
        files.write_file(folder / codecs.FILE, files.to_json(codec.to_dict()))
        dropped: Counter[str] = sum((spool.dropped for spool in spools.values()), Counter())
        facts = _tokenise(folder, spools, splits, codec, config, dropped, labels=bool(names), tell=tell)
        read = sum(spool.read for spool in spools.values())
        for spool in spools.values():
            spool.remove()
        files.write_manifest(
            folder,
            {
                "format": store.FORMAT,
                "source": source() if source else {"name": "rows at hand", "settings": {}, "inputs": {}},
                "settings": _without_folders(asdict(config) | ({} if taken else asdict(codec_config))),
                "codec": {"name": codec.name, "vocab_size": codec.vocab_size},
                "read": read,
                "dropped": {reason: count for reason, count in dropped.items() if count},
                "held_out_duplicates_removed": removed,
                "splits": facts,
                "label_names": list(names),
                "notes": list(codec.notes),
            },
        )


class _Spool:
    """The cleaned rows of one input on disk: lines of text, labels (int32), hashes of near-duplicate keys (uint64)."""

    def __init__(
        self, path: Path, rows: Iterable[Row], config: Config, names: dict[str, int], limit: int | None, tell: Progress
    ) -> None:
        self._paths = [path.with_name(f"{path.name}.spool-{kind}") for kind in ("text", "labels", "keys")]
        self.read = 0
        self.count = 0
        self.bytes = 0
        self.dropped: Counter[str] = Counter()
        with ExitStack() as stack:
            text, labels, keys = (stack.enter_context(path.open("xb")) for path in self._paths)
            for chunk in _chunks(islice(rows, limit), lambda row: len(row.text)):
                self.read += len(chunk)
                kept = []
                for row in chunk:
                    line = clean(row.text)
                    reason = row.dropped or ("empty" if not line else None)
                    if reason is None and config.max_words is not None and line.count(" ") >= config.max_words:
                        reason = "too many words"
                    if reason is None:
                        kept.append((line, row.label))
                    else:
                        self.dropped[reason] += 1
                for _, label in kept:
                    if label is not None and label not in names:
                        if len(names) >= _MOST_LABELS:
                            raise InputError(
                                f"more than {_MOST_LABELS:,} different labels: is this a column of classes?"
                            )
                        names[label] = len(names)
                data = "".join(f"{line}\n" for line, _ in kept).encode()
                text.write(data)
                labels.write(np.array([-1 if n is None else names[n] for _, n in kept], np.int32).tobytes())
                keys.write(np.array([key_hash(line, config.split_seed) for line, _ in kept], np.uint64).tobytes())
                self.count += len(kept)
                self.bytes += len(data)
                tell("reading", self.read)

    def rows(self) -> Iterator[tuple[list[str], np.ndarray, np.ndarray]]:
        """Chunks of (texts, labels (n,), hashes of their keys (n,))."""
        with self._paths[0].open("rb") as text, self._paths[1].open("rb") as labels, self._paths[2].open("rb") as keys:
            for chunk in _chunks(text, len):
                count = len(chunk)
                yield (
                    [line[:-1].decode() for line in chunk],
                    np.frombuffer(labels.read(4 * count), np.int32),
                    np.frombuffer(keys.read(8 * count), np.uint64),
                )

    def hashes(self) -> Iterator[np.ndarray]:
        """The hashes of the keys, in chunks."""
        with self._paths[2].open("rb") as file:
            while data := file.read(8 << 17):
                yield np.frombuffer(data, np.uint64)

    def remove(self) -> None:
        """Delete the files."""
        for path in self._paths:
            path.unlink()


def _chunks(items: Iterable[Any], size: Callable[[Any], int]) -> Iterator[list[Any]]:
    """Lists of items that stay small in number and in sum of sizes."""
    chunk: list[Any] = []
    total = 0
    for item in items:
        chunk.append(item)
        total += size(item)
        if len(chunk) >= _CHUNK_ROWS or total >= _CHUNK_CHARACTERS:
            yield chunk
            chunk, total = [], 0
    if chunk:
        yield chunk


def _assign(spools: Mapping[str, _Spool], config: Config) -> tuple[dict[str, Assign], dict[str, int]]:
    """How the rows of each spool fall into splits, and how many held-out ones are removed."""
    removed = {name: 0 for name in spools if name != "train"}
    empty = next((name for name, spool in spools.items() if not spool.count), None)
    if empty is not None:
        spool = spools[empty]
        why = ", ".join(f"{count:,} {reason}" for reason, count in spool.dropped.items()) or "nothing was read"
        raise InputError(f"no usable row for {empty}: {why}")
    if not removed:
        whole = spools["train"]
        return {"train": by_hash(whole.count, whole.hashes, config.valid_share, config.test_share)}, removed
    taken = {name: np.zeros(0, np.uint64) for name in spools}
    if config.keep_duplicates:
        return {name: _without(taken[name], SPLITS.index(name)) for name in spools}, removed
    # Held-out rows whose key stands in train go, and those of valid whose key stands in test.
    for name in removed:
        own = np.unique(np.concatenate(list(spools[name].hashes())))
        seen = np.zeros(len(own), bool)
        others = [spools["train"], *([spools["test"]] if name == "valid" and "test" in spools else [])]
        for keys in (keys for other in others for keys in other.hashes()):
            place = np.minimum(np.searchsorted(own, keys), len(own) - 1)
            seen[place[own[place] == keys]] = True
        taken[name] = own[seen]
        removed[name] = sum(int(np.isin(keys, taken[name]).sum()) for keys in spools[name].hashes())
        if removed[name] == spools[name].count:
            raise InputError(f"every row of {name} stands in train (or test) as well; keep_duplicates=true keeps them")
    return {name: _without(taken[name], SPLITS.index(name)) for name in spools}, removed


def _without(taken: np.ndarray, split: int) -> Assign:
    return lambda keys: np.where(np.isin(keys, taken), -1, split)


def _sample(spool: _Spool, assign: Assign, config: Config) -> Iterator[str]:
    """Texts of train for the codec: all, or a share of them spread evenly over the rows."""
    share = min(1.0, config.codec_rows / spool.count, config.codec_megabytes * 1e6 / spool.bytes)
    start = 0
    for texts, _, keys in spool.rows():
        chosen = assign(keys) == 0
        if share < 1:  # multiples of the golden ratio, modulo 1, never gather anywhere
            numbers = np.arange(start, start + len(texts), dtype=np.uint64)
            chosen &= numbers * np.uint64(0x9E3779B97F4A7C15) < np.uint64(int(share * 2**64))
        start += len(texts)
        yield from (texts[i] for i in np.flatnonzero(chosen))


def _tokenise(
    folder: Path,
    spools: Mapping[str, _Spool],
    assign: Mapping[str, Assign],
    codec: TextCodec,
    config: Config,
    dropped: Counter[str],
    *,
    labels: bool,
    tell: Progress,
) -> dict[str, dict[str, int]]:
    """Write the arrays of every split; the facts of each for the manifest."""
    shares = {"train": 1.0, "valid": config.valid_share, "test": config.test_share}
    present = [name for name in SPLITS if (name in spools if len(spools) > 1 else shares[name] > 0)]
    facts = {name: {"rows": 0, "tokens": 0, "longest": 0, "bytes": 0, "words": 0} for name in present}
    shortest_dropped = 0
    done = 0
    with ExitStack() as stack:
        writers = {
            name: stack.enter_context(store.Writer(folder, name, codec.vocab_size, labels=labels)) for name in present
        }
        for spool_name, spool in spools.items():
            for texts, numbers, keys in spool.rows():
                splits = assign[spool_name](keys)
                rows = codec.encode_many(texts)
                lengths = np.fromiter(map(len, rows), np.int64, len(rows))
                short, long = lengths < config.min_length, lengths > config.max_length
                dropped["too short"] += int((short & (splits >= 0)).sum())
                dropped["too long"] += int((long & (splits >= 0)).sum())
                if long.any():
                    shortest = int(lengths[long].min())
                    shortest_dropped = min(shortest_dropped or shortest, shortest)
                for name in present:
                    kept = np.flatnonzero((splits == SPLITS.index(name)) & ~short & ~long)
                    writers[name].add([rows[i] for i in kept], numbers[kept])
                    own = [codec.normalise(texts[i]) for i in kept]
                    facts[name]["bytes"] += sum(len(text.encode()) for text in own)
                    facts[name]["words"] += sum(text.count(" ") + 1 for text in own)
                done += len(texts)
                tell("tokenising", done)
    for name, writer in writers.items():
        if not writer.rows and not dropped["too short"] and not dropped["too long"]:
            raise InputError(
                f"no row fell into {name}: the input has too few different rows for a share of {shares[name]}; raise "
                f"{name}_share, or set it to 0"
            )
        if not writer.rows:
            over = f"the shortest that was dropped has {shortest_dropped:,}" if shortest_dropped else "none is left"
            raise InputError(
                f"no row of {name} has between min_length={config.min_length} and max_length={config.max_length} "
                f"tokens ({over}): raise max_length, or split long rows"
            )
        facts[name] |= {"rows": writer.rows, "tokens": writer.tokens + writer.rows, "longest": writer.longest + 1}
    return facts
