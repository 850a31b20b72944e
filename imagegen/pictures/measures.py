"""`evaluate` for pictures: likelihoods in nats and bits per pixel, each with its split and estimator."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import torch

from corpora.corpus import Corpus, Rows
from corpora.errors import InputError
from corpora.files import MANIFEST
from corpora.modality import modality_of
from corpora.row import items_alone
from corpora.sources import images
from imagegen.pictures import defaults
from imagegen.pictures.foreground import accuracy
from imagegen.pictures.picture_model import PictureModel, Tell, bits
from imagegen.pictures.taking import SCALE, take
from textgen.core import estimators
from textgen.core.figures import Figure, Figures, mean, of_classes, of_weights, picked
from textgen.core.model import Latent

ACTIVE = 0.1  # nats of rate, on average over pictures, from which a code counts as used


def corpus_of(model: PictureModel, folder: Path) -> Corpus:
    """The corpus in a folder. Raises InputError if it has another palette, size or order than the model."""
    corpus = Corpus.open(folder)
    if corpus.codec.modality != "picture":
        raise InputError(f"{folder} is no corpus of pictures: it holds {modality_of(corpus.codec).units}")
    if corpus.codec.to_dict() != model.palette.to_dict():
        raise InputError(
            f"{folder} has another palette, size or order than {model.opened.name}: build it with codec_from=MODEL, or "
            "let `imagegen evaluate` fit its pictures (--fit crop, pad or resize)"
        )
    return corpus


def tokens_of(model: PictureModel, rows: Rows, some: Sequence[int] | np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
    """Some rows as tokens (N, L), and their classes as the model numbers them (N,); -1 where there are none, or it
    knows none."""
    classes = model.opened.known([rows.label(row) for row in some])[0] if model.model.classes is not None else None
    return torch.from_numpy(rows.pad(some)).to(model.device), model.opened.labels(classes, len(some))


def measure(
    model: PictureModel,
    folder: Path,
    *,
    split: str = "test",
    rows: int = defaults.EVALUATE_ROWS,
    samples: int = defaults.EVALUATE_SAMPLES,
    seed: int = 0,
    merge: int | None = None,
    ais: int = 0,
    fit: str | None = None,
    tell: Tell | None = None,
) -> Figures:
    """Figures of a model on `rows` pictures of a split, drawn by `seed` (0: all).

    With `fit` (crop, pad or resize) the pictures may be of any size and palette: those of a corpus of pictures, or of
    a picture file or a folder of them, which has no splits. The likelihood is then that of the pictures as the model
    takes them, and the figures say how far they are from those.

    With `merge`, of a model that goes pixel by pixel, also the NLL where colours that `Palette.alike(merge)` takes for
    one are one: -log of the summed probability of the true colour's group, given the true pixels before in all their
    colours (so it compares models, and is not the likelihood of a merged picture).

    With `ais`, of a model with codes, the bound is that of `samples` annealed chains of so many steps.

    Raises InputError if the corpus has another palette, size or order than the model, for likelihoods would not
    compare, and for `merge` with a model with codes.
    """
    notes: list[str] = []
    if fit is None:
        if folder.exists() and not (folder / MANIFEST).is_file():
            raise InputError(
                f"{folder} is not a corpus: it has no {MANIFEST}; --fit crop, pad or resize measures a picture file or "
                "a folder of them"
            )
        pictures = corpus_of(model, folder).rows(split)
        some = picked(np.random.default_rng(seed), len(pictures), rows)
        tokens, labels = tokens_of(model, pictures, some)
        if model.model.classes is not None:
            notes = model.opened.known([pictures.label(row) for row in some])[1]
        data, far = f"{folder.name}, {split} split", list[Figure]()
    else:
        tokens, labels, data, far, notes = _fitted(model, folder, split, rows, seed, fit)
    merged = []
    if merge is not None:  # first, for a model with codes is refused, and its bounds take long
        groups = torch.from_numpy(model.palette.alike(merge)).to(model.device)
        nll = merged_nll(model.log_probabilities(tokens, label=labels), tokens, groups)
        how = f"exact; {int(groups.max()) + 1} colours, those alike by {merge} of 255 merged"
        merged = [mean("NLL per pixel, merged", nll / model.length, how, "nats per pixel")]
    if isinstance(model.model, Latent):
        figures, more = _codes(model, model.model, tokens, labels, samples, seed, ais, tell)
        notes += more
    else:
        nll = model.nll(tokens, label=labels, tell=tell)
        figures = _per_pixel(model, nll, "exact" + of_classes(model.model, labels))
    return Figures(model.opened.name, data, len(tokens), seed, [*figures, *merged, *far], "pictures", notes)


def _fitted(
    model: PictureModel, folder: Path, split: str, rows: int, seed: int, fit: str
) -> tuple[torch.Tensor, torch.Tensor, str, list[Figure], list[str]]:
    """Pictures of any size and palette as the model takes them, and their classes; their name; how far they are from
    the ones in the files; and notes on their labels."""
    draw = np.random.default_rng(seed)
    if (folder / MANIFEST).is_file():
        corpus = Corpus.open(folder)
        if corpus.codec.modality != "picture":
            raise InputError(f"{folder} is no corpus of pictures: it holds {modality_of(corpus.codec).units}")
        stored, data = corpus.rows(split), f"{folder.name}, {split} split"
        some = picked(draw, len(stored), rows).tolist()
        pixels, own = [stored.picture(row) for row in some], [stored.label(row) for row in some]
    else:
        every = [*items_alone(images.read([str(folder)], images.Config()))]
        kept = [every[number] for number in picked(draw, len(every), rows)]
        pixels, own, data = [one.pixels for one in kept], [one.label for one in kept], folder.name
    taken = take(model, pixels, [f"picture {number} of {data}" for number in range(len(pixels))], fit)
    classes, notes = (None, []) if model.model.classes is None else model.opened.known(own, refuse=False)
    labels = model.opened.labels(classes, len(own))
    how = f"{taken.note or 'none was of another size'}; laid on white, pixel by pixel, {taken.whole.most:.1f} at most"
    far = torch.tensor([one.mean for one in taken.recoloured], dtype=torch.float64)
    return taken.tokens, labels, f"{data}, as the model takes them", [mean("recoloured by", far, how, SCALE)], notes


def merged_nll(log_p: Iterable[torch.Tensor], tokens: torch.Tensor, groups: torch.Tensor) -> torch.Tensor:
    """-log p of the true pixels' groups of colours, nats per picture (N,) in float64.

    `log_p` (n, L, V) of some of the `tokens` (N, L) after the other, as `PictureModel.log_probabilities` gives them;
    `groups` (V,) numbers the group of each colour.
    """
    parts, first = [], 0
    for some in log_p:
        truth = groups[tokens[first : first + len(some)]]  # (n, L)
        other = groups != truth[..., None]  # (n, L, V)
        parts.append(-some.double().masked_fill(other, -torch.inf).logsumexp(2).sum(1))
        first += len(some)
    return torch.cat(parts)


def nearest(tokens: torch.Tensor, truths: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The number of the picture in `truths` (M, L) nearest to each of `tokens` (N, L), the first of several, (N,), and
    the share of pixels that differ from it, (N,)."""
    apart = torch.stack([(truths != row).double().mean(1) for row in tokens])
    share, which = apart.min(1)
    return which, share


