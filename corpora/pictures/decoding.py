"""Picture files as arrays: every frame (H, W, 4) uint8 as it is meant to be seen, and what was done to read it.

Pillow decodes. What it does not read as the formats have it is done here: the orientation is taken from EXIF whatever
else the tags hold, transparency and texts of PNG files by `png.py`, the frames of an animated PNG without a still that
is no part of it.
"""

from __future__ import annotations

import re
import struct
import warnings
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

import numpy as np

from corpora.errors import InputError, quoted
from corpora.files import explained, quoted_path
from corpora.pictures import png, sheet

if TYPE_CHECKING:
    from PIL import Image

MOST_PIXELS = 1 << 26  # of a file, as its head says: 8192 x 8192
MOST_FRAMES = 10_000
READ = "PNG, GIF, JPEG, WebP, BMP, TGA, TIFF, PCX, PPM, QOI or ICO"
_MAGIC = {
    b"\x89PNG": "PNG",
    b"GIF8": "GIF",
    b"\xff\xd8\xff": "JPEG",
    b"BM": "BMP",
    b"II*\0": "TIFF",
    b"MM\0*": "TIFF",
    b"qoif": "QOI",
    b"\0\0\1\0": "ICO",
    **{bytes((10, version, 1)): "PCX" for version in (0, 2, 3, 4, 5)},
    **{f"P{number}".encode() + space: "PPM" for number in range(1, 7) for space in (b"\n", b" ", b"\t", b"\r")},
}
KINDS = {*_MAGIC.values(), "WEBP", "TGA"}  # formats that are read
TEXT = "this is text, not a picture"
_OTHERS = {  # files of pictures that are not read, by what they begin with, and what to do
    b"8BPS": "a Photoshop file: export it as PNG",
    b"gimp xcf": "a GIMP file: export it as PNG",
    b"%PDF": "a PDF document: export its pictures as PNG",
    b"<svg": "an SVG drawing: export it as PNG, at the size that you want",
    b"PK\x03\x04": "a zip archive: unpack it first",
    b"Rar!": "a RAR archive: unpack it first",
    b"7z\xbc\xaf": "a 7z archive: unpack it first",
    b"\x1f\x8b": "packed by gzip: unpack it first",
    b"DDS ": "a texture (DDS): convert it to PNG",
    b"\x76\x2f\x31\x01": "an OpenEXR picture of fractions: convert it to PNG",
    b"#?RADIANCE": "a Radiance picture of fractions: convert it to PNG",
    b"\xff\x0a": "a JPEG XL picture: convert it to PNG",
    b"\0\0\0\x0cJXL ": "a JPEG XL picture: convert it to PNG",
    b"\0\0\0\x0cjP  ": "a JPEG 2000 picture: convert it to PNG",
    b"version https://git-lfs": "the pointer of Git LFS in place of the file: run git lfs pull",
}
OTHER_ENDINGS = (  # of files of pictures that are not read
    *(".psd", ".psb", ".xcf", ".kra", ".ora", ".ase", ".aseprite", ".svg", ".svgz", ".heic", ".heif", ".avif", ".jxl"),
    *(".jp2", ".exr", ".hdr", ".dds", ".ktx", ".eps", ".cur", ".xpm", ".pict"),
)
_MODES = {
    "CMYK": "converted from CMYK",
    "YCbCr": "converted from YCbCr",
    "P": "had a palette of their own",
    "PA": "had a palette of their own",
}
_ORIENTATION = 0x0112  # the tag of EXIF
_DAMAGED = (OSError, ValueError, SyntaxError, EOFError, IndexError, KeyError, TypeError, OverflowError, struct.error)


class Frame(NamedTuple):
    """One picture of a file."""

    pixels: np.ndarray  # (H, W, 4) uint8
    done: tuple[str, ...]  # what was done to read it, as a phrase each
    number: int  # from 0
    animated: bool = False  # whether it is one of several of an animation, not a page
    tiles: sheet.Tiles | None = None  # of a sheet that this project wrote: where its pictures lie


