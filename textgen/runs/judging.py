"""Evaluations of a run while it trains: means over held-out rows, and samples to see how it goes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from corpora.corpus import Corpus
from corpora.modality import modality_of
from textgen.core import estimators, sampler, trainer
from textgen.core.model import Latent, Model
from textgen.core.player import Batch
from textgen.core.randomness import Draw
from textgen.runs.plan import Plan

MOST = 2000  # rows judged
MOST_TOKENS = MOST * 201  # of them, but for pictures: as many as texts of the greatest length by default have
_AT_ONCE = 128  # rows
_TOKENS_AT_ONCE = _AT_ONCE * 1024  # and tokens, pads among them, where no code is drawn for each row
_SHEET = 16  # pictures on a sheet of samples


def judged_split(corpus: Corpus) -> str:
    """The split that evaluations are of: valid, or train where there is none."""
    return "valid" if len(corpus.splits.get("valid", ())) else "train"


def judged_rows(corpus: Corpus) -> int:
    """The number of rows of an evaluation: `MOST`, or fewer where they are long and their lengths differ."""
    rows = corpus.splits[judged_split(corpus)]
    count = min(MOST, len(rows))
    if corpus.codec.shape is None:
        count = max(1, min(count, int(MOST_TOKENS / max(1.0, rows.lengths.mean()))))
    return count


def unseen(corpus: Corpus) -> list[str]:
    """The labels that no row of the training split has: a model learns nothing of them."""
    train = corpus.splits["train"]
    if train.labels is None:
        return []
    seen = {train.label_names[number] for number in np.unique(train.labels).tolist() if number >= 0}
    return sorted(set(train.label_names) - seen)


def _classes(corpus: Corpus, some: np.ndarray | list[int]) -> Tensor:
    """The classes of rows that are judged, (B,); -1 for those with a label that no training row has."""
    numbers, names = corpus.splits[judged_split(corpus)].classes(some), sorted(corpus.manifest["label_names"])
    return torch.from_numpy(np.where(np.isin(numbers, [names.index(name) for name in unseen(corpus)]), -1, numbers))


def expected(corpus: Corpus, batch: int) -> float:
    """Steps of so many rows that take about as long as an evaluation: a row trained on takes three times one judged."""
    return judged_rows(corpus) / batch / 3


@torch.inference_mode()
def validate(model: Model, corpus: Corpus, plan: Plan, device: str) -> dict[str, float]:
    """Means over the split that is judged (rows of it drawn once) of what a model reports, and its active units.

    At most 2,000 rows, and so many that they have about `MOST_TOKENS` tokens: long clips are fewer. One code from the
    posterior per row, from a fixed seed, so that two evaluations differ by the weights alone.
    """
    rows = corpus.splits[judged_split(corpus)]
    count = judged_rows(corpus)
    some = np.sort(np.random.default_rng(0).choice(len(rows), count, replace=False))  # files may stand in any order
    order = some[rows.lengths[some].argsort(kind="stable")]
    at_once = _AT_ONCE
    if not isinstance(model, Latent):
        at_once = max(1, min(at_once, _TOKENS_AT_ONCE // max(1, int(rows.lengths[order[-1]]))))
    classes = _classes(corpus, order).to(device)
    totals: dict[str, float] = {}
    codes = []
    for first in range(0, count, at_once):
        some = order[first : first + at_once]
        tokens, labels = torch.from_numpy(rows.pad(some)).to(device), classes[first : first + at_once]
        draw = Draw(0, first, total=len(tokens), device=device)
        with trainer.autocast(plan.training.precision, device):
            terms = model.judge(Batch(tokens, labels, len(tokens)), draw)
        for name, values in {"loss": terms.loss, **terms.report}.items():
            totals[name] = totals.get(name, 0.0) + float(values.double().sum())
        if isinstance(model, Latent):
            codes.append(model.posterior(tokens).mean)
    means = {name: value / count for name, value in totals.items()}
    if codes:
        means["active units"] = estimators.active_units(torch.cat(codes))
    return means


@torch.inference_mode()
def samples(model: Model, corpus: Corpus, plan: Plan, device: str, folder: Path, step: int) -> list[tuple[str, str]]:
    """(what, line) to see how training goes: rows that are drawn; and, but for pictures, two rows and their decodings.

    A line is a text, or the name of a file below `folder`.
    """
    codec, modality, target = corpus.codec, modality_of(corpus.codec), folder / "samples"
    written: list[tuple[str, str]] = []
    stem = f"step-{step:09d}"

    def show(rows: Tensor | np.ndarray, name: str, what: str | None = None) -> None:
        lines = modality.preview(codec, rows.tolist(), target, name)
        written.extend((what or kind, f"samples/{line}" if line.startswith(stem) else line) for kind, line in lines)

    rows = corpus.splits[judged_split(corpus)]
    if isinstance(model, Latent) and codec.shape is None:
        for row in range(min(2, len(rows))):
            tokens, labels = torch.from_numpy(rows.pad([row])).to(device), _classes(corpus, [row]).to(device)
            context = model.given(1, labels, model.posterior(tokens).mean)
            greedy = sampler.Choice(temperature=0)
            again = sampler.sample(model.backbone, model.vocab, rows=1, length=plan.length, context=context, how=greedy)
            show(tokens, f"{stem}-{row}-given", "given")
            show(again, f"{stem}-{row}-decoded", "decoded")
    drawn = model.sample(2 if codec.shape is None else _SHEET, length=plan.length, seed=plan.seed)
    show(drawn, stem)
    return [(what, " ".join(line.split())) for what, line in written]
