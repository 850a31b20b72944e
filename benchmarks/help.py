"""Processor time of --help, beside that of another checkout: python benchmarks/help.py [--beside FOLDER] [--times 20]

User and system time of fresh interpreters, in turn, so that a machine that slows down slows all; medians. Without
--beside, `python -c pass` and `import argparse` are what it is compared with.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parents[1]
CALLS = {
    program: f"import sys; from {program}.cli import main; sys.exit(main())"
    for program in ("textgen", "imagegen", "corpora")
}
WORDS = (
    *(("textgen", *verb, "--help") for verb in ((), ("train",), ("sample",), ("benchmark", "samples"))),
    *(("imagegen", *verb, "--help") for verb in ((), ("train",), ("complete",))),
    *(("corpora", *verb, "--help") for verb in ((), ("build",))),
)


def seconds(command: list[str], home: Path) -> float:
    """User and system time of a process with this checkout on its path."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    environment = {**os.environ, "PYTHONPATH": str(home)}
    subprocess.run(command, cwd=home, env=environment, stdout=subprocess.DEVNULL, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--beside", type=Path, help="another checkout")
    parser.add_argument("--times", type=int, default=20)
    chosen = parser.parse_args()
    homes = [HERE, *([chosen.beside.resolve()] if chosen.beside else [])]
    bare = statistics.median(seconds([sys.executable, "-c", "pass"], HERE) for _ in range(chosen.times))
    print(f"python -c pass: {1000 * bare:.0f} ms; medians of {chosen.times} in turn")
    print(f"{'':<36}{'here':>8}" + (f"{'beside':>9}{'ratio':>7}" if chosen.beside else ""))
    for program, *words in WORDS:
        times: list[list[float]] = [[] for _ in homes]
        for _ in range(chosen.times):
            for home, own in zip(homes, times, strict=True):
                own.append(seconds([sys.executable, "-c", CALLS[program], *words], home))
        middle = [statistics.median(own) for own in times]
        line = f"{' '.join([program, *words]):<36}{1000 * middle[0]:>5.0f} ms"
        print(line + (f"{1000 * middle[1]:>6.0f} ms{middle[0] / middle[1]:>7.2f}" if chosen.beside else ""), flush=True)


if __name__ == "__main__":
    main()
