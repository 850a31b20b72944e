"""Models: a loss and a way to draw. `Autoregressive` has no latent code, `Latent` has one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.distributions import Independent, Normal, kl_divergence

from corpora.errors import InputError
from corpora.settings import require, setting
from textgen.core.backbone import Backbone, Vocabulary
from textgen.core.encoder import Encoder
from textgen.core.precision import precise
from textgen.core.prior import Prior
from textgen.core.randomness import Draw
from textgen.core.rate import BatchNorm, Rate


class Terms(NamedTuple):
    """What a loss is made of: `loss` (B,) nats per row, to be minimised, and other numbers per row (B,) to report."""

    loss: Tensor
    report: Mapping[str, Tensor]


@dataclass(frozen=True)
class Player:
    """Who minimises which loss. Most models with a likelihood have one player; a GAN has two."""

    name: str
    module: nn.Module
    loss: Callable[[Tensor, Draw, Tensor | None], Terms]  # as `Model.loss`


@dataclass(frozen=True)
class Classed:
    """Settings of a model that knows the class of a row."""

    classes: bool = setting(False, "condition on the class of each row: the corpus's labels")
    class_dropout: float = setting(0.1, "share of the rows whose class is hidden in training, to do without one later")

    def check(self) -> None:
        require(0 < self.class_dropout < 1, "class_dropout", self.class_dropout, "a share above 0, below 1")


class Classes(nn.Module):
    """What stands for a row's class beside its code: numbers of classes (B,), -1 for none known -> (B, SIZE)."""

    SIZE = 32

    def __init__(self, config: Classed, vocab: Vocabulary) -> None:
        super().__init__()
        if not vocab.labels:
            raise InputError("classes=true: the corpus has no labels; build it with some, or leave out classes")
        self.dropout = config.class_dropout
        self.embedding = nn.Embedding(len(vocab.labels) + 1, self.SIZE)  # the last row, -1, is for no class known

    def forward(self, labels: Tensor) -> Tensor:
        return self.embedding(labels % self.embedding.num_embeddings)

    def hide(self, labels: Tensor, draw: Draw) -> Tensor:
        """`labels` (B,) with a share of them -1, as they are in training."""
        return labels.masked_fill(draw.uniform() < self.dropout, -1)


class Model(nn.Module):
    """What every model gives: `players`, each with a loss; and to draw rows, a `backbone` and its `context`."""

    backbone: Backbone
    vocab: Vocabulary
    latent: int | None = None  # Z, for models with a code

    def __init__(self, classes: Classes | None = None) -> None:
        super().__init__()
        self.classes = classes  # of models that are told the class of a row

    def players(self, progress: float = 0.0) -> list[Player]:
        """Who minimises which loss, in the order of their turns, when a share `progress` of all steps is done.

        Each turn has batches of its own; a player may have several. At the start (0.0) no player may be missing.
        """
        return [Player("model", self, self.loss)]

    def loss(self, tokens: Tensor, draw: Draw, labels: Tensor | None = None) -> Terms:
        """(B, L) tokens, and the numbers of their classes (B,) as `given` takes them -> the loss of each row, nats."""
        raise NotImplementedError(f"{type(self).__name__} must define loss or players")

    def prepare(self, progress: float) -> Iterable[nn.Parameter]:
        """Set the schedules for a step; `progress` in [0, 1) is the share of all steps done.

        Returns parameters that were begun afresh, whose optimiser state the trainer then forgets.
        """
        return ()

    def observe(self, report: Mapping[str, float]) -> None:
        """Take note of a step's means over all processes, after the step."""

    def score(self, report: Mapping[str, float]) -> float:
        """What the best checkpoint has least of, from means over the valid split, nats per row."""
        return report["loss"]

    def given(
        self, rows: int, labels: Tensor | None = None, codes: Tensor | None = None, draw: Draw | None = None
    ) -> Tensor | None:
        """The backbone's context (rows, C): codes (rows, Z), if any, and beside them what stands for the classes.

        `labels` (rows,) are numbers of classes, -1 (or None for all) where none is known; a model without classes
        passes over them. With `draw` some are hidden, as in training.
        """
        if self.classes is None:
            return codes
        if labels is None:
            labels = torch.full((rows,), -1, device=self.classes.embedding.weight.device)
        known = self.classes(labels if draw is None else self.classes.hide(labels, draw))
        return known if codes is None else torch.cat([codes, known], 1)

    def context(
        self, seed: int, first: int, rows: int, labels: Tensor | None = None, code_temperature: float = 1.0
    ) -> Tensor | None:
        """What to condition rows first, first + 1, ... on when sampling, (rows, C) or None; `labels` as in `given`.

        `code_temperature` scales the noise of codes (`Prior.draw`). Raises InputError for one where there are no codes.
        """
        require(code_temperature == 1, "code_temperature", code_temperature, "1, since this model has no codes")
        return self.given(rows, labels)


