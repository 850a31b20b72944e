"""The lecture's walk beside a busy neighbour: python benchmarks/busy.py [--times 5] [--neighbours 1]

Libgomp's threads wait for each other by spinning. With another program on the cores they spin away the time that the
thread they wait for needs. `GOMP_SPINCOUNT=1000`, which `import textgen` sets, lets them sleep instead; one thread has
none to wait for. Each way is timed in turn, quiet and beside the neighbours; medians of wall-clock seconds.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).parents[1]
WALK = ["interpolate", "i went to the store to buy some groceries", "don't worry about it, she said"]
CALL = "import sys; from textgen.cli import main; sys.exit(main())"
SPINS = "300000"  # what libgomp does by itself where threads are no more than cores
WAYS = [(threads, spins) for threads in (1, 2) for spins in (SPINS, "1000")]


@contextlib.contextmanager
def neighbours(count: int) -> Iterator[None]:
    """So many processes that never rest."""
    running = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for one in running:
            one.kill()
            one.wait()


def seconds(threads: int, spins: str) -> float:
    """Of one walk, from the call of the command to its end."""
    environment = {key: value for key, value in os.environ.items() if key not in ("OMP_NUM_THREADS", "GOMP_SPINCOUNT")}
    environment |= {"PYTHONPATH": str(HERE), "GOMP_SPINCOUNT": spins}
    began = time.monotonic()
    command = [sys.executable, "-c", CALL, *WALK, "--threads", str(threads)]
    subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, check=True)
    return time.monotonic() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=5)
    parser.add_argument("--neighbours", type=int, default=1)
    chosen = parser.parse_args()
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}; seconds of a walk, medians of {chosen.times}")
    print(f"{'threads':>7}  {'GOMP_SPINCOUNT':<17}{'quiet':>8}{f'beside {chosen.neighbours}':>10}")
    times: dict[tuple[int, str, int], list[float]] = {}
    for _ in range(chosen.times):
        for busy in (0, chosen.neighbours):
            for threads, spins in WAYS:
                with neighbours(busy):
                    times.setdefault((threads, spins, busy), []).append(seconds(threads, spins))
    for threads, spins in WAYS:
        quiet, beside = (statistics.median(times[threads, spins, busy]) for busy in (0, chosen.neighbours))
        name = f"{spins} (its own)" if spins == SPINS else spins
        print(f"{threads:>7}  {name:<17}{quiet:>8.1f}{beside:>10.1f}", flush=True)


if __name__ == "__main__":
    main()
