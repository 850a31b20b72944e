"""The folder of a run: the default ones of commands that begin together."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from corpora.errors import InputError
from textgen.runs.folder import chosen


def test_commands_that_begin_together_take_different_folders(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs" / "2").mkdir(parents=True)
    taken: list[Path] = []
    barrier = threading.Barrier(8)

    def begin() -> None:
        barrier.wait()
        with chosen(None) as folder:
            taken.append(folder)

    threads = [threading.Thread(target=begin) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(str(folder) for folder in taken) == [f"runs/{number}" for number in (1, 3, 4, 5, 6, 7, 8, 9)]


def test_a_command_that_fails_leaves_no_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError), chosen(None):
        raise InputError("no such file")
    assert not list(tmp_path.iterdir())
    with pytest.raises(InputError), chosen(None) as folder:
        (folder / "corpus").mkdir()
        raise InputError("stopped later")
    assert (tmp_path / "runs" / "1" / "corpus").is_dir()
    with chosen("mine") as folder:
        assert folder == Path("mine")
    assert not folder.exists()
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(InputError, match="give --out"), chosen(None):
        pass
