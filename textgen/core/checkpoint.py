"""Models and training states on disk: safetensors and JSON, whole or absent, verified before they are believed.

A model folder holds `config.json` (recipe, length, facts), `codec.json`, `model.safetensors` and `manifest.json`
(sizes and SHA-256 of the others). A checkpoint is a model folder with the training state beside it, so any
checkpoint can be opened as a model. Nothing here can run code from a file: no pickle, no names to import.
"""

from __future__ import annotations

import json
import math
import re
import shutil
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors.torch import load, save
from torch import Tensor

from corpora import files
from corpora.errors import InputError, quoted
from textgen.core import int8

FORMAT = 1
WHAT = "model folder"
MODEL, STATE, TENSORS = "model.safetensors", "training.json", "training.safetensors"
_HEADER_LIMIT = 1 << 20  # the format allows 100 MB, which takes a minute and gigabytes to read
_SIZE_LIMIT = 16 << 30
_NAME = re.compile(r"[A-Za-z0-9_./-]{1,200}")
_BYTES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I64": 8, "I32": 4, "I16": 2, "I8": 1, "U8": 1, "BOOL": 1}


# Names of weights in folders written before 2026-12 -> their names now.
RENAMED = {"prior.sigma": "prior.log_std"}


class Stored(NamedTuple):
    """A model folder as read: nothing built yet."""

    config: dict[str, Any]
    codec: dict[str, Any]
    tensors: dict[str, Tensor]


def pack(tensors: Mapping[str, Tensor]) -> bytes:
    """Tensors as safetensors bytes, the same bytes for the same tensors. Raises InputError for NaN or infinity."""
    ready = {}
    for name in sorted(tensors):
        tensor = tensors[name].detach().to("cpu").contiguous()
        if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
            raise InputError(f"the tensor {name} holds NaN or infinity: it is not saved")
        ready[name] = tensor.clone()
    return save(ready)


def unpack(data: bytes, path: Path) -> dict[str, Tensor]:
    """Tensors from safetensors bytes that a stranger may have made. Raises InputError if anything is odd."""

    def odd(reason: str) -> InputError:
        return InputError(f"{files.quoted_path(path)} is not a safetensors file that can be used: {reason}")

    if data[:2] in (b"PK", b"\x80\x02", b"\x80\x04", b"\x80\x05") and data[8:9] != b"{":
        raise odd("it is a pickle or zip file, which can run code and is never opened; convert it to safetensors")
    if len(data) < 8:
        raise odd(f"{len(data)} bytes are too few")
    (header,) = struct.unpack("<Q", data[:8])
    if header > min(_HEADER_LIMIT, len(data) - 8):
        raise odd(f"its header claims {header:,} bytes")
    try:
        table = json.loads(data[8 : 8 + header])
        entries = {name: entry for name, entry in table.items() if name != "__metadata__"}
        end = 0
        for name, entry in sorted(entries.items(), key=lambda item: item[1]["data_offsets"]):
            start, stop = entry["data_offsets"]
            if not _NAME.fullmatch(name) or len(entry["shape"]) > 8:
                raise odd(f"bad tensor {quoted(name)}")
            if start != end or stop - start != math.prod(entry["shape"]) * _BYTES[entry["dtype"]]:
                raise odd(f"the tensor {quoted(name)} does not fit its place")
            end = stop
        if end != len(data) - 8 - header:
            raise odd("its length is not what the header says")
        return load(data)
    except InputError:
        raise
    except Exception as error:  # whatever a parser may stumble on, the file is at fault
        raise odd(quoted(str(error), 120)) from error


def write_model(
    folder: Path,
    config: Mapping[str, Any],
    codec: Mapping[str, Any],
    tensors: Mapping[str, Tensor],
    card: str | None = None,
) -> None:
    """Fill a new folder (see `files.new_folder`) with a model. The manifest is yours to write, last."""
    files.write_file(folder / "config.json", files.to_json({**config, "format": FORMAT}))
    files.write_file(folder / "codec.json", files.to_json(codec))
    files.write_file(folder / MODEL, pack(tensors))
    if card is not None:
        files.write_file(folder / "README.md", card.encode())


