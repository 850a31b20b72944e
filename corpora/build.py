"""Build a corpus: read, prepare, split, make a codec, write tokens. One way for every modality.

The source is read once, into a spool of prepared items beside the corpus to be; splits and codec are decided from
that, and the spool is turned into tokens in chunks and removed. Memory stays flat however large the input is.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from corpora import classes, files, modality, split, store
from corpora import codec as codecs
from corpora import settings as parts
from corpora.codec import Codec
from corpora.corpus import Corpus
from corpora.errors import InputError
from corpora.folder import refuse_empty
from corpora.modality import Chooser, Modality, Preparation, Progress, without_folders
from corpora.row import Row, Told, as_note
from corpora.sources.text import files_of as text_files
from corpora.split import Splits
from corpora.spool import SPLITS, Chunk, Selection, Spool
from corpora.texts import plain

_SOURCES = "corpora.sources"
_OF_TABLES = {"column", "label_column", "delimiter", "header", "quotes"}  # settings that text files do not have
_PATHS = ("labels", "originals")  # settings of sources that are paths
_OF_THE_SYSTEM = (".DS_Store", "Thumbs.db", "desktop.ini")  # files that show a folder, which nobody wrote
Items = Mapping[str, Iterable[Any]]  # of `train`, and of `valid` and `test` where there are files for them


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

    `source` names a module of `corpora.sources`; left out, it follows from the inputs' names, and the source decides
    the modality. `valid` and `test` are an input, or several, of the same source; without either, both are split off by
    a hash of each item. `settings` are those of the source, the build and the codec; a `chooser` chooses others once
    text is read. Raises InputError for anything wrong; then, as when interrupted, nothing is left behind.
    """
    by_split = {"train": list(inputs)} | {
        name: [several] if isinstance(several, str) else list(several)
        for name, several in (("valid", valid), ("test", test))
        if several is not None
    }
    everything = [one for several in by_split.values() for one in several]
    if everything.count("-") > 1:
        raise InputError("standard input (-) can be read once only")
    module = parts.find(_SOURCES, source or source_of(everything, settings or ()))
    # Settings of the source apart from the rest; an unknown one offers the nearest of all.
    config, *_ = parts.override([module.Config(), *modality.get(module.MODALITY).configs()], settings or {})
    rest = {key: value for key, value in (settings or {}).items() if key not in asdict(config)}
    build_items(
        {name: module.read(several, config) for name, several in by_split.items()},
        out,
        module.MODALITY,
        settings=rest,
        about=module.about(everything) if hasattr(module, "about") else None,
        source=lambda: _described(module, config, by_split),
        replace=replace,
        progress=progress,
        chooser=chooser,
    )
    return Corpus.open(out)


def build_items(
    items: Items,
    out: Path | str,
    kind: str | Modality = "text",
    *,
    codec: Codec | None = None,
    settings: Mapping[str, Any] | None = None,
    about: Mapping[str, Any] | None = None,
    source: Callable[[], dict[str, Any]] | None = None,
    replace: bool = False,
    progress: Progress | None = None,
    chooser: Chooser | None = None,
) -> None:
    """`build` for items of a modality that are already at hand: rows, pictures or clips.

    `codec`, if there is one, is taken as it is, but for the words that a lexicon gains; `about` is what a source says
    of its inputs; `source`, called at the end, describes where the items are from.
    """
    out, tell = Path(out), progress or (lambda what, count: None)
    kind = modality.get(kind) if isinstance(kind, str) else kind
    work = kind.prepare(settings or {}, codec, about or {}, chooser)
    if replace and out.exists():
        _check_replaced(out)
    files.sweep(out)
    with files.new_folder(out, replace=replace, check=_check_replaced) as folder, files.explained(out):
        labels: dict[str, int] = {}
        remarks = _Remarks()
        spools = {
            name: Spool(folder / name, work.entries(remarks.taken_from(items[name]), name), labels, tell)
            for name in SPLITS
            if name in items
        }
        if spools["train"].count:
            work.look(Selection(spools["train"]), len(spools) > 1)
        splits = split.assign(spools, work.config, repeats=work.repeats, unit=kind.unit, twins=work.twins())
        label_notes = classes.settle(spools, splits, labels, kind.unit)
        codec = work.fit_codec(Selection(spools["train"], splits.assign["train"]), tell)
        files.write_file(folder / codecs.FILE, files.to_json(codec.to_dict()))
        tags = work.tags()
        if tags and labels:
            raise InputError(f"tag=true: the {kind.units} have labels already; leave out one of the two")
        labels |= {tag: number for number, tag in enumerate(tags)}
        writing = _Writing(folder, codec, work, splits, kind.unit, labelled=bool(labels), tell=tell)
        facts = writing.write(spools)
        notes = [*work.notes(codec), *remarks.notes(), *splits.notes, *label_notes]
        manifest = _manifest(work, codec, spools, splits, writing.dropped, facts, list(labels)) | {"notes": notes}
        for spool in spools.values():
            spool.remove()
        at_hand = {"name": f"{kind.units} at hand", "settings": {}, "inputs": {}}
        files.write_manifest(folder, {**manifest, "source": source() if source else at_hand})


