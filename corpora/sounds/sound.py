"""Sound: WAV and FLAC files as 16-bit samples of one channel, WAV written, and what is done to a clip."""

from __future__ import annotations

import io
import math
import wave
from pathlib import Path

import numpy as np

from corpora import files
from corpora.errors import InputError
from corpora.files import explained, quoted_path
from corpora.sounds import riff

LOWEST, HIGHEST = 1000, 192_000  # samples in a second
_MOST_SAMPLES = 1 << 28  # of a file, over all channels
_FRAME = 0.01  # seconds that trimming decides about at a time


def read(path: Path) -> tuple[np.ndarray, int, tuple[str, ...]]:
    """A sound file as (samples (T,) int16, samples in a second, what was done to read it, a phrase each).

    WAV is read here, but for rare kinds such as ADPCM; those and FLAC by `soundfile`. Raises InputError, naming the
    file, for one that is missing, no sound, damaged or cut off.
    """
    where = quoted_path(path)
    with explained(path), path.open("rb") as file:
        head = file.read(12)
        if not head:
            raise InputError(f"{where}: the file is empty")
        if not riff.is_wave(head):
            return _by_soundfile(path, "not a WAV file")
        data = head + file.read()
    try:
        parsed = riff.parse(data, _MOST_SAMPLES)
    except riff.Other as error:
        return _by_soundfile(path, f"a WAV file of a rare kind ({error})")
    except riff.Damaged as error:
        raise InputError(f"{where}: the WAV file is damaged: {error}; get it again") from error
    except InputError as error:
        raise InputError(f"{where}: {error}") from error
    if not len(parsed.samples):
        raise InputError(f"{where}: no sample in this file")
    mixed, done = _mixed(parsed.samples)
    return mixed, _rate(parsed.sample_rate, where), parsed.done + done


def _mixed(samples: np.ndarray) -> tuple[np.ndarray, tuple[str, ...]]:
    """The mean of the channels, (T, C) -> (T,), and a phrase if there are several."""
    channels = samples.shape[1]
    if channels == 1:
        return samples[:, 0], ()
    mean = np.rint(samples.astype(np.float64).mean(1)).astype(np.int16)
    return mean, (f"mixed from {channels} channels to one",)


def _rate(rate: int, where: str) -> int:
    if not LOWEST <= rate <= HIGHEST:
        raise InputError(f"{where}: {rate:,} samples in a second: expected {LOWEST:,} to {HIGHEST:,}")
    return rate


def _by_soundfile(path: Path, why: str) -> tuple[np.ndarray, int, tuple[str, ...]]:
    """A file that needs the `soundfile` package. Raises InputError where it is not installed or cannot read it."""
    where = quoted_path(path)
    try:
        import soundfile
    except (ImportError, OSError) as error:
        raise InputError(
            f"{where}: {why}: install soundfile to read it (pip install soundfile), or convert it to WAV (16-bit PCM)"
        ) from error
    try:
        samples, rate = soundfile.read(str(path), dtype="int16", always_2d=True)
    except (RuntimeError, OSError, ValueError) as error:
        raise InputError(f"{where}: not a sound file that can be read: expected WAV or FLAC") from error
    if not len(samples):
        raise InputError(f"{where}: no sample in this file")
    mixed, done = _mixed(np.asarray(samples, np.int16))
    return mixed, _rate(int(rate), where), done


def wav(samples: np.ndarray, sample_rate: int) -> bytes:
    """A WAV file of 16-bit samples (T,)."""
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(sample_rate)
        file.writeframes(np.asarray(samples, "<i2").tobytes())
    return out.getvalue()


def write(path: str | Path, samples: np.ndarray, sample_rate: int) -> Path:
    """Write a WAV file whole or not at all. Raises InputError where it cannot be written."""
    path = Path(path)
    with explained(path):
        files.replace_file(path, wav(samples, sample_rate))
    return path


def resampled(samples: np.ndarray, old: int, new: int) -> np.ndarray:
    """Samples (T,) int16 at another rate, with a low-pass filter against aliasing."""
    from scipy.signal import resample_poly

    shared = math.gcd(old, new)
    moved = resample_poly(samples.astype(np.float64), new // shared, old // shared)
    return np.rint(moved).clip(-(2**15), 2**15 - 1).astype(np.int16)


def trimmed(samples: np.ndarray, sample_rate: int, decibels: float) -> np.ndarray:
    """Samples without the silence at both ends: frames of 10 ms whose level is so many dB below the loudest frame."""
    size = max(1, round(_FRAME * sample_rate))
    frames = np.add.reduceat(samples.astype(np.float64) ** 2, np.arange(0, len(samples), size))
    frames /= np.minimum(size, len(samples) - np.arange(0, len(samples), size))  # mean squares
    loud = np.flatnonzero(frames > frames.max() * 10 ** (-decibels / 10))
    return samples[loud[0] * size : (loud[-1] + 1) * size] if len(loud) else samples[:0]


def louder(samples: np.ndarray) -> np.ndarray:
    """Samples scaled so that the largest is as large as 16 bits allow; silence stays."""
    peak = int(np.abs(samples.astype(np.int32)).max(initial=0))
    return np.rint(samples * ((2**15 - 1) / peak)).astype(np.int16) if peak else samples
