"""Laws of walks through fluent sentences, and of what counts as fluent."""

from __future__ import annotations

import math
from itertools import combinations, pairwise

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from corpora import Corpus
from corpora.errors import InputError
from textgen import verbs
from textgen.core.sampler import Choice
from textgen.sentences import defaults, draw, fluent, refine
from textgen.sentences.sentence_vae import SentenceVAE
from textgen.sentences.units import difference
from textgen.sentences.walk import Point, differences

WORDS = st.lists(st.sampled_from(["a", "dog", "ate", "it", "\u6625", "nows"]), max_size=5).map(" ".join)


@pytest.fixture(scope="module")
def vae(faded_run) -> SentenceVAE:
    return SentenceVAE.from_pretrained(faded_run)


@pytest.fixture(scope="module")
def texts(toy_corpus) -> list[str]:
    rows = Corpus.open(toy_corpus).rows("test")
    return list(dict.fromkeys(rows.text(row) for row in range(24)))


@given(st.lists(st.one_of(WORDS, st.text(max_size=6)), max_size=6))
def test_differences_are_those_of_any_two(texts):
    expected = [[difference(one, other) for other in texts] for one in texts]
    np.testing.assert_allclose(differences(texts), np.array(expected).reshape(len(texts), len(texts)))


# ------------------------------------------------------------------------------------------------------ fluency


def test_fluency_is_the_log_likelihood_without_a_code_less_that_of_the_tokens_alone(vae, texts):
    tokens = vae.tokens(texts[:5])
    logs = vae.fluency._logs
    assert float(logs.double().exp().sum()) == pytest.approx(1, abs=1e-4)
    model = vae.model
    with torch.inference_mode():
        logits = model.backbone(tokens, torch.zeros(5, vae.latent))
        logits[:, :, [model.vocab.pad, model.vocab.blank]] = -torch.inf
        steps = logits.log_softmax(-1).gather(2, tokens[..., None])[..., 0]
    for row in range(5):
        places = [place for place, token in enumerate(tokens[row].tolist()) if token != model.vocab.pad]
        slor = sum(float(steps[row, place] - logs[tokens[row, place]]) for place in places) / len(places)
        assert float(vae.fluency(tokens)[row]) == pytest.approx(slor, abs=1e-4)


def test_a_sentence_is_more_fluent_than_its_words_in_another_order(vae, texts):
    orders = np.random.default_rng(0)
    shuffled = [" ".join(orders.permutation(text.split())) for text in texts]
    gains = vae.fluency(vae.tokens(texts)) - vae.fluency(vae.tokens(shuffled))
    assert float(gains.mean()) > 3 * float(gains.std()) / math.sqrt(len(texts)) > 0


# -------------------------------------------------------------------------------------------------------- codes


def test_codes_leave_the_refined_end_for_the_line_of_the_means():
    ends = fluent.Ends(torch.tensor([[0.0, 0.0], [4.0, 0.0]]), torch.tensor([[0.0, 8.0], [4.0, 8.0]]))
    codes = fluent.codes(ends, 39)  # at 1/40, 2/40, ...: trust 0, -0.3, 0.3, 0, ...
    assert codes.shape == (39, 2)
    middle = codes[18:21]  # 19/40, 20/40, 21/40: trust 0, -0.3, 0.3
    expected = torch.tensor([[1.9, 0.0], [2.0 * 0.7, 0.0], [2.1, 8 * 0.3 * (21 / 40) + 8 * 0.3 * (19 / 40)]])
    torch.testing.assert_close(middle, expected)
    assert float(codes[0, 1]) == pytest.approx(8 * 0.9)
    assert float(codes[-1, 1]) == pytest.approx(8 * (0.9 + 0.3 / 40))  # what is kept of the other end, too
    assert fluent.codes(ends, 1).shape == (1, 2)


# ------------------------------------------------------------------------------------------------------- choice


def node(text: str, position: float, fluency: float = 0.0, distortion: float = 1.0) -> fluent.Candidate:
    return fluent.Candidate(Point(position, text, distortion, 0.0), fluency)


def cost(walk: list[Point], fluency: dict[str, float]) -> float:
    steps = 0.0
    for one, other in pairwise(walk):
        same = one.text == other.text
        even = fluent.EVEN * (other.position - one.position) ** 2
        steps += fluent.STAY if same else difference(one.text, other.text) ** fluent.STEP + even
    return steps - fluent.FLUENCY * sum(fluency.get(point.text, 0.0) for point in walk[1:])


