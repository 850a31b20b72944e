"""Fixtures of the tests of the core."""

from __future__ import annotations

import pytest

import small


@pytest.fixture
def new_leaves(monkeypatch):
    """The leaves of `tests/leaves`, as if their files lay in `imagegen`: the model `gan`, the backbone `sums`."""
    with small.dropped_in(monkeypatch):
        yield
