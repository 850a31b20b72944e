"""Why palettes: a picture's pixels as numbers to be regressed, and as tokens to be drawn.

    python benchmarks/colours.py --plot colours.png          # about six minutes of one core

The lecture's first pixel-by-pixel model gave red, green and blue by three sigmoid outputs, and its pictures came out
grey: where a pixel may be red or green or blue, the least squared error is at their mean. Classes, a palette of them,
have no mean. Here the same recurrent network (PixelRNN: its inputs are the four neighbours drawn before, the row and
the column) is trained both ways on the same pictures, laid on white:

- palette: the neighbours' embeddings in, a softmax over the colours out, cross-entropy; colours are drawn from it;
- regression: the neighbours' red, green and blue in, three sigmoids out, squared error; it gives back what it gave.
  It has no chance in it: given the same pixels it always goes on in the same way.

Widths, loop, learning rates, steps, batches and seeds are the same, and the weights but for the first and last layer.
Pictures of the test split are finished by both, from their top rows (0: drawn from nothing, so that regression draws
the same picture each time). Measured over the pixels that were drawn, and for the same pixels of the true pictures:

- colourfulness: M of Hasler and Suesstrunk (2003) of all these pixels taken together; 0 is grey;
- of one picture: the mean of M over each picture's own pixels; saturation: their mean saturation (HSV), 0 to 1;
- between colours: share of pixels further than Delta E (CIE76) 10 from every colour of the palette.

Figures are means over the trainings' seeds; in brackets the least and the most.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import rows
from corpora.build import build
from corpora.codecs.palette import Palette
from corpora.corpus import Corpus
from corpora.pictures.colour import lab_of
from imagegen.backbones.pixelrnn import Config, PixelRNN
from imagegen.pictures.measures import colourfulness, saturation
from textgen.core import sampler, trainer
from textgen.core.model import Autoregressive, Model, Terms
from textgen.core.randomness import Draw
from textgen.runs.library import vocabulary


class Regression(Model):
    """A PixelRNN that reads and gives red, green and blue, each 0 to 1. The loss is the squared error of a picture."""

    def __init__(self, config: Config, palette: Palette) -> None:
        super().__init__()
        self.vocab = vocabulary(palette)
        self.backbone = PixelRNN(config, self.vocab)  # its LSTM and its positions; embedding and head are replaced
        self.backbone.embedding = nn.Linear(4, config.embedding)  # the fourth number: inside the picture
        self.backbone.head = nn.Linear(config.width, 3)
        table = torch.tensor(palette.colours, dtype=torch.float32)[:, :3] / 255
        self.register_buffer("table", table, persistent=False)

    def loss(self, tokens: Tensor, draw: Draw) -> Terms:
        pixels = self.table[tokens]  # (B, L, 3)
        hidden = self.backbone.dropout(self.backbone.lstm(self._inputs(pixels, 0, pixels.shape[1]))[0])
        error = (self.backbone.head(hidden).sigmoid() - pixels).square().sum((1, 2))
        return Terms(error, {"squared error": error.detach()})

    def _inputs(self, pixels: Tensor, first: int, last: int) -> Tensor:
        """What the LSTM reads at pixels `first` up to `last`, (B, last - first, H), from all pixels (B, L, 3)."""
        seen = F.pad(F.pad(pixels, (0, 1), value=1.0), (0, 0, 1, 0))  # the start symbol is all 0
        before = self.backbone.embedding(seen[:, self.backbone.places[first:last]]).flatten(2)
        places = self.backbone._positions()[first:last].expand(len(pixels), -1, -1)
        return self.backbone.dropout(torch.cat([before, places], 2))

    @torch.inference_mode()
    def complete(self, tokens: Tensor, shown: int) -> Tensor:
        """Pictures (N, L) from their first `shown` pixels: (N, L, 3), 0 to 1. Each output is an input later on."""
        pixels = self.table[tokens].clone()
        state = self.backbone.lstm(self._inputs(pixels, 0, shown))[1] if shown else None
        for pixel in range(shown, pixels.shape[1]):
            hidden, state = self.backbone.lstm(self._inputs(pixels, pixel, pixel + 1), state)
            pixels[:, pixel] = self.backbone.head(hidden[:, 0]).sigmoid()
        return pixels


def fit(model: Model, corpus: Corpus, chosen: argparse.Namespace, seed: int) -> None:
    """The core's loop; the model has the averaged weights afterwards."""
    how = trainer.Config(lr=2e-3, ema=0.99, precision="fp32")
    training = trainer.Training(model, how, steps=chosen.steps, seed=seed)
    for step in range(chosen.steps):
        batch = corpus.batch(step, seed, chosen.batch)
        training.update([trainer.Batch(torch.from_numpy(batch.tokens), total=batch.total)])
    with training.averaged():
        weights = {name: value.clone() for name, value in model.state_dict().items()}
    model.load_state_dict(weights)
    model.eval()


