"""Everything a person does with corpora: one function each, with the defaults of the command line.

Each returns a small object: `str()` of it is what the command prints, `to_dict()` what it prints with `--json`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from corpora import codec as codecs
from corpora import fetch as fetching
from corpora import modality, settings
from corpora.codec import TextCodec
from corpora.modality import Chooser, Progress, modality_of

if TYPE_CHECKING:
    from corpora.corpus import Corpus

_KEPT = ("splits", "read", "dropped", "held_out_duplicates_removed", "label_names", "notes", "codec", "source")


@dataclass(frozen=True)
class Listing:
    """The sources, modalities and codecs, with their settings."""

    configs: dict[str, Any]  # by title: Config classes
    about: dict[str, str]  # by title: a line
    codecs: dict[str, list[str]]  # by modality

    def to_dict(self) -> dict[str, Any]:
        """Titles to settings, and the names of the codecs."""
        described = {
            title: {name: {"default": default, "doc": doc} for name, default, doc in settings.describe(config)}
            for title, config in self.configs.items()
        }
        return {**described, "codecs": self.codecs}

    def __str__(self) -> str:
        lines = []
        for title, config in self.configs.items():
            lines.append(f"{title}: {self.about[title]}")
            lines += [f"  {f'{name}={default}':<28} {doc}" for name, default, doc in settings.describe(config)]
            lines.append("")
        every = "; ".join(f"of {modality.get(name).units}: {', '.join(some)}" for name, some in self.codecs.items())
        return "\n".join([*lines, f"codecs {every}"])


def list_() -> Listing:
    """The sources, their settings, those of every build, and the codecs."""
    configs: dict[str, Any] = {}
    about: dict[str, str] = {}
    for name in settings.names("corpora.sources"):
        module = settings.find("corpora.sources", name)
        configs[f"source {name}"], about[f"source {name}"] = module.Config, str(module.__doc__).splitlines()[0]
    for kind in map(modality.get, modality.names()):
        for title, config in zip((f"every build of {kind.units}", "codec"), kind.configs(), strict=False):
            configs[title], about[title] = type(config), str(config.__doc__).splitlines()[0]
    return Listing(configs, about, {name: codecs.names(name) for name in modality.names()})


@dataclass(frozen=True)
class Built:
    """A corpus that was built."""

    folder: str
    corpus: Corpus

    def to_dict(self) -> dict[str, Any]:
        """Folder, fingerprint, and what the manifest says."""
        return {"folder": self.folder, "fingerprint": self.corpus.fingerprint} | _summary(self.corpus)

    def __str__(self) -> str:
        parts = ", ".join(f"{len(rows):,} {name}" for name, rows in self.corpus.splits.items())
        return "\n".join([f"built {self.folder}: {parts}; {_codec(self.corpus)}", *_losses(self.corpus)])


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
) -> Built:
    """Build the corpus `out` from inputs: `corpora.build.build`."""
    from corpora import build as building

    corpus = building.build(
        inputs,
        out,
        source=source,
        valid=valid,
        test=test,
        settings=settings,
        replace=replace,
        progress=progress,
        chooser=chooser,
    )
    return Built(str(out), corpus)


@dataclass(frozen=True)
class Fetched:
    """Files of a data set that were fetched."""

    name: str
    folder: str

    def to_dict(self) -> dict[str, Any]:
        """Folder, files, and the terms of use."""
        data = fetching.SETS[self.name]
        return {"folder": self.folder, "files": list(data.files), "terms": data.terms}

    def __str__(self) -> str:
        data = fetching.SETS[self.name]
        return (
            f"fetched {self.folder}: {', '.join(data.files)}; {data.terms}\n"
            f"next: corpora build {data.source.format(self.folder)} --out {self.name}"
        )


def fetch(
    name: str, out: Path | str | None = None, *, address: str | None = None, progress: Progress | None = None
) -> Fetched:
    """Fetch the files of the data set `name` into the new folder `out` (by default NAME-data).

    `address`: a mirror, the folder that the files lie in.
    """
    folder = fetching.fetch(name, out or f"{name}-data", address=address, tell=progress)
    return Fetched(name, str(folder))


@dataclass(frozen=True)
class Shown:
    """A corpus as a person looks at it."""

    folder: str
    corpus: Corpus
    verified: bool
    splits: dict[str, dict[str, Any]]  # counts, and of text the lengths and the share of unknown tokens
    examples: dict[str, list[dict[str, Any]]]  # of text: {"text": ..., "label": ...}

    def to_dict(self) -> dict[str, Any]:
        """Fingerprint, what the manifest says, the splits, and examples or the codec."""
        corpus = self.corpus
        summary = {"fingerprint": corpus.fingerprint} | _summary(corpus)
        summary |= {"splits": self.splits, "verified": self.verified}
        if isinstance(corpus.codec, TextCodec):
            return summary | {"examples": self.examples}
        details = {key: value for key, value in corpus.codec.to_dict().items() if key not in ("codec", "notes")}
        if corpus.codec.shape is not None:
            details["order"] = getattr(corpus.codec, "order", None)
        return summary | {corpus.codec.name: details}

    def __str__(self) -> str:
        corpus, source = self.corpus, self.corpus.manifest["source"]
        inputs = [str(one["name"]) for split in corpus.splits for one in source["inputs"].get(split, [])]
        lines = [
            f"{self.folder}  {corpus.fingerprint}{'  every byte verified' if self.verified else ''}",
            f"from      {source.get('name')}: {', '.join(inputs) or '-'}",
        ]
        if isinstance(corpus.codec, TextCodec):
            lower = ", lower case" if corpus.codec.lower else ""
            lines.append(f"codec     {corpus.codec.name}, {corpus.codec.vocab_size:,} tokens{lower}")
            table = self._lengths()
        else:
            lines.append(f"codec     {_codec(corpus)}")
            table = [f"\n{'split':<7}{'rows':>12}{'tokens':>14}"]
            table += [f"{name:<7}{one['rows']:>12,}{one['tokens']:>14,}" for name, one in self.splits.items()]
        lines += [*_losses(corpus), *table]
        for name, some in self.examples.items():
            lines.append(f"\n{name}")
            lines += [f"  {row['text']}" + (f"   [{row['label']}]" if row.get("label") else "") for row in some]
        return "\n".join(lines)

    def _lengths(self) -> list[str]:
        """The table of splits of text."""
        head = (
            f"\n{'split':<7}{'rows':>12}{'tokens':>14}{'bytes':>14}{'words':>13}   "
            f"{'length: median':<15}{'95 %':>6}{'longest':>9}  not in vocabulary"
        )
        return [head] + [
            f"{name:<7}{one['rows']:>12,}{one['tokens']:>14,}{one['bytes']:>14,}{one['words']:>13,}   "
            f"{one['length_median']:>15,}{one['length_95']:>6,}{one['longest']:>9,}  {one['fallback']:.2%}"
            for name, one in self.splits.items()
        ]


def show(folder: Path | str, *, verify: bool = False, n: int = 5) -> Shown:
    """Look into a corpus: its splits and, of text, `n` examples of each. `verify`: read every byte first."""
    from corpora.corpus import Corpus

    corpus = Corpus.open(folder, verify=verify)
    if not isinstance(corpus.codec, TextCodec):
        splits = {name: corpus.manifest["splits"][name] for name in corpus.splits}
        return Shown(str(folder), corpus, verify, splits, {})
    examples = {
        name: [
            {"text": rows.text(row), **({} if rows.labels is None else {"label": rows.label(row)})}
            for row in _spread(len(rows), n)
        ]
        for name, rows in corpus.splits.items()
    }
    return Shown(str(folder), corpus, verify, _shape(corpus, corpus.codec), examples)


def _codec(corpus: Corpus) -> str:
    return modality_of(corpus.codec).describe(corpus.codec)


def _summary(corpus: Corpus) -> dict[str, Any]:
    return {key: corpus.manifest[key] for key in _KEPT}


def _losses(corpus: Corpus) -> list[str]:
    """Lines on what was read, dropped and removed, on the labels, and the notes of the build."""
    manifest = corpus.manifest
    dropped = ", ".join(f"{count:,} {reason}" for reason, count in sorted(manifest["dropped"].items()))
    lines = [f"read      {manifest['read']:,} rows; dropped: {dropped or 'none'}"]
    removed = {name: count for name, count in manifest["held_out_duplicates_removed"].items() if count}
    if removed:
        several = ", ".join(f"{count:,} of {name} that are in another split too" for name, count in removed.items())
        lines.append(f"removed   {several}")
    names = manifest["label_names"]
    if names:
        lines.append(f"labels    {len(names):,}: {', '.join(names[:8])}{', ...' if len(names) > 8 else ''}")
    return lines + [f"note      {note}" for note in manifest["notes"]]


def _shape(corpus: Corpus, codec: TextCodec) -> dict[str, dict[str, Any]]:
    """The manifest's facts of each split, its lengths, and the share of tokens not in the vocabulary."""
    import numpy as np

    outside = np.zeros(codec.vocab_size, bool)
    outside[codec.fallback_tokens()] = True
    shape = {}
    for name, rows in corpus.splits.items():
        lengths = rows.lengths
        step = 1 << 22
        count = sum(int(outside[rows.tokens[i : i + step]].sum()) for i in range(0, len(rows.tokens), step))
        shape[name] = corpus.manifest["splits"][name] | {
            "length_median": int(np.median(lengths)),
            "length_95": int(np.percentile(lengths, 95)),
            "fallback": count / max(1, len(rows.tokens)),
        }
    return shape


def _spread(count: int, most: int) -> list[int]:
    """A few row numbers, evenly spread."""
    most = max(0, min(count, most))
    return [number * count // most for number in range(most)]
