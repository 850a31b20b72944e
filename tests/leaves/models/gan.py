"""A GAN in one file, as small as can be: it has no likelihood, two players, and nothing else in the project knows it.

The generator gives every pixel a soft colour; the critic reads real pictures as one-hot colours. Both have batch norm,
whose statistics must not move while the other has its turn, and the critic has dropout.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from corpora.settings import Settings, setting
from textgen.core.backbone import Vocabulary
from textgen.core.model import Model
from textgen.core.player import Alarm, Batch, Optimiser, Player, Terms
from textgen.core.randomness import Draw, normals
from textgen.core.recipes import Parts


@dataclass(frozen=True)
class Config(Settings):
    noise: int = setting(4, "size of the generator's noise", 1, 64)
    width: int = setting(32, "width of both networks", 1, 1024)
    critic_turns: int = setting(2, "turns of the critic before each of the generator", 1, 100)
    critic_lr: float = setting(2.0, "the critic's learning rate, as a share of the run's", above=0)


class GAN(Model):
    """Non-saturating GAN (Goodfellow et al. 2014)."""

    def __init__(self, config: Config, vocab: Vocabulary) -> None:
        super().__init__()
        rows, columns = vocab.picture("gan")
        self.vocab, self.config, self.size = vocab, config, (rows * columns, vocab.size)
        width, flat = config.width, rows * columns * vocab.size
        self.generator = nn.Sequential(
            nn.Linear(config.noise, width), nn.BatchNorm1d(width), nn.ReLU(), nn.Linear(width, flat)
        )
        self.critic = nn.Sequential(
            nn.Linear(flat, width), nn.BatchNorm1d(width), nn.LeakyReLU(0.2), nn.Dropout(0.2), nn.Linear(width, 1)
        )

    def players(self) -> Mapping[str, Player]:
        own = Optimiser(lr_scale=self.config.critic_lr, betas=(0.5, 0.9), clip=5.0, weight_decay=0.0)
        return {
            "critic": Player("critic", (self.critic,), self.critic_loss, own),
            "generator": Player("generator", (self.generator,), self.generator_loss, Optimiser(betas=(0.5, 0.9))),
        }

    def turns(self, progress: float) -> Sequence[str]:
        return ["critic"] * self.config.critic_turns + ["generator"]

    def forward(self, noise: Tensor) -> Tensor:
        """Soft colours (B, L, V) of noise (B, N)."""
        return self.generator(noise).unflatten(1, self.size).softmax(-1)

    def _judged(self, batch: Batch, fake: Tensor) -> tuple[Tensor, Tensor]:
        """The critic's logits of the real pictures and of as many fake ones, (B,) each, from one pass over both."""
        real = F.one_hot(batch.values, self.size[1]).float()
        return self.critic(torch.cat([real, fake]).flatten(1)).squeeze(1).chunk(2)

    def critic_loss(self, batch: Batch, draw: Draw) -> Terms:
        real, fake = self._judged(batch, self(draw.normal(self.config.noise)).detach())
        return Terms(F.softplus(-real) + F.softplus(fake), {"right": ((real > 0).float() + (fake < 0).float()) / 2})

    def generator_loss(self, batch: Batch, draw: Draw) -> Terms:
        return Terms(F.softplus(-self._judged(batch, self(draw.normal(self.config.noise)))[1]), {})

    def judge(self, batch: Batch, draw: Draw) -> Terms:
        """The critic's loss on held-out rows, and how often it is right."""
        return self.critic_loss(batch, draw)

    def score(self, means: Mapping[str, float]) -> float | None:
        return None

    def alarms(self, means: Mapping[str, float], progress: float) -> Iterable[Alarm]:
        if means["right"] > 0.99:
            yield Alarm("critic", "the critic is always right, so the generator learns nothing", "Try critic_turns=1")

    def sample(self, rows, *, length, seed=0, first=0, labels=None, how=None, code_temperature=1.0):
        noise = normals(seed, first, rows, self.config.noise) * code_temperature
        with torch.inference_mode():
            return self.eval()(noise).argmax(-1)[:, :length]


def build(config: Config, vocab: Vocabulary, parts: Parts) -> GAN:
    return GAN(config, vocab)
