"""Settings: a range is stated once and holds however a Config is made."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest

from corpora.errors import InputError
from corpora.settings import Settings, checked, describe, find, limits_of, override, pairs, setting


@dataclass(frozen=True)
class Config(Settings):
    """Settings of every kind of range."""

    width: int = setting(256, "numbers in a state", low=1, high=16384)
    share: float = setting(0.1, "a share", low=0, below=1)
    rate: float | None = setting(None, "nats in a code", above=0, unit="nats")
    top_p: float = setting(1.0, "a probability", above=0, high=1)
    steps: int = setting(1, "steps", low=1, unit="steps")
    order: str | None = setting("down", "order of pixels", choices=("down", "up"))
    free: str | None = setting(None, "without a range")

    def check(self) -> None:
        """A rule across settings."""
        if self.steps > self.width:
            raise InputError(f"steps={self.steps} is more than width={self.width}")


WRONG = [
    ("width", 0, "width=0: expected 1 to 16,384"),
    ("width", 16385, "width=16385: expected 1 to 16,384"),
    ("share", 1.0, "share=1: expected 0 or more, below 1"),
    ("share", -0.5, "share=-0.5: expected 0 or more, below 1"),
    ("rate", 0.0, "rate=0: expected a number of nats above 0, or none"),
    ("rate", -3.0, "rate=-3: expected a number of nats above 0, or none"),
    ("top_p", 0.0, "top_p=0: expected a number above 0 and at most 1"),
    ("top_p", 1.5, "top_p=1.5: expected a number above 0 and at most 1"),
    ("steps", 0, "steps=0: expected 1 or more steps"),
    ("steps", 300, "steps=300 is more than width=256"),
    ("order", "dwn", "no order 'dwn': did you mean 'down'? choose from down, up"),
]


@pytest.mark.parametrize(("key", "value", "message"), WRONG)
def test_a_value_outside_its_range_is_refused_however_the_config_is_made(key, value, message):
    for make in (
        lambda: Config(**{key: value}),
        lambda: replace(Config(), **{key: value}),
        lambda: override([Config()], {key: value}),
        lambda: override([Config()], {key: str(value)}),
    ):
        with pytest.raises(InputError) as caught:
            make()
        assert str(caught.value) == message


@pytest.mark.parametrize(
    ("key", "value"),
    [("width", 1), ("width", 16384), ("share", 0.0), ("rate", None), ("rate", 1e-9), ("top_p", 1.0), ("order", None)],
)
def test_the_ends_of_a_range_and_none_are_allowed(key, value):
    assert getattr(Config(**{key: value}), key) == value
    assert override([Config()], {key: value}) == [Config(**{key: value})]


def test_nan_and_values_that_are_no_numbers_are_refused():
    for value in (float("nan"), "many"):
        with pytest.raises(InputError, match="share="):
            Config(share=value)
    with pytest.raises(InputError, match="is not a finite number"):
        override([Config()], {"share": "nan"})


def test_a_config_of_any_dataclass_is_checked_by_override():
    @dataclass(frozen=True)
    class Plain:
        width: int = setting(1, "numbers", low=1)

    assert Plain(width=0).width == 0
    for make in (lambda: checked(Plain(width=0)), lambda: override([Plain()], {"width": "0"})):
        with pytest.raises(InputError, match="width=0: expected 1 or more"):
            make()


def test_choices_may_be_a_function():
    @dataclass(frozen=True)
    class Lazy(Settings):
        part: str = setting("text", "a part", choices=lambda: ("text", "picture"))

    assert Lazy(part="picture").part == "picture"
    with pytest.raises(InputError, match="no part 'pictures': did you mean 'picture'"):
        Lazy(part="pictures")


def test_limits_of_a_setting():
    limits = limits_of(Config, "share")
    assert (limits.low, limits.below, limits.high) == (0, 1, None)
    assert limits_of(Config, "free").hold("anything")


def test_unknown_settings_offer_the_nearest_and_wrong_kinds_say_what_is_expected():
    with pytest.raises(InputError, match="unknown setting 'widht': did you mean 'width'"):
        override([Config()], {"widht": "3"})
    with pytest.raises(InputError, match="width='wide': expected a whole number"):
        override([Config()], {"width": "wide"})
    with pytest.raises(InputError, match="write it as KEY=VALUE"):
        pairs(["width"])
    with pytest.raises(InputError, match="'width' is given twice"):
        pairs(["width=1", "width=2"])
    assert override([Config()], pairs(["rate=none", "width=1_000"])) == [Config(width=1000)]


def test_a_part_is_found_by_its_file_name():
    assert find("corpora.sources", "toy").__name__ == "corpora.sources.toy"
    with pytest.raises(InputError, match="no source 'tyo': did you mean 'toy'"):
        find("corpora.sources", "tyo")


def test_describe_gives_name_default_and_help():
    assert describe(Config)[2] == ("rate", "none", "nats in a code")
