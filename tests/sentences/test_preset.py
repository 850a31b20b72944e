"""Preset `auto`: its sizes grow with the corpus, what is given wins, every choice has a reason, and repeats do."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

import small
import textgen
from corpora import Corpus, InputError
from corpora.build import build
from textgen.cli import main
from textgen.core import checkpoint, recipes
from textgen.core.trainer import Config as Training
from textgen.runs import library
from textgen.runs.plan import Plan
from textgen.runs.run import Run
from textgen.runs.screen import Screen
from textgen.sentences import preset
from textgen.sentences.preset import Auto

TINY = {**small.settings("vae"), "precision": "fp32"}
LINES = [f"the {one} {two} {three}" for one in ("cat", "dog", "fox", "hen", "owl") for two in ("runs", "waits", "sings")
         for three in ("today", "often", "again", "here")][:50]  # fmt: skip


def chosen(tokens: int, length: float = 12.0, model: str = "vae", **given: object) -> dict[str, object]:
    recipe, (training,) = recipes.compose(model, given, Training())
    settings = {**recipe.settings(), "lr": training.lr}
    return Auto(given, lambda line: None).sizes(round(tokens / length), tokens, 2 * round(length), 5.5, settings)


@pytest.fixture
def text(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "fifty.txt"
    path.write_text("\n".join(LINES) + "\n")
    return path


class Listening(Screen):
    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def _print(self, text: str) -> None:
        self.lines.append(text)

    def chosen(self) -> dict[str, str]:
        """{setting: its value and the reason}, of the lines of the preset."""
        found = [re.fullmatch(r"preset   (\w+)=(.*)", line) for line in self.lines if line.startswith("preset ")]
        return {match[1]: match[2] for match in found if match}


# ------------------------------------------------------------------------------------------------------ the rules


def test_sizes_grow_with_the_corpus_and_what_holds_it_back_falls():
    steps = [chosen(tokens) for tokens in (100, 10_000, 49_999, 50_000, 299_999, 10**6, 10**7, 10**9)]
    for key in ("width", "embedding", "encoder_width", "encoder_embedding", "latent", "rate", "batch"):
        values = [one[key] for one in steps]
        assert values == sorted(values), key
        assert values[0] < values[-1], key
    for key in ("dropout", "word_dropout", "lr"):
        values = [one[key] for one in steps]
        assert values == sorted(values, reverse=True), key
    assert list(preset.SIZES) == sorted(preset.SIZES)


@pytest.mark.parametrize("length", [1.5, 6.0, 12.0, 30.0, 200.0])
def test_the_rate_grows_with_the_rows_within_its_bounds_and_below_a_nat_for_each_number(length):
    for tokens in (10_000, 100_000, 10**6, 10**7):
        made = chosen(tokens, length)
        assert 6 <= made["rate"] <= 50
        assert made["rate"] <= made["latent"]
        assert made["rate"] <= chosen(tokens, 2 * length)["rate"]
    assert chosen(10**6, rate=100.0)["latent"] >= 100


def test_what_a_model_does_not_have_is_not_chosen():
    assert not {"rate", "latent", "encoder_width", "code_fade"} & set(chosen(10_000, model="lm"))
    assert "code_fade" not in chosen(10_000, model="autoencoder")
    assert "rate" not in chosen(10_000, model="autoencoder")
    assert "latent" in chosen(10_000, model="autoencoder")
    assert "embedding" not in chosen(10_000, backbone="transformer")
    assert "rate" not in chosen(10_000, rate=None)


def test_the_vocabulary_grows_with_the_text():
    rich = [f"word{number % 9000} cat{number % 90}" for number in range(30_000)]

    def vocab(rows: int, texts: list[str] = rich) -> int:
        return Auto({}, lambda line: None).codec(rows, texts)["vocab"]

    values = [vocab(rows) for rows in (50, 5_000, 10_000, 20_000, 10**6)]
    assert values == sorted(values)
    assert (values[0], values[-1]) == (1000, 8000)
    assert vocab(10**6, LINES) < 1100  # a few words, however often


@pytest.mark.parametrize(
    ("texts", "codec"),
    [
        (["the cat sleeps"], "pieces"),
        (["кошка спит"], "pieces"),
        (["고양이가 잔다"], "pieces"),
        (["苔含殿华湿", "心驰玉扆前"], "characters"),
        (["古池や蛙飛びこむ水の音"], "characters"),
        (["แมวกำลังนอนหลับ"], "characters"),
        (["the old man said 你好 to me and nobody else"], "pieces"),
        (["1 2 3"], "pieces"),
    ],
)
def test_scripts_without_spaces_between_words_get_characters(texts, codec):
    assert Auto({}, lambda line: None).codec(1000, texts)["codec"] == codec


def test_the_longest_row_leaves_out_the_last_of_a_hundred():
    auto = Auto({}, lambda line: None)
    assert auto.longest(np.array([10] * 995 + [90] * 5)) == {"max_length": 10}
    assert auto.longest(np.array([500] * 100)) == {"max_length": 200}
    assert Auto({"min_length": "40"}, lambda line: None).longest(np.array([10, 50])) == {"max_length": 50}


def test_a_small_corpus_gets_no_more_passes_than_help_however_long_the_time():
    lines: list[str] = []
    auto = Auto({}, lines.append)
    assert auto.steps(12.0, rows=2000, tokens=25_000, batch=32) == preset.SIZES[0].passes * 63
    assert "more would only overfit" in lines[-1]
    assert auto.steps(600.0, rows=2000, tokens=25_000, batch=32) == preset.SIZES[0].passes * 63
    assert auto.steps(12.0, rows=10**6, tokens=10**7, batch=64) == preset.SIZES[-1].passes * 15_625
    assert auto.steps(12.0, rows=50, tokens=600, batch=32) == 500, "fewer teach nothing"


# ------------------------------------------------------------------------------------------------------- in a run


def test_fifty_lines_are_enough_and_every_choice_has_a_reason(text):
    screen = Listening()
    textgen.train([text], "run", minutes=0.02, settings={"precision": "fp32"}, threads=1, screen=screen)
    said = screen.chosen()
    assert list(said) == [
        "codec", "vocab", "valid_share", "max_length", "width", "embedding", "encoder_width", "encoder_embedding",
        "encoder_places", "rate", "latent", "code_fade", "code_free", "dropout", "word_dropout", "lr", "batch",
        "minutes",
    ]  # fmt: skip
    assert all(len(reason.split(maxsplit=1)[1]) > 10 for reason in said.values())
    assert "50 rows" in said["valid_share"]
    assert "at most 500 steps" in said["minutes"]
    saved = json.loads(Path("run/recipe.json").read_text())
    assert saved["recipe"]["settings"]["width"] == 192
    assert saved["training"]["lr"] == 3e-3
    assert (saved["steps"], saved["minutes"]) == (500, 0.02)
    assert library.open_model("run").model.latent == 16


def test_what_is_given_wins_and_is_said_so(text):
    screen = Listening()
    textgen.train(
        [text], "run", settings={**TINY, "codec": "words", "rate": "9"}, steps=2, batch=8, threads=1, screen=screen
    )
    said = screen.chosen()
    given = {key: reason.split()[0] for key, reason in said.items() if reason.endswith("as given")}
    sizes = {"width": "16", "embedding": "8", "encoder_width": "16", "encoder_embedding": "8", "latent": "4"}
    assert given == {"codec": "words", **sizes, "rate": "9", "dropout": "0.0", "batch": "8"}
    assert not {"vocab", "minutes"} & set(said)
    saved = json.loads(Path("run/recipe.json").read_text())
    assert (saved["recipe"]["settings"]["width"], saved["recipe"]["settings"]["rate"]) == (16, 9.0)
    assert (saved["steps"], saved["batch"], saved["recipe"]["settings"]["word_dropout"]) == (2, 8, 0.3)
    assert Corpus.open("run/corpus").codec.name == "words"


def test_a_run_of_so_many_minutes_can_be_repeated_to_the_last_bit(text):
    """As the first one went, whatever the clock says the second time."""
    quiet = {"settings": {**TINY, "lr": "1e-2"}, "threads": 1, "screen": Screen(quiet=True)}
    textgen.train([text], "one", minutes=0.01, **quiet)
    textgen.train([text], "two", repeat="one", **quiet)
    assert Plan.read(Path("two")).minutes == 0.01
    same = [checkpoint.listed(Path(name, "checkpoints"))[0] / checkpoint.MODEL for name in ("one", "two")]
    assert same[0].read_bytes() == same[1].read_bytes()
    Run.open("one").train(Screen(quiet=True))  # at its end already


def test_a_built_corpus_is_sized_if_asked(text):
    build([str(text)], "corpus")
    screen = Listening()
    options = {"settings": {"precision": "fp32"}, "steps": 1, "threads": 1, "screen": screen}
    textgen.train(["corpus"], "plain", **options)
    assert not screen.chosen()
    assert Plan.read(Path("plain")).recipe.settings()["width"] == 512
    textgen.train(["corpus"], "sized", preset="auto", **options)
    assert "codec" not in screen.chosen()
    assert Plan.read(Path("sized")).recipe.settings()["width"] == 192


def test_preset_none_leaves_the_defaults(text):
    screen = Listening()
    textgen.train([text], "run", preset="none", settings={"width": 16}, steps=1, threads=1, screen=screen)
    assert not screen.chosen()
    assert Plan.read(Path("run")).recipe.settings()["rate"] == 16.0
    assert Corpus.open("run/corpus").manifest["settings"]["vocab"] == 8000


# --------------------------------------------------------------------------------------------------------- refused


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--preset", "atuo"], "error: no preset 'atuo': did you mean 'auto'? choose from auto, none\n"),
        (["--minutes", "0"], "error: --minutes 0: expected more than 0, and 10,080 (a week) at most\n"),
        (["--minutes", "nan"], "error: --minutes nan: expected more than 0"),
        (["--minutes", "x"], "error: --minutes x: expected a number\n"),
        (["--minutes", "5", "--steps", "9"], "error: steps and minutes are both given: leave out one of them\n"),
        (
            ["--preset", "auto", "--init", "english-fiction"],
            "error: preset auto chooses sizes, and init brings its own",
        ),
        (["valid_share=0.6", "test_share=0.6"], "error: test_share=0.6: expected valid_share + test_share below 1\n"),
    ],
)
def test_what_makes_no_sense_is_refused_in_one_line(text, capsys, words, message):
    try:
        code = main(["train", str(text), *words])
    except SystemExit as end:
        code = end.code
    shown = capsys.readouterr()
    lines = [line for line in shown.err.splitlines(keepends=True) if not line.startswith(("preset ", "building "))]
    assert (code, shown.out, len(lines)) == (2, "", 1)
    assert lines[0].startswith(message)
    assert not Path("runs").exists()


def test_a_text_too_small_to_split_says_how_many_rows_are_needed(text):
    text.write_text("one line\nanother line\n")
    with pytest.raises(InputError, match=r"only 2 usable sentences.* at least 3 are needed for train"):
        textgen.train([text], "run", screen=Screen(quiet=True))
    with pytest.raises(InputError, match="minutes=0: expected more than 0"):
        textgen.train([text], "run", minutes=0)


def test_several_processes_need_a_built_corpus(text, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(InputError, match="several processes need a built corpus: run `corpora build` first"):
        textgen.train([text], "run", preset="auto")
