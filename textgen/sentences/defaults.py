"""The defaults of every verb on sentences, in one place: Python signatures and the command line read them here.

Nothing heavy is imported, so that `--help` can name them without torch.
"""

from __future__ import annotations

from typing import NamedTuple

REFINE = 200  # most steps towards a code that gives its sentence back (docs/results)

# interpolate
STEPS = 8  # points of a walk, its ends among them
PATH = "auto"  # fluent, where the decoder is a language model too; otherwise line
PACE = "text"
BEAMS = 10  # candidates for each point, and for each sentence of `arithmetic`
FLUENT_BEAMS = 5  # for each code of a fluent path, of which there are three for each point

# sample: the most probable sentences of codes nearer to the middle of the prior, and the best of a few by NLL per token
SAMPLES = 8
SAMPLE_BEAMS = 5
SAMPLE_CODE_TEMPERATURE = 0.7
SAMPLE_BEST_OF = 4
# where the decoder is a language model too: token by token at a low temperature, and the most fluent of a few
FLUENT_CODE_TEMPERATURE = 0.85
FLUENT_TEMPERATURE = 0.6
FLUENT_BEST_OF = 16

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


def codes_for(samples: int | None, ais: int) -> int:
    """The codes, or with `ais` annealed chains, by which a row's likelihood is measured; None takes the default."""
    if samples is not None:
        return samples
    return EVALUATE_CHAINS if ais else EVALUATE_SAMPLES


# prior
PRIOR_ROWS = 50_000  # sentences whose codes a prior is fitted to; 0: all


class Sampling(NamedTuple):
    """The way that `sample` draws."""

    beams: int  # 0: token by token
    best_of: int
    code_temperature: float
    temperature: float | None = None  # of tokens; None: nothing is said of it


def sampling(
    beams: int | None, best_of: int | None, code_temperature: float | None, *, by_token: bool, fluent: bool = False
) -> Sampling:
    """The way that `sample` draws; None takes the default.

    `by_token`: something is said of how tokens are chosen, or there are no codes. Then, and with `beams=0`, sentences
    are drawn token by token, exactly from the model unless told otherwise. `fluent`: the decoder is a language model
    too.
    """
    temperature = None
    if beams is None and fluent and not by_token:
        temperature = FLUENT_TEMPERATURE
        best_of = FLUENT_BEST_OF if best_of is None else best_of
        code_temperature = FLUENT_CODE_TEMPERATURE if code_temperature is None else code_temperature
    if beams is None:
        beams = 0 if by_token or fluent else SAMPLE_BEAMS
    if best_of is None:
        best_of = SAMPLE_BEST_OF if beams else 1
    if code_temperature is None:
        code_temperature = SAMPLE_CODE_TEMPERATURE if beams else 1.0
    return Sampling(beams, best_of, code_temperature, temperature)
