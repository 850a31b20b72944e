"""Pictures: PNG, GIF, JPEG and WebP files, and folders of them; the label is the name of the sub-folder."""

from __future__ import annotations

import struct
import warnings
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from corpora.errors import InputError, quoted
from corpora.files import explained, is_of, listed, quoted_path
from corpora.naming import by_name, named_splits_setting
from corpora.row import Picture, Told
from corpora.settings import Settings, setting

if TYPE_CHECKING:
    from PIL import Image

MODALITY = "picture"
MOST_PIXELS = 1 << 26  # of a file, as its head says: 8192 x 8192
MOST_FRAMES = 10_000
_FORMATS = ("PNG", "GIF", "JPEG", "WEBP")
_ENDINGS = (".png", ".gif", ".jpg", ".jpeg", ".webp")
_MODES = {
    "CMYK": "converted from CMYK",
    "YCbCr": "converted from YCbCr",
    "P": "had a palette of their own",
    "PA": "had a palette of their own",
}


@dataclass(frozen=True)
class Config(Settings):
    """Settings of picture files."""

    frames: str = setting("first", "of an animation: the first picture alone, or all", choices=("first", "all"))
    named_splits: bool = named_splits_setting()


def accepts(address: str) -> bool:
    """Whether this source is meant when none is named: for picture files, and folders that hold some and no text."""
    return is_of(address, _ENDINGS)


def files_of(inputs: Sequence[str]) -> list[Path]:
    """The files behind the inputs: a folder stands for the pictures in it by their endings, sorted, at any depth.

    Raises InputError for one that is missing, and for a folder without pictures.
    """
    return listed(inputs, _ENDINGS, "picture")


def read(inputs: Sequence[str], config: Config) -> Iterator[Picture | Told]:
    """The pictures of the inputs in order, each as it is meant to be seen.

    Of a folder with sub-folders, the label of a picture is the name of the sub-folder it is in, but for one that names
    a split. Frames of one file are a group. Raises InputError, naming the file, for one that is missing, no picture,
    cut off or too large.
    """
    files, told = by_name(inputs, files_of, config.named_splits)
    yield from told
    for path, split, folders in files:
        label = folders[0] if folders else None
        for pixels, done, frame in _frames(path, config.frames == "all"):
            name = quoted_path(path) + (f", frame {frame}" if frame else "")
            yield Picture(pixels, label, name, split, done, group=str(path))


def _frames(path: Path, every: bool) -> Iterator[tuple[np.ndarray, tuple[str, ...], int]]:
    """(pixels (H, W, 4), what was done, number from 0) of the first frame of a file, or of every one."""
    from PIL import Image, ImageSequence

    where = quoted_path(path)
    with explained(path):
        file = path.open("rb")
    with file, warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # the limit here is lower
        warnings.simplefilter("ignore", UserWarning)  # of odd metadata, which are left alone
        head = file.read(32)
        file.seek(0)
        if not head:
            raise InputError(f"{where}: the file is empty")
        try:
            with Image.open(file, formats=_FORMATS) as image:
                if image.width * image.height > MOST_PIXELS:
                    raise Image.DecompressionBombError
                count = getattr(image, "n_frames", 1)
                if every and count > MOST_FRAMES:
                    raise InputError(f"{where}: {count:,} frames, more than {MOST_FRAMES:,}: take frames=first")
                deep = image.format == "PNG" and head[24:25] == b"\x10"
                for number, frame in enumerate(ImageSequence.Iterator(image) if every else [image]):
                    pixels, done = _pixels(frame, where, deep)
                    if count > 1:
                        done += ("are a frame of an animation" if every else "are the first frame of an animation",)
                    yield pixels, done, number
        except InputError:
            raise
        except Image.UnidentifiedImageError as error:
            raise InputError(f"{where}: not a picture that can be read: expected PNG, GIF, JPEG or WebP") from error
        except Image.DecompressionBombError as error:
            raise InputError(f"{where}: its head says more than {MOST_PIXELS:,} pixels: make it smaller") from error
        except (OSError, ValueError, SyntaxError, EOFError, IndexError, struct.error, zlib.error) as error:
            raise InputError(
                f"{where}: the picture is cut off or damaged: {quoted(str(error), 80)}; get it again"
            ) from error


def decoded(image: object, where: str) -> tuple[np.ndarray, tuple[str, ...]]:
    """A picture that PIL holds as (H, W, 4) uint8, and what was done to it. Raises InputError for what is none."""
    from PIL import Image

    if not isinstance(image, Image.Image):
        raise InputError(f"{where}: {quoted(image, 40)}: not a picture")
    if image.width * image.height > MOST_PIXELS:
        raise InputError(f"{where}: more than {MOST_PIXELS:,} pixels: make it smaller")
    return _pixels(image, where, False)


def _pixels(image: Image.Image, where: str, deep: bool) -> tuple[np.ndarray, tuple[str, ...]]:
    """A picture as (H, W, 4) uint8, and what was done to it."""
    from PIL import Image, ImageOps

    image.load()
    done: tuple[str, ...] = (_MODES[image.mode],) if image.mode in _MODES else ()
    if image.mode == "F":
        raise InputError(f"{where}: its pixels are fractions: save it with 8 bits a channel")
    turned = ImageOps.exif_transpose(image)
    if image.getexif().get(0x0112, 1) != 1:  # the tag of the orientation
        done += ("turned as their EXIF orientation says",)
    if deep or image.mode.startswith("I"):
        done += ("cut from 16 bits a channel to 8",)
    if turned.mode.startswith("I"):
        grey = np.clip(np.asarray(turned, np.int64) >> 8, 0, 255).astype(np.uint8)
        turned = Image.fromarray(grey)
    return np.array(turned.convert("RGBA"), np.uint8), done