def colourfulness(pixels: np.ndarray) -> float:
    """The colourfulness of (N, 3) or (N, 4) pixels together (red, green, blue, 0 to 255; opacity is not looked at).

    M = sigma_rgyb + 0.3 mu_rgyb of Hasler and Suesstrunk (2003, "Measuring colourfulness in natural images"): with the
    opponents rg = R - G and yb = (R + G) / 2 - B, sigma_rgyb is the root of the sum of their variances and mu_rgyb of
    their squared means. 0 is grey; people in their study say 15 slightly, 45 quite, 82 highly and 109 extremely.
    """
    red, green, blue = pixels[:, :3].astype(np.float64).T
    opponents = np.stack([red - green, (red + green) / 2 - blue])
    return float(np.hypot(*opponents.std(1)) + 0.3 * np.hypot(*opponents.mean(1)))


def saturation(pixels: np.ndarray) -> float:
    """The mean saturation of (N, 3) or (N, 4) pixels, 0 (grey) to 1: 1 - least / greatest of red, green and blue (HSV).
    Black counts as grey."""
    rgb = pixels[:, :3].astype(np.float64)
    most = rgb.max(1)
    return float(np.where(most > 0, 1 - rgb.min(1) / np.maximum(most, 1e-9), 0.0).mean())


