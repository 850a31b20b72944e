"""Splits and labels by name: folders and files named train, valid or test, or like a class of what is in them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from corpora.errors import InputError, quoted
from corpora.files import quoted_path
from corpora.row import Told
from corpora.settings import setting

_WORDS = {
    "train": ("train", "training"),
    "valid": ("valid", "val", "validation", "dev", "development"),
    "test": ("test", "testing", "eval", "evaluation"),
}
_SPLIT_OF = {word: split for split, variants in _WORDS.items() for word in variants}
_PARTS = re.compile(r"[^\W\d_]+")  # runs of letters: `.`, `_`, `-`, spaces and digits set parts of a name off
_DOC = "folders and files named train, valid (val, validation, dev) and test are splits"


class File(NamedTuple):
    """A file behind an input, with the split that it or a folder around it names."""

    path: Path  # `-` for standard input
    split: str | None
    folders: tuple[str, ...]  # those between the input and the file, without one that names a split


def named_splits_setting() -> bool:
    """The setting `named_splits` of a source that reads files."""
    return setting(True, _DOC)


def named(name: str) -> str | None:
    """The split that a folder or file names, wholly or by a part set off: `val`, `ptb.train.txt`, `test-1`; or None."""
    splits = {_SPLIT_OF[part] for part in _PARTS.findall(name.lower()) if part in _SPLIT_OF}
    return splits.pop() if len(splits) == 1 else None


def by_name(
    inputs: Sequence[str], files_of: Callable[[Sequence[str]], list[Path]], named_splits: bool = True
) -> tuple[list[File], list[Told]]:
    """The files behind inputs, in their order, with the splits that their names say; and remarks for the build.

    Names count where they say it of every file, and `train` is among them. A folder `train` among others that name no
    split is a class like them. `named_splits=False` reads no name. Raises InputError where a part of the folders or
    files names splits and the rest does not.
    """
    listed = [(one, path) for one in inputs for path in ([Path("-")] if one == "-" else files_of([one]))]
    files = [File(path, None, _folders(one, path)) for one, path in listed]
    if not named_splits:
        return files, []
    several = len(inputs) > 1  # then the inputs' own names say something, too
    reading = [
        _reading([Path(one).name] if several and Path(one).is_dir() else [], file)
        for (one, _), file in zip(listed, files, strict=True)
    ]
    splits = {split for _, split in reading if split is not None}
    if all(split is not None for _, split in reading) and "train" in splits:
        alone = len(splits) == 1  # one folder `train` and nothing else: not a class, and nothing is held out by name
        named_files = [
            File(file.path, None if alone else split, _without(file.folders, name))
            for file, (name, split) in zip(files, reading, strict=True)
        ]
        return named_files, [] if alone else [_said(split for _, split in reading)]
    return files, _half_said(files, reading, several)


def labels_of(files: Sequence[File]) -> tuple[list[str | None], list[Told]]:
    """The label of each file, which is the name of the outermost folder around it; and remarks for the build.

    A folder around all that lie in one, with further folders in it, tells nothing apart: labels are those within it.
    """
    folders = [file.folders for file in files]
    inner = [parts for parts in folders if parts]
    depth = 0
    while inner and all(len(parts) > depth + 1 for parts in inner) and len({parts[depth] for parts in inner}) == 1:
        depth += 1
    remarks = []
    if depth:
        remarks.append(Told(f"labels are the folders in {quoted_path('/'.join(inner[0][:depth]))}"))
    deeper = sorted({parts[depth + 1] for parts in inner if len(parts) > depth + 1})
    if deeper:
        remarks.append(Told(f"folders within those of the labels are not read as labels: {some(deeper)}"))
    return [parts[depth] if parts else None for parts in folders], remarks


def some(names: Sequence[str], most: int = 3) -> str:
    """The first of several names, for a message, and how many more there are."""
    more = f" and {len(names) - most:,} more" if len(names) > most else ""
    return ", ".join(quoted(name, 40) for name in names[:most]) + more


def _said(splits: Iterable[str | None]) -> Told:
    counts = Counter(splits)
    each = ", ".join(f"{counts[name]:,} {name}" for name in _WORDS if counts[name])
    return Told(f"files by the split that they or their folders name: {each}")


def _folders(one: str, path: Path) -> tuple[str, ...]:
    return path.relative_to(one).parts[:-1] if Path(one).is_dir() else ()


def _stem(path: Path) -> str:
    return Path(path.name.removesuffix(".gz")).stem


def _whole(name: str) -> bool:
    """Whether a name is nothing but the name of a split, and perhaps a number: `test`, `train2017`, `val_1`."""
    return len(_PARTS.findall(name)) == 1 and named(name) is not None


def _reading(before: Sequence[str], file: File) -> tuple[str, str | None]:
    """The part of a path that names a split, and the split; whole names go before parts, outer folders before inner."""
    names = [*before, *file.folders, _stem(file.path)]
    for name in (*filter(_whole, names), *names):
        if (split := named(name)) is not None:
            return name, split
    return "", None


def _without(folders: tuple[str, ...], name: str) -> tuple[str, ...]:
    place = folders.index(name) if name in folders else len(folders)
    return folders[:place] + folders[place + 1 :]


def _half_said(files: Sequence[File], reading: Sequence[tuple[str, str | None]], several: bool) -> list[Told]:
    """Remarks on names that say the split of a part of the files; InputError where it cannot be passed over."""
    silent = [file for file, (_, split) in zip(files, reading, strict=True) if split is None]
    by_folder = {
        name: split
        for file, (name, split) in zip(files, reading, strict=True)
        if split is not None and (name in file.folders or several) and _whole(name)
    }
    names = {name: split for name, split in reading if split is not None}
    most = len(silent) * 2 <= len(files) and len({*names.values()}) > 1 and "train" in names.values()
    if silent and (most or {*by_folder.values()} - {"train"}):
        shown = by_folder if {*by_folder.values()} - {"train"} else names
        first = some([*shown])
        other = quoted_path("/".join((*silent[0].folders, silent[0].path.name)))
        raise InputError(
            f"{first} name a split, {other} ({len(silent):,} of {len(files):,} files) does not: "
            "name all so, or build from the files of train with --valid and --test; named_splits=false reads no name"
        )
    if silent and {*by_folder.values()} == {"train"}:
        return [Told("the folder train is a class like those beside it: none of them is named valid or test")]
    if silent and len({*names.values()}) > 1:
        first = some([*names])
        return [Told(f"{first}: no splits are read from these names, since {len(silent):,} other files name none")]
    return []
