"""A toy without a likelihood: a generator of rows, and a critic that tells them from rows of the corpus."""

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
from textgen.core.sampler import Choice

NOISE, LENGTH = 6, 8


@dataclass(frozen=True)
class Config(Settings):
    size: int = setting(8, "units of each network", 1)


class Duel(Model):
    """Tokens are drawn place by place, as shares of the vocabulary; the critic sees how often each token occurs."""

    def __init__(self, config: Config, vocab: Vocabulary) -> None:
        super().__init__()
        self.vocab, size = vocab, config.size
        self.generator = nn.Sequential(
            nn.Linear(NOISE, size), nn.BatchNorm1d(size), nn.ReLU(), nn.Linear(size, LENGTH * vocab.size)
        )
        self.critic = nn.Sequential(nn.Linear(vocab.size, size), nn.Dropout(0.2), nn.ReLU(), nn.Linear(size, 1))

    def players(self) -> Mapping[str, Player]:
        return {
            "critic": Player("critic", (self.critic,), self.critic_loss, Optimiser(lr_scale=2.0)),
            "generator": Player("generator", (self.generator,), self.generator_loss, Optimiser(betas=(0.5, 0.9))),
        }

    def turns(self, progress: float) -> Sequence[str]:
        return ["critic"] * (2 if progress < 0.5 else 1) + ["generator"]

    def drawn(self, noise: Tensor) -> Tensor:
        """Shares of the vocabulary at each place (B, L, V), from normal numbers (B, NOISE)."""
        return self.generator(noise).view(len(noise), LENGTH, -1).softmax(2)

    def critic_loss(self, batch: Batch, draw: Draw) -> Terms:
        real = F.one_hot(batch.values, self.vocab.size).float().mean(1)
        false = self.drawn(draw.normal(NOISE)).detach().mean(1)
        loss = F.softplus(-self.critic(real)) + F.softplus(self.critic(false))
        return Terms(loss.squeeze(1), {})

    def generator_loss(self, batch: Batch, draw: Draw) -> Terms:
        loss = F.softplus(-self.critic(self.drawn(draw.normal(NOISE)).mean(1))).squeeze(1)
        return Terms(loss, {})

    def judge(self, batch: Batch, draw: Draw) -> Terms:
        return self.critic_loss(batch, draw)

    def score(self, means: Mapping[str, float]) -> float | None:
        return None

    def alarms(self, means: Mapping[str, float], progress: float) -> Iterable[Alarm]:
        if progress > 0.4:
            yield Alarm("late", f"the critic's loss is {means['loss']:.6f}", "Train the generator more often")

    def sample(
        self,
        rows: int,
        *,
        length: int,
        seed: int = 0,
        first: int = 0,
        labels: Tensor | None = None,
        how: Choice | None = None,
        code_temperature: float = 1.0,
    ) -> Tensor:
        with torch.inference_mode():
            return self.drawn(normals(seed, first, rows, NOISE))[:, :length].argmax(2)


def build(config: Config, vocab: Vocabulary, parts: Parts) -> Duel:
    return Duel(config, vocab)
