"""What a codec is of: text or pictures. The one place in `runs` that asks."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from corpora import sheet
from corpora.codec import Codec, TextCodec
from corpora.codecs.palette import Palette


def program(codec: Codec) -> str:
    """The command that trains on it."""
    return "imagegen" if isinstance(codec, Palette) else "textgen"


def unit(codec: Codec) -> str:
    """One row."""
    return "picture" if isinstance(codec, Palette) else "sentence"


def units(codec: Codec) -> str:
    """Several rows."""
    return unit(codec) + "s"


def preview(codec: Codec, rows: np.ndarray, folder: Path, stem: str) -> list[tuple[str, str]]:
    """(what, line) for rows of tokens: sentences themselves, or a file in `folder` that shows the pictures."""
    if isinstance(codec, TextCodec):
        return [("sample", codec.decode(row)) for row in rows.tolist()]
    assert isinstance(codec, Palette)
    drawn = sheet.grid([codec.decode(row) for row in rows.tolist()])
    folder.mkdir(exist_ok=True)
    sheet.write(folder / f"{stem}.png", sheet.png(drawn, sheet.scale_for(codec.height, codec.width)))
    return [("samples", f"{folder.name}/{stem}.png")]
