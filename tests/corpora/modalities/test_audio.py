"""Sound: files in, the mu-law codec, corpora of clips, files out."""

from __future__ import annotations

import struct
import wave
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from corpora import codec as codecs
from corpora import modality
from corpora.build import build, build_items
from corpora.codecs.mulaw import CLASSES, Mulaw, compand, expand
from corpora.corpus import Corpus
from corpora.errors import InputError
from corpora.row import Clip
from corpora.sounds import riff, sound

RATE = 8000
EVERY = np.arange(-(2**15), 2**15).astype(np.int16)


def tone(pitch: float, seconds: float = 0.05, loud: float = 0.5) -> np.ndarray:
    times = np.arange(round(seconds * RATE)) / RATE
    return np.rint(loud * 32767 * np.sin(2 * np.pi * pitch * times)).astype(np.int16)


def write_raw(path: Path, data: bytes, *, channels: int = 1, width: int = 2, rate: int = RATE) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(width)
        file.setframerate(rate)
        file.writeframes(data)
    return path


def write_folder(folder: Path, count: int = 12) -> Path:
    for number in range(count):
        path = folder / "ab"[number % 2] / f"{number}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        sound.write(path, tone(200 + 20 * number, 0.02 + 0.002 * number), RATE)
    return folder


def refused(call, *inputs, **options) -> str:
    with pytest.raises(InputError) as caught:
        call(*inputs, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


# The codec


def test_companding_is_that_of_the_paper():
    share = EVERY / 32768
    exact = np.sign(share) * np.log(1 + 255 * np.abs(share)) / np.log(256)
    assert (compand(EVERY) == np.floor((exact + 1) / 2 * 255 + 0.5)).all()
    assert compand(np.array([-(2**15), 0, 2**15 - 1], np.int16)).tolist() == [0, 128, 255]
    assert (np.diff(compand(EVERY)) >= 0).all()


def test_every_sample_comes_back_within_the_step_of_the_quantiser():
    middles = expand(np.arange(CLASSES)).astype(np.int64)
    assert (np.diff(middles) > 0).all()
    classes = compand(EVERY)
    steps = np.maximum(np.diff(middles, prepend=-40_000), np.diff(middles, append=40_000))[classes]
    apart = np.abs(middles[classes] - EVERY)
    assert (apart <= steps).all()
    assert apart[np.abs(EVERY.astype(int)) < 100].max() < 8  # fine where sound is soft


@settings(deadline=None)
@given(st.lists(st.integers(3, 258), max_size=50))
def test_tokens_come_back_exactly(tokens):
    codec = Mulaw(RATE)
    assert codec.encode(codec.decode(tokens)) == tokens


@settings(deadline=None)
@given(arrays(np.int16, st.integers(0, 60)))
def test_a_second_pass_changes_nothing(samples):
    codec = Mulaw(RATE)
    once = codec.decode(codec.encode(samples))
    assert once.dtype == np.int16 and once.shape == samples.shape
    assert (codec.decode(codec.encode(once)) == once).all()


def test_a_row_ends_at_its_stop_and_strange_tokens_are_refused():
    codec = Mulaw(RATE)
    assert codec.decode([130, 0, 140, 1, 150]).tolist() == codec.decode([130, 140]).tolist()
    assert codec.decode([2]).tolist() == [0]
    assert refused(codec.decode, [259]) == "token 259 is outside the vocabulary of 259"
    assert "expected (T,), int16" in refused(codec.encode, np.zeros(3))


def test_the_codec_is_saved_and_what_is_malformed_is_refused():
    data = Mulaw(RATE, notes=["a note"]).to_dict()
    codec = codecs.from_dict(data)
    assert codec.to_dict() == data and codec.sample_rate == RATE and codec.shape is codec.lab is None
    assert "sample_rate=5: expected 1,000 to 192,000" in refused(codecs.from_dict, {**data, "sample_rate": 5})
    assert "'sample_rate' is None" in refused(codecs.from_dict, {**data, "sample_rate": None})
    assert "vocab_size" in refused(codecs.from_dict, {**data, "vocab_size": 256})


# Files


@pytest.mark.parametrize("width", [1, 2, 3, 4])
def test_wav_of_every_width_is_read(tmp_path, width):
    samples = np.array([0, 256, -256, 32512, -32768], np.int16)
    if width == 1:
        data = ((samples >> 8) + 128).astype(np.uint8).tobytes()
    else:
        wide = (samples.astype("<i8") << (8 * (width - 2)))[:, None].view(np.uint8)
        data = wide[:, :width].tobytes()
    back, rate, done = sound.read(write_raw(tmp_path / "x.wav", data, width=width))
    assert back.tolist() == samples.tolist() and back.dtype == np.int16 and rate == RATE
    assert done == (() if width == 2 else (f"brought from {8 * width} bits to 16",))


def test_channels_are_mixed_and_it_is_said(tmp_path):
    both = np.stack([np.array([100, -100, 32767]), np.array([300, -100, 32767])], 1).astype("<i2")
    samples, _, done = sound.read(write_raw(tmp_path / "x.wav", both.tobytes(), channels=2))
    assert samples.tolist() == [200, -100, 32767]
    assert done == ("mixed from 2 channels to one",)


def test_wav_is_written_and_read_again(tmp_path):
    samples = tone(440)
    sound.write(tmp_path / "x.wav", samples, RATE)
    assert (sound.read(tmp_path / "x.wav")[0] == samples).all()
    with wave.open(str(tmp_path / "x.wav")) as file:
        assert file.getparams()[:4] == (1, 2, RATE, len(samples))


def head(kind: int, bits: int, channels: int = 1, more: bytes = b"") -> bytes:
    """A `fmt ` chunk."""
    block = channels * bits // 8
    body = struct.pack("<HHIIHH", kind, channels, RATE, RATE * block, block, bits) + more
    return b"fmt " + struct.pack("<I", len(body)) + body


def riff_file(*chunks: bytes, name: bytes = b"RIFF", size: int | None = None) -> bytes:
    body = b"WAVE" + b"".join(chunks)
    return name + struct.pack("<I", len(body) if size is None else size) + body


def samples_of(data: bytes, size: int | None = None) -> bytes:
    """A `data` chunk."""
    return b"data" + struct.pack("<I", len(data) if size is None else size) + data


def test_wav_of_fractions_is_read():
    values = np.array([0, 0.5, -0.5, -1, 32767 / 32768], np.float64)
    for width in (4, 8):
        parsed = riff.parse(riff_file(head(3, 8 * width), samples_of(values.astype(f"<f{width}").tobytes())), 99)
        assert parsed.samples[:, 0].tolist() == [0, 16384, -16384, -32768, 32767]
        assert parsed.done == (f"brought from fractions of {8 * width} bits to 16 bits",)
    parsed = riff.parse(riff_file(head(3, 32), samples_of(np.array([2, -2], "<f4").tobytes())), 99)
    assert parsed.samples[:, 0].tolist() == [32767, -32768] and "beyond full scale" in parsed.done[1]
    with pytest.raises(riff.Damaged, match="NaN"):
        riff.parse(riff_file(head(3, 32), samples_of(np.array([np.nan], "<f4").tobytes())), 99)


def test_wav_of_the_telephone_is_read():
    """Values of ITU-T G.711, tables 1 and 2: the ends, the middle, and codes of several segments."""
    codes = bytes([0x00, 0x80, 0x7F, 0xFF, 0x0F, 0x8F, 0x1E, 0x5A])
    parsed = riff.parse(riff_file(head(7, 8), samples_of(codes)), 99)
    assert parsed.samples[:, 0].tolist() == [-32124, 32124, 0, 0, -16764, 16764, -8828, -556]
    codes = bytes([0x55, 0xD5, 0x2A, 0xAA, 0x00, 0x80, 0x7F, 0xFF])
    parsed = riff.parse(riff_file(head(6, 8), samples_of(codes)), 99)
    assert parsed.samples[:, 0].tolist() == [-8, 8, -32256, 32256, -5504, 5504, -848, 848]
    assert parsed.done == ("unpacked from A-law",)


def test_chunks_before_the_samples_are_skipped():
    data = np.array([1, 2, 3], "<i2").tobytes()
    odd = b"LIST" + struct.pack("<I", 3) + b"abc\0"  # padded to an even place
    for file in (
        riff_file(odd, head(1, 16), odd, samples_of(data), odd),
        riff_file(head(0xFFFE, 16, more=struct.pack("<HHI", 22, 16, 4) + b"\1\0" + bytes(14)), samples_of(data)),
        riff_file(b"ds64" + struct.pack("<IQQQ", 24, 99, 6, 3), head(1, 16), samples_of(data, 2**32 - 1) + odd,
                  name=b"RF64", size=2**32 - 1),
    ):  # fmt: skip
        assert riff.parse(file, 99).samples[:, 0].tolist() == [1, 2, 3]
    open_end = riff.parse(riff_file(head(1, 16), samples_of(data, 2**32 - 1), size=2**32 - 1), 99)
    assert open_end.samples[:, 0].tolist() == [1, 2, 3] and "read to the end" in open_end.done[0]
    with pytest.raises(InputError, match="more than 2 samples"):
        riff.parse(riff_file(head(1, 16), samples_of(data)), 2)


@settings(deadline=None)
@given(st.data())
def test_a_damaged_wav_is_read_or_refused_in_one_line(tmp_path_factory, data):
    """Any bytes changed, added or cut off: no other error than ours."""
    file = bytearray(riff_file(head(1, 16, 2), b"LIST" + struct.pack("<I", 2) + b"ab", samples_of(bytes(range(80)))))
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(file) - 1))
        file[place : place + data.draw(st.integers(0, 2))] = data.draw(st.binary(max_size=4))
    path = tmp_path_factory.getbasetemp() / "damaged.wav"
    path.write_bytes(bytes(file))
    try:
        samples, rate, _ = sound.read(path)
        assert samples.dtype == np.int16 and samples.ndim == 1 and len(samples) and rate >= 1000
    except InputError as error:
        assert "\n" not in str(error) and "damaged.wav" in str(error)


