"""Deconvolutional decoder (transposed convolutions; Radford et al. 2016, "DCGAN"): it looks back at nothing.

All it knows is the context, from which a small map is made and enlarged twofold, stage by stage, to the picture's
size; the pixels are independent given the context. With a code it is the decoder of an image VAE.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from corpora.errors import InputError
from corpora.settings import Settings, setting
from textgen.core.backbone import Backbone, Vocabulary
from textgen.core.stepper import Remembering, first_place


@dataclass(frozen=True)
class Config(Settings):
    channels: int = setting(64, "channels at the picture's size; twice as many at every size below", 1, 4096)
    stages: int = setting(2, "times that the map is enlarged twofold", 0, 8)
    dropout: float = setting(0.1, "dropped share of the channels of each map", 0, below=1)


class Stage(nn.Module):
    """Enlarge twofold, cut to `shape`, and refine by a residual convolution: (B, C, h, w) -> (B, D, *shape)."""

    def __init__(self, inputs: int, outputs: int, shape: tuple[int, int], dropout: float) -> None:
        super().__init__()
        self.shape = shape
        self.enlarge = nn.ConvTranspose2d(inputs, outputs, 4, stride=2, padding=1)
        self.refine = nn.Conv2d(outputs, outputs, 3, padding=1)
        self.norms = nn.ModuleList(nn.GroupNorm(1, channels) for channels in (inputs, outputs))
        self.dropout = nn.Dropout2d(dropout)

    def forward(self, inputs: Tensor) -> Tensor:
        height, width = self.shape
        larger = self.enlarge(nn.functional.silu(self.norms[0](inputs)))[:, :, :height, :width]
        return larger + self.refine(self.dropout(nn.functional.silu(self.norms[1](larger))))


class Deconvolution(Backbone):
    """`features` are the last stage's maps, (B, L, C), whatever the tokens are."""

    looks_back = False

    def __init__(self, config: Config, vocab: Vocabulary, context: int) -> None:
        super().__init__()
        height, width = vocab.picture("deconv")
        if not context:
            raise InputError("deconv looks back at nothing and draws from a code alone: use it with model=vae")
        sizes = [(-(-height // 2**stage), -(-width // 2**stage)) for stage in range(config.stages, -1, -1)]
        widest = config.channels * min(2, 2**config.stages)
        self.first = nn.Sequential(
            nn.Linear(context, widest * sizes[0][0] * sizes[0][1]), nn.Unflatten(1, (widest, *sizes[0]))
        )
        outputs = [widest] * (config.stages - 1) + [config.channels]
        self.stages = nn.Sequential(
            *[Stage(widest, size, shape, config.dropout) for size, shape in zip(outputs, sizes[1:], strict=False)]
        )
        self.head = nn.Sequential(nn.SiLU(), nn.Linear(config.channels, vocab.size))

    def features(self, tokens: Tensor, context: Tensor | None = None) -> Tensor:
        if context is None:
            raise ValueError("a decoder that looks back at nothing needs a context")
        return self.stages(self.first(context)).flatten(2).transpose(1, 2)[:, : tokens.shape[1]]

    def start(self, rows: int, length: int, context: Tensor | None = None) -> DeconvolutionStepper:
        return DeconvolutionStepper(self, rows, length, context)


class DeconvolutionStepper(Remembering):
    """The logits of all pixels, which are known from the start."""

    def __init__(self, backbone: Deconvolution, rows: int, length: int, context: Tensor | None) -> None:
        super().__init__()
        self.place = first_place(next(backbone.parameters()).device)
        tokens = torch.zeros(rows, length, dtype=torch.long, device=self.place.device)
        self.own["every"] = backbone(tokens, context)  # (B, L, V)
        self.logits = self.own["every"].index_select(1, self.place)[:, 0]

    def step(self, tokens: Tensor) -> None:
        self.place += 1
        self.logits = self.own["every"].index_select(1, self.place)[:, 0]


def build(config: Config, vocab: Vocabulary, context: int) -> Deconvolution:
    return Deconvolution(config, vocab, context)
