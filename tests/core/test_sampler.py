"""Laws of sampling and beam search, on backbones whose probabilities are known."""

from __future__ import annotations

import math
from itertools import product

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

import small
from corpora.errors import InputError
from small import BLANK, PAD, STOP
from textgen.core import sampler
from textgen.core.backbone import Backbone, Vocabulary
from textgen.core.sampler import Choice, beam, draw_tokens, forbid_repeats, sample, stream

FEW = Vocabulary(6, PAD, STOP, BLANK)
WRITABLE = (STOP, 3, 4, 5)


class Table(Backbone):
    """The next token hangs on the one before it and on the context, by a table of logits drawn from a seed."""

    def __init__(self, vocab: Vocabulary = FEW, seed: int = 0, spread: float = 1.5, context: int = 0) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        self.size = vocab.size
        self.table = nn.Parameter(spread * torch.randn(vocab.size + 1, vocab.size, generator=generator))
        self.turn = nn.Parameter(torch.randn(context, vocab.size, generator=generator)) if context else None
        self.head = nn.Identity()

    def features(self, tokens: Tensor, context: Tensor | None = None) -> Tensor:
        before = torch.cat([torch.full_like(tokens[:, :1], self.size), tokens[:, :-1]], 1)
        logits = self.table[before]
        return logits if context is None else logits + (context @ self.turn)[:, None]


class Noisy(Table):
    """Each row of tokens so far has its own logits: no two beams share a future."""

    def features(self, tokens: Tensor, context: Tensor | None = None) -> Tensor:
        before = torch.cat([torch.full_like(tokens[:, :1], self.size), tokens[:, :-1]], 1)
        powers = torch.arange(1, tokens.shape[1] + 1) * 0.7371
        seen = ((before + 1) * powers).cumsum(1)[..., None] * torch.arange(1, self.size + 1)
        logits = 2 * torch.sin(seen)
        return logits if context is None else logits + (context @ self.turn)[:, None]


def uniform(rows: int, seed: int = 0) -> Tensor:
    """Evenly spread numbers in [0, 1): frequencies meet probabilities to 1 / rows."""
    return (torch.arange(rows, dtype=torch.float64) + 0.5) / rows


def frequencies(logits: list[float], how: Choice, rows: int = 20_000) -> Tensor:
    tokens = draw_tokens(torch.tensor(logits).expand(rows, -1), uniform(rows), how)
    return torch.bincount(tokens, minlength=len(logits)) / rows


LOGITS = [2.0, -1.0, 0.5, 1.0, -3.0, 0.0]
PROBABILITIES = torch.tensor(LOGITS).softmax(0)
ORDER = [0, 3, 2, 5, 1, 4]  # most probable first


# One token.


def test_tokens_come_as_often_as_they_are_probable():
    torch.testing.assert_close(frequencies(LOGITS, Choice()), PROBABILITIES, atol=2e-4, rtol=0)


@pytest.mark.parametrize("temperature", [0.3, 2.0, 100.0])
def test_temperature_divides_the_logits(temperature):
    wanted = (torch.tensor(LOGITS) / temperature).softmax(0)
    torch.testing.assert_close(frequencies(LOGITS, Choice(temperature=temperature)), wanted, atol=2e-4, rtol=0)


def test_temperature_zero_takes_the_most_probable():
    logits = torch.randn(50, 9, generator=torch.Generator().manual_seed(0))
    assert torch.equal(draw_tokens(logits, uniform(50), Choice(temperature=0)), logits.argmax(-1))


def left(kept: int) -> Tensor:
    wanted = torch.zeros(6)
    wanted[ORDER[:kept]] = PROBABILITIES[ORDER[:kept]]
    return wanted / wanted.sum()


@pytest.mark.parametrize("k", [1, 2, 3, 5, 6, 7])
def test_top_k_keeps_the_k_most_probable(k):
    torch.testing.assert_close(frequencies(LOGITS, Choice(top_k=k)), left(min(k, 6)), atol=2e-4, rtol=0)