def _per_pixel(model: PictureModel, nll: torch.Tensor, how: str) -> list[Figure]:
    each = mean("NLL", nll, how, "nats per picture")
    pixel = mean("NLL per pixel", nll / model.length, f"{how}; {model.palette.vocab_size} colours", "nats per pixel")
    error = None if pixel.error is None else bits(pixel.error)
    return [each, pixel, Figure("bits per pixel", bits(pixel.value), "bits per pixel", pixel.estimator, error)]


def _codes(
    model: PictureModel,
    latent: Latent,
    tokens: torch.Tensor,
    labels: torch.Tensor,
    samples: int,
    seed: int,
    ais: int,
    tell: Tell | None,
) -> tuple[list[Figure], list[str]]:
    figures: list[Figure] = []
    notes: list[str] = []
    note = of_classes(latent, labels)
    if latent.noise:
        wide = estimators.proposal_for(latent.latent)
        bounds = model.bounds(tokens, samples=samples, seed=seed, label=labels, proposal=wide, ais=ais, tell=tell)
        prior = f"prior {latent.prior.title}{note}"
        draws = f"{samples if ais else wide.counts(samples)[0]} codes from q(z | x) each"
        how = f"importance-weighted bound, K={samples}"
        if ais:
            how = f"annealed importance sampling, {samples} chains of {ais} steps"
        figures += _per_pixel(model, bounds.nll, f"{how}, {prior}")
        evenness, notes = of_weights(bounds, samples, annealed=ais > 0)
        figures += evenness
        figures += [
            mean("negative ELBO", bounds.negative_elbo, f"{draws}, {prior}", "nats per picture"),
            mean("distortion", bounds.distortion, draws + note, "nats per picture"),
            mean("rate", bounds.rate, "exact" if latent.prior.standard else "Monte Carlo", "nats per picture"),
        ]
        rates = model.rates(tokens).mean(0)
        order = rates.argsort(descending=True).tolist()
        listed = ", ".join(f"{code}: {float(rates[code]):.2f}" for code in order[:20])
        used = int((rates > ACTIVE).sum())
        how = f"mean rate above {ACTIVE} nats; by code: {listed}"
        figures.append(Figure("codes used", used, f"of {latent.latent}", how))
    means = estimators.posteriors(latent, tokens.split(256)).mean
    figures.append(
        Figure("active units", estimators.active_units(means), f"of {latent.latent}", "variance of the mean above 0.01")
    )
    pairs = zip(tokens.split(256), labels.split(256), strict=True)
    again = torch.cat([model.reconstruct(part, label=known) for part, known in pairs])
    figures += given_back(again, tokens, model.background, f"most probable colour, posterior mean{note}")
    return figures, notes


def given_back(again: torch.Tensor, tokens: torch.Tensor, paper: int, how: str) -> list[Figure]:
    """Accuracy of decoded pictures beside the encoded ones, (N, L) both, on the foreground and on all pixels, and what
    a blank page has right: the background `paper` all over, which the accuracy on all pixels is to be read beside."""
    right = accuracy(again, tokens, paper)
    front = right.foreground[right.foreground.isfinite()]
    figures = [mean("foreground given back", 100 * front, f"{how}; a blank page: 0", "% of foreground")]
    if not len(front):
        figures = []
    blank = mean("pixels of a blank page", 100 * right.blank, "background all over, for comparison", "% of pixels")
    return [*figures, mean("pixels given back", 100 * right.overall, how, "% of pixels"), blank]