def read_model(folder: Path) -> Stored:
    """Read a model folder. Raises InputError if a file is missing, truncated, altered or of another version."""
    names = ("config.json", "codec.json")
    files.read_manifest(folder, what=WHAT, format_version=FORMAT, needed=(*names, MODEL))
    config, codec = (files.from_json(files.read_bytes(folder / name, 64 << 20), folder / name) for name in names)
    path = folder / MODEL
    try:
        tensors = int8.restored(unpack(files.read_bytes(path, _SIZE_LIMIT), path))
    except InputError as error:
        where = files.quoted_path(path)
        raise error if str(error).startswith(where) else InputError(f"{where}: {error}") from error
    check_finite(tensors, path)
    return Stored(config, codec, {RENAMED.get(name, name): tensor for name, tensor in tensors.items()})


def check_finite(tensors: Mapping[str, Tensor], path: Path) -> None:
    """Raise InputError, naming the first of them, if tensors hold NaN or infinity: every figure would be neither."""
    for name, tensor in tensors.items():
        if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
            wrong = int((~torch.isfinite(tensor)).sum())
            raise InputError(
                f"{files.quoted_path(path)}: the tensor {name} holds NaN or infinity ({wrong:,} of {tensor.numel():,} "
                "numbers): the model is not usable; take an earlier checkpoint, or export it again"
            )


def check_fit(model: torch.nn.Module, tensors: Mapping[str, Tensor], path: Path) -> None:
    """Raise InputError, naming what does not fit, unless `tensors` are the weights of a model of these shapes.

    The model may be one on the meta device, which takes no memory.
    """
    expected = weights(model)
    missing, extra = sorted(set(expected) - set(tensors)), sorted(set(tensors) - set(expected))
    wrong = [name for name in sorted(set(expected) & set(tensors)) if _kind(expected[name]) != _kind(tensors[name])]
    for what, names in (("lacks", missing), ("has an unknown", extra), ("has another shape or type of", wrong)):
        if names:
            more = f" and {len(names) - 3} more" if len(names) > 3 else ""
            raise InputError(
                f"{files.quoted_path(path / MODEL)} {what} {', '.join(map(quoted, names[:3]))}{more}: "
                "weights and config.json do not belong together"
            )


def _kind(tensor: Tensor) -> tuple[torch.Size, bool]:
    return tensor.shape, tensor.is_floating_point()


def fill(model: torch.nn.Module, tensors: Mapping[str, Tensor], path: Path) -> None:
    """Load weights (of any float precision) into a model. Raises InputError naming what does not fit."""
    check_fit(model, tensors, path)
    with torch.no_grad():
        for name, value in weights(model).items():
            value.copy_(tensors[name])


def weights(model: torch.nn.Module) -> dict[str, Tensor]:
    """Parameters and buffers by name, tied ones once; without buffers that are not persistent: the code makes them."""
    kept = model.state_dict().keys()
    buffers = {name: buffer for name, buffer in model.named_buffers() if name in kept}
    return {**dict(model.named_parameters()), **buffers}


def step_of(folder: Path) -> int | None:
    """The step in a checkpoint's folder name, or None for any other folder."""
    match = re.fullmatch(r"step-(\d{9})", folder.name)
    return int(match[1]) if match else None


def listed(folder: Path) -> list[Path]:
    """The checkpoints in a run's folder `checkpoints`, the newest step first."""
    checkpoints = [path for path in folder.iterdir() if step_of(path) is not None] if folder.is_dir() else []
    return sorted(checkpoints, key=lambda path: path.name, reverse=True)


def read_state(folder: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The training state of a checkpoint whose manifest has been checked."""
    values = files.from_json(files.read_bytes(folder / STATE, 64 << 20), folder / STATE)
    return unpack(files.read_bytes(folder / TENSORS, _SIZE_LIMIT), folder / TENSORS), values


def prune(folder: Path, keep: int, best: int | None) -> None:
    """Remove all checkpoints but the newest `keep` (at least 2) and the best."""
    for path in listed(folder)[max(2, keep) :]:
        if step_of(path) != best:
            remove(path)


def remove(path: Path) -> None:
    """Remove a checkpoint; one that is half removed is not taken for whole."""
    rubbish = path.with_name(files.UNFINISHED + path.name)
    path.rename(rubbish)
    shutil.rmtree(rubbish)


def sweep(folder: Path) -> None:
    """Remove what a killed run left half-made."""
    for path in folder.glob(files.UNFINISHED + "*"):
        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
