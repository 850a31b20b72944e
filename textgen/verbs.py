"""The things a person does with sentences: one plain function each, with the defaults of the command line.

from textgen import verbs
print(verbs.interpolate("i went home early .", "she said nothing ."))
for sentence in verbs.sample(20, model="runs/1").sentences: ...

`model` is a shipped name, a run, a model folder, a Hugging Face id, or a model opened already (`textgen.open_model`),
which answers faster. Every function raises InputError, with one line, for what it cannot do. Results print themselves;
`to_dict()` is their JSON.
"""

from __future__ import annotations

import dataclasses
import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from corpora import files, settings
from corpora.codec import Codec
from corpora.errors import InputError
from corpora.modality import modality_of
from corpora.settings import require
from textgen.core import trainer
from textgen.core.model import Latent
from textgen.core.sampler import Choice, Constraint
from textgen.core.sampler import choice as choice
from textgen.runs import library
from textgen.runs.library import Opened
from textgen.sentences import defaults
from textgen.sentences.draw import draw
from textgen.sentences.grid import Grid
from textgen.sentences.sentence_vae import SentenceVAE
from textgen.sentences.walk import Walk

if TYPE_CHECKING:
    from textgen.runs.run import Run
    from textgen.runs.screen import Screen

Model = str | Path | Opened
AT_ONCE = 64  # rows drawn together
NO_UNK = "unknown words (<unk>) are not written, and the known ones share their probability; --unk allows them"
THREADS = 1  # for small work several threads wait for each other longer than they work (docs/results)


# ------------------------------------------------------------------------------------------------------- results


@dataclass(frozen=True)
class Samples:
    """New sentences, and how they were drawn (where the model has codes)."""

    sentences: list[str]
    seed: int
    drawn: Mapping[str, float]  # beams, code temperature, best of
    note: str = ""  # in which way they are not quite the model's own

    def to_dict(self) -> dict[str, Any]:
        note = {"note": self.note} if self.note else {}
        return {"seed": self.seed, **self.drawn, **note, "sentences": self.sentences}

    def __str__(self) -> str:
        between = "\n\n" if any("\n" in sentence for sentence in self.sentences) else "\n"  # rows of several lines
        return between.join(self.sentences)


@dataclass(frozen=True)
class Clips:
    """New rows of a model whose things are no sentences, such as clips of sound."""

    codec: Codec
    tokens: list[list[int]]
    seed: int

    def save(self, out: str | Path) -> list[tuple[str, str]]:
        """Write a file for each, named after `out`: (what it is, a line with its name)."""
        path = Path(out)
        with files.explained(path):
            return modality_of(self.codec).preview(self.codec, self.tokens, path.parent, path.stem)

    def to_dict(self) -> dict[str, Any]:
        return {"seed": self.seed, "tokens": self.tokens}

    def __str__(self) -> str:
        return f"{len(self.tokens)} {modality_of(self.codec).units}, seed {self.seed}"


@dataclass(frozen=True)
class Reconstructions:
    """Sentences beside what their codes decode to."""

    pairs: list[tuple[str, str]]
    exact: list[bool]

    def to_dict(self) -> list[dict[str, Any]]:
        rows = zip(self.pairs, self.exact, strict=True)
        return [{"given": one, "decoded": other, "exact": exact} for (one, other), exact in rows]

    def __str__(self) -> str:
        lines = [f"given    {one}\ndecoded  {other}" for one, other in self.pairs]
        return "\n".join([*lines, f"{sum(self.exact)} of {len(self.exact)} exactly"])


@dataclass(frozen=True)
class Neighbours:
    """Sentences and the distances of their codes, the nearest first."""

    nearest: list[tuple[str, float]]

    def to_dict(self) -> list[dict[str, Any]]:
        return [{"text": text, "distance": distance} for text, distance in self.nearest]

    def __str__(self) -> str:
        return "\n".join(f"{distance:6.2f}  {text}" for text, distance in self.nearest)


