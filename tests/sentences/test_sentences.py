"""What a person does with sentences: laws of walks, codes, candidates and of sharing a model."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from itertools import combinations, pairwise
from pathlib import Path
from types import SimpleNamespace

import huggingface_hub
import numpy as np
import pytest
import torch
from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError
from hypothesis import assume, given
from hypothesis import strategies as st

from corpora import Corpus
from corpora.errors import InputError
from textgen.core.randomness import normals
from textgen.core.sampler import Choice
from textgen.runs import library
from textgen.sentences import draw, sentence_vae
from textgen.sentences.defaults import REFINE
from textgen.sentences.sentence_vae import SentenceVAE
from textgen.sentences.units import difference
from textgen.sentences.walk import MOST_POINTS, Point, Walk, arc, bisected, joined, line, spread


@pytest.fixture(scope="module")
def vae(toy_run) -> SentenceVAE:
    return SentenceVAE.from_pretrained(toy_run)


@pytest.fixture(scope="module")
def texts(toy_corpus) -> list[str]:
    rows = Corpus.open(toy_corpus).rows("test")
    return list(dict.fromkeys(rows.text(row) for row in range(24)))


def lone(call) -> str:
    """The text of the InputError that a call ends in, which is one line."""
    with pytest.raises(InputError) as caught:
        call()
    assert "\n" not in str(caught.value)
    return str(caught.value)


# ------------------------------------------------------------------------------------------------------- walks


@pytest.mark.parametrize("steps", [2, 3, 8, 17])
@pytest.mark.parametrize("path", ["line", "arc"])
def test_a_walk_has_so_many_points_evenly_from_one_end_to_the_other(vae, texts, steps, path):
    walk = vae.interpolate(texts[0], texts[1], steps=steps, path=path, beams=3, pace="code")
    assert len(walk) == len(list(walk)) == steps
    assert [point.position for point in walk] == [number / (steps - 1) for number in range(steps)]
    ends = vae.decode(vae.encode(texts[:2], refine=REFINE), beams=3)
    assert [walk[0].text, walk[-1].text] == ends
    assert (walk.start, walk.end, walk.kind) == (texts[0], texts[1], path)
    assert all(point.distortion >= 0 and point.drift >= 0 and point.text for point in walk)


@pytest.mark.parametrize("steps", [2, 3, 8, 17])
def test_a_walk_at_the_pace_of_the_text_says_what_stands_at_its_positions(vae, texts, steps):
    walk = vae.interpolate(texts[0], texts[1], steps=steps, beams=3)
    positions = [point.position for point in walk]
    assert (len(walk), positions[0], positions[-1]) == (steps, 0, 1)
    assert all(one < other for one, other in pairwise(positions))
    ends = vae.encode(texts[:2], refine=REFINE)
    assert [point.text for point in walk] == vae.decode(torch.stack([line(*ends, p) for p in positions]), beams=3)


def test_a_walk_at_the_pace_of_the_text_repeats_itself_less(vae, texts):
    paces = {
        pace: sum(walk.distinct for walk in vae.walks(list(pairwise(texts[:8])), beams=2, pace=pace))
        for pace in ("text", "code")
    }
    assert paces["text"] > paces["code"]


def test_the_most_points_are_walked_in_bounded_time(vae, texts):
    assert len(vae.interpolate(texts[0], texts[1], steps=300, beams=1)) == 300


def test_a_walk_there_is_the_walk_back_reversed(vae, texts):
    there = vae.interpolate(texts[0], texts[2], steps=9, beams=4)
    back = vae.interpolate(texts[2], texts[0], steps=9, beams=4)
    assert [point.text for point in there] == [point.text for point in back][::-1]


OTHER = "  (not the sentence given)"


def shown(walk: Walk) -> list[tuple[list[float], str]]:
    """The sentences as printed, without the two that were given: each with its position, or its first and last."""
    lines = str(walk).splitlines()
    assert lines[0] == f"given  {walk.start}"
    assert lines[-1] == f"given  {walk.end}"
    matches = [re.fullmatch(r" (\d\.\d\d)(?:-(\d\.\d\d))? +(.*)", line) for line in lines[1:-1]]
    return [([float(place) for place in (first, last) if place], text) for first, last, text in
            (match.groups() for match in matches)]  # fmt: skip


def test_a_sentence_that_comes_again_is_marked_and_printed_once_with_its_positions(vae, texts):
    seen = 0
    for one, other in [*pairwise(texts[:8]), (texts[0], texts[0])]:
        walk = vae.interpolate(one, other, steps=12, beams=3)
        assert [point.repeats for point in walk] == [False, *(a.text == b.text for a, b in pairwise(walk))]
        seen += sum(point.repeats for point in walk)
        printed = shown(walk)
        assert len(printed) == sum(not point.repeats for point in walk)
        assert [text.removesuffix(OTHER) for _, text in printed] == [p.text for p in walk if not p.repeats]
        places = iter(walk)
        for span, text in printed:
            run = [next(places)]
            while len(span) == 2 and round(run[-1].position, 2) != span[1]:
                run.append(next(places))
            assert {point.text for point in run} == {text.removesuffix(OTHER)}
            assert round(run[0].position, 2) == span[0]
        assert walk.distinct == len({point.text for point in walk})
    assert seen >= 11  # the walk from a sentence to itself alone has as many to mark


def test_a_walk_from_a_sentence_to_itself_is_one_line(vae, texts):
    walk = vae.interpolate(texts[3], texts[3], steps=5)
    assert walk.distinct == 1
    assert [span for span, _ in shown(walk)] == [[0, 1]]
    auto = vae.interpolate(texts[3], texts[3], steps=None)
    assert [(point.position, point.repeats) for point in auto] == [(0, False), (1, True)]


def test_an_end_that_did_not_come_back_word_for_word_is_marked():
    points = [Point(place, text, 1.0, 0.0) for place, text in ((0, "a cat"), (0.5, "a cat"), (1, "a dog"))]

    def printed(start: str, end: str) -> list[str]:
        walk = joined(start, end, "line", points, str.lower)
        facts = walk.to_dict()
        assert (facts["start_exact"], facts["end_exact"]) == (start.lower() == "a cat", end.lower() == "a dog")
        return str(walk).splitlines()[1:-1]

    assert printed("A CAT", "a Dog") == [" 0.00-0.50  a cat", " 1.00       a dog"]
    assert printed("two cats", "a dog") == [f" 0.00-0.50  a cat{OTHER}", " 1.00       a dog"]
    assert printed("a cat", "two dogs") == [" 0.00-0.50  a cat", f" 1.00       a dog{OTHER}"]
    same = joined("x", "y", "line", points[:2], str.lower)
    assert str(same).splitlines() == ["given  x", f" 0.00-0.50  a cat{OTHER}", "given  y"]


def test_words_outside_the_vocabulary_are_told_before_the_walk(vae, texts):
    walk = vae.interpolate(texts[0], "the zebra sees 7 Zebus", steps=2, beams=1)
    assert walk.notes == vae.notes("the zebra sees 7 Zebus")
    assert walk.notes == walk.to_dict()["notes"]
    assert str(walk).splitlines()[0] == f"note: {walk.notes[0]}"
    assert "'zebra', '7', 'Zebus'" in walk.notes[0]
    assert vae.notes(texts) == [] == vae.interpolate(*texts[:2], steps=2, beams=1).notes
    said = vae.notes(" ".join(f"unknown{n}" for n in range(9)))[0]
    assert "'unknown4' and 4 more" in said
    english = SentenceVAE.from_pretrained("english-fiction")
    assert english.notes("there was no answer to letters.") == []
    assert "'12', '\u2603': outside the vocabulary, spelt byte by byte" in english.notes("12 \u2603 fell")[0]


def test_a_walk_as_json_says_what_it_says(vae, texts):
    walk = vae.interpolate(texts[0], texts[1], steps=6, beams=2)
    facts = json.loads(json.dumps(walk.to_dict(), allow_nan=False))
    assert (facts["start"], facts["end"], facts["path"], facts["distinct"]) == (
        texts[0],
        texts[1],
        "line",
        walk.distinct,
    )
    assert [Point(**point) for point in facts["points"]] == list(walk)


@pytest.mark.parametrize("path", ["line", "arc"])
def test_bisection_leaves_no_sentence_twice_in_a_row(vae, texts, path):
    for one, other in pairwise(texts[:6]):
        walk = vae.interpolate(one, other, steps=None, path=path, beams=2)
        assert 2 <= len(walk) <= MOST_POINTS
        assert (walk[0].position, walk[-1].position) == (0, 1)
        assert all(a.position < b.position for a, b in pairwise(walk))
        assert all(a.text != b.text for a, b in pairwise(walk)) or len(walk) == 2
        assert [walk[0].text, walk[-1].text] == vae.decode(vae.encode([one, other], refine=REFINE), beams=2)


@given(st.lists(st.sampled_from(["a b c", "a b d", "a x y", "p q r", "s t u", "v w z"]), min_size=1, max_size=20))
def test_bisection_of_any_path_is_short_and_ordered_and_asks_no_point_twice(vae, said):
    asked: list[float] = []

    def points(positions: Sequence[float]) -> list[Point]:
        asked.extend(positions)
        return [Point(p, said[min(len(said) - 1, int(p * len(said)))], 1.0, 0.0) for p in positions]

    found = bisected(points)
    assert (found[0].position, found[-1].position) == (0, 1)
    assert all(a.position < b.position for a, b in pairwise(found))
    assert all(a.text != b.text for a, b in pairwise(found)) or len(found) == 2
    assert len(asked) == len(set(asked)) <= MOST_POINTS
    assert all((position * 64).is_integer() for position in asked)
    if difference(said[0], said[-1]) <= 0.5:
        assert asked == [0, 1]


@given(st.lists(st.sampled_from(["a b c", "a b d", "a x y", "p q r"]), min_size=3, max_size=8), st.integers(2, 5))
def test_spread_repeats_as_little_as_can_be_and_then_changes_evenly(texts, count):
    assume(count < len(texts))
    inner = combinations(range(1, len(texts) - 1), count - 2)
    ways = [[texts[place] for place in (0, *some, len(texts) - 1)] for some in inner]

    def cost(path: list[str]) -> tuple[int, float]:
        steps = [difference(one, other) ** 2 for one, other in pairwise(path)]
        return sum(one == other for one, other in pairwise(path)), sum(steps)

    places = spread(texts, count)
    assert (len(places), places[0], places[-1]) == (count, 0, len(texts) - 1)
    assert all(one < other for one, other in pairwise(places))
    repeats, least = min(map(cost, ways))
    assert cost([texts[place] for place in places]) == (repeats, pytest.approx(least, abs=1e-2))


def test_bisection_of_a_path_without_end_stops_at_the_most(vae):
    found = bisected(lambda positions: [Point(p, f"{p} {p + 1} {p + 2}", 1.0, 0.0) for p in positions])
    assert len(found) == MOST_POINTS


def test_a_pure_autoencoder_walks_too(toy_autoencoder, texts):
    plain = SentenceVAE.from_pretrained(toy_autoencoder)
    walk = plain.interpolate(texts[0], texts[1], steps=4, beams=2)
    assert len(walk) == 4
    assert {point.drift for point in walk} == {0.0}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"steps": 1}, "steps=1: expected 2 to 1000 points, or None"),
        ({"steps": 1001}, "steps=1001: expected"),
        ({"pace": "fast"}, "pace 'fast': choose from text, code"),
        ({"path": "curve"}, "path 'curve': choose from auto, fluent, line, arc"),
        ({"beams": 0}, "beams=0: expected 1 to 100"),
        ({"beams": 101}, "beams=101: expected 1 to 100"),
    ],
)
def test_a_walk_with_bad_numbers_is_refused(vae, texts, options, said):
    assert lone(lambda: vae.interpolate(texts[0], texts[1], **options)).startswith(said)


# ------------------------------------------------------------------------------------------------------- paths

NUMBERS = st.floats(-100, 100, width=32)
CODES = st.integers(2, 6).flatmap(lambda size: st.tuples(*[st.lists(NUMBERS, min_size=size, max_size=size)] * 2))


@given(CODES)
def test_a_path_ends_exactly_at_its_ends(codes):
    first, last = map(torch.tensor, codes)
    for path in (line, arc):
        assert torch.equal(path(first, last, 0.0), first)
        assert torch.equal(path(first, last, 1.0), last)


@given(CODES, st.floats(0, 1))
def test_an_arc_keeps_the_norm_between_those_of_its_ends(codes, position):
    first, last = map(torch.tensor, codes)
    least, most = sorted((float(first.norm()), float(last.norm())))
    assume(least > 1e-3)
    cosine = float(first.double() @ last.double() / first.double().norm() / last.double().norm())
    assume(cosine > -0.99)  # opposite codes have no arc between them that is the shortest
    found = arc(first, last, position)
    assert 0.998 * least <= float(found.norm()) <= 1.002 * most
    assert torch.isfinite(found).all()


@given(CODES, st.floats(0, 1))
def test_an_arc_there_is_the_arc_back(codes, position):
    first, last = map(torch.tensor, codes)
    torch.testing.assert_close(arc(first, last, position), arc(last, first, 1 - position), rtol=1e-3, atol=1e-3)


def test_half_way_of_a_quarter_turn():
    first, last = torch.tensor([2.0, 0.0]), torch.tensor([0.0, 4.0])
    torch.testing.assert_close(line(first, last, 0.5), torch.tensor([1.0, 2.0]))
    torch.testing.assert_close(arc(first, last, 0.5), torch.tensor([3.0, 3.0]) / math.sqrt(2))
    assert torch.isfinite(arc(first, -first, 0.5)).all()
    assert torch.isfinite(arc(torch.zeros(2), last, 0.5)).all()


WORDS = st.lists(st.sampled_from("abcd"), max_size=6).map(" ".join) | st.text(max_size=8)


@given(WORDS, WORDS)
def test_difference_is_symmetric_from_zero_to_one_and_zero_for_the_same_words_alone(one, other):
    found = difference(one, other)
    assert found == difference(other, one)
    assert 0 <= found <= 1
    assert difference(one, one) == 0
    assert found == 0 or one.split() != other.split()
    assert found > 0 or "".join(one.split()) == "".join(other.split())


def test_difference_is_the_share_of_words_to_change():
    assert difference("the cat", "cat") == 0.5
    assert difference("a b c d", "a x c d") == 0.25
    assert difference("a b c", "c b a") == pytest.approx(2 / 3)
    assert difference("春眠不覺曉", "春眠不覺夜") == 0.2
    assert difference("床前明月光 疑是地上霜", "床前明月光 疑是地上雪") == 0.1
    assert difference("古池や", "古池 や") == 0
    assert difference("他说 yes", "她说 yes") == pytest.approx(1 / 3)
    assert difference("a", "b") == difference("", "a b") == 1


# ------------------------------------------------------------------------------------------------------- codes


def test_decoding_the_codes_of_sentences_reconstructs_them(vae, texts):
    codes = vae.encode(texts, refine=0)
    assert codes.shape == (len(texts), vae.latent)
    assert vae.decode(codes, beams=3) == vae.reconstruct(texts, beams=3, refine=0)
    assert vae.decode(codes, beams=3) == vae.reconstruct(texts, beams=3, refine=0, rerank=True)


def test_a_batch_of_sentences_encodes_and_decodes_as_one_by_one(vae, texts):
    codes = vae.encode(texts, refine=0)
    one_by_one = torch.cat([vae.encode([text], refine=0) for text in texts])
    torch.testing.assert_close(codes, one_by_one, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(codes, vae.encode(texts, at_once=5, refine=0), rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(vae.encode(texts[::-1], refine=0).flip(0), codes, rtol=1e-5, atol=1e-5)
    assert vae.decode(codes, beams=2) == vae.decode(codes, beams=2, at_once=3)


def test_drawn_codes_differ_from_the_mean_by_the_deviation_of_the_posterior(vae, texts):
    mean, drawn = vae.encode(texts, refine=0), vae.encode(texts, seed=5, refine=0)
    with torch.inference_mode():
        deviation = vae.model.posterior(vae.tokens(texts)).stddev
    torch.testing.assert_close((drawn - mean) / deviation, normals(5, 0, len(texts), vae.latent), rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(drawn, vae.encode(texts, seed=5, at_once=7, refine=0), rtol=1e-5, atol=1e-5)
    assert not torch.equal(drawn, vae.encode(texts, seed=6, refine=0))
    many = torch.cat([vae.encode(texts, seed=seed, refine=0) - mean for seed in range(100)]) / deviation.repeat(100, 1)
    assert abs(float(many.mean())) < 0.05
    assert abs(float(many.std()) - 1) < 0.05


def test_no_sentences_have_no_codes(vae):
    assert vae.encode([]).shape == (0, vae.latent) == vae.encode([], on_error="skip").codes.shape
    assert vae.decode(torch.zeros(0, vae.latent)) == []
    assert vae.reconstruct([]) == []


@pytest.mark.parametrize("bad", ["", "   ", "\t\n"])
def test_an_empty_sentence_is_refused(vae, texts, bad):
    for call in (vae.encode, vae.reconstruct):
        assert lone(lambda call=call: call([texts[0], bad])).endswith("is empty: give at least one word")
    assert "is empty" in lone(lambda: vae.interpolate(texts[0], bad))


def test_a_sentence_may_be_as_long_as_the_model_takes_and_no_longer(vae):
    most = vae.length - 1
    assert vae.encode(["cat " * most]).shape == (1, vae.latent)
    said = lone(lambda: vae.encode(["cat " * (most + 1)]))
    assert said.endswith(f"has {most + 1} tokens; this model takes at most {most}: shorten it")
    assert len(lone(lambda: vae.encode(["cat " * 10_000]))) < 200


def test_one_string_is_one_sentence(vae, texts):
    assert vae.encode(texts[0]).shape == (1, vae.latent)
    assert torch.equal(vae.encode(texts[0]), vae.encode([texts[0]]))
    assert vae.reconstruct(texts[0], beams=1) == vae.reconstruct([texts[0]], beams=1)


def test_numpy_arrays_go_in_and_out(vae, texts):
    codes = vae.encode_array(np.array(texts[:5]), refine=0)
    assert isinstance(codes, np.ndarray) and codes.shape == (5, vae.latent)
    assert np.array_equal(codes, vae.encode(texts[:5], refine=0).numpy())
    assert vae.decode(codes, beams=2) == vae.decode(torch.from_numpy(codes), beams=2)
    assert vae.decode(codes.astype(np.float64)[::2], beams=2) == vae.decode(codes, beams=2)[::2]
    assert vae.candidates(codes[0], beams=2) == vae.candidates(torch.from_numpy(codes[0]), beams=2)
    codes.flags.writeable = False
    assert len(vae.decode(codes, beams=1)) == 5
    assert lone(lambda: vae.decode(codes[0])) == lone(lambda: vae.decode(torch.from_numpy(codes[0].copy())))


@pytest.mark.parametrize("seed", [None, 3])
def test_sentences_without_a_code_are_skipped_and_told(vae, texts, seed):
    long = "cat " * vae.length
    mixed = [texts[0], "", texts[1], long, texts[2]]
    codes, skipped = vae.encode(mixed, on_error="skip", seed=seed, refine=3, at_once=2)
    assert [one.number for one in skipped] == [1, 3]
    assert "sentence 2 of 5, '' is empty" in skipped[0].reason
    assert f"has {vae.length} tokens; this model takes at most {vae.length - 1}" in skipped[1].reason
    filled = [texts[0], "cat", texts[1], "dog", texts[2]]
    torch.testing.assert_close(codes, vae.encode(filled, seed=seed, refine=3)[[0, 2, 4]], atol=1e-3, rtol=1e-3)
    assert vae.encode(texts[:2], on_error="skip").skipped == []
    assert lone(lambda: vae.encode(mixed)) == skipped[0].reason
    assert "on_error=ignore: expected raise or skip" in lone(lambda: vae.encode(mixed, on_error="ignore"))


def test_a_sentence_that_is_too_long_is_named_by_its_number(vae, texts):
    sentences = [*texts[:3], "cat " * vae.length]
    for call in (vae.encode, vae.reconstruct, vae.tokens):
        assert lone(lambda call=call: call(sentences)).startswith("sentence 4 of 4, 'cat cat")
    assert lone(lambda: vae.interpolate(texts[0], sentences[3])).startswith("sentence 2 of 2, 'cat cat")
    assert lone(lambda: vae.encode(sentences[3])).startswith("the sentence 'cat cat")


@pytest.mark.parametrize("shape", [(8,), (1, 7), (2, 3, 8), (8, 1), ()])
def test_codes_of_another_shape_are_refused(vae, shape):
    assert lone(lambda: vae.decode(torch.zeros(shape))).endswith("expected (N, 8), as `encode` gives them")


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_codes_that_are_not_numbers_are_refused(vae, value):
    assert lone(lambda: vae.decode(torch.full((2, 8), value))) == "the codes hold NaN or infinity"


def test_candidates_are_different_and_sorted_by_likelihood_and_cycle_check(vae, texts):
    for code in vae.encode(texts[:6]):
        found = vae.candidates(code, beams=10)
        assert 1 < len({point.text for point in found}) == len(found) <= 10
        scores = [-point.distortion - sentence_vae.CYCLE * point.drift for point in found]
        assert scores == sorted(scores, reverse=True)
        assert found[0].text == vae.decode(code[None], beams=10)[0]
        likeliest = min(found, key=lambda point: point.distortion)
        assert likeliest.text == vae.decode(code[None], beams=10, rerank=False)[0]


def test_a_sentence_that_several_rows_of_tokens_spell_is_one_candidate_the_best_of_them(vae, texts, monkeypatch):
    code = vae.encode(texts[:1], refine=0)[0]
    whole = vae.candidates(code, beams=10)
    decode = vae.codec.decode
    monkeypatch.setattr(vae.codec, "decode", lambda row: " ".join(decode(row).split()[:2]))
    best: dict[str, Point] = {}
    for point in whole:
        best.setdefault(" ".join(point.text.split()[:2]), point)
    found = vae.candidates(code, beams=10)
    assert 1 < len(found) < len(whole)
    assert [(p.text, p.distortion) for p in found] == [(text, p.distortion) for text, p in best.items()]


@torch.inference_mode()
def test_the_figures_of_a_candidate_are_those_of_its_sentence(vae, texts):
    code = vae.encode(texts[:2], refine=0).mean(0, keepdim=True)
    whole = [point for point in vae.candidates(code[0], beams=8) if len(vae.codec.encode(point.text)) < vae.length]
    assert len(whole) > 3
    for point in whole:
        tokens = vae.tokens([point.text])
        assert float(vae.model.distortion(tokens, code)) == pytest.approx(point.distortion, rel=1e-4)
        log_density = float(vae.model.posterior(tokens).log_prob(code))
        highest = float(vae.model.posterior(tokens).log_prob(vae.model.posterior(tokens).mean))
        assert highest - log_density == pytest.approx(point.drift**2 / 2, rel=1e-3)


# ----------------------------------------------------------------------------------------------------- samples


@pytest.mark.parametrize("beams", [0, 2])
def test_row_i_of_a_sample_is_the_same_for_any_number_of_rows(vae, beams):
    many = vae.sample(70, seed=4, beams=beams, best_of=1)
    assert len(many) == 70
    assert vae.sample(3, seed=4, beams=beams, best_of=1) == many[:3]
    assert vae.sample(70, seed=5, beams=beams, best_of=1) != many
    assert len(set(many)) > 5


def test_a_sample_by_beams_is_the_decoded_prior(vae):
    plain = {"beams": 3, "best_of": 1, "code_temperature": 1.0}
    assert vae.sample(3, seed=2, **plain) == vae.decode(vae.model.context(2, 0, 3), beams=3)
    near = vae.decode(0.5 * vae.model.context(2, 0, 3), beams=3)
    assert vae.sample(3, seed=2, **plain | {"code_temperature": 0.5}) == near != vae.sample(3, seed=2, **plain)
    assert len(set(vae.sample(9, code_temperature=0, how=Choice(temperature=0)))) == 1
    for options in ({"prompt": "the"}, {"how": Choice(temperature=0.5)}):
        assert "leave out the prompt, temperature" in lone(lambda options=options: vae.sample(2, beams=3, **options))


def test_a_sample_is_by_default_what_the_command_writes(vae):
    spelled = {"beams": 5, "best_of": 4, "code_temperature": 0.7}
    assert vae.sample(4, seed=6) == vae.sample(4, seed=6, **spelled)
    assert len(vae.sample()) == 8
    drawn = draw.draw(vae.opened, 4, seed=6)
    assert vae.sample(4, seed=6, beams=0) == drawn == vae.sample(4, seed=6, how=Choice())
    assert vae.sample(4, seed=6, prompt="the") == draw.draw(vae.opened, 4, seed=6, prompt="the")


def test_the_best_of_a_few_is_the_one_the_model_is_surest_of(vae):
    def nats(point):
        assert point.tokens == len(vae.codec.encode(point.text)) + 1
        return point.distortion / point.tokens

    points = [vae.candidates(code, beams=3)[0] for code in vae.model.context(2, 0, 12)]
    best = [min(points[row : row + 4], key=nats).text for row in (0, 4, 8)]
    assert vae.sample(3, seed=2, beams=3, best_of=4, code_temperature=1.0) == best
    assert vae.sample(2, seed=2, beams=3, best_of=4, code_temperature=1.0) == best[:2]


@torch.no_grad()
def test_the_best_of_a_few_drawn_is_the_surest(vae, toy_language_model):
    for opened in (vae.opened, library.open_model(toy_language_model)):
        texts = draw.draw(opened, 40, seed=3)
        tokens = [[*opened.codec.encode(text), opened.codec.stop] for text in texts]
        rows = torch.tensor([row + [opened.codec.pad] * (opened.length - len(row)) for row in tokens])
        nats = opened.model.backbone.nll(rows, opened.model.vocab.mask(rows), opened.model.context(3, 0, 40))
        each = nats / torch.tensor([len(row) for row in tokens])
        each[torch.tensor([not text for text in texts])] = math.inf
        best = draw.draw(opened, 10, seed=3, best_of=4)
        assert best == [texts[4 * row + int(each[4 * row : 4 * row + 4].argmin())] for row in range(10)]
        assert draw.draw(opened, 3, seed=3, best_of=4, first=2) == best[2:5]
        prompted = draw.draw(opened, 6, seed=3, prompt="the small")
        some = draw.draw(opened, 2, seed=3, prompt="the small", best_of=3)
        assert all(text in prompted[3 * row : 3 * row + 3] for row, text in enumerate(some))
        with pytest.raises(InputError, match="best_of=0: expected 1 to 1000"):
            draw.draw(opened, 1, best_of=0)
    assert vae.sample(10, seed=3, beams=0, best_of=4) == draw.draw(vae.opened, 10, seed=3, best_of=4)


def test_a_text_that_was_cut_off_is_the_best_only_where_all_are(vae):
    short = vae.opened._replace(length=5)
    texts = draw.draw(short, 24, seed=3)
    whole = [len(vae.codec.encode(text)) < 5 for text in texts]
    kept = draw.draw(short, 8, seed=3, best_of=3)
    assert any(whole) and not all(whole)
    for row, text in enumerate(kept):
        assert len(vae.codec.encode(text)) < 5 or not any(whole[3 * row : 3 * row + 3])


def test_an_empty_text_is_the_best_only_where_all_are():
    assert draw.best(["", "a b", "a", " ", ""], [0.0, 2.0, 1.0, 0.5, 0.1], 5) == ["a"]
    assert draw.best(["", "a", "", ""], [0.0, 2.0, 0.5, 0.1], 2) == ["a", ""]


def test_a_prompt_begins_every_sample_and_must_leave_room(vae):
    assert all(text.startswith("the small cat") for text in vae.sample(5, prompt="the small cat"))
    assert "the prompt has 50 tokens" in lone(lambda: vae.sample(2, prompt="cat " * 50))


def test_a_language_model_has_no_codes_but_samples(toy_language_model):
    said = lone(lambda: SentenceVAE.from_pretrained(toy_language_model))
    assert "a lm has no codes; interpolate, reconstruct, encode and decode need a vae or an autoencoder" in said
    opened = library.open_model(toy_language_model)
    texts = draw.draw(opened, 128, seed=1)
    assert texts[:2] == draw.draw(opened, 2, seed=1)
    assert texts[64:] != texts[:64]  # though they are drawn 64 at a time


# ----------------------------------------------------------------------------------------------------- sharing


def test_a_saved_model_is_the_same_model(vae, texts, tmp_path):
    folder = vae.save_pretrained(tmp_path / "mine")
    again = SentenceVAE.from_pretrained(str(folder))
    assert torch.equal(again.encode(texts), vae.encode(texts))
    assert str(again.interpolate(*texts[:2])) == str(vae.interpolate(*texts[:2]))
    assert again.sample(4, seed=3) == vae.sample(4, seed=3)
    card = (folder / "README.md").read_text()
    assert card.startswith("---\nlibrary_name: stroll\n")
    assert 'from_pretrained("mine")' in card
    half = SentenceVAE.from_pretrained(vae.save_pretrained(tmp_path / "half", half=True))
    torch.testing.assert_close(half.encode(texts), vae.encode(texts), rtol=0.02, atol=0.02)
    assert "exists already" in lone(lambda: vae.save_pretrained(folder))


def test_a_model_of_the_hub_is_opened_by_its_id(vae, texts, tmp_path, monkeypatch):
    folder, asked = vae.save_pretrained(tmp_path / "mine"), []

    def download(repo_id: str, allow_patterns: list[str]) -> str:
        asked.append((repo_id, sorted(allow_patterns)))
        return str(folder)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    found = SentenceVAE.from_pretrained("owner/na.me-1")
    assert torch.equal(found.encode(texts), vae.encode(texts))
    files = ["README.md", "codec.json", "config.json", "manifest.json", "model.safetensors"]
    assert asked == [("owner/na.me-1", files)]
    assert sorted(path.name for path in folder.iterdir()) == files


@pytest.mark.parametrize("kind", ["offline", "not there", "network"])
def test_a_download_that_fails_is_one_line(monkeypatch, kind):
    def download(*arguments: object, **options: object) -> str:
        if kind == "not there":
            answer = SimpleNamespace(headers={}, request=None, status_code=404)
            raise HfHubHTTPError("404 Client Error.\n\nRepository Not Found\nfor url: x.", response=answer)
        raise LocalEntryNotFoundError("no\nnetwork") if kind == "offline" else ConnectionError("no route")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    said = lone(lambda: SentenceVAE.from_pretrained("owner/name"))
    assert said.startswith("no folder 'owner/name' here, and the Hugging Face hub did not give it: ")


@pytest.mark.parametrize("name", ["a--b/c", "owner/name-", "-owner/name", "owner/..", "a/b/c", "../x/y", "owner/na me"])
def test_a_name_that_the_hub_cannot_have_is_one_line_without_the_network(monkeypatch, tmp_path, name):
    monkeypatch.chdir(tmp_path)
    assert lone(lambda: SentenceVAE.from_pretrained(name)).startswith("no ")


def test_a_misspelt_shipped_name_gets_the_nearest(monkeypatch):
    monkeypatch.setattr(library, "shipped", lambda: ["english-fiction", "poems"])
    said = lone(lambda: SentenceVAE.from_pretrained("english-ficton"))
    assert said.startswith("no model 'english-ficton': did you mean 'english-fiction'? ")
    assert said.endswith("or a model that ships: english-fiction, poems")


def test_a_file_is_no_model(toy_run):
    assert "is a file; a model is a folder, a run or a name" in lone(
        lambda: SentenceVAE.from_pretrained(toy_run / "recipe.json")
    )


def test_pushing_uploads_a_whole_model_folder(vae, texts, monkeypatch):
    calls: list[tuple[str, ...]] = []
    folders: list[Path] = []

    class Api:
        def create_repo(self, repo_id: str, *, private: bool, exist_ok: bool) -> None:
            calls.append(("create", repo_id, f"{private=}", f"{exist_ok=}"))

        def upload_folder(self, *, repo_id: str, folder_path: str) -> str:
            calls.append(("upload", repo_id))
            folders.append(Path(folder_path))
            assert torch.equal(SentenceVAE.from_pretrained(folder_path).encode(texts), vae.encode(texts))
            return f"https://huggingface.co/{repo_id}"

    monkeypatch.setattr(huggingface_hub, "HfApi", Api)
    assert vae.push_to_hub("owner/name", private=True) == "https://huggingface.co/owner/name"
    assert calls == [("create", "owner/name", "private=True", "exist_ok=True"), ("upload", "owner/name")]
    assert not folders[0].exists()


# ------------------------------------------------------------------------------------------------- refined codes


def test_refined_codes_give_more_sentences_back_and_stay_where_the_posterior_is():
    vae = SentenceVAE.from_pretrained("english-fiction")
    texts = [f"{who} {did} the {what}." for who in ("he", "sylvia") for did in ("opened", "admired", "had sold")
             for what in ("door", "old gentleman", "gooseberries")]  # fmt: skip
    means, codes = vae.encode(texts, refine=0), vae.encode(texts)
    before, after = ([a == b for a, b in zip(texts, vae.decode(z, beams=1), strict=True)] for z in (means, codes))
    assert 0 < sum(before) < sum(after)
    moved = (codes != means).any(1).tolist()
    assert moved == [not same for same in before], "a code that gives its sentence back is left alone"
    deviations = vae.model.posterior(vae.tokens(texts)).stddev.detach()
    few, most = (((z - means) / deviations).norm(dim=1) for z in (vae.encode(texts, refine=10), codes))
    assert float(few.max()) < 1.5 * vae.latent**0.5
    assert float(most.mean()) < vae.latent**0.5, "on average nearer than a draw from the posterior"
    assert float(most.max()) < 2 * vae.latent**0.5
    assert all(weight.grad is None for weight in vae.model.parameters())


def test_refining_is_the_same_every_time_and_for_each_sentence_alone(vae, toy_corpus):
    rows = Corpus.open(toy_corpus).rows("valid")
    texts = [rows.text(row) for row in range(12)]
    codes = vae.encode(texts, refine=5)
    assert torch.equal(vae.encode(texts, refine=5), codes)
    for row in (0, 7):
        torch.testing.assert_close(vae.encode([texts[row]], refine=5)[0], codes[row], atol=1e-3, rtol=1e-3)
    with torch.inference_mode():
        assert torch.equal(vae.encode(texts, refine=5), codes)


def test_a_plain_autoencoder_is_not_refined(toy_autoencoder):
    vae = SentenceVAE.from_pretrained(toy_autoencoder)
    assert torch.equal(vae.encode("the cat sees a dog"), vae.encode("the cat sees a dog", refine=0))


def test_refining_needs_a_number_of_steps(vae):
    with pytest.raises(InputError, match="refine=-1: expected 0 to 1000 steps"):
        vae.encode(["the cat"], refine=-1)
