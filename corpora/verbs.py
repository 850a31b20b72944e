"""The things a person does with corpora: one plain function each, with the defaults of the command line.

from corpora import verbs
print(verbs.build(["poems.txt"], "poems"))
print(verbs.show("poems"))

Every function raises InputError, with one line, for what it cannot do. Results print themselves; `to_dict()` is their
JSON.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from corpora import build as builds
from corpora import codec as codecs
from corpora import fetch as fetching
from corpora import modality as modalities
from corpora import overview
from corpora import settings as parts
from corpora.codec import TextCodec
from corpora.codecs.palette import Palette
from corpora.corpus import Corpus
from corpora.errors import InputError, counted
from corpora.pictures import palettes, sheet

Progress = Callable[[str, int], None]  # what is being done, how many are done
EXAMPLES = 10  # rows of each split that `show` shows
PICTURES = 96  # of a contact sheet
_LONGEST_EXAMPLE = 300  # characters of a row that `show` prints
_MOST_LABELS, _MOST_COLOURS = 20, 48  # that `show` prints; --json has all
_KEPT = ("splits", "read", "dropped", "held_out_duplicates_removed", "label_names", "notes", "codec", "source")


@dataclass(frozen=True)
class Sources:
    """The sources, the settings of every build, and the codecs."""

    configs: Mapping[str, type]
    headings: Mapping[str, str]
    codecs: Mapping[str, Sequence[str]]  # by what they are of: sentences, pictures, ...

    def to_dict(self) -> dict[str, Any]:
        rows = {title: parts.describe(config) for title, config in self.configs.items()}
        known = {
            title: {name: {"default": value, "doc": doc} for name, value, doc in own} for title, own in rows.items()
        }
        return {**known, "codecs": {units: list(names) for units, names in self.codecs.items()}}

    def __str__(self) -> str:
        lines = []
        for title, config in self.configs.items():
            lines.append(f"{title}: {self.headings[title]}")
            lines += [f"  {f'{name}={default}':<28} {doc}" for name, default, doc in parts.describe(config)]
            lines.append("")
        return "\n".join([*lines, *(f"codecs of {units}: {', '.join(names)}" for units, names in self.codecs.items())])


@dataclass(frozen=True)
class Built:
    """A corpus that was built into a folder."""

    corpus: Corpus
    folder: str

    def to_dict(self) -> dict[str, Any]:
        return {"folder": self.folder, "fingerprint": self.corpus.fingerprint} | _summary(self.corpus)

    def __str__(self) -> str:
        rows = ", ".join(f"{len(rows):,} {name}" for name, rows in self.corpus.splits.items())
        first = f"built {self.folder}: {rows}; {_described(self.corpus)}"
        return "\n".join([first, *_losses(self.corpus)])


@dataclass(frozen=True)
class Fetched:
    """The files of a data set, in a folder."""

    name: str
    folder: Path

    def to_dict(self) -> dict[str, Any]:
        data = fetching.SETS[self.name]
        return {"folder": str(self.folder), "files": list(data.files), "terms": data.terms}

    def __str__(self) -> str:
        data = fetching.SETS[self.name]
        line = f"fetched {self.folder}: {', '.join(data.files)}; {data.terms}"
        return f"{line}\nnext: corpora build {data.source.format(self.folder)} --out {self.name}"


@dataclass(frozen=True)
class Shown:
    """The contents of a corpus: where it is from, its codec, its splits, how long rows are, labels, rows or colours."""

    corpus: Corpus
    folder: str
    verified: bool
    examples: Mapping[str, list[dict[str, Any]]]

    @property
    def is_text(self) -> bool:
        """Whether rows are sentences."""
        return isinstance(self.corpus.codec, TextCodec)

    @property
    def splits(self) -> dict[str, dict[str, Any]]:
        """The facts of each split; of text with its lengths, and the share of tokens not in the vocabulary."""
        facts = {name: self.corpus.manifest["splits"][name] for name in self.corpus.splits}
        return _shape(self.corpus, facts) if self.is_text else facts

    @property
    def labels(self) -> dict[str, dict[str, int]]:
        """Rows of each split by label, the most frequent label first."""
        return overview.labels(self.corpus)

    @property
    def lengths(self) -> list[overview.Bar]:
        """Rows of train by length in tokens, the stop counted; nothing of pictures, all of one size."""
        return [] if self.corpus.codec.shape is not None else overview.histogram(self.corpus.rows("train").lengths)

    @property
    def colours(self) -> list[tuple[str, float]]:
        """The colours of the palette in its order, and the share of the pixels of train that each has."""
        codec = self.corpus.codec
        if not isinstance(codec, Palette):
            return []
        each = overview.shares(self.corpus.rows("train"), codec.vocab_size)
        return [(overview.colour_name(colour), share) for colour, share in zip(codec.colours, each, strict=True)]

    def contact_sheet(self, n: int = PICTURES) -> overview.Contact:
        """Some pictures of train, a line for each label, over the palette. Raises InputError if there are none."""
        if self.corpus.codec.shape is None:
            raise InputError(f"{self.folder}: a contact sheet is of pictures; these are {self.corpus.codec.things}")
        return overview.contact_sheet(self.corpus, n)

    def save(self, out: str | Path, n: int = PICTURES) -> Path:
        """Write the contact sheet as a PNG file."""
        if Path(out).suffix.lower() != ".png":
            raise InputError(f"--out {out}: a contact sheet is written as PNG: choose a name that ends in .png")
        contact = self.contact_sheet(n)
        height, width = self.corpus.rows("train").picture(0).shape[:2]
        scale = max(1, sheet.scale_for(height, width) // 2)
        return sheet.write(out, overview.png(contact, scale))

    def to_dict(self) -> dict[str, Any]:
        facts = {"fingerprint": self.corpus.fingerprint} | _summary(self.corpus)
        facts |= {"splits": self.splits, "verified": self.verified, "labels": self.labels}
        codec = self.corpus.codec
        if codec.shape is None:
            facts["lengths"] = {"split": "train", "unit": "tokens", "bars": overview.to_json(self.lengths)}
        if self.is_text:
            return facts | {"examples": dict(self.examples)}
        own = {key: value for key, value in codec.to_dict().items() if key not in ("codec", "notes")}
        order = getattr(codec, "order", None)
        own |= {} if order is None else {"order": order, "shares": [round(share, 6) for _, share in self.colours]}
        return facts | {codec.name: own}

    def __str__(self) -> str:
        source = self.corpus.manifest["source"]
        inputs = [str(one["name"]) for split in self.corpus.splits for one in source["inputs"].get(split, [])]
        lines = [f"{self.folder}  {self.corpus.fingerprint}{'  every byte verified' if self.verified else ''}"]
        lines += [f"from      {source.get('name')}: {', '.join(inputs) or '-'}"]
        lines += [f"codec     {_described(self.corpus)}", *_losses(self.corpus), "", *self._table()]
        lines += [*self._lengths(), *self._labels(), *self._colours()]
        for name, rows in self.examples.items():
            texts = [f"  {_cut(row['text'])}{_label(row.get('label'))}".replace("\n", "\n  ") for row in rows]
            lines += ["", name, *texts] if self.is_text else []
        return "\n".join(lines)

    def _lengths(self) -> list[str]:
        """The histogram of lengths."""
        ranges = {
            (f"{bar.low:,}" if bar.low == bar.high else f"{bar.low:,}-{bar.high:,}"): bar.rows for bar in self.lengths
        }
        return ["", "lengths of train, in tokens (stop counted)", *overview.bars(ranges)] if ranges else []

    def _labels(self) -> list[str]:
        """The table of labels: rows of each split, the most frequent label first."""
        every = self.labels
        if not every:
            return []
        most = list(every.items())[:_MOST_LABELS]
        wide = max(len("label"), *(len(_cut(name, 40)) for name, _ in most))
        lines = [f"{'label':<{wide}}" + "".join(f"{split:>12}" for split in self.corpus.splits)]
        lines += [
            f"{_cut(name, 40):<{wide}}" + "".join(f"{counts.get(split, 0):>12,}" for split in self.corpus.splits)
            for name, counts in most
        ]
        more = len(every) - len(most)
        return ["", *lines, *([f"... and {more:,} labels more (--json lists all)"] if more else [])]

    def _colours(self) -> list[str]:
        """The palette: number, colour and share of each, some on a line."""
        every = self.colours
        if not every:
            return []
        cells = [f"{number:>4} {name:<11} {share:>6.1%}" for number, (name, share) in enumerate(every)][:_MOST_COLOURS]
        lines = ["   ".join(cells[start : start + 4]) for start in range(0, len(cells), 4)]
        more = len(every) - len(cells)
        lines += [f"... and {more:,} colours more (--json lists all)"] if more else []
        return ["", "palette, with the share of the pixels of train", *lines]

    def _table(self) -> list[str]:
        if not self.is_text:
            rows = [f"{name:<7}{facts['rows']:>12,}{facts['tokens']:>14,}" for name, facts in self.splits.items()]
            return [f"{'split':<7}{'rows':>12}{'tokens':>14}", *rows]
        lines = [
            f"{'split':<7}{'rows':>12}{'tokens':>14}{'bytes':>14}{'words':>13}   "
            f"{'length: median':<15}{'95 %':>6}{'longest':>9}  not in vocabulary"
        ]
        for name, facts in self.splits.items():
            lines.append(
                f"{name:<7}{facts['rows']:>12,}{facts['tokens']:>14,}{facts['bytes']:>14,}{facts['words']:>13,}   "
                f"{facts['length_median']:>15,}{facts['length_95']:>6,}{facts['longest']:>9,}  {facts['fallback']:.2%}"
            )
        return lines


@dataclass(frozen=True)
class Swatches:
    """A palette that was written into a file."""

    file: str
    colours: Sequence[tuple[int, int, int, int]]  # red, green, blue, alpha
    notes: Sequence[str]  # what the format could not hold

    def to_dict(self) -> dict[str, Any]:
        return {"file": self.file, "colours": [list(colour) for colour in self.colours], "notes": list(self.notes)}

    def __str__(self) -> str:
        clear = ", one of them transparent" if any(colour[3] == 0 for colour in self.colours) else ""
        first = (
            f"wrote {self.file}: the {len(self.colours):,} colours of the palette{clear}, in the order of its tokens"
        )
        return "\n".join([first, *(f"note      {note}" for note in self.notes)])


# -------------------------------------------------------------------------------------------------------- verbs


def list_() -> Sources:
    """The sources, their settings, and the codecs."""
    modules = {name: parts.find("corpora.sources", name) for name in parts.names("corpora.sources")}
    configs = {f"source {name}": module.Config for name, module in modules.items()}
    headings = {f"source {name}": _first_line(module) for name, module in modules.items()}
    for kind in map(modalities.get, modalities.names()):
        of_build, *of_codec = kind.configs()
        configs[f"every build of {kind.units}"] = type(of_build)
        configs |= {"codec": type(of_codec[0])} if of_codec else {}
    headings |= {title: _first_line(config) for title, config in configs.items() if title not in headings}
    kinds = [modalities.get(name) for name in modalities.names()]
    return Sources(configs, headings, {kind.units: codecs.names(kind.name) for kind in kinds})


def _first_line(documented: Any) -> str:
    return str(documented.__doc__).splitlines()[0]


def build(
    inputs: Sequence[str],
    out: str | Path,
    *,
    settings: Mapping[str, Any] | None = None,
    source: str | None = None,
    valid: str | Sequence[str] | None = None,
    test: str | Sequence[str] | None = None,
    replace: bool = False,
    progress: Progress | None = None,
) -> Built:
    """Build the corpus `out` from files, folders and other inputs; `settings` as `corpora list` names them."""
    ways: dict[str, Any] = {"source": source, "valid": valid, "test": test, "replace": replace}
    corpus = builds.build(list(inputs), out, settings=dict(settings or {}), progress=progress, **ways)
    return Built(corpus, str(out))


def fetch(
    name: str, out: str | Path | None = None, *, address: str | None = None, tell: Progress | None = None
) -> Fetched:
    """Fetch the files of a data set into the folder `out`, by default NAME-data; `address`: a mirror."""
    telling: dict[str, Any] = {} if tell is None else {"tell": tell}
    return Fetched(name, Path(fetching.fetch(name, str(out or f"{name}-data"), address=address, **telling)))


def show(folder: str | Path, *, n: int = EXAMPLES, verify: bool = False) -> Shown:
    """The contents of a corpus, with `n` examples of each split; `verify` reads every byte and compares the hashes."""
    corpus = Corpus.open(folder, verify=verify)
    examples: dict[str, list[dict[str, Any]]] = {}
    if isinstance(corpus.codec, TextCodec):
        for name, rows in corpus.splits.items():
            examples[name] = [
                {"text": rows.text(i)} | ({} if rows.labels is None else {"label": rows.label(i)})
                for i in overview.spread(len(rows), n)
            ]
    return Shown(corpus, str(folder), verify, examples)


def palette(place: str | Path, out: str | Path) -> Swatches:
    """Write the palette of a corpus, a model folder, a run, or a model that ships, as the ending of `out` says: .gpl
    (GIMP), .hex, .pal (JASC), .txt (Paint.NET), .ase, .act (Adobe), .png (an indexed picture of the swatches).

    Raises InputError for rows that are no pictures, and for another ending.
    """
    codec = codecs.read(codecs.folder_of(place))
    if not isinstance(codec, Palette):
        raise InputError(f"{place}: its codec is {codec.name}, for {codec.things}: pictures alone have a palette")
    return Swatches(str(out), codec.colours, palettes.write(out, codec.colours))


# ------------------------------------------------------------------------------------------------------- facts


def _described(corpus: Corpus) -> str:
    return modalities.modality_of(corpus.codec).describe(corpus.codec)


def _label(label: str | None) -> str:
    return "" if label is None else f"   [{label}]"


def _cut(text: str, longest: int = _LONGEST_EXAMPLE) -> str:
    """A text as it is printed: a long one is cut, and says so."""
    return text if len(text) <= longest else f"{text[:longest]}... ({len(text):,} characters)"


def _summary(corpus: Corpus) -> dict[str, Any]:
    return {key: corpus.manifest[key] for key in _KEPT}


def _losses(corpus: Corpus) -> list[str]:
    """Lines on the rows that were read and are not there, the labels, and the notes of the build."""
    manifest = corpus.manifest
    dropped = ", ".join(f"{count:,} {reason}" for reason, count in sorted(manifest["dropped"].items()))
    lines = [f"read      {counted(manifest['read'], 'row')}; dropped: {dropped or 'none'}"]
    removed = {name: count for name, count in manifest["held_out_duplicates_removed"].items() if count}
    if removed:
        nearly = manifest.get("held_out_nearly", {})
        each = ", ".join(
            f"{count:,} of {name} that are in another split{_but(nearly.get(name))}" for name, count in removed.items()
        )
        lines.append(f"removed   {each}")
    names = manifest["label_names"]
    if names:
        lines.append(f"labels    {len(names):,}: {', '.join(names[:8])}{', ...' if len(names) > 8 else ''}")
    return lines + [f"note      {note}" for note in manifest["notes"]]


def _but(nearly: Any) -> str:
    return f" ({nearly:,} but for case, spaces or punctuation)" if isinstance(nearly, int) and nearly else ""


def _shape(corpus: Corpus, facts: Mapping[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The facts of each split, with its lengths, and the share of tokens not in the vocabulary."""
    outside = np.zeros(corpus.codec.vocab_size, bool)
    outside[codecs.of_text(corpus.codec).fallback_tokens()] = True
    shape = {}
    for name, rows in corpus.splits.items():
        lengths, step = rows.lengths, 1 << 22
        count = sum(int(outside[rows.tokens[i : i + step]].sum()) for i in range(0, len(rows.tokens), step))
        shape[name] = facts[name] | {
            "length_median": int(np.median(lengths)),
            "length_95": int(np.percentile(lengths, 95)),
            "fallback": count / max(1, len(rows.tokens)),
        }
    return shape