@dataclass(frozen=True)
class Sums:
    """The sentences that a sentence, minus some, plus others decodes to, one for each strength."""

    sentence: str
    results: list[tuple[float, str]]

    def to_dict(self) -> list[dict[str, Any]]:
        return [{"strength": strength, "text": text} for strength, text in self.results]

    def __str__(self) -> str:
        return "\n".join([f"given  {self.sentence}", *(f"{strength:5.2f}  {text}" for strength, text in self.results)])


@dataclass(frozen=True)
class Codes:
    """Codes of sentences, (N, Z)."""

    codes: np.ndarray
    sentences: list[str]

    def save(self, out: str | Path) -> Path:
        """Write a .npz file with the arrays `codes` and `sentences`, whole or not at all."""
        data = io.BytesIO()
        np.savez(data, codes=self.codes, sentences=np.array(self.sentences))
        path = Path(out)
        with files.explained(path):
            files.replace_file(path, data.getvalue())
        return path


@dataclass(frozen=True)
class Decoded:
    """A sentence for each code."""

    sentences: list[str]

    def to_dict(self) -> list[str]:
        return self.sentences

    def __str__(self) -> str:
        return "\n".join(self.sentences)


@dataclass(frozen=True)
class Exported:
    """A model folder to share."""

    out: Path
    megabytes: float
    program: str

    def to_dict(self) -> dict[str, Any]:
        return {"out": str(self.out), "MB": round(self.megabytes, 1)}

    def __str__(self) -> str:
        return f"{self.out}: {self.megabytes:.1f} MB; try: {self.program} sample --model {self.out}"


@dataclass(frozen=True)
class Listing:
    """The models that ship, the kinds of models, and the settings of every part."""

    shipped: Mapping[str, Path]
    default: str
    parts: Mapping[str, Any]  # a Config for each title
    headings: Mapping[str, str]
    kinds: Mapping[str, Sequence[str]]

    def to_dict(self) -> dict[str, Any]:
        rows = {title: settings.describe(config) for title, config in self.parts.items()}
        known = {
            title: {name: {"default": value, "doc": doc} for name, value, doc in own} for title, own in rows.items()
        }
        return {"shipped": [*self.shipped], "default": self.default, **self.kinds, "settings": known}

    def __str__(self) -> str:
        lines = ["shipped:"]
        for name, folder in self.shipped.items():
            size = sum(path.stat().st_size for path in folder.iterdir()) / 1e6
            lines.append(f"  {name:<28} {size:.1f} MB{'  (the default)' if name == self.default else ''}")
        lines += [f"\n{kind}: {', '.join(names)}" for kind, names in self.kinds.items()]
        for title, config in self.parts.items():
            lines.append(f"\n{self.headings.get(title, title)}")
            lines += [f"  {f'{name}={value}':<28} {doc}" for name, value, doc in settings.describe(config)]
        return "\n".join(lines)


def rules(
    codec: Codec,
    sentences: Iterable[str] = (),
    *,
    length: int | None = None,
    tones: str | None = None,
    rhyme: str | None = None,
    new_words: bool | None = None,
) -> Constraint | None:
    """The rule that every written line obeys, or None: that of verse, or with `new_words=False` to write words of the
    model's lexicon, and of these sentences, alone."""
    verse = {"length": length, "tones": tones, "rhyme": rhyme}
    verse = {name: value for name, value in verse.items() if value is not None}
    if verse:
        if new_words is False:
            raise InputError(
                f"--no-new-words and --{next(iter(verse))} are for different models: leave one of them out"
            )
        from textgen.sentences.verse import Verse

        return Verse(codec, **verse)  # type: ignore[arg-type]
    if new_words is False:
        from textgen.sentences.lexicon import Spelling

        return Spelling(codec, sentences)
    return None


# ------------------------------------------------------------------------------------------------------ sentences


