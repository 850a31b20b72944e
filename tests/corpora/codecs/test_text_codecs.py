"""Laws of every codec, and what is refused."""

from __future__ import annotations

import base64
import json

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from corpora import codec as codecs
from corpora.codec import Config, from_dict, train
from corpora.errors import InputError
from corpora.row import clean, near_key
from corpora.texts import white

ENGLISH = ["The small cat sat on the mat.", "a dog saw the red bird", "Ünïcödé naïve café", "the the the <unk> N"] * 5
CHINESE = ["我喜欢吃苹果", "今天天气很好", "床前明月光,疑是地上霜。", "古池や 蛙飛び込む 水の音"]
KINDS = codecs.names("text")


def made(kind: str, **options: object) -> codecs.Codec:
    return train(ENGLISH + CHINESE, Config(codec=kind, **options))


CODECS = {
    (kind, lower, way): made(kind, lower=lower, white_space=way)
    for kind in KINDS
    for lower in (False, True)
    for way in white.WAYS
    if (kind, way) != ("words", "keep")
}
anything = st.text(st.characters(exclude_categories=()), max_size=60) | st.text(
    st.sampled_from("the cat <pad></s>▁ \u200d\ufffd\u0301e\n\n\r\t")
)
every_codec = pytest.mark.parametrize(
    "codec", CODECS.values(), ids=lambda c: f"{c.name}{'-lower' * c.lower}-{c.white_space}"
)
odd = [
    "",
    " ",
    "▁",
    "a ▁b",
    "<s>",
    "</s>",
    "<pad>",
    "<unk>",
    "<0x41>",
    "👨\u200d👩\u200d👧",
    "  a   b ",
    "\ud800",
    "e\u0301",
    "a\x00b",
    "e\x00\u0301",
    "İstanbul ΣΑΣ",
    "\ufeffx",
    "\u3000全角",
    "tab\there",
    "\u2028line",
    "\uffff",
    "ﬁ",
    " ⁇ ",
    "a\n b \n\nc\n",
    "\tif x:\n\t\treturn  1\n",
    "\n\n a\r\nb\rc ",
]


@every_codec
@given(text=anything)
@settings(deadline=None, max_examples=60)
def test_decoding_what_was_encoded_gives_the_normal_form(codec, text):
    tokens = codec.encode(text)
    normal = codec.normalise(text)
    assert codec.decode(tokens) == normal
    assert codec.normalise(normal) == normal
    assert codec.encode(normal) == tokens
    assert all(2 <= token < codec.vocab_size for token in tokens)


@every_codec
@pytest.mark.parametrize("text", odd)
def test_odd_texts_round_trip(codec, text):
    assert codec.decode(codec.encode(text)) == codec.normalise(text)


@every_codec
def test_many_are_encoded_as_one_by_one(codec):
    texts = [*ENGLISH, *CHINESE, *odd]
    assert codec.encode_many(texts) == [codec.encode(text) for text in texts]
    assert codec.encode_many([]) == []


@every_codec
@given(data=st.data())
@settings(deadline=None, max_examples=40)
def test_any_tokens_decode(codec, data):
    tokens = data.draw(st.lists(st.integers(0, codec.vocab_size - 1), max_size=30))
    text = codec.decode(tokens)
    assert isinstance(text, str)
    text.encode()  # no halves of surrogate pairs
    assert codec.decode([*tokens, codec.stop, 5, 6]) == text
    assert codec.decode([codec.pad, *tokens, codec.pad]) == text


@every_codec
def test_a_codec_survives_json(codec):
    again = from_dict(json.loads(json.dumps(codec.to_dict())))
    assert again.to_dict() == codec.to_dict()
    assert again.encode_many(ENGLISH + CHINESE) == codec.encode_many(ENGLISH + CHINESE)
    assert (codec.pad, codec.stop, codec.blank) == (0, 1, 2)


def test_ordinary_text_is_kept_to_the_letter():
    for kind in KINDS:
        for text in ("The small cat sat on the mat.", "我喜欢吃苹果"):
            assert made(kind).normalise(text) == text


