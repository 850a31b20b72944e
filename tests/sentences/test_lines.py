"""Rows of several lines, from the file to the sample: a model of poems writes line ends."""

from __future__ import annotations

import small
from corpora import Corpus
from corpora.build import build
from textgen import verbs
from textgen.runs.plan import plan
from textgen.runs.run import Run
from textgen.runs.screen import Screen


def test_a_language_model_of_poems_writes_line_ends(tmp_path):
    (tmp_path / "poems.txt").write_text("\n\n".join(f"the {one}\nsees\na {two}" for one in "abcde" for two in "fghij"))
    corpus = tmp_path / "corpus"
    build([str(tmp_path / "poems.txt")], corpus, settings={"unit": "poem", "codec": "words", "valid_share": 0.1})
    options = {"steps": 60, "batch": 16, "seed": 3, "every": 60, "device": "cpu", "threads": 1}
    settings = {**small.settings("lm"), "precision": "fp32", "lr": 2e-2, "lr_warmup": 5}
    planned = plan(Corpus.open(corpus), tmp_path / "run", corpus, model="lm", settings=settings, **options)
    Run.create(tmp_path / "run", planned).train(Screen(quiet=True))
    drawn = verbs.sample(3, model=str(tmp_path / "run"), seed=0)
    assert all("\n" in text for text in drawn.sentences)
    assert str(drawn) == "\n\n".join(drawn.sentences)
