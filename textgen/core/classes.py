"""The class of a row as a condition: a class embedding, concatenated to the code where there is one."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from corpora.errors import InputError
from corpora.settings import Settings, setting
from textgen.core.backbone import Vocabulary
from textgen.core.randomness import Draw


@dataclass(frozen=True)
class Classed(Settings):
    """Settings of a model that knows the class of a row."""

    classes: bool = setting(False, "condition on the class of each row: the corpus's labels")
    class_dropout: float = setting(
        0.1, "share of the rows whose class is hidden in training, to do without one later", above=0, below=1
    )


class Classes(nn.Module):
    """Class embedding: numbers of classes (B,), -1 for none known -> (B, SIZE)."""

    SIZE = 32

    def __init__(self, config: Classed, vocab: Vocabulary) -> None:
        super().__init__()
        if not vocab.labels:
            raise InputError("classes=true: the corpus has no labels; build it with some, or leave out classes")
        self.dropout = config.class_dropout
        self.embedding = nn.Embedding(len(vocab.labels) + 1, self.SIZE)  # the last row, -1, is for no class known

    def forward(self, labels: Tensor) -> Tensor:
        return self.embedding(labels % self.embedding.num_embeddings)

    def hide(self, labels: Tensor, draw: Draw) -> Tensor:
        """`labels` (B,) with a share of them -1, as they are in training."""
        return labels.masked_fill(draw.uniform() < self.dropout, -1)


def classes_of(config: Classed, vocab: Vocabulary) -> Classes | None:
    """The class embedding that a model's settings ask for. Raises InputError if the corpus has no labels."""
    return Classes(config, vocab) if config.classes else None
