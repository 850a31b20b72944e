"""A new modality, a new codec and a new source are one file each: those of `leaves` are dropped in and work."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

import small
from corpora import cli, modality
from corpora.build import build, from_texts
from corpora.errors import InputError

TUNES = ["".join(notes) for notes in itertools.product("cde-", repeat=3)]


@pytest.fixture
def leaves(monkeypatch):
    """The files of `leaves`, as if they lay in `corpora`."""
    with small.dropped_in(monkeypatch, Path(__file__).parent / "leaves", "corpora"):
        yield


@pytest.fixture
def tunes(tmp_path) -> Path:
    path = tmp_path / "x.tune"
    path.write_text("\n".join([*TUNES, "", "ccc"]) + "\n")
    return path


def test_a_source_a_codec_and_a_modality_are_found_by_their_files(leaves, tmp_path, tunes):
    corpus = build([str(tunes)], tmp_path / "tunes", settings={"valid_share": 0.25, "rests": "true"})
    assert {name: len(rows) for name, rows in corpus.splits.items()} == {"train": 42, "valid": 16, "test": 6}
    assert corpus.manifest["dropped"] == {"no note": 1, "duplicates": 1}
    assert corpus.manifest["source"]["name"] == "tunes"
    everything = [rows.thing(row) for rows in corpus.splits.values() for row in range(len(rows))]
    assert sorted(everything) == sorted(TUNES)
    assert modality.modality_of(corpus.codec).preview(corpus.codec, [[3, 4, 1]], tmp_path, "x") == [("tune", "cd")]
    again = build([str(tunes)], tmp_path / "again", settings={"codec_from": str(tmp_path / "tunes"), "rests": "false"})
    assert again.codec.to_dict() == corpus.codec.to_dict()
    assert len(again.rows("train")) < 42  # cc- and c-c are the same


def test_the_command_line_knows_them(leaves, tmp_path, tunes, capsys):
    assert cli.main(["build", str(tunes), "rests=false", "--out", str(tmp_path / "tunes")]) == 0
    assert "notes codec of tunes, 3 notes" in capsys.readouterr().out
    assert cli.main(["show", str(tmp_path / "tunes"), "--verify"]) == 0
    assert "from      tunes: x.tune" in capsys.readouterr().out
    assert cli.main(["list"]) == 0
    listed = capsys.readouterr().out
    assert "source tunes: A source in one file" in listed and "codecs of tunes: notes" in listed
    assert "rests=True" in listed and "shout" in listed
    assert cli.main(["build", str(tunes), "rest=false", "--out", str(tmp_path / "other")]) == 2
    assert "rests" in capsys.readouterr().err


def test_a_codec_of_text_is_one_file(leaves):
    corpus = from_texts([f"line {letter}" for letter in "abcdefghij"], "shout")
    assert corpus.rows("train").text(0).startswith("LINE ")


def test_without_their_files_nothing_knows_them():
    assert "tune" not in modality.names()
    with pytest.raises(InputError, match="no codec 'shout': choose from bytes"):
        from_texts(["a", "b", "c"], "shout")
