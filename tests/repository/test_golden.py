"""The models that ship write and draw what they did before: walks, samples, completions and likelihoods, in float64.

In float64 rounding leaves no trace, so the same texts, pixels and nats come out on any processor. What they are stands
in `golden.json`; `python tests/repository/test_golden.py` writes it anew: right only when a model itself has changed.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
import torch

from imagegen import PictureModel
from textgen import SentenceVAE
from textgen.core.estimators import bounds

FILE = Path(__file__).with_name("golden.json")

ENGLISH = [
    "she closed the door.",
    "there was no answer.",
    "he looked at her with a smile.",
    "i do not know what you mean.",
    "the rain fell all night.",
    "it was a cold morning in spring.",
    "they walked along the river.",
    '"come in," said the old man.',
    "nobody had seen him since the winter.",
    "the children were playing in the garden.",
]
EVERYDAY = [
    "The weather is nice today.",
    "I have to go to work tomorrow.",
    "my brother lives in london",
    "what time does the train leave",
    "She closed the door.",
    "There was no answer.",
    "Can you help me with my homework?",
    "We had dinner at a small restaurant.",
    "I don't know what to say.",
    "He is reading a book about birds.",
]
VERSE = [
    "and all the stars of heaven shine",
    "the roses bloom beside the door",
    "my heart is like a silver bell",
    "i walk alone upon the shore",
    "sweet is the song the robin sings",
    "and darkness falls upon the land",
    "the moon is high above the sea",
    "o tell me where my love has gone",
    "the golden leaves are falling fast",
    "we sang together in the sun",
]
CHINESE = [
    "床前明月光",
    "疑是地上霜",
    "白日依山尽",
    "黄河入海流",
    "春眠不觉晓",
    "处处闻啼鸟",
    "千山鸟飞绝",
    "万径人踪灭",
    "红豆生南国",
    "春来发几枝",
]
TEXTS = {"everyday": EVERYDAY, "english-fiction": ENGLISH, "verse-en": VERSE, "verse-zh": CHINESE}
PICTURES = ["creatures", "creatures-vae", "pokemon", "tiles"]


def of_text(name: str) -> dict[str, Any]:
    """Three walks, eight samples at two seeds, and bounds on the NLL of twenty sentences, nats."""
    vae = SentenceVAE.from_pretrained(name)
    vae.model.double()
    lines = TEXTS[name]
    walks = [vae.interpolate(lines[2 * i], lines[2 * i + 1], steps=5) for i in range(3)]
    samples = [vae.sample(8, seed=seed, beams=0) for seed in (0, 1)]
    twenty = [*lines, *(text for some in samples for text in some)][:20]
    found = bounds(vae.model, vae.tokens(twenty), samples=4, seed=0, first=0)
    return {"walks": [[point.text for point in walk] for walk in walks], "samples": samples, "nll": found.nll.tolist()}


def of_pictures(name: str) -> dict[str, Any]:
    """Eight samples at two seeds, three completions (reconstructions, of codes) and the NLL of twenty, nats."""
    model = PictureModel.from_pretrained(name)
    model.model.double()
    drawn = torch.cat([model.sample(8, seed=seed, label=None) for seed in (0, 1)])
    height, width = model.palette.lines
    colours = model.palette.vocab_size
    places = torch.arange(height * width)
    patterns = torch.stack([(places // width * step + places % width) % colours for step in range(4)])
    twenty = torch.cat([drawn, patterns])
    if model.model.latent:
        three = model.reconstruct(drawn[:3])
    else:
        three = model.complete(drawn[:3], height - 4, count=1, seed=5).flatten(0, 1)
    return {
        "samples": [digest(row) for row in drawn],
        "completions": [digest(row) for row in three],
        "nll": model.nll(twenty, samples=4).tolist(),
    }


def digest(row: torch.Tensor) -> str:
    """A picture's tokens in 16 letters."""
    return hashlib.sha256(bytes(row.to(torch.uint8).tolist())).hexdigest()[:16]


def observe(name: str) -> dict[str, Any]:
    """What a model that ships does."""
    return of_text(name) if name in TEXTS else of_pictures(name)


@pytest.mark.parametrize("name", [*TEXTS, *PICTURES])
def test_a_model_that_ships_writes_and_draws_as_before(name):
    expected = json.loads(FILE.read_text(encoding="utf-8"))[name]
    observed = observe(name)
    assert observed.pop("nll") == pytest.approx(expected.pop("nll"), rel=1e-7, abs=1e-6)
    assert observed == expected


if __name__ == "__main__":
    torch.set_num_threads(1)
    FILE.write_text(json.dumps({n: observe(n) for n in [*TEXTS, *PICTURES]}, indent=1, ensure_ascii=False) + "\n")
