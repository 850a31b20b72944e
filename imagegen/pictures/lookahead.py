"""Hints for sequential Monte Carlo: how well a pixel to be drawn fits one that is shown further on.

Drawn blindly, a pixel seldom fits what is shown below it, and few particles survive. So it is drawn with an eye to the
next shown pixel of its column, by how often the two colours stand so far apart in pictures that the model itself draws;
`textgen.core.smc` weighs particles so that hints change how well it works and never what it estimates.
"""

from __future__ import annotations

import torch
from torch import Tensor

STRENGTH = 0.5  # of a hint: columns repeat each other, and at 1 together they promise too much
PICTURES = 64  # that colours are counted in


def hints(shown: Tensor, hidden: Tensor, width: int, drawn: Tensor, size: int) -> Tensor:
    """log p(the shown pixel | this colour) of the next shown pixel down the column, times `STRENGTH`, nats: (L, V).

    `shown` (L,) is a picture of lines of `width` pixels in `size` colours, of which those are not shown where `hidden`
    (L,) is True; colours are counted in the pictures `drawn` (N, L). 0 where a pixel is shown, or none after it is.
    """
    lines = drawn.unflatten(1, (-1, width))
    share = (torch.bincount(drawn.flatten(), minlength=size) + 0.5).double()
    share = share / share.sum()  # of each colour: what is counted begins with one pair of it
    log_fit = share.new_zeros(len(shown), size)
    known: dict[tuple[int, int], Tensor] = {}
    blank: list[bool] = hidden.tolist()
    for place in (place for place in range(len(blank)) if blank[place]):
        further = next((one for one in range(place + width, len(blank), width) if not blank[one]), None)
        if further is None:
            continue
        apart, colour = (further - place) // width, int(shown[further])
        if (apart, colour) not in known:
            above, below = lines[:, :-apart].flatten(), lines[:, apart:].flatten()
            together = torch.bincount(above[below == colour], minlength=size) + share[colour]
            known[apart, colour] = STRENGTH * (together / (torch.bincount(above, minlength=size) + 1)).log()
        log_fit[place] = known[apart, colour]
    return log_fit
