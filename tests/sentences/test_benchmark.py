"""Benchmarks: figures of hand-made paths with known answers, laws, the judge, and the command's errors."""

from __future__ import annotations

import importlib
import json
import math
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch

from corpora import Corpus
from corpora.errors import InputError
from textgen import cli
from textgen.cli import main
from textgen.core.estimators import exact_nll
from textgen.runs import library
from textgen.sentences import units
from textgen.sentences.benchmark import interpolation, judge, names, pairs
from textgen.sentences.sentence_vae import SentenceVAE
from textgen.sentences.units import edits
from textgen.sentences.walk import Point, Walk, spread


class Flat:
    """A judge to whom each word or character, and each end, is 2 nats, whatever it is."""

    name = "flat"

    def __init__(self, words: bool = True, unknown: int = 0) -> None:
        self.words, self.blank = words, unknown

    def nll(self, texts):
        return np.array([2.0 * (len(units.units(text, self.words)) + 1) for text in texts])

    def unknown(self, texts):
        return self.blank


def walk(start: str, end: str, *texts: str) -> Walk:
    points = [Point(number / (len(texts) - 1), text, 0.0, 0.0) for number, text in enumerate(texts)]
    return Walk(start, end, "line", points)


def measured(*walks: Walk, judge: Flat | None = None, **options) -> judge.Report:
    return interpolation.measure(walks, judge or Flat(), str.strip, **options)


PERFECT = walk("a b c d", "w x y z", "a b c d", "w b c d", "w x c d", "w x y d", "w x y z")
CONSTANT = walk("a b c d", "w x y z", *["a b c d"] * 5)


# --------------------------------------------------------------------------------------------------- figures


def test_a_path_that_changes_a_word_at_each_point_is_perfect():
    assert interpolation.shape([point.text for point in PERFECT], True) == (5, pytest.approx(1), 0.25, 0.25, 1)
    found = measured(PERFECT, train=["w b c d", "q"])
    assert [found[name] for name in ("ends exact", "distinct", "copies")] == [1, 5, pytest.approx(1 / 3)]
    assert found["ends BLEU"] == pytest.approx(100)


def test_a_path_that_never_moves_is_undefined_and_counted_as_none():
    assert interpolation.shape([point.text for point in CONSTANT], True) == (1, None, 0, 0, None)
    found = measured(CONSTANT)
    assert [found[name] for name in ("distinct", "order", "straightness", "ends exact")] == [1, 0, 0, 0.5]
    assert found["perplexity ratio, new"] is None  # there is no new sentence
    order = next(one for one in found.scores if one.name == "order")
    assert order.definition.endswith("undefined, counted as 0: 1 of 1 paths")


def test_a_perfect_path_beats_a_constant_one():
    best, worst = measured(PERFECT, PERFECT), measured(CONSTANT, CONSTANT)
    for name in ("distinct", "order", "straightness", "ends exact", "ends BLEU"):
        assert best[name] > worst[name], name


def test_order_takes_average_ranks_and_a_path_backwards_is_minus_one():
    ties = interpolation.shape(["a b", "a b", "a y", "x y"], True)
    # ranks of the balance 1.5 1.5 3 4 beside 1 2 3 4
    assert ties.order == pytest.approx(math.sqrt(0.9))
    back = interpolation.shape(["a b c d", "a x y z", "a b y z", "a b c z", "w x y z"], True)
    assert back.order < ties.order
    assert interpolation.shape(["a", "b", "b"], True).order == pytest.approx(math.sqrt(0.75))


def test_a_detour_is_less_straight_and_a_jump_is_seen():
    found = interpolation.shape(["a b", "x y", "a b", "a c"], True)
    assert found.straightness == pytest.approx(1 / 5)
    assert (found.jump, found.step) == (1, pytest.approx((1 + 1 + 0.5) / 3))


def test_straightness_is_a_share_even_where_lengths_differ():
    """A distance over the length may break the triangle inequality, as here; a plain one cannot."""
    assert interpolation.shape(["a b", "a b a", "b a"], True).straightness == 1


