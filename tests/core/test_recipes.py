"""Recipes: names become models of texts and of pictures, survive JSON, and old ones still open."""

from __future__ import annotations

import math

import pytest
import torch

import small
from corpora.errors import InputError
from corpora.settings import names
from small import BLIND
from textgen.core import recipes, trainer
from textgen.core.model import Autoregressive, Latent, LikelihoodModel, Model
from textgen.core.player import Batch

PICTURES = names("imagegen.models")


def stripes(rows: int, seed: int) -> torch.Tensor:
    """Pictures of 6 x 6 pixels that have something to learn: two colours in stripes, lying or standing."""
    generator = torch.Generator().manual_seed(seed)
    colours = torch.randint(7, (rows, 2), generator=generator)
    lying = torch.randint(2, (rows, 1, 1), generator=generator).bool()
    odd = torch.arange(6) % 2
    odd = torch.where(lying, odd[:, None], odd).expand(rows, 6, 6)
    return colours.gather(1, odd.reshape(rows, 36))


def trained(model: Model, steps: int, lr: float = 1e-2) -> list[float]:
    chosen = trainer.Config(lr=lr, precision="fp32", ema=0.0, schedule="constant", lr_warmup=0)
    training = trainer.Training(model, chosen, steps=steps, seed=0)
    return [report.means["loss"] for report in trainer.steps(training, lambda number: Batch(stripes(32, number)))]


MODELS = [(name, {}) for name in PICTURES] + [("transformer", {}), ("vae", {"backbone": "pixelformer"})]


@pytest.mark.parametrize(("model", "chosen"), MODELS, ids=lambda value: value if isinstance(value, str) else None)
def test_a_model_of_pictures_learns_and_is_the_same_once_saved(model, chosen):
    vocab = small.picture((6, 6))
    coded = {} if issubclass(type(outline(model, chosen, vocab)), Autoregressive) else {"latent": 4, "rate": "none"}
    recipe, _ = recipes.compose(model, small.settings(model, "imagegen", **chosen, **coded), package="imagegen")
    again = recipes.from_dict(recipe.to_dict())
    assert again == recipe
    torch.manual_seed(0)
    built = recipes.build(again, vocab)
    # of a decoder that looks back at nothing all that it knows must go through the code
    losses = trained(built, 240 if recipe.settings()["backbone"] == BLIND else 40)
    assert all(map(math.isfinite, losses))
    assert sum(losses[-5:]) < 0.95 * sum(losses[:5])  # of the slowest 0.89 with some seeds
    assert {key: weight.shape for key, weight in recipes.outline(recipe, vocab).named_parameters()} == {
        key: weight.shape for key, weight in built.named_parameters()
    }
    copy = recipes.build(again, vocab)
    copy.load_state_dict(built.state_dict())
    assert isinstance(copy, LikelihoodModel)
    tokens = stripes(3, 99)
    with torch.no_grad():
        context = copy.eval().context(0, 0, 3)
        assert torch.equal(copy.backbone(tokens, context), built.eval().backbone(tokens, context))
    assert torch.equal(copy.sample(3, length=36, seed=1), built.sample(3, length=36, seed=1))
    assert torch.equal(copy.sample(2, length=36, seed=1, first=1), built.sample(3, length=36, seed=1)[1:])


def outline(model: str, chosen: dict[str, str], vocab) -> Model:
    return recipes.outline(recipes.compose(model, chosen, package="imagegen")[0], vocab)


def test_the_models_of_pictures_are_the_files_and_the_backbones_that_need_no_code():
    assert set(recipes.kinds("imagegen")) >= {"lstm", "pixelcnn", "pixelrnn", "pixelformer", "vae", "pixelvae"}
    assert BLIND not in recipes.kinds("imagegen")
    assert recipes.kinds("textgen") == small.MODELS


def test_a_backbone_dropped_into_the_folder_trains_at_once(new_leaves):
    assert "sums" in recipes.kinds("imagegen")
    recipe, _ = recipes.compose("sums", {"width": "16"}, package="imagegen")
    assert recipes.from_dict(recipe.to_dict()) == recipe
    losses = trained(recipes.build(recipe, small.picture((6, 6))), 60)
    assert sum(losses[-5:]) < 0.95 * sum(losses[:5])