def _check_replaced(out: Path) -> None:
    """Raise InputError unless a folder is a corpus and holds nothing but what a build wrote."""
    where, remedy = files.quoted_path(out), "so it is not replaced: remove it yourself, or choose another --out"
    if out.is_symlink() or not (out / files.MANIFEST).is_file():
        raise InputError(f"{where} is {'a link' if out.is_symlink() else 'not a corpus'}, {remedy}")
    manifest = files.from_json(files.read_bytes(out / files.MANIFEST, 64 << 20), out / files.MANIFEST)
    listed = manifest.get("files")
    if not isinstance(listed, dict) or codecs.FILE not in listed or not isinstance(manifest.get("splits"), dict):
        raise InputError(f"{where} is not a corpus, {remedy}")
    others = sorted({path.name for path in out.iterdir()} - {*listed, files.MANIFEST, *_OF_THE_SYSTEM})
    if others:
        more = f" and {len(others) - 1:,} more" if len(others) > 1 else ""
        raise InputError(f"{where} holds {files.quoted_path(others[0])}{more}, which no build made, {remedy}")


class _Remarks:
    """The remarks that sources yield among their items, in the order of the first of each."""

    def __init__(self) -> None:
        self._numbers: dict[tuple[str, str], int | None] = {}  # by noun and remark

    def taken_from(self, items: Iterable[Any]) -> Iterator[Any]:
        """The items without the remarks among them, which are kept."""
        for item in items:
            if isinstance(item, Told):
                key = item.noun, item.remark
                before = self._numbers.get(key)
                self._numbers[key] = item.number if before is None else before + (item.number or 0)
            else:
                yield item

    def notes(self) -> list[str]:
        """A line for each remark."""
        return [as_note(Told(remark, number, noun)) for (noun, remark), number in self._numbers.items()]


