"""Datasets of the Hugging Face Hub by name (`hf:ag_news`, `hf:NAME#validation`) or a local one (`hf:/path/to/folder`).

Streamed by default: nothing is stored but the corpus. Code of a dataset is never run.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from corpora.errors import InputError, quoted
from corpora.row import Row, Told
from corpora.settings import Settings, setting
from corpora.sources.table import Pick, cut_cells, rows_of
from corpora.texts import cut

MODALITY = "text"


@dataclass(frozen=True)
class Config(Settings):
    """Settings of the Hub."""

    column: str | None = setting(None, "the column with the text; by default `text`, or the only one that holds text")
    label_column: str | None = setting(None, "the column with the labels; classes are named as the dataset names them")
    subset: str | None = setting(None, "the subset (configuration) of the dataset")
    split: str = setting("train", "the split to read; hf:NAME#SPLIT says it for one input")
    streaming: bool = setting(True, "read as it comes, in place of downloading all first")
    revision: str | None = setting(None, "a branch, tag or commit of the dataset")
    unit: str = cut.unit_setting("cell", more=("cell",))
    window: int = cut.window_setting()
    window_of: str = cut.window_of_setting()


def accepts(address: str) -> bool:
    """Whether this source is meant when none is named."""
    return address.startswith("hf:")


def read(inputs: Sequence[str], config: Config) -> Iterator[Row | Told]:
    """The rows of the datasets in order. Raises InputError for one that is not found or not reachable."""
    for address in inputs:
        name, _, split = address.removeprefix("hf:").partition("#")
        if not name:
            raise InputError(f"{quoted(address)}: name a dataset, as in hf:ag_news")
        guesses: list[str] = []
        pick = Pick(address, config.column, config.label_column)
        fetched = records(
            name, split or config.split, subset=config.subset, streaming=config.streaming, revision=config.revision,
            pick=pick,
        )  # fmt: skip
        rows = rows_of(fetched, pick, guesses)
        yield from cut_cells(rows, config.unit, config.window, config.window_of, address)
        yield from (Told(f"{address}: {guess}") for guess in guesses)


def records(
    name: str,
    split: str,
    *,
    subset: str | None,
    streaming: bool,
    revision: str | None,
    scheme: str = "hf",
    pick: Pick | None = None,
) -> Iterator[Mapping[str, Any]]:
    """The rows of a split of a dataset, column -> value, the names of classes in place of their numbers.

    `scheme` is how it was called, for messages. `pick`: of these columns alone, where the data set
    names them. Raises InputError for a dataset that is not found or not reachable.
    """
    import datasets
    import huggingface_hub.utils.logging

    if name.startswith((".", "/", "~")) and not Path(name).expanduser().is_dir():
        raise InputError(f"{scheme}:{name}: no such folder")
    if Path(name).expanduser().is_dir():
        name = str(Path(name).expanduser())
    datasets.disable_progress_bars()
    huggingface_hub.utils.logging.set_verbosity_error()  # our one line says it, not a warning for each attempt
    # The libraries underneath raise errors of many kinds; each of them means that the dataset cannot be had.
    try:
        loaded = datasets.load_dataset(name, subset, split=split, streaming=streaming, revision=revision)
        wanted = [] if pick is None else _wanted(loaded.features or {}, pick)
        loaded = loaded.select_columns(wanted) if wanted else loaded
        classes = {
            column: feature.names
            for column, feature in (loaded.features or {}).items()
            if isinstance(feature, datasets.ClassLabel)
        }
        stream = iter(loaded)
    except Exception as error:
        raise _explained(f"{scheme}:{name}", split, error) from error
    while True:
        try:
            record = next(stream, None)
        except Exception as error:
            raise _explained(f"{scheme}:{name}", split, error) from error
        if record is None:
            return
        for column, names in classes.items():
            number = record.get(column)
            if isinstance(number, int):
                record[column] = names[number] if 0 <= number < len(names) else None
        yield record


def _wanted(features: Mapping[str, Any], pick: Pick) -> list[str]:
    """The columns to read, so that no other one is decoded; none where the choice needs the rows, or is wrong."""
    text = "text" if pick.column is None and "text" in features else pick.column
    wanted = [text, *([pick.label_column] if pick.label_column is not None else [])]
    return [*dict.fromkeys(one for one in wanted if one is not None)] if {*wanted} <= {*features} else []


def _explained(name: str, split: str, error: Exception) -> InputError:
    """One line for whatever went wrong."""
    text = " ".join(str(error).split())
    kinds = {kind.__name__ for kind in type(error).__mro__}
    if isinstance(error, ConnectionError) or kinds & {
        "ConnectError",
        "OfflineModeIsEnabled",
        "ConnectTimeout",
        "ReadTimeout",
    }:
        reason = (
            f"the Hub cannot be reached: check the network, or give a local folder as {name.partition(':')[0]}:/path"
        )
    elif "DatasetNotFoundError" in kinds or "RepositoryNotFoundError" in kinds:
        reason = "not found, or not public: check the name on huggingface.co/datasets"
    elif "Unknown split" in text or "Bad split" in text:
        reason = f"no split {split!r}: {text}"
    elif "Config name is missing" in text or "BuilderConfig" in text:
        reason = f"say subset=NAME: {text}"
    else:
        reason = f"{type(error).__name__}: {text}"
    return InputError(f"{name}: {reason[:300]}")
