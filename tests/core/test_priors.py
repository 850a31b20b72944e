"""Priors: each is a density, its codes are drawn from it row by row, and a fitted one travels in its model."""

from __future__ import annotations

import copy
import json
import math
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import stats

import small
from corpora import Corpus, files
from corpora.errors import InputError
from corpora.settings import find
from textgen.cli import main
from textgen.core import checkpoint, estimators, recipes
from textgen.core.prior import Prior, draw_codes, held_out
from textgen.core.randomness import normals
from textgen.priors import mixture
from textgen.runs import library
from textgen.runs.fit_prior import fit
from textgen.sentences.sentence_vae import SentenceVAE

KINDS = {
    "normal": ("normal", {}),
    "diagonal": ("mixture", {"components": 3}),
    "full": ("mixture", {"components": 3, "covariance": "full"}),
    "spline": ("flow", {"transforms": 2, "bins": 4, "prior_width": 8}),
    "affine": ("flow", {"transforms": 2, "bins": 0, "passes": 64, "prior_width": 8}),
}
every_prior = pytest.mark.parametrize("name", KINDS)


def made(name: str, latent: int, loud: float = 0.4) -> Prior:
    """A prior with random weights."""
    kind, settings = KINDS[name]
    part = find("textgen.priors", kind)
    prior = part.build(part.Config(**settings), latent)
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for weight in [*prior.parameters(), *(b for key, b in prior.named_buffers() if key in prior.state_dict())]:
            weight.copy_(loud * torch.randn(weight.shape, generator=generator))
    return prior.requires_grad_(False).eval()


# ---------------------------------------------------------------------------------------------------- densities


@every_prior
@pytest.mark.parametrize("latent", [1, 2])
def test_the_density_integrates_to_one(name, latent):
    line = torch.linspace(-24, 24, 12_001 if latent == 1 else 801)
    points = line[:, None] if latent == 1 else torch.cartesian_prod(line, line)
    total = made(name, latent)().log_prob(points).double().exp().sum() * float(line[1] - line[0]) ** latent
    assert float(total) == pytest.approx(1, abs=1e-3)


@every_prior
def test_codes_come_from_the_density(name):
    """Kolmogorov-Smirnov against the distribution function by quadrature in one dimension, moments in two."""
    prior = made(name, 1)
    codes = draw_codes(prior, 7, 0, 4000)[:, 0].double().numpy()
    line = torch.linspace(-12, 12, 12_001)
    heights = prior().log_prob(line[:, None]).double().exp().cumsum(0) * float(line[1] - line[0])
    found = stats.kstest(codes, lambda x: np.interp(x, line.numpy(), heights.numpy()))
    assert found.pvalue > 0.01
    prior = made(name, 2)
    codes = draw_codes(prior, 7, 0, 20_000).double()
    line = torch.linspace(-12, 12, 401)
    plane = torch.cartesian_prod(line, line)
    weights = prior().log_prob(plane).double().exp() * float(line[1] - line[0]) ** 2
    mean = weights @ plane.double()
    offset = plane.double() - mean
    torch.testing.assert_close(codes.mean(0), mean, atol=0.04, rtol=0)
    torch.testing.assert_close(codes.T.cov(), (offset.T * weights) @ offset, atol=0.08, rtol=0)


@every_prior
def test_the_distribution_and_the_codes_have_the_same_events(name):
    prior = made(name, 5)
    codes = draw_codes(prior, 0, 0, 6)
    assert codes.shape == (6, 5)
    assert codes.dtype == torch.float32
    assert prior().event_shape == (5,)
    assert prior().log_prob(codes.expand(3, 6, 5)).shape == (3, 6)


@every_prior
def test_a_row_is_the_same_whatever_is_drawn_beside_it(name):
    prior = made(name, 16)
    together = draw_codes(prior, 5, 0, 200)
    for first, rows in ((0, 1), (3, 2), (100, 64), (199, 1)):
        assert torch.equal(draw_codes(prior, 5, first, rows), together[first : first + rows])
    assert not torch.equal(draw_codes(prior, 6, 0, 200), together)


