"""Pixelformer: a Transformer in raster order that sees the pixels around it, and copies colours.

The input of a position is what surrounds the pixel to be predicted: the embeddings of nine pixels before it, side by
side, through one matrix (a causal convolution, which ImageGPT-like models of pictures gain by), and its row and column.
A colour's embedding is its own vector and a linear function of its CIE Lab colour, so that near colours begin near.
Attention has rotary positions of two axes (Su et al. 2021; half of each head turns with the row, half with the column)
and normed queries and keys (Henry et al. 2020). Few colours make a picture: the output is a mixture of a softmax over
all colours and of a pointer to those already drawn (Merity et al. 2017, "Pointer Sentinel Mixture Models", eq. 5).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from corpora.settings import Settings, require, setting
from imagegen.raster import look_up, neighbours
from textgen.backbones.transformer import matrix, rotate
from textgen.core.backbone import Backbone, Dropout, Vocabulary
from textgen.core.precision import precise
from textgen.core.stepper import Remembering, first_place

# rows down, columns right of the pixel to be predicted
OFFSETS = ((0, -1), (0, -2), (0, -3), (-1, 0), (-1, -1), (-1, 1), (-1, -2), (-1, 2), (-2, 0))
POINTER = 64  # size of the pointer's queries and keys


@dataclass(frozen=True)
class Config(Settings):
    width: int = setting(144, "width of every layer", 1, 16384)
    layers: int = setting(5, "layers", 1, 128)
    heads: int = setting(4, "attention heads of each layer", 1)
    dropout: float = setting(
        0.25, "dropped share after embedding, attention and feed-forward, and before the softmax", 0, below=1
    )
    token_dropout: float = setting(0.1, "share of the pixels read that are masked in training", 0, below=1)

    def check(self) -> None:
        """Raise InputError unless each of two axes can halve its half of every head."""
        ok = self.width % (4 * self.heads) == 0
        require(ok, "heads", self.heads, f"a number such that width={self.width} is a multiple of 4 x heads")


def axial(shape: tuple[int, int], size: int, device: torch.device) -> Tensor:
    """cos and sin of RoPE in two axes as `rotate` takes them, (2, H W, size): rows first, then columns.

    The wave lengths are 2 to 64 pixels: those of a text, up to thousands, would hardly tell pixels apart.
    """
    frequencies = torch.pi * 2.0 ** -torch.linspace(0, 5, size // 4, device=device)
    rows, columns = (torch.arange(count, device=device)[:, None] * frequencies for count in shape)  # (H or W, size / 4)
    angles = torch.cat([rows.repeat_interleave(shape[1], 0), columns.repeat(shape[0], 1)], 1)  # (H W, size / 2)
    cos, sin = angles.cos(), angles.sin()
    return torch.stack([torch.cat([cos, cos], 1), torch.cat([-sin, sin], 1)])


def unit(inputs: Tensor) -> Tensor:
    """Vectors (..., D) scaled to length 1."""
    return inputs / torch.linalg.vector_norm(inputs, dim=-1, keepdim=True).clamp_min(1e-6)


def normed(inputs: Tensor, gain: Tensor) -> Tensor:
    """RMSNorm (Zhang and Sennrich 2019) of (..., D)."""
    return unit(inputs) * (gain * len(gain) ** 0.5)


def attend(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Causal attention without a scale of (B, heads, L, size) each.

    On a processor in bf16 two plain products with the scores between them train in two thirds of the time of the
    fused kernel, whose backward pass is slow there; the scores of pictures of some hundred pixels still fit.
    """
    length = query.shape[2]
    if query.dtype != torch.bfloat16 or query.device.type != "cpu" or length > 1024:
        return F.scaled_dot_product_attention(query, key, value, is_causal=True, scale=1.0)
    later = torch.full((length, length), -torch.inf, dtype=query.dtype).triu(1)
    scores = torch.baddbmm(later, query.flatten(0, 1), key.flatten(0, 1).transpose(1, 2))
    return (scores.softmax(-1) @ value.flatten(0, 1)).view_as(query)


