"""A prior fitted to the codes of a trained model: how far the codes are from N(0, I), and a model that knows.

Averaged over sentences, the rate is E KL(q(z | x) || p(z)) = I(x; z) + KL(q(z) || p(z)) with q(z) the aggregated
posterior, the mean of q(z | x) over all x (Hoffman and Johnson 2016). Only the last term hangs on p: what a fitted
prior gains, in nats per code, is what the rate falls by, and at most KL(q(z) || N(0, I)).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from corpora import settings as settings_of
from corpora.corpus import Corpus
from corpora.errors import InputError
from textgen.core import estimators
from textgen.core.model import Latent
from textgen.core.randomness import normals
from textgen.runs import library
from textgen.sentences import measures

HELD = 5000  # codes at most that the choice is made on


@dataclass(frozen=True)
class Fitted:
    """What was fitted, and the nats per held-out code: log p(z) under it and under N(0, I)."""

    out: str
    prior: str
    data: str
    rows: int
    held_out: str
    nats: float
    normal: float
    error: float  # of the difference of the two, its standard error over the codes
    noise: bool  # whether codes were drawn from a posterior; those of a plain autoencoder have no rate

    @property
    def gain(self) -> float:
        """Nats per code over N(0, I); where codes are drawn from a posterior, what the mean rate falls by."""
        return self.nats - self.normal

    def to_dict(self) -> dict[str, Any]:
        return {**asdict(self), "gain": self.gain}

    def __str__(self) -> str:
        return (
            f"{self.out}: {self.prior}, fitted to {self.rows:,} codes of {self.data}\n"
            f"  {self.held_out}: {self.nats:.2f} nats per code, {self.normal:.2f} under N(0, I): "
            f"gain {self.gain:+.2f} +- {self.error:.2f}{', what the rate falls by' if self.noise else ''}"
        )


def chosen(path: Path, split: str, rows: int, seed: int) -> tuple[list[str], str]:
    """At most `rows` sentences (0: all) of a split of a corpus or of a text file, drawn by `seed`, and their name."""
    draw = np.random.default_rng(seed)
    if (path / "manifest.json").is_file():
        whole = Corpus.open(path).rows(split)
        some = sorted(draw.permutation(len(whole))[: rows or None].tolist())
        texts, name = [whole.text(row) for row in some], f"{path.name}, {split} split"
    else:
        every, name = measures.texts(path, split)
        texts = [every[row] for row in sorted(draw.permutation(len(every))[: rows or None].tolist())]
    if not texts:
        raise InputError(f"{path}: no sentence")
    return texts, name


class Codes:
    """The posteriors of sentences; codes are drawn from them, or are their means for a plain autoencoder."""

    def __init__(self, opened: library.Opened, texts: list[str], tell: Callable[[int, int], None]) -> None:
        assert isinstance(opened.model, Latent)
        whole = measures.Tokenised(opened, texts)
        if not whole.rows:
            raise InputError(f"every sentence is empty or longer than the {opened.length - 1} tokens of this model")
        self.means = self.deviations = torch.zeros(0)
        found, done = [], 0
        for batch in whole.batches(range(len(whole.rows)), 256):
            found.append(estimators.posteriors(opened.model, [whole.padded(batch)]))
            done += len(batch)
            tell(done, len(whole.rows))
        self.means = torch.cat([one.mean for one in found]).clone()  # so that gradients may pass them
        self.deviations = torch.cat([one.stddev for one in found]).clone() * opened.model.noise

    def __len__(self) -> int:
        return len(self.means)

    def draw(self, seed: int) -> Tensor:
        """One code of each, (N, Z)."""
        rows, size = self.means.shape
        return self.means + self.deviations * normals(seed, 0, rows, size).to(self.means)


def fit(
    model: str | Path,
    data: str | Path,
    out: str | Path,
    *,
    kind: str,
    settings: Mapping[str, Any] | None = None,
    split: str = "train",
    rows: int = 50_000,
    seed: int = 0,
    device: str = "cpu",
    tell: Callable[[str, int, int], None] = lambda what, done, of: None,
) -> Fitted:
    """Fit a prior of a kind to codes z ~ q(z | x) of a model on `rows` sentences (0: all), and write a model folder.

    What is kept is what gives held-out codes most nats: those of the valid split of a corpus, else of a tenth of the
    sentences. `settings`: those of the prior and of its fitting. `tell(what, done, of)` hears how it goes.
    Raises InputError for bad input, before any work where that can be known.
    """
    if Path(out).exists():
        raise InputError(f"{out} exists already: choose another folder or remove it first")
    part = settings_of.find("textgen.priors", kind)
    if not hasattr(part, "fit"):
        raise InputError(f"prior {kind} has nothing to fit: choose another --kind")
    (config, how), words = settings_of.override([part.Config(), part.Fit()], settings or {}), settings or {}
    del config
    opened = library.open_model(model, device)
    fields = {name: value for name, value in words.items() if name in part.Config.__dataclass_fields__}
    opened = library.with_prior(opened, kind, fields)
    latent = opened.model
    assert isinstance(latent, Latent)
    path = Path(data)
    texts, name = chosen(path, split, rows, seed)
    splits = Corpus.open(path).splits if (path / "manifest.json").is_file() else {}
    if split != "valid" and len(splits.get("valid", ())):
        held, where = chosen(path, "valid", HELD, seed)
    else:
        count = min(HELD, len(texts) // 10)
        if not count:
            raise InputError(f"{path}: {len(texts)} sentences are too few: a tenth of them is held out")
        order = np.random.default_rng(seed).permutation(len(texts))
        held, texts = [texts[row] for row in order[:count]], [texts[row] for row in order[count:]]
        where = f"{name}, not fitted to"
    codes = Codes(opened, texts, lambda done, of: tell("encoding", done, of))
    others = Codes(opened, held, lambda done, of: tell("encoding what is held out", done, of))
    unseen = others.draw(seed + 2**32)  # another stream than any of the codes fitted to

    @torch.no_grad()
    def nats() -> Tensor:
        distribution = latent.prior()
        return torch.cat([distribution.log_prob(some) for some in unseen.split(1000)]).double()

    def look(done: int, of: int, score: float) -> None:
        tell(f"fitting, {score:.2f} nats per held-out code", done, of)

    part.fit(latent.prior, lambda turn: codes.draw(seed + turn), unseen, how, seed=seed, tell=look)
    fitted = nats()
    plain = -(unseen.double().pow(2).sum(1) + unseen.shape[1] * math.log(2 * math.pi)) / 2
    gains = fitted - plain
    found = Fitted(
        str(out),
        latent.prior.title,
        name,
        len(codes),
        f"{len(others):,} codes of {where}",
        float(fitted.mean()),
        float(plain.mean()),
        float(gains.std()) / math.sqrt(max(1, len(gains))) if len(gains) > 1 else 0.0,
        latent.noise,
    )
    if not math.isfinite(found.nats):
        raise InputError("the fitted density is not a finite number: give more rows, or a smaller prior")
    facts = {key: value for key, value in found.to_dict().items() if key != "out"}
    facts |= {"seed": seed, "fitting": asdict(how)}
    library.export(opened._replace(facts={**opened.facts, "prior": facts}), Path(out), half=False)
    return found