def ordinary(tokens: Tensor, vocab: Vocabulary) -> Tensor:
    """True where a token is neither padding nor the stop. (B, L) -> (B, L)"""
    found = vocab.mask(tokens)
    return found if vocab.stop is None else found & (tokens != vocab.stop)


def blanked(tokens: Tensor, vocab: Vocabulary, share: float, draw: Draw) -> Tensor:
    """`tokens` with a share of the ordinary ones replaced by the blank token. (B, L) -> (B, L)"""
    if share <= 0 or vocab.blank is None:
        return tokens
    hit = (draw.uniform(tokens.shape[1]) < share) & ordinary(tokens, vocab)
    return torch.where(hit, vocab.blank, tokens)


def deleted(tokens: Tensor, vocab: Vocabulary, share: float, draw: Draw) -> Tensor:
    """`tokens` with a share of the ordinary ones taken out and the rest moved up. (B, L) -> (B, L)"""
    if share <= 0 or vocab.pad is None:
        return tokens
    kept = draw.uniform(tokens.shape[1]) >= share
    if vocab.stop is not None:
        kept |= tokens == vocab.stop
    kept &= vocab.mask(tokens)
    order = (~kept).to(torch.uint8).argsort(dim=1, stable=True)
    return tokens.masked_fill(~kept, vocab.pad).gather(1, order)


def shuffled(tokens: Tensor, vocab: Vocabulary, places: int, draw: Draw) -> Tensor:
    """`tokens` with the ordinary ones in another order, each at most `places` from where it was. (B, L) -> (B, L)

    As Lample et al. (2018, "Unsupervised Machine Translation Using Monolingual Corpora Only", sec. 2.3): sort i + u,
    where u is uniform in [0, places + 1).
    """
    if places <= 0:
        return tokens
    order = torch.arange(tokens.shape[1], device=tokens.device)  # (L,)
    moved = order + (places + 1) * draw.uniform(tokens.shape[1])  # (B, L)
    last = torch.where(ordinary(tokens, vocab), moved, order + places + 1.0)  # what is not moved comes after all others
    return tokens.gather(1, last.argsort(dim=1, stable=True))


def replaced(tokens: Tensor, vocab: Vocabulary, share: float, draw: Draw) -> Tensor:
    """`tokens` with a share of the ordinary ones replaced by random ones, each as likely. (B, L) -> (B, L)"""
    if share <= 0:
        return tokens
    special = sorted({token for token in (vocab.pad, vocab.stop, vocab.blank) if token is not None})
    hit = (draw.uniform(tokens.shape[1]) < share) & ordinary(tokens, vocab)
    other = (draw.uniform(tokens.shape[1]) * (vocab.size - len(special))).long()
    for token in special:
        other += other >= token
    return torch.where(hit, other, tokens)


class Autoregressive(Model):
    """p(x) = prod_i p(x_i | x_<i): a language model, a PixelRNN, a PixelCNN, by its backbone."""

    def __init__(
        self, backbone: Backbone, vocab: Vocabulary, word_dropout: float = 0.0, classes: Classes | None = None
    ) -> None:
        super().__init__(classes)
        self.backbone, self.vocab, self.word_dropout = backbone, vocab, word_dropout
        self.word_dropout_now = word_dropout

    def prepare(self, progress: float) -> Iterable[nn.Parameter]:
        self.word_dropout_now = self.word_dropout * min(1.0, 4 * (1 - progress))
        return ()

    def loss(self, tokens: Tensor, draw: Draw, labels: Tensor | None = None) -> Terms:
        inputs = blanked(tokens, self.vocab, self.word_dropout_now, draw) if self.training else tokens
        context = self.given(len(tokens), labels, draw=draw if self.training else None)
        nll = self.backbone.nll(tokens, self.vocab.mask(tokens), context, inputs)
        return Terms(nll, {"nll": nll.detach()})