def measured(pixels: np.ndarray, palette: Palette) -> dict[str, float]:
    """Figures of what was drawn of each picture, (N, P, 3) from 0 to 255."""
    flat = pixels.reshape(-1, 3)
    lab, colours = lab_of(flat), palette.lab
    nearest = np.min([np.linalg.norm(lab - colour, axis=1) for colour in colours], 0)
    return {
        "colourfulness": colourfulness(flat),
        "of one picture": float(np.mean([colourfulness(one) for one in pixels])),
        "saturation": saturation(flat),
        "between colours": 100 * float((nearest > 10).mean()),
    }


def said(found: list[dict[str, float]]) -> str:
    """Cells of the table: mean and extremes over the seeds."""
    cells = []
    for key, digits in (("colourfulness", 1), ("of one picture", 1), ("saturation", 3), ("between colours", 1)):
        values = [one[key] for one in found]
        few = f" ({min(values):.{digits}f} to {max(values):.{digits}f})" if len(values) > 1 else ""
        cells.append(f"{np.mean(values):.{digits}f}{few}")
    return " | ".join(cells)


def opaque(pixels: np.ndarray, palette: Palette) -> list[np.ndarray]:
    """Pixels (N, L, 3) from 0 to 255 as pictures (H, W, 4)."""
    whole = pixels.round().astype(np.uint8).reshape(-1, palette.height, palette.width, 3)
    return [np.pad(one, ((0, 0), (0, 0), (0, 1)), constant_values=255) for one in whole]


def main() -> None:
    """Train both for each seed, finish pictures, measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("inputs", nargs="*", default=["sprites"], help="as for `corpora build` (default: sprites)")
    parser.add_argument("--width", type=int, default=128, help="cells of the LSTM (default: 128)")
    parser.add_argument("--steps", type=int, default=500, help="of training (default: 500)")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1], help="of the trainings (default: 0 1)")
    parser.add_argument("--rows", type=int, nargs="+", help="rows that are shown (default: none, a quarter, half)")
    parser.add_argument("--pictures", type=int, default=64, help="of the test split, finished by each")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--plot", type=Path, metavar="FILE.png", help="twelve pictures for each number of rows")
    chosen = parser.parse_args()
    torch.set_num_threads(chosen.threads)
    torch.set_flush_denormal(True)
    with tempfile.TemporaryDirectory() as folder:
        corpus = build(chosen.inputs, Path(folder) / "corpus", settings={"alpha": "0"})
        compare(corpus, chosen)


def compare(corpus: Corpus, chosen: argparse.Namespace) -> None:
    """The table, and the picture."""
    palette, test = corpus.codec, corpus.rows("test")
    assert isinstance(palette, Palette)
    config = Config(width=chosen.width, embedding=chosen.width // 4, dropout=0.1)
    tokens = torch.from_numpy(test.pad(range(min(chosen.pictures, len(test)))))
    table = np.array(palette.colours, np.float64)[:, :3]
    vocab = vocabulary(palette)
    many = chosen.rows or [0, palette.height // 4, palette.height // 2]
    found: dict[tuple[int, str], list[dict[str, float]]] = {}
    shown: dict[str, list[np.ndarray]] = {}
    for seed in chosen.seeds:
        torch.manual_seed(seed)
        drawing = Autoregressive(PixelRNN(config, vocab), vocab)
        torch.manual_seed(seed)
        regression = Regression(config, palette)
        for model in (drawing, regression):
            fit(model, corpus, chosen, seed)
        for top in many:
            kept = top * palette.width
            drawn = sampler.sample(
                drawing.backbone, vocab, rows=len(tokens), length=tokens.shape[1], prompt=tokens[:, :kept], seed=seed
            )
            made = {
                "true": table[tokens],
                "palette": table[drawn],
                "regression": 255 * regression.complete(tokens, kept).double().numpy(),
            }
            for name, pixels in made.items():
                found.setdefault((top, name), []).append(measured(pixels[:, kept:], palette))
                if seed == chosen.seeds[0]:
                    heading = f"{name}, {top} rows given" if name != "true" or top else "true"
                    shown.setdefault(heading, opaque(pixels[:12], palette))
    print(
        f"{len(corpus.rows('train'))} pictures in {palette.vocab_size} colours, {chosen.steps} steps of "
        f"{chosen.batch}, seeds {', '.join(map(str, chosen.seeds))}; {len(tokens)} pictures of the test split"
    )
    print("| rows given | | colourfulness | of one picture | saturation | between colours, % |")
    print("|---|---|---|---|---|---|")
    for (top, name), figures in found.items():
        print(f"| {top} | {name} | {said(figures[:1] if name == 'true' else figures)} |")
    if chosen.plot:
        kinds = ("true", "palette", "regression")
        wanted = [f"{name}, {top} rows given" if name != "true" else "true" for top in many for name in kinds]
        rows.write(chosen.plot, {name: shown[name] for name in wanted if name in shown}, 3)


if __name__ == "__main__":
    main()
