"""The training text of `everyday`: everyday sentences, and the lines of novels that could stand among them.

    python benchmarks/everyday_corpus.py everyday/train.txt.gz fiction/train.txt.gz --out mixed.txt

Both files have a sentence a line, in its own case. A line of the second file is taken if it has 4 to 14 words, if
every word of it stands `--seen` times or more in the first, if at least a share `--pairs` of its pairs of neighbouring
words stands there too, and if nothing in it is of its own time: no titles, no "said he", no capitals but of names that
the first file has. Of speech with a speaker (`"I can't," she said.`) the pairs need be only a third as many, because
everyday text has little of it. Half of such lines, drawn by hash, lose their quotation marks, as people type; lines
that are nothing but speech all do. What the first file has already, up to case and punctuation, is left out.

Last come copies of everyday lines with a speaker, about one in `--told` of those of 3 to 9 words with an "I", "you" or
"we": `Line, she said.`, half of them in quotation marks; speaker, verb and marks are drawn by hash.
"""

from __future__ import annotations

import argparse
import gzip
import re
import zlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

WORD = re.compile(r"[A-Za-z]+(?:'[A-Za-z]+)*")
VERBS = "said|asked|replied|answered|cried|whispered|told|exclaimed|added|repeated|shouted|thought"
SPOKEN = re.compile(rf"\b(?:he|she|I|they|we)\s+(?:{VERBS})\b|\b(?:{VERBS})\s+(?:the|my|his|her)\s")
OF_ITS_TIME = re.compile(
    rf"\b(?:{VERBS}) (?:he|she|I|they|we)\b"
    r"|\b(?:Mr|Mrs|Miss|Sir|Lady|Lord|Dr|Master|Madam|ma'am|sir|dear|shall|shan't|should not|upon|must not|for I|nay|"
    r"aye|alas|oh|ah|eh|'tis|ye|thee|thou|whom|presently|directly|indeed|quite|rather|ought|gentleman|gentlemen|lady|"
    r"ladies|fellow|God|Heaven|heaven|hath|mamma|papa|lad|lass|servant|maid|carriage|horse|horses|pray|marry|married|"
    r"beg|should like|let us|is not (?:he|she|it|this|that)|not (?:he|she|it|I|you|they|we)\b|mean to|needn't|nor|"
    r"for it is|an hotel|"
    r"my (?:son|child|boy|friend|love|lord)|(?:do|does|did|have|had|know|is) not|cannot|it was not)\b"
    r"|[;:]|-|\d| '|' |[!?] [a-z]|^(?:But|Why|And|Nor|For|Is|To|As)\b"
)


def lines(path: Path) -> Iterator[str]:
    """The lines of a text, packed by gzip or not."""
    with gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8") as text:
        for line in text:
            yield line.rstrip("\n")


def pairs(words: list[str]) -> Iterator[tuple[str, str]]:
    """Neighbours, and the first word with what stands before every line."""
    return zip(["", *words], words, strict=False)


def key(line: str) -> str:
    """Lines with the same key count as the same."""
    return " ".join(WORD.findall(line.lower()))


class Mixer:
    """What of other text can stand among `everyday` lines."""

    def __init__(self, everyday: list[str], seen: int, share: float) -> None:
        self.seen, self.share = seen, share
        self.words: Counter[str] = Counter()
        self.capitals: Counter[str] = Counter()  # of words as they are inside a line
        self.pairs: Counter[tuple[str, str]] = Counter()
        self.keys = set()
        for line in everyday:
            found = WORD.findall(line)
            small = [word.lower() for word in found]
            self.words.update(small)
            self.capitals.update(word for word in found[1:] if word[0].isupper())
            self.pairs.update(pairs(small))
            self.keys.add(key(line))

    def spoken(self, line: str) -> bool:
        """Whether a line has both speech and its speaker."""
        return '"' in line and SPOKEN.search(re.sub(r'"[^"]*"', '""', line)) is not None

    def take(self, line: str) -> str | None:
        """The line as it goes into the mix, or None."""
        found = WORD.findall(line)
        small = [word.lower() for word in found]
        if not 4 <= len(line.split()) <= 14 or line.count('"') % 2 or line.count('"') > 4 or key(line) in self.keys:
            return None
        if OF_ITS_TIME.search(line) or any(self.words[word] < self.seen for word in small):
            return None
        if not line.lstrip('"')[0].isupper() or line.rstrip('"')[-1] not in ".?!":
            return None
        inside = re.sub(r'(?:^"?|[.?!]"? "?|, ")[A-Z]\w*', "", line)  # less the words that begin a sentence
        for word in WORD.findall(inside):
            if word[0].isupper() and word.split("'")[0] != "I" and 2 * self.capitals[word] < self.words[word.lower()]:
                return None
        spoken = self.spoken(line)
        common = sum(self.pairs[pair] > 1 for pair in pairs(small)) / len(small)
        if common < self.share * (1 / 3 if spoken else 1):
            return None
        if '"' in line and (not spoken or zlib.crc32(line.encode()) % 2):
            line = line.replace('"', "")
        self.keys.add(key(line))
        return line


def told(line: str, one_in: int) -> str | None:
    """A copy of an everyday line as the speech of somebody, for about `one_in` of those that can be spoken."""
    drawn = zlib.crc32(line.encode())
    spoken = 3 <= len(line.split()) <= 9 and re.search(r"\b(?:I|you|we|me|us|[Dd]on't)\b", line) and '"' not in line
    if not spoken or drawn % one_in or line[-1] not in ".?!":
        return None
    drawn //= one_in
    speaker = ("she", "he", "she", "he", "I", "they", "my mother", "the boy")[drawn % 8]
    if line[-1] == "?":
        verb, mark = "asked", "?"
    else:
        verb, mark = ("said", "said", "said", "replied")[drawn // 8 % 4], "," if line[-1] == "." else "!"
    quote = '"' if drawn // 32 % 2 else ""
    return f"{quote}{line[:-1]}{mark}{quote} {speaker} {verb}."


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("everyday", type=Path, help="a sentence a line; all of it is kept")
    parser.add_argument("fiction", type=Path, help="a sentence a line; what is like the first is kept")
    parser.add_argument("--out", type=Path, required=True, help="the file to write")
    parser.add_argument("--seen", type=int, default=30, help="least count of each word in the first file (default 30)")
    parser.add_argument("--pairs", type=float, default=0.9, help="least share of pairs seen twice in it (default 0.9)")
    parser.add_argument("--told", type=int, default=30, help="one in so many short lines is told, too (default 30)")
    given = parser.parse_args()
    everyday = list(lines(given.everyday))
    mixer = Mixer(everyday, given.seen, given.pairs)
    taken = [line for line in map(mixer.take, lines(given.fiction)) if line is not None]
    spoken = sum(SPOKEN.search(line) is not None for line in taken)
    copies = [copy for line in everyday if (copy := told(line, given.told)) and key(copy) not in mixer.keys]
    given.out.write_text("".join(f"{line}\n" for line in [*everyday, *taken, *copies]), encoding="utf-8")
    print(f"{len(everyday):,} everyday lines, {len(taken):,} of fiction ({spoken:,} with a speaker)", end=", ")
    print(f"{len(copies):,} copies told")


if __name__ == "__main__":
    main()