@pytest.mark.parametrize("kind", KINDS)
def test_a_line_end_is_a_token(kind):
    poem = "The small cat\nsat on the mat.\n\na dog"
    codec = train([*ENGLISH, poem], Config(codec=kind, white_space="lines"))
    (end,) = {*codec.encode("the\ncat")} & {*codec.encode("a\na")} - {*codec.encode("the a cat")}
    assert codec.encode(poem).count(end) == 3
    assert end not in codec.fallback_tokens()
    assert codec.decode(codec.encode(poem)) == poem
    assert codec.normalise(" the  cat \r\n the\n") == "the cat\nthe" or kind in ("characters", "bytes")


def test_code_keeps_its_indents():
    code = "def f(x):\n    if x:\n\treturn  1\n    return x\n"
    for kind in ("pieces", "characters", "bytes"):
        codec = train([code] * 9, Config(codec=kind, white_space="keep", vocab=320))
        assert codec.decode(codec.encode(code)).strip("\n") == code.strip("\n")
    with pytest.raises(InputError, match="white_space=keep: words stand between white space"):
        Config(codec="words", white_space="keep")
    with pytest.raises(InputError, match="the codec's 'white_space' is 'odd'"):
        from_dict({**made("bytes").to_dict(), "white_space": "odd"})


def test_what_is_blank():
    assert made("words").decode([2]) == "<unk>"
    assert made("characters").decode([2]) == "\ufffd"
    assert made("pieces").decode([2]) == made("bytes").decode([2]) == ""
    words = made("words")
    assert words.encode("<unk> zebra") == [2, 2]
    assert words.encode("<pad> </s>") == [2, 2]  # never the special tokens


@given(text=anything)
@example("e\x00\u0301")
@settings(deadline=None)
def test_cleaning_is_done_in_one_go(text):
    once = clean(text)
    assert clean(once) == once
    assert once == once.strip()
    assert "\n" not in once
    assert "  " not in once


@given(text=anything)
@settings(deadline=None)
def test_keys_ignore_case_spaces_and_punctuation(text):
    key = near_key(clean(text))
    if any(c.isalnum() for c in key):
        assert near_key(clean(text) + " !?.,") == key


def test_near_duplicates_share_a_key():
    assert near_key("Great food, 20 stars!") == near_key("great FOOD 35 stars") == "greatfood00stars"
    assert near_key("今天天气很好。") == near_key("今天天气很好") == "今天天气很好"
    assert near_key("!!!") == "!!!"
    assert near_key("STRASSE") == near_key("straße")
    assert near_key("Caf\u00e9 5") == near_key("cafe\u0301 6") == "café0"


def test_training_twice_gives_the_same_codec():
    for kind in KINDS:
        assert made(kind).to_dict() == made(kind).to_dict()


@pytest.mark.parametrize(
    "texts", [["a"], ["我喜欢"], ["古池や", "蛙"], ["👨\u200d👩\u200d👧"], ["x" * 5000], ["a b", "▁"]]
)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("model_type", ["auto", "unigram", "bpe"])
def test_tiny_texts_make_a_codec(texts, kind, model_type):
    codec = train(texts, Config(codec=kind, model_type=model_type))
    assert codec.decode(codec.encode(texts[0])) == codec.normalise(texts[0]) == texts[0]


def test_a_text_too_small_for_the_vocabulary_is_said():
    codec = made("pieces")
    assert codec.vocab_size < 8000
    assert "vocab=8,000 was asked for; this text supports" in codec.notes[0]
    assert "bpe pieces (model_type=unigram keeps unigram)" in codec.notes[0]
    assert codec.encode("the small cat") == codec.encode("the") + codec.encode("small") + codec.encode("cat")


def test_vocabulary_file(tmp_path):
    path = tmp_path / "v.txt"
    path.write_text("<unk>\nthe 17\ncat\n\ncat\n")
    codec = train([], Config(codec="words", vocab_file=str(path)))
    assert codec.encode("the cat sat") == [3, 4, 2]
    path.write_bytes(b"ok\n\xff\n")
    with pytest.raises(InputError, match=r"v\.txt: byte 3: not UTF-8"):
        train([], Config(codec="words", vocab_file=str(path)))
    path.write_text("<pad>\n")
    with pytest.raises(InputError, match=r"no word in this vocabulary file"):
        train([], Config(codec="words", vocab_file=str(path)))


