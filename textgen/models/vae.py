"""Sentence VAE (Bowman et al. 2016): a code for each row, N(0, I) before and q(z | x) after reading it.

The rate is held at `rate` nats by a Lagrange multiplier unless rate=none; then `beta`, `kl_warmup` and free bits
act as in the literature, and rate=none with nothing else is the plain VAE, which collapses.
"""

from __future__ import annotations

from dataclasses import dataclass

from corpora.settings import require, setting
from textgen.core import rate
from textgen.core.backbone import Vocabulary
from textgen.core.classes import Classed, Classes, classes_of
from textgen.core.corruption import Corruption
from textgen.core.model import Latent
from textgen.core.recipes import Parts


@dataclass(frozen=True)
class Config(Classed, Corruption, rate.Config):
    backbone: str = setting("lstm", "the decoder")
    encoder: str = setting("lstm", "reads the row for the posterior")
    latent: int = setting(32, "size of the code", 1, 4096)
    prior: str = setting("normal", "density of the codes; others are fitted after training: textgen prior")
    noise: bool = setting(True, "draw c = m + exp(log_std) e; off: c = m and no rate, the plain autoencoder")

    def check(self) -> None:
        rate.Config.check(self)
        floor = self.latent * self.batch_norm**2 / 2
        reach = f"more than {floor:g}, the floor that batch_norm={self.batch_norm:g} puts under latent={self.latent}"
        require(self.rate is None or not self.noise or self.rate > floor, "rate", self.rate, reach)


def build(config: Config, vocab: Vocabulary, parts: Parts) -> Latent:
    size = config.latent + Classes.SIZE * config.classes
    return Latent(
        parts.encoder(),
        lambda: parts.backbone(size),
        parts.prior(config.latent),
        config.latent,
        vocab,
        rate.Rate(config),
        config,
        config.noise,
        classes_of(config, vocab),
    )
