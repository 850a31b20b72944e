"""Models: a loss and a way to draw. `Autoregressive` has no latent code, `Latent` has one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.distributions import Independent, Normal, kl_divergence

from corpora.settings import require, setting
from textgen.backbone import Backbone, Vocabulary
from textgen.draw import Draw
from textgen.encoder import Encoder
from textgen.prior import Prior
from textgen.rate import Rate


class Terms(NamedTuple):
    """What a loss is made of: `loss` (B,) nats per row, to be minimised, and other numbers per row (B,) to report."""

    loss: Tensor
    report: Mapping[str, Tensor]


@dataclass(frozen=True)
class Player:
    """Who minimises which loss. Models with a likelihood have one player; a GAN has two."""

    name: str
    module: nn.Module
    loss: Callable[[Tensor, Draw], Terms]


class Model(nn.Module):
    """What every model gives: `players`, each with a loss; and to draw rows, a `backbone` and its `context`."""

    backbone: Backbone
    vocab: Vocabulary
    latent: int | None = None  # Z, for models with a code

    def players(self) -> list[Player]:
        """Who minimises which loss, in the order of their turns."""
        return [Player("model", self, self.loss)]

    def loss(self, tokens: Tensor, draw: Draw) -> Terms:
        """(B, L) tokens -> the loss of each row, nats."""
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

    def context(self, seed: int, first: int, rows: int) -> Tensor | None:
        """What to condition rows first, first + 1, ... on when sampling, (rows, C) or None."""
        return None


def blanked(tokens: Tensor, vocab: Vocabulary, share: float, draw: Draw) -> Tensor:
    """`tokens` with a share of the ordinary ones replaced by the blank token. (B, L) -> (B, L)"""
    if share <= 0 or vocab.blank is None:
        return tokens
    hit = (draw.uniform(tokens.shape[1]) < share) & vocab.mask(tokens)
    if vocab.stop is not None:
        hit &= tokens != vocab.stop
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


class Autoregressive(Model):
    """p(x) = prod_i p(x_i | x_<i): a language model, a PixelRNN, a PixelCNN, by its backbone."""

    def __init__(self, backbone: Backbone, vocab: Vocabulary, word_dropout: float = 0.0) -> None:
        super().__init__()
        self.backbone, self.vocab, self.word_dropout = backbone, vocab, word_dropout
        self.word_dropout_now = word_dropout

    def prepare(self, progress: float) -> Iterable[nn.Parameter]:
        self.word_dropout_now = self.word_dropout * min(1.0, 4 * (1 - progress))
        return ()

    def loss(self, tokens: Tensor, draw: Draw) -> Terms:
        inputs = blanked(tokens, self.vocab, self.word_dropout_now, draw) if self.training else tokens
        nll = self.backbone.nll(tokens, self.vocab.mask(tokens), inputs=inputs)
        return Terms(nll, {"nll": nll.detach()})


@dataclass(frozen=True)
class TokenNoise:
    """Noise on what encoder and decoder read in training; each number is a share of the tokens."""

    word_dropout: float = setting(0.0, "share of the decoder's inputs blanked, falling to 0 over the last quarter")
    delete: float = setting(0.0, "share of the encoder's inputs taken out")
    blank: float = setting(0.0, "share of the encoder's inputs blanked")

    def check(self) -> None:
        for key in ("word_dropout", "delete", "blank"):
            require(0 <= getattr(self, key) < 1, key, getattr(self, key), "a share, 0 up to, not including, 1")


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
        tokens: TokenNoise | None = None,
        noise: bool = True,
    ) -> None:
        super().__init__()
        self.encoder, self.vocab, self.latent, self.noise = encoder, vocab, latent, noise
        self.prior = prior
        self.make_backbone = make_backbone  # kept to begin the decoder afresh after a warm start
        self.backbone = make_backbone()
        self.summary = nn.Linear(encoder.size, 2 * latent)
        self.rate = rate
        self.token_noise = tokens or TokenNoise()
        self.word_dropout_now = self.token_noise.word_dropout

    def posterior(self, tokens: Tensor) -> Independent:
        """q(z | x) for (B, L) tokens: a diagonal Normal over (B, Z)."""
        mean, sigma = self.summary(self.encoder(tokens, self.vocab.mask(tokens))).float().chunk(2, 1)
        sigma = self.WIDEST * torch.tanh(sigma / self.WIDEST)
        return Independent(Normal(mean, sigma.exp(), validate_args=False), 1, validate_args=False)

    def distortion(self, tokens: Tensor, codes: Tensor, inputs: Tensor | None = None) -> Tensor:
        """-log p(x | z), nats per row (B,), for (B, L) tokens and codes (B, Z)."""
        return self.backbone.nll(tokens, self.vocab.mask(tokens), codes, inputs)

    def rates(self, posterior: Independent) -> Tensor:
        """KL(q(z_d | x) || N(0, 1)) for each row and dimension, (B, Z) nats, whatever prior was fitted later."""
        zeros = torch.zeros_like(posterior.mean)
        return kl_divergence(posterior.base_dist, Normal(zeros, torch.ones_like(zeros), validate_args=False))

    def prepare(self, progress: float) -> Iterable[nn.Parameter]:
        self.word_dropout_now = self.token_noise.word_dropout * min(1.0, 4 * (1 - progress))
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

    def loss(self, tokens: Tensor, draw: Draw) -> Terms:
        seen = inputs = tokens
        if self.training:
            noise = self.token_noise
            seen = blanked(deleted(tokens, self.vocab, noise.delete, draw), self.vocab, noise.blank, draw)
            inputs = blanked(tokens, self.vocab, self.word_dropout_now, draw)
        posterior = self.posterior(seen)
        if not self.noise:
            distortion = self.distortion(tokens, posterior.mean, inputs)
            return Terms(distortion, {"distortion": distortion.detach()})
        codes = posterior.mean + posterior.stddev * draw.normal(self.latent or 0)
        distortion = self.distortion(tokens, codes, inputs)
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

    def context(self, seed: int, first: int, rows: int) -> Tensor:
        """Codes from the prior, one stream of random numbers per row, (rows, Z)."""
        return self.prior.draw(seed, first, rows).to(self.summary.weight.device)
