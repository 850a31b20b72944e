"""Length, tones and rhyme of Chinese verse: what they mean, and that whatever is decoded obeys them."""

from __future__ import annotations

import json

import pytest
import torch

import small
from corpora import codec as codecs
from corpora import files
from corpora.errors import InputError
from textgen.cli import main
from textgen.core import checkpoint, recipes
from textgen.runs import library
from textgen.sentences.sentence_vae import SentenceVAE
from textgen.sentences.verse import RHYMES, Verse, readings, rhyme_of

LINES = ["床前明月光", "疑是地上霜", "举头望明月", "低头思故乡", "白日依山尽", "黄河入海流"]
LINES += ["欲穷千里目", "更上一层楼", "春眠不觉晓", "处处闻啼鸟"]
CODEC = codecs.train([*LINES, "，的"], codecs.Config(codec="characters", vocab=100))
LONGEST = 7


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A model of characters that has learned nothing: rules hold all the same."""
    recipe = recipes.compose("vae", small.settings("vae"))[0]
    torch.manual_seed(0)
    made = small.louder(recipes.build(recipe, library.vocabulary(CODEC)))
    target = tmp_path_factory.mktemp("models") / "verse"
    with files.new_folder(target) as new:
        facts = {"recipe": recipe.to_dict(), "length": LONGEST + 1}
        checkpoint.write_model(new, facts, CODEC.to_dict(), checkpoint.weights(made))
        files.write_manifest(new, {"format": checkpoint.FORMAT})
    return target


@pytest.fixture(scope="module")
def vae(folder) -> SentenceVAE:
    return SentenceVAE.from_pretrained(folder)


def tones(character: str) -> str:
    return "".join(tone for tone, _ in readings(character))


def rhymes(character: str) -> set[int | None]:
    return {rhyme for _, rhyme in readings(character)}


# ------------------------------------------------------------------------------------------------------ sounds


def test_readings_are_those_of_modern_mandarin():
    assert readings("霜") == (("1", rhyme_of("uang")),)
    assert [tone for tone, _ in readings("长")] == ["3", "2"]
    assert readings("，") == readings("a") == readings("") == ()


SAME = "光霜乡郎 花家瓜 歌多波 月接 来怀 飞回 高桥 楼流 山天寒泉 人心春云 风青红穷 衣儿鱼 诗迟思日 书湖"


@pytest.mark.parametrize("same", SAME.split())
def test_finals_that_differ_in_their_medial_rhyme(same):
    assert len({rhyme_of(character) for character in same}) == 1


def test_the_fourteen_rhymes_are_different_ones():
    assert [rhyme_of(one) for one in "花歌月来飞高楼山人光风衣诗书"] == list(range(14))
    finals = " ".join(RHYMES).split()
    assert len(finals) == len(set(finals))
    assert [rhyme_of(finals.split()[0]) for finals in RHYMES] == list(range(14))
    assert rhyme_of("üe") == rhyme_of("VE") == rhyme_of("月")


# ----------------------------------------------------------------------------------------------------- what obeys

RULES = [
    {"length": 1},
    {"length": 5},
    {"length": LONGEST},
    {"rhyme": "光"},
    {"rhyme": "u", "length": 3},
    {"tones": "平平仄仄平"},
    {"tones": "ppzzp"},
    {"tones": "*1中34", "rhyme": "ou"},
    {"tones": "平平平仄仄", "length": 5, "rhyme": "鸟"},
]
SIGNS = {"平": "125", "p": "125", "仄": "345", "z": "345", "1": "15", "2": "25", "3": "35", "4": "45"}


def obeys(line: str, length: int | None = None, tones: str | None = None, rhyme: str | None = None) -> bool:
    """Said again in another way: does a line obey?"""
    if length is not None and len(line) != length:
        return False
    places = [SIGNS.get(sign, "") for sign in tones] if tones is not None else [""] * len(line)
    if len(places) != len(line):
        return False
    for place, character in enumerate(line):
        sounds = [(t, r) for t, r in readings(character) if not places[place] or t in places[place]]
        if rhyme is not None and place == len(line) - 1:
            sounds = [(t, r) for t, r in sounds if r == rhyme_of(rhyme)]
        elif not places[place]:
            continue
        if not sounds:
            return False
    return True


@pytest.mark.parametrize("rules", RULES, ids=str)
@pytest.mark.parametrize("beams", [0, 1, 4])
def test_every_line_obeys_whatever_the_model(vae, rules, beams):
    lines = vae.sample(150, seed=3, beams=beams, constraint=Verse(CODEC, **rules))
    assert all(obeys(line, **rules) for line in lines)
    assert len(set(lines)) > 10 or rules == {"length": 1} or beams


def test_without_rules_lines_do_not_obey_by_chance(vae):
    free = vae.sample(150, seed=3, beams=4)
    assert all(sum(obeys(line, **rules) for line in free) < 150 for rules in RULES)


def test_a_rhyme_alone_leaves_the_length_free(vae):
    assert len({len(line) for line in vae.sample(150, constraint=Verse(CODEC, rhyme="光"))}) > 1


def test_every_verb_takes_the_rules(vae):
    rule, codes = Verse(CODEC, tones="平平仄仄平"), vae.encode(LINES[:2])
    walks = [vae.interpolate(*LINES[:2], steps=steps, beams=3, constraint=rule) for steps in (5, None)]
    lines = [point.text for walk in walks for point in walk]
    lines += vae.decode(codes, constraint=rule) + vae.reconstruct(LINES[:2], constraint=rule)
    lines += vae.arithmetic(LINES[0], LINES[1:2], LINES[2:3], strengths=[0, 1, 5], constraint=rule)
    lines += [text for row in vae.vary(LINES[0], steps=3, constraint=rule).texts for text in row]
    lines += [point.text for point in vae.candidates(codes[0], constraint=rule)]
    assert len(lines) > 20
    assert all(obeys(line, tones="平平仄仄平") for line in lines)


def test_any_reading_will_do_but_tone_and_rhyme_are_of_one():
    def passes(character: str, **rules: str) -> bool:
        mask = Verse(CODEC, **rules).allowed(torch.zeros(1, 0, dtype=torch.long), 2)
        return bool(mask[CODEC.encode(character)[0]])

    assert passes("更", tones="1") and passes("更", tones="4")  # gēng and gèng
    assert passes("的", tones="2", rhyme="歌")  # de is neutral
    assert passes("觉", tones="平", rhyme="月")  # jué
    assert passes("觉", tones="仄", rhyme="晓")  # jiào
    assert not passes("觉", tones="仄", rhyme="月")
    assert passes("，", tones="*") and not passes("，", tones="平")


# ----------------------------------------------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        ({"length": 0}, "length 0: expected 1 to 1,000,000 characters"),
        ({"length": 10**12}, "length 1000000000000: expected"),
        ({"tones": ""}, "tones '': expected 平 or p, 仄 or z, 1 to 4, 中 or * for each character"),
        ({"tones": "平平x"}, "tones '平平x': expected"),
        ({"tones": "平平", "length": 3}, "tones '平平' are for 2 characters, and length is 3"),
        ({"rhyme": ""}, "rhyme '': expected one Chinese character, or a final of pinyin such as ang"),
        ({"rhyme": "光霜"}, "rhyme '光霜': expected"),
        ({"rhyme": "，"}, "rhyme '，': expected"),
        ({"rhyme": "嗯"}, "rhyme '嗯': expected"),
        ({"rhyme": "花"}, "rhyme '花': this model knows no character for one of the places"),
        ({"tones": "p4", "rhyme": "ai"}, "tones 'p4', rhyme 'ai': this model knows no character for one of the places"),
    ],
)
def test_rules_that_make_no_sense_are_refused(rules, message):
    with pytest.raises(InputError) as caught:
        Verse(CODEC, **rules)
    assert str(caught.value).startswith(message)


def test_a_line_longer_than_the_model_writes_is_refused(vae):
    for beams in (0, 2):
        with pytest.raises(InputError, match=r"length 8: this model writes at most 7 characters"):
            vae.sample(2, beams=beams, constraint=Verse(CODEC, length=8))


@pytest.mark.parametrize("kind", ["pieces", "words", "bytes"])
def test_only_characters_are_counted(kind):
    codec = codecs.train(LINES * 9, codecs.Config(codec=kind, vocab=320))
    with pytest.raises(InputError, match=f"this model writes {kind}: they need one trained with codec=characters"):
        Verse(codec, length=5)


# -------------------------------------------------------------------------------------------------- command line


def test_the_commands(folder, tmp_path, capsys):
    codes = str(tmp_path / "codes.npz")
    model, rules = ["--model", str(folder)], ["--tones", "平平仄仄平", "--rhyme", "光", "--length", "5"]
    assert main(["encode", *LINES[:3], "--out", codes, *model]) == 0
    capsys.readouterr()

    def lines(value: object) -> list[str]:
        """The decoded lines in the JSON that a verb prints."""
        if isinstance(value, list):
            return [line for one in value for line in lines(one)]
        if isinstance(value, dict):
            known = [value[key] for key in ("points", "sentences", "texts", "text", "decoded") if key in value]
            return lines(known)
        return [str(value)]

    for words in (
        ["interpolate", *LINES[:2]],
        ["sample", "-n", "5"],
        ["sample", "--beams", "2"],
        ["reconstruct", *LINES[:3]],
        ["arithmetic", LINES[0], "--minus", LINES[1], "--plus", LINES[2]],
        ["vary", LINES[0]],
        ["decode", codes],
    ):
        assert main([*words, *model, *rules, "--json"]) == 0
        found = lines(json.loads(capsys.readouterr().out))
        assert found, words
        assert all(obeys(line, tones="平平仄仄平", rhyme="光") for line in found), words


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--length", "8"], "error: length 8: this model writes at most 7 characters in a row\n"),
        (["--tones", "平?"], "error: tones '平?': expected "),
        (["--rhyme", "xyz"], "error: rhyme 'xyz': expected "),
        (
            ["--prompt", "霜", "--tones", "仄z4Z"],
            "error: token 1 of the prompt is not what the constraint allows there\n",
        ),
    ],
)
def test_bad_rules_get_one_line(folder, capsys, words, message):
    assert main(["sample", "--model", str(folder), *words]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(message)
    assert err.count("\n") == 1