@dataclass(frozen=True)
class Noise:
    """Noise on what encoder and decoder read in training: tokens, and the code."""

    word_dropout: float = setting(0.0, "share of the decoder's inputs blanked, falling to 0 over the last quarter")
    delete: float = setting(0.0, "share of the encoder's inputs taken out")
    swap: int = setting(0, "places that each of the encoder's inputs may move (Lample et al. 2018)")
    replace: float = setting(0.0, "share of the encoder's inputs replaced by random tokens")
    blank: float = setting(0.0, "share of the encoder's inputs blanked")
    code_noise: float = setting(0.0, "deviation of normal noise added to the code; fix the code's own by batch_norm")
    code_dropout: float = setting(0.0, "share of the code's numbers set to 0, the others made larger to match")

    def check(self) -> None:
        for key in ("word_dropout", "delete", "replace", "blank", "code_dropout"):
            require(0 <= getattr(self, key) < 1, key, getattr(self, key), "a share, 0 up to, not including, 1")
        require(self.swap >= 0, "swap", self.swap, "0 or more places")
        require(self.code_noise >= 0, "code_noise", self.code_noise, "0 or more")

    def on_tokens(self, tokens: Tensor, vocab: Vocabulary, draw: Draw) -> Tensor:
        """What the encoder reads in place of `tokens`. (B, L) -> (B, L)"""
        tokens = shuffled(deleted(tokens, vocab, self.delete, draw), vocab, self.swap, draw)
        return blanked(replaced(tokens, vocab, self.replace, draw), vocab, self.blank, draw)

    def on_codes(self, codes: Tensor, draw: Draw) -> Tensor:
        """What the decoder is given in place of `codes`. (B, Z) -> (B, Z)

        The code's noise comes on top of the posterior's, in units of the prior's deviation, and costs no rate (with
        the plain autoencoder it is that of Poole et al. 2014); its dropout is that of Srivastava et al. (2014).
        """
        if self.code_noise:
            codes = codes + self.code_noise * draw.normal(codes.shape[1])
        if self.code_dropout:
            codes = codes * (draw.uniform(codes.shape[1]) >= self.code_dropout) / (1 - self.code_dropout)
        return codes


