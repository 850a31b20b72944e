"""Stepper: rows written token by token. The sampler, beam search, Monte Carlo and the coder know nothing else.

What a stepper remembers is its own affair: tensors of ours, another library's cache, a compiled kernel's buffers.
"""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor


class Stepper(Protocol):
    """The distribution of the next token of B rows, which grow together."""

    logits: Tensor  # (B, V) for the next token; whoever reads them may change them in place

    def step(self, tokens: Tensor) -> None:
        """Append one token to each row, (B,); `logits` are then those of the token after it."""

    def select(self, rows: Tensor) -> None:
        """Keep these rows (N,) by number, in this order, repeated or left out; `logits` follow them."""


class Remembering:
    """A stepper of tensors: `own` has what each row remembers, by name, rows first; attributes are for all rows alike.

    A place in a row is a tensor too, (1,), so that a step is the same program at every place: it can be compiled.
    """

    logits: Tensor

    def __init__(self) -> None:
        self.own: dict[str, Tensor] = {}

    def step(self, tokens: Tensor) -> None:
        """As `Stepper.step`."""
        raise NotImplementedError(f"{type(self).__name__} must define step")

    def select(self, rows: Tensor) -> None:
        """As `Stepper.select`."""
        self.logits = self.logits.index_select(0, rows)
        self.own = {name: tensor.index_select(0, rows) for name, tensor in self.own.items()}


def first_place(device: torch.device) -> Tensor:
    """The place of a row's first token, (1,)."""
    return torch.zeros(1, dtype=torch.long, device=device)