def frames(path: Path, every: bool) -> Iterator[Frame]:
    """The first picture of a file, or every one of its frames.

    Raises InputError, naming the file, for one that is missing, no picture that can be read, cut off or too large.
    """
    from PIL import Image

    where = quoted_path(path)
    with explained(path):
        opened: BinaryIO = path.open("rb")
    with opened as file, warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # the limit here is lower
        warnings.simplefilter("ignore", UserWarning)  # of odd metadata, which are left alone
        with explained(path):
            kind = kind_of(file.read(512), path)
        if kind not in KINDS:
            raise InputError(f"{where}: {kind}")
        try:
            source = png.plain(file) if kind == "PNG" else file
            source.seek(0)
            with Image.open(source, formats=("BMP", "DIB") if kind == "BMP" else (kind,)) as image:
                yield from _frames(image, source, every, where)
        except InputError:
            raise
        except Image.DecompressionBombError as error:
            raise InputError(f"{where}: its head says more than {MOST_PIXELS:,} pixels: make it smaller") from error
        except Image.UnidentifiedImageError as error:
            raise InputError(f"{where}: the picture ({kind}) is cut off or damaged; get it again") from error
        except (*_DAMAGED, zlib.error) as error:
            raise InputError(
                f"{where}: the picture is cut off or damaged: {quoted(str(error), 80)}; get it again"
            ) from error


def kind_of(head: bytes, path: Path) -> str:
    """The format of a file of pictures by what it begins with, or a line on why it is not read."""
    if not head:
        return "the file is empty"
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WEBP"
    for magic, kind in _MAGIC.items():
        if head.startswith(magic):
            return kind
    if head[4:6] == b"\xe0\xa5":
        return "an Aseprite file: export it as PNG or GIF (aseprite -b FILE --save-as OUT.png)"
    if head[4:8] == b"ftyp":
        return f"a picture or film as {quoted(head[8:12].decode('latin-1'))}: convert it to PNG"
    for magic, other in _OTHERS.items():
        if head.lstrip(b"\xef\xbb\xbf \r\n\t").startswith(magic):
            return other
    if b"<svg" in head or path.suffix.lower() == ".svg":
        return _OTHERS[b"<svg"]
    if path.suffix.lower() == ".tga":
        return "TGA"
    if set(head) == {0}:
        return "nothing but zero bytes: get it again"
    text = head.decode("utf-8", "ignore")
    is_text = len(text.encode()) > len(head) - 4 and not re.search(r"[\x00-\x08\x0e-\x1f]", text)
    return f"{TEXT if is_text else 'not a picture that can be read'}: expected {READ}"


def is_picture(path: Path) -> bool:
    """Whether a file of any name begins as a picture does, by bytes that no text has."""
    try:
        with path.open("rb") as file:
            head = file.read(512) if path.is_file() else b""
    except OSError:
        return False
    binary = any(byte < 9 or 13 < byte < 32 for byte in head)
    return binary and path.suffix.lower() != ".tga" and kind_of(head, path) in KINDS


def _frames(image: Image.Image, file: BinaryIO, every: bool, where: str) -> Iterator[Frame]:
    """The frames of an open picture."""
    from PIL import Image

    if image.width * image.height > MOST_PIXELS:
        raise Image.DecompressionBombError
    count = 1 if image.format in ("MPO", "ICO") else int(getattr(image, "n_frames", 1))
    tiles = sheet.tiles_of(image.info.get(sheet.TILES), (image.height, image.width)) if image.format == "PNG" else None
    hidden = count > 1 and bool(getattr(image, "default_image", False))  # a still that is not of the animation
    if every and count - hidden > MOST_FRAMES:
        raise InputError(f"{where}: {count:,} frames, more than {MOST_FRAMES:,}: take frames=first")
    what = "page of several" if image.format == "TIFF" else "frame of an animation"
    for number in range(count - hidden if every else 1):
        if number or hidden:
            image.seek(number + hidden)
        pixels, done = decoded(image, where, file)
        if count - hidden > 1:
            done += (f"taken as a {what}" if every else f"taken as the first {what}",)
        if hidden and not number:
            done += ("had a still that is no part of their animation: it is left out",)
        yield Frame(pixels, done, number, count - hidden > 1 and image.format != "TIFF", tiles)