def interpolate(
    start: str,
    end: str,
    *,
    model: Model = library.DEFAULT_MODEL,
    steps: int | None = defaults.STEPS,
    path: str = defaults.PATH,
    pace: str = defaults.PACE,
    beams: int | None = None,
    rerank: bool = True,
    refine: int = defaults.REFINE,
    length: int | None = None,
    tones: str | None = None,
    rhyme: str | None = None,
    new_words: bool | None = None,
    device: str = "auto",
    threads: int | None = THREADS,
) -> Walk:
    """Walk from one sentence to another, through sentences; `steps=None` finds how many by bisection."""
    vae = SentenceVAE(library.ready(model, device=device, threads=threads), new_words=bool(new_words))
    rule = rules(vae.codec, [start, end], length=length, tones=tones, rhyme=rhyme, new_words=new_words)
    return vae.interpolate(
        start, end, steps=steps, path=path, pace=pace, beams=beams, rerank=rerank, refine=refine, constraint=rule
    )


def sample(
    n: int = defaults.SAMPLES,
    *,
    model: Model = library.DEFAULT_MODEL,
    prompt: str = "",
    how: Choice | None = None,
    beams: int | None = None,
    best_of: int | None = None,
    code_temperature: float | None = None,
    label: str | None = None,
    length: int | None = None,
    tones: str | None = None,
    rhyme: str | None = None,
    new_words: bool | None = None,
    prior: str | None = None,
    seed: int = 0,
    device: str = "auto",
    threads: int | None = THREADS,
) -> Samples | Clips:
    """Draw new sentences: of a model with codes the most probable ones, unless it is said how tokens are chosen. Of a
    model of other things, such as clips of sound, draw those."""
    require(1 <= n <= 1_000_000, "n", n, "1 to 1,000,000")
    opened = library.ready(model, device=device, threads=threads, prior=prior)
    if opened.codec.modality not in ("text", "picture"):
        for_text = {"--prompt": prompt, "--beams": beams, "--length": length, "--tones": tones, "--rhyme": rhyme}
        return _clips(opened, n, how, code_temperature, label, seed, for_text | {"--best-of": best_of})
    coded = isinstance(opened.model, Latent)
    if not coded and beams:
        raise InputError("--beams needs a model with codes: every beam of a language model is the same sentence")
    check_codes(opened, code_temperature)
    by_token = not coded or how is not None or bool(prompt)
    rule = rules(opened.codec, [prompt], length=length, tones=tones, rhyme=rhyme, new_words=new_words)
    allowed = how is not None and how.unk
    note = NO_UNK if opened.codec.unknown and not allowed else ""
    ways: dict[str, Any] = {"seed": seed, "how": how, "prompt": prompt, "label": label, "constraint": rule}
    if not coded:
        return Samples(draw(opened, n, best_of=1 if best_of is None else best_of, **ways), seed, {}, note)
    vae = SentenceVAE(opened, new_words=bool(new_words))
    texts = vae.sample(n, beams=beams, best_of=best_of, code_temperature=code_temperature, **ways)
    fluent = vae.model.code_free
    drawn = defaults.sampling(beams, best_of, code_temperature, by_token=by_token, fluent=fluent)
    facts = {name: value for name, value in drawn._asdict().items() if value is not None}
    return Samples(texts, seed, facts, "" if drawn.beams else note)


def _clips(
    opened: Opened,
    n: int,
    how: Choice | None,
    code_temperature: float | None,
    label: str | None,
    seed: int,
    for_text: Mapping[str, Any],
) -> Clips:
    """Rows of a model whose things are no sentences."""
    for option, value in for_text.items():
        if value:
            raise InputError(f"{option} is for sentences: {opened.name} draws {modality_of(opened.codec).units}")
    check_codes(opened, code_temperature)
    heat, labels, tokens = 1.0 if code_temperature is None else code_temperature, opened.labels(label, n), []
    for first in range(0, n, AT_ONCE):
        some = labels[first : first + AT_ONCE]
        ways: dict[str, Any] = {"labels": some, "how": how, "code_temperature": heat, "seed": seed, "first": first}
        tokens += opened.model.sample(len(some), length=opened.length, **ways).tolist()
    return Clips(opened.codec, tokens, seed)