@pytest.mark.parametrize("kept", range(1, 7))
def test_top_p_keeps_the_fewest_that_hold_the_probability(kept):
    """Just below the sum of the first `kept`, just those are kept; just above, one more."""
    together = float(PROBABILITIES[ORDER[:kept]].sum())
    below = frequencies(LOGITS, Choice(top_p=together - 1e-4))
    torch.testing.assert_close(below, left(kept), atol=2e-4, rtol=0)
    if kept < 6:
        above = frequencies(LOGITS, Choice(top_p=together + 1e-4))
        torch.testing.assert_close(above, left(kept + 1), atol=2e-4, rtol=0)


@pytest.mark.parametrize("kept", range(1, 7))
def test_min_p_keeps_those_with_the_share_of_the_greatest(kept):
    share = float(PROBABILITIES[ORDER[kept - 1]] / PROBABILITIES.max())
    found = frequencies(LOGITS, Choice(min_p=share - 1e-4))
    torch.testing.assert_close(found, left(kept), atol=2e-4, rtol=0)


def test_all_limits_together_keep_what_each_keeps():
    found = frequencies(LOGITS, Choice(top_k=4, top_p=0.75, min_p=0.1))
    assert set(found.nonzero().flatten().tolist()) == {0, 3}


logit_rows = st.lists(
    st.one_of(st.floats(-30, 30, width=32), st.just(-math.inf)), min_size=2, max_size=12
).filter(lambda row: max(row) > -math.inf)  # fmt: skip
numbers = st.one_of(
    st.floats(0, 1, exclude_max=True), st.sampled_from([0.0, 1 - 2**-53, 1 - 2**-25, 1 - 1e-7, 5e-324, 2**-53])
)
choices = st.builds(
    Choice,
    temperature=st.sampled_from([0.0, 0.01, 0.7, 1.0, 5.0, 100.0]),
    top_k=st.integers(0, 13),
    top_p=st.sampled_from([1e-6, 0.1, 0.5, 0.9, 0.999999, 1.0]),
    min_p=st.sampled_from([0.0, 0.05, 0.5, 0.999]),
)


@given(logit_rows, numbers, choices)
def test_an_impossible_token_is_never_chosen(row, number, how):
    token = int(draw_tokens(torch.tensor([row]), torch.tensor([number], dtype=torch.float64), how))
    assert 0 <= token < len(row)
    assert row[token] > -math.inf
    if how.top_k:
        assert sum(other > row[token] for other in row) < how.top_k
        assert sum(other == row[token] for other in row[:token]) < how.top_k, "of equals the first"


def test_top_k_with_ties_keeps_k_by_their_order():
    logits = torch.tensor([[1.0, 2.0, 2.0, 2.0, 0.0], [3.0, 3.0, 3.0, 3.0, 3.0]])
    every = torch.linspace(0, 1 - 1e-9, 200, dtype=torch.float64)
    for row, order in zip(logits, ([1, 2, 3, 0], [0, 1, 2, 3]), strict=True):
        for k in (1, 2, 3, 4):
            drawn = draw_tokens(row.expand(200, -1), every, Choice(top_k=k))
            assert set(drawn.tolist()) == set(order[:k])


def test_top_p_with_ties_takes_the_first_of_equals():
    drawn = draw_tokens(torch.zeros(200, 40), torch.linspace(0, 1 - 1e-9, 200, dtype=torch.float64), Choice(top_p=0.05))
    assert set(drawn.tolist()) == {0, 1}


@pytest.mark.parametrize("at", ["first", "middle", "last"])
def test_the_ends_of_the_interval_meet_no_impossible_token(at):
    logits = torch.zeros(2, 5)
    logits[:, {"first": 0, "middle": 2, "last": 4}[at]] = -torch.inf
    found = draw_tokens(logits, torch.tensor([0.0, 1 - 2**-53], dtype=torch.float64), Choice())
    possible = [token for token in range(5) if logits[0, token] > -torch.inf]
    assert found.tolist() == [possible[0], possible[-1]]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("temperature", -1),
        ("temperature", 101),
        ("top_k", -1),
        ("top_p", 0),
        ("top_p", 1.1),
        ("min_p", 1),
        ("no_repeat", -2),
    ],
)
def test_a_choice_that_makes_no_sense_is_refused(key, value):
    with pytest.raises(ValueError, match=f"^{key}={value}: expected"):
        Choice(**{key: value})


# Rows.


