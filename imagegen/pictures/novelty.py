"""Novelty of drawn pictures: how near they come to training pictures, and how much better the model knows those.

Two pictures are compared by the *foreground Jaccard index*: places at which both show the same shade that is not
background, over places at which either is not background. The most of it is taken over the training pictures, each as
it is and mirrored, and moved by up to a few pixels. For sprites of 20x20 unrelated pictures have about 0.2,
0.4 is the most that held-out ones came to, and above 0.6 a picture is a copy.

How near is too near depends on the pictures: icons have twins, tiles are variants of each other. So drawn pictures are
not clean only where they come nearer to train than held-out ones do, which tests judge (`compare`).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from corpora.codecs.palette import Palette
from corpora.corpus import Corpus
from corpora.pictures import sheet
from corpora.settings import Settings, require, setting
from imagegen.pictures import defaults
from imagegen.pictures.foreground import background, originals
from imagegen.pictures.measures import corpus_of, tokens_of
from imagegen.pictures.picture_model import PictureModel
from textgen.core import sampler
from textgen.core.figures import Figure, Figures, mean, of_classes
from textgen.core.model import Latent

LEVEL = 0.01  # of the verdict: the two tests have half of it each
NEARER = 0.6  # share of pairs in which a drawn picture is nearer, from which that matters
QUANTILES = (5, 25, 75, 95)  # %, that a report gives beside the median
AT_ONCE = 4096  # training pictures that are compared together

Tell = Callable[[str, int, int], None]  # (title of the work, done, of so many)


class Nearest(NamedTuple):
    """For each of N pictures the training picture that is most like it."""

    jaccard: np.ndarray  # (N,) float64, 0 to 1
    row: np.ndarray  # (N,) int64, its number


def shades(palette: Palette, train: np.ndarray, near: int = 16) -> np.ndarray:
    """The shade of each colour, (V,) int64, of training pictures (N, H, W): 0 is the background.

    From the commonest colour on, each joins the first shade whose own colour differs from it by at most `near` of 255
    in red, green and blue; the transparent one stays alone.
    """
    colours = np.array(palette.colours, np.int64)
    counts = np.bincount(train.ravel(), minlength=len(colours))
    firsts = [background(palette, train)]
    order = np.argsort(-counts, kind="stable")
    groups = np.zeros(len(colours), np.int64)
    for colour in order[order != firsts[0]]:
        apart = np.abs(colours[firsts] - colours[colour])
        alike = (apart[:, :3].max(1) <= near) & (apart[:, 3] == 0)
        groups[colour] = alike.argmax() if alike.any() else len(firsts)
        if not alike.any():
            firsts.append(int(colour))
    return groups


def nearest(
    pictures: np.ndarray, train: np.ndarray, *, shift: int = 2, tell: Callable[[int, int], None] | None = None
) -> Nearest:
    """The training picture nearest to each of some, by the foreground Jaccard index.

    Both are shades, (N, H, W) and (M, H, W) int64, 0 the background. A training picture counts as it is and mirrored,
    moved by up to `shift` pixels down and across; the rim that comes into sight then is background.
    """
    from scipy.sparse import csr_array

    height, width = train.shape[1:]
    _check_shift(shift, height, width)
    size = int(max(pictures.max(initial=0), train.max(initial=0))) + 1
    places = np.arange(height * width) * size

    def cells(some: np.ndarray) -> tuple[Any, np.ndarray]:
        """A 1 for each place and shade of the foreground, (N, H W V); and where it is, (N, H W) float32."""
        flat = some.reshape(len(some), -1)
        front = flat > 0
        ends = np.concatenate([[0], front.sum(1).cumsum()])
        ones = np.ones(ends[-1], np.float32)
        where = (places + flat)[front]
        return csr_array((ones, where, ends), shape=(len(some), height * width * size)), front.astype(np.float32)

    own, front = cells(pictures)
    best, row = np.full(len(pictures), -1.0), np.zeros(len(pictures), np.int64)
    moves = [*itertools.product((False, True), range(2 * shift + 1), range(2 * shift + 1))]
    parts = range(0, len(train), AT_ONCE)
    for number, (first, (mirrored, down, across)) in enumerate(itertools.product(parts, moves)):
        some = train[first : first + AT_ONCE]
        some = np.pad(some[:, :, ::-1] if mirrored else some, ((0, 0), (shift, shift), (shift, shift)))
        other, behind = cells(some[:, down : down + height, across : across + width])
        both = (own @ other.T).toarray()
        either = front.sum(1)[:, None] + behind.sum(1) - front @ behind.T
        jaccard = np.where(either > 0, both / np.maximum(either, 1), 1)  # of two empty pictures each is the other
        columns = jaccard.argmax(1)
        value = jaccard[np.arange(len(columns)), columns]
        better = value > best
        best[better], row[better] = value[better], first + columns[better]
        if tell is not None:
            tell(number + 1, len(parts) * len(moves))
    return Nearest(best, row)


def _check_shift(shift: int, height: int, width: int) -> None:
    require(0 <= shift < min(height, width), "shift", shift, f"0 to {min(height, width) - 1} pixels")


@dataclass(frozen=True)
class Bars(Settings):
    """The bars of a report. `gap` is beside the verdict: a model may know its training pictures well and copy none."""

    above: float = setting(
        defaults.NOVELTY_ABOVE, "a foreground Jaccard index beyond which a picture is suspicious", above=0, below=1
    )
    share: float = setting(defaults.NOVELTY_SHARE, "share of pictures that may be", 0, below=1)
    gap: float = setting(
        defaults.NOVELTY_GAP,
        "by how much held-out pictures may cost more than training pictures",
        low=-1000,
        high=1000,
        unit="nats per pixel",
    )


class Compared(NamedTuple):
    """The comparison of drawn pictures with held-out ones, both by their nearness to train."""

    nearer: float  # share of pairs of one held-out and one drawn picture in which the drawn one is nearer; ties half
    pairs: int
    paired: float  # p of Wilcoxon's signed-rank test over those pairs, one-sided
    drawn_above: float  # share of drawn pictures above the bar
    held_above: float
    tail: float  # p of Fisher's exact test of the two shares, one-sided
    own: float  # share of drawn pictures to which a training picture is nearer than every held-out one; ties half
    expected: float  # of it, where train and held-out pictures are alike to the model: their share among both
    binomial: float  # p of the exact binomial test of `own`, one-sided

    @property
    def enough(self) -> bool:
        """Whether there are pairs enough for the paired test to find anything."""
        return 0.5**self.pairs <= LEVEL / 2

    @property
    def median_nearer(self) -> bool:
        """Whether drawn pictures are nearer on the whole: than held-out ones, and to train more than to those. Plain
        pictures, as a low temperature draws them, are nearer to both, and no copies."""
        return self.paired <= LEVEL / 2 and self.nearer > NEARER and self.binomial <= LEVEL / 2

    def more_near(self, share: float) -> bool:
        """Whether more drawn pictures than `share`, and than among held-out ones, are above the bar."""
        return self.tail <= LEVEL / 2 and self.drawn_above > share


def compare(
    drawn: np.ndarray,
    held: np.ndarray,
    to_held: np.ndarray,
    train: int,
    above: float,
    sizes: tuple[np.ndarray, np.ndarray] | None = None,
) -> Compared:
    """Compare the nearness to `train` pictures of drawn ones (N,) with that of held-out ones (K,), and with the
    nearness of the drawn ones to those, `to_held` (N,).

    Each held-out picture is paired with the drawn one most like it in the number of its foreground pixels (`sizes`:
    (N,) and (K,)), since small shapes resemble each other more than large ones, and no drawn one is taken twice. The
    pairs are judged by Wilcoxon's signed-rank test, one-sided, together with an exact binomial test of how often the
    nearest of all is a training picture: copies are near to train alone. A few copies among many new pictures, which
    these do not see, show in Fisher's exact test of the shares above the bar. Each at half of LEVEL (Bonferroni).
    """
    from scipy.stats import binomtest, fisher_exact, wilcoxon

    mates = _mates(*sizes) if sizes is not None else np.stack([np.arange(min(len(drawn), len(held)))] * 2, 1)
    apart = drawn[mates[:, 0]] - held[mates[:, 1]]
    paired = float(wilcoxon(apart, alternative="greater").pvalue) if apart.any() else 1.0
    nearer = float(((apart > 0) + 0.5 * (apart == 0)).mean())
    counts = [[int((some > above).sum()), int((some <= above).sum())] for some in (drawn, held)]
    tail = float(fisher_exact(counts, alternative="greater").pvalue)
    drawn_above, held_above = (over / (over + under) for over, under in counts)
    own, expected = float(((drawn > to_held) + 0.5 * (drawn == to_held)).sum()), train / (train + len(held))
    binomial = float(binomtest(int(own), len(drawn), expected, alternative="greater").pvalue)
    own /= len(drawn)
    return Compared(nearer, len(mates), paired, drawn_above, held_above, tail, own, expected, binomial)


def _mates(drawn: np.ndarray, held: np.ndarray) -> np.ndarray:
    """Pairs of the numbers of a drawn and a held-out picture of like size, (P, 2), none in two of them. Held-out ones
    choose one after the other, in an order drawn once and for all."""
    free, mates = np.ones(len(drawn), bool), []
    for number in np.random.default_rng(0).permutation(len(held))[: len(drawn)]:
        mate = int(np.where(free, np.abs(drawn - held[number]), np.inf).argmin())
        free[mate] = False
        mates.append((mate, int(number)))
    return np.array(mates, np.int64).reshape(-1, 2)


@dataclass(frozen=True)
class Novelty:
    """The report on drawn pictures."""

    figures: Figures
    bars: Bars
    compared: Compared
    gap: float | None  # nats per pixel, or None where a model has no likelihood
    tokens: np.ndarray  # (N, L) that were drawn, the nearest to a training picture first
    train: np.ndarray  # (N, L) the training picture nearest to each
    nearest: Nearest  # of them, in the same order
    held_out: np.ndarray  # (K,) the Jaccard index of each held-out picture and the training picture nearest to it

    @property
    def clean(self) -> bool:
        """Whether drawn pictures come no nearer to train than held-out ones, neither on the whole nor a few of them."""
        return not (self.compared.median_nearer or self.compared.more_near(self.bars.share))

    def to_dict(self) -> dict[str, Any]:
        pairs = {"jaccard": self.nearest.jaccard.tolist(), "train row": self.nearest.row.tolist()}
        pairs["held out"] = self.held_out.tolist()
        compared = {"compared": self.compared._asdict(), "enough held out": self.compared.enough}
        return {**self.figures.to_dict(), "bars": asdict(self.bars), "clean": self.clean, **compared, **pairs}

    def __str__(self) -> str:
        bars, compared = self.bars, self.compared
        nearer = f"the drawn picture is nearer to train in {100 * compared.nearer:.0f} % of {compared.pairs} pairs"
        why = [f"{nearer} with a held-out one (Wilcoxon's signed-rank test, one-sided, p = {compared.paired:.2g})"]
        shares = f"{100 * compared.drawn_above:.1f} % of drawn, {100 * compared.held_above:.1f} % of held-out pictures"
        why.append(
            f"for {100 * compared.own:.0f} % of drawn pictures the nearest of all is of train (expected "
            f"{100 * compared.expected:.0f} %; exact binomial test, one-sided, p = {compared.binomial:.2g})"
        )
        why.append(f"above {bars.above:g} are {shares} (Fisher's exact test, one-sided, p = {compared.tail:.2g})")
        if not compared.enough:
            why.append(f"{compared.pairs} held-out pictures are too few for the paired test to find anything")
        if self.gap is not None and self.gap > bars.gap:
            why.append(
                f"the gap of {self.gap:.2f} nats per pixel is wider than {bars.gap:g}: the model knows its training "
                "pictures better than others (overfitting), which is no proof of copies"
            )
        return f"{self.figures}\n{'clean' if self.clean else 'NOT clean'}: {'; '.join(why)}"


def measure(
    model: PictureModel,
    folder: Path,
    *,
    count: int = defaults.NOVELTY_SAMPLES,
    how: sampler.Choice | None = None,
    bars: Bars | None = None,
    split: str = "valid",
    shift: int = defaults.NOVELTY_SHIFT,
    near: int = defaults.NOVELTY_NEAR,
    rows: int = defaults.EVALUATE_ROWS,
    samples: int = defaults.NOVELTY_IMPORTANCE,
    seed: int = 0,
    tell: Tell | None = None,
) -> Novelty:
    """Draw `count` pictures and report how near they come to the training pictures of the corpus of the model.

    Held-out pictures of `split` show the usual: their own nearness to train, with which that of drawn ones is compared
    (`compare`; a test of data copying in the spirit of Meehan et al. 2020). The gap is the NLL of
    `split` minus that of train in nats per pixel, on `rows` pictures of each, drawn by `seed` (0: all); exact, or for
    a model with codes the importance-weighted bound of `samples` codes. Views of training pictures are left out of it
    all. Raises InputError if the corpus has another palette, size or order than the model.
    """
    bars = bars or Bars()
    require(split != "train", "split", split, "valid or test: pictures that the model has not seen")
    require(0 <= near <= 255, "near", near, "0 to 255")
    tell = tell or (lambda title, done, of: None)
    corpus = corpus_of(model, folder)
    _check_shift(shift, model.height, model.width)
    known, held = originals(corpus), corpus.rows(split).pad(np.arange(len(corpus.rows(split))))
    drawing = partial(tell, "drawing")
    drawn = model.sample(count, label=None, seed=seed, how=how, tell=drawing).cpu().numpy()
    unscan = model.palette.unscan
    groups = shades(model.palette, unscan(known), near)
    among = groups[unscan(known)]
    of_drawn = nearest(groups[unscan(drawn)], among, shift=shift, tell=partial(tell, "comparing"))
    of_held = nearest(groups[unscan(held)], among, shift=shift)
    to_held = nearest(groups[unscan(drawn)], groups[unscan(held)], shift=shift)
    sizes = (groups[drawn] > 0).sum(1), (groups[held] > 0).sum(1)
    compared = compare(of_drawn.jaccard, of_held.jaccard, to_held.jaccard, len(known), bars.above, sizes)
    figures = _nearness(of_drawn.jaccard, of_held.jaccard, bars.above, split, compared)
    gap = None
    if not isinstance(model.model, Latent) or model.model.noise:
        costs, gap = _gap(model, corpus, {"train": len(known), split: len(held)}, rows, samples, seed, tell)
        figures += costs
    order = np.argsort(-of_drawn.jaccard, kind="stable")
    pairs = Nearest(of_drawn.jaccard[order], of_drawn.row[order])
    own = model.opened.facts.get("run", {}).get("fingerprint") == corpus.fingerprint
    data = f"{folder.name}{'' if own else ' (NOT the corpus that it was trained on, or not as built then)'}"
    kind = f"pictures drawn, {len(known):,} of train in {groups.max() + 1} shades, mirrored and moved by up to {shift}"
    report = Figures(model.opened.name, data, count, seed, figures, kind)
    return Novelty(report, bars, compared, gap, drawn[order], known[pairs.row], pairs, of_held.jaccard)


def _nearness(drawn: np.ndarray, held: np.ndarray, above: float, split: str, compared: Compared) -> list[Figure]:
    """The Jaccard indices of drawn pictures (N,) beside those of held-out ones (K,)."""
    from scipy.stats import mannwhitneyu

    test = mannwhitneyu(drawn, held, alternative="greater")
    nearer = 100 * float(test.statistic) / (len(drawn) * len(held))
    every = f"all pairs of a drawn picture and one of {split}; Mann-Whitney, one-sided, p = {test.pvalue:.2g}"
    chance = f"{100 * compared.expected:.1f} expected; exact binomial test, one-sided, p = {compared.binomial:.2g}"
    mates = f"{compared.pairs} pairs of like size; Wilcoxon's signed-rank test, one-sided, p = {compared.paired:.2g}"
    return [
        *_spread("drawn", drawn, above),
        *_spread(split, held, above),
        Figure("drawn is nearer", nearer, "% of pairs", every),
        Figure("drawn is nearer, paired", 100 * compared.nearer, "% of pairs", mates),
        Figure("nearest of all is of train", 100 * compared.own, "% of drawn", chance),
    ]


def pairs(model: PictureModel, report: Novelty, count: int = defaults.NOVELTY_PAIRS, across: int = 16) -> np.ndarray:
    """The `count` nearest pairs as one picture, `across` in a line: drawn above, from train below."""
    count = min(count, len(report.tokens))
    lines = []
    for start in range(0, count, across):
        for tokens in (report.tokens, report.train):
            line = model.pictures(torch.from_numpy(tokens[start : min(start + across, count)]))
            lines += line + [np.zeros_like(line[0])] * (min(across, count) - len(line))
    return sheet.grid(lines, columns=min(across, count))


def _spread(name: str, jaccard: np.ndarray, above: float) -> list[Figure]:
    """The nearness of some pictures to train."""
    most = ", ".join(f"{q} % {np.percentile(jaccard, q):.2f}" for q in QUANTILES)
    share = 100 * float((jaccard > above).mean())
    return [
        Figure(f"{name}, median", float(np.median(jaccard)), "Jaccard index", f"{most}, most {jaccard.max():.2f}"),
        Figure(f"{name}, above {above:g}", share, "% of pictures", f"of {len(jaccard):,}"),
    ]


def _gap(
    model: PictureModel, corpus: Corpus, counts: dict[str, int], rows: int, samples: int, seed: int, tell: Tell
) -> tuple[list[Figure], float]:
    """The NLL of `rows` of the first pictures of two splits, so many of each, and the difference in nats per pixel."""
    coded = isinstance(model.model, Latent)
    figures, values = [], []
    for name, count in counts.items():
        draw = np.random.default_rng(seed)
        some = draw.choice(count, rows, replace=False) if 0 < rows < count else np.arange(count)
        picked, labels = tokens_of(model, corpus.rows(name), some)
        noted = partial(tell, f"NLL of {name}")
        each = model.nll(picked, samples=samples, seed=seed, label=labels, tell=noted) / model.length
        estimator = (f"importance-weighted bound, K={samples}" if coded else "exact") + of_classes(model.model, labels)
        figures.append(mean(f"NLL of {name}", each, f"{estimator}, {len(each):,} pictures", "nats per pixel"))
        values.append(each)
    gap = float(values[1].mean() - values[0].mean())
    errors = [figure.error or 0.0 for figure in figures]
    figure = Figure("gap", gap, "nats per pixel", "NLL of held-out minus NLL of training pictures", math.hypot(*errors))
    return [*figures, figure], gap
