"""Models small enough to test laws on, made for every part that is found by name."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from corpora.settings import find, known, names
from textgen.core import recipes
from textgen.core.backbone import Backbone, Vocabulary
from textgen.core.encoder import Encoder
from textgen.core.model import Model

BACKBONES = names("textgen.backbones")
ENCODERS = names("textgen.encoders")
MODELS = names("textgen.models")
PRIORS = names("textgen.priors")

PAD, STOP, BLANK = 0, 1, 2
VOCAB = Vocabulary(11, PAD, STOP, BLANK)

_SIZES = {"width": 16, "layers": 2, "heads": 2, "embedding": 8, "memory": 2, "dropout": 0.0, "latent": 4}
_SIZES |= {f"encoder_{name}": value for name, value in _SIZES.items()}


def sizes(*configs: Any) -> dict[str, Any]:
    """Small values for those settings that the Configs have."""
    return {name: value for name, value in _SIZES.items() if name in known(configs)}


def settings(model: str, **chosen: Any) -> dict[str, Any]:
    """Settings of a small model, `chosen` laid over them."""
    parts = {kind: chosen[kind] for kind in recipes.PACKAGES if kind in chosen}
    return {**sizes(*recipes.compose(model, parts)[0].configs.values()), **chosen}


def backbone(name: str, context: int = 0, vocab: Vocabulary = VOCAB, seed: int = 0, **chosen: Any) -> Backbone:
    """A small backbone in evaluation mode."""
    return _part("textgen.backbones", name, seed, vocab, chosen, context)


def encoder(name: str, vocab: Vocabulary = VOCAB, seed: int = 0, **chosen: Any) -> Encoder:
    """A small encoder in evaluation mode."""
    return _part("textgen.encoders", name, seed, vocab, chosen)


def _part(package: str, name: str, seed: int, vocab: Vocabulary, chosen: dict[str, Any], *more: int) -> Any:
    module = find(package, name)
    torch.manual_seed(seed)
    made = module.build(module.Config(**{**sizes(module.Config), **chosen}), vocab, *more)
    return louder(made).eval()


def model(name: str, vocab: Vocabulary = VOCAB, seed: int = 0, loud: float = 1.0, **chosen: Any) -> Model:
    """A small model in evaluation mode, its weights multiplied by `loud`."""
    torch.manual_seed(seed)
    made = recipes.build(recipes.compose(name, settings(name, **chosen))[0], vocab)
    return louder(made, loud).eval()


def louder(module: torch.nn.Module, times: float = 3.0) -> Any:
    """The module with larger weights: freshly initialised ones are so small that most effects drown in rounding."""
    with torch.no_grad():
        for weight in module.parameters():
            if weight.dim() >= 2:
                weight.mul_(times)
    return module


def rows(lengths: list[int], vocab: Vocabulary = VOCAB, seed: int = 0, longest: int = 0) -> Tensor:
    """Random rows with a stop after `lengths` ordinary tokens, padded: (B, L)."""
    generator = torch.Generator().manual_seed(seed)
    tokens = torch.full((len(lengths), max(longest, max(lengths) + 1)), PAD)
    for row, length in enumerate(lengths):
        tokens[row, :length] = torch.randint(BLANK + 1, vocab.size, (length,), generator=generator)
        tokens[row, length] = STOP
    return tokens


def worded(values: dict[str, Any]) -> list[str]:
    """Settings as the KEY=VALUE words of a command line."""
    return [f"{key}={value}" for key, value in values.items()]
