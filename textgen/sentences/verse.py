"""Rules of Chinese verse for a model of characters: the number of characters, their tones, the rhyme.

Sounds are those of modern Mandarin, from pypinyin. Those of the Tang are not recovered: its entering tone is spread
over the four of today, and its rhymes were other ones (the 106 of the Pingshui books). A character with several
readings passes if one of them does.
"""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor

from corpora.codec import Codec
from corpora.codecs.characters import Characters
from corpora.errors import InputError, quoted

# The fourteen rhymes of the Zhonghua Xinyun (Chinese Poetry Society, 2005): finals that differ in their medial alone
# rhyme. v is ü, and -i the vowel of zhi, chi, shi, ri, zi, ci and si.
RHYMES = (
    "a ia ua",
    "o e uo",
    "ie ve ê",
    "ai uai",
    "ei uei ui",
    "ao iao",
    "ou iou iu",
    "an ian uan van",
    "en in uen un vn",
    "ang iang uang",
    "eng ing ueng ong iong",
    "i er v",
    "-i",
    "u",
)
_RHYME = {final: number for number, finals in enumerate(RHYMES) for final in finals.split()}
_NEUTRAL = "5"
_ANY = "12345"
_TONES = {"平": "12", "p": "12", "仄": "34", "z": "34", "中": _ANY, "*": _ANY, "1": "1", "2": "2", "3": "3", "4": "4"}


@cache
def readings(character: str) -> tuple[tuple[str, int | None], ...]:
    """(tone: "1" to "4", "5" for neutral; rhyme: which of RHYMES, None without a vowel) of each reading.

    As pypinyin lists them, the commonest first; none for any other sign than a Chinese character.
    """
    from pypinyin import Style, pinyin
    from pypinyin.contrib.tone_convert import to_finals, to_initials

    spelt = pinyin(character, style=Style.TONE3, heteronym=True, neutral_tone_with_five=True, errors="ignore")
    sounds = []
    for syllable in spelt[0] if spelt else []:
        final = to_finals(syllable)
        if final == "i" and to_initials(syllable) in ("zh", "ch", "sh", "r", "z", "c", "s"):
            final = "-i"
        sounds.append((syllable[-1], _RHYME.get(final)))
    return tuple(sounds)


def rhyme_of(sound: str) -> int:
    """The number in RHYMES of a character, by its commonest reading, or of a final. Raises InputError if none."""
    known = _RHYME.get(sound.lower().replace("ü", "v"))
    sounds = readings(sound) if known is None and len(sound) == 1 else ()
    rhyme = sounds[0][1] if sounds else known
    if rhyme is None:
        raise InputError(f"rhyme {quoted(sound)}: expected one Chinese character, or a final of pinyin such as ang")
    return rhyme


class Verse:
    """A `sampler.Constraint`: one line of verse of this length, tones and rhyme; None is free.

    `length`: characters, each token of the codec counted as one. `tones`: a sign for each character, 平 or p (level:
    tones 1 and 2), 仄 or z (oblique: 3 and 4), 1 to 4 (just this tone), 中 or * (any token); a neutral tone passes
    everywhere. `rhyme`: the last character is of the same one of RHYMES, whatever its tone, as this character, by its
    commonest reading, or this final. Raises InputError for a codec other than characters, for signs and rhymes that
    are none, and where no character of the vocabulary passes.
    """

    def __init__(
        self, codec: Codec, *, length: int | None = None, tones: str | None = None, rhyme: str | None = None
    ) -> None:
        if not isinstance(codec, Characters):
            raise InputError(
                f"length, tones and rhyme count characters, and this model writes {codec.name}: "
                "they need one trained with codec=characters"
            )
        signs = None if tones is None else tones.lower()
        if signs is not None:
            if not signs or not set(signs) <= _TONES.keys():
                raise InputError(
                    f"tones {quoted(tones)}: expected 平 or p, 仄 or z, 1 to 4, 中 or * for each character"
                )
            if length not in (None, len(signs)):
                raise InputError(f"tones {quoted(tones)} are for {len(signs)} characters, and length is {length}")
            length = len(signs)
        if length is not None and not 1 <= length <= 1_000_000:
            raise InputError(f"length {length}: expected 1 to 1,000,000 characters")
        self.length = length
        self._stop = torch.arange(codec.vocab_size) == codec.stop
        free = torch.arange(codec.vocab_size) > codec.blank  # pad, stop and blank are the first three

        @cache
        def passing(place: str, group: int | None) -> Tensor:
            """True for tokens that have a reading with one of these tones and this rhyme, (V,)."""
            if place == _ANY and group is None:
                return free
            wanted = place + _NEUTRAL
            passes = torch.tensor(
                [
                    any(tone in wanted and group in (None, own) for tone, own in readings(codec.decode([token])))
                    for token in range(codec.blank + 1, codec.vocab_size)
                ]
            )
            if not passes.any():
                rules = {"tones": tones, "rhyme": rhyme}
                asked = ", ".join(f"{name} {quoted(value)}" for name, value in rules.items() if value is not None)
                raise InputError(f"{asked}: this model knows no character for one of the places")
            return torch.cat([torch.zeros(codec.blank + 1, dtype=torch.bool), passes])

        group = None if rhyme is None else rhyme_of(rhyme)
        places = [_TONES[sign] for sign in signs or "*" * (length or 1)]
        self._masks = [*(passing(place, None) for place in places[:-1]), passing(places[-1], group)]  # each (V,)
        self._free = free

    def allowed(self, tokens: Tensor, left: int) -> Tensor:
        """As in `sampler.Constraint`. Raises InputError for a line longer than the model writes."""
        written, last, stop = tokens.shape[1], self._masks[-1].to(tokens.device), self._stop.to(tokens.device)
        if self.length is not None:
            if written + left <= self.length:
                raise InputError(
                    f"length {self.length}: this model writes at most {written + left - 1} characters in a row"
                )
            return self._masks[written].to(tokens.device) if written < self.length else stop
        # A line of any length may end after a character that rhymes, and the last there is room for has to.
        more = {1: torch.zeros_like(last), 2: last}.get(left, self._free.to(tokens.device))
        return more | (stop & last[tokens[:, -1:]]) if written else more
