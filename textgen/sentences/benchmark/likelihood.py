"""Likelihood of held-out sentences under two models, sentence by sentence.

A long sentence is long for both models, so the difference of each sentence says much more than two means with their
errors do. An exact NLL stands beside a bound from above: where the model with codes is the better one, it is so truly.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Annotated, Any

from typer import Option

from corpora.errors import InputError
from textgen.core.numbers import exponential
from textgen.runs import options as o
from textgen.sentences import defaults
from textgen.sentences.benchmark import run
from textgen.sentences.benchmark.judge import Report, score

if TYPE_CHECKING:
    from textgen.runs.library import Opened


def likelihood(
    data: o.Data,
    other: Annotated[str, Option(metavar="NAME|FOLDER", help="the model to compare with", autocompletion=o.models)],
    model: o.Model = None,
    split: o.Split = "test",
    rows: Annotated[int, Option(min=0, max=o.ROWS, metavar="N", help="sentences drawn by the seed; 0: all")] = 0,
    samples: Annotated[
        int | None,
        Option(min=1, max=1_000_000, metavar="K", help="codes for each, of models with codes, as for `evaluate`"),
    ] = None,
    ais: o.Anneal = 0,
    groups: Annotated[
        str | None,
        Option(metavar="FILE|label", help="intervals over groups, as for `evaluate`"),
    ] = None,
    seed: o.Seed = 0,
    device: o.Device = "auto",
    threads: o.Threads = None,
    as_json: o.Json = False,
) -> int:
    """Compare the likelihood of the same sentences under two models.

      textgen benchmark likelihood ptb --model runs/ptb-ours --other runs/ptb-lm --samples 100

    NLL of each model, exact or a bound from above; the mean of the differences, sentence by sentence; the share of the
    sentences that the first model finds more probable; and the ratio of perplexities per word.
    """
    return run(main, locals())


def main(chosen: SimpleNamespace, opening: Callable[..., Any]) -> Report:
    """The command. Raises InputError for bad input, and where no sentence is one that both models take."""
    import numpy as np

    from textgen.core.figures import picked
    from textgen.sentences import measures

    one, two = opening(), opening(chosen.other)
    kept, where = measures.labelled(Path(chosen.data), chosen.split)
    names = None if chosen.groups is None else measures.groups_of(kept, chosen.groups)
    texts = [row.text for row in kept]
    both = [n for n, text in enumerate(texts) if all(_takes(opened, text) for opened in (one, two))]
    if not both:
        raise InputError(f"{where}: no sentence is one that both models take")
    some = [both[place] for place in picked(np.random.default_rng(chosen.seed), len(both), chosen.rows).tolist()]
    texts, labels = [texts[n] for n in some], [kept[n].label for n in some]
    costs, how, notes = zip(*(nll(opened, texts, labels, chosen) for opened in (one, two)), strict=True)
    units = np.array([len(text.split()) + 1 for text in texts])
    groups = None if names is None else [names[n] for n in some]
    ways: dict[str, Any] = {"seed": chosen.seed, "groups": groups}
    apart = costs[0] - costs[1]
    first = np.stack([*costs, units], 1)
    scores = [
        *(
            score(f"NLL, {opened.name}", measures.NATS, about, cost, **ways)
            for opened, cost, about in zip((one, two), costs, how, strict=True)
        ),
        score("difference", measures.NATS, "the first less the second, of each sentence", apart, **ways),
        score("first is better", "% of sentences", "its NLL is the lower one", 100.0 * (apart < 0), **ways),
        score(
            "perplexity ratio",
            "per word",
            f"{units.sum():,} words, one for the end of each",
            first,
            statistic=_ratio,
            **ways,
        ),
    ]
    left_out = len(kept) - len(both)
    title = f"{one.name} beside {two.name} on {where}: {len(some):,} sentences, seed {chosen.seed}"
    title += f" ({left_out:,} left out: not both models take them)" if left_out else ""
    facts = {"model": one.name, "other": two.name, "data": where, "sentences": len(some), "seed": chosen.seed}
    lines = [f"note: {opened.name}: {note}" for opened, some in zip((one, two), notes, strict=True) for note in some]
    return Report(title, facts | {"left_out": left_out, "notes": lines}, scores, lines)


def _takes(opened: Opened, text: str) -> bool:
    from corpora.codec import of_text

    return opened.takes(of_text(opened.codec).encode(text))


def _ratio(sums: list[float]) -> float:
    return exponential((sums[0] - sums[1]) / sums[2])


def nll(
    opened: Opened, texts: Sequence[str], labels: Sequence[str | None], chosen: SimpleNamespace
) -> tuple[Any, str, list[str]]:
    """-log p of each text, nats (N,), how it was computed, and notes. Raises InputError for a model without one."""
    import torch

    from textgen.core import estimators
    from textgen.core.model import Autoregressive, Latent
    from textgen.sentences import measures

    whole = measures.Tokenised(opened, texts, labels if opened.model.classes is not None else None)
    some, model = list(range(len(texts))), opened.model
    notes, unknown = whole.notes, sum(row.count(whole.codec.blank) for row in whole.rows)
    if unknown:
        notes = [*notes, f"{unknown:,} tokens are unknown to it: one cheap token stands for any such word"]
    if isinstance(model, Latent) and model.noise:
        samples = defaults.codes_for(chosen.samples, chosen.ais)
        how = measures.Sampling(samples, chosen.seed, chosen.ais, progress=not chosen.as_json)
        bounds = measures.bounds_of(model, whole, some, how)
        about = f"{how}, prior {model.prior.title}; effective sample size "
        about += f"{float((bounds.effective * samples).median()):.1f}, median"
        return bounds.nll.cpu().numpy(), about, notes
    if not isinstance(model, Autoregressive):
        raise InputError(f"{opened.name} has no likelihood: there is nothing to compare")
    batches = list(whole.batches(some, 128))
    parts = [estimators.exact_nll(model, whole.padded(batch), whole.labels[batch]) for batch in batches]
    return torch.cat(parts).double()[measures.places(batches, some)].cpu().numpy(), "exact", notes
