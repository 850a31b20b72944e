"""Running text cut into rows: sentences of many scripts, blocks, windows."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpora.errors import InputError
from corpora.texts import cut
from corpora.texts.cut import sentences
from corpora.texts.plain import Part


def rows(text: str, unit: str, window: int = 20, window_of: str = "characters") -> list[str]:
    parts = [Part(line) for line in text.split("\n")]
    return [row for row, _ in cut.rows(parts, "x.txt", unit, window, window_of)]


@pytest.mark.parametrize(
    "text",
    [
        "यह एक घर है। | वह बड़ा है। | क्या तुम आओगे? | हाँ।",  # danda
        "यह घर है॥ | वह बड़ा है॥",  # double danda
        "آپ کیسے ہیں؟ | میں ٹھیک ہوں۔ | شکریہ۔",  # Urdu
        "كيف حالك؟ | أنا بخير. | شكرا.",  # Arabic
        "ខ្ញុំទៅ។ | គាត់មក។",  # Khmer
        "မင်္ဂလာပါ။ | နေကောင်းလား။",  # Burmese
        "Բարեւ։ | Ինչպես ես։",  # Armenian
        "ሰላም ነው። | እንዴት ነህ፧ | ደህና።",  # Ethiopic
        "ᠮᠣᠩᠭᠣᠯ᠃ | ᠬᠡᠯᠡ᠃",  # Mongolian
        "Привет, мир. | Как дела? | Хорошо!",
        "i went home. | it was late. | nobody came. | we left.",
        "привет. | как дела? | хорошо.",
        "mr. smith went home at 3.5 p.m. and slept. | e.g. this, too. | and you and i. | then?",
        "Mr. Smith met J. R. R. Tolkien. | He said e.g. this. | 'Yes!' she said.",
        "А. С. Пушкин писал. | И мы читали.",
        "Really?! | Yes… | «Oui ! » | Bon.",
        "What‽ | No⁈ | Yes.",
    ],
)
def test_sentences_of_many_scripts(text):
    assert sentences(text.replace(" | ", " ")) == text.split(" | ")


def test_stops_that_need_no_space():
    assert sentences("他来了。她走了！「好。」他说。") == ["他来了。", "她走了！", "「好。」", "他说。"]


def test_text_without_capitals_is_told_from_text_with_them():
    assert sentences("He came. and went.") == ["He came. and went."]
    assert sentences("he came. and went.") == ["he came.", "and went."]


def test_blocks():
    text = "\na b\n c\n \nd\n\n"
    assert rows(text, "paragraph") == ["a b c", "d"]
    assert rows(text, "stanza") == ["a b / c", "d"]
    assert rows(text, "poem") == ["a b\n c", "d"]
    assert rows(text, "file") == ["a b\n c\n \nd"]
    assert rows("one.\nTwo is\nlong. Three.\nend", "sentence") == ["one.", "Two is long.", "Three.", "end"]


def test_windows():
    assert rows("the quick brown fox jumps over the dog", "window") == ["the quick brown fox", "jumps over the dog"]
    assert rows("the quick\nbrown fox jumps\nover", "window") == ["the quick\nbrown fox", "jumps\nover"]
    assert rows("abcdefgh" * 5, "window") == ["abcdefgh" * 2 + "abcd", "efgh" + "abcdefgh" * 2]
    assert rows("the quick\nbrown fox jumps", "window", 3, "words") == ["the quick\nbrown", "fox jumps"]
    assert rows(" \n\n ", "window") == rows("", "window", 3, "words") == []
    accents = "e\u0301" * 30
    assert all(not row.startswith("\u0301") for row in rows(accents, "window", 7))


@given(
    text=st.text(st.sampled_from("ab cé \u0301\n。.我")),
    size=st.integers(1, 30),
    of=st.sampled_from(["characters", "words"]),
    cuts=st.lists(st.integers(0, 50)),
)
@settings(deadline=None)
def test_windows_keep_every_word_and_are_no_longer_than_asked(text, size, of, cuts):
    parts, lines = [], text.split("\n")
    for line in lines:  # long lines come in parts, which must make no difference
        places = sorted({min(cut, len(line)) for cut in cuts} - {0, len(line)})
        ends = [*places, len(line)]
        parts += [Part(line[a:b], None, b == len(line)) for a, b in zip([0, *places], ends, strict=True)]
    whole = [Part(line) for line in lines]
    windows = [row for row, _ in cut.rows(parts, "x", "window", size, of)]
    assert windows == [row for row, _ in cut.rows(whole, "x", "window", size, of)]
    if of == "words":
        assert [word for row in windows for word in row.split()] == text.split()
        assert all(len(row.split()) <= size for row in windows)
    else:
        assert "".join("".join(windows).split()) == "".join(text.split())
        assert all(len(row) <= size for row in windows)


def test_a_row_without_an_end():
    long = "\n".join(["a" * 1000] * 1100)
    for unit, remedy in (("paragraph", "use unit=line"), ("poem", "use unit=line"), ("sentence", "or unit=window")):
        with pytest.raises(InputError, match=rf"x\.txt: (line \d+: )?.*over .*{remedy}"):
            rows(long, unit)
    with pytest.raises(InputError, match=r"x\.txt: over 1,048,576 characters in one row; use unit=line or unit=window"):
        rows(long, "file")
