"""Fuzz test: random tables, texts, pictures and sheets, written in a random dialect, come back exactly.

What is random is drawn by hypothesis from a fixed seed, so that a run is the same each time. Rows are compared as a
source reads them: white space and Unicode forms are the business of the build, which `clean` stands for.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import random
import tempfile
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image
from pngs import CHANNELS, GREY, GREY_ALPHA, INDEXED, RGB, RGBA, png, shown

from corpora.build import build
from corpora.corpus import Corpus
from corpora.pictures import palettes, sheet
from corpora.row import clean, items_alone, same_key
from corpora.sources import images, table, text

fuzzed = settings(
    derandomize=True, deadline=None, max_examples=40, database=None, suppress_health_check=list(HealthCheck)
)
few = settings(fuzzed, max_examples=10)

# What cells are made of: what separates, quotes or ends them, white space that is no line end, other scripts, marks.
SIGNS = [
    *" ,;|\t\"'\\#=-.:/{}[]()0129aAzZ",
    *("é", "ß", "e\u0301", "ا", "ל", "ก", "ि", "中", "。", "🙂", "👩\u200d👩\u200d👧", "null", "NaN", "None", "true"),
    *("\u00a0", "\u2028", "\u200f", "\x0b", "\x0c", "\x1c", "\x85"),
]
words = st.lists(st.sampled_from(SIGNS), min_size=1, max_size=12).map("".join)
ends = st.sampled_from(["\n", "\r\n", "\r"])
labels = st.sampled_from(["neg", "pos", "Pos", "é b", "0", "1.0", "a,b", "中"])


@contextmanager
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


def written(path: Path, content: str, encoding: str, packed: bool) -> str:
    """A file in an encoding, perhaps in gzip; its path."""
    data = content.encode(encoding)
    path = path.with_name(f"{path.name}.gz") if packed else path
    path.write_bytes(gzip.compress(data) if packed else data)
    return str(path)


def encoding_of(draw: Any, content: str) -> tuple[str, dict[str, str]]:
    """An encoding that can hold a text, and the setting that it needs."""
    name = draw(st.sampled_from(["utf-8", "utf-8", "utf-8-sig", "utf-16", "cp1252", "gb18030", "utf-16-le"]))
    try:
        content.encode(name)
    except UnicodeEncodeError:
        name = "utf-8"
    return name, {} if name in ("utf-8", "utf-8-sig", "utf-16") else {"encoding": name}


def plain(value: str) -> str:
    """A text as a build keeps it: one line, composed."""
    return " ".join(clean(value).split())


# ---------------------------------------------------------------------------------------------------------- tables


def usable(cell: str) -> bool:
    """Whether anything is left of a cell once it is cleaned."""
    return bool(plain(cell))


@st.composite
def rows(draw: Any, signs: st.SearchStrategy[str] = words) -> list[tuple[str, str | None]]:
    """Rows of a table: texts, and labels or None."""
    cells = st.tuples(signs.filter(usable), st.none() | labels)
    return draw(st.lists(cells, min_size=2, max_size=12))


def quoted(cell: str, delimiter: str, always: bool) -> str:
    """A cell as RFC 4180 writes it. (The writer of Python before 3.13 leaves line ends of other kinds bare.)"""
    return '"' + cell.replace('"', '""') + '"' if always or set(cell) & {delimiter, '"', "\r", "\n"} else cell


def read_back(path: str, **chosen: Any) -> list[tuple[str, str | None]]:
    config = table.Config(column="text", label_column="label", **chosen)
    return [(plain(row.text), row.label or None) for row in items_alone(table.read([path], config))]


def expected(pairs: list[tuple[str, str | None]]) -> list[tuple[str, str | None]]:
    return [(plain(cell), label) for cell, label in pairs]


def told_labels(pairs: list[tuple[str, str | None]]) -> list[tuple[str, str | None]]:
    """Labels as a build compares them: stripped."""
    return [(cell, label and label.strip()) for cell, label in pairs]


@fuzzed
@given(st.data())
def test_csv_comes_back(data):
    draw = data.draw
    pairs = draw(rows(st.lists(words | ends, max_size=4).map("".join)))
    delimiter = draw(st.sampled_from([",", ";", "\t", "|"]))
    all_quoted, swapped, extra = draw(st.booleans()), draw(st.booleans()), draw(st.booleans())
    lines = []
    for cell, label in [("text", "label"), *((cell, label or "") for cell, label in pairs)]:
        cells = [label, cell, "id"] if swapped else [cell, label, "id"]
        cells = [quoted(one, delimiter, all_quoted) for one in cells[: 2 + extra]]
        lines.append(delimiter.join(cells))
    content = (end := draw(ends)).join(lines) + end * draw(st.booleans())
    encoding, chosen = encoding_of(draw, content)
    if draw(st.booleans()):
        chosen["delimiter"] = "tab" if delimiter == "\t" else delimiter
    if delimiter == "\t":
        chosen["quotes"] = True  # which between tabs mean nothing, unless they plainly do
    with folder() as here:
        name = draw(st.sampled_from(["a.csv", "A.CSV"]))
        path = written(here / name, content, encoding, draw(st.booleans()))
        assert told_labels(read_back(path, **chosen)) == expected(pairs)


@fuzzed
@given(st.data())
def test_csv_without_a_header_comes_back(data):
    draw = data.draw
    pairs = [(cell, label or "x") for cell, label in draw(rows())]
    content = draw(ends).join(f"{quoted(label, ',', False)},{quoted(cell, ',', False)}" for cell, label in pairs)
    with folder() as here:
        path = written(here / "a.csv", content, "utf-8", draw(st.booleans()))
        config = table.Config(column="2", label_column="1", header=False, delimiter=",")
        back = [(plain(row.text), row.label) for row in items_alone(table.read([path], config))]
        assert back == expected(pairs)


@fuzzed
@given(st.data())
def test_tsv_comes_back(data):
    """Quotation marks mean nothing there, unless `quotes=true` says so: a line is a row."""
    draw = data.draw
    pairs = draw(rows(words.filter(lambda cell: "\t" not in cell)))
    lines = ["text\tlabel", *(f"{cell}\t{label or ''}" for cell, label in pairs)]
    content = draw(ends).join(lines)
    encoding, chosen = encoding_of(draw, content)
    with folder() as here:
        path = written(here / "a.tsv", content, encoding, draw(st.booleans()))
        assert told_labels(read_back(path, quotes=False, **chosen)) == expected(pairs)


@fuzzed
@given(st.data())
def test_json_comes_back(data):
    draw = data.draw
    pairs = draw(rows(st.lists(words | ends, max_size=4).map("".join)))
    ascii_, turned, indent = draw(st.booleans()), draw(st.booleans()), draw(st.sampled_from([None, 0, 2]))
    records: list[dict[str, Any]] = []
    for number, (cell, label) in enumerate(pairs):
        record = {"text": cell, "id": number} | ({} if label is None and draw(st.booleans()) else {"label": label})
        records.append(dict(reversed(record.items())) if turned else record)
    if not any("label" in record for record in records):
        records[-1]["label"] = None
    if draw(st.booleans()):
        content, name = json.dumps(records, ensure_ascii=ascii_, indent=indent), "a.json"
    else:
        content = draw(st.sampled_from(["\n", "\r\n"])).join(json.dumps(one, ensure_ascii=ascii_) for one in records)
        name = draw(st.sampled_from(["a.jsonl", "a.ndjson", "a.json"]))
    encoding, chosen = encoding_of(draw, content)
    with folder() as here:
        path = written(here / name, content, encoding, draw(st.booleans()))
        assert told_labels(read_back(path, **chosen)) == expected(pairs)


@fuzzed
@given(st.data())
def test_parquet_comes_back(data):
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    draw = data.draw
    pairs = draw(rows(st.lists(words | ends, max_size=4).map("".join)))
    kind = draw(st.sampled_from([pyarrow.string(), pyarrow.large_string()]))
    cells = pyarrow.array([cell for cell, _ in pairs], kind)
    named = pyarrow.array([label for _, label in pairs], kind)
    columns = {"label": named.dictionary_encode() if draw(st.booleans()) else named, "text": cells}
    with folder() as here:
        size = draw(st.integers(1, 20))
        compression = draw(st.sampled_from(["none", "snappy", "zstd", "gzip"]))
        parquet.write_table(pyarrow.table(columns), here / "a.parquet", row_group_size=size, compression=compression)
        assert told_labels(read_back(str(here / "a.parquet"))) == expected(pairs)


# ------------------------------------------------------------------------------------------------------------ text


@fuzzed
@given(st.data())
def test_lines_come_back(data):
    draw = data.draw
    lines = draw(st.lists(words, min_size=1, max_size=12).filter(lambda some: any(map(usable, some))))
    every = draw(st.lists(ends, min_size=len(lines), max_size=len(lines)))
    content = "".join(line + end for line, end in zip(lines, every, strict=True))
    content = content.rstrip("\r\n") if draw(st.booleans()) else content
    encoding, chosen = encoding_of(draw, content)
    with folder() as here:
        path = written(here / draw(st.sampled_from(["a.txt", "A.TXT"])), content, encoding, draw(st.booleans()))
        back = [plain(row.text) for row in items_alone(text.read([path], text.Config(**chosen)))]
        assert [one for one in back if one] == [plain(line) for line in lines if usable(line)]


@few
@given(st.data())
def test_a_built_corpus_has_the_rows_and_the_labels(data):
    draw = data.draw
    pairs = [(f"{number} {cell}", label) for number, (cell, label) in enumerate(draw(rows()))]
    out = io.StringIO()
    csv.writer(out).writerows([("text", "label"), *((cell, label or "") for cell, label in pairs)])
    with folder() as here:
        path = written(here / "a.csv", out.getvalue(), "utf-8", draw(st.booleans()))
        chosen = {"column": "text", "label_column": "label", "codec": "bytes", "valid_share": 0, "test_share": 0}
        build([path], here / "c", settings=chosen | {"max_length": 10_000})
        train = Corpus.open(here / "c", verify=True).rows("train")
        back = [(train.text(i), train.label(i)) for i in range(len(train))]
        assert back == [(unicodedata.normalize("NFC", cell), label) for cell, label in expected(pairs)]


@few
@given(st.data())
def test_every_row_is_in_a_split_or_counted(data):
    """Rows that are the same stay together, and none is lost: in a split, dropped, or removed."""
    draw = data.draw
    stems = [
        "the cat sat",
        "a dog ran off",
        "12 + 7 = 19",
        "12 + 8 = 20",
        "राम घर",
        "राम घार",
        "床前明月光",
        "!",
        "",
        "x",
    ]
    tails = ["", "", " again", " AGAIN", "!", " 7", " 8", "  ", "\u0301"]
    some = st.builds("{}{}".format, st.sampled_from(stems), st.sampled_from(tails))
    every = draw(st.lists(some, min_size=40, max_size=80))
    every += [f"row number {number} of the {word}" for number, word in enumerate("abcdefghijklmnopqrst")]
    chosen = {"codec": "bytes", "valid_share": draw(st.sampled_from([0, 0.1, 0.2])), "test_share": 0.1}
    with folder() as here:
        (here / "a.txt").write_text("\n".join(every) + "\n")
        build([str(here / "a.txt")], here / "c", settings=chosen)
        corpus = Corpus.open(here / "c", verify=True)
        facts = corpus.manifest
        rows_of = {name: [split.text(i) for i in range(len(split))] for name, split in corpus.splits.items()}
        total = sum(map(len, rows_of.values()))
        assert facts["read"] == len(every) == (
            total + sum(facts["dropped"].values()) + sum(facts["held_out_duplicates_removed"].values())
        )  # fmt: skip
        assert sorted(row for some in rows_of.values() for row in some) == sorted(filter(None, map(plain, every)))
        for name, own in rows_of.items():
            for other, others in rows_of.items():
                assert name == other or not {*map(same_key, own)} & {*map(same_key, others)}, (name, other)


@few
@given(st.data())
def test_windows_and_sentences_lose_no_word(data):
    draw = data.draw
    signs = ["cat", "Mr.", "ran.", "“Who?”", "12", "3.5", "é", "。", "राम।", "!", "a;b", "x" * 40]
    content = " ".join(draw(st.lists(st.sampled_from(signs), min_size=5, max_size=200)))
    unit = draw(st.sampled_from(["sentence", "window", "paragraph"]))
    chosen = {"window": draw(st.sampled_from([50, 90, 200]))} if unit == "window" else {}
    with folder() as here:
        (here / "a.txt").write_text(content)
        back = [row.text for row in items_alone(text.read([str(here / "a.txt")], text.Config(unit=unit, **chosen)))]
        assert "".join("".join(back).split()) == "".join(content.split())


# -------------------------------------------------------------------------------------------------------- pictures

MODES = [(GREY, 1), (GREY, 2), (GREY, 4), (GREY, 8), (GREY, 16), (RGB, 8), (RGB, 16), (INDEXED, 1), (INDEXED, 2),
         (INDEXED, 4), (INDEXED, 8), (GREY_ALPHA, 8), (GREY_ALPHA, 16), (RGBA, 8), (RGBA, 16)]  # fmt: skip
sides = st.integers(1, 12)


def covered(pixels: np.ndarray) -> np.ndarray:
    """A picture without the colours under its transparent pixels, which nobody sees."""
    out = pixels.copy()
    out[out[..., 3] == 0] = 0
    return out


@fuzzed
@given(st.data())
def test_png_of_every_mode_comes_back(data):
    draw = data.draw
    kind, depth = draw(st.sampled_from(MODES))
    shape = (draw(sides), draw(sides), CHANNELS[kind])
    values = draw(arrays(np.uint16, shape, elements=st.integers(0, (1 << depth) - 1)))
    palette = draw(st.lists(st.tuples(*[st.integers(0, 255)] * 3), min_size=1 << depth, max_size=1 << depth)) if (
        kind == INDEXED and depth < 8
    ) else [(i, 255 - i, i * 7 % 256) for i in range(256)] if kind == INDEXED else []  # fmt: skip
    transparent: list[int] = []
    if draw(st.booleans()) and kind == INDEXED:
        transparent = draw(st.lists(st.integers(0, 255), min_size=1, max_size=len(palette)))
    elif draw(st.booleans()) and kind in (GREY, RGB):
        transparent = values[0, 0].tolist()
    with folder() as here:
        file = png(values, kind, depth, palette=palette, transparent=transparent, interlaced=draw(st.booleans()))
        (here / "a.png").write_bytes(file)
        (back,) = items_alone(images.read([str(here / "a.png")], images.Config()))
        assert (covered(back.pixels) == covered(shown(values, kind, depth, palette, transparent))).all()


@fuzzed
@given(st.data())
def test_files_without_loss_come_back(data):
    draw = data.draw
    count = draw(st.integers(1, 3))
    shape = (draw(sides), draw(sides), 4)
    pixels = [draw(arrays(np.uint8, shape, elements=st.integers(0, 7).map(lambda v: v * 36))) for _ in range(count)]
    kind, ending, mode = draw(
        st.sampled_from([("WEBP", "webp", "RGBA"), ("BMP", "bmp", "RGB"), ("TGA", "tga", "RGBA"),
                         ("TIFF", "tif", "RGBA"), ("PPM", "ppm", "RGB"), ("PCX", "pcx", "RGB"), ("PNG", "PNG", "RGBA")])
    )  # fmt: skip
    named = draw(st.booleans())
    with folder() as here:
        for number, one in enumerate(pixels):
            if mode == "RGB":
                one[..., 3] = 255
            path = here / "in" / (f"label{number % 2}" if named else "") / f"{number}.{ending}"
            path.parent.mkdir(parents=True, exist_ok=True)
            options = {"lossless": True, "exact": True} if kind == "WEBP" else {}
            Image.fromarray(one, "RGBA").convert(mode).save(path, kind, **options)
        back = [(covered(one.pixels).tobytes(), one.label) for one in
                items_alone(images.read([str(here / "in")], images.Config()))]  # fmt: skip
        wanted = [(covered(one).tobytes(), f"label{i % 2}" if named else None) for i, one in enumerate(pixels)]
        assert sorted(back, key=str) == sorted(wanted, key=str)


@st.composite
def tiles(draw: Any) -> list[np.ndarray]:
    """Different pictures of one size in few colours, none of them transparent all over."""
    height, width, count = draw(st.integers(3, 9)), draw(st.integers(3, 9)), draw(st.integers(4, 20))
    draws = np.random.default_rng(draw(st.integers(0, 10**6)))
    table = draws.integers(0, 256, (draw(st.integers(3, 6)), 4), np.uint8)
    table[:, 3] = 255
    if draw(st.booleans()):
        table[0] = 0
    every = {}
    while len(every) < count:
        one = table[draws.integers(0, len(table), (height, width))]
        one[height // 2, width // 2] = table[-1]
        every[one.tobytes()] = one
    return list(every.values())


def built_pictures(path: Path, **chosen: Any) -> list[bytes]:
    with folder() as here:
        build([str(path)], here / "c", settings={"valid_share": 0, "test_share": 0} | chosen)
        train = Corpus.open(here / "c", verify=True).rows("train")
        return sorted(train.picture(i).tobytes() for i in range(len(train)))


@few
@given(st.data())
def test_sheets_with_margin_and_spacing_come_back(data):
    draw = data.draw
    every = draw(tiles())
    height, width = every[0].shape[:2]
    margin, spacing, columns = draw(st.integers(0, 3)), draw(st.integers(0, 3)), draw(st.integers(2, 6))
    lines = -(-len(every) // columns)
    tall, wide = (2 * margin + n * (side + spacing) - spacing for n, side in ((lines, height), (columns, width)))
    whole = np.zeros((tall, wide, 4), np.uint8)
    for number, one in enumerate(every):
        top, left = margin + number // columns * (height + spacing), margin + number % columns * (width + spacing)
        whole[top : top + height, left : left + width] = one
    with folder() as here:
        (here / "a.png").write_bytes(sheet.png(whole))
        chosen = {"tile": f"{height}x{width}", "margin": margin, "spacing": spacing}
        assert built_pictures(here / "a.png", **chosen) == sorted(one.tobytes() for one in every)


@few
@given(st.data())
def test_sheets_that_we_write_come_back(data):
    draw = data.draw
    every, gap = draw(tiles()), draw(st.integers(0, 2))
    columns, scale = draw(st.integers(1, 7)), draw(st.integers(1, 4))
    with folder() as here:
        layout = sheet.layout(every, columns, gap)
        (here / "a.png").write_bytes(sheet.png(sheet.grid(every, columns, gap), scale, tiles=layout))
        assert built_pictures(here / "a.png") == sorted(one.tobytes() for one in every)


@few
@given(st.data())
def test_indexed_pictures_come_back_through_a_build(data):
    draw = data.draw
    draws = random.Random(draw(st.integers(0, 10**6)))
    size, clear = draw(st.integers(3, 16)), draw(st.booleans())
    palette = [tuple(draws.randrange(256) for _ in range(3)) for _ in range(size)]
    alphas = [255] * size
    if clear:
        alphas[draws.randrange(size)] = 0
    wanted = set()
    with folder() as here:
        (here / "in").mkdir()
        for number in range(6):
            values = np.array([[draws.randrange(size) for _ in range(7)] for _ in range(5)])
            file = png(values, INDEXED, draw(st.sampled_from([4, 8])), palette=palette, transparent=alphas)
            (here / "in" / f"{number}.png").write_bytes(file)
            wanted.add(covered(shown(values, INDEXED, 8, palette, alphas)).tobytes())
        assert built_pictures(here / "in") == sorted(wanted)


@fuzzed
@given(st.data())
def test_palettes_come_back(data):
    draw = data.draw
    ending = draw(st.sampled_from(sorted(palettes.ENDINGS)))
    parts = st.tuples(*[st.integers(0, 255)] * 3)
    colours = [(*colour, 255) for colour in draw(st.lists(parts, min_size=2, max_size=40, unique=True))]
    with folder() as here:
        palettes.write(here / f"p{ending}", colours)
        assert palettes.read(here / f"p{ending}").colours == colours
