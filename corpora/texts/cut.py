"""Rows of running text: sentences, paragraphs, stanzas, poems, windows."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import Any

from corpora.errors import InputError
from corpora.settings import setting
from corpora.texts.plain import Part

LONGEST = 1 << 20  # characters in a block of lines
UNITS = ("line", "sentence", "paragraph", "stanza", "poem", "window")

# Sentence_Terminal of Unicode 16, but for those that end sentences of Latin letters, and the full-width ones.
_TERMINALS = (
    "\u0589\u061d-\u061f\u06d4\u0700-\u0702\u07f9\u0837\u0839\u083d\u083e\u0964\u0965\u104a\u104b\u1362\u1367\u1368"
    "\u166e\u1735\u1736\u17d4\u17d5\u1803\u1809\u1944\u1945\u1aa8-\u1aab\u1b4e\u1b4f\u1b5a\u1b5b\u1b5e\u1b5f"
    "\u1b7d-\u1b7f\u1c3b\u1c3c\u1c7e\u1c7f\u2cf9-\u2cfb\u2e2e\u2e3c\u2e53\u2e54\u2e60\u2e61\ua4ff\ua60e\ua60f"
    "\ua6f3\ua6f7\ua876\ua877\ua8ce\ua8cf\ua92f\ua9c8\ua9c9\uaa5d-\uaa5f\uaaf0\uaaf1\uabeb\U00010a56\U00010a57"
    "\U00010f55-\U00010f59\U00010f86-\U00010f89\U00011047\U00011048\U000110be-\U000110c1\U00011141-\U00011143"
    "\U000111c5\U000111c6\U000111cd\U000111de\U000111df\U00011238\U00011239\U0001123b\U0001123c\U000112a9"
    "\U000113d4\U000113d5\U0001144b\U0001144c\U000115c2\U000115c3\U000115c9-\U000115d7\U00011641\U00011642"
    "\U0001173c-\U0001173e\U00011944\U00011946\U00011a42\U00011a43\U00011a9b\U00011a9c\U00011c41\U00011c42"
    "\U00011ef7\U00011ef8\U00011f43\U00011f44\U00016a6e\U00016a6f\U00016af5\U00016b37\U00016b38\U00016b44"
    "\U00016d6e\U00016d6f\U00016e98\U0001bc9f\U0001da88"
)
_LATIN = ".!?…\u203c\u203d\u2047-\u2049"
_WIDE = "。！？．｡\ufe12\ufe15\ufe16\ufe52\ufe56\ufe57"
_CLOSING = r"(?:[\"'”’)\]」』）]|\s?»)*"
_OPENING = r"[\"'“‘«„¿¡(\[—–-]*"
_STOP = re.compile(
    rf"[{_LATIN}{_TERMINALS}{_WIDE}](?:"
    rf"(?<=[{_LATIN}])[{_LATIN}]*{_CLOSING}\s+(?={_OPENING}\s?(?P<next>[^\s,;:»”’)\]]))"
    rf"|(?<=[{_TERMINALS}])[{_TERMINALS}]*{_CLOSING}\s+"
    rf"|(?<=[{_WIDE}])[{_WIDE}]*[」』”’）]*(?![」』”’）とっ、，]))"
)
_FULL_STOP = re.compile(rf"[{_LATIN}{_TERMINALS}{_WIDE}]{_CLOSING}$")
_NO_STOP = re.compile(r"(?:M[rs]|Mrs|Dr|St|Mme|Mlle|MM|Prof|Rev|Hon|Sr|Sra|Hr|Fr|Nr|No|vs|cf|etc)\.")
# Where all is in lower case, no capital tells that a sentence begins: more words end with a stop that ends nothing.
_NO_LOWER_STOP = re.compile(
    r"(?:[^\W\d_i]|(?:\w\.)+\w|m[rs]|mrs|dr|st|mme|mlle|mm|prof|rev|hon|sr|sra|hr|fr|nr|vs|cf|etc|jr|ca|bzw|usw|ggf|vgl|"
    r"vol|pp|inc|ltd)\."
)


def unit_setting(default: str, *, more: tuple[str, ...] = ()) -> Any:
    """The setting `unit` of a source of text; `more`: units beside those of running text."""
    own = "".join(f"a {one}, " for one in more)
    return setting(
        default,
        f"a row is {own}a line, a sentence (of running text), a paragraph (lines joined), a stanza (joined by ' / '), "
        "a poem (a stanza whose line ends are kept) or a window (running text, `window` long)",
        choices=(*more, *UNITS),
    )


def window_setting() -> Any:
    """The setting `window` of a source of text."""
    return setting(200, "unit=window: its length at most, in `window_of`", low=1, high=LONGEST)


def window_of_setting() -> Any:
    """The setting `window_of` of a source of text."""
    return setting("characters", "unit=window: characters or words", choices=("characters", "words"))


def rows(parts: Iterable[Part], where: str, unit: str, window: int, window_of: str) -> Iterator[tuple[str, str | None]]:
    """(text, None) or ("", why it is dropped) of each row of running text that comes as lines, or parts of them.

    Rows of `poem` and `window` hold line ends. Raises InputError, naming the line, for a block without an end.
    """
    if unit == "line":
        return ((part.text, part.dropped) for part in parts)
    if unit == "sentence":
        return _sentences(parts, where)
    if unit == "window":
        return _windows(parts, window) if window_of == "characters" else _windows_of_words(parts, window)
    if unit == "file":
        return _whole(parts, where)
    return _blocks(parts, where, {"paragraph": " ", "stanza": " / ", "poem": "\n"}[unit])


def sentences(text: str) -> list[str]:
    """Cut running text into sentences: after a full stop, question or exclamation mark with its closing quotes.

    A stop of Latin, Greek or Cyrillic text cuts where a space and something that may begin a sentence follow (where
    there are no capitals at all, anything may), and not after initials and the commonest titles. Those of Chinese and
    Japanese cut where they stand, unless a quotation goes on behind them; those of other scripts before white space.
    """
    small = text == text.lower() and text != text.upper()
    no_stop = _NO_LOWER_STOP if small else _NO_STOP
    cut = [0]
    for stop in _STOP.finditer(text):
        following = stop["next"]
        if following is not None:
            if not small and following.islower():
                continue
            before = text[cut[-1] : stop.start() + 1].rpartition(" ")[2].strip("\"'([“‘«„")
            if no_stop.fullmatch(before) or (len(before) == 2 and before[0].isupper() and before[1] == "."):
                continue
        cut.append(stop.end())
    pieces = [text[start:end].strip() for start, end in pairwise([*cut, len(text)])]
    return [piece for piece in pieces if piece]


def _sentences(parts: Iterable[Part], where: str) -> Iterator[tuple[str, str | None]]:
    """The sentences of blocks of lines; of a long line, those that are whole come before its end is read."""
    held, reason, number = "", None, 1
    for part in parts:
        text = part.text.strip() if part.ended else part.text.lstrip()
        reason = reason or part.dropped
        blank = not text and part.ended and not part.dropped
        held += f" {text}" if held and not held.endswith(" ") else text
        if reason is None and not part.ended:
            *whole, held = sentences(held) or [""]
            held += " " * part.text.endswith(" ")
            yield from ((sentence, None) for sentence in whole)
        if len(held) > LONGEST:
            raise InputError(
                f"{where}: line {number}: over {LONGEST:,} characters without the end of a sentence or a blank line; "
                "use unit=line or unit=window"
            )
        number += part.ended
        if (held or reason) and part.ended and (blank or _FULL_STOP.search(text)):
            yield from _last(held, reason)
            held, reason = "", None
    yield from _last(held, reason)


def _last(held: str, reason: str | None) -> Iterator[tuple[str, str | None]]:
    """The sentences of a block, or why it is dropped."""
    if reason is not None:
        yield "", reason
    else:
        yield from ((sentence, None) for sentence in sentences(held))


def _whole(parts: Iterable[Part], where: str) -> Iterator[tuple[str, str | None]]:
    """All lines as one row, with their ends; blank lines at its ends are no part of it."""
    held, size, reason = [], 0, None
    for part in parts:
        reason = reason or part.dropped
        held.append(part.text)
        size += len(part.text) + 1
        if size > LONGEST:
            raise InputError(f"{where}: over {LONGEST:,} characters in one row; use unit=line or unit=window")
    if held:
        yield ("" if reason else "\n".join(held).strip("\n"), reason)


def _blocks(parts: Iterable[Part], where: str, joint: str) -> Iterator[tuple[str, str | None]]:
    """Lines between blank lines, joined."""
    block: list[str] = []
    reason, size, begun = None, 0, False
    for number, part in enumerate(parts, 1):
        text = part.text.rstrip() if joint == "\n" else part.text.strip()
        if text or part.dropped:
            block.append(f"{block.pop()} {text}" if begun and block else text)
            reason = reason or part.dropped
            size += len(text)
            if size > LONGEST:
                raise InputError(
                    f"{where}: line {number}: a block of lines without a blank line has over {LONGEST:,} characters; "
                    "use unit=line"
                )
        elif block and part.ended and not begun:
            yield ("" if reason else joint.join(block), reason)
            block, reason, size = [], None, 0
        begun = not part.ended
    if block:
        yield ("" if reason else joint.join(block), reason)


def _windows(parts: Iterable[Part], size: int) -> Iterator[tuple[str, str | None]]:
    """Running text in pieces of `size` characters at most, cut at a line end or a space where one is near."""
    held, start = "", 0
    for part in parts:
        if part.dropped:
            yield "", part.dropped
        held = held[start:] + part.text + "\n" * part.ended
        start = 0
        while len(held) - start > size:
            cut = _window_end(held, start, size)
            if row := held[start:cut].rstrip(" \n"):
                yield row, None
            start = cut
    if row := held[start:].rstrip(" \n"):
        yield row, None


def _window_end(text: str, start: int, size: int) -> int:
    """Where the window that begins at `start` ends: behind the last line end or space in its second half."""
    least, most = start + (size + 1) // 2, start + size
    if text[most].isspace():
        return most + 1
    for space in ("\n", " "):
        cut = text.rfind(space, least, most)
        if cut >= 0:
            return cut + 1
    while most > least and unicodedata.category(text[most])[0] == "M":  # a sign stays with its letter
        most -= 1
    return most


def _windows_of_words(parts: Iterable[Part], size: int) -> Iterator[tuple[str, str | None]]:
    """Running text in pieces of `size` words; line ends stay between them."""
    held: list[str] = []
    count, begun = 0, ""  # words in `held`, and what may go on in the next part
    for part in parts:
        if part.dropped:
            yield "", part.dropped
        text = begun + part.text + "\n" * part.ended
        pieces = re.findall(r"\s*\S+", text)
        whole = pieces if text[-1:].isspace() else pieces[:-1]
        begun = text[sum(map(len, whole)) :]
        for piece in whole:
            held.append(piece)
            count += 1
            if count == size:
                yield "".join(held).strip(" \n"), None
                held, count = [], 0
    if held or begun.strip():
        yield "".join([*held, begun]).strip(" \n"), None
