"""The toolkit of the command lines here: verbs found in a table and imported when called, one-line errors, one `main`.

A program is a table of verbs. Each is a plain function whose parameters declare its words and options for Typer
(https://typer.tiangolo.com). The function is imported when its verb is called, so that `--help` answers at once.
"""

from __future__ import annotations

import codecs
import contextlib
import difflib
import importlib
import io
import math
import os
import re
import signal
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import typer
from typer import _click as click
from typer.core import TyperCommand, TyperGroup

from corpora.errors import InputError, choose, quoted
from corpora.files import check_writable, explained
from corpora.settings import pairs

FEW = 5  # options that a long help shows first; the others come under "More"
_SETTING = re.compile(r"[A-Za-z_]\w*=", re.ASCII)
_NEGATIVE = re.compile(r"-\d+|-\d*\.\d+")
_STYLE: dict[str, Any] = {"rich_markup_mode": None, "pretty_exceptions_enable": False}
_SHELL = {
    "install_completion": "let this shell (bash, zsh or fish) complete commands, options and names",
    "show_completion": "print the script that does it",
}
_CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 110}


class Verb(NamedTuple):
    """An entry of a table: the module that holds the function of that name, or a table of its own, and one line."""

    home: str | Mapping[str, Verb]
    help: str


Table = Mapping[str, Verb]


# ------------------------------------------------------------------------------------------------------ parsing


class _Help:
    """A --help whose absence is False: None would be converted, for which Typer imports pydantic."""

    def get_help_option(self, ctx: click.Context) -> Any:
        """The option that shows the help."""
        option = super().get_help_option(ctx)  # type: ignore[misc]
        option.default = False
        return option


