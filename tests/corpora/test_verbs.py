"""Verbs of corpora: what they return, what it prints, and that a new modality or codec is in the list."""

from __future__ import annotations

import inspect
import json

import numpy as np

from corpora import build as building
from corpora import modality, settings, sound, verbs


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
