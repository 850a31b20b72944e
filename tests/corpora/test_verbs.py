"""Verbs of corpora: what they return, what it prints, and that a new modality or codec is in the list."""

from __future__ import annotations

import inspect
import json

import numpy as np
import pytest
from PIL import Image

from corpora import build as building
from corpora import modality, overview, settings, verbs
from corpora.corpus import Corpus
from corpora.errors import InputError
from corpora.row import Picture, Row
from corpora.sounds import sound


def test_every_source_modality_and_codec_is_listed():
    listing = verbs.list_()
    text = str(listing)
    for name in settings.names("corpora.sources"):
        assert f"source {name}: " in text
    for name in modality.names():
        assert f"every build of {modality.get(name).units}: " in text
    assert sorted(name for some in listing.codecs.values() for name in some) == settings.names("corpora.codecs")
    data = json.loads(json.dumps(listing.to_dict()))
    assert data["source toy"]["count"] == {"default": "2000", "doc": "sentences"}
    assert data["codecs"]["clips"] == ["mulaw"]


def test_build_takes_what_the_builder_takes():
    ours, theirs = (inspect.signature(one).parameters for one in (verbs.build, building.build))
    assert {name: one.default for name, one in ours.items()}.items() <= {
        name: one.default for name, one in theirs.items()
    }.items()


def test_build_and_show_text(tmp_path):
    built = verbs.build(["toy"], tmp_path / "c", settings={"count": 300, "codec": "words"})
    assert str(built).startswith(f"built {tmp_path / 'c'}: ") and "words codec with" in str(built)
    assert json.loads(json.dumps(built.to_dict()))["fingerprint"] == built.corpus.fingerprint
    shown = verbs.show(tmp_path / "c", verify=True, n=2)
    assert [len(some) for some in shown.examples.values()] == [2, 2, 2]
    assert "every byte verified" in str(shown) and "not in vocabulary" in str(shown)
    assert json.loads(json.dumps(shown.to_dict()))["splits"]["train"]["length_median"] >= 3


def test_build_and_show_pictures_and_clips(tmp_path):
    verbs.build(["sprites"], tmp_path / "p", settings={"count": 60})
    shown = verbs.show(tmp_path / "p")
    assert "pictures of 16x16" in str(shown) and shown.to_dict()["palette"]["order"] == "down"
    times = np.arange(400)
    (tmp_path / "in").mkdir()
    for number in range(10):
        samples = (9000 * np.sin(times * (0.1 + number / 100))).astype(np.int16)
        sound.write(tmp_path / "in" / f"{number}.wav", samples, 8000)
    built = verbs.build([str(tmp_path / "in")], tmp_path / "a")
    assert "mulaw codec of sound, 8,000 samples in a second" in str(built)
    assert verbs.show(tmp_path / "a").to_dict()["mulaw"] == {"vocab_size": 259, "sample_rate": 8000}


def test_a_histogram_counts_every_row_once():
    draw = np.random.default_rng(0)
    for lengths in (np.array([7]), np.arange(1, 13), draw.integers(3, 900, 500), np.array([*[5] * 400, 100_000])):
        bars = overview.histogram(lengths)
        assert 1 <= len(bars) <= overview.BARS
        assert [bar.rows for bar in bars] == [int(((lengths >= b.low) & (lengths <= b.high)).sum()) for b in bars]
        assert sum(bar.rows for bar in bars) == len(lengths)
        assert (bars[0].low, bars[-1].high) == (lengths.min(), lengths.max())
    assert overview.histogram(np.zeros(0, int)) == []
    assert overview.bars({"1-5": 10, "6": 1, "7": 0}) == [
        f"  1-5  {'#' * 40}        10", f"    6  {'####':<40}         1", f"    7  {'':<40}         0",
    ]  # fmt: skip


def test_show_counts_lengths_and_labels_and_cuts_long_rows(tmp_path):
    rows = [Row("word " * (1 + i % 4) + f"x{i}", "ab"[i % 3 == 0] if i % 5 else None) for i in range(100)]
    building.build_items(
        {"train": rows, "test": [Row("word " * 100, "a")]}, tmp_path / "c", settings={"codec": "words"}
    )
    shown = verbs.show(tmp_path / "c")
    assert [bar.rows for bar in shown.lengths] == [25, 25, 25, 25] and shown.lengths[0][:2] == (3, 3)
    assert shown.labels == {
        "a": {"train": 53, "test": 1}, "b": {"train": 27, "test": 0}, "(none)": {"train": 20, "test": 0},
    }  # fmt: skip
    text = str(shown)
    assert "lengths of train, in tokens (stop counted)\n  3  ####" in text
    assert "(none)          20           0" in text
    assert text.count("word ") >= 10 and f"{'word ' * 60}... (499 characters)" in text
    data = json.loads(json.dumps(shown.to_dict()))
    assert data["lengths"]["bars"][0] == {"low": 3, "high": 3, "rows": 25}
    assert data["examples"]["test"][0]["text"] == ("word " * 100).strip()
    with pytest.raises(InputError, match="a contact sheet is of pictures; these are text"):
        shown.save(tmp_path / "x.png")


def test_show_draws_pictures_and_their_palette(tmp_path):
    draw = np.random.default_rng(1)
    colours = np.array([[0, 0, 0, 0], [255, 0, 0, 255], [0, 255, 0, 255], [10, 20, 30, 255]], np.uint8)
    pictures = [Picture(colours[draw.integers(0, 4, (6, 8))], "ab"[i % 2], str(i)) for i in range(40)]
    building.build_items({"train": pictures}, tmp_path / "c", "picture")
    shown = verbs.show(tmp_path / "c")
    tokens = Corpus.open(tmp_path / "c").rows("train").tokens
    assert shown.colours[0] == ("transparent", (tokens == 0).mean())
    assert {name for name, _ in shown.colours} == {"transparent", "#ff0000", "#00ff00", "#0a141e"}
    assert sum(share for _, share in shown.colours) == pytest.approx(1)
    assert "palette, with the share of the pixels of train\n   0 transparent" in str(shown)
    assert len(shown.to_dict()["palette"]["shares"]) == 4
    contact = shown.contact_sheet(6)
    rows = shown.corpus.rows("train")
    assert sorted(contact.lines) == ["a", "b"]
    own = [i for i in range(len(rows)) if rows.label(i) == contact.lines[0]]
    for place in range(3):  # of the first label, evenly spread
        cell = contact.pixels[1:7, 1 + 9 * place : 9 + 9 * place]
        assert (cell == rows.picture(own[place * len(own) // 3])).all()
    assert (contact.pixels[16:19, 5:8] == shown.corpus.codec.colours[1]).all()  # the second swatch
    path = shown.save(tmp_path / "x.png", 6)
    with Image.open(path) as image:
        assert image.mode in ("RGB", "RGBA") and image.width % contact.pixels.shape[1] == 0
    with pytest.raises(InputError, match="written as PNG"):
        shown.save(tmp_path / "x.jpg")
