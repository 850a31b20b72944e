"""Transformer decoder (Vaswani et al. 2017) of today.

Rotary positions (Su et al. 2021), RMSNorm (Zhang and Sennrich 2019), SwiGLU (Shazeer 2020).
The context is a memory, a few positions before the row that every token can attend to, and is also added to each
embedding (Li et al. 2020, "Optimus", which found the two together best).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from corpora.settings import Settings, require, setting
from textgen.core.backbone import Backbone, Dropout, Vocabulary
from textgen.core.precision import precise
from textgen.core.stepper import Remembering, first_place


@dataclass(frozen=True)
class Config(Settings):
    width: int = setting(256, "width of every layer", 1, 16384)
    layers: int = setting(4, "layers", 1, 128)
    heads: int = setting(4, "attention heads of each layer", 1)
    dropout: float = setting(0.1, "dropped share after embedding, attention and feed-forward", 0, below=1)
    memory: int = setting(4, "positions that hold the context, where there is one", 1, 64)

    def check(self) -> None:
        """Raise InputError unless rotary positions can halve every head."""
        ok = self.width % (2 * self.heads) == 0
        require(ok, "heads", self.heads, f"a number such that width={self.width} is a multiple of 2 x heads")


def rotary(length: int, size: int, device: torch.device) -> Tensor:
    """cos and sin of RoPE as `rotate` takes them, (2, length, size)."""
    frequencies = 10000.0 ** -(torch.arange(0, size, 2, device=device) / size)
    angles = torch.arange(length, device=device)[:, None] * frequencies
    cos, sin = angles.cos(), angles.sin()
    return torch.stack([torch.cat([cos, cos], 1), torch.cat([-sin, sin], 1)])


def rotate(heads: Tensor, turns: Tensor) -> Tensor:
    """Turn (..., L, size) by `turns` (2, L, size): each number of the left half with one of the right."""
    exact = precise(heads)
    cos, sin = turns
    return torch.addcmul(exact * cos, exact.roll(exact.shape[-1] // 2, -1), sin).to(heads.dtype)


def matrix(inputs: int, outputs: int) -> nn.Parameter:
    """W of x W, (inputs, outputs): as it lies here, a lone row of a sample reads it faster than `nn.Linear`'s."""
    return nn.Parameter(torch.empty(inputs, outputs).uniform_(-(inputs**-0.5), inputs**-0.5))


def normed(inputs: Tensor, gain: Tensor) -> Tensor:
    """RMSNorm."""
    return F.rms_norm(inputs, gain.shape, gain, 1e-6)