def test_the_vocabulary_holds_the_most_frequent():
    codec = train(["b a a c c c"], Config(codec="words", vocab=5))
    assert codec.normalise("a b c") == "a <unk> c"
    codec = train(["baaccc"], Config(codec="characters", vocab=5))
    assert codec.normalise("abc") == "a\ufffdc"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"codec": "pices"}, "no codec 'pices': did you mean 'pieces'"),
        ({"model_type": "word"}, "no model_type 'word'"),
        ({"vocab": 3}, "vocab=3: expected 4 to 1,000,000 tokens"),
        ({"vocab": 1_000_001}, "expected 4 to 1,000,000 tokens"),
        ({"coverage": 1.5}, "coverage=1.5: expected 0.5 to 1"),
        ({"vocab_file": "x"}, "only codec=words reads a vocabulary file"),
        ({"codec": "words", "vocab_file": "/no/such"}, "/no/such: no such file"),
        ({"vocab": 100}, "vocab=100 is too small for this text: it needs at least"),
    ],
)
def test_settings_that_cannot_work(options, message):
    with pytest.raises(InputError) as caught:
        train(ENGLISH, Config(**options))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", ["pieces", "words", "characters"])
def test_nothing_to_train_on(kind):
    with pytest.raises(InputError, match=r"there (is no text|are no)"):
        train([], Config(codec=kind))


GOOD = {kind: made(kind).to_dict() for kind in KINDS}


@pytest.mark.parametrize(
    "data",
    [
        None, [], "pieces", {}, {"codec": "pickle"}, {"codec": 3},
        {**GOOD["pieces"], "vocab_size": 7}, {**GOOD["pieces"], "vocab_size": True},
        {**GOOD["pieces"], "vocab_size": 10**9},
        {**GOOD["pieces"], "model": "!!"}, {**GOOD["pieces"], "model": ""}, {**GOOD["pieces"], "model": 5},
        {**GOOD["pieces"], "model": base64.b64encode(b"\x00\xff" * 50).decode()},
        {**GOOD["pieces"], "model": GOOD["pieces"]["model"][:400]},
        {**GOOD["pieces"], "lower": "yes"}, {**GOOD["pieces"], "notes": "x"}, {**GOOD["bytes"], "vocab_size": 300},
        {**GOOD["words"], "words": ["a", "a"], "vocab_size": 5}, {**GOOD["words"], "words": ["a b"], "vocab_size": 4},
        {**GOOD["words"], "words": ["<pad>"], "vocab_size": 4}, {**GOOD["words"], "words": ["\ud800"], "vocab_size": 4},
        {**GOOD["words"], "words": [""], "vocab_size": 4}, {**GOOD["words"], "words": [1], "vocab_size": 4},
        {**GOOD["characters"], "characters": ["ab"], "vocab_size": 4},
        {**GOOD["characters"], "characters": ["\ufffd"], "vocab_size": 4},
    ],
)  # fmt: skip
def test_a_malformed_codec_is_refused(data):
    with pytest.raises(InputError) as caught:
        from_dict(data)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 300


@given(position=st.integers(0, 5000), byte=st.integers(0, 255))
@settings(deadline=None, max_examples=150)
def test_a_damaged_model_is_refused_or_works(position, byte):
    model = bytearray(base64.b64decode(GOOD["pieces"]["model"]))
    model[position % len(model)] = byte
    try:
        codec = from_dict({**GOOD["pieces"], "model": base64.b64encode(bytes(model)).decode()})
    except InputError:
        return
    assert isinstance(codec.decode(codec.encode("the cat")), str)


def test_a_token_outside_the_vocabulary():
    with pytest.raises(InputError, match="token 259 is outside the vocabulary of 259"):
        made("bytes").decode([259])