@given(
    st.lists(st.tuples(WORDS.filter(str.strip), st.floats(0.01, 0.99), st.floats(0, 6)), max_size=5), st.integers(2, 5)
)
def test_a_walk_is_the_cheapest_of_all(several, steps):
    first, last = Point(0.0, "a dog ate", 1.0, 0.0), Point(1.0, "nows nows it it it", 1.0, 0.0)
    unique = {text: (text, place, score) for text, place, score in several if text not in (first.text, last.text)}
    nodes = [node(*one) for one in unique.values()]
    fluency = {one.point.text: one.fluency for one in nodes}
    walk = fluent.chosen(first, last, nodes, steps)
    assert (len(walk), walk[0], walk[-1]) == (steps, first, last)
    inside = sorted((one.point for one in nodes), key=lambda point: (point.position, point.text))
    best = math.inf
    for count in range(min(steps - 2, len(inside)) + 1):
        for some in combinations(inside, count):
            way = [first, *some, last]
            for stays in combinations(range(steps - 1), steps - 1 - (len(way) - 1)):  # which steps stay where they are
                points, place = [first], 0
                for step in range(steps - 1):
                    place += step not in stays
                    points.append(way[place])
                best = min(best, cost(points, fluency))
    assert cost(walk, fluency) == pytest.approx(best, abs=1e-9)


def test_no_sentence_is_further_from_an_end_than_the_ends_are_from_each_other():
    first, last = Point(0.0, "the cat is black", 1.0, 0.0), Point(1.0, "the cat is white", 1.0, 0.0)
    nodes = [node("a dog is red", 0.3, 9.0), node("the cat is red", 0.5), node("the hat is red", 0.7, 9.0)]
    walk = fluent.chosen(first, last, nodes, 4)
    assert {point.text for point in walk} == {"the cat is black", "the cat is red", "the cat is white"}
    assert [point.text for point in fluent.chosen(first, last, [], 4)].count("the cat is black") in (1, 2, 3)


def test_a_walk_of_any_number_of_points_takes_as_few_as_make_easy_steps():
    first, last = Point(0.0, "a b c d", 1.0, 0.0), Point(1.0, "w x y z", 1.0, 0.0)
    nodes = [node("a b y z", 0.5), node("a b c z", 0.25), node("a x y z", 0.75)]
    assert [point.text for point in fluent.chosen(first, last, nodes, None)] == ["a b c d", "a b y z", "w x y z"]
    assert [point.text for point in fluent.chosen(first, last, nodes[2:], None)] == ["a b c d", "a x y z", "w x y z"]
    assert [point.text for point in fluent.chosen(first, last, [], None)] == ["a b c d", "w x y z"]


# -------------------------------------------------------------------------------------------------------- walks


def test_a_walk_of_any_number_of_points_takes_no_sentence_twice():
    """A very fluent sentence pays for its repeats; they make no step any easier."""
    first, last = Point(0.0, "a b c d", 1.0, 0.0), Point(1.0, "w x y z", 1.0, 0.0)
    nodes = [node("a x y d", 0.4, 9.0), node("a b y d", 0.2), node("w x y d", 0.8)]
    assert [point.text for point in fluent.chosen(first, last, nodes, 5)].count("a x y d") > 1
    for some in (nodes, nodes[:1], nodes[::2]):
        texts = [point.text for point in fluent.chosen(first, last, some, None)]
        assert len(texts) == len(set(texts)) > 2


class Bounded:
    """A constraint that any sentence keeps, and that remembers how many rows it is asked about at once."""

    def __init__(self, size: int) -> None:
        self.size, self.rows = size, set()

    def allowed(self, tokens: torch.Tensor, left: int) -> torch.Tensor:
        self.rows.add(len(tokens))
        return torch.ones(self.size, dtype=torch.bool)


def test_ends_under_a_constraint_are_searched_with_all_beams(vae, texts):
    """The most probable token each time may lead where the constraint leaves none."""
    rule = Bounded(vae.model.vocab.size)
    vae.interpolate(texts[0], texts[1], steps=2, beams=3, constraint=rule)
    assert rule.rows == {2 * 3}


def test_no_pairs_are_no_walks_and_bad_numbers_are_refused(vae, texts):
    assert vae.walks([]) == []
    with pytest.raises(InputError, match="refine"):
        vae.interpolate(texts[0], texts[1], refine=-1)


