"""Names to modules: a recipe (which parts, which settings) made into a model.

Nothing to register: a backbone, an encoder, a prior or a model is a file, and its name is the file's name. Parts for
pictures lie in folders of their own, and are sought there first; the parts for text serve pictures too.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from functools import cache
from importlib.util import find_spec
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, NamedTuple

from corpora.errors import InputError, choose, quoted
from corpora.settings import find, limits_of, names, override, setting

if TYPE_CHECKING:
    from textgen.core.backbone import Backbone, Vocabulary
    from textgen.core.encoder import Encoder
    from textgen.core.model import Model
    from textgen.core.prior import Prior

# A model's Config says which it needs.
PACKAGES = {"backbone": "textgen.backbones", "encoder": "textgen.encoders", "prior": "textgen.priors"}

# Where the parts of a recipe are sought, by its `package`: the nearest home first.
HOMES = {"textgen": ("textgen",), "imagegen": ("imagegen", "textgen")}
_OLD = {"textgen.models": "textgen"}  # the package's name in recipes of before 2026-12
_BY_BACKBONE = ("imagegen",)  # a language model of pixels is called by its backbone, as people know it: pixelcnn


def folders(package: str, kind: str) -> list[str]:
    """The folders in which recipes of a package seek parts of a kind ("model", "backbone", ...), the nearest first."""
    return [folder for home in HOMES[package] if find_spec(folder := f"{home}.{kind}s")]


def kinds(package: str) -> list[str]:
    """The models of a package by name: its files in `models/`, and for pictures its own backbones that need no code."""
    home = HOMES[package][0]
    leaves = names(f"{home}.models")
    if package not in _BY_BACKBONE:
        return leaves
    others = [find(f"{home}.backbones", name) for name in names(f"{home}.backbones") if name not in leaves]
    alone = [part for part in others if all(getattr(thing, "looks_back", True) for thing in vars(part).values())]
    return sorted([*leaves, *(part.__name__.rpartition(".")[2] for part in alone)])


def resolve_kind(model: str, package: str) -> Any:
    """The leaf of a model: its file, or for pictures the language model on the backbone of that name.

    Raises InputError, offering the nearest, if there is neither.
    """
    homes = folders(package, "model")
    if any(model in names(home) for home in homes):
        return find(homes, model)
    if package in _BY_BACKBONE and any(model in names(home) for home in folders(package, "backbone")):
        return on_backbone(model)
    return choose("model", model, kinds(package))


@cache
def on_backbone(backbone: str) -> Any:
    """The leaf of a language model on this backbone and no other: `Config` and `build`."""
    lm = find("textgen.models", "lm")
    fixed = setting(backbone, "predicts the next token", choices=(backbone,))
    config = dataclasses.make_dataclass("Config", [("backbone", str, fixed)], bases=(lm.Config,), frozen=True)
    return SimpleNamespace(Config=config, build=lm.build)


class Recipe(NamedTuple):
    """A model's name and the Config of it and of each part it names, settings and defaults alike."""

    model: str
    package: str
    configs: dict[str, Any]  # {"model": vae.Config(...), "backbone": lstm.Config(...), ...}

    def settings(self) -> dict[str, Any]:
        """Every setting by name, as JSON-able values."""
        return {key: value for config in self.configs.values() for key, value in dataclasses.asdict(config).items()}

    def to_dict(self) -> dict[str, Any]:
        """The recipe as a JSON object."""
        return {"model": self.model, "package": self.package, "settings": self.settings()}


class Parts:
    """Builds the parts that a recipe names, each time anew."""

    def __init__(self, recipe: Recipe, vocab: Vocabulary) -> None:
        self._recipe, self._vocab = recipe, vocab

    def backbone(self, context: int = 0) -> Backbone:
        """A backbone with a context of `context` numbers (0: none)."""
        return self._module("backbone").build(self._recipe.configs["backbone"], self._vocab, context)

    def encoder(self) -> Encoder:
        """The encoder that the model names."""
        return self._module("encoder").build(self._recipe.configs["encoder"], self._vocab)

    def prior(self, latent: int) -> Prior:
        """The prior that the model names, over codes of `latent` numbers."""
        return self._module("prior").build(self._recipe.configs["prior"], latent)

    def _module(self, kind: str) -> Any:
        return find(folders(self._recipe.package, kind), getattr(self._recipe.configs["model"], kind))


def compose(model: str, values: Mapping[str, Any], *others: Any, package: str = "textgen") -> tuple[Recipe, list[Any]]:
    """The recipe of `model` with `values` laid over the defaults of it, of its parts, and of the Configs `others`.

    Returns the recipe and `others` with their values. `package`: "textgen" models texts, "imagegen" pictures.
    Raises InputError for an unknown model, part or setting (offering the nearest) and for a value out of range.
    """
    config = resolve_kind(model, package).Config()
    fields = {field.name for field in dataclasses.fields(config)}
    chosen = {key: str(values[key]) for key in PACKAGES if key in values and key in fields}
    for key, value in chosen.items():
        if limits_of(config, key).choices and value != getattr(config, key):
            raise InputError(
                f"{key}={quoted(value)}: the {key} of model {model} is {getattr(config, key)}: leave it out"
            )
    config = dataclasses.replace(config, **chosen)
    configs = {"model": config}
    for kind in PACKAGES:
        if kind in fields:
            configs[kind] = find(folders(package, kind), getattr(config, kind)).Config()
    changed = override([*configs.values(), *others], values)
    return Recipe(model, package, dict(zip(configs, changed, strict=False))), changed[len(configs) :]


def from_dict(saved: Any) -> Recipe:
    """A recipe from JSON that a stranger may have written. Raises InputError if it is not one of ours."""
    if not isinstance(saved, Mapping):
        raise InputError(f"the recipe is {quoted(saved)}: expected a JSON object")
    package, model, settings = saved.get("package"), saved.get("model"), saved.get("settings")
    package = _OLD.get(package, package) if isinstance(package, str) else package
    known = isinstance(package, str) and package in HOMES
    if not known or not isinstance(model, str) or not isinstance(settings, Mapping):
        raise InputError(f"the recipe names no model of ours: package {quoted(package)}, model {quoted(model)}")
    if package == "imagegen" and model == "lm":  # as models without codes were called before each had its own file
        model = str(settings.get("backbone", "lstm"))
    return compose(model, settings, package=str(package))[0]


def build(recipe: Recipe, vocab: Vocabulary) -> Model:
    """The model of a recipe for a vocabulary, freshly initialised from torch's generator."""
    leaf = resolve_kind(recipe.model, recipe.package)
    return leaf.build(recipe.configs["model"], vocab, Parts(recipe, vocab))


def outline(recipe: Recipe, vocab: Vocabulary) -> Model:
    """The model of a recipe on the meta device: shapes without memory, whatever sizes the recipe asks for."""
    import torch
    from torch.overrides import TorchFunctionMode

    class Uninitialised(TorchFunctionMode):
        """Leaves out filling, for there is nothing to fill; torch would import its whole compiler for it, a second."""

        def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            if function is torch.nn.init.normal_:
                return kwargs["tensor"]
            return function(*args, **(kwargs or {}))

    with torch.device("meta"), Uninitialised():
        return build(recipe, vocab)