class Command(_Help, TyperCommand):
    """A verb. Its words and options may be mixed; its help shows the first few options, the others under "More"."""

    def make_parser(self, ctx: click.Context) -> Any:
        """Take a negative number, and a sentence that begins with a dash, as a word."""
        parser = super().make_parser(ctx)
        known = parser._process_opts

        def process(arg: str, state: Any) -> None:
            option = arg.partition("=")[0] in parser._long_opt or arg[:2] in parser._short_opt
            if not option and (_NEGATIVE.fullmatch(arg) or " " in arg):
                state.largs.append(arg)
            else:
                known(arg, state)

        parser._process_opts = process  # type: ignore[method-assign]
        return parser

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse, with one-line errors that name the option, its value and what is expected."""
        ctx.allow_extra_args = True  # so that what is left over gets our message
        try:
            with _named(ctx):
                rest = super().parse_args(ctx, args)
        except click.exceptions.MissingParameter as error:
            raise click.exceptions.UsageError(f"missing {_name(error.param)}", ctx) from error
        except typer.BadParameter as error:
            raise InputError(_refusal(error)) from error
        if rest and not ctx.resilient_parsing:
            raise click.exceptions.UsageError(f"unknown word {quoted(rest[0])}", ctx)
        return rest

    def format_help(self, ctx: click.Context, formatter: Any) -> None:
        """Write usage, the description as it stands, words, the first options, and then the others."""
        everything: list[Any] = [param for param in self.get_params(ctx) if not getattr(param, "hidden", False)]
        positional = [param for param in everything if param.param_type_name == "argument"]
        usage = [_word(param) for param in positional]
        formatter.write_usage(ctx.command_path, " ".join([*usage, "[options]"]), "usage: ")
        formatter.write(f"\n{self.help}\n")
        sections: dict[str, list[tuple[str, str]]] = {"": [_row(param) for param in positional if param.help]}
        options = [param for param in everything if param.param_type_name == "option"]
        own = [option for option in options if not option.rich_help_panel]
        for number, option in enumerate(own):
            later = number >= FEW and len(own) > FEW + 3 and not option.required
            sections.setdefault("More" if later else "Options", []).append(_row(option))
        more = sections.pop("More", [])
        for option in options:
            if option.rich_help_panel:
                sections.setdefault(option.rich_help_panel, []).append(_row(option))
        if more:
            sections["More"] = more
        _write_sections(formatter, sections)


class Group(_Help, TyperGroup):
    """A program, or a verb that has verbs of its own: a table of them, each imported when it is called."""

    table: Table = MappingProxyType({})

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse what stands before the verb."""
        with _named(ctx):
            return super().parse_args(ctx, args)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names of the verbs."""
        return list(self.table)

    def get_command(self, ctx: click.Context, cmd_name: str) -> Any:
        """Import and build one verb."""
        return build(cmd_name, self.table[cmd_name]) if cmd_name in self.table else None

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str, Any, list[str]]:
        """The verb that the first word names. The error offers the nearest."""
        if ctx.resilient_parsing and args[0] not in self.table:  # completing a line that is not right
            return args[0], None, []
        try:
            name = choose("command", args[0], self.table)
        except InputError as error:
            raise click.exceptions.UsageError(str(error), ctx) from error
        return name, self.get_command(ctx, name), args[1:]

    def format_help(self, ctx: click.Context, formatter: Any) -> None:
        """Write usage and a line on every verb, importing none of them."""
        formatter.write_usage(ctx.command_path, "COMMAND [words and options]", "usage: ")
        about = str(self.help).rstrip(".")
        formatter.write(f"\n{about[0].upper()}{about[1:]}.\n")
        options = [_row(param) for param in self.get_params(ctx)]
        rows = [(name, verb.help) for name, verb in self.table.items()]
        _write_sections(formatter, {"Commands": rows, "Options": options})
        formatter.write(f"\n{ctx.command_path} COMMAND --help shows the options of a command.\n")

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[Any]:
        """Complete the names of verbs, importing none of them."""
        from typer._click.shell_completion import CompletionItem

        items = [CompletionItem(name, help=verb.help) for name, verb in self.table.items()]
        items = [item for item in items if item.value.startswith(incomplete)]
        return items + click.core.Command.shell_complete(self, ctx, incomplete)


@contextlib.contextmanager
def _named(ctx: click.Context) -> Iterator[None]:
    """An error in the words of a command says whose words they are."""
    try:
        yield
    except click.exceptions.UsageError as error:
        error.ctx = error.ctx or ctx
        raise


def function(name: str, home: str) -> Callable[..., Any]:
    """The function of a verb in its module: of the same name, `_` for `-`, and one at the end where Python has it."""
    module, name = importlib.import_module(home), name.replace("-", "_")
    return getattr(module, name, None) or getattr(module, f"{name}_")


def build(name: str, verb: Verb, completion: bool = False) -> Any:
    """The command of an entry of a table; `completion`: with the options that set up the shell."""
    app = typer.Typer(add_completion=completion, context_settings=_CONTEXT, **_STYLE)
    if isinstance(verb.home, str):
        app.command(name, cls=Command, context_settings=_CONTEXT)(function(name, verb.home))
        return typer.main.get_command(app)
    app.callback(cls=Group, help=verb.help)(_nothing)
    group: Any = typer.main.get_command(app)
    group.name, group.table = name, verb.home
    for param in group.params:
        param.help = _SHELL.get(param.name, param.help)
        param.default = False  # as of --help
    return group


def _nothing() -> None:
    """A group does nothing by itself."""


def _name(param: Any) -> str:
    """A parameter as a message calls it: its option, or its word."""
    long = [option for option in param.opts if option.startswith("--")]
    is_option = param.param_type_name == "option"
    return str((long or param.opts)[0] if is_option else param.metavar or param.name.upper())


def _word(param: Any) -> str:
    name = str(param.metavar or param.name.upper()) + (" ..." if param.nargs == -1 else "")
    return name if param.required else f"[{name}]"


def _row(param: Any) -> tuple[str, str]:
    """The two columns of a parameter in a help."""
    text = param.help or ""
    if param.param_type_name == "argument":
        return str(param.metavar or param.name.upper()), text
    if param.name == "help":
        return "-h, --help", "show this help"
    names = ", ".join([*param.opts, *param.secondary_opts])
    if not param.is_flag:
        choices = "|".join(map(str, param.type_descriptor.choices or ()))
        names += f" {param.metavar or choices or 'X'}"
    default = param.default
    if param.show_default and default is not None and not isinstance(default, bool) and default not in ("", (), []):
        number = isinstance(default, int | float)
        text += f" (default {f'{default:,}' if number else default})"
    return names, text


def _write_sections(formatter: Any, sections: Mapping[str, list[tuple[str, str]]]) -> None:
    width = min(30, max((len(first) for rows in sections.values() for first, _ in rows), default=0))
    for title, rows in sections.items():
        if rows:
            formatter.write(f"\n{title}:\n" if title else "\n")
            formatter.indent()
            padded = [(f"{first:<{width}}", second) for first, second in rows]
            formatter.write_dl(padded, col_max=30)
            formatter.dedent()


def _refusal(error: Any) -> str:
    """One line on a value that an option cannot take: the option, the value, and what it can."""
    param = error.param
    if param is None:
        return str(error.message)
    details = error.__cause__.errors() if hasattr(error.__cause__, "errors") else [{}]
    value = details[0].get("input", "")
    kind, choices = param.type_descriptor.annotation, param.type_descriptor.choices
    if choices:
        near = difflib.get_close_matches(str(value), map(str, choices), n=1, cutoff=0.5)
        hint = f"did you mean {near[0]!r}? " if near else ""
        return f"{_name(param)} {quoted(value)}: {hint}choose from {', '.join(map(str, choices))}"
    number = {int: "a whole number", float: "a number"}.get(kind, "another value")
    low, high = ("" if end is None else f"{end:,}" for end in (param.min, param.max))
    span = f"{low} to {high}" if low and high else f"{low} or more" if low else f"up to {high}" if high else ""
    if str(details[0].get("type", "")).endswith("_parsing") or kind is not int:
        expected = f"{number} from {span}" if span else number
    else:
        expected = span
    shown = value if kind in (int, float) and re.fullmatch(r"[-+.\w]{1,40}", str(value)) else quoted(value)
    return f"{_name(param)} {shown}: expected {expected}"


# ------------------------------------------------------------------------------------------------------ running


def main(name: str, about: str, table: Table, argv: Sequence[str] | None = None) -> int:
    """The `main` of a program: parse `argv` (default: of the process), call the verb, return the exit code."""
    program = build(name, Verb(table, about), completion=True)
    if f"_{name.upper()}_COMPLETE" in os.environ:  # the shell asks for the completion of a line
        program.main(args=[], prog_name=name)

    def work(argv: Sequence[str] | None) -> int:
        arguments = sys.argv[1:] if argv is None else list(argv)
        with program.make_context(name, arguments) as ctx:
            return program.invoke(ctx) or 0

    return run(work, argv)


def run(work: Callable[[Sequence[str] | None], int], argv: Sequence[str] | None = None) -> int:
    """Call `work` and return the exit code: 2 and one line on stderr for bad input, 130 after Ctrl-C, 128 and the
    number of a signal that ends it, 0 when the reader of our output went away."""
    _open_streams()
    try:
        return _run(work, argv)
    finally:
        _tell_of_lost_characters()


def _run(work: Callable[[Sequence[str] | None], int], argv: Sequence[str] | None) -> int:
    before = {}
    for number in (signal.SIGTERM, signal.SIGHUP):  # a polite kill, or a closed terminal, ends like Ctrl-C
        if signal.getsignal(number) is not signal.SIG_IGN:  # as under nohup
            before[number] = signal.signal(number, lambda number, frame: sys.exit(128 + number))
    try:
        code = work(argv)
        sys.stdout.flush()
    except typer.Exit as end:
        sys.stdout.flush()
        return end.exit_code
    except click.exceptions.UsageError as error:
        return _refuse(_usage(error))
    except InputError as error:
        return _refuse(f"error: {one_line(str(error))}")
    except BrokenPipeError:
        # Python flushes stdout once more at exit; give it somewhere to go.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        return _refuse(f"error: {one_line(str(error))[:300]}")
    except (MemoryError, RuntimeError) as error:  # torch raises the latter when there is no more memory
        if isinstance(error, RuntimeError) and not re.search("out of memory|can't allocate memory", str(error)):
            raise
        return _refuse(f"error: out of memory: use a smaller batch or model ({one_line(str(error))[:120]})")
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    return code


_lost: set[str] = set()  # characters that a standard stream could not write


def _replaced(error: UnicodeError) -> tuple[str | bytes, int]:
    """Write ? for what the encoding lacks, and keep it for a line at the end, but not a byte that is no text anyway."""
    if isinstance(error, UnicodeEncodeError):
        _lost.update(one for one in error.object[error.start : error.end] if not "\ud800" <= one <= "\udfff")
    return codecs.replace_errors(error)


codecs.register_error("replace-and-tell", _replaced)


def _tell_of_lost_characters() -> None:
    """One line on stderr if something was written that the encoding of the output lacks."""
    if not _lost:
        return
    encoding, count = getattr(sys.stdout, "encoding", None) or "the encoding of the output", len(_lost)
    chosen = "set PYTHONIOENCODING=utf-8" + (" (or leave it unset)" if os.environ.get("PYTHONIOENCODING") else "")
    what = "1 character that it lacks is" if count == 1 else f"{count:,} different characters that it lacks are"
    _lost.clear()
    with contextlib.suppress(OSError, ValueError):
        print(f"note: the output is {encoding}: {what} written as ?: {chosen}", file=sys.stderr)


def _open_streams() -> None:
    """Make the standard streams usable: closed ones lead nowhere, and what is not a terminal gets UTF-8."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open(mode, encoding="utf-8"))  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            own = stream.isatty() or os.environ.get("PYTHONIOENCODING")
            # what a terminal cannot show is no reason to stop
            stream.reconfigure(encoding=None if own else "utf-8", errors="replace-and-tell")


