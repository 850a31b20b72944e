"""LSTM (Hochreiter and Schmidhuber 1997), with the context at the start, at every step and at the output.

As in Bowman et al. (2016, "Generating Sentences from a Continuous Space") the code sets the first state; it is also
an input of every step (Yang et al. 2017) and skips to the output (Dieng et al. 2019), which keep it from being
forgotten. Input and output embeddings are tied (Press and Wolf 2017).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from corpora.settings import Settings, setting
from textgen.core.backbone import Backbone, Dropout, Vocabulary
from textgen.core.stepper import Remembering


@dataclass(frozen=True)
class Config(Settings):
    width: int = setting(512, "cells of each layer", 1, 16384)
    layers: int = setting(1, "layers", 1, 64)
    embedding: int = setting(256, "size of a token's embedding", 1, 16384)
    dropout: float = setting(0.2, "dropped share of embeddings and of the layers' outputs", 0, below=1)
    tied: bool = setting(True, "one matrix for input and output embedding")


class Head(nn.Module):
    """(..., H + C) -> (..., V): down to the embedding's size, then the vocabulary."""

    def __init__(self, inputs: int, embedding: nn.Embedding, vocab: int, tied: bool) -> None:
        super().__init__()
        self.down = nn.Linear(inputs, embedding.embedding_dim)
        # `embedding` has one row more, the start symbol, which is never predicted
        self.weight = embedding.weight if tied else nn.Parameter(torch.randn(vocab, embedding.embedding_dim) * 0.05)
        self.bias = nn.Parameter(torch.zeros(vocab))

    def forward(self, features: Tensor) -> Tensor:
        return F.linear(self.down(features), self.weight[: len(self.bias)], self.bias)


def remembering(lstm: nn.LSTM) -> None:
    """Set the biases so that cells remember by default: forget gates 1, all else 0 (Jozefowicz et al. 2015)."""
    for name, weight in lstm.named_parameters():
        if name.startswith("bias"):
            nn.init.zeros_(weight)
        if name.startswith("bias_ih"):
            weight.data[lstm.hidden_size : 2 * lstm.hidden_size] = 1.0


def stacked(inputs: int, width: int, layers: int, dropout: float) -> nn.LSTM:
    """Layers of cells that remember by default, with dropout between them."""
    between = dropout if layers > 1 else 0.0  # of one layer, PyTorch warns that it is not used
    lstm = nn.LSTM(inputs, width, layers, batch_first=True, dropout=between)
    remembering(lstm)
    return lstm


def weight_of(lstm: nn.LSTM, name: str, layer: int = 0) -> Tensor:
    """A layer's `weight_ih`, `weight_hh`, `bias_ih` or `bias_hh`."""
    return getattr(lstm, f"{name}_l{layer}")


def advance(lstm: nn.LSTM, gates: Tensor, own: dict[str, Tensor]) -> Tensor:
    """One step of all layers: replaces `own["hidden"]` and `own["cell"]`, (B, layers, H) each.

    `gates` (B, 4 H) is what the inputs and the biases add to the first layer's gates. Returns the top layer's
    output (B, H).
    """
    hiddens, cells = [], []
    output = gates  # of the layer below, from the second layer on
    for layer in range(lstm.num_layers):
        hidden, cell = own["hidden"][:, layer], own["cell"][:, layer]
        if layer > 0:
            bias = weight_of(lstm, "bias_ih", layer) + weight_of(lstm, "bias_hh", layer)
            gates = F.linear(output, weight_of(lstm, "weight_ih", layer), bias)
        gates = torch.addmm(gates, hidden, weight_of(lstm, "weight_hh", layer).t())
        keep, forget, new, show = gates.chunk(4, 1)
        cell = torch.sigmoid(forget) * cell + torch.sigmoid(keep) * torch.tanh(new)
        output = torch.sigmoid(show) * torch.tanh(cell)
        hiddens.append(output)
        cells.append(cell)
    own.update(hidden=torch.stack(hiddens, 1), cell=torch.stack(cells, 1))
    return output


