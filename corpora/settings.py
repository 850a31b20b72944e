"""Parts by name, and their settings: `KEY=VALUE` laid over `Config` dataclasses.

A part (a source, a codec, a modality, a backbone, a model) is one file in one of our folders; its file name is its
name. Names are looked up in the list of files that our own packages contain, so a name from a stranger's checkpoint
can select one of ours and can never import anything else.

A setting states its range once, in its declaration. A `Config` that derives from `Settings` is checked however it is
made: from the command line, from a recipe, or in Python.

    @dataclass(frozen=True)
    class Config(Settings):
        width: int = setting(256, "numbers in a state", low=1, high=16384)
        dropout: float = setting(0.1, "share of numbers set to 0", low=0, below=1)
        rate: float | None = setting(None, "nats in a code", above=0, unit="nats")
        order: str = setting("down", "order of pixels", choices=("down", "up"))
"""

from __future__ import annotations

import dataclasses
import difflib
import importlib
import math
import pkgutil
import types
import typing
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from corpora.errors import InputError, choose, quoted


def names(package: str) -> list[str]:
    """The parts in one of our packages, by file name. Finding them imports none of them."""
    paths = importlib.import_module(package).__path__
    return sorted(module.name for module in pkgutil.iter_modules(paths) if not module.name.startswith("_"))


def find(package: str | Sequence[str], name: str) -> types.ModuleType:
    """Import the part `name` of a package, or of the first of several that has it.

    Raises InputError, offering the nearest, if there is none.
    """
    packages = [package] if isinstance(package, str) else package
    homes = {part: home for home in reversed(packages) for part in names(home)}
    folder = packages[0].rpartition(".")[2]
    kind = f"{folder[:-3]}y" if folder.endswith("ies") else folder.removesuffix("s")
    return importlib.import_module(f"{homes[choose(kind, name, homes)]}.{name}")


def member(module: types.ModuleType, kind: type) -> Any:
    """The class of a part: the one that is defined in its file and derives from `kind`."""
    return next(
        thing
        for thing in vars(module).values()
        if isinstance(thing, type) and issubclass(thing, kind) and thing.__module__ == module.__name__
    )


def known(configs: Sequence[Any]) -> dict[str, dataclasses.Field]:
    """Every setting of several Config instances or classes. A name that two of them share is our bug."""
    fields: dict[str, dataclasses.Field] = {}
    for config in configs:
        for field in dataclasses.fields(config):
            if field.name in fields:
                raise AssertionError(f"two configs share the setting {field.name!r}")
            fields[field.name] = field
    return fields


def pairs(assignments: Sequence[str]) -> dict[str, str]:
    """`["width=256", "rate=12"]` as a dict of strings. Raises InputError for one without `=`."""
    values: dict[str, str] = {}
    for assignment in assignments:
        key, equals, value = assignment.partition("=")
        if not equals:
            raise InputError(f"{quoted(assignment)} is not a setting: write it as KEY=VALUE")
        if key in values:
            raise InputError(f"the setting {quoted(key)} is given twice")
        values[key] = value
    return values


def override(configs: Sequence[Any], values: Mapping[str, Any]) -> list[Any]:
    """Lay `values` (strings from a command line, or values from JSON) over Config instances.

    Each key goes to the config that has it. Raises InputError for an unknown key (offering the nearest), a value of
    the wrong kind, or one that `checked` refuses.
    """
    fields = known(configs)
    for key in values:
        if key not in fields:
            near = difflib.get_close_matches(key, fields, n=1, cutoff=0.5)
            hint = f"did you mean {near[0]!r}? " if near else ""
            raise InputError(f"unknown setting {quoted(key)}: {hint}known: {', '.join(sorted(fields))}")
    changed = []
    for config in configs:
        kinds = _kinds(type(config))
        own = {key: _convert(key, value, kinds[key]) for key, value in values.items() if key in kinds}
        changed.append(checked(dataclasses.replace(config, **own)))
    return changed


def checked(config: Any) -> Any:
    """The Config itself, once every setting is within the range of its declaration and `check()`, where the Config
    has one, has passed the rules across settings. Raises InputError for the first that is not."""
    for field in dataclasses.fields(config):
        _check(field, getattr(config, field.name), type(config))
    if hasattr(config, "check"):
        config.check()
    return config


class Settings:
    """A Config that is checked when it is made: derive from it and decorate with `dataclass(frozen=True)`."""

    def __post_init__(self) -> None:
        checked(self)


def _kinds(config: Any) -> dict[str, Any]:
    """The types of the settings of a Config."""
    hints = typing.get_type_hints(config)
    return {field.name: hints[field.name] for field in dataclasses.fields(config)}


def _options(kind: Any) -> tuple[Any, ...]:
    """The types that a type is a union of, or the type alone."""
    return typing.get_args(kind) if typing.get_origin(kind) in (typing.Union, types.UnionType) else (kind,)


