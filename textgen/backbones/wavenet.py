"""WaveNet (van den Oord et al. 2016): gated, dilated, causal convolutions; as a sentence decoder, Yang et al. (2017).

It looks back a window of `receptive_field` tokens. The context enters every gate (eq. 4 of the paper, global
conditioning).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from corpora.settings import Settings, setting
from textgen.core.backbone import Backbone, Dropout, Vocabulary
from textgen.core.stepper import Remembering, first_place


@dataclass(frozen=True)
class Config(Settings):
    width: int = setting(256, "channels of every layer", 1, 16384)
    layers: int = setting(8, "layers; dilations 1, 2, 4, ... begin again after `cycle` of them", 1, 128)
    cycle: int = setting(4, "layers in which the dilation doubles", 1, 12)
    kernel: int = setting(3, "tokens that each convolution sees, the newest among them", 2, 16)
    dropout: float = setting(0.1, "dropped share of each layer's inputs", 0, below=1)


class Layer(nn.Module):
    """tanh(filter) * sigmoid(gate) of the inputs `dilation` apart (eq. 2), added to the input and to the skips."""

    def __init__(self, width: int, kernel: int, dilation: int, context: int) -> None:
        super().__init__()
        self.reach = (kernel - 1) * dilation
        self.conv = nn.Conv1d(width, 2 * width, kernel, dilation=dilation)
        self.condition = nn.Linear(context, 2 * width, bias=False) if context else None
        self.out = nn.Linear(width, 2 * width)

    def forward(self, inputs: Tensor, context: Tensor | None) -> tuple[Tensor, Tensor]:
        """(B, L, D) -> what the next layer reads, and the skip, (B, L, D) each."""
        padded = F.pad(inputs.transpose(1, 2), (self.reach, 0))
        return self._gate(inputs, self.conv(padded).transpose(1, 2), context)

    def step(self, inputs: Tensor, before: Tensor, context: Tensor | None) -> tuple[Tensor, Tensor]:
        """The same for one position (B, 1, D), with the inputs that came before it (B, kernel - 1, D)."""
        seen = torch.cat([before, inputs], 1).transpose(1, 2).flatten(1)  # (B, D x kernel), as the weight has them
        gates = F.linear(seen, self.conv.weight.flatten(1), self.conv.bias)
        return self._gate(inputs, gates[:, None], context)

    def _gate(self, inputs: Tensor, gates: Tensor, context: Tensor | None) -> tuple[Tensor, Tensor]:
        if self.condition is not None and context is not None:
            gates = gates + self.condition(context)[:, None]
        value, gate = gates.chunk(2, -1)
        onward, skip = self.out(torch.tanh(value) * torch.sigmoid(gate)).chunk(2, -1)
        return inputs + onward, skip


class WaveNet(Backbone):
    """`features` are the rectified sum of the layers' skips, (B, L, D)."""

    def __init__(self, config: Config, vocab: Vocabulary, context: int = 0) -> None:
        super().__init__()
        self.vocab = vocab.size
        self.embedding = nn.Embedding(vocab.size + 1, config.width)  # the last row is the start symbol
        nn.init.normal_(self.embedding.weight, std=config.width**-0.5)
        self.dilations = [2 ** (number % config.cycle) for number in range(config.layers)]
        layers = [Layer(config.width, config.kernel, dilation, context) for dilation in self.dilations]
        self.layers = nn.ModuleList(layers)
        self.receptive_field = 1 + sum(layer.reach for layer in layers)
        self.dropout = Dropout(config.dropout)
        self.head = nn.Sequential(nn.Linear(config.width, config.width), nn.ReLU(), nn.Linear(config.width, vocab.size))

    def features(self, tokens: Tensor, context: Tensor | None = None) -> Tensor:
        start = torch.full_like(tokens[:, :1], self.vocab)
        inputs = self.embedding(torch.cat([start, tokens[:, :-1]], 1))  # (B, L, D)
        total = torch.zeros_like(inputs)
        for layer in self.layers:
            inputs, skip = layer(self.dropout(inputs), context)
            total = total + skip
        return torch.relu(total)

    def start(self, rows: int, length: int, context: Tensor | None = None) -> WaveNetStepper:
        return WaveNetStepper(self, rows, context)


class WaveNetStepper(Remembering):
    """The newest inputs of each layer, (B, reach, D), each at its place modulo the layer's reach."""

    def __init__(self, backbone: WaveNet, rows: int, context: Tensor | None) -> None:
        super().__init__()
        self.backbone = backbone
        weight = backbone.embedding.weight
        self.place = first_place(weight.device)
        self.back: list[Tensor] = []  # how far back each layer looks, (kernel - 1,)
        if context is not None:
            self.own["context"] = context
        for number, layer in enumerate(backbone.layers):
            assert isinstance(layer, Layer)
            self.own[f"inputs {number}"] = weight.new_zeros(rows, layer.reach, weight.shape[1])
            self.back.append(torch.arange(layer.reach, 0, -backbone.dilations[number], device=weight.device))
        self.step(torch.full((rows,), backbone.vocab, device=weight.device))

    def step(self, tokens: Tensor) -> None:
        inputs = self.backbone.embedding(tokens)[:, None]  # (B, 1, D)
        total = torch.zeros_like(inputs)
        for number, (layer, back) in enumerate(zip(self.backbone.layers, self.back, strict=True)):
            assert isinstance(layer, Layer)
            newest = self.own[f"inputs {number}"]
            before = newest.index_select(1, (self.place - back) % layer.reach)  # not yet written ones are 0
            newest.index_copy_(1, self.place % layer.reach, inputs)
            inputs, skip = layer.step(inputs, before, self.own.get("context"))
            total = total + skip
        self.place += 1
        self.logits = self.backbone.head(torch.relu(total[:, 0]))


def build(config: Config, vocab: Vocabulary, context: int) -> WaveNet:
    return WaveNet(config, vocab, context)
