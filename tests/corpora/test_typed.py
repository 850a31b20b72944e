"""Sentences as they are typed, written as the corpus writes them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpora import InputError
from corpora.codec import Config, alike, from_dict, train
from corpora.texts.typed import Typed

CORPUS = [
    "I met Sam on Monday.",
    "We know that Sam is late.",
    '"Come in," she said, "and sit down."',
    "It is true that I like it.",
    *["What is your name?", "What are you doing?"] * 15,
    *["The door is open.", "The cat sleeps."] * 30,
]


@pytest.mark.parametrize(
    ("typed", "proper"),
    [
        ("i met sam on monday", "I met Sam on Monday."),
        ("what is sam doing", "What is Sam doing?"),
        ("the cat sleeps!", "The cat sleeps!"),
        ('"come in," she said', '"Come in," she said.'),
        ('she said, "come in."', 'She said, "come in."'),
        ("The cat sleeps", "The cat sleeps."),
        ("THE CAT", "THE CAT."),
        ("the cat,", "The cat,"),
        ("...", "..."),
        ("", ""),
    ],
)
def test_what_is_typed_is_written_as_the_corpus_does(typed, proper):
    assert Typed.learn(CORPUS).proper(typed) == proper


def test_a_corpus_without_capitals_or_marks_changes_nothing():
    assert Typed.learn([line.lower() for line in CORPUS]) == Typed()
    assert Typed.learn(["床前明月光", "疑是地上霜"]) == Typed()
    assert Typed().proper("i met sam") == "i met sam"
    unmarked = Typed.learn([line.rstrip(".?") for line in CORPUS])
    assert unmarked.proper("what is sam doing") == "What is Sam doing"


@given(st.sampled_from(CORPUS))
def test_what_the_corpus_writes_stays_as_it_is(line):
    assert Typed.learn(CORPUS).proper(line) == line


@given(st.text(max_size=40))
def test_a_proper_sentence_stays_proper_and_no_letter_is_lost(text):
    typed = Typed.learn(CORPUS)
    once = typed.proper(text)
    assert typed.proper(once) == once
    assert once.casefold().startswith(text.casefold()) or text != text.lower()


def test_a_codec_of_pieces_with_capitals_remembers_it():
    codec = train(CORPUS, Config(vocab=400))
    assert codec.typed == Typed.learn(CORPUS)
    again = from_dict(codec.to_dict())
    assert again.typed.proper("i met sam") == "I met Sam."
    assert alike(codec.to_dict(), {key: entry for key, entry in codec.to_dict().items() if key != "typed"})
    assert train(CORPUS, Config(vocab=400, lower=True)).typed == Typed()


@pytest.mark.parametrize(
    "wrong",
    [
        None,
        {"forms": {}},
        {"forms": {"sam": "Tom"}, "capital": True, "mark": ".", "asks": {}},
        {"forms": {"Sam": "Sam"}, "capital": True, "mark": ".", "asks": {}},
        {"forms": {}, "capital": 1, "mark": ".", "asks": {}},
        {"forms": {}, "capital": True, "mark": "x", "asks": {}},
        {"forms": {}, "capital": True, "mark": ".", "asks": {"what": "\x1b[31m"}},
    ],
)
def test_what_a_stranger_wrote_is_refused_in_one_line(wrong):
    with pytest.raises(InputError) as error:
        Typed.from_dict(wrong)
    assert "\n" not in str(error.value)