def _check(field: dataclasses.Field, value: Any, config: type) -> None:
    """Raise InputError for a value outside the range that its declaration states."""
    limits: Limits | None = field.metadata.get("limits")
    if limits is None:
        return
    if limits.choices is None and limits.hold(value):
        return
    optional = type(None) in _options(_kinds(config)[field.name])
    if value is None and optional:
        return
    if limits.choices is not None:
        choose(field.name, str(value), limits.names())
    else:
        shown = str(value).removesuffix(".0")
        raise InputError(f"{field.name}={shown}: expected {limits}{', or none' if optional else ''}")


def _convert(key: str, value: Any, kind: Any) -> Any:
    """A value as the field's type. Accepts the string of a command line, or a value already of that type."""
    allowed = _options(kind)
    if type(None) in allowed and (value is None or value in ("none", "off", "")):
        return None
    for option in allowed:
        try:
            if option is bool:
                if isinstance(value, bool):
                    return value
                lowered = str(value).lower()
                if lowered in ("true", "yes", "on", "1"):
                    return True
                if lowered in ("false", "no", "off", "0"):
                    return False
            elif option is int and not isinstance(value, bool):
                if isinstance(value, str):
                    return int(value.replace("_", ""))
                if isinstance(value, int):
                    return value
            elif option is float and not isinstance(value, bool):
                number = float(value)
                if not math.isfinite(number):
                    raise InputError(f"{key}={value} is not a finite number")
                return number
            elif option is str and isinstance(value, str):
                return value
        except (TypeError, ValueError, OverflowError) as error:
            if isinstance(error, InputError):
                raise
    nouns = {int: "a whole number", float: "a number", bool: "true or false", str: "a word", type(None): "none"}
    expected = " or ".join(nouns.get(option, str(option)) for option in allowed)
    raise InputError(f"{key}={quoted(value)}: expected {expected}")


def require(ok: bool, key: str, value: object, expected: str) -> None:
    """Raise InputError unless `ok`: `rate=-3: expected a number of nats above 0`."""
    if not ok:
        raise InputError(f"{key}={value}: expected {expected}")


def describe(config: Any) -> list[tuple[str, str, str]]:
    """(name, default, line of help) of every setting of a Config instance or class."""
    rows = []
    for field in dataclasses.fields(config):
        default = getattr(config, field.name) if not isinstance(config, type) else field.default
        rows.append((field.name, "none" if default is None else str(default), str(field.metadata.get("doc", ""))))
    return rows


@dataclasses.dataclass(frozen=True)
class Limits:
    """The range of a setting: `low` and `high` belong to it, `above` and `below` do not. `str()` says it."""

    low: float | None = None
    high: float | None = None
    above: float | None = None
    below: float | None = None
    choices: Sequence[str] | Callable[[], Iterable[str]] | None = None
    unit: str = ""

    def hold(self, value: Any) -> bool:
        """Whether a number lies in the range. NaN, and what is no number, does not."""
        try:
            return (
                (self.low is None or value >= self.low)
                and (self.high is None or value <= self.high)
                and (self.above is None or value > self.above)
                and (self.below is None or value < self.below)
            )
        except TypeError:
            return False

    def names(self) -> list[str]:
        """The choices."""
        return list(self.choices() if callable(self.choices) else self.choices or ())

    def __str__(self) -> str:
        if self.choices is not None:
            return ", ".join(self.names())
        low, high, above, below = (
            None if bound is None else f"{bound:,}" for bound in (self.low, self.high, self.above, self.below)
        )
        if low is not None:
            of = f" {self.unit}" if self.unit else ""
            return f"{low} to {high}{of}" if high else f"{low} or more{of}" + (f", below {below}" if below else "")
        number = f"a number of {self.unit}" if self.unit else "a number"
        bounds = ((above, "above {}"), (below, "below {}"), (high, "at most {}"))
        return f"{number} {' and '.join(text.format(bound) for bound, text in bounds if bound is not None)}"


def setting(
    default: Any,
    doc: str,
    low: float | None = None,
    high: float | None = None,
    *,
    above: float | None = None,
    below: float | None = None,
    choices: Sequence[str] | Callable[[], Iterable[str]] | None = None,
    unit: str = "",
) -> Any:
    """Declare a setting: its default, the line of help, and its range, which every way of making the Config checks.

    `low` and `high` are the least and the greatest value, `above` and `below` bounds that are themselves excluded;
    `choices` are the allowed strings, or a function that gives them; `unit` is the noun of messages (`nats`, `steps`).
    None is allowed where the type says so.
    """
    limits = Limits(low, high, above, below, choices, unit)
    metadata = {"doc": doc} | ({} if limits == Limits(unit=unit) else {"limits": limits})
    return dataclasses.field(default=default, metadata=metadata)


def limits_of(config: Any, name: str) -> Limits:
    """The range of a setting, unlimited where its declaration states none: for options of a command line."""
    return known([config])[name].metadata.get("limits", Limits())
