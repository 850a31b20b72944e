"""Words held to a lexicon: which words it has, what may be spelled, and that whatever is written obeys."""

from __future__ import annotations

import json

import hypothesis
import pytest
import torch
from hypothesis import strategies as st

import small
from corpora import codec as codecs
from corpora import files
from corpora.build import build
from corpora.codec import WORD
from corpora.errors import InputError
from textgen import checkpoint, config, opening
from textgen.cli import main
from textgen.sentences import SentenceVAE, draw
from textgen.spelling import Spelling

TEXTS = [
    "the boat's crew didn't go to-morrow , he said .",
    "don't let the boats go to the other side , she said .",
    '"the other boats go down the river," said the crew.',
    "the river is wide , and the other side is far , far down the river .",
] * 3
CODEC = codecs.train(TEXTS, codecs.Config(vocab=330, model_type="unigram", lower=True))
KNOWN = {word for text in TEXTS for word in WORD.findall(text)}


def written(rule: Spelling, text: str, codec: codecs.TextCodec = CODEC) -> bool:
    """Whether a text may be written, token by token, its stop included."""
    tokens = [*codec.encode(text), codec.stop]
    return all(bool(rule.allowed(torch.tensor([tokens[:place]]), 99)[0, token]) for place, token in enumerate(tokens))


# --------------------------------------------------------------------------------------------------- the lexicon


def test_the_lexicon_holds_the_words_in_lower_case_with_apostrophes_between_letters():
    assert set(CODEC.lexicon) == KNOWN and {"boat's", "didn't", "to", "morrow"} <= KNOWN
    cased = codecs.train(["The Crew THE crew", "the crew"] * 3, codecs.Config(vocab=300))
    assert list(cased.lexicon) == ["crew", "the"]


def test_the_lexicon_keeps_the_most_frequent_and_can_be_left_out():
    some = codecs.train(TEXTS, codecs.Config(vocab=330, model_type="unigram", lexicon=2))
    assert list(some.lexicon) == ["go", "the"]
    none = codecs.train(TEXTS, codecs.Config(vocab=330, model_type="unigram", lexicon=0))
    assert not none.lexicon and "lexicon" not in none.to_dict()


@pytest.mark.parametrize("texts", [["床前明月光疑是地上霜", "举头望明月低头思故乡"], ["every word here stands once"]])
def test_text_whose_words_do_not_come_again_has_no_lexicon(texts):
    assert not codecs.train(texts, codecs.Config(vocab=300)).lexicon


def test_a_codec_keeps_its_lexicon_and_gains_the_words_of_another_text():
    data = CODEC.to_dict()
    assert codecs.from_dict(data).to_dict() == data
    more = CODEC.learned(["Haddersin saw the crew", "the crew saw haddersin"])
    assert set(more.lexicon) == KNOWN | {"haddersin", "saw"} and set(CODEC.lexicon) == KNOWN
    assert codecs.alike(more.to_dict(), data) and not codecs.alike({**data, "lower": False}, data)
    with pytest.raises(InputError, match="lexicon"):
        codecs.from_dict({**data, "lexicon": [3]})


def test_a_corpus_with_the_codec_of_another_knows_its_own_words_too(tmp_path):
    texts = {"a": TEXTS[:4] * 2, "b": ["haddersin said the crew"] * 4}
    for name, words in (("a", {"vocab": "330"}), ("b", {"codec_from": str(tmp_path / "a")})):
        lines = [f"{text} {'.' * number}" for number, text in enumerate(texts[name])]
        (tmp_path / f"{name}.txt").write_text("\n".join(lines))
        build(
            [str(tmp_path / f"{name}.txt")],
            tmp_path / name,
            words={"valid_share": "0", "test_share": "0", "keep_duplicates": "true", **words},
        )
    first, second = codecs.read(tmp_path / "a"), codecs.read(tmp_path / "b")
    assert set(second.lexicon) == {*first.lexicon, "haddersin"} and codecs.alike(first.to_dict(), second.to_dict())


# --------------------------------------------------------------------------------------------- what may be written


@pytest.mark.parametrize("text", TEXTS[:4])
def test_the_training_text_may_be_written(text):
    assert written(Spelling(CODEC), text)


@pytest.mark.parametrize(
    "text", ["the boatriver", "boa", "didn'", "didn", "the boat'", "tomorrow", "go to-mor .", "haddersin"]
)
def test_words_that_are_none_may_not(text):
    assert written(Spelling(CODEC), text) == (text == "the boat'" and "boat" in KNOWN)


@pytest.mark.parametrize(
    "text", ["go' go", "'river'", "12 boats 3", "crew...the", '"go,"crew', "the\u2014crew", "côte"]
)
def test_signs_digits_and_bytes_are_free_between_words(text):
    assert written(Spelling(CODEC, ["côte"]), text)


@hypothesis.given(st.text(max_size=30) | st.text(alphabet="ab'\u2019 -.,éİ\u0301", max_size=12))
def test_what_is_given_may_always_be_written(text):
    assert written(Spelling(CODEC, [text]), CODEC.normalise(text))


