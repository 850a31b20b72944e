"""Peak memory of building a corpus as the file grows: it should stay flat.

    python benchmarks/corpus_memory.py            # 64 MB, 512 MB and 2 GB
    python benchmarks/corpus_memory.py 50 200     # other sizes, in MB

For each size: writes a file of made-up sentences into a temporary folder, builds a corpus from it in a process of
its own (its codec trained on 20,000 rows), and prints the peak resident memory of that process, beside that for the
smallest size. Mapped pages of files do not count against a process that only appends to them.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def write(path: Path, megabytes: float) -> None:
    """Sentences of 4 to 20 words, words drawn like those of a language: a few often, most seldom."""
    draw = random.Random(0)
    letters = "etaoinshrdlucmfwypvbgkjqxz"
    words = ["".join(draw.choices(letters, k=draw.randint(1, 9))) for _ in range(50_000)]
    left = int(megabytes * 1e6)
    with path.open("wb") as file:
        while left > 0:
            picked = [words[int(50_000 ** draw.random()) - 1] for _ in range(12_000)]
            lines, start = [], 0
            while start < len(picked):
                end = start + draw.randint(4, 20)
                lines.append(" ".join(picked[start:end]))
                start = end
            data = ("\n".join(lines) + "\n").encode()
            file.write(data)
            left -= len(data)


def build(path: str, out: str) -> None:
    """Runs in the child: build, and say how much memory that took at most."""
    sys.path.insert(0, str(ROOT))
    from corpora.build import build as make

    start = time.perf_counter()
    corpus = make([path], out, settings={"codec_rows": 20_000, "vocab": 8000, "model_type": "unigram"})
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1e6 if sys.platform == "darwin" else 1e3)
    rows = sum(len(split) for split in corpus.splits.values())
    print(json.dumps({"peak_mb": round(peak), "seconds": round(time.perf_counter() - start, 1), "rows": rows}))


def main() -> None:
    """Measure each size in turn."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("megabytes", nargs="*", type=float, default=[64, 512, 2000])
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    found = []
    for megabytes in chosen.megabytes:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "text.txt"
            write(path, megabytes)
            command = [sys.executable, __file__, "--child", str(path), str(Path(folder) / "corpus")]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
        found.append({"megabytes": megabytes, **json.loads(done.stdout)})
        row = found[-1]
        if not chosen.json:
            ratio, speed = row["peak_mb"] / found[0]["peak_mb"], megabytes / row["seconds"]
            print(f"{megabytes:>7,.0f} MB {row['rows']:>12,} rows  peak {row['peak_mb']:>6,} MB", end="  ")
            print(f"{ratio:.2f} of the first  {row['seconds']:>7,.1f} s, {speed:.1f} MB/s", flush=True)
    if chosen.json:
        print(json.dumps(found))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        build(*sys.argv[2:4])
    else:
        main()
