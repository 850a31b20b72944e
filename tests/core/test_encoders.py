"""Laws of every encoder, and that an encoder which breaks one is caught."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional as F

import small
from small import PAD, VOCAB
from textgen.core.encoder import Encoder, pool

CLOSE = {"rtol": 1e-6, "atol": 1e-6}

every_encoder = pytest.mark.parametrize("name", small.ENCODERS)


def encoded(encoder: Encoder, tokens: torch.Tensor) -> torch.Tensor:
    with torch.no_grad():
        return encoder(tokens, VOCAB.mask(tokens))


def check_padding(encoder: Encoder) -> None:
    """Padding behind a row changes nothing, nor does what the padding reads."""
    tokens = small.rows([3, 6, 1, 0])
    wanted = encoded(encoder, tokens)
    assert wanted.shape == (4, encoder.size)
    torch.testing.assert_close(encoded(encoder, F.pad(tokens, (0, 5), value=PAD)), wanted, **CLOSE)
    mask = VOCAB.mask(tokens)
    with torch.no_grad():
        other = encoder(torch.where(mask, tokens, 7), mask)
    torch.testing.assert_close(other, wanted, **CLOSE)


def check_rows(encoder: Encoder) -> None:
    """Rows in another order are the same vectors in that order; a row alone is as among others."""
    tokens = small.rows([3, 6, 1, 4, 4])
    wanted = encoded(encoder, tokens)
    order = torch.tensor([3, 0, 4, 1, 2])
    torch.testing.assert_close(encoded(encoder, tokens[order]), wanted[order], **CLOSE)
    for row in range(5):
        kept = tokens[row : row + 1, : int((tokens[row] != PAD).sum())]
        torch.testing.assert_close(encoded(encoder, kept)[0], wanted[row], **CLOSE)


def check_order_matters(encoder: Encoder) -> None:
    """The same tokens in another order are another vector."""
    tokens = torch.tensor([[3, 4, 5, 6, 1]])
    for other in ([4, 3, 5, 6, 1], [6, 5, 4, 3, 1], [3, 4, 6, 5, 1]):
        assert (encoded(encoder, tokens) - encoded(encoder, torch.tensor([other]))).abs().max() > 1e-4


def check_every_token_matters(encoder: Encoder) -> None:
    tokens = torch.tensor([[3, 4, 5, 6, 1]])
    for place in range(5):
        other = tokens.clone()
        other[0, place] = 9
        assert (encoded(encoder, tokens) - encoded(encoder, other)).abs().max() > 1e-4, place


def check_gradients(encoder: Encoder) -> None:
    tokens = small.rows([5, 6, 2, 4])
    weight = torch.randn(encoder.size, generator=torch.Generator().manual_seed(3))
    (encoder(tokens, VOCAB.mask(tokens)) @ weight).pow(2).sum().backward()
    for name, parameter in encoder.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().max() > 0, name


LAWS = [check_padding, check_rows, check_order_matters, check_every_token_matters, check_gradients]


@every_encoder
@pytest.mark.parametrize("check", LAWS)
def test_every_encoder_keeps_the_law(name, check):
    check(small.encoder(name))


@every_encoder
@pytest.mark.parametrize("check", LAWS)
def test_with_one_layer_as_well(name, check):
    check(small.encoder(name, encoder_layers=1))


@pytest.mark.parametrize("places", [1, 3, 30])
@pytest.mark.parametrize("check", LAWS)
def test_the_lstm_encoder_keeps_the_law_with_places_too(places, check):
    check(small.encoder("lstm", encoder_places=places))


@every_encoder
def test_a_process_without_rows_encodes_nothing(name):
    tokens = small.rows([3])[:0]
    assert encoded(small.encoder(name), tokens).shape == (0, small.encoder(name).size)


def test_pooling_is_the_maximum_and_the_mean_of_what_is_shown():
    outputs = torch.tensor([[[1.0, -5.0], [3.0, -1.0], [100.0, 100.0]]])
    found = pool(outputs, torch.tensor([[True, True, False]]))
    assert found.tolist() == [[3.0, -1.0, 2.0, -3.0]]


class Bag(Encoder):
    """Right but for the order, which it cannot see."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.embedding = nn.Embedding(VOCAB.size, 4)
        self.size = 8

    def forward(self, tokens, mask):
        return pool(self.embedding(tokens), mask)


class CountsPadding(Bag):
    def forward(self, tokens, mask):
        return pool(self.embedding(tokens), torch.ones_like(mask))


class MixesRows(Bag):
    def forward(self, tokens, mask):
        return pool(self.embedding(tokens), mask).cumsum(0)


class SeesTheFirstAlone(Bag):
    def forward(self, tokens, mask):
        return super().forward(tokens[:, :1], mask[:, :1])


@pytest.mark.parametrize(
    ("broken", "check"),
    [
        (Bag, check_order_matters),
        (CountsPadding, check_padding),
        (MixesRows, check_rows),
        (SeesTheFirstAlone, check_every_token_matters),
    ],
)
def test_an_encoder_that_breaks_a_law_is_caught(broken, check):
    with pytest.raises(AssertionError):
        check(broken())
