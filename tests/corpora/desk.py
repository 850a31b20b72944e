"""A desk to try the command `corpora` on: an empty folder, files put into it, builds, and what they printed."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from corpora.cli import main
from corpora.corpus import Corpus
from corpora.pictures import sheet

NAMES = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"]
THINGS = ["apple", "river", "candle", "window", "basket", "feather", "lantern", "saddle", "pebble", "ribbon"]


def lines(count: int = 30) -> list[str]:
    """Different sentences."""
    return [
        f"{NAMES[i % 12]} old men carry {THINGS[i // 12 % 10]} to the {THINGS[i % 7]} of {NAMES[i // 5 % 12]}"
        for i in range(count)
    ]


def pictures(count: int = 24, height: int = 6, width: int = 5, seed: int = 0, colours: int = 6) -> list[np.ndarray]:
    """Different opaque pictures (H, W, 4) of random pixels."""
    draw = np.random.default_rng(seed)
    table = np.array([[40 * i, 255 - 37 * i, (90 * i) % 256, 255] for i in range(colours)], np.uint8)
    return [table[draw.integers(0, colours, (height, width))] for _ in range(count)]


class Outcome:
    """A corpus that was built, and what the command printed about it."""

    def __init__(self, folder: Path, printed: str) -> None:
        self.corpus, self.printed, self.folder = Corpus.open(folder, verify=True), printed, folder
        self.manifest = self.corpus.manifest

    @property
    def notes(self) -> str:
        """The notes of the build, and the rest of what it printed."""
        return self.printed

    @property
    def read(self) -> int:
        return self.manifest["read"]

    @property
    def dropped(self) -> dict[str, int]:
        return self.manifest["dropped"]

    @property
    def labels(self) -> list[str]:
        return sorted(self.manifest["label_names"])

    def texts(self, *splits: str) -> list[str]:
        """The rows of some splits (of all), sorted."""
        return sorted(text for text, _ in self.pairs(*splits))

    def pairs(self, *splits: str) -> list[tuple[str, str | None]]:
        """Rows and their labels, sorted."""
        every = [self.corpus.rows(name) for name in splits or self.corpus.splits]
        pairs = [(rows.text(i), rows.label(i)) for rows in every for i in range(len(rows))]
        return sorted(pairs, key=lambda pair: (pair[0], pair[1] or ""))

    def pixels(self, *splits: str) -> list[bytes]:
        """The pictures of some splits (of all), as bytes, sorted."""
        return sorted(picture.tobytes() for picture, _ in self.drawn(*splits))

    def drawn(self, *splits: str) -> list[tuple[np.ndarray, str | None]]:
        """Pictures and their labels."""
        every = [self.corpus.rows(name) for name in splits or self.corpus.splits]
        return [(rows.picture(i), rows.label(i)) for rows in every for i in range(len(rows))]

    def tells(self, *patterns: str) -> None:
        """Check that each pattern is in what was printed."""
        for pattern in patterns:
            assert re.search(pattern, self.printed, re.IGNORECASE), f"{pattern!r} is not told:\n{self.printed}"


def _chosen(settings: dict[str, Any]) -> list[str]:
    """Settings as words: True as `true`."""
    return [f"{key}={str(value).lower() if isinstance(value, bool) else value}" for key, value in settings.items()]


class Desk:
    """A folder, which is the present one, and the command."""

    def __init__(self, folder: Path, capsys: Any) -> None:
        self.folder, self._capsys, self._count = folder, capsys, 0

    def put(self, name: str, content: str | bytes | Iterable[str], encoding: str = "utf-8") -> str:
        """Write a file, of lines if it is several strings. Its name again."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if not isinstance(content, str | bytes):
            content = "".join(f"{line}\n" for line in content)
        path.write_bytes(content.encode(encoding) if isinstance(content, str) else content)
        return name

    def draw(self, name: str, picture: np.ndarray) -> str:
        """Write a picture (H, W, 4) as PNG. Its name again."""
        return self.put(name, sheet.png(np.ascontiguousarray(picture)))

    def run(self, *words: str) -> tuple[int, str, str]:
        """`corpora` with these words: exit code, standard output and error."""
        self._capsys.readouterr()
        try:
            code = main(list(words))
        except SystemExit as end:
            code = int(end.code or 0)
        out, err = self._capsys.readouterr()
        return code, out, err

    def build(self, *words: str, **settings: object) -> Outcome:
        """Build from these inputs and settings. Fails unless it ends well."""
        self._count += 1
        folder = f"corpus-{self._count}"
        code, out, err = self.run("build", *words, *_chosen(settings), "--out", folder)
        assert (code, err) == (0, ""), err
        return Outcome(self.folder / folder, out)

    def text(self, *words: str, **settings: object) -> Outcome:
        """The same for text, with the codec of bytes, that every text comes back as it was read."""
        return self.build(*words, **{"codec": "bytes", "max_length": 100_000} | settings)

    def refused(self, *words: str, **settings: object) -> str:
        """The one line on stderr of a build that is refused. Checks that nothing is left behind."""
        before = sorted(self.folder.rglob("*"))
        code, out, err = self.run("build", *words, *_chosen(settings), "--out", "refused")
        assert code == 2, f"exit {code}: {out}{err}"
        assert err.count("\n") == 1 and err.endswith("\n") and "Traceback" not in err, err
        assert out == ""
        assert sorted(self.folder.rglob("*")) == before
        return err
