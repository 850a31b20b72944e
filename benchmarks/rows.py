"""Rows of pictures with a line of text above each, for the pictures of a document."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from corpora.pictures import sheet

TEXT = 15  # size of the letters, in screen pixels


def write(target: Path, rows: Mapping[str, Sequence[np.ndarray]], scale: int = 4) -> None:
    """Pictures (H, W, 4) uint8 of one size, each row under its name, as a PNG file with few colours."""
    parts = [sheet.flat(sheet.enlarged(sheet.grid(row, len(row)), scale)) for row in rows.values()]
    high = TEXT * 3 // 2
    canvas = Image.new("RGB", (max(part.shape[1] for part in parts), sum(len(part) + high for part in parts)), "white")
    draw, font, top = ImageDraw.Draw(canvas), ImageFont.load_default(TEXT), 0
    for name, part in zip(rows, parts, strict=True):
        draw.text((scale, top + high), name, "black", font, anchor="ld")
        canvas.paste(Image.fromarray(part), (0, top + high))
        top += len(part) + high
    data = io.BytesIO()
    canvas.quantize(256).save(data, "PNG", optimize=True)
    sheet.write(target, data.getvalue())