def test_rows_come_as_often_as_they_are_probable():
    """The product of the conditionals, renormalised without pad and blank."""
    backbone = Table()
    found = sample(backbone, FEW, rows=6000, length=3, seed=1)
    counts: dict[tuple[int, ...], int] = {}
    for row in found.tolist():
        counts[tuple(row)] = counts.get(tuple(row), 0) + 1
    for row, log_p in listed(backbone, 3).items():
        padded = (*row, *[PAD] * (3 - len(row)))
        share = counts.pop(padded, 0) / 6000
        assert share == pytest.approx(math.exp(log_p), abs=5 * math.sqrt(math.exp(log_p) / 6000) + 1e-3)
    assert not counts


def test_what_follows_a_stop_is_padding():
    found = sample(Table(), FEW, rows=200, length=12)
    for row in found.tolist():
        if STOP in row:
            assert set(row[row.index(STOP) + 1 :]) <= {PAD}
            assert PAD not in row[: row.index(STOP)]
    assert any(STOP in row for row in found.tolist())
    assert BLANK not in found


@pytest.mark.parametrize("how", [Choice(), Choice(temperature=0.5, top_k=3), Choice(top_p=0.7, no_repeat=2)])
@pytest.mark.parametrize("name", ["table", *small.BACKBONES])
def test_a_row_is_the_same_whatever_is_drawn_beside_it(name, how):
    backbone = Table(context=3) if name == "table" else small.backbone(name, 3, FEW)
    context = torch.randn(10, 3, generator=torch.Generator().manual_seed(0))
    together = sample(backbone, FEW, rows=10, length=8, context=context, how=how, seed=7)
    for first, rows in ((0, 3), (4, 1), (5, 5)):
        part = sample(
            backbone, FEW, rows=rows, length=8, context=context[first : first + rows], how=how, seed=7, first=first
        )
        wanted = together[first : first + rows, : part.shape[1]]
        assert torch.equal(part, wanted)
        assert (together[first : first + rows, part.shape[1] :] == PAD).all()


def test_another_seed_draws_other_rows_and_the_same_seed_the_same():
    one, again, other = (sample(Table(), FEW, rows=20, length=6, seed=seed) for seed in (3, 3, 4))
    assert torch.equal(one, again)
    assert one.shape != other.shape or not torch.equal(one, other)


def test_the_prompt_is_kept_and_gone_on_from():
    prompt = torch.tensor([[3, 4], [5, 5], [4, 3]])
    found = sample(Table(), FEW, rows=3, length=7, prompt=prompt)
    assert torch.equal(found[:, :2], prompt)
    greedy = sample(Table(), FEW, rows=3, length=7, prompt=prompt, how=Choice(temperature=0))
    for row in range(3):
        logits = Table().table[prompt[row, 1]].clone()
        logits[[PAD, BLANK]] = -torch.inf
        assert greedy[row, 2] == logits.argmax()


def test_a_prompt_as_long_as_the_row_is_the_row():
    prompt = torch.tensor([[3, 4, 5]])
    assert torch.equal(sample(Table(), FEW, rows=1, length=3, prompt=prompt), prompt)


def test_the_stream_ends_when_all_rows_have_stopped():
    backbone = Table()
    with torch.no_grad():
        backbone.table[:, STOP] = 100.0
    assert [tokens.tolist() for tokens in stream(backbone, FEW, rows=2, length=9)] == [[STOP, STOP]]


def test_without_a_stop_all_positions_are_written():
    plain = Vocabulary(5)
    found = sample(Table(plain), plain, rows=30, length=9)
    assert found.shape == (30, 9)
    assert set(found.flatten().tolist()) == set(range(5))


@pytest.mark.parametrize("size", [1, 2, 3])
def test_no_n_gram_is_written_twice(size):
    backbone = Table(Vocabulary(30, PAD, STOP, BLANK), spread=3.0)
    with torch.no_grad():
        backbone.table[:, STOP] -= 9
    vocab = Vocabulary(30, PAD, STOP, BLANK)
    repeats = []
    for how in (Choice(), Choice(no_repeat=size)):
        found = sample(backbone, vocab, rows=20, length=20, how=how, seed=2)
        repeats.append(0)
        for row in found.tolist():
            kept = [token for token in row if token != PAD]
            grams = [tuple(kept[i : i + size]) for i in range(len(kept) - size + 1)]
            repeats[-1] += len(grams) - len(set(grams))
    assert repeats[0] > 0
    assert repeats[1] == 0


