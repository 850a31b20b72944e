"""Cases of sound, and of the command itself."""

from __future__ import annotations

import io
import struct
import wave
from typing import Any

import numpy as np
from cases import group
from desk import Desk, lines

# ----------------------------------------------------------------------------------------------------------- Sound

case = group("Sound")

RATE = 8000


def _tones(count: int = 12) -> list[np.ndarray]:
    times = np.arange(400) / RATE
    return [np.rint(12000 * np.sin(2 * np.pi * (200 + 30 * i) * times)).astype("<i2") for i in range(count)]


def _wav(data: bytes, channels: int = 1, width: int = 2, rate: int = RATE) -> bytes:
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(width)
        file.setframerate(rate)
        file.writeframes(data)
    return out.getvalue()


def _riff(tag: int, samples: bytes, *, bits: int = 16, channels: int = 1, before: bytes = b"", size: int | None = None,
          data_size: int | None = None, extra: bytes = b"") -> bytes:  # fmt: skip
    """A WAV file byte by byte; `size` and `data_size` put other lengths in place of the right ones."""
    block = channels * bits // 8
    head = struct.pack("<HHIIHH", tag, channels, RATE, RATE * block, block, bits) + extra
    body = b"WAVEfmt " + struct.pack("<I", len(head)) + head + before
    body += b"data" + struct.pack("<I", len(samples) if data_size is None else data_size) + samples
    return b"RIFF" + struct.pack("<I", len(body) if size is None else size) + body


def _clips(desk: Desk, **options: Any) -> list[np.ndarray]:
    """A folder `in` of tones, which are returned."""
    every = _tones()
    for i, one in enumerate(every):
        desk.put(f"in/{i:02}.wav", _wav(one.tobytes()))
    return every


def _heard(built: Any) -> list[bytes]:
    rows = [built.corpus.rows(name) for name in built.corpus.splits]
    return sorted(one.thing(i).tobytes() for one in rows for i in range(len(one)))


def _through(clips: list[np.ndarray]) -> list[bytes]:
    """Clips as the codec gives them back."""
    from corpora.codecs.mulaw import Mulaw

    codec = Mulaw(RATE)
    return sorted(codec.decode(codec.encode(one.astype(np.int16))).tobytes() for one in clips)


@case("WAV of 16 bits, one channel", "read: every sample, in 256 classes")
def wav_16(desk):
    every = _clips(desk)
    assert _heard(desk.build("in")) == _through(every)


@case("WAV of 8, 24 or 32 bits", "told: brought to 16 bits")
def wav_widths(desk):
    every = _tones()
    for width in (1, 3, 4):
        for i, one in enumerate(every):
            wide = (one.astype("<i8") << (8 * (width - 2))) if width > 1 else (one.astype("<i8") >> 8) + 128
            data = np.ascontiguousarray(wide.astype("<i8")[:, None].view(np.uint8)[:, :width]).tobytes()
            desk.put(f"w{width}/{i:02}.wav", _wav(data, width=width))
        built = desk.build(f"w{width}")
        built.tells(f"12 clips brought from {8 * width} bits to 16")
        assert _heard(built) == _through([one if width > 1 else (one >> 8) << 8 for one in every])


@case("stereo", "told: mixed to one channel")
def wav_stereo(desk):
    for i, one in enumerate(_tones()):
        desk.put(f"in/{i}.wav", _wav(np.stack([one, one], 1).tobytes(), channels=2))
    built = desk.build("in")
    assert _heard(built) == _through(_tones())
    built.tells("12 clips mixed from 2 channels to one")


@case("other chunks before the samples (`LIST`, `bext`, odd sizes)", "read: skipped")
def wav_chunks(desk):
    every = _tones()
    before = b"LIST" + struct.pack("<I", 5) + b"INFOx\0" + b"bext" + struct.pack("<I", 2) + b"ab"
    for i, one in enumerate(every):
        desk.put(f"in/{i}.wav", _riff(1, one.tobytes(), before=before))
    assert _heard(desk.build("in")) == _through(every)