@every_prior
def test_codes_are_drawn_in_float64_by_the_weights_as_they_are(name):
    """As a copy of the prior in float64 draws them, to the last bit; the prior itself stays in float32."""
    prior = made(name, 16)
    exact = copy.deepcopy(prior).double()
    numbers = normals(5, 0, 200, prior.numbers).double()
    assert torch.equal(prior.draw(numbers), exact.draw(numbers))
    assert torch.equal(draw_codes(prior, 5, 0, 200), exact.draw(numbers).float())
    assert {weight.dtype for weight in prior.parameters()} <= {torch.float32}


@every_prior
def test_the_density_of_codes_is_that_of_the_distribution(name):
    prior = made(name, 3)
    codes = draw_codes(prior, 1, 0, 50)
    assert torch.equal(prior.log_prob(codes), prior().log_prob(codes))
    assert held_out(prior, codes) == pytest.approx(float(prior().log_prob(codes).mean()), abs=1e-4)


@every_prior
def test_a_temperature_scales_the_noise_of_codes_and_nothing_else(name):
    """At 0 there is the middle alone, of a mixture those of its Gaussians, in the same rows as at 1."""
    prior = made(name, 4)
    codes, middles = draw_codes(prior, 5, 0, 60), draw_codes(prior, 5, 0, 60, 0.0)
    assert torch.equal(draw_codes(prior, 5, 0, 60, 1.0), codes)
    assert torch.equal(draw_codes(prior, 5, 7, 2, 0.5), draw_codes(prior, 5, 0, 60, 0.5)[7:9])
    assert len(middles.unique(dim=0)) == (3 if KINDS[name][0] == "mixture" else 1)
    if KINDS[name][0] != "flow":  # where codes are a line in the noise
        torch.testing.assert_close(draw_codes(prior, 5, 0, 60, 0.5), middles + 0.5 * (codes - middles))
    for wrong in (-1.0, math.nan, 101.0):
        with pytest.raises(InputError, match=r"code_temperature=.*: expected a number from 0 to 100"):
            draw_codes(prior, 0, 0, 1, wrong)


@every_prior
def test_a_fresh_prior_is_the_standard_normal(name):
    kind, settings = KINDS[name]
    part = find("textgen.priors", kind)
    prior = part.build(part.Config(**settings), 4)
    points = normals(0, 0, 10, 4)
    wanted = -(points.pow(2).sum(1) + 4 * math.log(2 * math.pi)) / 2
    torch.testing.assert_close(prior().log_prob(points).detach(), wanted, atol=1e-4, rtol=0)


def test_each_number_of_a_flow_hangs_on_the_groups_before_it_alone():
    prior = made("affine", 6)
    code = normals(1, 0, 1, 6)[0]
    for number in range(2):
        matrix = torch.autograd.functional.jacobian(prior.networks[number], code[None]).view(6, 2, 6)
        order = range(6) if number == 0 else range(5, -1, -1)
        for place, one in enumerate(order):
            seen = {other for other in range(6) if bool((matrix[one, :, other] != 0).any())}
            assert seen <= set(list(order)[:place])
    whole = torch.autograd.functional.jacobian(prior._transform(code), code)
    wanted = torch.slogdet(whole)[1] - float(prior._transform(code)(code).pow(2).sum() + 6 * math.log(2 * math.pi)) / 2
    assert float(prior().log_prob(code)) == pytest.approx(float(wanted), abs=1e-3)


@pytest.mark.parametrize(
    ("kind", "settings", "message"),
    [
        ("mixture", {"components": 0}, "components=0: expected 1 to 4,096"),
        ("mixture", {"covariance": "round"}, "no covariance 'round': choose from diagonal, full"),
        ("flow", {"bins": 1}, "bins=1: expected 0, or 2 to 64"),
        ("flow", {"transforms": 99}, "transforms=99: expected 1 to 64"),
    ],
)
def test_sizes_that_make_no_sense_are_refused(kind, settings, message):
    with pytest.raises(InputError, match=message):
        recipes.compose("vae", {"prior": kind, **settings})


