"""The folder of a run: one process holds it, and signals ask for an end after the step at hand."""

from __future__ import annotations

import contextlib
import fcntl
import os
import platform
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

from corpora import files
from corpora.errors import InputError

RECIPE, CHECKPOINTS = "recipe.json", "checkpoints"
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Stopped(Exception):
    """Training was asked to end early, by a signal; the last step is saved."""

    def __init__(self, number: int, step: int) -> None:
        super().__init__(f"stopped by {signal.Signals(number).name} at step {step}; saved")
        self.number, self.step = number, step


class Signals:
    """SIGINT, SIGTERM and SIGHUP ask for an end after the step at hand; a second one ends at once.

    A closing terminal may send SIGHUP more than once, so that one never ends anything at once; where it is ignored
    (`nohup`) it stays so.
    """

    def __init__(self) -> None:
        self.asked = 0

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.asked and number != signal.SIGHUP:
            raise KeyboardInterrupt
        self.asked = self.asked or number

    def __enter__(self) -> Signals:
        ignored = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
        numbers = [number for number in SIGNALS if number != signal.SIGHUP or not ignored]
        self.before = {number: signal.signal(number, self._note) for number in numbers}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self.before.items():
            signal.signal(number, handler)


def refuse_taken(folder: Path) -> None:
    """Raise InputError if the folder holds a run."""
    if (folder / RECIPE).exists():
        where = files.quoted_path(folder)
        raise InputError(f"{where} holds a run already: --resume {where} goes on with it, or choose another --out")


@contextlib.contextmanager
def chosen(out: str | Path | None) -> Iterator[Path]:
    """The run folder `out`, or the first of runs/1, runs/2, ... that is free, made at once so that no other command
    takes it; it is gone again if the block fails and left nothing in it.

    Raises InputError where several processes would have to agree on a free one.
    """
    if out is not None:
        yield Path(out)
        return
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise InputError("several processes need to be told the same run folder: give --out")
    root, number = Path("runs"), 1
    with files.explained(root):
        root.mkdir(exist_ok=True)
        while True:
            try:
                (root / str(number)).mkdir()
                break
            except FileExistsError:
                number += 1
    try:
        yield root / str(number)
    except BaseException:
        with contextlib.suppress(OSError):
            (root / str(number)).rmdir()
            root.rmdir()
        raise


@contextlib.contextmanager
def held(folder: Path) -> Iterator[None]:
    """Hold a run folder alone. Raises InputError, saying who has it, if another process does."""
    if int(os.environ.get("RANK", "0")) > 0:  # the first process of a group holds it for all
        yield
        return
    with files.explained(folder):
        handle = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT, 0o666)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            owner = os.read(handle, 200).decode(errors="replace").strip() or "another process"
            raise InputError(
                f"{files.quoted_path(folder)} is in use by {owner}: wait for it, stop it, or choose another folder"
            ) from error
        os.ftruncate(handle, 0)
        since = time.strftime("%Y-%m-%d %H:%M:%S")
        os.write(handle, f"process {os.getpid()} on {platform.node()} since {since}".encode())
        yield
    finally:
        os.close(handle)
