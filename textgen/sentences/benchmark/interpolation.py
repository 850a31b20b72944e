"""Walks between held-out sentences: fluency, order, smoothness and fidelity.

Every figure is over pairs of sentences that the model has not seen, each walked in so many points, the two decoded
ends among them; the others are its *interior*, and those of them that differ from both ends, each once, are *new*. A
unit is a word between white space, or a character in a script without spaces.

Perplexity ratios are under an independent language model, and can be gamed by short or generic sentences: see
`judge.py`. That is why the ratio of NLL per sentence and of lengths stand beside them, and why the
new sentences have a ratio of their own: a path that only repeats its ends is as fluent as they are.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

from typer import Argument, Option

from corpora.errors import InputError, quoted
from textgen.core.numbers import exponential
from textgen.runs import options as o
from textgen.sentences import defaults
from textgen.sentences import options as s
from textgen.sentences.benchmark import run
from textgen.sentences.benchmark.judge import Judge, Report, Score, score, subset
from textgen.sentences.units import edits, spaced, units

if TYPE_CHECKING:
    from textgen.sentences.sentence_vae import SentenceVAE
    from textgen.sentences.walk import Walk

AT_ONCE = 8  # pairs whose points are decoded together
Scored = Callable[..., Score]  # `score` with its seed


def interpolation(
    pairs: Annotated[str, Argument(metavar="PAIRS.tsv", help="two sentences on a line, with a tab between them")],
    judge: Annotated[
        str | None, Option(metavar="NAME|FOLDER", help="a language model of real text; without one, no perplexities")
    ] = None,
    model: o.Model = None,
    real: Annotated[
        str | None, Option(metavar="FILE", help="real sentences to compare with (default: the pairs' own)")
    ] = None,
    train: Annotated[
        str | None,
        Option(metavar="CORPUS", help="the corpus that the model was trained on: how much is copied from it?"),
    ] = None,
    points: Annotated[int, Option(min=3, max=1000, metavar="N", help="of each path, ends included")] = 10,
    beams: s.WalkBeams = None,
    path: s.Path = defaults.PATH,
    pace: s.Pace = defaults.PACE,
    refine: s.Refine = defaults.REFINE,
    new_words: s.NewWords = None,
    rows: Annotated[int, Option(min=0, max=1_000_000, metavar="N", help="draw N of the pairs; 0: all")] = 0,
    paths: Annotated[str | None, Option(metavar="FILE", help="write the decoded paths here, to be read")] = None,
    seed: o.Seed = 0,
    device: o.Device = "auto",
    threads: o.Threads = None,
    as_json: o.Json = False,
) -> int:
    """Judge walks between the pairs of a file: two sentences on a line, with a tab between them.

      textgen benchmark pairs fiction --out pairs.tsv
      textgen train fiction --model lm --out runs/judge
      textgen benchmark interpolation pairs.tsv --judge runs/judge --train fiction --paths paths.txt

    A low perplexity ratio alone says little: short or generic sentences have one too. Read all figures together.
    """
    return run(main, locals())


def main(chosen: SimpleNamespace, opening: Callable[..., Any]) -> Report:
    """The command: see `measure`. Raises InputError for bad input, before any walk."""
    path = Path(chosen.pairs)
    pairs = read_pairs(path)
    from corpora import files
    from textgen.sentences import measures
    from textgen.sentences.sentence_vae import SentenceVAE

    vae = SentenceVAE(opening(), new_words=bool(chosen.new_words))
    check_pairs(vae, pairs, path)
    pairs = subset(pairs, chosen.rows or len(pairs), chosen.seed)
    judge = Judge(opening(chosen.judge)) if chosen.judge else None
    real = measures.texts(Path(chosen.real), "test")[0] if chosen.real else None
    train = measures.texts(Path(chosen.train), "train")[0] if chosen.train else None
    chosen.path, chosen.beams = vae.way(chosen.path, chosen.beams)
    how = {key: getattr(chosen, key) for key in ("points", "path", "pace", "beams", "refine")}
    walks = walk_all(vae, pairs, progress=not chosen.as_json, **how)
    if chosen.paths:
        out = Path(chosen.paths)
        with files.explained(out):
            files.replace_file(out, ("\n\n".join(map(str, walks)) + "\n").encode())
    report = measure(walks, judge, vae.proper, real=real, train=train, seed=chosen.seed)
    done = f"{chosen.path}, pace {chosen.pace}, {chosen.beams} beams, {chosen.refine} refining steps"
    done += ", new words" * vae.new_words
    title = f"{vae.opened.name} on {path.name}, {done}: {report.title}"
    facts = {"model": vae.opened.name, "data": path.name, **how, "new_words": vae.new_words, **report.facts}
    return Report(title, facts, report.scores, details=report.details)


def read_pairs(path: Path) -> list[tuple[str, str]]:
    """The pairs of a file. Raises InputError, with the line, unless each has two sentences with one tab between."""
    from corpora import files

    try:
        lines = files.read_bytes(path, 1 << 28).decode("utf-8-sig").split("\n")
    except UnicodeDecodeError as error:
        raise InputError(f"{files.quoted_path(path)}: not UTF-8 at byte {error.start}: convert it first") from error
    if lines[-1] == "":
        lines.pop()
    if not lines:
        raise InputError(f"{files.quoted_path(path)} is empty: expected two sentences on a line, a tab between them")
    pairs = []
    for number, line in enumerate(lines, 1):
        columns = [column.strip() for column in line.split("\t")]
        where = f"{files.quoted_path(path)}, line {number}"
        if len(columns) != 2:
            said = "no tab" if len(columns) == 1 else f"{len(columns)} columns"
            raise InputError(f"{where}: {said}; expected two sentences with a tab between them")
        if not all(columns):
            raise InputError(f"{where}: a sentence is empty")
        pairs.append((columns[0], columns[1]))
    return pairs


def check_pairs(vae: SentenceVAE, pairs: Sequence[tuple[str, str]], path: Path) -> None:
    """Raise InputError, with the line, for two sentences that are equal to the model, or one that it cannot take."""
    from corpora import files

    for number, (one, other) in enumerate(pairs, 1):
        try:
            vae.tokens(one)
            vae.tokens(other)
            if vae.proper(one) == vae.proper(other):
                raise InputError(f"the two sentences are equal: {quoted(one)}")
        except InputError as error:
            raise InputError(f"{files.quoted_path(path)}, line {number}: {error}") from error


class Shape(NamedTuple):
    """The way that the texts of one path take. Distances are edit distances between their units."""

    distinct: int  # different sentences, ends included
    order: float | None  # Spearman correlation of position and balance; None where either is constant
    step: float  # mean distance between neighbours, over the greater number of units: 0 to 1
    jump: float  # the largest of these
    straightness: float | None  # distance between the ends over the sum of the steps: 0 to 1; None where nothing moves


def shape(texts: Sequence[str], by_word: bool) -> Shape:
    """The shape of a path of at least two texts.

    The *balance* of a text is its distance to the first text minus that to the last, each over the greater number of
    units, so -1 to 1: a path in order has it rising. Ties take average ranks. Straightness takes plain edit distances,
    which obey the triangle inequality, as those over a length do not.
    """
    import numpy as np
    from scipy.stats import spearmanr

    rows = [units(text, by_word) for text in texts]

    def far(one: list[str], other: list[str]) -> float:
        return edits(one, other) / max(1, len(one), len(other))

    balance = [far(row, rows[0]) - far(row, rows[-1]) for row in rows]
    steps = [far(one, other) for one, other in pairwise(rows)]
    order = float(spearmanr(range(len(rows)), np.round(balance, 12)).statistic) if np.ptp(balance) > 1e-12 else None
    total = sum(edits(one, other) for one, other in pairwise(rows))
    straightness = edits(rows[0], rows[-1]) / total if total else None
    return Shape(len(set(texts)), order, sum(steps) / len(steps), max(steps), straightness)


def walk_all(
    vae: SentenceVAE, pairs: Sequence[tuple[str, str]], *, points: int = 10, progress: bool = False, **options: Any
) -> list[Walk]:
    """A walk for each pair, many decoded at once; `options` go to `SentenceVAE.walks`."""
    from textgen.runs.screen import tracked

    starts = tracked(range(0, len(pairs), AT_ONCE), "walking", progress)
    return [walk for start in starts for walk in vae.walks(pairs[start : start + AT_ONCE], steps=points, **options)]


@dataclass(frozen=True)
class Paths:
    """The texts of walks, and their ends as the codec gives them back."""

    ends: list[tuple[str, str]]
    texts: list[list[str]]
    new: list[list[str]]  # of each path, the sentences that are neither end as decoded, each once
    by_word: bool

    @property
    def unit(self) -> str:
        """The unit of perplexity: word or character."""
        return "word" if self.by_word else "character"


def measure(
    walks: Sequence[Walk],
    judge: Judge | None,
    normalise: Callable[[str], str],
    *,
    real: Sequence[str] | None = None,
    train: Iterable[str] | None = None,
    seed: int = 0,
) -> Report:
    """Judge walks: every figure is over pairs, with a 95 % bootstrap interval; the report's JSON has the paths too.

    `judge`: a language model, for perplexities; None: there are none. `normalise`: the text that the model's codec
    would give back for another, for the ends and for copies. `real`: sentences by whose perplexity the interior's is
    divided; by default the pairs' own, which are then to be real held-out ones. `train`: the text that may be copied
    from. Raises InputError where there is nothing to judge.
    """
    if not walks or any(len(walk) < 3 for walk in walks):
        raise InputError("there is nothing to judge: expected at least one walk, each of 3 points or more")
    ends = [(normalise(walk.start), normalise(walk.end)) for walk in walks]
    texts = [[point.text for point in walk] for walk in walks]
    new = [[text for text in dict.fromkeys(path) if text not in (path[0], path[-1])] for path in texts]
    paths = Paths(ends, texts, new, spaced([text for pair in ends for text in pair]))
    whose = "the pairs' own sentences" if real is None else f"{len(real):,} real sentences"
    seeded = partial(score, seed=seed)
    scores = [] if judge is None else _fluency_of(paths, judge, real, whose, seeded)
    scores += [*_order_of(paths, seeded), *_ends_of(paths, seeded)]
    if train is not None:
        scores.append(_copies(paths, set(map(normalise, train)), seeded))
    points, count = len(texts[0]), len(texts)
    by = None if judge is None else judge.name
    facts = {"judge": by, "pairs": count, "points": points, "unit": paths.unit, "real": whose, "seed": seed}
    fluency = "no judge" if judge is None else f"judge {by}; real text: {whose}"
    title = f"{count:,} pairs, {points} points each; {fluency}; seed {seed}"
    return Report(title, facts, scores, details={"paths": [walk.to_dict() for walk in walks]})


def _fluency_of(paths: Paths, judge: Judge, real: Sequence[str] | None, whose: str, score: Scored) -> list[Score]:
    """Perplexities of the interior and of real text, and their ratios."""
    every = list(dict.fromkeys(text for texts in (*paths.texts, *paths.ends, real or ()) for text in texts))
    nll = dict(zip(every, judge.nll(every).tolist(), strict=True))

    def sums(texts: Sequence[str]) -> list[float]:
        """NLL (nats), units with one end for each sentence, and sentences."""
        count = sum(len(units(text, paths.by_word)) + 1 for text in texts)
        return [sum(nll[text] for text in texts), count, len(texts)]

    # the pairs' own sentences are drawn together with their paths, others by themselves
    held = [sums(pair) for pair in paths.ends] if real is None else [sums([text]) for text in real]
    inner = [sums(texts[1:-1]) for texts in paths.texts]
    others = [sums(texts) for texts in paths.new]

    def against(mine: list[list[float]]) -> list[Any]:
        return [mine, held] if real is not None else [[a + b for a, b in zip(mine, held, strict=True)]]

    unit, ratio = paths.unit, "1: as real text"
    blank = judge.unknown([text for texts in paths.texts for text in texts[1:-1]])
    note = f"; {blank:,} tokens of the interior unknown to the judge" if blank else ""
    by = f"under {judge.name}, one {unit} for the end of each sentence"
    about = "each sentence that is neither end, once, over real"
    return [
        score("perplexity, interior", f"per {unit}", by + note, inner, statistic=_perplexity),
        score("perplexity, real", f"per {unit}", f"the same of {whose}", held, statistic=_perplexity),
        score("perplexity ratio", ratio, "interior over real", *against(inner), statistic=_fluency),
        score("perplexity ratio, new", ratio, about, *against(others), statistic=_fluency),
        score("NLL ratio", ratio, "nats per sentence, interior over real", *against(inner), statistic=_per_sentence),
        score("length ratio", ratio, f"{unit}s per sentence, interior over real", *against(inner), statistic=_length),
    ]


def _order_of(paths: Paths, score: Scored) -> list[Score]:
    """The number of different sentences, their order, and how evenly they change."""
    shapes = [shape(texts, paths.by_word) for texts in paths.texts]
    lost, still = (
        f"; undefined, counted as 0: {count} of {len(shapes)} paths" if count else ""
        for count in (sum(one.order is None for one in shapes), sum(one.straightness is None for one in shapes))
    )
    order = "Spearman, position with distance to the first end minus distance to the last" + lost
    straight = "edit distance between the ends over the sum of the steps" + still
    step = f"edit distance in {paths.unit}s between neighbours, over the longer"
    different, points = "different sentences of a path", f"of {len(paths.texts[0])} points"
    return [
        score("distinct", points, different, [one.distinct for one in shapes]),
        score("order", "-1 to 1", order, [one.order or 0.0 for one in shapes]),
        score("step", "0 to 1", step, [one.step for one in shapes]),
        score("largest jump", "0 to 1", "the largest step of a path", [one.jump for one in shapes]),
        score("straightness", "0 to 1", straight, [one.straightness or 0.0 for one in shapes]),
    ]


def _ends_of(paths: Paths, score: Scored) -> list[Score]:
    """How many of the ends came back, and their BLEU."""
    bleu, pairs = _Bleu(paths.by_word), list(zip(paths.ends, paths.texts, strict=True))
    exact = [((start == texts[0]) + (end == texts[-1])) / 2 for (start, end), texts in pairs]
    counts = [bleu.counts(ends, (texts[0], texts[-1])) for ends, texts in pairs]
    return [
        score("ends exact", "share", "decoded as given, after the codec's normalising", exact),
        score("ends BLEU", "0 to 100", bleu.about, counts, statistic=bleu.statistic),
    ]


def _copies(paths: Paths, train: set[str], score: Scored) -> Score:
    """The share of new sentences that are verbatim in train."""
    counts = [[sum(text in train for text in texts), len(texts)] for texts in paths.new]
    about = "of the sentences that are neither end, those in the training text"
    return score("copies", "share", about, counts, statistic=lambda sums: sums[0] / sums[1])


def _perplexity(sums: list[float]) -> float:
    return exponential(sums[0] / sums[1])


def _pair(sums: tuple[list[float], ...]) -> tuple[list[float], list[float]]:
    flat = [number for several in sums for number in several]
    return flat[:3], flat[3:]


def _fluency(*sums: list[float]) -> float:
    mine, real = _pair(sums)
    return math.exp(mine[0] / mine[1] - real[0] / real[1])


def _per_sentence(*sums: list[float]) -> float:
    mine, real = _pair(sums)
    return (mine[0] / mine[2]) / (real[0] / real[2])


def _length(*sums: list[float]) -> float:
    mine, real = _pair(sums)
    return (mine[1] / mine[2] - 1) / (real[1] / real[2] - 1)


class _Bleu:
    """Corpus BLEU as a function of counts that add up over sentences, so that pairs can be drawn again."""

    def __init__(self, by_word: bool) -> None:
        from sacrebleu.metrics import BLEU

        tokenize = "13a" if by_word else "char"
        self.bleu = BLEU(tokenize=tokenize, effective_order=True, force=True)
        self.about = f"corpus BLEU of the decoded ends; sacreBLEU, tok:{tokenize}, smooth:exp"

    def counts(self, references: Sequence[str], texts: Sequence[str]) -> list[float]:
        """Matches and n-grams of each order, and both lengths, (10,), summed over some sentences."""
        each = [self.bleu.sentence_score(one, [other]) for one, other in zip(texts, references, strict=True)]
        rows = [[*one.counts, *one.totals, one.sys_len, one.ref_len] for one in each]
        return [sum(column) for column in zip(*rows, strict=True)]

    def statistic(self, sums: list[float]) -> float:
        """BLEU of summed counts, 0 to 100."""
        whole = [round(number) for number in sums]
        return float(self.bleu.compute_bleu(whole[:4], whole[4:8], whole[8], whole[9], smooth_method="exp").score)