@case("WAVE_FORMAT_EXTENSIBLE with whole numbers (Audacity)", "read")
def wav_extensible(desk):
    every = _tones()
    guid = bytes.fromhex("0100000000001000800000aa00389b71")
    extra = struct.pack("<HHI", 22, 16, 4) + guid
    for i, one in enumerate(every):
        desk.put(f"in/{i}.wav", _riff(0xFFFE, one.tobytes(), extra=extra))
    assert _heard(desk.build("in")) == _through(every)


@case("a stream whose head does not know its length (ffmpeg through a pipe)", "told: read to its end")
def wav_stream(desk):
    every = _tones()
    for i, one in enumerate(every):
        desk.put(f"in/{i}.wav", _riff(1, one.tobytes(), size=0xFFFFFFFF, data_size=0xFFFFFFFF))
    built = desk.build("in")
    assert _heard(built) == _through(every)
    built.tells("12 clips had no length in their head")


@case("WAV with samples as fractions (32 or 64 bits)", "told: brought to 16 bits")
def wav_fractions(desk):
    for bits in (32, 64):
        for i, one in enumerate(_tones()):
            desk.put(f"in{bits}/{i}.wav", _riff(3, (one / 32768).astype(f"<f{bits // 8}").tobytes(), bits=bits))
        built = desk.build(f"in{bits}")
        assert _heard(built) == _through(_tones())
        built.tells(f"12 clips brought from fractions of {bits} bits to 16")


@case("WAV with A-law or mu-law samples (telephone)", "told: unpacked")
def wav_laws(desk):
    for tag, name in ((6, "A"), (7, "mu")):
        for i in range(6):
            desk.put(f"{name}/{i}.wav", _riff(tag, bytes(range(i, 256)) * 3, bits=8))
        desk.build(name).tells(f"6 clips unpacked from {name}-law")


@case("WAV of rare kinds (ADPCM)", "refused: install soundfile, where it is not; then read")
def wav_rare(desk):
    code, _, err = desk.run("build", desk.put("a.wav", _riff(2, bytes(400), bits=4)), "--out", "c")
    assert code == 2 and err.count("\n") == 1 and ("soundfile" in err or "not a sound file" in err)


@case("a WAV that is cut off", "refused: cut off")
def wav_cut(desk):
    whole = _wav(_tones()[0].tobytes())
    assert "cut off" in desk.refused(desk.put("a.wav", whole[:-30]))
    assert "a.wav" in desk.refused(desk.put("a.wav", whole[:30]))
    assert "a.wav" in desk.refused(desk.put("a.wav", whole[:40]))


@case("a WAV without a sample, or an empty file", "refused: no sample, empty")
def wav_empty(desk):
    assert "no sample" in desk.refused(desk.put("a.wav", _wav(b"")))
    assert "empty" in desk.refused(desk.put("b.wav", b""))


@case("a WAV with a damaged head: 0 channels, 0 samples in a second, 13 bits", "refused: one line")
def wav_damaged(desk):
    good = _riff(1, _tones()[0].tobytes())
    for i, (place, value) in enumerate([(22, 0), (22, 9), (24, 0), (34, 13), (34, 0), (16, 3), (16, 0xFFFF), (20, 77)]):
        data = bytearray(good)
        struct.pack_into("<H", data, place, value)
        if place == 24:
            struct.pack_into("<I", data, place, value)
        code, _, err = desk.run(
            "build", desk.put(f"{i}.wav", bytes(data)), "valid_share=0", "test_share=0", "--out", f"c{i}"
        )
        assert code == 0 or (code == 2 and err.count("\n") == 1 and f"{i}.wav" in err), (place, value, err)


@case("text, MP3 or Ogg named `.wav`", "refused: not WAV or FLAC")
def wav_that_is_none(desk):
    for i, data in enumerate([b"hello\n" * 30, b"ID3\3" + bytes(400), b"OggS" + bytes(400)]):
        error = desk.refused(desk.put(f"{i}.wav", data))
        assert "WAV" in error


