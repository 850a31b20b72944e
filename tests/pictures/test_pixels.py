"""Laws of the parts that make pictures, beside those that `tests/core` holds every part to: what pixels see, colours,
raster order."""

from __future__ import annotations

import itertools

import pytest
import torch
from torch import nn
from torch.nn import functional as F

import small
from corpora.errors import InputError
from corpora.settings import find
from imagegen.backbones import pixelformer
from imagegen.raster import look_up, neighbours
from small import BLIND, C, contexts
from textgen.core import recipes
from textgen.core.backbone import Backbone, Vocabulary

CLOSE = {"rtol": 1e-5, "atol": 1e-5}
BACKBONES = small.PICTURE_BACKBONES

every_shape = pytest.mark.parametrize("shape", small.SHAPES, ids=lambda shape: "x".join(map(str, shape)))


# ------------------------------------------------------------------------------------------------ what is looked at


def gradients(made: Backbone, vocab: Vocabulary) -> torch.Tensor:
    """How much the logits of pixel i hang on the embedding of pixel j, where all pixels are unlike: (L of i, L of j)"""
    tokens = torch.arange(vocab.size)[None]
    logits = made(tokens)[0]
    found = [torch.autograd.grad(each.pow(2).sum(), made.embedding.weight, retain_graph=True)[0] for each in logits]
    return torch.stack(found).abs().amax(2)[:, : vocab.size]


@pytest.mark.parametrize("shape", [(3, 4), (5, 5), (7, 6)])
@pytest.mark.parametrize("kernel", [3, 5])
def test_by_gradient_too_a_pixelcnn_has_no_blind_spot_and_sees_no_future(shape, kernel):
    vocab = small.picture(shape, shape[0] * shape[1])
    seen = gradients(small.backbone("pixelcnn", 0, vocab, layers=6, kernel=kernel, channels=24), vocab) > 0
    assert torch.equal(seen, torch.ones_like(seen).tril(-1))