class Layer(nn.Module):
    """Pre-norm attention and SwiGLU, each added to what came in. `causal=False` is an encoder's."""

    def __init__(self, width: int, heads: int, dropout: float, causal: bool = True) -> None:
        super().__init__()
        self.heads, self.causal = heads, causal
        self.attention_gain = nn.Parameter(torch.ones(width))
        self.qkv = matrix(width, 3 * width)
        self.out = matrix(width, width)
        self.feed_gain = nn.Parameter(torch.ones(width))
        hidden = -(-8 * width // 3 // 32) * 32  # SwiGLU's two thirds of 4 x width, up to a multiple of 32
        self.up = matrix(width, 2 * hidden)
        self.down = matrix(hidden, width)
        self.dropout = Dropout(dropout)

    def _heads(self, inputs: Tensor, turns: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Queries and keys, turned, and values, (B, heads, L, size) each."""
        rows, length, width = inputs.shape
        parts = normed(inputs, self.attention_gain) @ self.qkv
        parts = parts.view(rows, length, 3, self.heads, width // self.heads).permute(2, 0, 3, 1, 4)
        query, key = rotate(parts[:2], turns)
        return query, key, parts[2]

    def _add(self, inputs: Tensor, attended: Tensor) -> Tensor:
        rows, length, width = inputs.shape
        inputs = inputs + self.dropout(attended.transpose(1, 2).reshape(rows, length, width) @ self.out)
        gate, value = (normed(inputs, self.feed_gain) @ self.up).chunk(2, -1)
        return inputs + self.dropout((F.silu(gate) * value) @ self.down)

    def forward(self, inputs: Tensor, turns: Tensor, mask: Tensor | None = None) -> Tensor:
        """(B, L, D) -> (B, L, D); `mask` (B, L) hides padding from an encoder."""
        query, key, value = self._heads(inputs, turns)
        seen = None if mask is None else mask[:, None, None]
        attended = F.scaled_dot_product_attention(query, key, value, attn_mask=seen, is_causal=self.causal)
        return self._add(inputs, attended)

    def append(
        self,
        inputs: Tensor,
        turns: Tensor,
        keys: Tensor,
        values: Tensor,
        places: Tensor,
        near: int,
        seen: Tensor | None,
    ) -> Tensor:
        """The same for new positions (B, N, D) at `places` (N,), by the turns (2, N, size) of these.

        `keys` and `values` (B, heads, room, size) hold those of the old positions and take in the new ones, which
        attend to the first `near` of them. `seen` (N, near), added to the scores, is -inf where one may not look.
        """
        query, key, value = self._heads(inputs, turns)
        keys.index_copy_(2, places, key)
        values.index_copy_(2, places, value)
        attended = F.scaled_dot_product_attention(query, keys[:, :, :near], values[:, :, :near], attn_mask=seen)
        return self._add(inputs, attended)


class Transformer(Backbone):
    """`features` are the last layer's normed outputs, (B, L, D)."""

    def __init__(self, config: Config, vocab: Vocabulary, context: int = 0) -> None:
        super().__init__()
        self.vocab, self.width, self.heads = vocab.size, config.width, config.heads
        self.embedding = nn.Embedding(vocab.size + 1, config.width)  # the last row is the start symbol
        self.memory = config.memory if context else 0
        self.remember = nn.Linear(context, config.memory * config.width) if context else None
        self.everywhere = nn.Linear(context, config.width, bias=False) if context else None
        layers = [Layer(config.width, config.heads, config.dropout) for _ in range(config.layers)]
        self.layers = nn.ModuleList(layers)
        self.norm = nn.RMSNorm(config.width, eps=1e-6)
        self.dropout = Dropout(config.dropout)
        nn.init.normal_(self.embedding.weight, std=0.02)
        if self.everywhere is not None:  # as great as an embedding: a code that drowns the tokens slows learning down
            nn.init.normal_(self.everywhere.weight, std=0.02 * context**-0.5)
        for layer in layers:
            for part in (layer.qkv, layer.up):
                nn.init.normal_(part, std=0.02)
            for part in (layer.out, layer.down):  # residual branches start small (GPT-2)
                nn.init.normal_(part, std=0.02 / (2 * config.layers) ** 0.5)
        self.head = Tied(self.embedding, vocab.size)

    def _embed(self, tokens: Tensor, context: Tensor | None) -> Tensor:
        inputs = self.embedding(tokens)  # (B, N, D)
        if self.everywhere is not None and context is not None:
            inputs = inputs + self.everywhere(context)[:, None]
        return self.dropout(inputs)

    def _remembered(self, context: Tensor | None) -> Tensor | None:
        if self.remember is None or context is None:
            return None
        return self.remember(context).view(len(context), self.memory, self.width)  # (B, memory, D)

    def features(self, tokens: Tensor, context: Tensor | None = None) -> Tensor:
        start = torch.full_like(tokens[:, :1], self.vocab)
        inputs = self._embed(torch.cat([start, tokens[:, :-1]], 1), context)
        memory = self._remembered(context)
        if memory is not None:
            inputs = torch.cat([memory.to(inputs.dtype), inputs], 1)
        turns = rotary(inputs.shape[1], self.width // self.heads, inputs.device)
        for layer in self.layers:
            inputs = layer(inputs, turns)
        return self.norm(inputs[:, inputs.shape[1] - tokens.shape[1] :])

    def start(self, rows: int, length: int, context: Tensor | None = None) -> TransformerStepper:
        return TransformerStepper(self, rows, length, context)


class TransformerStepper(Remembering):
    """The keys and values of all layers, with room for the whole row.

    A step attends to the written ones, rounded up to a multiple of `stride` with the rest masked: a compiled step
    wants shapes that seldom change.
    """

    stride = 1

    def __init__(self, backbone: Transformer, rows: int, length: int, context: Tensor | None) -> None:
        super().__init__()
        self.backbone = backbone
        weight, size = backbone.embedding.weight, backbone.width // backbone.heads
        self.room = length + 1 + backbone.memory
        if context is not None:
            self.own["context"] = context
        for number in range(len(backbone.layers)):
            self.own[f"keys {number}"] = weight.new_zeros(rows, backbone.heads, self.room, size)
            self.own[f"values {number}"] = weight.new_zeros(rows, backbone.heads, self.room, size)
        self.turns = rotary(self.room, size, weight.device)
        self.columns = torch.arange(self.room, device=weight.device)
        self.written, self.place = 0, first_place(weight.device)
        inputs = backbone._embed(torch.full((rows, 1), backbone.vocab, device=weight.device), context)
        memory = backbone._remembered(context)
        self._append(inputs if memory is None else torch.cat([memory, inputs], 1))

    def step(self, tokens: Tensor) -> None:
        self._append(self.backbone._embed(tokens[:, None], self.own.get("context")))

    def _append(self, inputs: Tensor) -> None:
        count = inputs.shape[1]
        self.written += count
        near = min(self.room, -(-self.written // self.stride) * self.stride)
        places = self.place if count == 1 else self.place + torch.arange(count, device=self.place.device)
        turns = self.turns.index_select(1, places)
        seen = None
        if count > 1 or near > self.written:
            seen = inputs.new_zeros(count, near).masked_fill_(self.columns[:near] > places[:, None], -torch.inf)
        for number, layer in enumerate(self.backbone.layers):
            assert isinstance(layer, Layer)
            keys, values = self.own[f"keys {number}"], self.own[f"values {number}"]
            inputs = layer.append(inputs, turns, keys, values, places, near, seen)
        self.place += count
        self.logits = self.backbone.head(self.backbone.norm(inputs[:, -1]))


class Tied(nn.Module):
    """(..., D) -> (..., V) by the embedding's own rows, all but the start symbol's."""

    def __init__(self, embedding: nn.Embedding, vocab: int) -> None:
        super().__init__()
        self.weight = embedding.weight
        self.vocab = vocab

    def forward(self, features: Tensor) -> Tensor:
        return F.linear(features, self.weight[: self.vocab])


def build(config: Config, vocab: Vocabulary, context: int) -> Transformer:
    return Transformer(config, vocab, context)
