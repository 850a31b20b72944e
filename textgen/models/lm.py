"""Language model: p(x) = prod_i p(x_i | x_<i) by any backbone."""

from __future__ import annotations

from dataclasses import dataclass

from corpora.settings import require, setting
from textgen.core.backbone import Vocabulary
from textgen.core.model import Autoregressive, Classed, Classes
from textgen.core.recipes import Parts


@dataclass(frozen=True)
class Config(Classed):
    backbone: str = setting("lstm", "what predicts the next token")
    word_dropout: float = setting(0.0, "share of the inputs blanked, falling to 0 over the last quarter")

    def check(self) -> None:
        Classed.check(self)
        require(0 <= self.word_dropout < 1, "word_dropout", self.word_dropout, "a share, 0 up to, not including, 1")


def build(config: Config, vocab: Vocabulary, parts: Parts) -> Autoregressive:
    classes = Classes(config, vocab) if config.classes else None
    return Autoregressive(parts.backbone(Classes.SIZE * config.classes), vocab, config.word_dropout, classes)
