"""A run of a model with two players and no likelihood: nothing in `runs` asks for one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from toyruns import Crash, assert_same, contents, crash, resume, start

import textgen.models
from corpora import Corpus
from textgen.core import checkpoint
from textgen.runs import library, session
from textgen.runs.plan import Plan, plan
from textgen.runs.run import Run
from textgen.runs.screen import Screen

MODELS = Path(__file__).parent / "models"


@pytest.fixture(autouse=True)
def toy_model(monkeypatch) -> None:
    """The toy is one file more among the models; alarms may be raised from the first step."""
    monkeypatch.setattr(textgen.models, "__path__", [*textgen.models.__path__, str(MODELS)])
    monkeypatch.setattr(session, "SOON", 0)


def duel(corpus: Path, folder: Path, **chosen: object) -> Plan:
    options = {"steps": 24, "every": 6, "batch": 16, "seed": 1, "device": "cpu", "threads": 1, **chosen}
    settings = {"precision": "fp32", "lr": 5e-3, "lr_warmup": 4}
    return plan(Corpus.open(corpus), folder, corpus, model="duel", settings=settings, **options)


def test_two_players_crashed_are_resumed_bit_for_bit_alarms_included(toy_corpus, tmp_path):
    start(tmp_path / "whole", duel(toy_corpus, tmp_path / "whole"))
    folder = tmp_path / "crashed"
    with pytest.raises(Crash):
        start(folder, duel(toy_corpus, folder), {3: crash})
    for step in (11, 20):
        with pytest.raises(Crash):
            resume(folder, {step: crash})
    resume(folder)
    assert_same(tmp_path / "whole", folder)
    assert "alarms.jsonl" in contents(folder)


def test_an_alarm_is_printed_and_recorded_once(toy_corpus, tmp_path, capsys):
    folder = tmp_path / "run"
    with pytest.raises(Crash):
        start(folder, duel(toy_corpus, folder), {20: crash})
    assert capsys.readouterr().err.count("warning: ") == 1
    Run.open(folder).train(Screen(quiet=True))
    (line,) = map(json.loads, (folder / "alarms.jsonl").read_text().splitlines())
    assert (line["step"], line["name"], line["advice"]) == (12, "late", "Train the generator more often")
    assert capsys.readouterr().err.count("warning: ") == 0, "it is in the log of the run that is resumed"
    Run.create(tmp_path / "other", duel(toy_corpus, tmp_path / "other")).train(Screen(quiet=True))
    warnings = [text for text in capsys.readouterr().err.splitlines() if text.startswith("warning: ")]
    assert warnings == [f"warning: {line['cause']}. {line['advice']}"]


def test_without_a_score_the_newest_checkpoint_is_the_best(toy_corpus, tmp_path):
    folder = tmp_path / "run"
    with pytest.raises(Crash):
        start(folder, duel(toy_corpus, folder), {20: crash})
    assert checkpoint.step_of(library.best(folder)) == 18
    assert checkpoint.step_of(resume(folder)) == 24


def test_its_numbers_are_named_as_it_names_them_and_are_no_nats(toy_corpus, tmp_path, capsys):
    folder = tmp_path / "run"
    Run.create(folder, duel(toy_corpus, folder)).train(Screen())
    said = capsys.readouterr().err
    assert "nats" not in said
    assert "best so far" not in said
    lines = [line for line in said.splitlines() if line.startswith("step ")]
    assert all("loss" in line for line in lines)
    metrics = contents(folder)["metrics"]
    assert {"critic loss", "generator loss"} <= set(metrics[0])
    assert "valid score" not in metrics[-1]


def test_it_can_be_opened_and_draws(toy_corpus, tmp_path):
    folder = tmp_path / "run"
    opened = library.open_model(start(folder, duel(toy_corpus, folder)))
    assert opened.model.sample(3, length=opened.length, seed=0).shape == (3, 8)
    shared = library.export(opened, tmp_path / "shared")
    assert "duel" in (shared / "README.md").read_text()