# ------------------------------------------------------------------------------------------------------ fitting


@pytest.fixture(scope="module")
def fitted(toy_run, toy_corpus, tmp_path_factory) -> dict[str, Path]:
    """Model folders with a mixture and a flow fitted to the toy run. Tests must not write into them."""
    folder = tmp_path_factory.mktemp("fitted")
    settings = {"mixture": {"components": 4, "covariance": "full"}, "flow": {"steps": 300, "prior_width": 16}}
    for kind, words in settings.items():
        assert fit(toy_run, toy_corpus, folder / kind, kind=kind, settings=words).out == str(folder / kind)
    return {kind: folder / kind for kind in settings}


@pytest.mark.parametrize("kind", ["mixture", "flow"])
def test_a_fit_finds_what_the_codes_are_made_of(kind):
    """Two far apart humps in a plane: the density is learned to within a tenth of a nat of the true one."""

    def draw(seed: int) -> torch.Tensor:
        noise = normals(seed, 0, 3000, 3)
        return torch.where(noise[:, 2:] > 0, 1.0, -1.0) * torch.tensor([2.0, 1.0]) + 0.5 * noise[:, :2]

    held = draw(99)
    parts = [torch.distributions.Normal(sign * torch.tensor([2.0, 1.0]), 0.5).log_prob(held).sum(1) for sign in (1, -1)]
    true = float(torch.stack(parts).logsumexp(0).mean()) - math.log(2)
    part = find("textgen.priors", kind)
    sizes = {"components": 2} if kind == "mixture" else {"passes": 2, "prior_width": 32}
    how = part.Fit() if kind == "mixture" else part.Fit(steps=600, learning_rate=5e-3)
    found = []
    for _ in range(2):
        prior = part.build(part.Config(**sizes), 2)
        part.fit(prior, draw, held, how, seed=0, tell=lambda *_: None)
        found.append(held_out(prior, held))
    assert found[0] == found[1], "the same seed gives the same fit"
    assert found[0] == pytest.approx(true, abs=0.1 if kind == "flow" else 0.02)


@pytest.mark.parametrize("kind", ["mixture", "flow"])
def test_a_fitted_model_is_a_model_as_any_other(fitted, toy_run, toy_corpus, kind, tmp_path):
    vae, plain = SentenceVAE.from_pretrained(fitted[kind]), SentenceVAE.from_pretrained(toy_run)
    texts = [Corpus.open(toy_corpus).rows("test").text(row) for row in range(5)]
    assert torch.equal(vae.encode(texts), plain.encode(texts))
    assert vae.opened.recipe.configs["model"].prior == kind
    assert vae.opened.facts["prior"]["gain"] > 0
    assert vae.sample(3, seed=1) != plain.sample(3, seed=1)
    assert vae.sample(70, seed=1)[:3] == vae.sample(3, seed=1)
    assert vae.sample(70, seed=1, beams=2)[:3] == vae.sample(3, seed=1, beams=2)
    normal = SentenceVAE.from_pretrained(fitted[kind], prior="normal")
    assert normal.sample(3, seed=1) == plain.sample(3, seed=1)
    assert normal.opened.recipe == plain.opened.recipe
    again = SentenceVAE.from_pretrained(vae.save_pretrained(tmp_path / "again"))
    assert again.sample(4) == vae.sample(4)
    ours, theirs = checkpoint.weights(vae.model), checkpoint.weights(again.model)
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(value, theirs[name]) for name, value in ours.items())
    assert "prior" in (tmp_path / "again" / "README.md").read_text()
    half = SentenceVAE.from_pretrained(vae.save_pretrained(tmp_path / "half", half=True))
    torch.testing.assert_close(half.model.context(0, 0, 9), vae.model.context(0, 0, 9), rtol=0.05, atol=0.05)