@pytest.mark.parametrize("steps", [2, 3, 8, 17, None])
def test_a_fluent_walk_goes_from_one_end_to_the_other(vae, texts, steps):
    walk = vae.interpolate(texts[0], texts[1], steps=steps)
    assert walk.kind == "fluent" and (steps is None or len(walk) == steps)
    positions = [point.position for point in walk]
    assert positions[0] == 0 and positions[-1] == 1 and positions == sorted(positions)
    assert len(dict.fromkeys(point.text for point in walk)) == walk.distinct
    assert all(point.repeats == (point.text == before.text) for before, point in pairwise(walk))
    assert all(point.text and point.distortion >= 0 and point.drift >= 0 for point in walk)


def test_walks_are_what_each_would_be_by_itself(vae, texts):
    pairs = [(texts[0], texts[1]), (texts[2], texts[3]), (texts[1], texts[4])]
    together = vae.walks(pairs, steps=5)
    alone = [vae.interpolate(*pair, steps=5) for pair in pairs]
    assert [[point.text for point in walk] for walk in together] == [[point.text for point in walk] for walk in alone]


def test_ends_are_written_greedily_from_codes_refined_for_that(vae, texts):
    """Greedily is how refining asks whether a code gives its sentence back, so that more beams could only lose it."""
    rows = vae.codec.encode_many(texts[:6])
    refined = vae._encoded(rows, 40, pull=refine.LOOSE)
    greedy = vae.decode(refined, beams=1, rerank=False)
    walks = vae.walks(list(pairwise(texts[:6])), steps=3, refine=40)
    assert [walk[0].text for walk in walks] == greedy[:-1] and [walk[-1].text for walk in walks] == greedy[1:]
    assert [walk.start_exact for walk in walks] == [one == text for one, text in zip(greedy, texts[:5], strict=False)]


def test_candidates_of_a_walk_encode_where_they_say(vae, texts):
    means = vae.encode(texts[:2], refine=0)
    candidates = vae._near(fluent.Ends(means, means), 6, 3, None)
    assert candidates and all(math.isfinite(one.fluency) for one in candidates)
    way = means[1] - means[0]
    for one in candidates:
        code = vae.encode(one.point.text, refine=0)[0]
        assert float((code - means[0]) @ way / (way @ way)) == pytest.approx(one.point.position, abs=1e-4)


def test_without_reranking_fluency_does_not_count(vae, texts, monkeypatch):
    plain = vae.interpolate(texts[0], texts[1], steps=6, rerank=False)
    monkeypatch.setattr(fluent, "FLUENCY", 0.0)
    assert plain.to_dict() == vae.interpolate(texts[0], texts[1], steps=6).to_dict()


def test_a_model_that_is_no_language_model_too_walks_along_the_line(toy_run, texts):
    plain = SentenceVAE.from_pretrained(toy_run)
    assert plain.way() == ("line", 10)
    assert plain.interpolate(texts[0], texts[1], steps=3, beams=2).kind == "line"
    with pytest.raises(InputError, match=r"path fluent: the decoder of .* is no language model"):
        plain.interpolate(texts[0], texts[1], path="fluent")


def test_other_paths_are_there_still(vae, texts):
    assert vae.way() == ("fluent", 5) and vae.way("arc") == ("arc", 10) and vae.way("fluent", 2) == ("fluent", 2)
    assert vae.interpolate(texts[0], texts[1], path="line", steps=3, beams=2).kind == "line"
    with pytest.raises(InputError, match="choose from auto, fluent, line, arc"):
        vae.way("curve")


# ------------------------------------------------------------------------------------------------------ samples


def test_samples_are_the_most_fluent_of_a_few(vae):
    how, heat = Choice(temperature=defaults.FLUENT_TEMPERATURE), defaults.FLUENT_CODE_TEMPERATURE
    few = defaults.FLUENT_BEST_OF
    drawn = draw.draw(vae.opened, 2 * few, seed=5, how=how, code_temperature=heat)
    fluency = vae.fluency(vae.tokens(drawn)).tolist()
    best = [drawn[max(range(start, start + few), key=fluency.__getitem__)] for start in (0, few)]
    assert vae.sample(2, seed=5) == best
    assert vae.sample(1, seed=5) == best[:1]
    sampled = verbs.sample(2, model=vae.opened, seed=5)
    facts = {"beams": 0, "best_of": few, "code_temperature": heat, "temperature": how.temperature}
    assert sampled.sentences == best and sampled.drawn == facts


def test_samples_by_token_are_drawn_exactly_from_the_model(vae):
    assert vae.sample(4, seed=6, beams=0) == draw.draw(vae.opened, 4, seed=6)
    assert vae.sample(4, seed=6, prompt="the") == draw.draw(vae.opened, 4, seed=6, prompt="the")