class Latent(Model):
    """p(x) = integral of p(x | z) p(z) dz, with the posterior q(z | x) (Kingma and Welling 2014).

    `prior()` is the distribution p(z) over codes (Z,): N(0, I) in training, which the rate is about; another may
    be fitted afterwards.

    The code is c = m + exp(sigma) e, where sigma is the *logarithm of the standard deviation* and e is standard
    normal; the rate is the exact KL(q || p) = sum(exp(2 sigma) + m^2 - 1 - 2 sigma) / 2.
    `noise=False` makes the plain autoencoder: c = m, and no rate.
    """

    WIDEST = 6.0  # |sigma| stays below this, so that an autoencoder phase cannot drive it to minus infinity

    def __init__(
        self,
        encoder: Encoder,
        make_backbone: Callable[[], Backbone],
        prior: Prior,
        latent: int,
        vocab: Vocabulary,
        rate: Rate,
        reading: Noise | None = None,
        noise: bool = True,
        classes: Classes | None = None,
    ) -> None:
        super().__init__(classes)
        self.encoder, self.vocab, self.latent, self.noise = encoder, vocab, latent, noise
        self.prior = prior
        self.make_backbone = make_backbone  # kept to begin the decoder afresh after a warm start
        self.backbone = make_backbone()
        self.summary = nn.Linear(encoder.size, 2 * latent)
        self.norm = BatchNorm(latent, rate.config.batch_norm) if rate.config.batch_norm else None
        self.rate = rate
        self.reading = reading or Noise()
        self.word_dropout_now = self.reading.word_dropout

    def posterior(self, tokens: Tensor) -> Independent:
        """q(z | x) for (B, L) tokens: a diagonal Normal over (B, Z)."""
        mean, sigma = precise(self.summary(self.encoder(tokens, self.vocab.mask(tokens)))).chunk(2, 1)
        if self.norm is not None:
            mean = self.norm(mean)
        sigma = self.WIDEST * torch.tanh(sigma / self.WIDEST)
        return Independent(Normal(mean, sigma.exp(), validate_args=False), 1, validate_args=False)

    def distortion(self, tokens: Tensor, context: Tensor | None, inputs: Tensor | None = None) -> Tensor:
        """-log p(x | z), nats per row (B,), for (B, L) tokens and what is `given` of codes (B, Z): they, or more."""
        return self.backbone.nll(tokens, self.vocab.mask(tokens), context, inputs)

    def rates(self, posterior: Independent) -> Tensor:
        """KL(q(z_d | x) || N(0, 1)) for each row and dimension, (B, Z) nats, whatever prior was fitted later."""
        zeros = torch.zeros_like(posterior.mean)
        return kl_divergence(posterior.base_dist, Normal(zeros, torch.ones_like(zeros), validate_args=False))

    def players(self, progress: float = 0.0) -> list[Player]:
        """The whole model; and `aggressive` turns of all that makes the posterior, after He et al. (2019, alg. 1).

        They go on with such turns until the loss has stopped falling, and stop being aggressive once the mutual
        information on the valid split has stopped rising; we take fixed numbers, so that a step hangs on its own
        number alone. Their other update is of the decoder, ours of the encoder too.
        """
        config = self.rate.config
        turns = config.aggressive if progress < config.aggressive_share else 0
        inference = nn.ModuleList(part for part in (self.encoder, self.summary, self.norm) if part is not None)
        return [Player("model", self, self.loss), *[Player("encoder", inference, self.loss)] * turns]

    def prepare(self, progress: float) -> Iterable[nn.Parameter]:
        self.word_dropout_now = self.reading.word_dropout * min(1.0, 4 * (1 - progress))
        self.rate.prepare(progress)
        config = self.rate.config
        if config.warm_start and config.reset_decoder and not self.rate.restarted and progress >= config.warm_start:
            self.rate.restarted.fill_(True)
            self.backbone.load_state_dict(self.make_backbone().state_dict())
            return list(self.backbone.parameters())
        return ()

    def observe(self, report: Mapping[str, float]) -> None:
        if self.noise:
            self.rate.observe(report["rate"])

    def loss(self, tokens: Tensor, draw: Draw, labels: Tensor | None = None) -> Terms:
        seen = inputs = tokens
        if self.training:
            seen = self.reading.on_tokens(tokens, self.vocab, draw)
            inputs = blanked(tokens, self.vocab, self.word_dropout_now, draw)
        posterior = self.posterior(seen)
        codes = posterior.mean
        if self.noise:
            codes = codes + posterior.stddev * draw.normal(self.latent or 0)
        if self.training:
            codes = self.reading.on_codes(codes, draw)
        context = self.given(len(tokens), labels, codes, draw if self.training else None)
        distortion = self.distortion(tokens, context, inputs)
        if not self.noise:
            return Terms(distortion, {"distortion": distortion.detach()})
        kl = self.rates(posterior)
        report = {"distortion": distortion.detach(), "rate": kl.sum(1).detach()}
        return Terms(distortion + self.rate.charge(kl), report)

    def score(self, report: Mapping[str, float]) -> float:
        """Distortion + beta x rate; where a target rate is held, a rate below it counts as the target.

        (At a high rate the negative ELBO alone would prefer an early, collapsed checkpoint.)
        """
        config = self.rate.config
        if not self.noise:
            return report["distortion"]
        if config.rate is None:
            return report["distortion"] + config.beta * report["rate"]
        return report["distortion"] + max(report["rate"], config.rate)

    def context(
        self, seed: int, first: int, rows: int, labels: Tensor | None = None, code_temperature: float = 1.0
    ) -> Tensor | None:
        """What is `given` of codes from the prior, one stream of random numbers per row, (rows, Z)."""
        codes = self.prior.draw(seed, first, rows, code_temperature)
        return self.given(rows, labels, codes.to(self.summary.weight))