def test_a_fit_can_be_made_over_a_fitted_one_and_is_the_same_for_the_same_seed(fitted, toy_corpus, tmp_path):
    fit(fitted["flow"], toy_corpus, tmp_path / "m", kind="mixture", settings={"components": 4, "covariance": "full"})
    one, other = (library.open_model(folder) for folder in (tmp_path / "m", fitted["mixture"]))
    assert one.recipe == other.recipe
    assert torch.equal(one.model.context(0, 0, 5), other.model.context(0, 0, 5))


def test_an_autoencoder_gets_a_prior_of_its_codes(toy_autoencoder, toy_corpus, tmp_path):
    found = fit(toy_autoencoder, toy_corpus, tmp_path / "m", kind="mixture", settings={"components": 2}, rows=50)
    assert found.gain > 0
    assert len(SentenceVAE.from_pretrained(tmp_path / "m").sample(2)) == 2


def test_a_prior_that_is_worse_than_the_normal_is_refused(toy_run, toy_corpus, tmp_path, monkeypatch):
    def spoil(prior, codes, unseen, settings, **ways):
        with torch.no_grad():
            prior.means.fill_(3.0)

    monkeypatch.setattr(mixture, "fit", spoil)
    how = {"kind": "mixture", "settings": {"components": 2}}
    with pytest.raises(InputError, match=r"worse than N\(0, I\) by [0-9.]+ \+- [0-9.]+ nats per code on 40 codes"):
        fit(toy_run, toy_corpus, tmp_path / "no", **how)
    assert not (tmp_path / "no").exists()
    kept = fit(toy_run, toy_corpus, tmp_path / "yes", keep_worse=True, **how)
    assert kept.gain < 0 and (tmp_path / "yes").is_dir()


