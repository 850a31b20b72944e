"""Convolutional encoder: the picture halved stage by stage (residual convolutions; He et al. 2016), then read whole.

The last map is not pooled but given place by place, since a code that is to draw the picture must know where things
are.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from torch import Tensor, nn
from torch.nn import functional as F

from corpora.settings import Settings, setting
from textgen.core.backbone import Dropout, Vocabulary
from textgen.core.encoder import Encoder


@dataclass(frozen=True)
class Config(Settings):
    encoder_width: int = setting(64, "encoder: channels at half the picture's size; twice as many below", 1, 4096)
    encoder_stages: int = setting(3, "encoder: times that the picture is halved", 1, 8)
    encoder_embedding: int = setting(32, "encoder: size of a colour's embedding", 1, 4096)
    encoder_dropout: float = setting(0.0, "encoder: dropped share of embeddings", 0, below=1)


class Stage(nn.Module):
    """Halve by a strided convolution and refine by a residual one: (B, C, H, W) -> (B, D, H / 2, W / 2), rounded up."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.halve = nn.Conv2d(inputs, outputs, 3, stride=2, padding=1)
        self.refine = nn.Conv2d(outputs, outputs, 3, padding=1)
        self.norm = nn.GroupNorm(1, outputs)

    def forward(self, inputs: Tensor) -> Tensor:
        half = self.halve(F.silu(inputs))
        return half + self.refine(F.silu(self.norm(half)))


class Convolution(Encoder):
    """The last stage's map, (B, D h w). A picture has no padding, so the mask hides nothing."""

    def __init__(self, config: Config, vocab: Vocabulary) -> None:
        super().__init__()
        self.shape = vocab.picture("encoder conv")
        self.embedding = nn.Embedding(vocab.size, config.encoder_embedding)
        self.dropout = Dropout(config.encoder_dropout)
        widths = [config.encoder_embedding, config.encoder_width]
        widths += [2 * config.encoder_width] * (config.encoder_stages - 1)
        self.stages = nn.Sequential(*[Stage(*pair) for pair in pairwise(widths)])
        height, width = (-(-size // 2**config.encoder_stages) for size in self.shape)
        self.size = widths[-1] * height * width

    def forward(self, tokens: Tensor, mask: Tensor) -> Tensor:
        inputs = self.dropout(self.embedding(tokens)).transpose(1, 2).unflatten(2, self.shape)  # (B, E, H, W)
        return F.silu(self.stages(inputs)).flatten(1)


def build(config: Config, vocab: Vocabulary) -> Convolution:
    return Convolution(config, vocab)