def test_files_that_cannot_be_read(tmp_path):
    assert "no such file or folder" in refused(sound.read, tmp_path / "none.wav")
    (tmp_path / "empty.wav").touch()
    assert refused(sound.read, tmp_path / "empty.wav").endswith("empty.wav: the file is empty")
    whole = sound.wav(tone(440), RATE)
    (tmp_path / "cut.wav").write_bytes(whole[:-101])
    assert "damaged: it is cut off; get it again" in refused(sound.read, tmp_path / "cut.wav")
    (tmp_path / "head.wav").write_bytes(whole[:20])
    assert "damaged" in refused(sound.read, tmp_path / "head.wav")
    sound.write(tmp_path / "none.wav", np.zeros(0, np.int16), RATE)
    assert "no sample in this file" in refused(sound.read, tmp_path / "none.wav")
    write_raw(tmp_path / "slow.wav", b"\0\0" * 9, rate=10)
    assert "10 samples in a second: expected 1,000 to 192,000" in refused(sound.read, tmp_path / "slow.wav")


def test_what_needs_soundfile_says_so(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "soundfile", None)
    (tmp_path / "x.flac").write_bytes(b"fLaC" + bytes(40))
    assert "install soundfile to read it (pip install soundfile)" in refused(sound.read, tmp_path / "x.flac")
    data = bytearray(sound.wav(tone(440), RATE))
    data[20:22] = (2).to_bytes(2, "little")  # ADPCM
    (tmp_path / "rare.wav").write_bytes(data)
    assert "a WAV file of a rare kind (format 2): install soundfile" in refused(sound.read, tmp_path / "rare.wav")