@given(st.lists(st.integers(0, 4), min_size=0, max_size=10), st.integers(0, 4))
def test_just_the_tokens_that_would_repeat_an_n_gram_are_forbidden(row, size):
    found = forbid_repeats(torch.zeros(1, 5), torch.tensor([row], dtype=torch.long).view(1, -1), size)
    grams = {tuple(row[i : i + size]) for i in range(len(row) - size + 1)} if size else set()
    for token in range(5):
        repeats = size > 0 and len(row) >= size and (*row[len(row) - size + 1 :], token) in grams
        assert (found[0, token] == -torch.inf) == repeats


# Beam search.


def listed(backbone: Backbone, length: int, context: Tensor | None = None) -> dict[tuple[int, ...], float]:
    """Every row that stops within `length` tokens, and every one of `length` tokens that does not, with log p."""
    letters = WRITABLE[1:]
    rows = [(*row, STOP) for n in range(length) for row in product(letters, repeat=n)]
    rows += list(product(letters, repeat=length))
    found = {}
    for row in rows:
        logits = backbone(torch.tensor([row]), context)[0].detach().double()
        logits[:, [PAD, BLANK]] = -torch.inf
        found[row] = float(sum(logits.log_softmax(-1)[place, token] for place, token in enumerate(row)))
    return found


def stripped(row: Tensor) -> tuple[int, ...]:
    return tuple(token for token in row.tolist() if token != PAD)


def test_the_listed_rows_have_probability_one_together():
    for kind in (Table, Noisy):
        assert sum(map(math.exp, listed(kind(), 3).values())) == pytest.approx(1)


@pytest.mark.parametrize("kind", [Table, Noisy])
@pytest.mark.parametrize("length", [1, 2, 4])
def test_with_beams_enough_every_row_is_found(kind, length):
    backbone = kind()
    wanted = listed(backbone, length)
    found = beam(backbone, FEW, rows=1, length=length, beams=len(wanted))
    assert {stripped(row) for row in found.tokens[0]} == set(wanted)
    scores = torch.tensor(sorted(wanted.values(), reverse=True))
    torch.testing.assert_close(found.scores[0], scores, atol=1e-5, rtol=0)


@pytest.mark.parametrize("beams", [1, 2, 5, 300])
@pytest.mark.parametrize("kind", [Table, Noisy])
def test_beams_are_sorted_different_and_scored_by_their_true_probability(kind, beams):
    backbone = kind()
    known = listed(backbone, 4)
    found = beam(backbone, FEW, rows=1, length=4, beams=beams)
    alive = found.scores[0] > -torch.inf
    rows, scores = [stripped(row) for row in found.tokens[0][alive]], found.scores[0][alive]
    assert len(set(rows)) == len(rows) == min(beams, len(known))
    assert (scores.diff() <= 1e-6).all()
    assert alive.tolist() == sorted(alive.tolist(), reverse=True)
    for row, score in zip(rows, scores.tolist(), strict=True):
        assert score == pytest.approx(known[row], abs=1e-5)
    assert not torch.isnan(found.scores).any()


def test_one_beam_is_greedy():
    for seed in range(10):
        backbone = Table(seed=seed)
        greedy = sample(backbone, FEW, rows=1, length=6, how=Choice(temperature=0))
        found = beam(backbone, FEW, rows=1, length=6, beams=1).tokens[0]
        assert stripped(greedy[0]) == stripped(found[0])


def test_more_beams_never_find_a_worse_best_row_here():
    best = [float(beam(Noisy(), FEW, rows=1, length=5, beams=beams).scores[0, 0]) for beams in (1, 4, 16, 64, 400)]
    assert best == sorted(best)


