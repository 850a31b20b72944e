"""A prior fitted to the codes of a trained model: how far the codes are from N(0, I), and a model that knows.

Averaged over rows, the rate is E KL(q(z | x) || p(z)) = I(x; z) + KL(q(z) || p(z)) with q(z) the aggregated
posterior, the mean of q(z | x) over all x (Hoffman and Johnson 2016). Only the last term depends on p: what a fitted
prior gains, in nats per code, is what the rate falls by, and at most KL(q(z) || N(0, I)).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.distributions import Independent

from corpora import build, files
from corpora import codec as codecs
from corpora import settings as settings_of
from corpora.codec import TextCodec
from corpora.corpus import Corpus
from corpora.errors import InputError
from corpora.modality import modality_of
from corpora.row import items_alone
from corpora.sources import text as text_source
from textgen.core import estimators
from textgen.core.model import Latent, draw_code
from textgen.core.randomness import normals
from textgen.runs import library
from textgen.runs.library import Opened

HELD = 5000  # codes at most that the choice is made on
_AT_ONCE = 256

Rows = Sequence[Sequence[int]]  # of tokens, without stop
Tell = Callable[[str, int, int], None]  # (what is being done, how many are done, of how many)


@dataclass(frozen=True)
class Fitted:
    """A fitted prior, and the nats per held-out code: log p(z) under it and under N(0, I)."""

    out: str
    prior: str
    data: str
    rows: int
    held_out: str
    nats: float
    normal: float
    error: float  # of the difference of the two, its standard error over the codes
    noise: bool  # whether codes were drawn from a posterior; those of a plain autoencoder have no rate
    program: str  # the command that samples from it

    @property
    def gain(self) -> float:
        """Nats per code over N(0, I); where codes are drawn from a posterior, what the mean rate falls by."""
        return self.nats - self.normal

    def to_dict(self) -> dict[str, Any]:
        """JSON values."""
        facts = {key: value for key, value in asdict(self).items() if key != "program"}
        return {**facts, "gain": self.gain}

    def __str__(self) -> str:
        return (
            f"{self.out}: {self.prior}, fitted to {self.rows:,} codes of {self.data}\n"
            f"  {self.held_out}: {self.nats:.2f} nats per code, {self.normal:.2f} under N(0, I): "
            f"gain {self.gain:+.2f} +- {self.error:.2f}{', what the rate falls by' if self.noise else ''}\n"
            f"try: {self.program} sample --model {self.out}"
        )


# ---------------------------------------------------------------------------------------------- rows and their codes


def rows_of(opened: Opened, path: Path, split: str, most: int, seed: int) -> tuple[Rows, str]:
    """At most `most` rows (0: all) of a split of a corpus or of a text file, drawn by `seed`, and what to call them.

    They are tokens of the model's codec: a corpus of another codec, and a file, have to be text.
    """
    draw = np.random.default_rng(seed)

    def some(count: int) -> list[int]:
        return sorted(draw.permutation(count)[: most or None].tolist())

    if (path / files.MANIFEST).is_file():
        corpus = Corpus.open(path)
        every, name = corpus.rows(split), f"{path.name}, {split} split"
        if codecs.alike(corpus.codec.to_dict(), opened.codec.to_dict()):
            return [every[row].tolist() for row in some(len(every))], name
        codec = _text_codec(opened, f"{files.quoted_path(path)} has another codec than {opened.name}")
        if not isinstance(corpus.codec, TextCodec):
            raise InputError(
                f"{files.quoted_path(path)} has {modality_of(corpus.codec).units}: {opened.name} is for text"
            )
        return codec.encode_many([every.text(row) for row in some(len(every))]), name
    codec = _text_codec(opened, f"{files.quoted_path(path)} is no corpus")
    if build.source_of([str(path)]) != "text":
        raise InputError(f"{path} is a table: make a corpus of it first, corpora build {path} column=NAME --out DIR")
    texts = [row.text for row in items_alone(text_source.read([str(path)], text_source.Config())) if row.text.strip()]
    return codec.encode_many([texts[row] for row in some(len(texts))]), path.name


def _text_codec(opened: Opened, problem: str) -> TextCodec:
    """The codec of a model of text. Raises InputError, which begins with the problem, for any other."""
    if not isinstance(opened.codec, TextCodec):
        raise InputError(f"{problem}: build a corpus with codec_from={opened.name}")
    return opened.codec


def posteriors(opened: Opened, rows: Rows, tell: Callable[[int, int], None] = lambda done, of: None) -> Independent:
    """q(z | x) of rows, the shortest first, as one distribution over (N, Z). Rows the model does not take are left out.

    Raises InputError if none is left, or the model gives no posteriors.
    """
    model = opened.model
    if not isinstance(model, Latent):
        raise InputError(f"{opened.name}: a {opened.recipe.model} has no codes, so it has no prior")
    taken = sorted((row for row in rows if opened.takes(row)), key=len)
    if not taken:
        unit = modality_of(opened.codec).unit
        raise InputError(f"every {unit} is empty or longer than the {opened.most} tokens of this model")
    device = next(model.parameters()).device
    parts = []
    for first in range(0, len(taken), _AT_ONCE):
        batch = taken[first : first + _AT_ONCE]
        parts.append(estimators.posteriors(model, [opened.padded(batch).to(device)]))
        tell(min(first + _AT_ONCE, len(taken)), len(taken))
    means, deviations = (torch.cat(some).clone() for some in zip(*((q.mean, q.stddev) for q in parts), strict=True))
    return estimators.diagonal(means, deviations)  # cloned, so that gradients may pass them


Encode = Callable[[Opened, Rows, Callable[[int, int], None]], Independent]


class Codes:
    """The codes of rows: drawn from their posteriors anew each time, or the means for a plain autoencoder."""

    def __init__(self, posterior: Independent, noise: bool) -> None:
        self.posterior, self.noise = posterior, noise

    def __len__(self) -> int:
        return len(self.posterior.mean)

    def draw(self, seed: int) -> Tensor:
        """One code of each row, (N, Z)."""
        means = self.posterior.mean
        return draw_code(self.posterior, normals(seed, 0, *means.shape).to(means)) if self.noise else means


# ----------------------------------------------------------------------------------------------------------- fitting


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
    tell: Tell = lambda what, done, of: None,
    encode: Encode = posteriors,
    keep_worse: bool = False,
) -> Fitted:
    """Fit a prior of a kind to codes z ~ q(z | x) of a model on `rows` rows (0: all), and write a model folder.

    The prior that gives held-out codes most nats is kept: those of the valid split of a corpus, else of a tenth of the
    rows. `settings`: those of the prior and of its fitting. `tell` hears how it goes; `encode` gives the posteriors.
    A prior that is worse than N(0, I) on those codes is an InputError, and nothing is written, unless `keep_worse`.
    Raises InputError for bad input, before any work where that can be known.
    """
    if Path(out).exists():
        raise InputError(f"{out} exists already: choose another folder or remove it first")
    part = settings_of.find("textgen.priors", kind)
    if not hasattr(part, "fit"):
        raise InputError(f"prior {kind} has nothing to fit: choose another --kind")
    _, fitting = settings_of.override([part.Config(), part.Fit()], settings or {})
    of_prior = {key: value for key, value in (settings or {}).items() if key in part.Config.__dataclass_fields__}
    opened = library.with_prior(library.open_model(model, device), kind, of_prior)
    latent = opened.model
    assert isinstance(latent, Latent)
    seen, name, unseen, where = _split(opened, Path(data), split, rows, seed)
    codes = Codes(encode(opened, seen, lambda done, of: tell("encoding", done, of)), latent.noise)
    held = Codes(encode(opened, unseen, lambda done, of: tell("encoding what is held out", done, of)), latent.noise)
    others = held.draw(seed + 2**32)  # another stream than any of the codes fitted to
    part.fit(
        latent.prior,
        lambda turn: codes.draw(seed + turn),
        others,
        fitting,
        seed=seed,
        tell=lambda done, of, nats: tell(f"fitting, {nats:.2f} nats per held-out code", done, of),
    )
    held_out, program = f"{len(held):,} codes of {where}", modality_of(opened.codec).program
    fitted = Fitted(str(out), latent.prior.title, name, len(codes), held_out, *_nats(latent, others), program)
    if not math.isfinite(fitted.nats):
        raise InputError("the fitted density is not a finite number: give more rows, or a smaller prior")
    if fitted.gain <= 0 and not keep_worse:
        raise InputError(
            f"the fitted {fitted.prior} is worse than N(0, I) by {-fitted.gain:.2f} +- {fitted.error:.2f} nats per "
            f"code on {held_out}: nothing is written. Give more rows, a smaller prior, or --keep-worse to write it"
        )
    facts = {key: value for key, value in fitted.to_dict().items() if key != "out"}
    facts |= {"seed": seed, "fitting": asdict(fitting)}
    library.export(opened._replace(facts={**opened.facts, "prior": facts}), Path(out), half=False)
    return fitted


def _split(opened: Opened, path: Path, split: str, rows: int, seed: int) -> tuple[Rows, str, Rows, str]:
    """Rows to fit to and their name, rows to choose by and theirs."""
    seen, name = rows_of(opened, path, split, rows, seed)
    if not seen:
        raise InputError(f"{path}: no {modality_of(opened.codec).unit}")
    splits = Corpus.open(path).splits if (path / files.MANIFEST).is_file() else {}
    if split != "valid" and len(splits.get("valid", ())):
        return seen, name, *rows_of(opened, path, "valid", HELD, seed)
    count = min(HELD, len(seen) // 10)
    if not count:
        units = modality_of(opened.codec).units
        raise InputError(f"{path}: {len(seen)} {units} are too few: a tenth of them is held out")
    order = np.random.default_rng(seed).permutation(len(seen))
    return [seen[row] for row in order[count:]], name, [seen[row] for row in order[:count]], f"{name}, not fitted to"


@torch.no_grad()
def _nats(latent: Latent, codes: Tensor) -> tuple[float, float, float, bool]:
    """The mean nats per code under the model's prior and under N(0, I), the error of their difference, and noise."""
    parts = [latent.prior.log_prob(some) for some in codes.split(1000)]
    nats = torch.cat([part for part in parts if part is not None]).double()
    plain = -(codes.double().pow(2).sum(1) + codes.shape[1] * math.log(2 * math.pi)) / 2
    gains = nats - plain
    error = float(gains.std()) / math.sqrt(len(gains)) if len(gains) > 1 else 0.0
    return float(nats.mean()), float(plain.mean()), error, latent.noise