class Layer(nn.Module):
    """Pre-norm attention with normed queries and keys, and SwiGLU, each added to what came in."""

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.attention_gain = nn.Parameter(torch.ones(width))
        self.qkv = matrix(width, 3 * width)
        self.sharpness = nn.Parameter(torch.full((heads,), 8.0))  # of each head's attention
        self.out = matrix(width, width)
        self.feed_gain = nn.Parameter(torch.ones(width))
        hidden = -(-8 * width // 3 // 32) * 32  # SwiGLU's two thirds of 4 x width, up to a multiple of 32
        self.up = matrix(width, 2 * hidden)
        self.down = matrix(hidden, width)
        self.dropout = Dropout(dropout)

    def _heads(self, parts: Tensor, turns: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Queries, keys and values (..., heads, size) of what `qkv` gave (..., 3 D); `turns` (2, ..., 1, 1, size)."""
        parts = parts.unflatten(-1, (3, self.heads, -1))
        query, key = rotate(unit(parts[..., :2, :, :]), turns).unbind(-3)
        return (query * self.sharpness[:, None]).to(key.dtype), key, parts.select(-3, 2)

    def forward(self, inputs: Tensor, turns: Tensor) -> Tensor:
        """(B, L, D) -> (B, L, D), by the turns (2, L, size) of their places."""
        parts = normed(inputs, self.attention_gain) @ self.qkv
        query, key, value = (part.transpose(1, 2) for part in self._heads(parts, turns[:, :, None, None]))
        attended = attend(query, key, value)
        inputs = inputs + self.dropout(attended.transpose(1, 2).flatten(2) @ self.out)
        gate, value = (normed(inputs, self.feed_gain) @ self.up).chunk(2, -1)
        return inputs + self.dropout((F.silu(gate) * value) @ self.down)

    def gained(self) -> tuple[Tensor, Tensor]:
        """`qkv` and `up` with the gains of the RMSNorm before them multiplied in, for `step`."""
        gains = torch.stack([self.attention_gain, self.feed_gain])[..., None] * len(self.attention_gain) ** 0.5
        return gains[0] * self.qkv, gains[1] * self.up

    def step(
        self,
        inputs: Tensor,
        turns: Tensor,
        gained: tuple[Tensor, Tensor],
        memory: tuple[Tensor, Tensor],
        place: Tensor,
        near: int,
        seen: Tensor | None,
    ) -> Tensor:
        """The same for one new pixel (B, D), by the turns (2, 1, 1, size) of its `place` (1,).

        `memory`, keys (B, heads, size, H W) and values (B, heads, H W, size), holds those of the old ones and takes in
        the new one; it attends to the first `near`. `seen` (near,), added to the scores, is -inf for those not drawn.
        A lone pixel's time goes into calls, not into arithmetic: here are as few of them as can be. Two
        plain products, with keys that lie as the first one reads them, take less of it than the fused kernel.
        """
        qkv, up = gained
        query, key, value = self._heads(unit(inputs) @ qkv, turns)
        keys, values = memory
        keys.index_copy_(3, place, key[..., None])
        values.index_copy_(2, place, value[..., None, :])
        query, key = query.reshape(-1, 1, query.shape[2]), keys.flatten(0, 1).narrow(2, 0, near)
        scores = query.bmm(key) if seen is None else torch.baddbmm(seen, query, key)
        attended = scores.softmax(-1).bmm(values.flatten(0, 1).narrow(1, 0, near)).view_as(inputs)
        inputs = torch.addmm(inputs, attended, self.out)
        gate, value = (unit(inputs) @ up).chunk(2, 1)
        return torch.addmm(inputs, F.silu(gate).mul_(value), self.down)


class Pixelformer(Backbone):
    """`features` are log-probabilities already, (B, L, V) nats, since the mixture is no linear layer's: no `head`."""

    places: Tensor
    lab: Tensor

    def __init__(self, config: Config, vocab: Vocabulary, context: int = 0) -> None:
        super().__init__()
        self.shape, self.vocab = vocab.picture("pixelformer"), vocab.size
        self.heads, self.token_dropout = config.heads, config.token_dropout
        self.outside, self.masked = vocab.size, vocab.size + 1  # tokens that are read and never drawn
        width = config.width
        self.register_buffer("places", neighbours(self.shape, OFFSETS), persistent=False)
        self.embedding = nn.Embedding(vocab.size + 2, width)
        self.colour = nn.Linear(3, width, bias=False) if vocab.colours else None
        if vocab.colours:
            self.register_buffer("lab", torch.tensor([*vocab.colours, (0, 0, 0), (0, 0, 0)]) / 50, persistent=False)
        self.stem = nn.Parameter(torch.empty(len(OFFSETS), width, width))
        self.rows = nn.Parameter(torch.empty(self.shape[0], 1, width))
        self.columns = nn.Parameter(torch.empty(1, self.shape[1], width))
        self.everywhere = nn.Linear(context, width, bias=False) if context else None
        self.layers = nn.ModuleList(Layer(width, config.heads, config.dropout) for _ in range(config.layers))
        self.gain = nn.Parameter(torch.ones(width))
        self.softmax = nn.Linear(width, vocab.size)
        self.query = nn.Linear(width, POINTER, bias=False)
        self.key = nn.Linear(width, POINTER, bias=False)
        self.sentinel = nn.Parameter(torch.tensor(float(len(self.places))).log())  # at first as good as all pixels
        self.dropout = Dropout(config.dropout)
        self.head = nn.Identity()
        nn.init.normal_(self.embedding.weight, std=width**-0.5)
        nn.init.normal_(self.stem, std=(3 * len(OFFSETS) * width) ** -0.5)
        for part in (self.rows, self.columns):
            nn.init.normal_(part, std=0.02)
        if self.colour is not None:
            nn.init.normal_(self.colour.weight, std=width**-0.5)
        if self.everywhere is not None:  # as great as the sum of nine tokens: a code must not drown them
            nn.init.normal_(self.everywhere.weight, std=(3 * width * context) ** -0.5)

    def _tables(self) -> Tensor:
        """The summand of an input for each token at each of the nine places, (9, V + 2, D)."""
        tokens = self.embedding.weight
        if self.colour is not None:
            tokens = tokens + self.colour(self.lab)
        return precise(tokens @ self.stem)

    def _positions(self, context: Tensor | None) -> Tensor:
        """The summand of an input for position and context, (1 or B, H W, D)."""
        positions = (self.rows + self.columns).flatten(0, 1)[None]
        if self.everywhere is None or context is None:
            return positions
        return positions + self.everywhere(context)[:, None]

    def features(self, tokens: Tensor, context: Tensor | None = None) -> Tensor:
        length = tokens.shape[1]
        if self.training and self.token_dropout:
            hit = torch.rand(tokens.shape, device=tokens.device) < self.token_dropout
            tokens = tokens.masked_fill(hit, self.masked)
        read = F.pad(tokens, (1, 0), value=self.outside)  # behind a start symbol
        inputs = look_up(self._tables(), read[:, self.places[:length]])
        inputs = self.dropout(inputs + self._positions(context)[:, :length])
        turns = axial(self.shape, inputs.shape[2] // self.heads, inputs.device)[:, :length]
        for layer in self.layers:
            inputs = layer(inputs, turns)
        outputs = normed(inputs, self.gain)
        later = torch.full((length, length), -torch.inf, device=tokens.device).triu(1)
        scores = self._scores(self.query(outputs), self.key(outputs), later)
        return self._mixed(outputs, scores, read[:, :-1])

    def _scores(self, query: Tensor, key: Tensor, mask: Tensor) -> Tensor:
        """The pointer's scores, with the sentinel's in the first place: (B, N, K), (B, P, K) and (N, P) -> (B, N, P)"""
        mask = mask + F.pad(self.sentinel[None], (0, key.shape[1] - 1))
        return torch.baddbmm(mask.to(query.dtype), query, key.transpose(1, 2), alpha=POINTER**-0.5)

    def _mixed(self, outputs: Tensor, scores: Tensor, read: Tensor) -> Tensor:
        """log p of every colour: (B, N, D) outputs, (B, N, P) scores, tokens (B, P) read at P places -> (B, N, V).

        Each place is a pointer to the token that it has read, the one before it. The first has read the start symbol
        and is the sentinel: its share, and that of masked tokens, goes to the softmax.
        """
        chosen = precise(self.softmax(self.dropout(outputs))).log_softmax(-1)
        shares = precise(scores).softmax(-1)
        pointed = shares.new_zeros(*shares.shape[:2], self.vocab + 1)
        tokens = read.clamp_max(self.vocab)[:, None].expand(-1, shares.shape[1], -1)
        pointed = pointed.scatter_add(2, tokens, shares)
        least = torch.finfo(shares.dtype).tiny  # a colour not yet drawn: its logarithm must have a gradient, 0
        copied, sentinel = pointed.clamp_min(least).log().split([self.vocab, 1], 2)
        return torch.logaddexp(sentinel + chosen, copied)

    def start(self, rows: int, length: int, context: Tensor | None = None) -> PixelformerStepper:
        return PixelformerStepper(self, rows, context)


class PixelformerStepper(Remembering):
    """Keys and values of all layers and of the pointer.

    A step attends to the written ones, rounded up to a multiple of `stride` with the rest masked: a compiled step
    wants shapes that seldom change.
    """

    stride = 1

    def __init__(self, backbone: Pixelformer, rows: int, context: Tensor | None) -> None:
        super().__init__()
        self.backbone = backbone
        weight, self.room = backbone.embedding.weight, len(backbone.places)
        size = weight.shape[1] // backbone.heads
        self.tables = backbone._tables()
        self.turns = axial(backbone.shape, size, weight.device)[:, :, None, None]
        self.layers = [layer for layer in backbone.layers if isinstance(layer, Layer)]
        self.gained = [layer.gained() for layer in self.layers]
        self.later = weight.new_full((self.room, self.room), -torch.inf).triu(1)
        self.written, self.place = 0, first_place(weight.device)
        self.own["positions"] = backbone._positions(context).expand(rows, -1, -1)
        self.own["read"] = torch.full((rows, self.room + 1), backbone.outside, device=weight.device)
        self.own["pointer"] = weight.new_zeros(rows, self.room, POINTER)
        for number in range(len(self.layers)):
            self.own[f"keys {number}"] = weight.new_zeros(rows, backbone.heads, size, self.room)
            self.own[f"values {number}"] = weight.new_zeros(rows, backbone.heads, self.room, size)
        self._pixel()

    def step(self, tokens: Tensor) -> None:
        self.place += 1
        self.own["read"].index_copy_(1, self.place, tokens[:, None])
        self._pixel()

    def _pixel(self) -> None:
        """The logits of one pixel from those before it, which `read` holds behind a start symbol."""
        backbone, own, place = self.backbone, self.own, self.place
        self.written += 1
        near = min(self.room, -(-self.written // self.stride) * self.stride)
        before = own["read"].index_select(1, backbone.places.index_select(0, place)[0])  # (B, 9)
        inputs = look_up(self.tables, before) + own["positions"].index_select(1, place)[:, 0]  # (B, D)
        turns = self.turns.index_select(1, place)[:, 0]
        later = self.later.index_select(0, place)[:, :near]
        seen = None if near == self.written else later[0]
        for number, (layer, gained) in enumerate(zip(self.layers, self.gained, strict=True)):
            memory = own[f"keys {number}"], own[f"values {number}"]
            inputs = layer.step(inputs, turns, gained, memory, place, near, seen)
        outputs = normed(inputs, backbone.gain)[:, None]  # (B, 1, D)
        own["pointer"].index_copy_(1, place, backbone.key(outputs))
        scores = backbone._scores(backbone.query(outputs), own["pointer"].narrow(1, 0, near), later)
        self.logits = backbone._mixed(outputs, scores, own["read"].narrow(1, 0, near))[:, 0]


def build(config: Config, vocab: Vocabulary, context: int) -> Pixelformer:
    return Pixelformer(config, vocab, context)
