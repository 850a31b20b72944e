"""The defaults of every verb on pictures, in one place: Python signatures and the command line read them here.

Nothing is imported, so that `--help` can name them without torch.
"""

from __future__ import annotations

MODEL = "creatures"

SAMPLES = 16
SAMPLE_BEST_OF = 1  # drawn for each; the best by NLL per foreground pixel is kept

# complete
KEEP = 0.5  # share of the lines shown
COMPLETIONS = 4
PARTICLES = 64  # drawings that are weighed where what is shown does not come first

# interpolate, traverse
STEPS = 8  # pictures of a walk, its ends among them
TRAVERSE_DIMS = 2  # codes turned: those of the greatest rate
TRAVERSE_STEPS = 7
TRAVERSE_SPAN = 2.0  # standard deviations of the prior, either way

# animate
ANIMATED = 4
EVERY = 5  # pixels between two frames

# evaluate
EVALUATE_ROWS = 0  # pictures; 0: all
EVALUATE_SAMPLES = 500  # importance samples for each
EVALUATE_CHAINS = 16  # annealed chains for each, in place of them

# novelty
NOVELTY_SAMPLES = 1000  # pictures drawn
NOVELTY_PAIRS = 16  # pairs shown
NOVELTY_ABOVE = 0.41  # a foreground Jaccard index beyond which a picture is suspiciously near
NOVELTY_SHARE = 0.01  # of pictures that may be above it
NOVELTY_GAP = 0.25  # nats per pixel by which held-out pictures may cost more than training pictures
NOVELTY_SHIFT = 2  # pixels that copies may move
NOVELTY_NEAR = 16  # of 255: colours within it are one shade
NOVELTY_IMPORTANCE = 100  # importance samples for each picture
