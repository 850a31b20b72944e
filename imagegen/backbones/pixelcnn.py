"""Gated PixelCNN (van den Oord et al. 2016, "Conditional Image Generation with PixelCNN Decoders").

Two stacks of gated convolutions: the vertical one sees all rows above, the horizontal one what is left of the pixel in
its own row and, layer by layer, the vertical one; together they have no blind spot. Mask A of the paper is made by
moving the picture down one row for the one and right one pixel for the other, after which every layer may look at the
place itself (mask B). The context enters every gate (eq. 3 of the paper).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from corpora.settings import Settings, require, setting
from textgen.core.backbone import Backbone, Dropout, Vocabulary
from textgen.core.stepper import Remembering, first_place


@dataclass(frozen=True)
class Config(Settings):
    channels: int = setting(64, "channels of every layer", 1, 4096)
    layers: int = setting(10, "layers; each sees kernel // 2 pixels further", 1, 128)
    kernel: int = setting(5, "width of the convolutions, an odd number of pixels", 3, 31)
    embedding: int = setting(64, "size of a colour's embedding", 1, 4096)
    dropout: float = setting(0.2, "dropped share of the gates' outputs", 0, below=1)

    def check(self) -> None:
        """Raise InputError for a kernel without a middle."""
        require(self.kernel % 2 == 1, "kernel", self.kernel, "an odd number, 3 to 31")


def gate(inputs: Tensor, channels: int = 1) -> Tensor:
    """tanh of the first half of the channels times sigmoid of the second (eq. 2), halving dimension `channels`."""
    value, share = inputs.chunk(2, channels)
    return torch.tanh(value) * torch.sigmoid(share)


class Matrices(NamedTuple):
    """A layer's convolutions as the matrices of x W that a lone row or pixel meets."""

    vertical: Tensor  # ((reach + 1) kernel C, 2 C), of a window line by line
    link: Tensor  # (2 C, 2 C)
    left: Tensor  # (reach C, 2 C), of the pixels to the left, the furthest first
    here: Tensor  # (C, 2 C)
    residual: Tensor  # (C, C)


