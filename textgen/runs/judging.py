"""What a run looks at while it trains: means over held-out rows, and samples to see how it goes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from corpora.corpus import Corpus
from textgen.core import estimators, sampler, trainer
from textgen.core.model import Latent, Model
from textgen.core.player import Batch
from textgen.core.randomness import Draw
from textgen.runs import kind
from textgen.runs.plan import Plan

MOST = 2000  # rows judged
_AT_ONCE = 128


@torch.inference_mode()
def validate(model: Model, corpus: Corpus, plan: Plan, device: str) -> dict[str, float]:
    """Means over the valid split (2,000 rows of it at most, drawn once) of what a model reports, and its active units.

    One code from the posterior per row, from a fixed seed, so that two evaluations differ by the weights alone.
    """
    rows = corpus.splits.get("valid")
    if rows is None or not len(rows):
        rows = corpus.splits["train"]
    count = min(MOST, len(rows))
    some = np.sort(np.random.default_rng(0).choice(len(rows), count, replace=False))  # files may stand in any order
    order = some[rows.lengths[some].argsort(kind="stable")]
    totals: dict[str, float] = {}
    codes = []
    for first in range(0, count, _AT_ONCE):
        some = order[first : first + _AT_ONCE]
        tokens, labels = (torch.from_numpy(numbers).to(device) for numbers in (rows.pad(some), rows.classes(some)))
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
    """(what, line) to see how training goes: of text two sentences and what they decode to, and rows that are drawn."""
    codec, written = corpus.codec, []
    greedy = sampler.Choice(temperature=0)
    text = kind.program(codec) == "textgen"
    rows = corpus.splits.get("valid") or corpus.splits["train"]
    if isinstance(model, Latent) and text:
        for row in range(min(2, len(rows))):
            tokens = torch.from_numpy(rows.pad([row])).to(device)
            labels = torch.from_numpy(rows.classes([row])).to(device)
            context = model.given(1, labels, model.posterior(tokens).mean)
            again = sampler.sample(model.backbone, model.vocab, rows=1, length=plan.length, context=context, how=greedy)
            for what, one in (("given", rows.pad([row])), ("decoded", again.cpu().numpy())):
                written += [(what, line) for _, line in kind.preview(codec, one, folder, "")]
    count = 2 if text else 16
    drawn = model.sample(count, length=plan.length, seed=plan.seed)
    written += kind.preview(codec, drawn.cpu().numpy(), folder / "samples", f"step-{step:09d}")
    return [(what, " ".join(line.split())) for what, line in written]  # bytes and characters may hold line breaks
