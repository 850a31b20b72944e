"""Models small enough to test laws on, built for every part that is found by name, of texts and of pictures."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
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
PICTURE_BACKBONES = names("imagegen.backbones")
PICTURE_ENCODERS = names("imagegen.encoders")
BLIND = "deconv"  # the backbone that looks back at nothing

PAD, STOP, BLANK = 0, 1, 2
VOCAB = Vocabulary(11, PAD, STOP, BLANK)
SHAPES = [(3, 4), (5, 5), (1, 6), (4, 1)]  # lines of pixels, and pixels in each
C = 3  # numbers in a context

_SIZES = {"width": 16, "layers": 2, "heads": 2, "embedding": 8, "memory": 2, "dropout": 0.0, "latent": 4}
_SIZES |= {f"encoder_{name}": value for name, value in _SIZES.items()}
_PICTURE_SIZES = {"channels": 8, "width": 16, "heads": 2, "embedding": 6, "encoder_width": 8, "encoder_embedding": 6}
_PICTURE_SIZES |= {"dropout": 0.0, "token_dropout": 0.0}


def sizes(*configs: Any) -> dict[str, Any]:
    """Small values for those settings that the Configs have."""
    return {name: value for name, value in _SIZES.items() if name in known(configs)}


def picture_sizes(*configs: Any) -> dict[str, Any]:
    """The same for parts of pictures, whose layers must reach from corner to corner."""
    return {name: value for name, value in _PICTURE_SIZES.items() if name in known(configs)}


def settings(model: str, package: str = "textgen", **chosen: Any) -> dict[str, Any]:
    """Settings of a small model, `chosen` laid over them."""
    parts = {kind: chosen[kind] for kind in recipes.PACKAGES if kind in chosen}
    small = sizes if package == "textgen" else picture_sizes
    return {**small(*recipes.compose(model, parts, package=package)[0].configs.values()), **chosen}


def picture(shape: tuple[int, int], size: int = 7) -> Vocabulary:
    """A palette of random colours for pictures of this shape."""
    colours = torch.rand(size, 3, generator=torch.Generator().manual_seed(2)) * 100 - 40
    return Vocabulary(size, shape=shape, colours=tuple(tuple(colour) for colour in colours.tolist()))


def backbone(name: str, context: int = 0, vocab: Vocabulary = VOCAB, seed: int = 0, **chosen: Any) -> Backbone:
    """A small backbone in evaluation mode."""
    return _part("backbones", name, seed, vocab, chosen, context)


def encoder(name: str, vocab: Vocabulary = VOCAB, seed: int = 0, **chosen: Any) -> Encoder:
    """A small encoder in evaluation mode."""
    return _part("encoders", name, seed, vocab, chosen)


def _part(kind: str, name: str, seed: int, vocab: Vocabulary, chosen: dict[str, Any], *more: int) -> Any:
    module = find([f"imagegen.{kind}", f"textgen.{kind}"] if vocab.shape else f"textgen.{kind}", name)
    own, times = (picture_sizes, 2.0) if vocab.shape else (sizes, 3.0)
    torch.manual_seed(seed)
    return louder(module.build(module.Config(**{**own(module.Config), **chosen}), vocab, *more), times).eval()


def model(
    name: str, vocab: Vocabulary = VOCAB, seed: int = 0, loud: float = 1.0, package: str = "textgen", **chosen: Any
) -> Model:
    """A small model in evaluation mode, its weights multiplied by `loud`."""
    torch.manual_seed(seed)
    built = recipes.build(recipes.compose(name, settings(name, package, **chosen), package=package)[0], vocab)
    return louder(built, loud).eval()


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


def full(count: int, vocab: Vocabulary = VOCAB, seed: int = 1, length: int = 7) -> Tensor:
    """Random rows without special tokens: pictures of the vocabulary's shape, or `length` tokens of text, (B, L)."""
    least, length = (0, vocab.shape[0] * vocab.shape[1]) if vocab.shape else (BLANK + 1, length)
    return torch.randint(least, vocab.size, (count, length), generator=torch.Generator().manual_seed(seed))


def contexts(count: int, size: int, seed: int = 5) -> Tensor | None:
    """Random contexts, (B, size), or None for size 0."""
    return torch.randn(count, size, generator=torch.Generator().manual_seed(seed)) if size else None


@contextmanager
def dropped_in(
    monkeypatch: Any, leaves: Path = Path(__file__).parent / "leaves", home: str = "imagegen"
) -> Iterator[None]:
    """A block in which the files below `leaves` are found as if they lay in the package `home`."""
    before = set(sys.modules)
    for folder in leaves.iterdir():
        package = importlib.import_module(f"{home}.{folder.name}")
        monkeypatch.setattr(package, "__path__", [*package.__path__, str(folder)])
    yield
    for name in set(sys.modules) - before:
        if name.startswith(f"{home}.") and str(leaves) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


def worded(values: dict[str, Any]) -> list[str]:
    """Settings as the KEY=VALUE words of a command line."""
    return [f"{key}={value}" for key, value in values.items()]