def test_chinese_is_counted_in_characters():
    path = walk("春眠不覺曉", "明月出天山", "春眠不覺曉", "春眠不天山", "春月出天山", "明月出天山")
    found = measured(path, judge=Flat(words=False))
    assert found.facts["unit"] == "character"
    assert found["perplexity ratio"] == pytest.approx(1)
    assert found["length ratio"] == pytest.approx(1)
    assert found["step"] == pytest.approx(5 / 5 / 3)
    assert found["ends BLEU"] == pytest.approx(100)
    assert {score.unit for score in found.scores if score.name == "perplexity, real"} == {"per character"}


def test_perplexity_counts_one_end_for_each_sentence_and_its_ratio_is_one_for_a_flat_judge():
    found = measured(PERFECT, walk("a", "b c", "a", "a c", "b c"))
    for name in ("perplexity, interior", "perplexity, real"):
        assert found[name] == pytest.approx(math.exp(2))
    assert found["perplexity ratio"] == pytest.approx(1)
    assert found["length ratio"] == pytest.approx((14 / 4) / (11 / 4))
    assert found["NLL ratio"] == pytest.approx((18 / 4) / (15 / 4))


def test_short_sentences_show_in_the_length_and_not_in_the_perplexity():
    short = walk("a b c d", "w x y z", "a b c d", "a", "w", "w x y z")
    found = measured(short)
    assert found["perplexity ratio"] == pytest.approx(1)
    assert (found["length ratio"], found["NLL ratio"]) == (0.25, pytest.approx(0.4))


def test_real_sentences_may_come_from_elsewhere_and_the_unknown_are_told():
    found = measured(PERFECT, PERFECT, judge=Flat(unknown=7), real=["a b", "c"])
    assert found.facts["real"] == "2 real sentences"
    assert found["length ratio"] == pytest.approx(4 / 1.5)
    assert "7 tokens of the interior unknown" in found.scores[0].definition


def test_new_sentences_leave_the_ends_and_what_comes_again_out():
    class Harsh(Flat):
        def nll(self, texts):
            return np.array([(9.0 if text == "bad" else 1.0) * (len(text.split()) + 1) for text in texts])

    path = walk("a b", "c d", "a b", "a b", "bad", "bad", "c d", "c d")
    found = measured(path, judge=Harsh())
    assert found["perplexity ratio, new"] == pytest.approx(math.exp(8))
    assert found["perplexity ratio"] == pytest.approx(math.exp((3 + 18 + 18 + 3) / 10 - 1))


def test_nothing_to_judge_is_refused():
    for walks in ([], [walk("a", "b", "a", "b")]):
        with pytest.raises(InputError, match="nothing to judge"):
            measured(*walks)


# ------------------------------------------------------------------------------------------- score and judge


def test_an_interval_holds_the_mean_and_shrinks_with_the_number_of_rows():
    values = np.random.default_rng(0).normal(3, 1, 400)
    few, many = (judge.score("x", "", "", values[:count], seed=1) for count in (25, 400))
    assert few.low < few.value < few.high
    assert many.value == pytest.approx(values.mean())
    assert many.high - many.low == pytest.approx(2 * 1.96 * values.std() / 20, rel=0.15)
    assert few.high - few.low > 2 * (many.high - many.low)
    assert judge.score("x", "", "", values, seed=1) == judge.score("x", "", "", values, seed=1)


def test_about_95_of_100_intervals_hold_the_truth():
    draw = np.random.default_rng(4)
    found = [judge.score("x", "", "", draw.exponential(1, 60), seed=n) for n in range(60)]
    assert 50 <= sum(one.low <= 1 <= one.high for one in found) <= 60


def test_bca_misses_a_skewed_ratio_above_less_often():
    """Log-normal costs over as many units, 25 rows: the percentile interval lies too low."""
    draw, truth = np.random.default_rng(2), math.exp(1.1**2 / 2)
    found, plain = [], []
    for seed in range(200):
        table = np.stack([draw.lognormal(0, 1.1, 25), np.ones(25)], 1)
        found.append(judge.score("x", "", "", table, statistic=lambda sums: sums[0] / sums[1], seed=seed))
        again = table[np.random.default_rng(seed).integers(25, size=(1000, 25)), 0].mean(1)
        plain.append(np.percentile(again, (2.5, 97.5)))
    assert sum(one.low <= truth <= one.high for one in found) >= 165
    assert sum(one.high < truth for one in found) < sum(high < truth for _, high in plain) - 2


