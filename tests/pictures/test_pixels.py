"""Laws of the parts that make pictures: every backbone and encoder of `imagegen`, over several shapes."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
from torch import nn
from torch.nn import functional as F

import small
from corpora.errors import InputError
from corpora.settings import find, names
from imagegen.backbones import pixelformer
from imagegen.raster import look_up, neighbours
from textgen.core import recipes, sampler, trainer
from textgen.core.backbone import Backbone, Vocabulary, select
from textgen.core.model import Autoregressive, Model

CLOSE = {"rtol": 1e-5, "atol": 1e-5}
BACKBONES, ENCODERS = names("imagegen.backbones"), names("imagegen.encoders")
BLIND = "deconv"  # looks back at nothing
SHAPES = [(3, 4), (5, 5), (1, 6), (4, 1)]
C = 3

every_backbone = pytest.mark.parametrize("name", BACKBONES)
looking_back = pytest.mark.parametrize("name", [name for name in BACKBONES if name != BLIND])
every_shape = pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: "x".join(map(str, shape)))
with_and_without_context = pytest.mark.parametrize("context", [0, C], ids=["no-context", "context"])

_SIZES = {"channels": 8, "width": 16, "heads": 2, "embedding": 6, "encoder_width": 8, "encoder_embedding": 6}
_SIZES |= {"dropout": 0.0, "token_dropout": 0.0}


def vocabulary(shape: tuple[int, int], size: int = 7) -> Vocabulary:
    colours = torch.rand(size, 3, generator=torch.Generator().manual_seed(2)) * 100 - 40
    return Vocabulary(size, shape=shape, colours=tuple(tuple(colour) for colour in colours.tolist()))


def part(package: str, name: str, vocab: Vocabulary, *context: int, **chosen: object) -> nn.Module:
    module = find(package, name)
    sizes = {key: value for key, value in _SIZES.items() if key in module.Config.__dataclass_fields__}
    torch.manual_seed(0)
    return small.louder(module.build(module.Config(**{**sizes, **chosen}), vocab, *context), 2.0).eval()


def backbone(name: str, vocab: Vocabulary, context: int = 0, **chosen: object) -> Backbone:
    if name == BLIND and not context:
        pytest.skip("draws from a context alone")
    return part("imagegen.backbones", name, vocab, context, **chosen)  # type: ignore[return-value]


def pictures(rows: int, vocab: Vocabulary, seed: int = 1) -> torch.Tensor:
    length = vocab.shape[0] * vocab.shape[1]
    return torch.randint(vocab.size, (rows, length), generator=torch.Generator().manual_seed(seed))


def contexts(rows: int, size: int, seed: int = 5) -> torch.Tensor | None:
    return torch.randn(rows, size, generator=torch.Generator().manual_seed(seed)) if size else None


# ------------------------------------------------------------------------------------------------ what is looked at


@torch.no_grad()
def reached(made: Backbone, vocab: Vocabulary, size: int) -> torch.Tensor:
    """Which pixel reaches which logits: True at (i, j) where some other colour of pixel j changes the logits of i."""
    found = torch.zeros(0)
    for seed in range(3):
        picture, context = pictures(1, vocab, seed), contexts(1, size, seed)
        length = picture.shape[1]
        others = picture.repeat(length, 1)
        others[range(length), range(length)] = (picture[0] + 1 + seed) % vocab.size
        many = None if context is None else context.expand(length, -1)
        changed = (made(others, many) - made(picture.expand(length, -1), many)).abs().amax(-1).T  # (L of i, L of j)
        found = changed if seed == 0 else torch.maximum(found, changed)
    return found > 0


@every_shape
@with_and_without_context
@looking_back
def test_a_pixel_sees_all_those_before_it_and_no_other(name, shape, context):
    """All: there is no blind spot. (The convolutions are deep enough here to reach from corner to corner.)"""
    vocab = vocabulary(shape)
    seen = reached(backbone(name, vocab, context), vocab, context)
    assert torch.equal(seen, torch.ones_like(seen).tril(-1))


def gradients(made: Backbone, vocab: Vocabulary) -> torch.Tensor:
    """How much the logits of pixel i hang on the embedding of pixel j, where all pixels are unlike: (L of i, L of j)"""
    tokens = torch.arange(vocab.size)[None]
    logits = made(tokens)[0]
    found = [torch.autograd.grad(each.pow(2).sum(), made.embedding.weight, retain_graph=True)[0] for each in logits]
    return torch.stack(found).abs().amax(2)[:, : vocab.size]


@pytest.mark.parametrize("shape", [(3, 4), (5, 5), (7, 6)])
@pytest.mark.parametrize("kernel", [3, 5])
def test_by_gradient_too_a_pixelcnn_has_no_blind_spot_and_sees_no_future(shape, kernel):
    vocab = vocabulary(shape, shape[0] * shape[1])
    seen = gradients(backbone("pixelcnn", vocab, layers=6, kernel=kernel, channels=24), vocab) > 0
    assert torch.equal(seen, torch.ones_like(seen).tril(-1))


@pytest.mark.parametrize(("layers", "kernel"), [(1, 3), (2, 3), (1, 5)])
def test_a_shallow_pixelcnn_sees_the_window_that_its_size_promises(layers, kernel):
    height, width = shape = (7, 9)
    vocab, reach = vocabulary(shape, height * width), layers * (kernel // 2)
    seen = gradients(backbone("pixelcnn", vocab, layers=layers, kernel=kernel, channels=24), vocab) > 0
    for row, column, far, beside in itertools.product(range(height), range(width), range(height), range(width)):
        up, left = row - far, column - beside
        wanted = abs(left) <= reach if 0 < up <= reach + 1 else up == 0 and 0 < left <= reach + 1
        assert seen[row * width + column, far * width + beside] == wanted, (row, column, far, beside)


@every_shape
def test_a_decoder_that_looks_back_at_nothing_sees_nothing(shape):
    vocab = vocabulary(shape)
    assert not reached(backbone(BLIND, vocab, C), vocab, C).any()


@every_backbone
@every_shape
@torch.no_grad()
def test_the_context_matters_at_every_pixel(name, shape):
    vocab = vocabulary(shape)
    made, tokens = backbone(name, vocab, C), pictures(4, vocab)
    assert (made(tokens, contexts(4, C, 5)) - made(tokens, contexts(4, C, 6))).abs().amax(-1).min() > 1e-5


@every_backbone
@with_and_without_context
def test_gradients_reach_every_weight(name, context):
    vocab = vocabulary((5, 5))
    made, tokens = backbone(name, vocab, context), pictures(4, vocab)
    made.nll(tokens, vocab.mask(tokens), contexts(4, context)).sum().backward()
    for key, weight in made.named_parameters():
        assert weight.grad is not None, key
        assert weight.grad.abs().max() > 0, key
        assert torch.isfinite(weight.grad).all(), key


# --------------------------------------------------------------------------------------------------------- stepping


@torch.no_grad()
def check_steps(made: Backbone, vocab: Vocabulary, size: int, rows: int = 4) -> None:
    tokens, context = pictures(rows, vocab), contexts(rows, size)
    wanted = made(tokens, context)
    logits, state = made.start(rows, tokens.shape[1], context)
    for place in range(tokens.shape[1]):
        torch.testing.assert_close(logits, wanted[:, place], **CLOSE)
        if place + 1 < tokens.shape[1]:
            logits, state = made.step(tokens[:, place], state)


@every_backbone
@every_shape
@with_and_without_context
def test_step_equals_forward(name, shape, context):
    vocab = vocabulary(shape)
    check_steps(backbone(name, vocab, context), vocab, context)


@every_backbone
@pytest.mark.parametrize("chosen", [{"layers": 1}, {"layers": 3, "kernel": 3}, {"stages": 0}, {"stages": 3}], ids=str)
def test_step_equals_forward_at_other_sizes(name, chosen):
    known = find("imagegen.backbones", name).Config.__dataclass_fields__
    if not set(chosen) <= set(known):
        pytest.skip("has no such setting")
    vocab = vocabulary((4, 5))
    check_steps(backbone(name, vocab, C, **chosen), vocab, C)


@every_backbone
@with_and_without_context
def test_the_slow_default_of_start_and_step_equals_forward(name, context):
    vocab = vocabulary((3, 4))

    class Slow(Backbone):
        def __init__(self) -> None:
            super().__init__()
            self.inner = backbone(name, vocab, context)
            self.head, self.features = self.inner.head, self.inner.features

    check_steps(Slow(), vocab, context)


@every_backbone
@with_and_without_context
@torch.no_grad()
def test_a_selected_state_goes_on_right(name, context):
    """At every place, the ends of rows of pixels among them."""
    vocab = vocabulary((3, 4))
    made, tokens, given = backbone(name, vocab, context), pictures(4, vocab), contexts(4, context)
    picked = torch.tensor([2, 0, 0, 3, 2])
    wanted = made(tokens[picked], None if given is None else given[picked])
    for cut in range(11):
        _, state = made.start(4, 12, given)
        for place in range(cut):
            _, state = made.step(tokens[:, place], state)
        state = select(state, picked)
        for place in range(cut, 11):
            logits, state = made.step(tokens[picked, place], state)
            torch.testing.assert_close(logits, wanted[:, place + 1], **CLOSE)


@every_backbone
@torch.no_grad()
def test_a_row_does_not_hang_on_the_rows_beside_it(name):
    vocab = vocabulary((3, 4))
    made, tokens, given = backbone(name, vocab, C), pictures(5, vocab), contexts(5, C)
    together = made(tokens, given)
    for row in range(5):
        torch.testing.assert_close(made(tokens[row : row + 1], given[row : row + 1])[0], together[row], **CLOSE)


@every_backbone
def test_a_sample_is_drawn_from_the_steps_and_reads_back(name):
    vocab = vocabulary((4, 5))
    tokens = sampler.sample(backbone(name, vocab, C), vocab, rows=3, length=20, context=contexts(3, C), seed=4)
    again = sampler.sample(
        backbone(name, vocab, C), vocab, rows=1, length=20, context=contexts(3, C)[1:2], first=1, seed=4
    )
    assert tokens.shape == (3, 20)
    assert torch.equal(tokens[1:2], again)


# ------------------------------------------------------------------------------------------------------ likelihoods


@every_backbone
@with_and_without_context
@pytest.mark.parametrize("shape", [(2, 2), (3, 2), (2, 3)], ids=lambda shape: "x".join(map(str, shape)))
@torch.no_grad()
def test_the_probabilities_of_all_pictures_sum_to_one(name, shape, context):
    vocab = vocabulary(shape, 2)
    made = backbone(name, vocab, context)
    every = torch.tensor(list(itertools.product(range(2), repeat=shape[0] * shape[1])))
    given = None if context == 0 else contexts(1, context).expand(len(every), -1)
    total = (-made.nll(every, vocab.mask(every), given).double()).exp().sum()
    assert abs(float(total) - 1) < 1e-6


@every_backbone
@with_and_without_context
def test_nll_is_the_cross_entropy_of_forward(name, context):
    vocab = vocabulary((3, 4))
    made, tokens, given = backbone(name, vocab, context), pictures(4, vocab), contexts(4, context)
    wanted = F.cross_entropy(made(tokens, given).transpose(1, 2), tokens, reduction="none").sum(1)
    torch.testing.assert_close(made.nll(tokens, vocab.mask(tokens), given), wanted, **CLOSE)
    with torch.no_grad():
        torch.testing.assert_close(made.nll(tokens, vocab.mask(tokens), given), wanted, **CLOSE)


@torch.no_grad()
def test_what_a_pixelformer_gives_are_log_probabilities():
    vocab = vocabulary((4, 5))
    logits = backbone("pixelformer", vocab)(pictures(3, vocab))
    torch.testing.assert_close(logits.logsumexp(-1), torch.zeros(3, 20), rtol=0, atol=1e-5)


@torch.no_grad()
def test_the_pointer_of_a_pixelformer_gives_to_colours_that_were_drawn():
    """With a sentinel that is never chosen all probability is on them, after the first pixel."""
    vocab = vocabulary((4, 5), 30)
    made, tokens = backbone("pixelformer", vocab), pictures(3, vocab)
    made.sentinel.fill_(-1e4)
    probabilities = made(tokens).exp()
    for place in range(1, 20):
        drawn = torch.zeros(3, 30).scatter(1, tokens[:, :place], 1.0)
        torch.testing.assert_close((probabilities[:, place] * drawn).sum(1), torch.ones(3), **CLOSE)


def test_masked_pixels_are_read_in_training_alone():
    vocab = vocabulary((4, 5))
    made, tokens = backbone("pixelformer", vocab, token_dropout=0.5), pictures(3, vocab)
    plain = backbone("pixelformer", vocab)
    assert torch.equal(made(tokens), plain(tokens))
    torch.manual_seed(0)
    one, other = made.train()(tokens), made(tokens)
    assert not torch.equal(one, other)
    torch.testing.assert_close(one.logsumexp(-1), torch.zeros(3, 20), rtol=0, atol=1e-5)


@torch.no_grad()
def test_near_colours_of_a_pixelformer_begin_near():
    colours = ((0.0, 0.0, 0.0), (1.0, 0.0, 0.0), (95.0, 40.0, -60.0))
    made = find("imagegen.backbones", "pixelformer").build(
        find("imagegen.backbones", "pixelformer").Config(), Vocabulary(3, shape=(2, 2), colours=colours), 0
    )
    added = made.colour(made.lab)[:3]
    assert (added[0] - added[1]).norm() < 0.05 * (added[0] - added[2]).norm()


@torch.no_grad()
def test_a_pixelformer_does_without_known_colours():
    vocab = Vocabulary(7, shape=(3, 4))
    check_steps(backbone("pixelformer", vocab), vocab, 0)


# ------------------------------------------------------------------------------------------------------ raster order


def test_neighbours_are_the_pixels_that_the_offsets_say():
    places = neighbours((2, 3), [(0, -1), (-1, 0), (-1, 1)])
    assert places.tolist() == [[0, 0, 0], [1, 0, 0], [2, 0, 0], [3, 1, 2], [4, 2, 3], [5, 3, 0]]


@pytest.mark.parametrize("offset", [(0, 0), (0, 1), (1, -3)])
def test_a_neighbour_that_is_not_drawn_yet_is_refused(offset):
    with pytest.raises(ValueError, match="not drawn yet"):
        neighbours((3, 3), [(0, -1), offset])


def test_looking_up_is_a_linear_layer_of_embeddings_side_by_side():
    torch.manual_seed(0)
    embedding, linear = nn.Embedding(5, 4), nn.Linear(12, 6, bias=False)
    tokens = torch.randint(5, (2, 7, 3))
    tables = embedding.weight @ linear.weight.unflatten(1, (3, 4)).permute(1, 2, 0)
    torch.testing.assert_close(look_up(tables, tokens), linear(embedding(tokens).flatten(2)), **CLOSE)


# ---------------------------------------------------------------------------------------------------------- encoders

every_encoder = pytest.mark.parametrize("name", ENCODERS)


@every_encoder
@every_shape
@torch.no_grad()
def test_an_encoder_sees_every_pixel_in_its_place_and_no_other_row(name, shape):
    vocab = vocabulary(shape)
    made, tokens = part("imagegen.encoders", name, vocab), pictures(1, vocab)
    wanted = made(tokens, vocab.mask(tokens))
    length = tokens.shape[1]
    assert wanted.shape == (1, made.size)
    others = tokens.repeat(length, 1)
    others[range(length), range(length)] = (tokens[0] + 1) % vocab.size
    assert (made(others, vocab.mask(others)) - wanted).abs().amax(1).min() > 1e-5
    alone = torch.cat([made(other[None], vocab.mask(other[None])) for other in others])
    torch.testing.assert_close(made(others, vocab.mask(others)), alone, **CLOSE)
    moved = tokens.roll(1, 1)
    assert (made(moved, vocab.mask(moved)) - wanted).abs().max() > 1e-5


@every_encoder
def test_gradients_reach_every_weight_of_an_encoder(name):
    vocab = vocabulary((5, 5))
    made, tokens = part("imagegen.encoders", name, vocab), pictures(4, vocab)
    weight = torch.randn(made.size, generator=torch.Generator().manual_seed(3))
    (made(tokens, vocab.mask(tokens)) @ weight).pow(2).sum().backward()
    for key, parameter in made.named_parameters():
        assert parameter.grad is not None and parameter.grad.abs().max() > 0, key


# ----------------------------------------------------------------------------------------------- recipes and training


def stripes(rows: int, seed: int) -> torch.Tensor:
    """Pictures of 6 x 6 pixels that have something to learn: two colours in stripes, lying or standing."""
    generator = torch.Generator().manual_seed(seed)
    colours = torch.randint(7, (rows, 2), generator=generator)
    lying = torch.randint(2, (rows, 1, 1), generator=generator).bool()
    odd = torch.arange(6) % 2
    odd = torch.where(lying, odd[:, None], odd).expand(rows, 6, 6)
    return colours.gather(1, odd.reshape(rows, 36))


def trained(made: Model, steps: int, lr: float = 1e-2) -> list[float]:
    chosen = trainer.Config(lr=lr, precision="fp32", ema=0.0, schedule="constant", lr_warmup=0)
    training = trainer.Training(made, chosen, steps=steps, seed=0)
    reports = trainer.train(training, lambda number: trainer.Rows(stripes(32, number), 32))
    return [report.means["loss"] for report in reports]


def values(model: str, **chosen: object) -> dict[str, object]:
    made = recipes.recipe(model, chosen, package="imagegen")[0]
    return {**{key: value for key, value in _SIZES.items() if key in made.settings()}, **chosen}


LANGUAGE_MODELS = [{"backbone": name} for name in [*BACKBONES, "lstm", "transformer"] if name != BLIND]
VAES = [{"backbone": BLIND}, {"backbone": "pixelcnn"}, {"backbone": "pixelformer"}]
MODELS = [("lm", chosen) for chosen in LANGUAGE_MODELS]
MODELS += [("vae", {"encoder": "conv", "latent": 4, "rate": "none", **chosen}) for chosen in VAES]


@pytest.mark.parametrize(
    ("model", "chosen"), MODELS, ids=lambda value: value if isinstance(value, str) else value["backbone"]
)
def test_a_model_of_pictures_learns_and_is_the_same_once_saved(model, chosen):
    vocab = vocabulary((6, 6))
    recipe = recipes.recipe(model, values(model, **chosen), package="imagegen")[0]
    again = recipes.from_dict(recipe.to_dict())
    assert again == recipe
    torch.manual_seed(0)
    made = recipes.build(again, vocab)
    losses = trained(made, 120 if chosen["backbone"] == BLIND else 25)  # all that it knows must go through the code
    assert all(map(math.isfinite, losses))
    assert sum(losses[-5:]) < 0.9 * sum(losses[:5])
    outline = recipes.outline(recipe, vocab)
    assert {key: weight.shape for key, weight in outline.named_parameters()} == {
        key: weight.shape for key, weight in made.named_parameters()
    }
    copy = recipes.build(again, vocab)
    copy.load_state_dict(made.state_dict())
    tokens = stripes(3, 99)
    with torch.no_grad():
        given = copy.eval().context(0, 0, 3)
        assert torch.equal(copy.backbone(tokens, given), made.eval().backbone(tokens, given))


def test_recipes_of_pictures_look_in_their_own_folders_first_and_then_in_those_of_text():
    for name, home in (("pixelcnn", "imagegen"), ("lstm", "textgen")):
        recipe = recipes.recipe("lm", {"backbone": name}, package="imagegen")[0]
        assert recipe.package == "imagegen"
        assert type(recipe.configs["backbone"]).__module__ == f"{home}.backbones.{name}"
        assert type(recipe.configs["model"]).__module__ == "textgen.models.lm"
    assert isinstance(recipes.build(recipe, vocabulary((2, 2))), Autoregressive)


def test_recipes_of_text_know_no_part_of_pictures():
    with pytest.raises(InputError, match=r"no backbone 'pixelcnn'.*lstm, transformer, wavenet$"):
        recipes.recipe("lm", {"backbone": "pixelcnn"})
    with pytest.raises(InputError, match="no encoder 'conv'"):
        recipes.recipe("vae", {"encoder": "conv"})


def test_an_unknown_part_of_pictures_is_told_what_both_folders_hold():
    both = ", ".join(sorted([*BACKBONES, *small.BACKBONES]))
    with pytest.raises(InputError, match=rf"no backbone 'pixelcn': did you mean 'pixelcnn'\? choose from {both}$"):
        recipes.recipe("lm", {"backbone": "pixelcn"}, package="imagegen")
    with pytest.raises(InputError, match=r"no model 'vea'.*vae"):
        recipes.recipe("vea", {}, package="imagegen")


@pytest.mark.parametrize("package", ["textgen", "imagegen.models", "os", "torch.hub", "", None, 3, ["imagegen"]])
def test_a_saved_recipe_names_one_of_two_packages(package):
    saved = {**recipes.recipe("lm", {})[0].to_dict(), "package": package}
    with pytest.raises(InputError, match="names no model of ours"):
        recipes.from_dict(saved)


@pytest.mark.parametrize("name", BACKBONES)
def test_a_backbone_for_pictures_says_what_it_misses_in_text(name):
    with pytest.raises(InputError, match=f"^{name} is for pictures: this corpus has none; ") as caught:
        find("imagegen.backbones", name).build(find("imagegen.backbones", name).Config(), small.VOCAB, C)
    assert "\n" not in str(caught.value)


def test_the_encoder_for_pictures_says_what_it_misses_in_text():
    with pytest.raises(InputError, match=r"^encoder conv is for pictures: "):
        part("imagegen.encoders", "conv", small.VOCAB)


def test_a_decoder_that_looks_back_at_nothing_needs_a_context():
    with pytest.raises(InputError, match="model=vae"):
        part("imagegen.backbones", BLIND, vocabulary((3, 3)), 0)


def test_a_pixelrnn_drops_between_its_layers_as_well():
    vocab = vocabulary((3, 4))
    made, tokens = backbone("pixelrnn", vocab, layers=2, dropout=0.5).train(), pictures(2, vocab)
    made.dropout.p = 0.0  # of embeddings and of what the top layer gives
    assert not torch.equal(made.features(tokens), made.features(tokens))
    assert torch.equal(made.eval().features(tokens), made.features(tokens))


def test_a_code_does_not_drown_the_pixels_that_a_pixelformer_reads():
    vocab = vocabulary((6, 6))._replace(colours=None)  # colours only add to what tokens are
    made, tokens = pixelformer.build(pixelformer.Config(width=64), vocab, 10), pictures(64, vocab)
    read = look_up(made._tables(), F.pad(tokens, (1, 0), value=made.outside)[:, made.places]).detach()
    said = made.everywhere(contexts(100, 10)).detach()
    assert 0.5 < float(said.std() / read.std()) < 2


WRONG = [("pixelcnn", "kernel", 4), ("pixelformer", "heads", 5), ("pixelformer", "token_dropout", 1.0)]
WRONG += [("pixelrnn", "layers", 0), ("deconv", "stages", 9)]


@pytest.mark.parametrize(("name", "key", "value"), WRONG)
def test_a_setting_that_makes_no_sense_is_refused(name, key, value):
    model = "vae" if name == BLIND else "lm"
    with pytest.raises(InputError, match=f"^{key}={value}: expected"):
        recipes.recipe(model, {"backbone": name, key: value}, package="imagegen")