class Layer(nn.Module):
    """Both stacks' gated convolutions, the vertical one's link to the horizontal one, and residual connections.

    The paper's horizontal skip connections are joined over all layers in `PixelCNN.skip`.
    """

    def __init__(self, channels: int, kernel: int, context: int, dropout: float) -> None:
        super().__init__()
        self.reach = kernel // 2
        self.vertical = nn.Conv2d(channels, 2 * channels, (self.reach + 1, kernel), bias=False)
        self.horizontal = nn.Conv2d(channels, 2 * channels, (1, self.reach + 1), bias=False)
        self.link = nn.Conv2d(2 * channels, 2 * channels, 1, bias=False)
        self.residual = nn.Conv2d(channels, channels, 1, bias=False)
        for part in (self.vertical, self.horizontal, self.link, self.residual):  # what comes in keeps its variance
            nn.init.normal_(part.weight, std=part.weight[0].numel() ** -0.5)
        self.bias = nn.Parameter(torch.zeros(4 * channels))
        self.condition = nn.Linear(context, 4 * channels, bias=False) if context else None
        self.dropout = Dropout(dropout)

    def biases(self, context: Tensor | None) -> Tensor:
        """Bias of the vertical gate's channels and the horizontal one's, side by side: (B or 1, 4 C)."""
        if self.condition is None or context is None:
            return self.bias[None]
        return self.bias + self.condition(context)

    def forward(self, above: Tensor, left: Tensor, context: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
        """Both stacks (B, C, H, W) -> both stacks of the next layer, and what the horizontal gate let through."""
        vertical, horizontal = self.biases(context)[:, :, None, None].chunk(2, 1)
        down = self.vertical(F.pad(above, (self.reach, self.reach, self.reach, 0))) + vertical
        beside = self.horizontal(F.pad(left, (self.reach, 0))) + horizontal
        gated = self.dropout(gate(self.link(down) + beside))
        return above + self.dropout(gate(down)), left + self.residual(gated), gated

    def matrices(self) -> Matrices:
        """The weights for stepping, laid out as a product reads them best."""
        horizontal = self.horizontal.weight[:, :, 0].permute(2, 1, 0).contiguous()  # (reach + 1, C, 2 C)
        return Matrices(
            self.vertical.weight.permute(2, 3, 1, 0).flatten(0, 2).contiguous(),
            self.link.weight[:, :, 0, 0].t().contiguous(),
            horizontal[:-1].flatten(0, 1),
            horizontal[-1],
            self.residual.weight[:, :, 0, 0].t().contiguous(),
        )


class PixelCNN(Backbone):
    """`features` are the rectified sum of the horizontal stack's end and skips, (B, L, C)."""

    def __init__(self, config: Config, vocab: Vocabulary, context: int = 0) -> None:
        super().__init__()
        self.shape = vocab.picture("pixelcnn")
        self.kernel = config.kernel
        self.embedding = nn.Embedding(vocab.size, config.embedding)  # of variance 1, and so are its channels: a gate
        self.widen = nn.Linear(config.embedding, config.channels, bias=False)  # halves and more what enters it
        nn.init.normal_(self.widen.weight, std=config.embedding**-0.5)
        self.layers = nn.ModuleList(
            Layer(config.channels, config.kernel, context, config.dropout) for _ in range(config.layers)
        )
        self.skip = nn.Linear((config.layers + 1) * config.channels, config.channels)
        self.head = nn.Sequential(
            nn.Linear(config.channels, config.channels), nn.ReLU(), nn.Linear(config.channels, vocab.size)
        )

    def features(self, tokens: Tensor, context: Tensor | None = None) -> Tensor:
        height, width = self.shape
        length = tokens.shape[1]
        whole = F.pad(tokens, (0, height * width - length))  # what is not drawn yet reaches nothing before it
        picture = self.widen(self.embedding(whole)).transpose(1, 2).unflatten(2, self.shape)  # (B, C, H, W)
        above = F.pad(picture, (0, 0, 1, 0))[:, :, :-1]
        left = F.pad(picture, (1, 0))[..., :-1]
        skips = []
        for layer in self.layers:
            above, left, gated = layer(above, left, context)
            skips.append(gated)
        every = torch.cat([*skips, left], 1).flatten(2).transpose(1, 2)  # (B, L, (layers + 1) C)
        return torch.relu(self.skip(every[:, :length]))

    def start(self, rows: int, length: int, context: Tensor | None = None) -> PixelCNNStepper:
        return PixelCNNStepper(self, rows, context)


class PixelCNNStepper(Remembering):
    """Both stacks, each as far as it must be.

    The vertical stack advances once for each row of the picture: `above` holds the rows that each layer still sees,
    `linked` what they add to the horizontal gates of the row being drawn. A pixel then costs, in each layer, the
    horizontal gate of that one pixel; `left` holds each layer's inputs at the `reach` pixels before it.
    """

    def __init__(self, backbone: PixelCNN, rows: int, context: Tensor | None) -> None:
        super().__init__()
        self.backbone, self.width = backbone, backbone.shape[1]
        weight, layers = backbone.widen.weight, [layer for layer in backbone.layers if isinstance(layer, Layer)]
        self.matrices = [layer.matrices() for layer in layers]
        self.to_the_left = torch.stack([one.left for one in self.matrices])
        self.colours = F.linear(backbone.embedding.weight, weight)
        self.column, self.place = 0, first_place(weight.device)  # the place in the line that is being drawn
        self.own["biases"] = torch.stack([layer.biases(context).expand(rows, -1) for layer in layers], 1)  # (B, N, 4 C)
        self.own["line"] = torch.zeros(rows, self.width, dtype=torch.long, device=weight.device)
        self.own["above"] = weight.new_zeros(rows, len(layers), backbone.kernel // 2, self.width, len(weight))
        self._line(weight.new_zeros(rows, self.width, len(weight)))
        self._pixel(weight.new_zeros(rows, len(weight)))

    def step(self, tokens: Tensor) -> None:
        self.own["line"].index_copy_(1, self.place, tokens[:, None])
        self.column += 1
        if self.column < self.width:
            self.place += 1
            self._pixel(self.colours.index_select(0, tokens))
            return
        self.column, self.place = 0, torch.zeros_like(self.place)
        above = F.embedding(self.own["line"], self.colours)  # (B, W, C)
        self._line(above)
        self._pixel(torch.zeros_like(above[:, 0]))

    def _line(self, above: Tensor) -> None:
        """Advance the vertical stack by the line above the next one, (B, W, C)."""
        kernel, linked, held = self.backbone.kernel, [], []
        vertical, horizontal = self.own["biases"][:, :, None].chunk(2, 3)  # (B, N, 1, 2 C)
        for number, matrices in enumerate(self.matrices):
            seen = torch.cat([self.own["above"][:, number], above[:, None]], 1)  # (B, reach + 1, W, C)
            held.append(seen[:, 1:])
            windows = F.pad(seen, (0, 0, kernel // 2, kernel // 2)).unfold(2, kernel, 1)  # (B, reach + 1, W, C, kernel)
            gates = windows.permute(0, 2, 1, 4, 3).flatten(2) @ matrices.vertical + vertical[:, number]  # (B, W, 2 C)
            above = above + gate(gates, 2)
            linked.append(gates @ matrices.link + horizontal[:, number])
        left = above.new_zeros(len(above), len(linked), kernel // 2 * above.shape[2])
        self.own.update(above=torch.stack(held, 1), linked=torch.stack(linked, 2), left=left)

    def _pixel(self, inputs: Tensor) -> None:
        """The logits of one pixel, whose left neighbour is embedded as `inputs` (B, C)."""
        linked = self.own["linked"].index_select(1, self.place)[:, 0]  # (B, N, 2 C)
        left = self.own["left"]
        known = torch.baddbmm(linked.transpose(0, 1), left.transpose(0, 1), self.to_the_left)  # of all layers
        seen, skips = [], []
        for before, matrices in zip(known.unbind(), self.matrices, strict=True):
            seen.append(inputs)
            gated = gate(torch.addmm(before, inputs, matrices.here))
            inputs = torch.addmm(inputs, gated, matrices.residual)
            skips.append(gated)
        self.own["left"] = torch.cat([left[:, :, inputs.shape[1] :], torch.stack(seen, 1)], 2)
        backbone = self.backbone
        self.logits = backbone.head(torch.relu(backbone.skip(torch.cat([*skips, inputs], 1))))


def build(config: Config, vocab: Vocabulary, context: int) -> PixelCNN:
    return PixelCNN(config, vocab, context)