def _manifest(
    work: Preparation,
    codec: Codec,
    spools: Mapping[str, Spool],
    splits: Splits,
    dropped: Counter[str],
    facts: dict[str, dict[str, int]],
    labels: list[str],
) -> dict[str, Any]:
    """The account of a build, but for its source and the files: how many items were read, dropped, and written."""
    dropped = sum((spool.dropped for spool in spools.values()), dropped)
    dropped["duplicates"] += splits.repeated
    return {
        "format": store.FORMAT,
        "settings": work.settings(),
        "codec": {"name": codec.name, "vocab_size": codec.vocab_size},
        "read": sum(spool.read for spool in spools.values()),
        "dropped": {reason: count for reason, count in dropped.items() if count},
        "held_out_duplicates_removed": splits.removed,
        "held_out_nearly": {name: count for name, count in splits.nearly.items() if count},
        "splits": facts,
        "label_names": labels,
        **work.facts(facts["train"]["rows"] // work.views),
    }


class _Writing:
    """Turns spools into the arrays of every split."""

    def __init__(
        self,
        folder: Path,
        codec: Codec,
        work: Preparation,
        splits: Splits,
        unit: str,
        *,
        labelled: bool,
        tell: Progress,
    ) -> None:
        self._folder, self._codec, self._work, self._splits = folder, codec, work, splits
        self._unit, self._labelled, self._tell = unit, labelled, tell
        self._tagged = bool(work.tags())
        self._done = 0
        self._counts: dict[str, Counter[str]] = {name: Counter() for name in splits.present}
        self.dropped: Counter[str] = Counter()
        self._shortest_dropped: int | None = None

    def write(self, spools: Mapping[str, Spool]) -> dict[str, dict[str, int]]:
        """Write the rows of all splits, of train with the views of its items; the facts of each for the manifest."""
        with ExitStack() as stack:
            writers = {
                name: stack.enter_context(
                    store.Writer(self._folder, name, self._codec.vocab_size, labels=self._labelled)
                )
                for name in self._splits.present
            }
            for view in range(self._work.views):
                for origin, spool in spools.items():
                    for chunk in spool.chunks():
                        places = self._splits.assign[origin](chunk)
                        for name in writers if view == 0 else ["train"]:
                            self._add(writers[name], name, chunk, np.flatnonzero(places == SPLITS.index(name)), view)
        return {name: self._facts(name, writer) for name, writer in writers.items()}

    def _add(self, writer: store.Writer, name: str, chunk: Chunk, places: np.ndarray, view: int) -> None:
        """Write one view of the items of a chunk that fall into a split."""
        if not len(places):
            return
        work, data = self._work, [chunk.data[place] for place in places]
        rows = work.tokens(self._codec, data, chunk.numbers[places], view)
        lengths = np.fromiter(map(len, rows), np.int64, len(rows))
        short, long = lengths < work.shortest, lengths > (work.longest or np.inf)
        self.dropped["too short"] += int(short.sum())
        self.dropped["too long"] += int(long.sum())
        if long.any():
            self._shortest_dropped = min(self._shortest_dropped or 2**62, int(lengths[long].min()))
        kept = np.flatnonzero(~short & ~long)
        labels = np.full(len(kept), work.tag(view)) if self._tagged else chunk.labels[places[kept]]
        writer.add([rows[row] for row in kept.tolist()], labels)
        self._counts[name] += work.measures(self._codec, [data[row] for row in kept])
        self._done += len(places)
        self._tell("writing", self._done)

    def _facts(self, name: str, writer: store.Writer) -> dict[str, int]:
        """The counts of a split. Raises InputError if it has no row."""
        if not writer.rows and not self.dropped["too short"] and not self.dropped["too long"]:
            share = getattr(self._work.config, f"{name}_share", None)
            raise InputError(
                f"no {self._unit} fell into {name}: the input has too few different ones for a share of {share}; raise "
                f"{name}_share, or set it to 0"
            )
        if not writer.rows:
            shortest = self._shortest_dropped
            over = f"the shortest that was dropped has {shortest:,}" if shortest else "none is left"
            raise InputError(
                f"no {self._unit} of {name} has between min_length={self._work.shortest} and "
                f"max_length={self._work.longest} tokens ({over}): raise max_length, or split long rows"
            )
        stops = int(self._codec.stop is not None)
        return {
            "rows": writer.rows,
            "tokens": writer.tokens + stops * writer.rows,
            "longest": writer.longest + stops,
            **{measure: self._counts[name][measure] for measure in self._codec.measures},
        }


def from_texts(
    texts: Iterable[str],
    codec: Codec | str | None = None,
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
        build_items(rows, out, codec=codec, settings=settings)
        return Corpus.open(out).in_memory()


def configs(source: str) -> list[Any]:
    """The settings that a build from a source has: of the source, of the build and, where it has some, of the codec."""
    return [parts.find(_SOURCES, source).Config(), *modality_of_source(source).configs()]


def modality_of_source(source: str) -> Modality:
    """The modality of the items that a source reads."""
    return modality.get(parts.find(_SOURCES, source).MODALITY)


def source_of(inputs: Sequence[str], settings: Iterable[str] = ()) -> str:
    """The source that inputs call for by their names, and text files by `settings` that only a table has.

    Raises InputError if they call for different ones, or are plainly nothing that is read.
    """
    if not inputs:
        raise InputError(
            "nothing to read: name a file, a folder, hf:NAME, toy, sprites, moons, or - for standard input"
        )
    sources = {}
    for one in inputs:
        claims = (name for name in parts.names(_SOURCES) if parts.find(_SOURCES, name).accepts(one))
        name = next(claims, "text")
        if name == "text":  # which is what remains: is it?
            refuse_empty(one)
            plain.refuse(one)
        sources[name] = one
    if len(sources) > 1:
        (first, one), (second, other) = list(sources.items())[:2]
        raise InputError(f"{one} looks like {first} and {other} like {second}: build from one kind, or name --source")
    chosen = next(iter(sources))
    return "table" if chosen == "text" and _OF_TABLES & {*settings} else chosen


def _described(module: ModuleType, config: Any, by_split: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """The manifest's account of the source: its name, settings and inputs."""
    files_of = getattr(module, "files_of", text_files)
    return {
        "name": module.__name__.rpartition(".")[2],
        "settings": without_folders(asdict(config), _PATHS),
        "inputs": {name: [_input(one, files_of) for one in several] for name, several in by_split.items()},
    }


def _input(one: str, files_of: Callable[[Sequence[str]], list[Path]]) -> dict[str, Any]:
    """The manifest's account of an input: its name without the folders around it and, for files, size and SHA-256."""
    path = Path(one.removeprefix("lecture:"))
    if one.startswith(("hf:", "hf-images:")):
        scheme, _, name = one.partition(":")
        return {"name": f"{scheme}:{Path(name).name}" if name.startswith(("/", ".", "~")) else one}
    if not (path.is_file() or path.is_dir()):
        return {"name": path.name or one}
    folder = path if path.is_dir() else path.parent
    return {
        "name": path.name,
        "files": [
            {
                "name": file.relative_to(folder).as_posix(),
                "bytes": file.stat().st_size,
                "sha256": files.sha256_file(file),
            }
            for file in files_of([one])
        ],
    }