@pytest.mark.parametrize("name", ["table", *small.BACKBONES])
def test_rows_searched_together_are_as_searched_alone(name):
    backbone = Table(context=3) if name == "table" else small.backbone(name, 3, FEW)
    context = 2 * torch.randn(6, 3, generator=torch.Generator().manual_seed(0))
    together = beam(backbone, FEW, rows=6, length=7, beams=4, context=context)
    for row in range(6):
        alone = beam(backbone, FEW, rows=1, length=7, beams=4, context=context[row : row + 1])
        assert [stripped(t) for t in alone.tokens[0]] == [stripped(t) for t in together.tokens[row]]
        torch.testing.assert_close(alone.scores[0], together.scores[row], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("name", small.BACKBONES)
def test_scores_are_the_likelihood_of_the_row_where_nothing_is_impossible(name):
    """Against `nll`, corrected for pad and blank, which the search takes out."""
    backbone, context = small.backbone(name, 3, FEW), torch.randn(2, 3, generator=torch.Generator().manual_seed(1))
    found = beam(backbone, FEW, rows=2, length=5, beams=3, context=context)
    for row in range(2):
        for tokens, score in zip(found.tokens[row], found.scores[row], strict=True):
            kept = torch.tensor([stripped(tokens)])
            logits = backbone(kept, context[row : row + 1])[0].detach()
            logits[:, [PAD, BLANK]] = -torch.inf
            wanted = logits.log_softmax(-1).gather(1, kept.T).sum()
            torch.testing.assert_close(score, wanted, atol=1e-4, rtol=1e-5)


@pytest.mark.parametrize("size", [1, 2, 3])
def test_no_beam_repeats_an_n_gram(size):
    backbone = Table()
    with torch.no_grad():
        backbone.table[:, STOP] -= 3
    found = beam(backbone, FEW, rows=1, length=9, beams=6, no_repeat=size)
    for tokens, score in zip(found.tokens[0], found.scores[0], strict=True):
        if score == -torch.inf:
            continue
        row = stripped(tokens)
        grams = [row[i : i + size] for i in range(len(row) - size + 1)]
        assert len(grams) == len(set(grams))


# Constraints.


class After:
    """After token a only what `after[a]` lists; -1 stands for the beginning."""

    def __init__(self, after: dict[int, list[int]]) -> None:
        self.table = torch.ones(FEW.size + 1, FEW.size, dtype=torch.bool)
        for before, tokens in after.items():
            self.table[before] = False
            self.table[before, tokens] = True

    def allowed(self, tokens: Tensor, left: int) -> Tensor:
        return self.table[tokens[:, -1] if tokens.shape[1] else torch.full((len(tokens),), -1)]

    def obeyed(self, row: tuple[int, ...]) -> bool:
        return all(self.table[before, token] for before, token in zip((-1, *row), row, strict=False))


class Exactly:
    """Rows of just so many tokens and a stop, in one mask for all rows."""

    def __init__(self, length: int) -> None:
        self.length = length

    def allowed(self, tokens: Tensor, left: int) -> Tensor:
        return (torch.arange(FEW.size) == STOP) == (tokens.shape[1] >= self.length)


NO_TWINS = After({3: [STOP, 4, 5], 4: [STOP, 3, 5], 5: [STOP, 3, 4]})


@pytest.mark.parametrize("kind", [Table, Noisy])
def test_with_beams_enough_the_rows_that_obey_are_found_with_their_own_scores(kind):
    wanted = {row: score for row, score in listed(kind(), 4).items() if NO_TWINS.obeyed(row)}
    found = beam(kind(), FEW, rows=1, length=4, beams=300, constraint=NO_TWINS)
    alive = found.scores[0] > -torch.inf
    assert {stripped(row) for row in found.tokens[0][alive]} == set(wanted)
    scores = torch.tensor(sorted(wanted.values(), reverse=True))
    torch.testing.assert_close(found.scores[0][alive], scores, atol=1e-5, rtol=0)


@pytest.mark.parametrize("beams", [1, 3])
def test_a_constraint_holds_for_every_beam_of_a_batch_and_for_every_drawn_row(beams):
    backbone = Table(context=3)
    context = 2 * torch.randn(20, 3, generator=torch.Generator().manual_seed(0))
    for constraint, obeyed in ((Exactly(3), lambda row: len(row) == 4), (NO_TWINS, NO_TWINS.obeyed)):
        found = beam(backbone, FEW, rows=20, length=6, beams=beams, context=context, constraint=constraint)
        drawn = sample(backbone, FEW, rows=20, length=6, context=context, constraint=constraint)
        for row in [*found.tokens.flatten(0, 1), *drawn]:
            assert obeyed(stripped(row))


def test_what_allows_everything_changes_nothing():
    for name in small.BACKBONES:
        backbone = small.backbone(name, vocab=FEW)
        free = beam(backbone, FEW, rows=2, length=6, beams=4)
        bound = beam(backbone, FEW, rows=2, length=6, beams=4, constraint=After({}))
        assert torch.equal(free.tokens, bound.tokens)
        assert torch.equal(free.scores, bound.scores)
        drawn = [sample(backbone, FEW, rows=9, length=6, constraint=rule) for rule in (None, After({}))]
        assert torch.equal(*drawn)


def test_a_drawn_token_is_as_probable_as_among_those_allowed():
    backbone = Table()
    logits = backbone(torch.zeros(1, 1, dtype=torch.long))[0, 0].detach()
    wanted = torch.full((6,), -torch.inf)
    wanted[[3, 5]] = logits[[3, 5]]
    drawn = sample(backbone, FEW, rows=20_000, length=1, constraint=After({-1: [3, 5]}))[:, 0]
    torch.testing.assert_close(torch.bincount(drawn, minlength=6) / 20_000, wanted.softmax(0), atol=0.02, rtol=0)


def test_a_beam_without_a_next_token_dies_and_the_last_one_says_so():
    dead_end = After({-1: [3, 4], 3: [], 4: [STOP]})
    found = beam(Table(), FEW, rows=2, length=5, beams=2, constraint=dead_end)
    assert [stripped(row) for row in found.tokens[:, 0]] == [(4, STOP)] * 2
    assert found.scores[:, 1].tolist() == [-math.inf] * 2
    assert not torch.isnan(found.scores).any()
    for nothing in (After({-1: []}), After({-1: [3], 3: []}), After({-1: [PAD, BLANK]})):
        with pytest.raises(InputError, match="the constraint leaves no beam at place"):
            beam(Table(), FEW, rows=2, length=5, beams=3, constraint=nothing)
        with pytest.raises(InputError, match="the constraint allows no token at place"):
            sample(Table(), FEW, rows=2, length=5, constraint=nothing)


def test_a_prompt_obeys_too():
    rule = After({-1: [3], 3: [4], 4: [STOP]})
    drawn = sample(Table(), FEW, rows=1, length=5, prompt=torch.tensor([[3]]), constraint=rule)
    assert stripped(drawn[0]) == (3, 4, STOP)
    with pytest.raises(InputError, match="token 2 of the prompt"):
        sample(Table(), FEW, rows=1, length=5, prompt=torch.tensor([[3, 3]]), constraint=rule)


def test_beam_search_needs_a_stop():
    with pytest.raises(ValueError, match="stop"):
        beam(Table(Vocabulary(4)), Vocabulary(4), rows=1, length=3)


def test_a_sampler_that_forgets_the_impossible_would_be_caught(monkeypatch):
    monkeypatch.setattr(sampler, "impossible", lambda logits, vocab: logits)
    with pytest.raises(AssertionError):
        test_what_follows_a_stop_is_padding()
    with pytest.raises(AssertionError):
        test_with_beams_enough_every_row_is_found(Table, 4)


def test_a_late_choice_begins_when_two_tokens_differ():
    """Before, tokens are drawn from the model as it is, with the same numbers; without a choice it changes nothing."""
    vocab = Vocabulary(6, None, None, None)
    backbone, how = Table(vocab, seed=5), Choice(temperature=0)
    free = sample(backbone, vocab, rows=200, length=9, seed=1)
    late = sample(backbone, vocab, rows=200, length=9, seed=1, how=how, late=True)
    assert torch.equal(sample(backbone, vocab, rows=200, length=9, seed=1, late=True), free)
    for row, plain in zip(late, free, strict=True):
        begun = int((plain != plain[0]).int().argmax()) + 1 if (plain != plain[0]).any() else 9
        assert torch.equal(row[:begun], plain[:begun])
        for before, after in zip(row[begun - 1 : -1].tolist(), row[begun:].tolist(), strict=True):
            assert after == int(backbone.table[before].argmax())
    prompt = torch.tensor([[1, 1], [1, 2]]).repeat(50, 1)
    late = sample(backbone, vocab, rows=100, length=9, seed=1, how=how, late=True, prompt=prompt)
    assert len(late[1::2].unique(dim=0)) == 1 < len(late[::2].unique(dim=0))  # a prompt of two tokens has begun
    few = sample(backbone, vocab, rows=3, length=9, seed=1, first=7, how=how, late=True)
    assert torch.equal(few, sample(backbone, vocab, rows=10, length=9, seed=1, how=how, late=True)[7:])
