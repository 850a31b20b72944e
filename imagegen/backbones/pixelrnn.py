"""PixelRNN in raster order: an LSTM (Hochreiter and Schmidhuber 1997) that knows where in the picture it is.

A plain LSTM over a row of pixels has to remember a whole line to know what is above. This one is given it: its inputs
are the colours to the left, above, above left and above right of the pixel to be predicted, and its row and column.
(The Row LSTM of van den Oord et al. 2016, "Pixel Recurrent Neural Networks", has the same aim and another recurrence.)
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from corpora.settings import Settings, setting
from imagegen.raster import look_up, neighbours
from textgen.backbones.lstm import advance, stacked, weight_of
from textgen.core.backbone import Backbone, Dropout, Vocabulary
from textgen.core.precision import precise
from textgen.core.stepper import Remembering, first_place

OFFSETS = ((0, -1), (-1, 0), (-1, -1), (-1, 1))  # rows down, columns right: left, above, above left, above right


@dataclass(frozen=True)
class Config(Settings):
    width: int = setting(512, "cells of each layer", 1, 16384)
    layers: int = setting(1, "layers", 1, 64)
    embedding: int = setting(64, "size of a colour's embedding, and of a row's and a column's", 1, 4096)
    dropout: float = setting(0.2, "dropped share of embeddings and of the layers' outputs", 0, below=1)


class PixelRNN(Backbone):
    """`features` are the top layer's outputs, (B, L, H).

    The context sets the first state and is an input of every step.
    """

    places: Tensor

    def __init__(self, config: Config, vocab: Vocabulary, context: int = 0) -> None:
        super().__init__()
        self.shape, self.outside = vocab.picture("pixelrnn"), vocab.size
        self.register_buffer("places", neighbours(self.shape, OFFSETS), persistent=False)
        self.embedding = nn.Embedding(vocab.size + 1, config.embedding)  # the last row is what is outside the picture
        self.rows = nn.Parameter(torch.empty(self.shape[0], 1, config.embedding))
        self.columns = nn.Parameter(torch.empty(1, self.shape[1], config.embedding))
        for weight in (self.embedding.weight, self.rows, self.columns):
            nn.init.normal_(weight, std=config.embedding**-0.5)
        inputs = (len(OFFSETS) + 1) * config.embedding + context
        self.lstm = stacked(inputs, config.width, config.layers, config.dropout)
        self.first = nn.Linear(context, 2 * config.layers * config.width) if context else None
        self.dropout = Dropout(config.dropout)
        self.head = nn.Linear(config.width, vocab.size)

    def _first(self, rows: int, context: Tensor | None) -> tuple[Tensor, Tensor]:
        """The first hidden and cell state, (B, layers, H) each."""
        layers, width = self.lstm.num_layers, self.lstm.hidden_size
        if self.first is None or context is None:
            zeros = self.embedding.weight.new_zeros(rows, layers, width)
            return zeros, zeros
        hidden, cell = precise(self.first(context)).view(rows, 2, layers, width).unbind(1)
        return torch.tanh(hidden), cell

    def _positions(self) -> Tensor:
        """The embedding of each pixel's row and column, (H W, E)."""
        return (self.rows + self.columns).flatten(0, 1)

    def features(self, tokens: Tensor, context: Tensor | None = None) -> Tensor:
        rows, length = tokens.shape
        before = F.pad(tokens, (1, 0), value=self.outside)[:, self.places[:length]]  # (B, L, 4)
        parts = [self.embedding(before).flatten(2), self._positions()[:length].expand(rows, -1, -1)]
        inputs = self.dropout(torch.cat(parts, 2))
        if context is not None:
            inputs = torch.cat([inputs, context[:, None].expand(-1, length, -1)], 2)
        hidden, cell = (part.transpose(0, 1).contiguous() for part in self._first(rows, context))
        return self.dropout(self.lstm(inputs, (hidden, cell))[0])

    def start(self, rows: int, length: int, context: Tensor | None = None) -> PixelRNNStepper:
        return PixelRNNStepper(self, rows, context)


class PixelRNNStepper(Remembering):
    """The cells of all layers, and the colours read so far, (B, 1 + H W) behind a start symbol."""

    def __init__(self, backbone: PixelRNN, rows: int, context: Tensor | None) -> None:
        super().__init__()
        self.backbone = backbone
        hidden, cell = backbone._first(rows, context)
        lstm, size = backbone.lstm, backbone.embedding.embedding_dim
        sizes = [len(OFFSETS) * size, size, lstm.input_size - (len(OFFSETS) + 1) * size]
        colours, positions, rest = weight_of(lstm, "weight_ih").split(sizes, 1)
        bias = weight_of(lstm, "bias_ih") + weight_of(lstm, "bias_hh")
        added = bias if context is None else F.linear(context, rest, bias)  # by the context, the same at every pixel
        self.own.update(hidden=hidden, cell=cell, added=added.expand(rows, -1))
        places = len(backbone.places)
        self.own["read"] = torch.full((rows, places + 1), backbone.outside, device=bias.device)
        # what each colour at each place, and each position, adds to the first layer's gates
        by_place = colours.unflatten(1, (len(OFFSETS), size)).permute(1, 2, 0)  # (4, E, 4 H)
        self.colours = backbone.embedding.weight @ by_place
        self.positions = F.linear(backbone._positions(), positions)
        self.place = first_place(bias.device)
        self._pixel()

    def step(self, tokens: Tensor) -> None:
        self.place += 1
        self.own["read"].index_copy_(1, self.place, tokens[:, None])
        self._pixel()

    def _pixel(self) -> None:
        near = self.backbone.places.index_select(0, self.place)[0]
        before = self.own["read"].index_select(1, near)  # (B, 4)
        gates = look_up(self.colours, before) + self.positions.index_select(0, self.place) + self.own["added"]
        self.logits = self.backbone.head(advance(self.backbone.lstm, gates, self.own))


def build(config: Config, vocab: Vocabulary, context: int) -> PixelRNN:
    return PixelRNN(config, vocab, context)
