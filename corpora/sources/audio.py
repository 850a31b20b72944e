"""Sound files: WAV and FLAC, and folders of them; the label is the name of the sub-folder.

Sub-folders named train, valid and test are splits, and the folders in them labels. With `--source audio` an .npz file
is read too: `samples` (int16, all clips end to end), `offsets` (where each begins, and the end), `rate`, and `label`.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from corpora import folder
from corpora.errors import InputError, quoted
from corpora.files import explained, quoted_path
from corpora.naming import by_name, labels_of, named_splits_setting
from corpora.row import Clip, Told
from corpora.settings import Settings, setting
from corpora.sounds import sound

MODALITY = "audio"


@dataclass(frozen=True)
class Config(Settings):
    """Settings of sound files."""

    label_from: str = setting(
        "folder",
        "the label of a clip: folder (the sub-folder it is in), name (of its file, up to the first _) or none",
        choices=("folder", "name", "none"),
    )
    named_splits: bool = named_splits_setting()


def accepts(address: str) -> bool:
    """Whether this source is meant when none is named: for sound files, and folders that hold more of them than of
    texts, and as many as tables at least."""
    path = Path(address)
    if not path.is_dir():
        return folder.kind_of_name(path.name) == "sound"
    number = folder.counts(path)
    return number["sound"] > number["text"] and number["sound"] >= number["table"]


def files_of(inputs: Sequence[str]) -> list[Path]:
    """The files behind the inputs: a folder stands for the sound files in it by their endings, sorted, at any depth.

    Raises InputError for one that is missing, and for a folder without sound.
    """
    return folder.files_of(inputs, "sound")


def read(inputs: Sequence[str], config: Config) -> Iterator[Clip | Told]:
    """The clips of the inputs in order, each of one channel.

    Raises InputError, naming the file, for one that is missing, no sound, or cut off.
    """
    files, remarks = by_name(inputs, files_of, config.named_splits)
    yield from remarks
    for address in inputs:
        yield from folder.files_in(address, "sound").remarks()
    labels, remarks = labels_of(files)
    yield from remarks if config.label_from == "folder" else ()
    for (path, split, _), folder_name in zip(files, labels, strict=True):
        if path.suffix.lower() == ".npz":
            yield from (clip._replace(split=split) for clip in _arrays(path))
            continue
        label = {"folder": folder_name, "name": path.stem.partition("_")[0], "none": None}
        samples, rate, done = sound.read(path)
        yield Clip(samples, rate, label[config.label_from], quoted_path(path), split, done)


def _arrays(path: Path) -> Iterator[Clip]:
    """The clips of an .npz file."""
    where = quoted_path(path)
    try:
        with explained(path), np.load(path, allow_pickle=False) as arrays:  # objects could run code
            samples, rate = arrays["samples"], int(arrays["rate"])
            ends = np.asarray(arrays["offsets"], np.int64)
            labels = arrays.get("label")
    except (ValueError, TypeError, KeyError, EOFError, zipfile.BadZipFile) as error:
        why = quoted(str(error), 80)
        raise InputError(f"{where}: expected an .npz file with samples, offsets and rate: {why}") from error
    count = len(ends) - 1
    if samples.dtype != np.int16 or samples.ndim != 1 or ends.ndim != 1 or count < 1:
        raise InputError(f"{where}: samples should be int16 in one row, offsets as many as clips and one more")
    if ends[0] != 0 or ends[-1] != len(samples) or (np.diff(ends) <= 0).any():
        raise InputError(f"{where}: offsets should ascend from 0 to the number of samples")
    if labels is not None and labels.shape != (count,):
        raise InputError(f"{where}: label has the shape {labels.shape}: expected one for each of {count:,} clips")
    for number in range(count):
        label = None if labels is None else str(labels[number])
        yield Clip(samples[ends[number] : ends[number + 1]], rate, label, f"{where}, clip {number}")
