"""The defaults of every verb on sentences, in one place: Python signatures and the command line read them here.

Nothing is imported, so that `--help` can name them without torch.
"""

from __future__ import annotations

REFINE = 200  # most steps towards a code that gives its sentence back (docs/results)

# interpolate
STEPS = 8  # points of a walk, its ends among them
PATH = "line"
PACE = "text"
BEAMS = 10  # candidates for each point, and for each sentence of `arithmetic`

# sample: the most probable sentences of codes nearer to the middle of the prior, and the best of a few
SAMPLES = 8
SAMPLE_BEAMS = 5
SAMPLE_CODE_TEMPERATURE = 0.7
SAMPLE_BEST_OF = 4

# reconstruct, decode, vary
RECONSTRUCT_BEAMS = 5
DECODE_BEAMS = 5
VARY_BEAMS = 5
VARY_DIMS = 2  # codes turned: those of the greatest rate
VARY_STEPS = 5
VARY_SPAN = 2.0  # standard deviations of the prior, either way

# arithmetic
STRENGTHS = (1.0,)

# neighbours
NEIGHBOURS = 5
NEIGHBOUR_ROWS = 20_000  # rows of a corpus that are compared with; 0: all

# evaluate
EVALUATE_ROWS = 500  # rows for likelihood and reconstruction; 0: all
EVALUATE_SAMPLES = 500  # importance samples for each row
EVALUATE_CHAINS = 16  # annealed chains for each row, in place of them
EVALUATE_BEAMS = 1

# prior
PRIOR_ROWS = 50_000  # sentences whose codes a prior is fitted to; 0: all


def sampling(
    beams: int | None, best_of: int | None, code_temperature: float | None, *, by_token: bool
) -> tuple[int, int, float]:
    """Beams, best of, and code temperature of `sample`; None takes the default.

    `by_token`: something is said of how tokens are chosen, or there are no codes. Then, and with `beams=0`, sentences
    are drawn token by token, exactly from the model unless told otherwise.
    """
    if beams is None:
        beams = 0 if by_token else SAMPLE_BEAMS
    if best_of is None:
        best_of = SAMPLE_BEST_OF if beams else 1
    if code_temperature is None:
        code_temperature = SAMPLE_CODE_TEMPERATURE if beams else 1.0
    return beams, best_of, code_temperature