class LSTM(Backbone):
    """`features` are the top layer's outputs beside the context, (B, L, H + C)."""

    def __init__(self, config: Config, vocab: Vocabulary, context: int = 0) -> None:
        super().__init__()
        self.vocab, self.context = vocab.size, context
        self.embedding = nn.Embedding(vocab.size + 1, config.embedding)  # the last row is the start symbol
        nn.init.normal_(self.embedding.weight, std=config.embedding**-0.5)
        self.lstm = stacked(config.embedding + context, config.width, config.layers, config.dropout)
        self.first = nn.Linear(context, 2 * config.layers * config.width) if context else None
        self.dropout = Dropout(config.dropout)
        self.head = Head(config.width + context, self.embedding, vocab.size, config.tied)

    def _first(self, rows: int, context: Tensor | None) -> tuple[Tensor, Tensor]:
        """The first hidden and cell state, (layers, B, H) each."""
        layers, width = self.lstm.num_layers, self.lstm.hidden_size
        if self.first is None or context is None:
            zeros = self.embedding.weight.new_zeros(layers, rows, width)
            return zeros, zeros
        cell = self.first(context).view(rows, 2, layers, width).permute(1, 2, 0, 3)
        return torch.tanh(cell[0]).contiguous(), cell[1].contiguous()

    def features(self, tokens: Tensor, context: Tensor | None = None) -> Tensor:
        start = torch.full_like(tokens[:, :1], self.vocab)
        inputs = self.dropout(self.embedding(torch.cat([start, tokens[:, :-1]], 1)))  # (B, L, E)
        hidden, cell = self._first(len(tokens), context)
        if context is None:
            return self.dropout(self.lstm(inputs, (hidden, cell))[0])
        everywhere = context[:, None].expand(-1, tokens.shape[1], -1)  # (B, L, C)
        inputs = torch.cat([inputs, everywhere.to(inputs.dtype)], 2)
        outputs = self.lstm(inputs, (hidden.to(inputs.dtype), cell.to(inputs.dtype)))[0]  # (B, L, H)
        return torch.cat([self.dropout(outputs), everywhere.to(outputs.dtype)], 2)

    def start(self, rows: int, length: int, context: Tensor | None = None) -> LSTMStepper:
        return LSTMStepper(self, rows, length, context)


class LSTMStepper(Remembering):
    """The cells of all layers, and what never changes ready for use."""

    def __init__(self, backbone: LSTM, rows: int, length: int, context: Tensor | None) -> None:
        super().__init__()
        self.backbone = backbone
        hidden, cell = backbone._first(rows, context)
        self.own.update(hidden=hidden.transpose(0, 1), cell=cell.transpose(0, 1))
        if context is not None:
            self.own["context"] = context
        lstm, size = backbone.lstm, backbone.embedding.embedding_dim
        weight = weight_of(lstm, "weight_ih")
        bias = weight_of(lstm, "bias_ih") + weight_of(lstm, "bias_hh")
        # what the context adds to the first layer's gates is the same at every step
        added = bias if context is None else F.linear(context, weight[:, size:], bias)
        self.own["gates"] = added.expand(rows, -1)
        self.tokens = weight[:, :size]
        self.table: Tensor | None = None
        if rows * length > 2 * backbone.vocab:  # many draws from few tokens (pixels): x W is a row of a table
            self.table = F.linear(backbone.embedding.weight, self.tokens)
        self.step(torch.full((rows,), backbone.vocab, device=weight.device))

    def step(self, tokens: Tensor) -> None:
        if self.table is None:
            gates = F.linear(self.backbone.embedding(tokens), self.tokens)
        else:
            gates = self.table.index_select(0, tokens)
        output = advance(self.backbone.lstm, gates + self.own["gates"], self.own)  # gates: (B, 4 H)
        context = self.own.get("context")
        self.logits = self.backbone.head(output if context is None else torch.cat([output, context], 1))


def build(config: Config, vocab: Vocabulary, context: int) -> LSTM:
    return LSTM(config, vocab, context)
