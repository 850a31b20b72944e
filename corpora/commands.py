"""What every command line here shares: errors of one line, sub-commands that offer the nearest, settings as words."""

from __future__ import annotations

import argparse
import difflib
import io
import os
import re
import signal
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, NoReturn

from corpora.errors import InputError, choose, quoted
from corpora.settings import pairs

_SETTING = re.compile(r"[A-Za-z_]\w*=", re.ASCII)


class _Help(argparse.RawDescriptionHelpFormatter):
    """Help in two columns; the standard one forgets the indent of sub-commands, and breaks the longest."""

    def add_argument(self, action: argparse.Action) -> None:
        super().add_argument(action)
        if isinstance(action, argparse._SubParsersAction):
            self._action_max_length += self._indent_increment


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are one line on stderr and exit code 2, and whose options are not abbreviated.

    Words and options may be mixed: `build a.txt --out c vocab=500`. Its sub-commands are parsers of this class too.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        options.setdefault("allow_abbrev", False)
        options.setdefault("formatter_class", lambda prog: _Help(prog, max_help_position=30))
        super().__init__(*arguments, **options)
        self._mixing = False

    def error(self, message: str) -> NoReturn:
        """Print `message` as one line after the name of the command, and exit with 2."""
        self.exit(2, f"{self.prog}: {one_line(message)}\n")

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """As in the standard library, but options may stand between words, and one that is unknown ends it here."""
        args = sys.argv[1:] if args is None else list(args)
        if self._subparsers is not None or self._mixing or "--" in args:
            return super().parse_known_args(args, namespace)
        self._mixing = True  # since the mixed kind is made of calls of this method
        try:
            namespace, left = self.parse_known_intermixed_args(args, namespace)
        finally:
            self._mixing = False
        if left:
            options = [option for option in self._option_string_actions if option.startswith("--")]
            given = left[0].partition("=")[0]
            near = [option for option in options if option.startswith(given)]
            near = near or difflib.get_close_matches(given, options, n=1, cutoff=0.5)
            hint = f"did you mean {near[0]}? " if near else ""
            kind = "option" if left[0].startswith("-") else "word"
            self.error(f"unknown {kind} {quoted(left[0])}: {hint}see {self.prog} --help")
        return namespace, left

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        """Offer the nearest of the choices."""
        if action.choices is None or value in action.choices:
            return
        what = "command" if isinstance(action, argparse._SubParsersAction) else str(action.metavar or action.dest)
        try:
            choose(what, str(value), map(str, action.choices))
        except InputError as error:
            raise argparse.ArgumentError(None, str(error)) from error


def run(main: Callable[[Sequence[str] | None], int], argv: Sequence[str] | None = None) -> int:
    """Call a command line's `main` and return the exit code: 2 and one line on stderr after an InputError, 130 after
    Ctrl-C, 0 when the reader of our output went away."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # what a terminal cannot show is no reason to stop
    # A polite kill ends like Ctrl-C: what is unfinished is removed on the way out.
    before = signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    try:
        code = main(argv)
        sys.stdout.flush()
    except InputError as error:
        print(f"error: {one_line(str(error))}", file=sys.stderr)
        return 2
    except BrokenPipeError:
        # Python flushes stdout once more at exit; give it somewhere to go.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        print(f"error: {one_line(str(error))[:300]}", file=sys.stderr)
        return 2
    except (MemoryError, RuntimeError) as error:  # torch raises the latter when there is no more memory
        if isinstance(error, RuntimeError) and not re.search("out of memory|can't allocate memory", str(error)):
            raise
        print(f"error: out of memory: use a smaller batch or model ({one_line(str(error))[:120]})", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    finally:
        signal.signal(signal.SIGTERM, before)
    return code


def split_words(words: Iterable[str]) -> tuple[list[str], dict[str, str]]:
    """Part inputs from settings. A word is a setting if it reads KEY=VALUE and no file has that name."""
    inputs: list[str] = []
    chosen: list[str] = []
    for word in words:
        (chosen if _SETTING.match(word) and not Path(word).exists() else inputs).append(word)
    return inputs, pairs(chosen)


_CONTROLS = dict.fromkeys([*range(10), *range(11, 32), *range(127, 160)], "\ufffd")  # all but the line feed


def printable(text: str) -> str:
    """A text as it may go to a terminal: whatever wrote it, it cannot steer the terminal by escape codes."""
    return text.translate(_CONTROLS)


def one_line(text: str) -> str:
    """A message without line breaks."""
    return " ".join(text.split())