@pytest.mark.parametrize(("model", "other"), [("pixelcnn", "lstm"), ("lstm", "pixelcnn"), ("transformer", "lstm")])
def test_a_model_that_is_one_backbone_refuses_another(model, other):
    with pytest.raises(
        InputError, match=f"^backbone='{other}': the backbone of model {model} is {model}: leave it out$"
    ):
        recipes.compose(model, {"backbone": other}, package="imagegen")
    assert recipes.compose(model, {"backbone": model}, package="imagegen")[0].model == model


def test_recipes_of_pictures_look_in_their_own_folders_first_and_then_in_those_of_text():
    for name, home in (("pixelcnn", "imagegen"), ("lstm", "textgen")):
        recipe = recipes.compose(name, {}, package="imagegen")[0]
        assert recipe.package == "imagegen"
        assert type(recipe.configs["backbone"]).__module__ == f"{home}.backbones.{name}"
        assert type(recipe.configs["model"]).__module__ == f"imagegen.models.{name}"
    assert isinstance(recipes.build(recipe, small.picture((2, 2))), Autoregressive)
    assert type(recipes.compose("vae", {}, package="imagegen")[0].configs["backbone"]).__module__.endswith(BLIND)
    assert isinstance(recipes.build(recipes.compose("vae", {})[0], small.VOCAB), Latent)


def test_recipes_of_text_know_no_part_of_pictures():
    with pytest.raises(InputError, match=r"no backbone 'pixelcnn'.*lstm, transformer, wavenet$"):
        recipes.compose("lm", {"backbone": "pixelcnn"})
    with pytest.raises(InputError, match="no encoder 'conv'"):
        recipes.compose("vae", {"encoder": "conv"})
    with pytest.raises(InputError, match="no model 'pixelcnn'"):
        recipes.compose("pixelcnn", {})


def test_an_unknown_part_of_pictures_is_answered_by_what_there_is():
    both = ", ".join(sorted([*small.PICTURE_BACKBONES, *small.BACKBONES]))
    with pytest.raises(InputError, match=rf"no backbone 'pixelcn': did you mean 'pixelcnn'\? choose from {both}$"):
        recipes.compose("vae", {"backbone": "pixelcn"}, package="imagegen")
    with pytest.raises(InputError, match=r"no model 'vea': did you mean 'vae'"):
        recipes.compose("vea", {}, package="imagegen")


@pytest.mark.parametrize(
    "package", ["textgen.backbones", "imagegen.models", "os", "torch.hub", "", None, 3, ["imagegen"]]
)
def test_a_saved_recipe_names_one_of_two_packages(package):
    saved = {**recipes.compose("lm", {})[0].to_dict(), "package": package}
    with pytest.raises(InputError, match="names no model of ours"):
        recipes.from_dict(saved)


def test_old_recipes_open():
    """Before each had a file, a model of pictures without codes was `lm`, and the package of texts `textgen.models`."""
    new = recipes.compose("lm", {"backbone": "wavenet"})[0]
    assert recipes.from_dict({**new.to_dict(), "package": "textgen.models"}) == new
    for backbone in ("pixelcnn", "pixelformer", "lstm", "transformer"):
        new = recipes.compose(backbone, {"width": 32} if backbone != "pixelcnn" else {}, package="imagegen")[0]
        assert recipes.from_dict({**new.to_dict(), "model": "lm"}) == new
    saved = recipes.compose("pixelvae", {}, package="imagegen")[0].to_dict()
    old = recipes.from_dict({**saved, "model": "vae"})
    assert old.settings() == saved["settings"]
    vocab = small.picture((6, 6))
    shapes = [
        {name: weight.shape for name, weight in recipes.outline(recipe, vocab).named_parameters()}
        for recipe in (old, recipes.from_dict(saved))
    ]
    assert shapes[0] == shapes[1]
