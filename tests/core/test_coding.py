"""The arithmetic coder gives back what was put in, in as many bits as it should; and codes rows of every backbone."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import small
from textgen.core import coding
from textgen.core.backbone import Vocabulary

COUNTS = st.lists(st.integers(1, 1 << 22), min_size=1, max_size=4) | st.lists(st.just(1), min_size=2, max_size=300)


def rising(counts: list[int]) -> np.ndarray:
    return np.array([0, *itertools.accumulate(counts)])


@settings(max_examples=300)
@given(st.lists(st.tuples(COUNTS, st.integers(0, 299)), max_size=60))
def test_the_coder_gives_back_what_was_put_in_and_wastes_less_than_a_byte(pairs):
    given_ = [(rising(counts), number % len(counts)) for counts, number in pairs]
    coder = coding.RangeEncoder()
    for heights, token in given_:
        coder.put(heights, token)
    data = coder.finish()
    decoder = coding.RangeDecoder(data)
    assert [decoder.get(heights) for heights, _ in given_] == [token for _, token in given_]
    bits = sum(math.log2(heights[-1] / (heights[token + 1] - heights[token])) for heights, token in given_)
    assert 8 * len(data) <= bits + 8 + 1e-3


@pytest.mark.parametrize("tokens", [[0] * 40, [1] * 40, [0, 1] * 40, [1] * 30 + [0] * 30])
def test_carries_run_through_bytes_that_are_full(tokens):
    """A first token that is nearly certain leaves the interval at its very top or bottom for long."""
    for heights in (np.array([0, (1 << 24) - 1, 1 << 24]), np.array([0, 1, 1 << 24]), np.array([0, 1, 3])):
        coder = coding.RangeEncoder()
        for token in tokens:
            coder.put(heights, token)
        decoder = coding.RangeDecoder(coder.finish())
        assert [decoder.get(heights) for _ in tokens] == tokens


@given(st.integers(2, 400), st.floats(0, 60))
def test_counts_leave_no_token_out_and_follow_the_probabilities(size, spread):
    logits = spread * torch.randn(3, size, generator=torch.Generator().manual_seed(size))
    heights = coding.heights(logits)
    assert (np.diff(heights) >= 1).all() and (heights[:, 0] == 0).all() and (heights[:, -1] <= 1 << 24).all()
    shares = np.diff(heights) / heights[:, -1:]
    assert shares == pytest.approx(logits.double().softmax(-1).numpy(), abs=size * 2**-23)


@pytest.mark.parametrize("name", small.BACKBONES)
def test_rows_of_text_come_back_and_cost_what_the_likelihood_says(name):
    backbone = small.backbone(name)
    tokens = small.rows([9, 3, 12, 1, 7] * 6)
    data = coding.encode(backbone, small.VOCAB, tokens)
    assert torch.equal(coding.decode(backbone, small.VOCAB, data, *tokens.shape), tokens)
    with torch.inference_mode():
        bits = float(backbone.nll(tokens, small.VOCAB.mask(tokens)).double().sum()) / math.log(2)
    assert bits - 1 <= 8 * len(data) <= bits + 9
    other = small.backbone(name, seed=1)
    assert not torch.equal(coding.decode(other, small.VOCAB, data, *tokens.shape), tokens)  # it takes this very model


def test_pictures_have_neither_stop_nor_pad():
    vocab = Vocabulary(5, shape=(4, 3))
    backbone = small.backbone("lstm", vocab=vocab)
    tokens = torch.randint(5, (7, 12), generator=torch.Generator().manual_seed(0))
    data = coding.encode(backbone, vocab, tokens)
    assert torch.equal(coding.decode(backbone, vocab, data, 7, 12), tokens)