def test_the_ends_of_bca_are_those_of_its_formula():
    """Beside scipy's, on the same data: as close as two bootstraps are."""
    from scipy.stats import bootstrap

    values = np.random.default_rng(5).exponential(1, 80)
    mine = judge.score("x", "", "", values, seed=3)
    other = bootstrap((values,), np.mean, n_resamples=4000, method="BCa", rng=np.random.default_rng(0))
    assert mine.low == pytest.approx(other.confidence_interval.low, abs=0.03)
    assert mine.high == pytest.approx(other.confidence_interval.high, abs=0.04)


def test_rows_of_a_group_are_drawn_together():
    """Five authors of 40 equal rows each: the interval is that of five numbers, not of two hundred."""
    authors = np.repeat(np.arange(5), 40)
    values = np.random.default_rng(1).normal(0, 1, 5)[authors]
    rows, groups = judge.score("x", "", "", values), judge.score("x", "", "", values, groups=authors)
    assert groups.value == pytest.approx(rows.value)
    assert groups.high - groups.low > 3 * (rows.high - rows.low)
    assert "5 groups" in groups.definition
    alone = judge.score("x", "", "", values[::40], groups=np.arange(5), seed=0)
    assert (alone.low, alone.high) == pytest.approx((groups.low, groups.high))


def test_a_perplexity_beyond_floating_point_is_infinite():
    huge = judge.perplexity("x", "", [5000.0, 6000.0], ["a b", "c"])
    assert huge.value == math.inf
    report = judge.Report("title", {}, [huge, judge.perplexity("y", "", [100.0], ["a"])])
    assert " inf " in str(report) and "e+21" in str(report)
    assert report.to_dict()["figures"][0]["value"] == "inf"


def test_a_figure_of_one_row_has_no_interval_and_one_that_divides_by_zero_no_value():
    one = judge.score("x", "", "", [2.0])
    assert (one.value, one.low, one.high) == (2.0, None, None)
    none = judge.score("x", "", "", [[0.0, 0.0]] * 3, statistic=lambda sums: sums[0] / sums[1])
    assert (none.value, none.low, none.high) == (None, None, None)
    assert "undefined" in str(judge.Report("title", {}, [none]))


def test_the_judge_is_the_exact_likelihood_of_a_language_model(toy_language_model, toy_corpus):
    opened = library.open_model(toy_language_model)
    rows = Corpus.open(toy_corpus).rows("test")
    texts = [rows.text(row) for row in range(9)]
    found = judge.Judge(opened).nll(texts, at_once=4)
    each = [float(exact_nll(opened.model, torch.from_numpy(rows.pad([row])))) for row in range(9)]
    assert found == pytest.approx(each, abs=1e-3)
    assert judge.Judge(opened).nll(["", texts[0]])[1] == pytest.approx(each[0], abs=1e-3)
    assert judge.Judge(opened).unknown([texts[0], "qwertz"]) == 1


def test_a_vae_is_no_judge(toy_run):
    with pytest.raises(InputError, match="is no language model; train one: textgen train CORPUS --model lm"):
        judge.Judge(library.open_model(toy_run))


def test_words_or_characters():
    assert units.spaced(["a b", "c d", "e"])
    assert not units.spaced(["春眠不覺曉", "明月 出天山", "e"])
    assert units.units(" a  b ", True) == ["a", "b"]
    assert units.units("春眠 曉", False) == ["春", "眠", "曉"]


# --------------------------------------------------------------------------------------------------------- pairs


