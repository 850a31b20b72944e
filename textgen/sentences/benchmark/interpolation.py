"""How good are walks between held-out sentences? Fluency, order, smoothness and fidelity, each with its interval.

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
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from corpora.commands import Parser
from corpora.errors import InputError, quoted
from textgen import cli
from textgen.runs.screen import tracked
from textgen.sentences.benchmark.judge import Judge, Report, Score, score
from textgen.sentences.units import edits, spaced, units

if TYPE_CHECKING:
    import argparse

    from textgen.runs.library import Opened
    from textgen.sentences.sentence_vae import SentenceVAE
    from textgen.sentences.walk import Walk

AT_ONCE = 8  # pairs whose points are decoded together

_ABOUT = """\
Judge walks between the pairs of a file: two sentences on a line, with a tab between them.

  textgen benchmark pairs fiction --out pairs.tsv
  textgen train fiction --model lm --out runs/judge
  textgen benchmark interpolation pairs.tsv --judge runs/judge --train fiction --paths paths.txt

A low perplexity ratio alone says little: short or generic sentences have one too. Read all figures together."""


def arguments(add: Callable[..., Parser]) -> None:
    """Make the parser of this benchmark; `add(help, description, model=...)` gives one with the common options."""
    made = add("walks between held-out sentences: fluency, order, smoothness, fidelity", _ABOUT)
    made.add_argument("pairs", metavar="PAIRS.tsv", help="two sentences on a line, with a tab between them")
    made.add_argument("--judge", required=True, metavar="LM", help="a language model, as `train --model lm` makes it")
    made.add_argument("--real", metavar="FILE", help="real sentences to compare with (default: the pairs' own)")
    made.add_argument("--train", metavar="CORPUS", help="what the model was trained on: how much is copied from it?")
    made.add_argument("--points", type=int, default=10, metavar="N", help="of each path, ends included (default 10)")
    made.add_argument("--beams", type=int, default=10, metavar="N", help="candidates (default 10; 1 is greedy)")
    made.add_argument("--path", default="line", metavar="line|arc", help="as for `interpolate` (default line)")
    made.add_argument("--pace", default="text", metavar="text|code", help="as for `interpolate` (default text)")
    cli.refine_option(made)
    cli.new_words_option(made, "no")
    made.add_argument("--rows", type=int, default=0, metavar="N", help="draw N of the pairs (default 0: all)")
    made.add_argument("--paths", metavar="FILE", help="write the decoded paths here, to be read")


def main(chosen: argparse.Namespace, open_model: Callable[[], Opened]) -> Report:
    """The command: see `measure`. Raises InputError for bad input, before any walk."""
    for name, least, most in (("points", 3, 1000), ("beams", 1, 100), ("rows", 0, 1_000_000)):
        if not least <= getattr(chosen, name) <= most:
            raise InputError(f"--{name} {getattr(chosen, name)}: expected {least} to {most:,}")
    path = Path(chosen.pairs)
    pairs = read_pairs(path)
    import numpy as np

    from corpora import files
    from textgen.runs import library
    from textgen.sentences import measures
    from textgen.sentences.sentence_vae import SentenceVAE

    opened = open_model()
    vae = SentenceVAE(opened, new_words=bool(chosen.new_words))
    check_pairs(vae, pairs, path)
    if 0 < chosen.rows < len(pairs):
        rows = np.random.default_rng(chosen.seed).choice(len(pairs), chosen.rows, replace=False)
        pairs = [pairs[row] for row in sorted(rows)]
    judge = Judge(library.open_model(chosen.judge, str(vae.device)))
    real = measures.texts(Path(chosen.real), "test")[0] if chosen.real else None
    train = measures.texts(Path(chosen.train), "train")[0] if chosen.train else None
    how = {key: getattr(chosen, key) for key in ("points", "path", "pace", "beams", "refine")}
    walks = walk_all(vae, pairs, progress=not chosen.json, **how)
    if chosen.paths:
        out = Path(chosen.paths)
        with files.explained(out):
            files.replace_file(out, ("\n\n".join(map(str, walks)) + "\n").encode())
    report = measure(walks, judge, vae.codec.normalise, real=real, train=train, seed=chosen.seed)
    done = f"{chosen.path}, pace {chosen.pace}, {chosen.beams} beams, {chosen.refine} refining steps"
    done += ", new words" * vae.new_words
    title = f"{opened.name} on {path.name}, {done}: {report.title}"
    facts = {"model": opened.name, "data": path.name, **how, "new_words": vae.new_words, **report.facts}
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
    found = []
    for number, line in enumerate(lines, 1):
        columns = [column.strip() for column in line.split("\t")]
        where = f"{files.quoted_path(path)}, line {number}"
        if len(columns) != 2:
            said = "no tab" if len(columns) == 1 else f"{len(columns)} columns"
            raise InputError(f"{where}: {said}; expected two sentences with a tab between them")
        if not all(columns):
            raise InputError(f"{where}: a sentence is empty")
        found.append((columns[0], columns[1]))
    return found


def check_pairs(vae: SentenceVAE, pairs: Sequence[tuple[str, str]], path: Path) -> None:
    """Raise InputError, with the line, for two sentences that are equal to the model, or one that it cannot take."""
    from corpora import files

    for number, (one, other) in enumerate(pairs, 1):
        try:
            vae.tokens([one, other])
            if vae.codec.normalise(one) == vae.codec.normalise(other):
                raise InputError(f"the two sentences are equal: {quoted(one)}")
        except InputError as error:
            raise InputError(f"{files.quoted_path(path)}, line {number}: {error}") from error


class Shape(NamedTuple):
    """What the texts of one path tell about its way. Distances are edit distances between their units."""

    distinct: int  # different sentences, ends included
    order: float | None  # Spearman correlation of position and balance; None where either is constant
    step: float  # mean distance between neighbours, over the greater number of units: 0 to 1
    jump: float  # the largest of these
    straightness: float | None  # distance between the ends over the sum of the steps: 0 to 1; None where nothing moves


def shape(texts: Sequence[str], words: bool) -> Shape:
    """The shape of a path of at least two texts.

    The *balance* of a text is its distance to the first text minus that to the last, each over the greater number of
    units, so -1 to 1: a path in order has it rising. Ties take average ranks. Straightness takes plain edit distances,
    which obey the triangle inequality, as those over a length do not.
    """
    import numpy as np
    from scipy.stats import spearmanr

    rows = [units(text, words) for text in texts]

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
    starts = tracked(range(0, len(pairs), AT_ONCE), "walking", progress)
    return [walk for start in starts for walk in vae.walks(pairs[start : start + AT_ONCE], steps=points, **options)]


def measure(
    walks: Sequence[Walk],
    judge: Judge,
    normalise: Callable[[str], str],
    *,
    real: Sequence[str] | None = None,
    train: Iterable[str] | None = None,
    seed: int = 0,
) -> Report:
    """Judge walks: every figure is over pairs, with a 95 % bootstrap interval; the report's JSON has the paths too.

    `normalise`: the text that the model's codec would give back for another, for the ends and for copies.
    `real`: sentences by whose perplexity the interior's is divided; by default the pairs' own, which are then to be
    real held-out ones. `train`: what would be copied from. Raises InputError where there is nothing to judge.
    """
    if not walks or any(len(walk) < 3 for walk in walks):
        raise InputError("there is nothing to judge: expected at least one walk, each of 3 points or more")
    ends = [(normalise(walk.start), normalise(walk.end)) for walk in walks]
    paths = [[point.text for point in walk] for walk in walks]
    words = spaced([text for pair in ends for text in pair])
    new = [[text for text in dict.fromkeys(path) if text not in (path[0], path[-1])] for path in paths]

    every = list(dict.fromkeys(text for texts in (*paths, *ends, real or ()) for text in texts))
    nll = dict(zip(every, judge.nll(every).tolist(), strict=True))

    def sums(texts: Sequence[str]) -> list[float]:
        """NLL (nats), units with one end for each sentence, and sentences."""
        return [sum(nll[t] for t in texts), sum(len(units(t, words)) + 1 for t in texts), len(texts)]

    # the pairs' own sentences are drawn together with their paths, others by themselves
    held = [sums(pair) for pair in ends] if real is None else [sums([text]) for text in real]
    inner = [sums(path[1:-1]) for path in paths]
    others = [sums(texts) for texts in new]

    def against(mine: list[list[float]]) -> list[Any]:
        return [mine, held] if real is not None else [[a + b for a, b in zip(mine, held, strict=True)]]

    unit = "word" if words else "character"
    whose = "the pairs' own sentences" if real is None else f"{len(real):,} real sentences"
    blank = judge.unknown([text for path in paths for text in path[1:-1]])
    note = f"; {blank:,} tokens of the interior unknown to the judge" if blank else ""
    by = f"under {judge.name}, one {unit} for the end of each sentence"
    exact = [[one == path[0], other == path[-1]] for (one, other), path in zip(ends, paths, strict=True)]
    bleu = _Bleu(words)
    shapes = [shape(path, words) for path in paths]
    ratio = "1: as real text"
    lost, still = (
        f"; undefined, counted as 0: {count} of {len(paths)} paths" if count else ""
        for count in (sum(one.order is None for one in shapes), sum(one.straightness is None for one in shapes))
    )

    def add(*words: Any, **options: Any) -> None:
        scores.append(score(*words, **options, seed=seed))

    scores: list[Score] = []
    add("perplexity, interior", f"per {unit}", by + note, inner, statistic=_perplexity)
    add("perplexity, real", f"per {unit}", f"the same of {whose}", held, statistic=_perplexity)
    add("perplexity ratio", ratio, "interior over real", *against(inner), statistic=_fluency)
    about = "each sentence that is neither end, once, over real"
    add("perplexity ratio, new", ratio, about, *against(others), statistic=_fluency)
    add("NLL ratio", ratio, "nats per sentence, interior over real", *against(inner), statistic=_per_sentence)
    add("length ratio", ratio, f"{unit}s per sentence, interior over real", *against(inner), statistic=_length)
    add("distinct", f"of {len(paths[0])} points", "different sentences of a path", [one.distinct for one in shapes])
    about = "Spearman, position with distance to the first end minus distance to the last" + lost
    add("order", "-1 to 1", about, [one.order or 0.0 for one in shapes])
    add("step", "0 to 1", f"edit distance in {unit}s between neighbours, over the longer", [s.step for s in shapes])
    add("largest jump", "0 to 1", "the largest step of a path", [one.jump for one in shapes])
    about = "edit distance between the ends over the sum of the steps" + still
    add("straightness", "0 to 1", about, [one.straightness or 0.0 for one in shapes])
    add("ends exact", "share", "decoded as given, after the codec's normalising", [sum(pair) / 2 for pair in exact])
    counts = [bleu.counts(pair, (path[0], path[-1])) for pair, path in zip(ends, paths, strict=True)]
    add("ends BLEU", "0 to 100", bleu.about, counts, statistic=bleu.statistic)
    if train is not None:
        wanted = {text for texts in new for text in texts}
        copied = wanted & set(map(normalise, train))
        found = [[sum(text in copied for text in texts), len(texts)] for texts in new]
        about = "of the sentences that are neither end, those in the training text"
        add("copies", "share", about, found, statistic=lambda sums: sums[0] / sums[1])
    facts = {
        "judge": judge.name,
        "pairs": len(paths),
        "points": len(paths[0]),
        "unit": unit,
        "real": whose,
        "seed": seed,
    }
    title = f"{len(paths):,} pairs, {len(paths[0])} points each; judge {judge.name}; real text: {whose}; seed {seed}"
    return Report(title, facts, scores, details={"paths": [walk.to_dict() for walk in walks]})


def _perplexity(sums: list[float]) -> float:
    return math.exp(sums[0] / sums[1])


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

    def __init__(self, words: bool) -> None:
        from sacrebleu.metrics import BLEU

        tokenize = "13a" if words else "char"
        self.bleu = BLEU(tokenize=tokenize, effective_order=True, force=True)
        self.about = f"corpus BLEU of the decoded ends; sacreBLEU, tok:{tokenize}, smooth:exp"

    def counts(self, given: Sequence[str], made: Sequence[str]) -> list[float]:
        """Matches and n-grams of each order, and both lengths, (10,), summed over some sentences."""
        found = [self.bleu.sentence_score(one, [other]) for one, other in zip(made, given, strict=True)]
        rows = [[*one.counts, *one.totals, one.sys_len, one.ref_len] for one in found]
        return [sum(column) for column in zip(*rows, strict=True)]

    def statistic(self, sums: list[float]) -> float:
        """BLEU of summed counts, 0 to 100."""
        whole = [round(number) for number in sums]
        return float(self.bleu.compute_bleu(whole[:4], whole[4:8], whole[8], whole[9], smooth_method="exp").score)
