"""Benchmarks of samples and of attribute arithmetic: their measures on cases known by hand, and their commands."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path

import pytest
from sacrebleu.metrics import BLEU

import small
from corpora.build import build, from_texts
from corpora.errors import InputError
from textgen.cli import main
from textgen.runs.begin import begin
from textgen.sentences.benchmark import attribute, judge, samples


def call(capsys, *words: object) -> tuple[int, str, str]:
    capsys.readouterr()
    try:
        code = main(["benchmark", *(str(word) for word in words)])
    except SystemExit as end:
        code = int(end.code or 0)
    return (code, *capsys.readouterr())


# ----------------------------------------------------------------------------------------------------- measures


def test_distinct_is_the_share_of_different_n_grams():
    assert samples.distinct(["a b a", "a b c"], 1) == 100 * 3 / 6
    assert samples.distinct(["a b a", "a b c"], 2) == 100 * 3 / 4
    assert samples.distinct(["a"], 2) == 0


def test_self_bleu_is_bleu_with_the_others_as_references():
    texts = ["the cat sees the dog on a mat", "the cat sees the dog", "a dog sees a cat on a mat", "the cat sees a mat"]
    bleu = BLEU(tokenize="none", effective_order=False, smooth_method="floor", smooth_value=0.5)
    for number, found in enumerate(samples.self_bleu(texts)):
        others = [[text] for place, text in enumerate(texts) if place != number]
        assert found == pytest.approx(bleu.corpus_score([texts[number]], others).score, abs=1e-6)
    assert samples.self_bleu(["a b c d e"] * 3) == pytest.approx([100.0] * 3)


def test_the_nearest_sentence_is_found_by_edit_distance():
    texts = ["the cat sees the dog", "a bird sings", "the cat sees a dog today", "x y z"]
    found = samples.Nearest(texts).find(["the cat sees a dog", "a bird sings", "nothing known"], lambda done: None)
    assert found[0] == ("the cat sees a dog today", 1 / 6)  # not "the cat sees the dog": 1 / 5
    assert found[1] == ("a bird sings", 0.0)
    assert found[2][1] == 1.0


def test_perplexity_counts_every_word_and_one_end_for_each_sentence():
    found = judge.perplexity("p", "", [4.0, 11.0], ["a", "b c d e f"])
    assert found.value == pytest.approx(math.exp(15 / 8))
    assert found.low < found.value < found.high


# ----------------------------------------------------------------------------------------------------- commands


@pytest.fixture(scope="module")
def labelled(tmp_path_factory) -> Path:
    """A corpus with two labels that are easy to tell apart."""
    folder = tmp_path_factory.mktemp("labelled")
    lines, labels = [], []
    for animal in ("cat", "dog", "bird", "child"):
        for size in ("small", "big", "red", "old", "young"):
            for verb, label in (("sleeps", "still"), ("waits", "still"), ("runs", "moving"), ("jumps", "moving")):
                lines.append(f"the {size} {animal} {verb}")
                labels.append(label)
    for name in ("train", "test"):
        (folder / f"{name}.txt").write_text("\n".join(f"{line} {name}" for line in lines) + "\n")
        (folder / f"{name}.label").write_text("\n".join(labels) + "\n")
    words = {"codec": "words", "labels": "*.label", "valid_share": "0.1"}
    build([str(folder / "train.txt")], folder / "corpus", test=str(folder / "test.txt"), settings=words)
    return folder / "corpus"


def test_samples(toy_run, toy_language_model, toy_corpus, capsys):
    words = ["samples", "--model", toy_run, "--judge", toy_language_model, "--data", toy_corpus]
    few = ["-n", 40, "--reverse-steps", 3, "--show", 2, "--threads", 1]
    code, out, error = call(capsys, *words, *few, "--json")
    assert (code, error) == (0, "")
    facts = json.loads(out)
    figures = {figure["name"]: figure for figure in facts["figures"]}
    names = ["forward perplexity", "forward perplexity, real", "reverse perplexity, samples of the judge", "self-BLEU"]
    assert set(names) < set(figures)
    assert all(figures[name]["low"] <= figures[name]["value"] <= figures[name]["high"] for name in names)
    assert facts["prior"] == "N(0, I)"
    assert len(facts["nearest"]) == 2
    assert call(capsys, *words, *few, "--json")[1] == out
    said = call(capsys, *words, "-n", 5, "--reverse-steps", 0, "--beams", 2)[1]
    assert "5 samples, prior N(0, I), 2 beams, seed 0; beside corpus" in said
    assert "reverse" not in said
    ways = [
        (["--min-p", 0.05, "--best-of", 2], "min-p 0.05, the best of 2"),
        (["--code-temperature", 0.5], "temperature 1, code temperature 0.5"),
        ([], "temperature 1"),
    ]
    for chosen, told in ways:
        said = call(capsys, *words, "-n", 5, "--reverse-steps", 0, *chosen)[1]
        assert f"5 samples, prior N(0, I), {told}, seed 0" in said
    said = call(capsys, *words, "-n", 5, "--reverse-steps", 0, "--beams", 2, "--code-temperature", 0)[1]
    assert re.search(r"different samples +20\.0+ +% of samples +1\n", said), "one code, one sentence"
    code, _, error = call(capsys, *words, "-n", 5, "--beams", 2, "--top-k", 3)
    assert (code, error.count("\n")) == (2, 1)
    assert "leave out the prompt, temperature and top-*" in error
    assert "--best-of 5000: expected 1 to 1,000" in call(capsys, *words, "-n", 5, "--best-of", 5000)[2]


def test_attribute(toy_run, toy_language_model, labelled, capsys, tmp_path):
    from textgen.runs.screen import Screen

    settings = {**small.settings("vae"), "precision": "fp32", "lr": 1e-2, "lr_warmup": 0}
    begin([labelled], tmp_path / "r", settings=settings, steps=5, device="cpu", threads=1).train(Screen(quiet=True))
    words = ["attribute", "--model", tmp_path / "r", "--judge", toy_language_model, "--data", labelled]
    code, out, error = call(capsys, *words, "-n", 6, "--strengths", "0,2", "--show", 1, "--beams", 1, "--json")
    assert (code, error) == (0, "")
    facts = json.loads(out)
    figures = {figure["name"]: figure["value"] for figure in facts["figures"]}
    assert figures["classifier, real sentences"] == 100
    assert {"accuracy, strength 0", "BLEU, strength 2", "perplexity, strength 2"} < set(figures)
    assert [(one["from"], one["to"]) for one in facts["examples"]] == [("moving", "still"), ("still", "moving")]
    assert all(list(one["changed"]) == ["0", "2"] for one in facts["examples"])


def test_ways_between_labels():
    assert attribute.ways(["b", "a"], None, None) == [("a", "b"), ("b", "a")]
    assert attribute.ways(["b", "a", "c"], "c", "a") == [("c", "a")]
    plain = from_texts(["a b", "b c", "c d", "d e"], "words", valid_share="0", test_share="0")
    with pytest.raises(InputError, match="has 0 labels: expected two or more"):
        attribute.labelled(plain.rows("train"), "it")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["samples", "-n", "1"], "-n 1: expected 2 to"),
        (["samples", "--judge", "RUN"], "a vae is no language model"),
        (["samples", "--data", "nowhere"], "nowhere"),
        (["samples", "--prior", "flow"], "only `normal` can take the place"),
        (["attribute", "--data", "LABELS", "--from", "still"], "give both --from and --to: labels "),
        (["attribute", "--data", "LABELS", "--from", "stil", "--to", "moving"], "did you mean 'still'?"),
        (["attribute", "--data", "LABELS", "--strengths", "1,x"], "--strengths '1,x': expected numbers"),
        (["smaples"], "did you mean 'samples'?"),
    ],
)
def test_bad_input_gets_one_line(toy_run, toy_language_model, toy_corpus, labelled, capsys, words, message):
    names = {"RUN": str(toy_run), "LABELS": str(labelled)}
    given = [names.get(word, word) for word in words]
    for option, value in (("--model", toy_run), ("--judge", toy_language_model), ("--data", toy_corpus)):
        if option not in given and given[0] != "smaples":
            given += [option, value]
    code, out, error = call(capsys, *given)
    assert (code, out, error.count("\n")) == (2, "", 1)
    assert message in error
