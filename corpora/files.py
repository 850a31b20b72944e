"""Files that are whole or absent: fsynced writes, folders committed by one rename, hashes, strict JSON."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import math
import os
import re
import shutil
import stat
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NoReturn

from corpora.errors import InputError, quoted

UNFINISHED = ".unfinished-"  # a folder or file whose name begins so is rubbish of a run that was killed
MANIFEST = "manifest.json"


def sync_folder(folder: Path) -> None:
    """fsync a folder, so that names just written into it survive a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_file(path: Path, data: bytes) -> None:
    """Write a new file and fsync it. For one inside an `unfinished` folder, which the rename then commits."""
    with path.open("xb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def check_writable(path: Path) -> None:
    """Raise InputError, before any work, unless a file of this name can be written: into a folder that is there, and
    over nothing but a plain file (a rename would put an end to a link, a pipe or a device)."""
    with explained(path):
        if not stat.S_ISDIR(path.parent.stat().st_mode):
            raise NotADirectoryError(errno.ENOTDIR, "not a folder")
        if not os.access(path.parent, os.W_OK):
            raise PermissionError(errno.EACCES, "not writable")
        if path.is_symlink() or (path.exists() and not path.is_file()):
            raise InputError(f"{quoted_path(path)}: this is no plain file: choose another name")


def replace_file(path: Path, data: bytes) -> None:
    """Write a file atomically: readers see the old bytes or the new ones, whatever happens in between.

    Raises InputError as `check_writable` does.
    """
    check_writable(path)
    temporary = path.with_name(f"{UNFINISHED}{path.name}-{os.getpid()}-{time.monotonic_ns()}")
    try:
        write_file(temporary, data)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


@contextlib.contextmanager
def new_folder(final: Path, *, replace: bool = False, check: Callable[[Path], None] | None = None) -> Iterator[Path]:
    """A folder to fill; it appears under the name `final` only if the block ends well, by one rename.

    Folders above it are made, and are gone again if it fails and nothing else came into them. `check` sees the folder
    that is to be replaced at the last moment, and may refuse.
    Raises InputError if `final` exists (unless `replace`) or its parent cannot be written.
    """
    if final.exists() and not replace:
        raise InputError(f"{final} exists already: choose another folder or remove it first")
    temporary = final.parent / f"{UNFINISHED}{final.name}-{os.getpid()}-{time.monotonic_ns()}"
    missing = [folder for folder in final.parents if not folder.exists()]
    with explained(final):
        final.parent.mkdir(parents=True, exist_ok=True)
        temporary.mkdir()
    try:
        yield temporary
        with explained(final):
            sync_folder(temporary)
            if replace and final.exists():
                if check is not None:
                    check(final)
                old = final.parent / f"{UNFINISHED}{final.name}-old-{os.getpid()}-{time.monotonic_ns()}"
                final.rename(old)
                temporary.rename(final)
                shutil.rmtree(old)
            else:
                temporary.rename(final)
            sync_folder(final.parent)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        with contextlib.suppress(OSError):
            for folder in missing:
                folder.rmdir()
        raise


def sweep(final: Path) -> None:
    """Remove the unfinished folders that runs killed while they made `final` left behind."""
    pattern = re.compile(re.escape(f"{UNFINISHED}{final.name}-") + r"(?:old-)?(\d+)-\d+")
    for path in final.parent.glob(f"{UNFINISHED}*"):
        match = pattern.fullmatch(path.name)
        if match and not _alive(int(match[1])):
            shutil.rmtree(path, ignore_errors=True)


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        pass  # another person's, or not a number that a process has here
    return True


@contextlib.contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn an OSError into one line that names the path and the remedy."""
    remedies = {
        errno.ENOSPC: "the disk is full: free some space and run the command again",
        errno.EDQUOT: "the disk quota is used up: free some space and run the command again",
        errno.EFBIG: "the file would pass the size limit set for this process",
        errno.EACCES: "permission denied: choose a folder or file that you may use",
        errno.EPERM: "permission denied: choose a folder or file that you may use",
        errno.EROFS: "the file system is read-only: choose another folder",
        errno.ENOENT: "no such file or folder: check the path",
        errno.EEXIST: "a file of that name is in the way: choose another name",
        errno.ENOTDIR: "a part of the path is a file, not a folder",
        errno.EISDIR: "this is a folder, not a file",
        errno.ENAMETOOLONG: "the name is too long",
    }
    try:
        yield
    except OSError as error:
        reason = remedies.get(error.errno or 0, error.strerror or str(error))
        raise InputError(f"{quoted_path(path)}: {reason}") from error


def quoted_path(path: Path | str) -> str:
    """A path for a message: plain when it is plain, escaped when it holds odd characters."""
    text = str(path)
    return text if text.isprintable() and len(text) <= 200 else quoted(text, 200)


def to_json(value: Any) -> bytes:
    """Canonical JSON: sorted keys, no NaN, UTF-8."""
    return (json.dumps(value, sort_keys=True, indent=1, allow_nan=False, ensure_ascii=False) + "\n").encode()


def from_json(data: bytes, path: Path | str) -> dict[str, Any]:
    """A JSON object from bytes that a stranger may have written.

    Raises InputError for anything that is not one object, for duplicate keys and for NaN or infinities.
    """

    def unique(items: list[tuple[str, Any]]) -> dict[str, Any]:
        stored = dict(items)
        if len(stored) != len(items):
            twice = next(key for key, _ in items if sum(key == other for other, _ in items) > 1)
            raise ValueError(f"duplicate key {quoted(twice)}")
        return stored

    def refuse(constant: str) -> NoReturn:
        raise ValueError(f"{constant} is not a number that JSON knows")

    def finite(digits: str) -> float:
        number = float(digits)
        return number if math.isfinite(number) else refuse(digits)

    try:
        value = json.loads(data.decode("utf-8"), object_pairs_hook=unique, parse_constant=refuse, parse_float=finite)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{quoted_path(path)} is not valid JSON: {quoted(str(error), 120)}") from error
    if not isinstance(value, dict):
        raise InputError(f"{quoted_path(path)} should hold one JSON object")
    return value


def read_bytes(path: Path, limit: int) -> bytes:
    """The bytes of a regular file of at most `limit` bytes. Raises InputError otherwise."""
    with explained(path):
        if not path.is_file():
            raise InputError(f"{quoted_path(path)}: {'not a regular file' if path.exists() else 'no such file'}")
        size = path.stat().st_size
        if size > limit:
            raise InputError(f"{quoted_path(path)} has {size:,} bytes; at most {limit:,} are accepted")
        return path.read_bytes()


def sha256_file(path: Path) -> str:
    """SHA-256 of a file, read in pieces."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_manifest(folder: Path, extra: Mapping[str, Any]) -> None:
    """Write `manifest.json`, last: size and SHA-256 of every other file in `folder`, and `extra`."""
    files = {
        path.name: {"bytes": path.stat().st_size, "sha256": sha256_file(path)}
        for path in sorted(folder.iterdir())
        if path.name != MANIFEST
    }
    write_file(folder / MANIFEST, to_json({**extra, "files": files}))


def read_manifest(
    folder: Path, *, what: str, format_version: int, hashes: bool = True, needed: Iterable[str] = ()
) -> dict[str, Any]:
    """Read `manifest.json` and check that it is of this version and that every file is there, whole and unaltered.

    Each name in `needed` must be among them. `hashes=False` compares sizes alone, for arrays too large to read at
    every start.
    Raises InputError naming the file that is wrong.
    """
    path = folder / MANIFEST
    if not path.is_file():
        raise InputError(f"{quoted_path(folder)} is not a {what}: it has no {MANIFEST}")
    manifest = from_json(read_bytes(path, 64 << 20), path)
    stored = manifest.get("format")
    if stored != format_version:
        raise InputError(
            f"{quoted_path(folder)}: this {what} has format {quoted(stored)}, this version of the program reads "
            f"format {format_version}: use the program that made it, or make it again"
        )
    files = manifest.get("files")
    if not isinstance(files, dict):
        raise InputError(f"{quoted_path(path)}: the list of files is missing")
    for name in needed:
        if name not in files:
            raise InputError(f"{quoted_path(path)}: the file {name!r} is not listed: get the {what} again")
    for name, facts in files.items():
        odd = (
            "/" in name
            or "\\" in name
            or "\0" in name
            or name in ("", ".", "..")
            or len(name.encode(errors="replace")) > 255
        )
        if odd or not isinstance(facts, dict):
            raise InputError(f"{quoted_path(path)}: bad entry {quoted(name)}")
        file = folder / name
        cached = folder.resolve().parent.parent / "blobs"  # where links of the Hugging Face cache lead
        if not file.is_file() or (file.is_symlink() and file.resolve().parent != cached):
            raise InputError(f"{quoted_path(folder)}: the file {quoted(name)} is missing: get the {what} again")
        size = file.stat().st_size
        if size != facts.get("bytes"):
            raise InputError(
                f"{quoted_path(file)} is truncated or altered: {size:,} bytes instead of {quoted(facts.get('bytes'))}; "
                f"get the {what} again"
            )
        if hashes and sha256_file(file) != facts.get("sha256"):
            raise InputError(
                f"{quoted_path(file)} is altered: its SHA-256 is not the one recorded; get the {what} again"
            )
    return manifest