def check_codes(opened: Opened, code_temperature: float | None) -> None:
    """Refuse a temperature of the codes for a model that has none."""
    if code_temperature is not None and not isinstance(opened.model, Latent):
        raise InputError(f"--code-temperature needs a model with codes; {opened.name} has none")


def reconstruct(
    sentences: Sequence[str],
    *,
    model: Model = library.DEFAULT_MODEL,
    beams: int = defaults.RECONSTRUCT_BEAMS,
    refine: int = defaults.REFINE,
    label: str | None = None,
    length: int | None = None,
    tones: str | None = None,
    rhyme: str | None = None,
    new_words: bool | None = None,
    device: str = "auto",
    threads: int | None = THREADS,
) -> Reconstructions:
    """Encode sentences and decode them again."""
    vae = SentenceVAE(library.ready(model, device=device, threads=threads))
    rule = rules(vae.codec, sentences, length=length, tones=tones, rhyme=rhyme, new_words=new_words)
    decoded = vae.reconstruct(sentences, label=label, beams=beams, refine=refine, constraint=rule)
    pairs = list(zip(sentences, decoded, strict=True))
    return Reconstructions(pairs, [vae.proper(one) == other for one, other in pairs])


def neighbours(
    sentence: str,
    data: str | Path,
    *,
    model: Model = library.DEFAULT_MODEL,
    n: int = defaults.NEIGHBOURS,
    split: str = "train",
    rows: int = defaults.NEIGHBOUR_ROWS,
    seed: int = 0,
    device: str = "auto",
    threads: int | None = THREADS,
) -> Neighbours:
    """The sentences of a corpus or text file nearest to a sentence, by their codes; of `rows` drawn (0: of all)."""
    from textgen.sentences import measures

    vae = SentenceVAE(library.ready(model, device=device, threads=threads))
    texts, _ = measures.texts(Path(data), split)
    if 0 < rows < len(texts):
        drawn = np.random.default_rng(seed).choice(len(texts), rows, replace=False)
        texts = [texts[row] for row in sorted(drawn)]
    return Neighbours(vae.neighbours(sentence, texts, count=n))


def arithmetic(
    sentence: str,
    minus: Sequence[str],
    plus: Sequence[str],
    *,
    model: Model = library.DEFAULT_MODEL,
    strengths: Sequence[float] = defaults.STRENGTHS,
    beams: int = defaults.BEAMS,
    refine: int = defaults.REFINE,
    length: int | None = None,
    tones: str | None = None,
    rhyme: str | None = None,
    new_words: bool | None = None,
    device: str = "auto",
    threads: int | None = THREADS,
) -> Sums:
    """Decode the code of `sentence` - `minus` + `plus`, each side averaged, at each strength."""
    vae = SentenceVAE(library.ready(model, device=device, threads=threads), new_words=bool(new_words))
    every = [sentence, *minus, *plus]
    rule = rules(vae.codec, every, length=length, tones=tones, rhyme=rhyme, new_words=new_words)
    texts = vae.arithmetic(sentence, minus, plus, strengths=strengths, beams=beams, refine=refine, constraint=rule)
    return Sums(sentence, list(zip(strengths, texts, strict=True)))


def vary(
    sentence: str,
    *,
    model: Model = library.DEFAULT_MODEL,
    dims: int | Sequence[int] = defaults.VARY_DIMS,
    steps: int = defaults.VARY_STEPS,
    span: float = defaults.VARY_SPAN,
    beams: int = defaults.VARY_BEAMS,
    refine: int = defaults.REFINE,
    length: int | None = None,
    tones: str | None = None,
    rhyme: str | None = None,
    new_words: bool | None = None,
    device: str = "auto",
    threads: int | None = THREADS,
) -> Grid:
    """Turn one or two of a sentence's codes, the others held. `dims`: how many, or a list of their numbers."""
    vae = SentenceVAE(library.ready(model, device=device, threads=threads), new_words=bool(new_words))
    rule = rules(vae.codec, [sentence], length=length, tones=tones, rhyme=rhyme, new_words=new_words)
    return vae.vary(sentence, dims=dims, steps=steps, span=span, beams=beams, refine=refine, constraint=rule)


