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
from textgen.cli import main
from textgen.core import checkpoint, recipes, sampler
from textgen.runs import library
from textgen.sentences.draw import draw
from textgen.sentences.lexicon import Spelling
from textgen.sentences.sentence_vae import SentenceVAE

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
    for wrong in ([3], ["a b"], ["The"], [""], ["the", "the"], "the"):
        with pytest.raises(InputError, match="lexicon"):
            codecs.from_dict({**data, "lexicon": wrong})


def test_a_lexicon_gains_even_few_words_that_are_all_new_and_a_codec_without_one_gains_none():
    for texts, more in (([], set()), (["12 34"], set()), (["he saw anna", "a tin"], {"saw", "anna", "a", "tin"})):
        assert set(CODEC.learned(texts).lexicon) == KNOWN | more
    none = codecs.train(TEXTS, codecs.Config(vocab=330, model_type="unigram", lexicon=0))
    assert not none.learned(TEXTS).lexicon


def test_words_of_scripts_that_write_vowels_above_and_below_are_whole():
    assert WORD.findall("किताब और हिन्दी, café, cafe\u0301s") == ["किताब", "और", "हिन्दी", "café", "cafe\u0301s"]


def test_a_corpus_with_the_codec_of_another_knows_its_own_words_too(tmp_path):
    texts = {"a": TEXTS[:4] * 2, "b": ["haddersin said the crew"] * 4}
    for name, words in (("a", {"vocab": "330"}), ("b", {"codec_from": str(tmp_path / "a")})):
        lines = [f"{text} {'.' * number}" for number, text in enumerate(texts[name])]
        (tmp_path / f"{name}.txt").write_text("\n".join(lines))
        build(
            [str(tmp_path / f"{name}.txt")],
            tmp_path / name,
            settings={"valid_share": "0", "test_share": "0", "keep_duplicates": "true", **words},
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
    assert not written(Spelling(CODEC), text)


@pytest.mark.parametrize(
    "text", ["go' go", "'river'", "12 boats 3", "crew...the", '"go,"crew', "the\u2014crew", "côte"]
)
def test_signs_digits_and_bytes_are_free_between_words(text):
    assert written(Spelling(CODEC, ["côte"]), text)


@hypothesis.given(st.text(max_size=30) | st.text(alphabet="ab'\u2019 -.,éİ\u0301", max_size=12))
def test_what_is_given_may_always_be_written(text):
    assert written(Spelling(CODEC, [text]), CODEC.normalise(text))


@pytest.mark.parametrize("begun", ["", "s", "un", "don'", "don't", "feverish", "qu", "xylo"])
def test_what_may_follow_is_what_spells(begun):
    codec = codecs.read(library.shipped()["english-fiction"])
    rule, words = Spelling(codec), {*codec.lexicon}
    whole = not begun or begun.rstrip("'") in words
    for token, text in enumerate(rule._pieces):
        allowed = rule._spells(begun + text) if token in rule._goes_on else whole and bool(rule._ends[token])
        assert bool(rule._after(begun)[token]) == allowed, text
    assert begun == "xylo" or any(word.startswith(begun) for word in words)


def test_letters_that_have_a_piece_are_not_spelled_by_their_bytes():
    rule, begun = Spelling(CODEC), CODEC.encode("the")
    free = rule.allowed(torch.tensor([begun]), 9)[0]
    assert not free[3 + ord("e")] and free[3 + ord("!")] and free[3 + ord("z")], "z has no piece here"


def test_each_holds_every_group_of_rows_to_its_own():
    rules = [Spelling(CODEC, ["thego"]), Spelling(CODEC), Spelling(CODEC, ["hewe"])]
    rows = torch.tensor([CODEC.encode("the"), CODEC.encode("he")])
    both = torch.cat([rows] * 3)
    whole = torch.cat([rule.allowed(rows, 9) for rule in rules])
    assert torch.equal(sampler.Each(rules).allowed(both, 9), whole)
    assert not torch.equal(whole[:2], whole[2:4]) and not torch.equal(whole[2:4], whole[4:])


@pytest.mark.parametrize("codec", ["words", "characters", "bytes"])
def test_a_codec_without_a_lexicon_is_refused(codec):
    with pytest.raises(InputError, match=f"there is no lexicon to hold .* codec=pieces \\(this is {codec}\\)"):
        Spelling(codecs.train(TEXTS, codecs.Config(codec=codec)))


# ------------------------------------------------------------------------------------------------- whoever writes


def model(folder, codec):
    recipe = recipes.compose("vae", small.settings("vae"))[0]
    torch.manual_seed(0)
    made = small.louder(recipes.build(recipe, library.vocabulary(codec)))
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
    """Words that are in no lexicon, save one begun in a line so long that the greatest length may have cut it off."""
    known = KNOWN.union(WORD.findall(given))
    begun = {word[:size] for word in known for size in range(len(word))}
    words = [
        (word, line.rstrip("'").endswith(word) and len(line) >= CUT) for line in lines for word in WORD.findall(line)
    ]
    assert words
    return {word for word, last in words if word not in known and not (last and word in begun)}


CUT = 24  # tokens that a row has room for beside its stop, each a character at least
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


def test_what_is_given_is_held_to_beside_the_lexicon(vae):
    wanted = [CODEC.encode("qopmet"), CODEC.encode("the qopmet")]
    for row in wanted:
        places = range(len(row))
        one, none = (vae._held(None, given) for given in (["a qopmet is far"], []))
        ways = [[bool(rule.allowed(torch.tensor([row[:at]]), 9)[0, row[at]]) for at in places] for rule in (one, none)]
        assert all(ways[0]) and not all(ways[1])
    rule = Spelling(CODEC)
    assert vae._held(rule, ["x"]) is rule
    seen = []
    vae._held = lambda constraint, given=(): seen.append(list(given))
    vae.arithmetic("the", ["he"], ["go"])
    vae.vary("the river")
    vae.interpolate("the", "go", steps=2, refine=0)
    vae.interpolate("the", "go", steps=None, refine=0)
    vae.sample(1, beams=2)
    assert seen == [["the", "he", "go"], ["the river"], ["the", "go"], ["the", "go"], []]


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


def test_words_and_verse_are_not_held_together(folder, capsys):
    assert main(["sample", "--model", str(folder), "--no-new-words", "--length", "5"]) == 2
    said = "error: --no-new-words and --length are for different models: leave one of them out\n"
    assert capsys.readouterr().err == said
