"""Names and settings: which parts exist, and `KEY=VALUE` words laid over their `Config` dataclasses.

A part (a source, a codec, a backbone, a model) is one file in one of our folders; its file name is its name.
Names are looked up in the list of files that our own packages contain, so a name found in a stranger's
checkpoint can select one of ours and can never import anything else.
"""

from __future__ import annotations

import dataclasses
import difflib
import importlib
import math
import pkgutil
import types
import typing
from collections.abc import Mapping, Sequence
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
    what = packages[0].rpartition(".")[2].removesuffix("s")
    return importlib.import_module(f"{homes[choose(what, name, homes)]}.{name}")


def known(configs: Sequence[Any]) -> dict[str, dataclasses.Field]:
    """Every setting of several Config instances or classes. A name that two of them share is our bug."""
    fields: dict[str, dataclasses.Field] = {}
    for config in configs:
        for field in dataclasses.fields(config):
            if field.name in fields:
                raise AssertionError(f"two configs share the setting {field.name!r}")
            fields[field.name] = field
    return fields


def pairs(words: Sequence[str]) -> dict[str, str]:
    """`["width=256", "rate=12"]` as a dict of strings. Raises InputError for a word without `=`."""
    found: dict[str, str] = {}
    for word in words:
        key, equals, value = word.partition("=")
        if not equals:
            raise InputError(f"{quoted(word)} is not a setting: write it as KEY=VALUE")
        if key in found:
            raise InputError(f"the setting {quoted(key)} is given twice")
        found[key] = value
    return found


def override(configs: Sequence[Any], values: Mapping[str, Any]) -> list[Any]:
    """Lay `values` (strings from a command line, or values from JSON) over Config instances.

    Each key goes to the config that has it. Raises InputError for an unknown key (offering the nearest) or a
    value of the wrong kind; a config's own `check()`, where it has one, then judges the numbers.
    """
    fields = known(configs)
    for key in values:
        if key not in fields:
            near = difflib.get_close_matches(key, fields, n=1, cutoff=0.5)
            hint = f"did you mean {near[0]!r}? " if near else ""
            raise InputError(f"unknown setting {quoted(key)}: {hint}known: {', '.join(sorted(fields))}")
    changed = []
    for config in configs:
        hints = typing.get_type_hints(type(config))
        own = {field.name for field in dataclasses.fields(config)}
        mine = {key: _convert(key, value, hints[key]) for key, value in values.items() if key in own}
        new = dataclasses.replace(config, **mine)
        if hasattr(new, "check"):
            new.check()
        changed.append(new)
    return changed


def _convert(key: str, value: Any, kind: Any) -> Any:
    """A value as the field's type. Accepts the string of a command line, or a value already of that type."""
    allowed = typing.get_args(kind) if typing.get_origin(kind) in (typing.Union, types.UnionType) else (kind,)
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
    words = {int: "a whole number", float: "a number", bool: "true or false", str: "a word", type(None): "none"}
    expected = " or ".join(words.get(option, str(option)) for option in allowed)
    raise InputError(f"{key}={quoted(value)}: expected {expected}")


def require(ok: bool, key: str, value: object, expected: str) -> None:
    """Raise InputError unless `ok`: `rate=-3: expected a number of nats above 0`."""
    if not ok:
        raise InputError(f"{key}={value}: expected {expected}")


def describe(config: Any) -> list[tuple[str, str, str]]:
    """(name, default, comment) of every setting; the comment is the field's `doc` metadata."""
    rows = []
    for field in dataclasses.fields(config):
        default = getattr(config, field.name) if not isinstance(config, type) else field.default
        rows.append((field.name, "none" if default is None else str(default), str(field.metadata.get("doc", ""))))
    return rows


def setting(default: Any, doc: str) -> Any:
    """A dataclass field with the line of help that `models` and `list` print."""
    return dataclasses.field(default=default, metadata={"doc": doc})
