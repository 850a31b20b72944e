"""Language model: p(x) = prod_i p(x_i | x_<i) by any backbone."""

from __future__ import annotations

from dataclasses import dataclass

from corpora.settings import setting
from textgen.core.backbone import Vocabulary
from textgen.core.classes import Classed, Classes, classes_of
from textgen.core.model import Autoregressive
from textgen.core.recipes import Parts


@dataclass(frozen=True)
class Config(Classed):
    backbone: str = setting("lstm", "predicts the next token")
    word_dropout: float = setting(0.0, "share of the inputs blanked, falling to 0 over the last quarter", 0, below=1)


def build(config: Config, vocab: Vocabulary, parts: Parts) -> Autoregressive:
    classes = classes_of(config, vocab)  # first: the order in which parts are built settles their initial weights
    return Autoregressive(parts.backbone(Classes.SIZE * config.classes), vocab, config.word_dropout, classes)