@case("FLAC", "read with `soundfile`, without it refused: install it; a damaged one is refused")
def flac(desk):
    code, _, err = desk.run("build", desk.put("a.flac", b"fLaC" + bytes(60)), "--out", "c")
    assert code == 2 and err.count("\n") == 1 and ("soundfile" in err or "not a sound file" in err)


@case("a folder of `.mp3`", "refused: names what is in it")
def folder_of_mp3(desk):
    desk.put("in/a.mp3", b"ID3\3" + bytes(400))
    assert ".mp3" in desk.refused("in")


@case("clips of several rates", "refused: both, and `sample_rate=`; with it told")
def wav_rates(desk):
    _clips(desk)
    desk.put("in/x.wav", _wav(_tones()[3].tobytes(), rate=16000))
    assert "sample_rate=8000" in desk.refused("in")
    desk.build("in", sample_rate=8000).tells("1 clip brought from 16,000 samples in a second to 8,000")


@case("silent, too short and too long clips", "told: dropped and counted")
def wav_dropped(desk):
    _clips(desk)
    desk.put("in/silent.wav", _wav(bytes(800)))
    desk.put("in/short.wav", _wav(_tones()[0][:8].tobytes()))
    desk.put("in/long.wav", _wav(np.tile(_tones()[0], 10).tobytes()))
    built = desk.build("in", min_seconds=0.01, max_seconds=0.2)
    assert built.dropped == {"silent": 1, "too short": 1, "too long": 1}


@case("folders `train/`, `valid/`, `test/` of sound; labels by folder or by name", "read: splits and labels")
def wav_splits(desk):
    for i, one in enumerate(_tones()):
        desk.put(f"in/{'train' if i < 8 else 'test'}/{'ab'[i % 2]}/{i % 2}_x_{i}.wav", _wav(one.tobytes()))
    built = desk.build("in")
    assert {name: len(rows) for name, rows in built.corpus.splits.items()} == {"train": 8, "test": 4}
    assert built.labels == ["a", "b"] and desk.build("in", label_from="name").labels == ["0", "1"]


# ----------------------------------------------------------------------------------------------------- The command

case = group("The command")


@case("`--out` is there already", "refused: choose another, nothing is changed")
def out_exists(desk):
    desk.text(desk.put("a.txt", lines()))
    code, _, err = desk.run("build", "a.txt", "--out", "corpus-1")
    assert code == 2 and "exists already" in err


@case("`--replace` and a folder that no build made", "refused: it stays")
def replace_stranger(desk):
    desk.put("mine/photo.png", b"precious")
    desk.put("a.txt", lines())
    code, _, err = desk.run("build", "a.txt", "--out", "mine", "--replace")
    assert code == 2 and "mine" in err and (desk.folder / "mine/photo.png").read_bytes() == b"precious"


@case("`--replace` and a corpus into which you put files of your own", "refused: your files stay")
def replace_with_more(desk):
    desk.text(desk.put("a.txt", lines()))
    desk.put("corpus-1/notes.txt", "precious")
    code, _, err = desk.run("build", "a.txt", "codec=bytes", "--out", "corpus-1", "--replace")
    assert code == 2 and "notes.txt" in err and err.count("\n") == 1
    assert (desk.folder / "corpus-1/notes.txt").read_text() == "precious"


@case("a setting that is misspelt: `colum=text`", "refused: the nearest")
def setting_misspelt(desk):
    assert "did you mean 'column'" in desk.refused(
        desk.put("a.csv", ["text,label", *(f"{row},x" for row in lines())]), colum="text"
    )


@case("a setting of another kind of input: `tile=8x8` of text", "refused")
def setting_of_others(desk):
    assert "tile" in desk.refused(desk.put("a.txt", lines()), tile="8x8")


@case("an output in an encoding that lacks a character", "told: one line, and `?` in its place")
def output_encoding(desk):
    from corpora import commands

    assert "cp1252" not in desk.run("list")[2]
    commands._replaced(UnicodeEncodeError("cp1252", "a床", 1, 2, "no"))
    assert "1 character that it lacks is written as ?" in desk.run("list")[2]
    assert desk.run("list")[2] == ""
