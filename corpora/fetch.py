"""Data sets of courses, from where their authors keep them, checked, into a folder that is whole or absent.

Nothing of them is part of this package. A new one is an entry in `SETS`.
"""

from __future__ import annotations

import hashlib
import http.client
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from corpora import files
from corpora.errors import InputError, choose, quoted

TIMEOUT = 30  # seconds without a byte
_LARGEST = 64 << 20  # bytes of a file


class Set(NamedTuple):
    """A data set: files of words, and what to do with them."""

    about: str
    address: str  # of the folder that the files lie in, with a slash at its end
    files: Mapping[str, str]  # name: SHA-256 of its words, as `words_of` gives them
    elsewhere: str  # where a person finds a copy
    terms: str  # whose it is
    source: str  # how `corpora build` calls a folder of it, which stands for {}


SETS = {
    "pokemon": Set(
        about="792 sprites of 20x20 in 167 colours, of H.-y. Lee's Machine Learning (2016), lecture 17",
        address="https://speech.ee.ntu.edu.tw/~tlkagk/courses/ML_2016/Pokemon_creation/",
        files={
            "pixel_color.txt": "facd83256c33298756c3f2dd533771b69d4b7500618b5e73322bc5dbe97c297d",
            "colormap.txt": "1ee954cf5adfa6b996bbf9231a1340efb29a2d4d9eabeb37831af45a0c1ac356",
        },
        elsewhere="github.com/SunnyHaze/PixelRNN-Pokemon-Creation",
        terms="the sprites are of Nintendo, Creatures and GAME FREAK, without a licence: for study, not to pass on",
        source="lecture:{}",
    ),
}


def fetch(
    name: str,
    out: str | Path,
    *,
    address: str | None = None,
    tell: Callable[[str, int], None] | None = None,
) -> Path:
    """Bring the files of the data set `name` into the new folder `out`; `address`: a mirror of the folder they lie in.

    Raises InputError, saying what to do without the network, if they cannot be had or are not those that are known;
    then, as when interrupted, nothing is left behind.
    """
    wanted = SETS[choose("data set", name, SETS)]
    out, base = Path(out), wanted.address if address is None else address.rstrip("/") + "/"
    if not base.startswith(("https://", "http://")):
        raise InputError(f"--from {quoted(base)}: expected the address of a folder, https://...")
    files.sweep(out)
    with files.new_folder(out) as folder:
        for file, known in wanted.files.items():
            if tell is not None:
                tell(f"fetching {file}", 0)
            data = _read(base + file, wanted)
            if hashlib.sha256(words_of(data)).hexdigest() != known:
                raise InputError(f"{base}{file}: cut off, or another file than is known: {_instead(wanted)}")
            with files.explained(out):
                files.write_file(folder / file, data)
    return out


def words_of(data: bytes) -> bytes:
    """The words of a text, those of a line with a space between them: copies differ in how their lines end."""
    return b"\n".join(b" ".join(line.split()) for line in data.splitlines() if line.strip())


def _read(address: str, wanted: Set) -> bytes:
    try:
        with urllib.request.urlopen(address, timeout=TIMEOUT) as answer:  # noqa: S310 (http and https alone)
            data = answer.read(_LARGEST + 1)
    except (OSError, http.client.HTTPException, ValueError) as error:  # of URLError and timeouts the first is the base
        if isinstance(error, urllib.error.HTTPError):
            why = f"the server answers {error.code} ({error.reason})"
        else:
            why = f"cannot be had ({quoted(str(getattr(error, 'reason', error)), 80)})"
        raise InputError(f"{address}: {why}: {_instead(wanted)}") from error
    if len(data) > _LARGEST:
        raise InputError(f"{address}: more than {_LARGEST:,} bytes, so not what is meant: {_instead(wanted)}")
    return data


def _instead(wanted: Set) -> str:
    names = " and ".join(wanted.files)
    build = wanted.source.format("FOLDER")
    return f"take {names} from a copy, such as {wanted.elsewhere}, and name their folder: corpora build {build}"