def test_flac_is_read(tmp_path):
    soundfile = pytest.importorskip("soundfile")
    soundfile.write(str(tmp_path / "x.flac"), tone(440), RATE)
    samples, rate, _ = sound.read(tmp_path / "x.flac")
    assert (samples == tone(440)).all() and rate == RATE
    (tmp_path / "bad.flac").write_bytes(b"fLaC" + bytes(40))
    assert "expected WAV or FLAC" in refused(sound.read, tmp_path / "bad.flac")


def test_resampling_keeps_a_tone():
    half = sound.resampled(tone(300, 0.5), RATE, RATE // 2).astype(float)
    assert len(half) == 2000
    pitch = np.abs(np.fft.rfft(half)).argmax() / 0.5
    assert pitch == 300


def test_silence_is_cut_off():
    quiet = np.zeros(800, np.int16)
    samples = np.concatenate([quiet, tone(400, 0.1), quiet])
    cut = sound.trimmed(samples, RATE, 40)
    assert len(cut) == 800 and cut.any()
    assert len(sound.trimmed(quiet, RATE, 40)) == 0
    assert np.abs(sound.louder(tone(400, loud=0.1)).astype(int)).max() == 32767
    assert not sound.louder(quiet).any()


# Corpora


def test_a_folder_of_clips_is_built(tmp_path):
    folder = write_folder(tmp_path / "digits")
    corpus = build([str(folder)], tmp_path / "c", settings={"valid_share": "0.2", "test_share": "0.2"})
    corpus = Corpus.open(tmp_path / "c", verify=True)
    assert corpus.codec.name == "mulaw" and corpus.codec.sample_rate == RATE
    assert corpus.manifest["label_names"] == ["a", "b"]
    assert sum(len(rows) for rows in corpus.splits.values()) == 12
    wanted = {compand(sound.read(path)[0]).tobytes(): path.parent.name for path in folder.rglob("*.wav")}
    for rows in corpus.splits.values():
        for row in range(len(rows)):
            assert wanted[(rows[row].astype(np.int64) - 3).tobytes()] == rows.label(row)
            assert (rows.thing(row) == expand(rows[row].astype(np.int64) - 3)).all()
    batch = corpus.batch(0, 0, 4)
    assert batch.tokens.shape[0] == 4 and (batch.tokens == 1).sum() == 4
    assert "the rows are sound (codec mulaw): this works on text" in refused(corpus.splits["train"].text, 0)
    assert "this works on pictures" in refused(corpus.splits["train"].picture, 0)


def test_clips_are_shown_as_files(tmp_path):
    corpus = build([str(write_folder(tmp_path / "digits"))], tmp_path / "c")
    rows = corpus.splits["train"]
    kind = modality.modality_of(corpus.codec)
    assert (kind.name, kind.unit, kind.units, kind.program) == ("audio", "clip", "clips", "textgen")
    assert kind.describe(corpus.codec) == "mulaw codec of sound, 8,000 samples in a second"
    shown = kind.preview(corpus.codec, [rows[0].tolist(), rows[1].tolist()], tmp_path / "samples", "step-7")
    assert [what for what, _ in shown] == ["sample", "sample"]
    assert shown[1][1].startswith("step-7-2.wav (0.")
    assert (sound.read(tmp_path / "samples" / "step-7-2.wav")[0] == rows.thing(1)).all()


def test_folders_may_be_splits_and_names_labels(tmp_path):
    for number, split in enumerate(("train", "train", "train", "valid", "test")):
        path = tmp_path / "in" / split / f"{number % 3}_jack_{number}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        sound.write(path, tone(300 + 50 * number), RATE)
    corpus = build([str(tmp_path / "in")], tmp_path / "c", settings={"label_from": "name"})
    assert {name: len(rows) for name, rows in corpus.splits.items()} == {"train": 3, "valid": 1, "test": 1}
    assert corpus.splits["test"].label(0) == "1"
    assert "files by the split that they or their folders name: 3 train, 1 valid, 1 test" in corpus.manifest["notes"]
    assert build([str(tmp_path / "in")], tmp_path / "d").manifest["label_names"] == []
    only = refused(build, [str(tmp_path / "in")], tmp_path / "e", settings={"limit": 1})
    assert only == "every clip that was read is held out (test): add some for train, or raise limit"


def test_clips_of_several_rates_are_one_only_if_asked(tmp_path):
    folder = write_folder(tmp_path / "in")
    sound.write(folder / "z.wav", tone(500), 2 * RATE)
    message = refused(build, [str(folder)], tmp_path / "c")
    assert "z.wav has 16,000 samples in a second, but " in message
    assert message.endswith("sample_rate=8000 brings all to one")
    corpus = build([str(folder)], tmp_path / "c", settings={"sample_rate": RATE})
    assert corpus.manifest["notes"] == [
        "1 clip brought from 16,000 samples in a second to 8,000",
        "1 of 13 clips: without a label",
    ]


def test_clips_that_are_dropped_are_counted(tmp_path):
    clips = [tone(300 + number) for number in range(5)]
    clips += [clips[0], np.zeros(400, np.int16), tone(300, 0.5), tone(300, 0.01)]
    items = {"train": [Clip(one, RATE, None, f"clip {number}") for number, one in enumerate(clips)]}
    settings = {"min_seconds": 0.02, "max_seconds": 0.1, "valid_share": 0, "test_share": 0}
    build_items(items, tmp_path / "c", "audio", settings=settings)
    manifest = Corpus.open(tmp_path / "c", verify=True).manifest
    assert manifest["read"] == 9 and manifest["splits"]["train"]["rows"] == 5
    assert manifest["dropped"] == {"silent": 1, "too long": 1, "too short": 1, "duplicates": 1}


def test_arrays_of_clips_are_read(tmp_path):
    clips = [tone(300 + 10 * number, 0.02 + 0.001 * number) for number in range(6)]
    offsets = np.cumsum([0, *map(len, clips)])
    arrays = {"samples": np.concatenate(clips), "offsets": offsets, "rate": np.array(RATE), "label": np.arange(6)}
    np.savez(tmp_path / "x.npz", **arrays)
    whole = {"valid_share": 0, "test_share": 0}  # a label that no training row has would be none
    corpus = build([str(tmp_path / "x.npz")], tmp_path / "c", source="audio", settings=whole)
    assert sum(len(rows) for rows in corpus.splits.values()) == 6 and len(corpus.manifest["label_names"]) == 6
    for change, message in (
        ({"offsets": offsets[:-1]}, "offsets should ascend from 0 to the number of samples"),
        ({"samples": np.concatenate(clips) / 2}, "samples should be int16"),
        ({"label": np.arange(5)}, "expected one for each of 6 clips"),
    ):
        np.savez(tmp_path / "y.npz", **{**arrays, **change})
        assert message in refused(build, [str(tmp_path / "y.npz")], tmp_path / "d", source="audio")


def test_a_codec_is_taken_from_another_corpus(tmp_path):
    folder = str(write_folder(tmp_path / "in"))
    build([folder], tmp_path / "c", settings={"sample_rate": 4000})
    other = build([folder], tmp_path / "d", settings={"codec_from": str(tmp_path / "c")})
    assert other.codec.sample_rate == 4000
    message = refused(build, ["toy"], tmp_path / "e", settings={"codec_from": str(tmp_path / "c")})
    assert "its codec is mulaw, for sound; sentences need bytes or characters or pieces or words" in message
    settings = {"codec_from": str(tmp_path / "c"), "sample_rate": 8000}
    assert "the codec that is taken has 4000" in refused(build, [folder], tmp_path / "e", settings=settings)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"sample_rate": 10}, "sample_rate=10: expected 1,000 to 192,000, or none"),
        ({"max_seconds": 0}, "max_seconds=0: expected a number of seconds above 0"),
        ({"min_seconds": 20}, "min_seconds=20 is more than max_seconds=10"),
        ({"trim": -1}, "trim=-1: expected a number of dB above 0, or none"),
        ({"label_from": "file"}, "no label_from 'file'"),
        ({"colours": 3}, "unknown setting 'colours'"),
    ],
)
def test_settings_that_cannot_work(tmp_path, settings, message):
    assert message in refused(build, ["x.wav"], tmp_path / "c", settings=settings)
