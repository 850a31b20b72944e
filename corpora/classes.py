"""Labels of a build: one that no training row has is none, and what was done to labels is told."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping

import numpy as np

from corpora.errors import counted, quoted
from corpora.split import Splits
from corpora.spool import Spool

_SHOWN = 5


def settle(spools: Mapping[str, Spool], splits: Splits, labels: dict[str, int], unit: str) -> list[str]:
    """Take labels that no training row has as none, in `labels` and in the spools; notes on labels.

    A model cannot learn such a label, so none should offer it.
    """
    if not labels and not any(spool.unlabelled for spool in spools.values()):
        return []
    trained, kept = (np.zeros(len(labels) + 1, np.int64) for _ in range(2))  # by the number of the label and one
    for name, spool in spools.items():
        for chunk in spool.chunks(data=False):
            places = splits.assign[name](chunk)
            trained += np.bincount(chunk.labels[places == 0] + 1, minlength=len(trained))
            kept += np.bincount(chunk.labels[places >= 0] + 1, minlength=len(kept))
    lost = {label: int(kept[number + 1]) for label, number in labels.items() if not trained[number + 1]}
    counts = {label: int(kept[number + 1]) for label, number in labels.items() if label not in lost}
    notes = [*_cleaned(spools, unit), *_only_case(counts)]
    held = sum(lost.values())
    if held:
        notes.append(f"{_some(lost)}: no training {unit} has this label, so {counted(held, unit)} held out have none")
    unlabelled = int(kept[0]) + held
    if unlabelled and counts:
        notes.append(f"{unlabelled:,} of {counted(int(kept.sum()), unit)}: without a label")
    if lost:
        numbers = np.full(len(labels) + 1, -1, np.int32)
        for place, label in enumerate(counts):
            numbers[labels[label]] = place
        for spool in spools.values():
            spool.renumber(numbers)
        labels.clear()
        labels |= {label: place for place, label in enumerate(counts)}
    return notes


def _cleaned(spools: Mapping[str, Spool], unit: str) -> list[str]:
    notes = []
    cleaned = sum(spool.relabelled for spool in spools.values())
    if cleaned:
        notes.append(f"{counted(cleaned, unit)} had spaces or control characters about the label, which were removed")
    empty: Counter[str] = sum((spool.unlabelled for spool in spools.values()), Counter())
    for label, count in empty.items():
        notes.append(f"{counted(count, unit)} had the label {quoted(label)}, which was taken as none")
    return notes


def _only_case(counts: Mapping[str, int]) -> list[str]:
    """A note on labels that differ in case alone, if there are some."""
    alike: dict[str, dict[str, int]] = defaultdict(dict)
    for label, count in counts.items():
        alike[label.casefold()][label] = count
    several = [names for names in alike.values() if len(names) > 1]
    if not several:
        return []
    shown = "; ".join(_some(names) for names in several[:_SHOWN])
    return [f"labels that differ in case alone are different labels: {shown}{'; ...' * (len(several) > _SHOWN)}"]


def _some(counts: Mapping[str, int]) -> str:
    """`'pos' (12), 'Pos' (3)`."""
    shown = ", ".join(f"{quoted(label, 40)} ({count:,})" for label, count in [*counts.items()][:_SHOWN])
    return shown + (f" and {len(counts) - _SHOWN:,} more" if len(counts) > _SHOWN else "")
