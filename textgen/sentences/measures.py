"""`evaluate`: likelihood, rate, mutual information and reconstruction of held-out sentences.

Each number has its unit, split and estimator.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch.distributions import Independent

from corpora import build, files
from corpora.codec import of_text
from corpora.corpus import Corpus
from corpora.errors import InputError
from corpora.row import Row, items_alone
from corpora.sources import text as text_source
from textgen.core import estimators, figures
from textgen.core.figures import Figure, Figures, of_classes, of_groups, picked, standard_error
from textgen.core.model import Autoregressive, Latent
from textgen.core.numbers import exponential
from textgen.runs.library import Opened
from textgen.runs.screen import tracked
from textgen.sentences import defaults
from textgen.sentences.sentence_vae import SentenceVAE
from textgen.sentences.units import spaced

NATS = "nats per sentence"
MOST = 20_000  # sentences between which mutual information is estimated: time and memory grow with their square
REFINED = "refined codes, moved until they give their sentence back (no rate holds them: the one above is not theirs)"


def texts(path: Path, split: str) -> tuple[list[str], str]:
    """The sentences of a split of a corpus, or of a text file; and their name. Raises InputError if none."""
    rows, name = labelled(path, split)
    return [row.text for row in rows], name


def labelled(path: Path, split: str) -> tuple[list[Row], str]:
    """The same with their labels: those of a corpus, if it has any."""
    if (path / "manifest.json").is_file():
        stored = Corpus.open(path).rows(split)
        rows = [Row(stored.text(row), stored.label(row)) for row in range(len(stored))]
        name = f"{path.name}, {split} split"
    elif build.source_of([str(path)]) != "text":
        raise InputError(f"{path} is a table: make a corpus of it first, corpora build {path} column=NAME --out DIR")
    else:
        rows = [row for row in items_alone(text_source.read([str(path)], text_source.Config())) if row.text.strip()]
        name = path.name
    if not rows:
        raise InputError(f"{path}: no sentence to evaluate on")
    return rows, name


def groups_of(rows: Sequence[Row], groups: str | Path) -> list[str]:
    """The name of the group that each row is of: its label, for `label`, or a line of a file.

    Raises InputError where the file has not as many lines as there are rows, or a row has no label.
    """
    if str(groups) == "label":
        names = [row.label for row in rows if row.label is not None]
        if len(names) < len(rows):
            raise InputError(f"--groups label: {len(rows) - len(names):,} of {len(rows):,} rows have none")
        return names
    path = Path(groups)
    lines = files.read_bytes(path, 1 << 28).decode("utf-8", "replace").splitlines()
    if len(lines) != len(rows):
        raise InputError(
            f"--groups {files.quoted_path(path)}: {len(lines):,} lines for {len(rows):,} sentences: expected the name "
            "of a group for each, in their order (a corpus leaves rows out: give the text file that it was built of)"
        )
    return lines


class Tokenised:
    """Sentences as tokens, numbered, and padded on demand; `labels` are their classes, (N,), -1 where none is known.

    Those that the model does not take are left out, and counted.
    """

    def __init__(
        self,
        opened: Opened,
        texts: Sequence[str],
        labels: Sequence[str | None] | None = None,
        groups: Sequence[str] | None = None,
    ) -> None:
        self.opened, self.codec, self.device = opened, of_text(opened.codec), next(opened.model.parameters()).device
        rows = self.codec.encode_many(texts)
        kept = [number for number, row in enumerate(rows) if opened.takes(row)]
        self.left_out = len(texts) - len(kept)
        self.texts, self.rows = [texts[number] for number in kept], [rows[number] for number in kept]
        self.groups = None if groups is None else [groups[number] for number in kept]
        self.notes: list[str] = []
        if labels is not None:
            labels, self.notes = opened.known(labels)
        self.labels = opened.labels(labels, len(texts))[kept]

    def mean(self, name: str, values: torch.Tensor, estimator: str, some: Sequence[int], unit: str = NATS) -> Figure:
        """The mean of a number of each of `some` sentences, its error over their groups where they have some."""
        groups = None if self.groups is None else [self.groups[number] for number in some]
        return figures.mean(name, values, estimator + of_groups(groups), unit, groups)

    def padded(self, some: Sequence[int]) -> torch.Tensor:
        """Some sentences with their stops, (N, L)."""
        return self.opened.padded([self.rows[number] for number in some]).to(self.device)

    def batches(self, some: Sequence[int], size: int) -> Iterator[list[int]]:
        """The numbers in `some` by length, `size` at a time."""
        order = sorted(some, key=lambda number: len(self.rows[number]))
        return (order[start : start + size] for start in range(0, len(order), size))


def measure(
    opened: Opened,
    texts: Sequence[str],
    *,
    where: str,
    labels: Sequence[str | None] | None = None,
    rows: int = defaults.EVALUATE_ROWS,
    samples: int = defaults.EVALUATE_SAMPLES,
    seed: int = 0,
    everywhere: int = 0,
    beams: int = defaults.EVALUATE_BEAMS,
    ais: int = 0,
    groups: Sequence[str] | None = None,
    progress: bool = False,
) -> Figures:
    """Every figure of a model on the texts: likelihood and reconstruction on `rows` of them, drawn by `seed` (0: all),
    mutual information and active units on all, up to 20,000. Rows longer than the model takes are left out, and
    counted in the name of the data. A model with classes reads the `labels` of the texts, if there are any.
    Raises InputError if no text is left.

    With `everywhere` the likelihood is that of all the texts: the importance-weighted bound of so many codes on each,
    corrected by the mean of what `samples` codes add on the `rows` (a control variate: in expectation the bound of
    `samples` codes on all, at a fraction of the time).

    The codes are those of `estimators.proposal_for`; with `ais` there are `samples` annealed chains of so many steps.
    `groups` name the author, book or speaker of each text: errors are over them.
    """
    model = opened.model
    whole = Tokenised(opened, texts, labels if model.classes is not None else None, groups)
    if whole.left_out:
        where += f" ({whole.left_out} of {len(texts)} left out: empty, or over {opened.length - 1} tokens)"
    count = len(whole.rows)
    if not count:
        raise InputError(f"every sentence is empty or longer than the {opened.length - 1} tokens that this model takes")
    draw = np.random.default_rng(seed)
    some = picked(draw, count, rows).tolist()
    if everywhere and (len(some) < 2 or not (isinstance(model, Latent) and model.noise)):
        raise InputError("--everywhere corrects a bound by two rows or more: give --rows, and a model that has a bound")
    if isinstance(model, Latent):
        numbers: list[Figure] = []
        notes: list[str] = []
        if model.noise:
            how = Sampling(samples, seed, ais, progress)
            numbers, notes = _likelihood(model, whole, some, how, everywhere)
        every = picked(draw, count, MOST).tolist()
        numbers += _codes(model, whole, every, seed)
        numbers += _reconstruction(opened, whole, some, beams)
    else:
        if not isinstance(model, Autoregressive):
            raise InputError(f"{opened.name} has no likelihood: there is nothing to evaluate")
        batches = list(whole.batches(some, 128))
        parts = [estimators.exact_nll(model, whole.padded(batch), whole.labels[batch]) for batch in batches]
        estimator = "exact" + of_classes(model, whole.labels[some])
        nll = torch.cat(parts).double()[places(batches, some)]
        numbers, notes = _per_unit(whole.mean("NLL", nll, estimator, some), whole, some), []
    return Figures(opened.name, where, len(some), seed, numbers, notes=[*whole.notes, *notes])


class Sampling(NamedTuple):
    """The codes that a bound is estimated by: `samples` for each row, or as many annealed chains of `ais` steps."""

    samples: int
    seed: int
    ais: int = 0
    progress: bool = False

    def of_posterior(self, latent: int | None) -> int:
        """The codes from the posterior itself, of a model with so many numbers in a code."""
        return self.samples if self.ais else estimators.proposal_for(latent).counts(self.samples)[0]

    def __str__(self) -> str:
        if self.ais:
            return f"annealed importance sampling, {self.samples} chains of {self.ais} steps"
        return f"importance-weighted bound, K={self.samples}"


def _likelihood(
    model: Latent, whole: Tokenised, some: Sequence[int], how: Sampling, everywhere: int
) -> tuple[list[Figure], list[str]]:
    """Bounds on the likelihood, and their parts; with `everywhere`, of all rows by a few codes each. And notes."""
    bounds, prior = bounds_of(model, whole, some, how), model.prior.title
    evenness, notes = figures.of_weights(bounds, how.samples, annealed=how.ais > 0)
    nll, note = bounds.nll, of_classes(model, whole.labels[some])
    bound, gained = f"{how}, prior {prior}{note}", torch.zeros(1, dtype=torch.double)
    if everywhere:
        every, fine, how = list(range(len(whole.rows))), nll, Sampling(everywhere, how.seed + 1, progress=how.progress)
        bounds = bounds_of(model, whole, every, how)
        gained = fine - bounds.nll[some]
        bound += f" ({_gain(gained)} from K={everywhere} on all, by {len(some):,} sentences)"
        nll, some, note = bounds.nll + gained.mean(), every, of_classes(model, whole.labels)
    count = how.of_posterior(model.latent)
    codes = f"{count} code{'s' * (count > 1)} from q(z | x) each"
    rate = f"exact KL(q(z | x) || {prior})" if model.prior.standard else f"Monte Carlo KL(q(z | x) || {prior}), {codes}"
    figure = whole.mean("NLL", nll, bound, some)
    if everywhere and figure.error is not None:
        figure = replace(figure, error=math.hypot(figure.error, standard_error(gained)))
    return [
        *_per_unit(figure, whole, some),
        *evenness,
        whole.mean("negative ELBO", bounds.negative_elbo, f"{codes}, prior {prior}{note}", some),
        whole.mean("distortion", bounds.distortion, codes + note, some),
        whole.mean("rate", bounds.rate, rate, some),
    ], notes


def _gain(gained: torch.Tensor) -> str:
    return f"{gained.mean():+.2f} +- {standard_error(gained):.2f}"


def bounds_of(model: Latent, whole: Tokenised, some: Sequence[int], how: Sampling) -> estimators.Bounds:
    """The bounds of the rows `some`, in their order."""
    batches, parts, first = list(whole.batches(some, 8)), [], 0
    ways: dict[str, Any] = {"samples": how.samples, "seed": how.seed, "ais": how.ais}
    ways["proposal"] = estimators.proposal_for(model.latent)
    for batch in tracked(batches, "annealing" if how.ais else "importance sampling", how.progress):
        tokens, labels = whole.padded(batch), whole.labels[batch]
        parts.append(estimators.bounds(model, tokens, labels=labels, first=first, **ways))
        first += len(batch)
    order = places(batches, some)
    return estimators.Bounds(*(torch.cat(values)[order] for values in zip(*parts, strict=True)))


def places(batches: Sequence[Sequence[int]], some: Sequence[int]) -> list[int]:
    """Where each of `some` stands in the batches, one after the other."""
    place = {number: place for place, number in enumerate(number for batch in batches for number in batch)}
    return [place[number] for number in some]


def _per_unit(nll: Figure, whole: Tokenised, some: Sequence[int]) -> list[Figure]:
    """The NLL, and the same as perplexities and bits per byte: figures that compare.

    Scripts that write no words apart get no perplexity per word.
    """
    texts = [whole.codec.normalise(whole.texts[number]) for number in some]
    count = sum(len(text.split()) for text in texts) + len(texts)
    tokens = sum(len(whole.rows[number]) for number in some) + len(texts)
    octets = sum(len(text.encode()) for text in texts) + len(texts)
    total = nll.value * len(texts)
    stops = f"{nll.estimator}; %s, one for the end of each sentence"
    unknown = sum(whole.rows[number].count(whole.codec.blank) for number in some)
    if unknown:
        stops += f", {unknown:,} tokens unknown"
    numbers = [nll]
    if spaced(texts):
        per_word = exponential(total / count)
        numbers.append(Figure("perplexity", per_word, "per word", stops % f"{count:,} words"))
    per_token = exponential(total / tokens)
    numbers.append(Figure("token perplexity", per_token, "per token", stops % f"{tokens:,} tokens"))
    if not unknown:  # one cheap token stands for many bytes: bits per byte would flatter, and words compare alone
        per_byte = total / math.log(2) / octets
        numbers.append(
            Figure(
                "bits per byte",
                per_byte,
                "bits",
                stops % f"{octets:,} bytes of UTF-8 of the text as the model reads it",
            )
        )
    return numbers


def _codes(model: Latent, whole: Tokenised, every: Sequence[int], seed: int) -> list[Figure]:
    """What the codes of many sentences tell about them."""
    posterior = estimators.posteriors(model, (whole.padded(batch) for batch in whole.batches(every, 256)))
    count, numbers = len(every), []
    if model.noise:
        mutual = estimators.mutual_information(posterior, seed=seed)
        estimator = f"over {count:,} sentences, so at most {math.log(count):.2f}; a lower bound"
        numbers.append(Figure("mutual information", mutual, "nats", estimator))
        if count > 1:
            numbers.append(_most(model, posterior, seed))
    estimator = f"variance of the posterior mean above 0.01, over {count:,} sentences"
    return [*numbers, Figure("active units", estimators.active_units(posterior.mean), f"of {model.latent}", estimator)]


def _most(model: Latent, posterior: Independent, seed: int) -> Figure:
    """The lesser of two upper bounds on mutual information: it tells where the lower one is at its cap."""
    rate = float(model.rates(posterior).sum(1).double().mean())
    others = estimators.mutual_information(posterior, seed=seed, others=True)
    which = "the mean KL(q(z | x) || N(0, I))" if rate < others else "each sentence beside all the others"
    return Figure("mutual information, at most", min(rate, others), "nats", f"an upper bound: {which}")


def _reconstruction(opened: Opened, whole: Tokenised, some: Sequence[int], beams: int) -> list[Figure]:
    """BLEU and exact match of sentences decoded from their posterior means, and from refined codes."""
    from sacrebleu.metrics import BLEU

    vae, sentences, numbers = SentenceVAE(opened), [whole.texts[number] for number in some], []
    truth = [whole.codec.normalise(text) for text in sentences]
    bleu = BLEU(tokenize="13a" if spaced(truth) else "char", force=True)
    labels = whole.labels[some]
    for refine in (0, defaults.REFINE) if vae.model.noise else (0,):
        decoded = vae.reconstruct(sentences, beams=beams, refine=refine, label=labels)
        bleu_of = bleu.corpus_score(decoded, [truth]).score
        same = torch.tensor([100.0 * (one == other) for one, other in zip(truth, decoded, strict=True)])
        code = f"codes refined in up to {refine} steps" if refine else "the posterior mean"
        code += of_classes(vae.model, labels)
        how = f"{'greedy' if beams == 1 else f'{beams} beams, re-ranked,'} from {code}, {len(some):,} sentences"
        name, apart = ("{}, refined", REFINED) if refine else ("{}", "")
        by = f"{how}; sacreBLEU {bleu.get_signature()}"
        score = Figure(name.format("reconstruction BLEU"), bleu_of, "0 to 100", by)
        exact = whole.mean(name.format("exact match"), same, how, some, "% of sentences")
        numbers += [replace(figure, apart=apart) for figure in (score, exact)]
    return numbers
