"""Names to modules: a recipe (which parts, which settings) made into a model.

Nothing to register: a backbone, an encoder, a prior or a model is a file, and its name is the file's name. What
makes pictures lies in folders of its own, and is sought there first; the parts for text serve pictures too.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, NamedTuple

from corpora.errors import InputError, quoted
from corpora.settings import find, override

if TYPE_CHECKING:
    from textgen.core.backbone import Backbone, Vocabulary
    from textgen.core.encoder import Encoder
    from textgen.core.model import Model
    from textgen.core.prior import Prior

# A model's Config says which it needs.
PACKAGES = {"backbone": "textgen.backbones", "encoder": "textgen.encoders", "prior": "textgen.priors"}

# Where the parts of a recipe are sought, by its `package`: the nearest home first.
HOMES = {"textgen.models": ("textgen",), "imagegen": ("imagegen", "textgen")}


def folders(package: str, kind: str) -> list[str]:
    """Where recipes of a package ("textgen.models" or "imagegen") seek parts of a kind ("model", "backbone", ...)."""
    return [folder for home in HOMES[package] if find_spec(folder := f"{home}.{kind}s")]


class Recipe(NamedTuple):
    """A model's name and the Config of it and of each part it names, settings and defaults alike."""

    model: str
    package: str
    configs: dict[str, Any]  # {"model": vae.Config(...), "backbone": lstm.Config(...), ...}

    def settings(self) -> dict[str, Any]:
        """Every setting by name, as JSON-able values."""
        return {key: value for config in self.configs.values() for key, value in dataclasses.asdict(config).items()}

    def to_dict(self) -> dict[str, Any]:
        return {"model": self.model, "package": self.package, "settings": self.settings()}


class Parts:
    """Makes the parts that a recipe names, each time anew."""

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


def recipe(
    model: str, values: Mapping[str, Any], *others: Any, package: str = "textgen.models"
) -> tuple[Recipe, list[Any]]:
    """The recipe of `model` with `values` laid over the defaults of it, of its parts, and of the Configs `others`.

    Returns the recipe and `others` with their values. `package` says what the model makes: "textgen.models" texts,
    "imagegen" pictures. Raises InputError for an unknown model, part or setting (offering the nearest) and for a
    value that makes no sense.
    """
    config = find(folders(package, "model"), model).Config()
    chosen = {key: str(values[key]) for key in PACKAGES if key in values and hasattr(config, key)}
    config = dataclasses.replace(config, **chosen)
    configs = {"model": config}
    for kind in PACKAGES:
        if hasattr(config, kind):
            configs[kind] = find(folders(package, kind), getattr(config, kind)).Config()
    changed = override([*configs.values(), *others], values)
    return Recipe(model, package, dict(zip(configs, changed, strict=False))), changed[len(configs) :]


def from_dict(saved: Any) -> Recipe:
    """A recipe from JSON that a stranger may have written. Raises InputError if it is not one of ours."""
    if not isinstance(saved, Mapping):
        raise InputError(f"the recipe is {quoted(saved)}: expected a JSON object")
    package, model, settings = saved.get("package"), saved.get("model"), saved.get("settings")
    known = isinstance(package, str) and package in HOMES
    if not known or not isinstance(model, str) or not isinstance(settings, Mapping):
        raise InputError(f"the recipe names no model of ours: package {quoted(package)}, model {quoted(model)}")
    return recipe(model, settings, package=str(package))[0]


def build(made: Recipe, vocab: Vocabulary) -> Model:
    """The model of a recipe for a vocabulary, freshly initialised from torch's generator."""
    return find(folders(made.package, "model"), made.model).build(made.configs["model"], vocab, Parts(made, vocab))


def outline(made: Recipe, vocab: Vocabulary) -> Model:
    """The model of a recipe on the meta device: shapes without memory, whatever sizes the recipe asks for."""
    import torch
    from torch.overrides import TorchFunctionMode

    class Uninitialised(TorchFunctionMode):
        """Leaves out what has nothing to fill; torch would import its whole compiler for it, over a second."""

        def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            if function is torch.nn.init.normal_:
                return kwargs["tensor"]
            return function(*args, **(kwargs or {}))

    with torch.device("meta"), Uninitialised():
        return build(made, vocab)