def test_pairs_are_drawn_by_seed_and_no_sentence_is_used_twice():
    texts = [f"number {number} of them" for number in range(50)] + ["NUMBER x of them!", "number x of them"]
    texts = [text.replace(str(n), chr(97 + n // 7) * (n % 7 + 1)) for n, text in enumerate(texts)]
    found = pairs.draw(texts, 20, seed=3)
    assert found == pairs.draw(texts, 20, seed=3) != pairs.draw(texts, 20, seed=4)
    assert len({text for pair in found for text in pair}) == 40
    assert all(
        len(text.split()) <= 4 for pair in pairs.draw([*texts, "a b c d e"] * 2, 20, max_words=4) for text in pair
    )
    with pytest.raises(InputError, match="0 different sentences of at most 3 words: 1 pairs take 2"):
        pairs.draw(texts, 1, max_words=3)


def test_pairs_of_chinese_are_counted_in_characters():
    with pytest.raises(InputError, match="2 different sentences of at most 5 characters"):
        pairs.draw(["春眠不覺曉", "明月出天山", "一片冰心在玉壺"], 2, max_words=5)


# ----------------------------------------------------------------------------------------------------- pace


def test_places_are_spread_where_the_text_changes():
    texts = ["a b c"] * 10 + ["a b x", "a y x", "z y x"] + ["z y x"] * 10
    found = spread(texts, 4)
    assert (found[0], found[-1]) == (0, 22)
    assert [texts[place] for place in found] == ["a b c", "a b x", "a y x", "z y x"]
    assert spread(["a"] * 9, 3) == [0, 4, 8]
    assert spread(["a", "b"], 2) == [0, 1]


@pytest.mark.parametrize("count", [2, 3, 5, 9])
def test_places_rise_and_keep_the_ends(count):
    draw = np.random.default_rng(count)
    for _ in range(20):
        texts = [" ".join(draw.choice(list("abc"), 3)) for _ in range(9)]
        found = spread(texts, count)
        assert (len(found), found[0], found[-1]) == (count, 0, 8)
        assert all(one < other for one, other in pairwise(found))


def test_edits():
    assert edits("kitten", "sitting") == 3
    assert edits("", "abc") == edits("abc", "") == 3
    assert edits(["a", "b"], ["b", "a"]) == 2


# ----------------------------------------------------------------------------------------------------- command


@pytest.fixture
def here(tmp_path, monkeypatch, toy_corpus) -> Path:
    monkeypatch.chdir(tmp_path)
    texts, where = Corpus.open(toy_corpus).rows("test"), "pairs.tsv"
    drawn = pairs.draw([texts.text(row) for row in range(len(texts))], 5)
    Path(where).write_text("".join(f"{one}\t{other}\n" for one, other in drawn))
    return tmp_path


def refused(capsys, *words: object) -> str:
    capsys.readouterr()
    assert main(["benchmark", *map(str, words)]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    return err


def test_the_command(here, toy_run, toy_language_model, toy_corpus, capsys):
    before = Path("pairs.tsv").read_bytes()
    assert main(["benchmark", "pairs", str(toy_corpus), "-n", "5", "--out", "pairs.tsv", "--force"]) == 0
    assert capsys.readouterr().out == "pairs.tsv: 5 pairs from corpus, test split, seed 0\n"
    assert Path("pairs.tsv").read_bytes() == before
    words = ["benchmark", "interpolation", "pairs.tsv", "--model", toy_run, "--judge", toy_language_model]
    words = [*map(str, words), "--points", "4", "--beams", "2", "--train", str(toy_corpus), "--paths", "paths.txt"]
    assert main(words) == 0
    shown = capsys.readouterr().out
    assert main([*words, "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert (facts["pairs"], facts["points"], len(facts["paths"])) == (5, 4, 5)
    figures = {one["name"]: one for one in facts["figures"]}
    for name, one in figures.items():
        assert name in shown
        assert one["unit"] and one["definition"]
        assert one["value"] is None or one["low"] is None or one["low"] <= one["value"] <= one["high"]
    assert "copies" in figures
    given = interpolation.read_pairs(Path("pairs.tsv"))
    walks = SentenceVAE.from_pretrained(toy_run).walks(given, steps=4, beams=2)
    assert facts["paths"] == [walk.to_dict() for walk in walks]
    assert Path("paths.txt").read_text() == "\n\n".join(map(str, walks)) + "\n"
    assert main([*words, "--json", "--rows", "2"]) == 0
    assert json.loads(capsys.readouterr().out)["pairs"] == 2


def test_many_walks_are_what_each_is(here, toy_run):
    """In double precision: sums of a batch round otherwise than those of a row, and near ties would tell them apart."""
    vae = SentenceVAE.from_pretrained(toy_run)
    vae.model.double()
    given = interpolation.read_pairs(Path("pairs.tsv"))
    for pace in ("text", "code"):
        together = vae.walks(given, steps=5, beams=2, pace=pace)
        assert [str(one) for one in together] == [
            str(vae.interpolate(*pair, steps=5, beams=2, pace=pace)) for pair in given
        ]
    assert vae.walks([]) == []


def test_an_autoencoder_is_judged_too(here, toy_autoencoder, toy_language_model, capsys):
    words = ["interpolation", "pairs.tsv", "--model", str(toy_autoencoder), "--judge", str(toy_language_model)]
    assert main(["benchmark", *words, "--points", "3", "--beams", "1", "--json"]) == 0


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "pairs.tsv is empty: expected two sentences on a line, a tab between them"),
        ("the cat sleeps\n", "pairs.tsv, line 1: no tab; expected two sentences with a tab between them"),
        ("the cat\ta dog\na\tb\tc\n", "pairs.tsv, line 2: 3 columns; expected two"),
        ("the cat\ta dog\nthe cat\t \n", "pairs.tsv, line 2: a sentence is empty"),
        ("the cat\ta dog\n\n", "pairs.tsv, line 2: no tab"),
        ("the cat\tthe  cat\n", "pairs.tsv, line 1: the two sentences are equal: 'the cat'"),
        ("the cat\ta dog\nthe cat\t" + "dog " * 60, "pairs.tsv, line 2: the sentence 'dog dog"),
    ],
)
def test_a_bad_file_is_refused_with_its_line(here, toy_run, toy_language_model, capsys, text, said):
    Path("pairs.tsv").write_text(text)
    error = refused(capsys, "interpolation", "pairs.tsv", "--model", toy_run, "--judge", toy_language_model)
    assert error.startswith(f"error: {said}")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--points", "2"], "--points 2: expected 3 to 1,000"),
        (["--beams", "0"], "--beams 0: expected 1 to 100"),
        (["--path", "curve"], "path 'curve': choose from auto, fluent, line, arc"),
        (["--rows", "-1"], "--rows -1: expected 0 to"),
        (["--real", "nowhere.txt"], "nowhere.txt: no such file"),
        (["--judge", "nowhere"], "no model 'nowhere'"),
    ],
)
def test_bad_options_are_refused(here, toy_run, toy_language_model, capsys, words, said):
    given = ["interpolation", "pairs.tsv", "--model", toy_run, "--judge", toy_language_model, *words]
    assert refused(capsys, *given).startswith(f"error: {said}")


def test_who_cannot_judge_and_who_cannot_walk(here, toy_run, toy_language_model, capsys):
    words = ["interpolation", "pairs.tsv", "--model"]
    assert "is no language model" in refused(capsys, *words, toy_run, "--judge", toy_run)
    assert "has no codes" in refused(capsys, *words, toy_language_model, "--judge", toy_language_model)
    Path("latin.tsv").write_bytes(b"caf\xe9\tb\n")
    assert "not UTF-8 at byte 3" in refused(capsys, words[0], "latin.tsv", "--model", toy_run, "--judge", toy_run)
    assert "nowhere.tsv: no such file" in refused(capsys, words[0], "nowhere.tsv", "--judge", toy_language_model)


def test_pairs_refuses(here, toy_corpus, capsys):
    out = ["--out", "more.tsv"]
    assert "-n 0: expected 1 to" in refused(capsys, "pairs", toy_corpus, "-n", "0", *out)
    assert "ask for fewer pairs" in refused(capsys, "pairs", toy_corpus, "-n", "5000", *out)
    assert "no split 'x'" in refused(capsys, "pairs", toy_corpus, "--split", "x", *out)
    assert not Path("more.tsv").exists()


def test_the_benchmarks_are_the_files_and_their_help_imports_nothing_heavy():
    assert {"interpolation", "pairs"} <= set(names())
    assert "judge" not in names()
    entries = cli.VERBS["benchmark"].home
    assert list(entries) == names()
    for name, verb in entries.items():  # a new one is a new file: its options too
        module = importlib.import_module(f"textgen.sentences.benchmark.{name}")
        assert verb.home == module.__name__ and callable(module.main)
        assert verb.help.lower() == (module.__doc__ or "").splitlines()[0].removesuffix(".").lower()
        assert getattr(module, name).__module__ == module.__name__
    program = "import sys, textgen.cli as c; c.VERBS; print(sorted({'torch', 'numpy', 'scipy'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