def _refuse(line: str) -> int:
    print(line, file=sys.stderr)
    return 2


def _usage(error: click.exceptions.UsageError) -> str:
    """One line on words that are not understood, after the name of the command."""
    path = error.ctx.command_path if error.ctx else Path(sys.argv[0]).name
    message = one_line(error.format_message()).rstrip(".")
    if isinstance(error, click.exceptions.BadOptionUsage):
        message = message.replace("requires an argument", "needs a value")
    if isinstance(error, click.exceptions.NoSuchOption) and error.ctx:
        names = [name for param in error.ctx.command.get_params(error.ctx) for name in param.opts]
        options = [name for name in names if name.startswith("--")]
        near = [name for name in names if f"-{name}" == error.option_name]
        near = near or [name for name in options if name.startswith(error.option_name)]
        near = near or difflib.get_close_matches(error.option_name, options, n=1, cutoff=0.5)
        message = f"unknown option {quoted(error.option_name)}" + (f": did you mean {near[0]}?" if near else "")
        return f"{path}: {message}{'' if near else ':'} see {path} --help"
    if "choose from" in message:
        return f"{path}: {message}"
    return f"{path}: {message[0].lower()}{message[1:]}: see {path} --help"


# ---------------------------------------------------------------------------------------------- words and files


def split_words(arguments: Iterable[str]) -> tuple[list[str], dict[str, str]]:
    """Part inputs from settings. A word is a setting if it reads KEY=VALUE and no file has that name."""
    inputs: list[str] = []
    chosen: list[str] = []
    for word in arguments:
        (chosen if _SETTING.match(word) and not Path(word).exists() else inputs).append(word)
    return inputs, pairs(chosen)


