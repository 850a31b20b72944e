"""A corpus of toy sentences that the tests of this folder open and never change."""

from __future__ import annotations

from pathlib import Path

import pytest
from lines import TOY

from corpora.build import build


@pytest.fixture(scope="session")
def toy(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("toy") / "corpus"
    build(["toy"], folder, settings=TOY)
    return folder