def encode(
    sentences: Sequence[str],
    *,
    model: Model = library.DEFAULT_MODEL,
    draw: bool = False,
    refine: int = defaults.REFINE,
    seed: int = 0,
    device: str = "auto",
    threads: int | None = THREADS,
) -> Codes:
    """Codes of sentences: the posterior means, or with `draw` draws from the posterior."""
    vae = SentenceVAE(library.ready(model, device=device, threads=threads))
    codes = vae.encode(list(sentences), seed=seed if draw else None, refine=refine)
    return Codes(codes.cpu().numpy(), list(sentences))


def decode(
    codes: str | Path | np.ndarray,
    *,
    model: Model = library.DEFAULT_MODEL,
    beams: int = defaults.DECODE_BEAMS,
    label: str | None = None,
    length: int | None = None,
    tones: str | None = None,
    rhyme: str | None = None,
    new_words: bool | None = None,
    device: str = "auto",
    threads: int | None = THREADS,
) -> Decoded:
    """A sentence for each code: an array (N, Z), or a .npz file with an array `codes`, as `encode` writes it."""
    array = codes if isinstance(codes, np.ndarray) else _read_codes(Path(codes))
    vae = SentenceVAE(library.ready(model, device=device, threads=threads))
    rule = rules(vae.codec, length=length, tones=tones, rhyme=rhyme, new_words=new_words)
    return Decoded(vae.decode(torch.from_numpy(array), beams=beams, label=label, constraint=rule))


def _read_codes(path: Path) -> np.ndarray:
    data = files.read_bytes(path, 1 << 30)
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
            return np.asarray(arrays["codes"], np.float32)
    except Exception as error:  # whatever a parser may stumble on, the file is at fault
        raise InputError(
            f"{path}: no .npz file with an array `codes` of numbers; `textgen encode` writes such files"
        ) from error


def evaluate(
    data: str | Path,
    *,
    model: Model = library.DEFAULT_MODEL,
    split: str = "test",
    rows: int = defaults.EVALUATE_ROWS,
    samples: int | None = None,
    everywhere: int = 0,
    ais: int = 0,
    groups: str | Path | None = None,
    max_words: int = 0,
    beams: int = defaults.EVALUATE_BEAMS,
    prior: str | None = None,
    seed: int = 0,
    device: str = "auto",
    threads: int | None = None,
    progress: bool = False,
) -> Any:
    """Likelihood, rate, mutual information and reconstruction on the sentences of a corpus or a text file.

    `samples`: codes for each sentence, by default 500; or with `ais` the annealed chains of so many steps, by default
    16. `groups`: `label`, or a file with a line for each sentence: errors are over them.
    """
    from textgen.sentences import measures

    opened = library.ready(model, device=device, threads=threads, prior=prior)
    kept, where = measures.labelled(Path(data), split)
    named = None if groups is None else measures.groups_of(kept, groups)
    if max_words:
        short = [row for row, one in enumerate(kept) if len(one.text.split()) <= max_words]
        kept, named = [kept[row] for row in short], None if named is None else [named[row] for row in short]
        where += f", to {max_words} words"
    return measures.measure(
        opened,
        [row.text for row in kept],
        where=where,
        labels=[row.label for row in kept],
        rows=rows,
        samples=defaults.codes_for(samples, ais),
        everywhere=everywhere,
        ais=ais,
        groups=named,
        seed=seed,
        beams=beams,
        progress=progress,
    )


# ------------------------------------------------------------------------------------- train, prior, models, export


def train(
    inputs: Sequence[str | Path], out: str | Path | None = None, *, screen: Screen | None = None, **options: Any
) -> Path:
    """Train a model on text, or on a corpus, and return its best checkpoint; `options` as for `textgen.runs.begin`.

    `out`: the run folder, by default the first of runs/1, runs/2, ... that is free.
    """
    return new_run(inputs, out, screen=screen, **options).train(screen)


