"""Backbone: logits for the next token of a row, given the tokens before it and an optional context.

Shapes in this package: `B` rows of a batch, `L` tokens of a row, `V` vocabulary, `D` width, `Z` latent.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from corpora.errors import InputError
from textgen.core.precision import precise
from textgen.core.stepper import Remembering, Stepper


class Vocabulary(NamedTuple):
    """A codec as a model sees it: how many tokens there are, and which are special (None: there is none).

    Where a row of tokens is a picture line by line, `shape` is how many lines there are and the pixels in each (rows
    and columns; columns and rows for a palette that goes column by column), and `colours` the CIE Lab colour of each
    token (lightness 0 to 100), if it is known. `labels` are the names of the classes of rows, if there are any: class n
    is the n-th of them. `unknown`: whether a row may hold blank, as an unknown word or character; without, blank only
    ever takes the place of an input.
    """

    size: int
    pad: int | None = None
    stop: int | None = None
    blank: int | None = None
    shape: tuple[int, int] | None = None
    colours: tuple[tuple[float, float, float], ...] | None = None
    labels: tuple[str, ...] = ()
    unknown: bool = True

    @property
    def impossible(self) -> tuple[int, ...]:
        """The tokens that no place of a row holds: padding, and blank unless it is an unknown word.

        They have probability 0 in the likelihood as they have in sampling.
        """
        blank = None if self.unknown else self.blank
        return tuple(token for token in (self.pad, blank) if token is not None)

    def mask(self, tokens: Tensor) -> Tensor:
        """True where a token is real, False where it only fills up the row. (B, L) -> (B, L)"""
        return torch.ones_like(tokens, dtype=torch.bool) if self.pad is None else tokens != self.pad

    def picture(self, part: str) -> tuple[int, int]:
        """Lines of the picture that a row is, and pixels in each. Raises InputError where `part`, which needs it, has
        none."""
        if self.shape is None:
            raise InputError(f"{part} is for pictures: this corpus has none; choose a part for text, such as lstm")
        return self.shape


class Dropout(nn.Dropout):
    """Dropout whose masks on a processor come from random bytes, eight of one draw: a fifth of the time of PyTorch's.

    The dropped share is then `p` to the nearest 1/256, and what is kept is made larger to match that share.
    """

    def forward(self, input: Tensor) -> Tensor:
        dropped = round(256 * self.p)
        if not self.training or not 0 < dropped < 256 or input.device.type != "cpu":
            return super().forward(input)
        draws = torch.empty(-(-input.numel() // 8), dtype=torch.int64).random_(-(2**63), None)
        strides = torch.empty_like(input, device="meta").stride()  # masks lie in memory as what they mask
        kept = draws.view(torch.uint8).as_strided(input.shape, strides) >= dropped
        return input * kept.to(input.dtype).mul_(256 / (256 - dropped))


def without(logits: Tensor, tokens: Iterable[int]) -> Tensor:
    """Logits (..., V) that give these tokens no probability, in place; the others share it."""
    for token in tokens:
        logits[..., token] = -torch.inf
    return logits


class CrossEntropy(torch.autograd.Function):
    """-log softmax(logits)[target] of each row: (N, V) logits and targets (N,) -> (N,), in float32.

    As `F.cross_entropy`, but a few rows at a time, so that only the logits and their gradient, both in the logits'
    own precision, ever exist as a whole: a large vocabulary's training step is bound by such memory.
    """

    @staticmethod
    def forward(ctx: Any, logits: Tensor, targets: Tensor, impossible: tuple[int, ...] = ()) -> Tensor:
        without(logits, impossible)  # nobody else reads them, and their gradient is 0 by what `backward` does
        ctx.save_for_backward(logits, targets)
        size = CrossEntropy.rows(logits)
        parts = zip(logits.split(size), targets.split(size), strict=True)
        return torch.cat([F.cross_entropy(precise(some), wanted, reduction="none") for some, wanted in parts])

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        logits, targets = ctx.saved_tensors
        size = CrossEntropy.rows(logits)
        for some, target, scale in zip(*(whole.split(size) for whole in (logits, targets, gradient)), strict=True):
            slope = precise(some).softmax(-1)  # minus one at the target
            slope.scatter_add_(1, target[:, None], slope.new_full((len(target), 1), -1.0))
            some.copy_(slope.mul_(scale[:, None]))
        return logits, None, None

    @staticmethod
    def rows(logits: Tensor) -> int:
        """Rows at a time: as many as a processor's cache holds, or enough to keep a GPU busy."""
        return max(1, (1 << 19 if logits.device.type == "cpu" else 1 << 27) // logits.shape[1])


class Backbone(nn.Module):
    """p(x_i | x_<i, context) for every i at once.

    `logits[:, i]` predicts `tokens[:, i]`: the shift by one and the start symbol live in here, so that no loss
    has an off-by-one. A new backbone gives `features` and `head`; `start` has a slow default that is right for
    anything causal, to be replaced where there is something worth remembering.
    """

    head: nn.Module  # (..., D) -> (..., V)
    looks_back = True  # whether a position depends on the tokens before it at all
    impossible: tuple[int, ...] = ()  # tokens that have no probability (`Vocabulary.impossible`); a model sets them

    def features(self, tokens: Tensor, context: Tensor | None = None) -> Tensor:
        """(B, L) tokens and a context of (B, C) -> (B, L, D); position i depends on tokens[:, :i] alone."""
        raise NotImplementedError(f"{type(self).__name__} must define features")

    def forward(self, tokens: Tensor, context: Tensor | None = None) -> Tensor:
        """Logits (B, L, V) for every position of `tokens` (B, L)."""
        return self.head(self.features(tokens, context))

    def nll(self, tokens: Tensor, mask: Tensor, context: Tensor | None = None, inputs: Tensor | None = None) -> Tensor:
        """-log p(tokens | context), nats per row (B,), over the positions where `mask` (B, L) is True.

        `impossible` tokens have no probability; the others share theirs. `inputs`: tokens to read instead of `tokens`
        (word dropout); the targets stay `tokens`. The output layer, most of the arithmetic when the vocabulary is
        large, only sees real positions.
        """
        features = self.features(tokens if inputs is None else inputs, context)
        kept = mask.reshape(-1).nonzero().squeeze(1)  # (N,) positions of real tokens
        rows = features.reshape(-1, features.shape[-1]).index_select(0, kept)  # (N, D)
        targets = tokens.reshape(-1).index_select(0, kept)  # (N,)
        if torch.is_grad_enabled():
            losses = CrossEntropy.apply(self.head(rows), targets, self.impossible)
        else:  # K=500 importance samples are many rows: bound the memory, whose first touch costs as much as the work
            losses = torch.cat(
                [
                    F.cross_entropy(precise(without(self.head(some), self.impossible)), wanted, reduction="none")
                    for some, wanted in zip(rows.split(1024), targets.split(1024), strict=True)
                ]
                or [rows.new_zeros(0)]
            )
        return losses.new_zeros(len(tokens)).index_add(0, kept // tokens.shape[1], losses)

    def start(self, rows: int, length: int, context: Tensor | None = None) -> Stepper:
        """A stepper for `rows` rows of at most `length` tokens, with the logits of the first."""
        return Rereading(self, rows, context)


class Rereading(Remembering):
    """The slow default: every step reads the whole row again. Right for any backbone that is causal."""

    def __init__(self, backbone: Backbone, rows: int, context: Tensor | None) -> None:
        super().__init__()
        self.backbone = backbone
        device = next(backbone.parameters()).device
        self.own["tokens"] = torch.zeros(rows, 0, dtype=torch.long, device=device)
        if context is not None:
            self.own["context"] = context
        self._read()

    def step(self, tokens: Tensor) -> None:
        self.own["tokens"] = torch.cat([self.own["tokens"], tokens[:, None]], 1)
        self._read()

    def _read(self) -> None:
        tokens = self.own["tokens"]
        longer = torch.cat([tokens, tokens.new_zeros(len(tokens), 1)], 1)  # the last one is never looked at
        self.logits = self.backbone.head(self.backbone.features(longer, self.own.get("context"))[:, -1])
