"""Pictures in a column of a dataset of the Hugging Face Hub (`hf-images:NAME`, `hf-images:NAME#SPLIT`), or a local one.

As `hub` otherwise: streamed by default, and code of a dataset is never run.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from corpora.errors import InputError, choose, quoted
from corpora.files import quoted_path
from corpora.pictures import decoding
from corpora.row import Picture
from corpora.settings import Settings, setting
from corpora.sources import hub

MODALITY = "picture"
PREFIX = "hf-images:"


@dataclass(frozen=True)
class Config(Settings):
    """Settings of pictures of the Hub."""

    column: str | None = setting(None, "the column with the pictures; by default the only one that holds pictures")
    label_column: str | None = setting(None, "the column with the labels; classes are named as the dataset names them")
    subset: str | None = setting(None, "the subset (configuration) of the dataset")
    split: str = setting("train", "the split to read; hf-images:NAME#SPLIT says it for one input")
    streaming: bool = setting(True, "read as it comes, in place of downloading all first")
    revision: str | None = setting(None, "a branch, tag or commit of the dataset")


def accepts(address: str) -> bool:
    """Whether this source is meant when none is named."""
    return address.startswith(PREFIX)


def read(inputs: Sequence[str], config: Config) -> Iterator[Picture]:
    """The pictures of the datasets in order, each as it is meant to be seen.

    Raises InputError for a dataset that is not found or not reachable, naming the columns if the one with the pictures
    is not plain, and naming the row for what is no picture or too large.
    """
    for address in inputs:
        name, _, split = address.removeprefix(PREFIX).partition("#")
        if not name:
            raise InputError(f"{quoted(address)}: name a dataset, as in {PREFIX}ylecun/mnist")
        chosen, number = "", -1
        rows = hub.records(
            name,
            split or config.split,
            subset=config.subset,
            streaming=config.streaming,
            revision=config.revision,
            scheme=PREFIX[:-1],
        )
        for number, record in enumerate(rows):
            chosen = chosen or _column(record, address, config)
            where = f"{quoted_path(address)}, row {number}"
            pixels, done = decoding.decoded(record.get(chosen), where)
            label = record.get(config.label_column) if config.label_column is not None else None
            yield Picture(pixels, None if label is None or label == "" else str(label), where, None, done)
        if number < 0:
            raise InputError(f"{quoted_path(address)}: the dataset has no rows")


def _column(record: Mapping[str, Any], address: str, config: Config) -> str:
    """The column with the pictures; that of the labels is checked as well."""
    from PIL import Image

    try:
        for wanted in (config.column, config.label_column):
            if wanted is not None:
                choose("column", wanted, map(str, record))
    except InputError as error:
        raise InputError(f"{quoted_path(address)}: {error}") from error
    holding = [column for column, value in record.items() if isinstance(value, Image.Image)]
    if config.column is not None:
        return config.column
    if len(holding) != 1:
        held = "several columns hold pictures" if holding else "no column holds pictures"
        columns = ", ".join(map(str, holding or record))
        raise InputError(f"{quoted_path(address)}: {held}: say column=NAME; columns: {columns}")
    return holding[0]
