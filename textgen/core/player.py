"""Players: each minimises a loss of its own over modules of its own. Most models have one, a GAN has two."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from torch import Tensor, nn

from textgen.core.randomness import Draw


class Batch(NamedTuple):
    """The rows of one turn that this process holds, and how many all processes hold together."""

    values: Tensor  # (B, L) tokens, or floats (B, ...)
    labels: Tensor | None = None  # (B,) numbers of their classes, -1 for none, where the corpus has labels
    total: int = 0  # rows of all processes; 0: of this one alone

    @property
    def rows(self) -> int:
        """Rows of all processes."""
        return self.total or len(self.values)


class Terms(NamedTuple):
    """A loss (B,) to be minimised, nats per row where it is a likelihood, and other numbers per row (B,) to report."""

    loss: Tensor
    report: Mapping[str, Tensor]


@dataclass(frozen=True)
class Optimiser:
    """Settings of one player's optimiser that differ from the run's; None: as the run has it."""

    lr: float | None = None  # the greatest learning rate; the run's schedule shapes it
    lr_scale: float = 1.0  # a share of the run's learning rate, where lr is None
    betas: tuple[float, float] | None = None  # of AdamW
    clip: float | None = None  # largest gradient norm; 0: no clipping
    weight_decay: float | None = None


@dataclass(frozen=True)
class Player:
    """A loss, and the modules whose weights minimise it.

    While a player has its turn, weights, buffers and running statistics of all other modules stay as they are.
    """

    name: str
    modules: tuple[nn.Module, ...]
    loss: Callable[[Batch, Draw], Terms]
    optimiser: Optimiser | None = None

    def parameters(self) -> list[nn.Parameter]:
        """The weights of its modules, each once, in the order of the modules."""
        return list({id(weight): weight for module in self.modules for weight in module.parameters()}.values())


class Alarm(NamedTuple):
    """Something that went wrong in training though no number is infinite, in one line: `str` of it."""

    name: str  # "collapse": it is raised once in a run
    cause: str
    advice: str

    def __str__(self) -> str:
        return f"{self.cause}. {self.advice}" if self.advice else self.cause
