"""A source in one file, as small as can be: files that end in .tune, a tune on each line."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from corpora.settings import Settings, setting

MODALITY = "tune"


@dataclass(frozen=True)
class Config(Settings):
    rests: bool = setting(True, "keep the rests, which are written as -")


def accepts(address):
    return address.endswith(".tune")


def read(inputs, config):
    for address in inputs:
        for line in Path(address).read_text().splitlines():
            yield line if config.rests else line.replace("-", "")