@pytest.mark.parametrize(("layers", "kernel"), [(1, 3), (2, 3), (1, 5)])
def test_a_shallow_pixelcnn_sees_the_window_that_its_size_promises(layers, kernel):
    height, width = shape = (7, 9)
    vocab, reach = small.picture(shape, height * width), layers * (kernel // 2)
    seen = gradients(small.backbone("pixelcnn", 0, vocab, layers=layers, kernel=kernel, channels=24), vocab) > 0
    for row, column, far, beside in itertools.product(range(height), range(width), range(height), range(width)):
        up, left = row - far, column - beside
        wanted = abs(left) <= reach if 0 < up <= reach + 1 else up == 0 and 0 < left <= reach + 1
        assert seen[row * width + column, far * width + beside] == wanted, (row, column, far, beside)


# ------------------------------------------------------------------------------------------------------ likelihoods


@pytest.mark.parametrize("name", BACKBONES)
@pytest.mark.parametrize("context", [0, C], ids=["no-context", "context"])
@pytest.mark.parametrize("shape", [(2, 2), (3, 2), (2, 3)], ids=lambda shape: "x".join(map(str, shape)))
@torch.no_grad()
def test_the_probabilities_of_all_pictures_sum_to_one(name, shape, context):
    if name == BLIND and not context:
        pytest.skip("draws from a context alone")
    vocab = small.picture(shape, 2)
    backbone = small.backbone(name, context, vocab)
    every = torch.tensor(list(itertools.product(range(2), repeat=shape[0] * shape[1])))
    given = None if context == 0 else contexts(1, context).expand(len(every), -1)
    total = (-backbone.nll(every, vocab.mask(every), given).double()).exp().sum()
    assert abs(float(total) - 1) < 1e-5


@torch.no_grad()
def test_what_a_pixelformer_gives_are_log_probabilities():
    vocab = small.picture((4, 5))
    logits = small.backbone("pixelformer", 0, vocab)(small.full(3, vocab))
    torch.testing.assert_close(logits.logsumexp(-1), torch.zeros(3, 20), rtol=0, atol=1e-5)


@torch.no_grad()
def test_the_pointer_of_a_pixelformer_gives_to_colours_that_were_drawn():
    """With a sentinel that is never chosen all probability is on them, after the first pixel."""
    vocab = small.picture((4, 5), 30)
    made, tokens = small.backbone("pixelformer", 0, vocab), small.full(3, vocab)
    made.sentinel.fill_(-1e4)
    probabilities = made(tokens).exp()
    for place in range(1, 20):
        drawn = torch.zeros(3, 30).scatter(1, tokens[:, :place], 1.0)
        torch.testing.assert_close((probabilities[:, place] * drawn).sum(1), torch.ones(3), **CLOSE)


def test_masked_pixels_are_read_in_training_alone():
    vocab = small.picture((4, 5))
    made, tokens = small.backbone("pixelformer", 0, vocab, token_dropout=0.5), small.full(3, vocab)
    plain = small.backbone("pixelformer", 0, vocab)
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
    backbone, tokens = small.backbone("pixelformer", 0, vocab), small.full(3, vocab)
    stepper, wanted = backbone.start(3, 12), backbone(tokens)
    for place in range(12):
        torch.testing.assert_close(stepper.logits, wanted[:, place], rtol=1e-4, atol=1e-4)
        stepper.step(tokens[:, place]) if place < 11 else None


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

every_encoder = pytest.mark.parametrize("name", small.PICTURE_ENCODERS)


@every_encoder
@every_shape
@torch.no_grad()
def test_an_encoder_sees_every_pixel_in_its_place_and_no_other_row(name, shape):
    vocab = small.picture(shape)
    made, tokens = small.encoder(name, vocab), small.full(1, vocab)
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
    vocab = small.picture((5, 5))
    made, tokens = small.encoder(name, vocab), small.full(4, vocab)
    weight = torch.randn(made.size, generator=torch.Generator().manual_seed(3))
    (made(tokens, vocab.mask(tokens)) @ weight).pow(2).sum().backward()
    for key, parameter in made.named_parameters():
        assert parameter.grad is not None and parameter.grad.abs().max() > 0, key


# ----------------------------------------------------------------------------------------------------- what is refused


@pytest.mark.parametrize("name", BACKBONES)
def test_a_backbone_for_pictures_says_what_it_misses_in_text(name):
    with pytest.raises(InputError, match=f"^{name} is for pictures: this corpus has none; ") as caught:
        find("imagegen.backbones", name).build(find("imagegen.backbones", name).Config(), small.VOCAB, C)
    assert "\n" not in str(caught.value)


def test_the_encoder_for_pictures_says_what_it_misses_in_text():
    with pytest.raises(InputError, match=r"^encoder conv is for pictures: "):
        find("imagegen.encoders", "conv").build(find("imagegen.encoders", "conv").Config(), small.VOCAB)


def test_a_decoder_that_looks_back_at_nothing_needs_a_context():
    with pytest.raises(InputError, match="model=vae"):
        small.backbone(BLIND, 0, small.picture((3, 3)))


def test_a_code_does_not_drown_the_pixels_that_a_pixelformer_reads():
    vocab = small.picture((6, 6))._replace(colours=None)  # colours only add to what tokens are
    made, tokens = pixelformer.build(pixelformer.Config(width=64), vocab, 10), small.full(64, vocab)
    read = look_up(made._tables(), F.pad(tokens, (1, 0), value=made.outside)[:, made.places]).detach()
    said = made.everywhere(contexts(100, 10)).detach()
    assert 0.5 < float(said.std() / read.std()) < 2


WRONG = [("pixelcnn", "kernel", 4), ("pixelformer", "heads", 5), ("pixelformer", "token_dropout", 1.0)]
WRONG += [("pixelrnn", "layers", 0), ("deconv", "stages", 9)]


@pytest.mark.parametrize(("name", "key", "value"), WRONG)
def test_a_setting_that_makes_no_sense_is_refused(name, key, value):
    model = "vae" if name == BLIND else "lm"
    with pytest.raises(InputError, match=f"^{key}={value:g}: expected"):
        recipes.compose(model, {"backbone": name, key: value}, package="imagegen")