def test_both_ways_of_finding_what_may_follow_agree():
    rule = Spelling(CODEC)
    for begun in {word[:size] for word in KNOWN for size in range(len(word) + 1)}:
        whole = not begun or begun.rstrip("'") in KNOWN
        for token, text in enumerate(rule._pieces):
            allowed = rule._spells(begun + text) if token in rule._goes_on else whole and bool(rule._ends[token])
            assert bool(rule._find_after(begun)[token]) == allowed, (begun, text)


@pytest.mark.parametrize("codec", ["words", "characters", "bytes"])
def test_a_codec_without_a_lexicon_is_refused(codec):
    with pytest.raises(InputError, match=f"there is no lexicon to hold .* codec=pieces \\(this is {codec}\\)"):
        Spelling(codecs.train(TEXTS, codecs.Config(codec=codec)))


# ------------------------------------------------------------------------------------------------- whoever writes


def model(folder, codec):
    recipe = config.recipe("vae", small.settings("vae"))[0]
    torch.manual_seed(0)
    made = small.louder(config.build(recipe, opening.vocabulary(codec)))
    made.backbone.head.bias.data[codec.fallback_tokens()] = -99  # it would write little but bytes
    made.backbone.head.bias.data[codec.stop] = 1
    with files.new_folder(folder) as new:
        facts = {"recipe": recipe.to_dict(), "length": 25}
        checkpoint.write_model(new, facts, codec.to_dict(), checkpoint.weights(made))
        files.write_manifest(new, {"format": checkpoint.FORMAT})
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A model of pieces that has learned nothing: it spells anything."""
    return model(tmp_path_factory.mktemp("models") / "pieces", CODEC)


@pytest.fixture
def vae(folder) -> SentenceVAE:
    return SentenceVAE.from_pretrained(folder)


def unknown(lines: list[str], given: str = "") -> set[str]:
    """Words that are in no lexicon, save one begun that the greatest length may have cut off."""
    known = KNOWN.union(WORD.findall(given))
    begun = {word[:size] for word in known for size in range(len(word))}
    words = [(word, line.rstrip("'").endswith(word)) for line in lines for word in WORD.findall(line)]
    assert words
    return {word for word, last in words if word not in known and not (last and word in begun)}


PAIR = ("the crew saw haddersin", "go down the river")


def test_walks_grids_arithmetic_and_beams_write_known_words(vae):
    assert unknown(vae.decode(torch.randn(30, vae.latent, generator=torch.Generator().manual_seed(0)), beams=3))
    assert not unknown(vae.sample(30, beams=3))
    walks = [vae.interpolate(*PAIR, steps=steps, beams=3) for steps in (8, None)]
    lines = [point.text for walk in walks for point in walk]
    lines += vae.arithmetic(PAIR[0], [PAIR[1]], ["the other side"], strengths=[0, 1, 5])
    assert not unknown(lines, PAIR[0])
    assert not unknown([text for row in vae.vary("the other side", steps=4).texts for text in row])
    vae.new_words = True
    assert unknown(vae.sample(30, beams=3))


def test_walks_decoded_together_hold_the_words_of_their_own_sentences_alone(vae):
    pairs = [PAIR, ("the other side", "qopmet is far"), ("the river", "far down")]
    together = vae.walks(pairs, steps=4, beams=3, refine=0)
    assert [str(walk) for walk in together] == [
        str(vae.interpolate(*pair, steps=4, beams=3, refine=0)) for pair in pairs
    ]


def test_a_model_draws_what_it_likes_unless_it_is_held(vae):
    assert unknown(draw(vae.opened, 30))
    assert not unknown(draw(vae.opened, 30, constraint=Spelling(CODEC)))


def test_the_command_holds_words_or_not(folder, capsys):
    def lines(*words: str) -> list[str]:
        assert main([*words, "--model", str(folder), "--json"]) == 0
        found = json.loads(capsys.readouterr().out)
        return found["sentences"] if words[0] == "sample" else [pair["decoded"] for pair in found]

    sample = ["sample", "-n", "30"]
    assert not unknown(lines(*sample)) and unknown(lines(*sample, "--new-words"))
    assert unknown(lines(*sample, "--temperature", "1"))
    held = lines(*sample, "--temperature", "1", "--no-new-words", "--prompt", "hadder")
    assert all(line.startswith("hadder") for line in held) and not unknown(held, "hadder")
    again = ["reconstruct", "go to the other side .", "hadder said", "far far", "the side", "he said ,"]
    assert unknown(lines(*again)) and not unknown(lines(*again, "--no-new-words"), "hadder")


def test_the_command_says_when_there_is_no_lexicon(tmp_path, capsys):
    folder = model(tmp_path / "words", codecs.train(TEXTS, codecs.Config(codec="words")))
    assert main(["sample", "--model", str(folder), "--no-new-words"]) == 2
    assert capsys.readouterr().err.startswith("error: there is no lexicon to hold the words to: that needs a corpus")
