"""`evaluate`: what a model knows of held-out sentences, each number with its unit, split and estimator."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from corpora.corpus import Corpus
from corpora.errors import InputError
from corpora.sources import text as text_source
from textgen import evaluate, sampler
from textgen.model import Autoregressive, Latent
from textgen.run import Opened


@dataclass(frozen=True)
class Figure:
    """One number: what it is, its unit, how it was estimated, and its standard error over the rows where it has one."""

    name: str
    value: float
    unit: str
    estimator: str
    error: float | None = None


@dataclass(frozen=True)
class Figures:
    """All figures of a model on some rows."""

    model: str
    data: str
    rows: int
    seed: int
    figures: list[Figure]

    def __getitem__(self, name: str) -> float:
        return next(figure.value for figure in self.figures if figure.name == name)

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    def __str__(self) -> str:
        lines = [f"{self.model} on {self.data}: {self.rows:,} sentences, seed {self.seed}"]
        for figure in self.figures:
            error = "" if figure.error is None else f" +- {figure.error:.2f}"
            number = (
                f"{figure.value:.0f}"
                if float(figure.value).is_integer() and figure.unit.startswith("of ")
                else f"{figure.value:.2f}"
            )
            lines.append(f"  {figure.name:<24} {number + error:>16} {figure.unit:<20} {figure.estimator}")
        return "\n".join(lines)


def texts(opened: Opened, path: Path, split: str) -> tuple[list[str], str]:
    """The sentences of a split of a corpus, or of a text file; and what to call them. Raises InputError if none."""
    if (path / "manifest.json").is_file():
        corpus = Corpus.open(path)
        rows = corpus.rows(split)
        found, name = [rows.text(row) for row in range(len(rows))], f"{path.name}, {split} split"
    else:
        found = [row.text for row in text_source.read([str(path)], text_source.Config()) if row.text.strip()]
        name = path.name
    if not found:
        raise InputError(f"{path}: no sentence to evaluate on")
    return found, name


def measure(
    opened: Opened,
    texts: Sequence[str],
    *,
    where: str,
    rows: int = 0,
    samples: int = 500,
    seed: int = 0,
    beams: int = 1,
    progress: bool = False,
) -> Figures:
    """Every figure of a model on `rows` of the texts, drawn by `seed` (0: all). Rows longer than the model takes are
    left out, and counted in the name of the data. Raises InputError if none is left."""
    model, codec = opened.model, opened.codec
    if rows and rows < len(texts):
        chosen = np.sort(np.random.default_rng(seed).choice(len(texts), rows, replace=False))
        texts = [texts[number] for number in chosen]
    encoded = codec.encode_many(texts)
    kept = [number for number, row in enumerate(encoded) if row and len(row) < opened.length]
    if len(kept) < len(texts):
        where += f" ({len(texts) - len(kept)} of {len(texts)} left out: empty, or over {opened.length - 1} tokens)"
    if not kept:
        raise InputError(f"every sentence is empty or longer than the {opened.length - 1} tokens that this model takes")
    texts, encoded = [texts[number] for number in kept], [encoded[number] for number in kept]
    words = sum(len(text.split()) for text in texts) + len(texts)
    pieces = sum(len(row) + 1 for row in encoded)
    octets = sum(len(text.encode()) + 1 for text in texts)
    order = sorted(range(len(encoded)), key=lambda number: len(encoded[number]))
    device = next(model.parameters()).device

    def padded(some: Sequence[int]) -> torch.Tensor:
        length = max(len(encoded[number]) for number in some) + 1
        filled = [[*encoded[n], codec.stop] + [codec.pad] * (length - 1 - len(encoded[n])) for n in some]
        return torch.tensor(filled, device=device)

    figures: list[Figure] = []
    if isinstance(model, Latent):
        latent_figures(model, order, padded, figures, samples, seed, progress)
        decoded = _decoded(opened, order, padded, beams)
        figures += reconstruction(texts, decoded, codec, beams)
    else:
        assert isinstance(model, Autoregressive)
        nll = torch.cat(
            [evaluate.exact_nll(model, padded(order[n : n + 128])) for n in range(0, len(order), 128)]
        ).double()
        figures.append(_mean("NLL", nll, "exact"))
    if figures[0].name == "NLL":
        total, how = figures[0].value * len(texts), figures[0].estimator
        figures[1:1] = [
            Figure(
                "perplexity",
                math.exp(min(700.0, total / words)),
                "per word",
                f"{how}; {words:,} words, one stop per sentence among them",
            ),
            Figure(
                "perplexity of tokens",
                math.exp(min(700.0, total / pieces)),
                f"per {codec.name} token",
                f"{how}; {pieces:,} tokens",
            ),
            Figure(
                "bits per byte",
                total / math.log(2) / octets,
                "bits",
                f"{how}; {octets:,} bytes of UTF-8, one line end per sentence among them",
            ),
        ]
    return Figures(opened.folder.name, where, len(texts), seed, figures)


def latent_figures(
    model: Latent, order: Sequence[int], padded: Any, figures: list[Figure], samples: int, seed: int, progress: bool
) -> None:
    """Bounds, rate, mutual information and active units of a model with codes."""
    count = len(order)
    posterior = evaluate.posteriors(model, (padded(order[n : n + 256]) for n in range(0, count, 256)))
    if model.noise:
        parts = [
            evaluate.bounds(model, padded(order[start : start + 8]), samples=samples, seed=seed, first=start)
            for start in _tracked(range(0, count, 8), progress)
        ]
        found = evaluate.Bounds(*(torch.cat(values) for values in zip(*parts, strict=True)))
        figures.append(_mean("NLL", found.nll, f"importance-weighted bound, K={samples}, prior N(0, I)"))
        figures.append(_mean("negative ELBO", found.negative_elbo, f"{samples} codes from q(z | x)"))
        figures.append(_mean("distortion", found.distortion, f"{samples} codes from q(z | x)"))
        figures.append(_mean("rate", found.rate, "exact KL(q(z | x) || N(0, I))"))
        most = 20_000
        some = posterior.expand(posterior.batch_shape) if count <= most else _first(posterior, most)
        cap = math.log(min(count, most))
        mutual = evaluate.mutual_information(some, seed=seed)
        figures.append(
            Figure("mutual information", mutual, "nats", f"over {min(count, most):,} sentences, so at most {cap:.2f}")
        )
    figures.append(
        Figure(
            "active units",
            evaluate.active_units(posterior.mean),
            f"of {model.latent}",
            "variance of the posterior mean above 0.01",
        )
    )


def _first(posterior: Any, rows: int) -> Any:
    from torch.distributions import Independent, Normal

    return Independent(Normal(posterior.mean[:rows], posterior.stddev[:rows]), 1)


def _decoded(opened: Opened, order: Sequence[int], padded: Any, beams: int) -> dict[int, str]:
    model = opened.model
    assert isinstance(model, Latent)
    found = {}
    for start in range(0, len(order), 64):
        some = order[start : start + 64]
        with torch.inference_mode():
            codes = model.posterior(padded(some)).mean
        best = sampler.beam(
            model.backbone, model.vocab, rows=len(some), length=opened.length, beams=beams, context=codes
        ).tokens[:, 0]
        found.update({number: opened.codec.decode(row) for number, row in zip(some, best.tolist(), strict=True)})
    return found


def reconstruction(texts: Sequence[str], decoded: dict[int, str], codec: Any, beams: int) -> list[Figure]:
    """BLEU and exact match of sentences decoded from their posterior means."""
    from sacrebleu.metrics import BLEU

    given = [codec.normalise(text) for text in texts]
    made = [decoded[number] for number in range(len(texts))]
    spaced = sum(" " in text for text in given) > len(given) / 2
    bleu = BLEU(tokenize="13a" if spaced else "char")
    score = bleu.corpus_score(made, [given]).score
    same = 100 * sum(one == other for one, other in zip(given, made, strict=True)) / len(given)
    how = "greedy" if beams == 1 else f"beam {beams}"
    return [
        Figure(
            "reconstruction BLEU", score, "0 to 100", f"{how} from the posterior mean; sacreBLEU {bleu.get_signature()}"
        ),
        Figure("exact match", same, "% of sentences", f"{how} from the posterior mean"),
    ]


def _mean(name: str, values: torch.Tensor, estimator: str) -> Figure:
    error = float(values.std()) / math.sqrt(len(values)) if len(values) > 1 else None
    return Figure(name, float(values.mean()), "nats per sentence", estimator, error)


def _tracked(items: range, progress: bool) -> Iterable[int]:
    if not progress:
        return items
    from rich.console import Console
    from rich.progress import track

    return track(items, description="importance sampling", console=Console(stderr=True), transient=True)