def new_run(
    inputs: Sequence[str | Path], out: str | Path | None = None, *, screen: Screen | None = None, **options: Any
) -> Run:
    """Begin the run that `train` trains."""
    from textgen.runs.begin import begin
    from textgen.runs.folder import chosen
    from textgen.sentences import preset

    with chosen(out) as folder:
        return begin(inputs, folder, sizer=preset.Auto, screen=screen, **options)


def resume(folder: str | Path, *, steps: int | None = None, screen: Screen | None = None) -> Path:
    """Go on with a run, bit for bit, and return its best checkpoint."""
    from textgen.runs.run import Run

    return Run.open(folder).train(screen, steps=steps)


def prior(
    model: str | Path,
    data: str | Path,
    out: str | Path,
    *,
    kind: str,
    settings: Mapping[str, Any] | None = None,
    split: str = "train",
    rows: int = defaults.PRIOR_ROWS,
    keep_worse: bool = False,
    seed: int = 0,
    device: str = "auto",
    threads: int | None = None,
    tell: Callable[[str, int, int], None] | None = None,
) -> Any:
    """Fit a prior to the codes of a trained model, and write a model folder that has it.

    Raises InputError for one that is worse than N(0, I) on held-out codes, unless `keep_worse`.
    """
    from textgen.runs.fit_prior import fit

    if threads:
        torch.set_num_threads(threads)
    ways: dict[str, Any] = {"split": split, "rows": rows, "seed": seed, "device": trainer.pick_device(device)}
    ways["keep_worse"] = keep_worse
    ways |= {} if tell is None else {"tell": tell}
    return fit(str(model), str(data), str(out), kind=kind, settings=dict(settings or {}), **ways)


def models() -> Listing:
    """The models that ship, and the settings of each kind of model."""
    from textgen.core.recipes import PACKAGES

    modules: dict[str, Any] = {}
    for title, package in (("model", "textgen.models"), *PACKAGES.items()):
        for name in settings.names(package):
            modules[f"{title} {name}"] = settings.find(package, name)
    parts = {title: module.Config for title, module in modules.items()} | {"training": trainer.Config}
    parts |= {f"fitting of {title}": module.Fit for title, module in modules.items() if hasattr(module, "Fit")}
    abouts = {title: modules[title.removeprefix("fitting of ")] for title in parts if title != "training"}
    abouts["training"] = trainer.Config
    headings = {title: f"{title}: {(about.__doc__ or '').strip().splitlines()[0]}" for title, about in abouts.items()}
    return Listing(library.shipped("textgen"), library.DEFAULT_MODEL, parts, headings, {})


def export(
    source: Model,
    out: str | Path,
    *,
    half: bool = True,
    int8: bool = False,
    figures: str | Path | None = None,
    about: str | Path | None = None,
) -> Exported:
    """Write one shareable model folder with a model card, weights in float16, without `half` in float32, or with `int8`
    as whole numbers with a scale for each row. `figures`: a file with what `evaluate --json` printed;
    `about`: a text file on the data and its licence."""
    numbers = None if figures is None else files.from_json(files.read_bytes(Path(figures), 1 << 20), Path(figures))
    text = None if about is None else files.read_bytes(Path(about), 1 << 20).decode("utf-8", "replace")
    opened = source if isinstance(source, Opened) else library.open_model(source)
    folder = library.export(opened, Path(out), half=half, int8=int8, figures=numbers, about=text)
    size = sum(path.stat().st_size for path in folder.iterdir()) / 1e6
    return Exported(folder, size, opened.recipe.package.partition(".")[0])


def to_dict(result: Any) -> Any:
    """The JSON of a result."""
    return result.to_dict() if hasattr(result, "to_dict") else dataclasses.asdict(result)


__all__ = [
    "arithmetic", "choice", "decode", "encode", "evaluate", "export", "interpolate", "models", "neighbours",
    "prior", "reconstruct", "resume", "sample", "train", "vary",
]  # fmt: skip