def decoded(image: Any, where: str, file: BinaryIO | None = None) -> tuple[np.ndarray, tuple[str, ...]]:
    """A picture that Pillow holds as (H, W, 4) uint8, and what was done to it; `file`: where it is from, if that is a
    PNG file. Raises InputError for what is no picture, and for pixels that have no colours to be seen."""
    from PIL import Image

    if not isinstance(image, Image.Image):
        raise InputError(f"{where}: {quoted(image, 40)}: not a picture")
    if image.width * image.height > MOST_PIXELS:
        raise InputError(f"{where}: more than {MOST_PIXELS:,} pixels: make it smaller")
    orientation, known = _tag(image), _entries(image)
    image.load()
    is_png = image.format == "PNG" and file is not None
    done: tuple[str, ...] = (_MODES[image.mode],) if image.mode in _MODES else ()
    if image.mode in ("F", "LAB", "HSV"):
        what = "fractions" if image.mode == "F" else f"of the colour space {image.mode}"
        raise InputError(f"{where}: its pixels are {what}: save it with 8 bits a channel, as RGB")
    if (is_png and file is not None and png.depth(file) == 16) or image.mode.startswith("I"):
        done += ("cut from 16 bits a channel to 8",)
    clear = png.keyed(image, file) if is_png and file is not None and not getattr(image, "is_animated", False) else None
    if image.mode == "P" and known and int(np.asarray(image).max()) >= known:
        done += ("held numbers beyond their palette, which are black",)
    pixels = _rgba(image, clear is not None, where)
    if clear is not None:
        pixels[clear, 3] = 0
    if image.format != "TIFF":  # which Pillow turns as it loads
        orientation = orientation or _tag(image)
        pixels = _turned(pixels, orientation)
    if orientation > 1:
        done += ("turned as their EXIF orientation says",)
    return pixels, done


def _rgba(image: Image.Image, keyed: bool, where: str) -> np.ndarray:
    """The pixels of a loaded picture, (H, W, 4) uint8; `keyed`: opaque, whatever its information says."""
    from PIL import Image

    if image.mode.startswith("I"):
        values = np.asarray(image, np.int64)
        if values.min() < 0 or values.max() > 0xFFFF:
            raise InputError(f"{where}: its pixels are numbers beyond 16 bits: save it with 8 bits a channel")
        image, keyed = Image.fromarray((values >> 8).astype(np.uint8)), True
    if keyed:
        image = image.copy()
        image.info.pop("transparency", None)
    return np.array(image.convert("RGBA"), np.uint8)


def _entries(image: Image.Image) -> int:
    """Colours in the palette of a PNG that is not loaded yet; 0 where that is not known."""
    if image.format != "PNG" or image.mode != "P" or image.palette is None:
        return 0
    return len(image.palette.palette) // max(1, len(image.palette.mode))


# ------------------------------------------------------------------------------------------------- orientation


def _turned(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """The picture as EXIF's orientation means it to be seen (CIPA DC-008, tag 274)."""
    if orientation < 2:
        return pixels
    if orientation >= 5:
        pixels = pixels.swapaxes(0, 1)
    down, across = {2: (1, -1), 3: (-1, -1), 4: (-1, 1), 5: (1, 1), 6: (1, -1), 7: (-1, -1), 8: (-1, 1)}[orientation]
    return np.ascontiguousarray(pixels[::down, ::across])


def _tag(image: Image.Image) -> int:
    """The orientation that a picture carries, 1 to 8; 0 where it has none that can be read."""
    data = image.info.get("exif")
    if isinstance(data, bytes):
        number = _orientation(data.removeprefix(b"Exif\0\0"))
        if number:
            return number
    try:
        number = image.getexif().get(_ORIENTATION, 0)
        return int(number) if number in range(1, 9) else 0
    except Exception:
        return 0


def _orientation(data: bytes) -> int:
    """The orientation in bytes of EXIF, which are a TIFF file; 0 where there is none. Other tags are not looked at."""
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(data[:4])
    if order is None or len(data) < 10:
        return 0
    try:
        (at,) = struct.unpack_from(f"{order}I", data, 4)
        (count,) = struct.unpack_from(f"{order}H", data, at)
        for entry in range(at + 2, min(at + 2 + 12 * count, len(data) - 11), 12):
            tag, kind = struct.unpack_from(f"{order}HH", data, entry)
            if tag == _ORIENTATION:
                code = {1: "B", 3: "H", 4: "I", 6: "b", 8: "h", 9: "i", 11: "f"}.get(kind)
                (value,) = struct.unpack_from(f"{order}{code}", data, entry + 8) if code else (0,)
                return int(value) if value in range(1, 9) else 0
    except (struct.error, ValueError, OverflowError):
        pass
    return 0