def numbers(option: str, text: str, kind: Callable[[str], Any]) -> list[Any]:
    """The numbers of an option's value: whole ones (`int`) or finite ones (`float`) with commas between them."""
    try:
        values = [kind(word) for word in text.split(",")]
    except ValueError as error:
        whole = "whole " if kind is int else ""
        raise InputError(f"{option} {quoted(text)}: expected {whole}numbers with commas between them") from error
    if not all(map(math.isfinite, values)):
        raise InputError(f"{option} {quoted(text)}: expected finite numbers")
    return values


def new_file(out: str | None, default: str, force: bool = False, option: str = "--out") -> Path:
    """The path of a file to write, which overwrites none: `out`, else `default` or its next free name (sample-2.png).

    Raises InputError if `out` is a file already, unless `force` is set, and if it cannot be written.
    """
    if out is not None:
        check_writable(Path(out))
        if not force and Path(out).is_file():
            raise InputError(f"{out} exists already: choose another {option}, or give --force to replace it")
        return Path(out)
    path, number = Path(default), 1
    while not force and (path.exists() or path.is_symlink()):
        number += 1
        path = Path(default).with_stem(f"{Path(default).stem}-{number}")
    return path


def reserve(path: Path, default: str) -> Path:
    """Make the file of a default name and return its path: `path`, or the next free name of `default` where another
    process has taken it since `new_file` named it."""
    while True:
        with explained(path):
            try:
                path.open("xb").close()
                return path
            except FileExistsError:
                path = new_file(None, default)


@contextlib.contextmanager
def progress(*, quiet: bool) -> Iterator[Callable[[str, int], None]]:
    """Say what is being done and to how many rows, on stderr: a moving line on a terminal, nothing elsewhere."""
    if quiet or not sys.stderr.isatty():
        yield lambda what, count: None
        return
    try:
        from rich.console import Console
    except ImportError:
        yield lambda what, count: print(f"\r{what} {count:,} rows".ljust(60), end="", file=sys.stderr, flush=True)
        print(file=sys.stderr)
        return
    with Console(stderr=True).status("starting") as status:
        yield lambda what, count: status.update(f"{what}: {count:,} rows" if count else what)


def complete_folders(incomplete: str, marker: str) -> list[str]:
    """Folders that hold a file named `marker`, and begin as typed: here, or one level below."""
    start = Path(incomplete) if incomplete.endswith("/") else Path(incomplete).parent
    stem = "" if incomplete.endswith("/") else Path(incomplete).name
    folders: list[Path] = []
    with contextlib.suppress(OSError):
        for folder in sorted(path for path in start.iterdir() if path.name.startswith(stem) and path.is_dir()):
            inside = sorted(folder.glob(f"*/{marker}"))[:50]
            folders += [folder] if (folder / marker).is_file() else [path.parent for path in inside]
    return [str(path) for path in folders[:200]]


_CONTROLS = dict.fromkeys([*range(10), *range(11, 32), *range(127, 160)], "\ufffd")  # all but the line feed


def printable(text: str) -> str:
    """A text as it may go to a terminal: whatever wrote it, it cannot steer the terminal by escape codes."""
    return text.translate(_CONTROLS)


def one_line(text: str) -> str:
    """A message without line breaks."""
    return " ".join(text.split())