@pytest.mark.parametrize("kind", ["mixture", "flow"])
def test_a_fitted_prior_needs_no_library_that_fitted_it(fitted, kind):
    program = f"""
import sys
from textgen.runs.library import open_model
model = open_model({str(fitted[kind])!r}).model
assert "sklearn" not in sys.modules and "zuko" not in sys.modules
model.context(0, 0, 2)
assert "sklearn" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", program], check=True, cwd=Path(library.__file__).parents[2])


def test_the_rate_falls_by_what_the_prior_gains(fitted, toy_corpus):
    model = library.open_model(fitted["mixture"]).model
    rows = Corpus.open(toy_corpus).rows("test")
    tokens = torch.from_numpy(rows.pad(range(len(rows))))
    own = estimators.bounds(model, tokens, samples=60, seed=0)
    other = estimators.bounds(
        model, tokens, samples=60, seed=0, prior=find("textgen.priors", "normal").build(None, model.latent)()
    )
    torch.testing.assert_close(own.distortion, other.distortion)
    assert float(own.rate.mean()) < float(other.rate.mean())
    assert float(own.nll.mean()) < float(other.nll.mean())


def test_a_prior_fitted_before_its_weights_had_their_names_still_opens(fitted, tmp_path):
    """`prior.log_std` was `prior.sigma`."""
    for kind, folder in fitted.items():
        old = tmp_path / kind
        shutil.copytree(folder, old)
        tensors = checkpoint.unpack((old / checkpoint.MODEL).read_bytes(), old)
        assert "prior.log_std" in tensors
        tensors["prior.sigma"] = tensors.pop("prior.log_std")
        (old / checkpoint.MODEL).write_bytes(checkpoint.pack(tensors))
        (old / "manifest.json").unlink()
        files.write_manifest(old, {"format": checkpoint.FORMAT})
        now, before = (checkpoint.weights(library.open_model(one).model) for one in (folder, old))
        assert all(torch.equal(value, before[name]) for name, value in now.items())


# ------------------------------------------------------------------------------------------------ the command


def call(capsys, *words: object) -> tuple[int, str, str]:
    capsys.readouterr()
    try:
        code = main([str(word) for word in words])
    except SystemExit as end:
        code = int(end.code or 0)
    return (code, *capsys.readouterr())


def test_the_commands(fitted, toy_run, toy_corpus, tmp_path, capsys):
    out = tmp_path / "m"
    words = ["prior", toy_run, toy_corpus, "--kind", "mixture", "--out", out, "components=2", "--json"]
    code, said, error = call(capsys, *words)
    assert (code, error) == (0, "")
    facts = json.loads(said)
    assert facts["gain"] == pytest.approx(facts["nats"] - facts["normal"])
    assert facts["prior"] == "mixture of 2 Gaussians (diagonal)"
    few = ["--rows", 10, "--samples", 5, "--json"]
    code, said, _ = call(capsys, "evaluate", toy_corpus, "--model", out, *few)
    hows = {figure["name"]: figure["estimator"] for figure in json.loads(said)["figures"]}
    assert "prior mixture of 2 Gaussians (diagonal)" in hows["NLL"]
    assert hows["rate"].startswith("Monte Carlo KL(q(z | x) || mixture of 2 Gaussians (diagonal)), 5 codes")
    overridden = call(capsys, "evaluate", toy_corpus, "--model", out, "--prior", "normal", *few)[1]
    plain = call(capsys, "evaluate", toy_corpus, "--model", toy_run, *few)[1]
    assert json.loads(overridden)["figures"] == json.loads(plain)["figures"]
    overridden = call(capsys, "sample", "--model", out, "--prior", "normal")[1]
    assert overridden == call(capsys, "sample", "--model", toy_run)[1]
    assert overridden != call(capsys, "sample", "--model", out)[1]
    assert call(capsys, "export", out, "--out", tmp_path / "shared")[0] == 0
    assert len(call(capsys, "sample", "--model", tmp_path / "shared")[1].splitlines()) == 8


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["RUN", "CORPUS", "--kind", "normal", "--out", "x"], "prior normal has nothing to fit"),
        (["RUN", "CORPUS", "--kind", "mixtrue", "--out", "x"], "no prior 'mixtrue': did you mean 'mixture'?"),
        (["RUN", "CORPUS", "--kind", "flow", "--out", "x", "bins=1"], "bins=1: expected 0, or 2 to 64"),
        (["RUN", "CORPUS", "--kind", "flow", "--out", "x", "width=9"], "unknown setting 'width'"),
        (["RUN", "CORPUS", "--kind", "flow", "--out", "CORPUS"], "exists already"),
        (["RUN", "--kind", "flow", "--out", "x"], "1 names given: expected a model and a corpus or text file"),
        (["RUN", "nowhere", "--kind", "flow", "--out", "x"], "nowhere: no such file"),
        (["LM", "CORPUS", "--kind", "flow", "--out", "x"], "a lm has no codes, so it has no prior"),
        (["RUN", "CORPUS", "--kind", "mixture", "--out", "x", "components=900"], "codes are too few for 900 Gaussians"),
    ],
)
def test_what_cannot_be_fitted_is_refused(
    toy_run, toy_corpus, toy_language_model, tmp_path, monkeypatch, capsys, words, message
):
    monkeypatch.chdir(tmp_path)
    names = {"RUN": toy_run, "CORPUS": toy_corpus, "LM": toy_language_model}
    code, said, error = call(capsys, "prior", *(names.get(word, word) for word in words))
    assert (code, said, error.count("\n")) == (2, "", 1)
    assert message in error
    assert not list(tmp_path.iterdir())


def test_training_under_another_prior_is_refused(fitted, toy_corpus, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for words in (["prior=mixture"], ["--init", fitted["flow"]]):
        code, _, error = call(capsys, "train", toy_corpus, *words)
        assert (code, error.count("\n")) == (2, 1)
        assert "train with prior=normal, and fit another afterwards" in error
    code, _, error = call(capsys, "sample", "--model", fitted["flow"], "--prior", "flow")
    assert (code, error.count("\n")) == (2, 1)
    assert "only `normal` can take the place" in error
    assert not list(tmp_path.iterdir())


def test_a_recipe_without_a_prior_has_the_normal_one():
    saved = recipes.compose("vae", small.settings("vae"))[0].to_dict()
    del saved["settings"]["prior"]
    assert recipes.from_dict(saved).configs["model"].prior == "normal"
