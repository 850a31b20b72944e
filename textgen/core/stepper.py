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

    def __init__(self) -> None:
        self.own: dict[str, Tensor] = {}
        self._logits = torch.empty(0)
        self._chosen: Tensor | None = None  # rows of them, once they are looked at: beam search steps on without

    @property
    def logits(self) -> Tensor:
        """As `Stepper.logits`."""
        if self._chosen is not None:
            self.logits = self._logits.index_select(0, self._chosen)
        return self._logits

    @logits.setter
    def logits(self, logits: Tensor) -> None:
        self._logits, self._chosen = logits, None

    def step(self, tokens: Tensor) -> None:
        """As `Stepper.step`."""
        raise NotImplementedError(f"{type(self).__name__} must define step")

    def select(self, rows: Tensor) -> None:
        """As `Stepper.select`."""
        self.logits, self._chosen = self.logits, rows
        self.own = {name: tensor.index_select(0, rows) for name, tensor in self.own.items()}


def first_place(device: torch.device) -> Tensor:
    """The place of a row's first token, (1,)."""
    return torch.zeros(1, dtype=torch.long, device=device)
