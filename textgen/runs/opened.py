"""An opened model: its network, the codec that it was trained with, and how both are used together."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from corpora.codec import Codec
from corpora.corpus import pad
from corpora.errors import InputError, choose, quoted
from textgen.core import checkpoint, recipes
from textgen.core.model import Model

Label = str | Sequence[str | None] | Tensor | None  # of all rows, or of each; None: no class known


class Opened(NamedTuple):
    """A model with the codec that it was trained with, ready to use (evaluation mode)."""

    model: Model
    codec: Codec
    recipe: recipes.Recipe
    length: int  # the longest row it was trained on, in tokens, the stop counted
    facts: dict[str, Any]  # how it was trained, and its figures
    folder: Path

    @property
    def most(self) -> int:
        """The longest row the model takes, in tokens, the stop not counted."""
        return self.length - (self.codec.stop is not None)

    def takes(self, row: Sequence[int]) -> bool:
        """Whether a row, without its stop, has any tokens and not more than the model was made for."""
        return 0 < len(row) <= self.most

    def padded(self, rows: Sequence[Sequence[int]]) -> Tensor:
        """Rows of tokens with their stops, if the codec has one, and pads: (N, L)."""
        return torch.from_numpy(pad(rows, None, self.codec.pad, self.codec.stop))

    def labels(self, label: Label, rows: int) -> Tensor:
        """The classes of so many rows as the model numbers them, (rows,), -1 where none is known.

        `label`: one for all rows, or one (or None) for each, or these very numbers. Raises InputError for a label
        that the model does not know or has seen no row of, and for any if it has no classes.
        """
        if isinstance(label, Tensor):
            return label
        each = [label] * rows if label is None or isinstance(label, str) else list(label)
        if len(each) != rows:
            raise InputError(f"{len(each)} labels for {rows} rows: expected one, or one for each")
        names = {name for name in each if name is not None}
        if names and self.model.classes is None:
            raise InputError(f"{self.name} knows no classes: leave out the label, or train with classes=true")
        known = {name: number for number, name in enumerate(self.model.vocab.labels) if name not in self.unseen}
        if names & self.unseen:
            one = quoted(min(names & self.unseen))
            raise InputError(f"label {one}: no row that {self.name} was trained on has it; known: {', '.join(known)}")
        numbers: dict[str | None, int] = {name: known[choose("label", name, known)] for name in sorted(names)}
        return torch.tensor(
            [numbers.get(name, -1) for name in each], device=next(self.model.parameters()).device, dtype=torch.long
        )

    @property
    def unseen(self) -> set[str]:
        """The labels that no training row had: their embeddings are as they were drawn before training."""
        return set(self.facts.get("labels_unseen", ()))

    def known(self, labels: Sequence[str | None], *, refuse: bool = True) -> tuple[list[str | None], list[str]]:
        """The labels of rows, None for those that the model was not trained on; and a note that says so, if any.

        Raises InputError where it knows none of them, for such rows are of another kind, unless not to `refuse` them.
        """
        trained = set(self.model.vocab.labels) - self.unseen
        others = [label for label in labels if label is not None and label not in trained]
        kept = [label if label in trained else None for label in labels]
        if not others:
            return kept, []
        names = ", ".join(quoted(name) for name in sorted(set(others))[:5]) + (", ..." if len(set(others)) > 5 else "")
        if refuse and not {label for label in labels if label} & set(self.model.vocab.labels):
            raise InputError(f"no label of these rows ({names}) is one of {self.name}: {', '.join(sorted(trained))}")
        return kept, [
            f"{len(others):,} of {len(labels):,} rows have a label that no training row had ({names}): "
            "they are taken to have none"
        ]

    @property
    def name(self) -> str:
        """The folder's name, or the run's and the step."""
        step = checkpoint.step_of(self.folder)
        if self.folder.parent.name == "snapshots":  # in the hub's cache, models--OWNER--NAME/snapshots/REVISION
            return self.folder.parents[1].name.removeprefix("models--").replace("--", "/")
        return self.folder.name if step is None else f"{self.folder.resolve().parents[1].name} at step {step:,}"
