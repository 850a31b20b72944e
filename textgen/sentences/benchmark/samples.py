"""How good are samples? Fluency, coverage, variety and novelty, each beside the same number of real sentences.

*Forward* perplexity: the samples under a language model of real text; low where they are fluent, or few and generic.
*Reverse* perplexity (Zhao et al. 2018): real sentences under a language model trained on the samples; low where they
cover the language. It hangs on the size and the training of that model, so the same one is trained on as many real
sentences, and on as many samples of the judge. *Self-BLEU* (Zhu et al. 2018): BLEU-N of each of some
samples with the others as references; it hangs on N and on their number. *Distinct-n* (Li et al. 2016): different
n-grams over all n-grams; it falls with the number of sentences, so it is taken of the same number.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from corpora.commands import Parser
from corpora.errors import InputError
from textgen import cli
from textgen.sentences.benchmark.judge import Judge, Report, Score, perplexity, picked, score, spaced, units

if TYPE_CHECKING:
    import argparse

    from textgen.runs.library import Opened

ORDER = 4  # of the n-grams of self-BLEU
REFERENCES = 500  # sentences that self-BLEU compares with each other
SHORTLIST = 30  # training sentences by n-grams, among which the nearest is looked for by edit distance

WORD = r"\S+"

_ABOUT = """\
Judge samples of a model beside real sentences.

  textgen benchmark samples --model runs/reviews --judge runs/judge --data reviews -n 10000
  textgen benchmark samples --judge runs/judge --data fiction --reverse-steps 0 --show 10

--data is a corpus: its train split for novelty and as the other training text, --split (test) as held-out text.
Small numbers are no proof: a model that writes "there was no answer." all day has a low forward perplexity."""


def arguments(verb: Callable[..., Parser]) -> None:
    """The options of `textgen benchmark samples`."""
    made = verb(help="fluency, coverage, variety and novelty of samples", description=_ABOUT)
    made.add_argument("--judge", required=True, metavar="LM", help="a language model trained on real text")
    made.add_argument("--data", required=True, metavar="CORPUS", help="a folder that `corpora build` made")
    made.add_argument("--split", default="test", help="held-out text: valid or test (default)")
    made.add_argument("-n", type=int, default=10_000, metavar="N", help="samples (default 10,000)")
    cli.code_temperature_option(made)
    cli.choice_options(made)
    made.add_argument("--beams", type=int, default=0, metavar="N", help="each code's likeliest sentence instead")
    cli.new_words_option(made, "as for `sample`")
    made.add_argument("--best-of", type=int, default=1, metavar="N", help="the surest of N for each sample (default 1)")
    made.add_argument("--prior", metavar="normal", help="N(0, I) in the place of a prior that was fitted")
    made.add_argument(
        "--reverse-steps", type=int, default=2000, metavar="N", help="training of each reverse model (0: none)"
    )
    made.add_argument("--show", type=int, default=0, metavar="N", help="samples with their nearest training sentence")


def ngrams(words: Sequence[str], size: int) -> Counter[tuple[str, ...]]:
    """The n-grams of a sentence and how often each stands in it."""
    return Counter(tuple(words[start : start + size]) for start in range(len(words) - size + 1))


def distinct(texts: Sequence[str], size: int) -> float:
    """Different n-grams over all n-grams of the texts, in %."""
    found = Counter[tuple[str, ...]]()
    for text in texts:
        found.update(ngrams(text.split(), size))
    return 100 * len(found) / max(1, found.total())


def self_bleu(texts: Sequence[str], order: int = ORDER) -> list[float]:
    """BLEU (Papineni et al. 2002) of each text with all the others as references, 0 to 100, words between white space.

    Counts are clipped by the greatest count in any one other text, the reference length is the nearest, and no match
    at all of some size counts as half a match.
    """
    sentences = [text.split() for text in texts]
    lengths = Counter(len(words) for words in sentences)
    logs = [0.0] * len(sentences)
    for size in range(1, order + 1):
        counts = [ngrams(words, size) for words in sentences]
        first: dict[tuple[str, ...], tuple[int, int]] = {}  # the greatest count, and whose it is
        second: dict[tuple[str, ...], int] = {}  # the greatest count of the others
        for number, own in enumerate(counts):
            for gram, count in own.items():
                if count > first.get(gram, (0, -1))[0]:
                    second[gram] = first.get(gram, (0, -1))[0]
                    first[gram] = (count, number)
                else:
                    second[gram] = max(second.get(gram, 0), count)
        for number, own in enumerate(counts):
            hits = sum(
                min(count, second[gram] if first[gram][1] == number else first[gram][0]) for gram, count in own.items()
            )
            logs[number] += math.log(max(hits, 0.5) / max(1, own.total())) / order
    found = []
    for words, log in zip(sentences, logs, strict=True):
        lengths[len(words)] -= 1
        others = [length for length, count in lengths.items() if count]
        lengths[len(words)] += 1
        nearest = min(others, key=lambda length: (abs(length - len(words)), length), default=len(words))
        brevity = min(0.0, 1 - nearest / max(1, len(words)))
        found.append(100 * min(1.0, math.exp(brevity + log)) if words else 0.0)
    return found


class Nearest:
    """Finds, for a sentence, the nearest of many by edit distance in words, over a shortlist.

    The shortlist has the `SHORTLIST` of the greatest cosine of TF-IDF vectors of words and pairs of words; a nearer
    one outside it is possible where few words are shared, so distances are upper bounds.
    """

    def __init__(self, texts: Sequence[str]) -> None:
        import numpy as np
        from sklearn.feature_extraction.text import TfidfVectorizer

        self.texts = list(dict.fromkeys(texts))
        self.vectors = TfidfVectorizer(token_pattern=WORD, ngram_range=(1, 2), sublinear_tf=True, dtype=np.float32)
        try:
            self.index = self.vectors.fit_transform(self.texts).T.tocsr()  # (terms, N)
        except ValueError as error:
            raise InputError("the train split has no words") from error

    def find(self, texts: Sequence[str], tell: Callable[[int], None]) -> list[tuple[str, float]]:
        """(nearest, words to change over the greater number of words) of each text. `tell(done)` hears how it goes."""
        import numpy as np

        from textgen.sentences.sentence_vae import edits

        queries, found = self.vectors.transform(texts), []
        for start in range(0, len(texts), 64):
            likes = (queries[start : start + 64] @ self.index).tocsr()  # (64, N), sparse
            for row, text in enumerate(texts[start : start + 64]):
                part = slice(likes.indptr[row], likes.indptr[row + 1])
                best = np.argsort(-likes.data[part], kind="stable")[:SHORTLIST]
                words = text.split()
                near = [self.texts[place] for place in likes.indices[part][best]] or self.texts[:1]
                scored = [(edits(words, one.split()) / max(1, len(words), len(one.split())), one) for one in near]
                far, one = min(scored, key=lambda pair: pair[0])
                found.append((one, far))
            tell(min(len(texts), start + 64))
        return found


def trained(texts: Sequence[str], like: Opened, steps: int, seed: int) -> Opened:
    """A language model of the judge's recipe and codec, trained by our own trainer in a folder that then goes."""
    import tempfile

    from corpora.build import build
    from corpora.corpus import Corpus
    from textgen.runs import library, run
    from textgen.runs.screen import Screen

    with tempfile.TemporaryDirectory(prefix="textgen-") as scratch:
        data, folder = Path(scratch) / "corpus", Path(scratch) / "run"
        lines = Path(scratch) / "texts.txt"
        lines.write_text("\n".join(" ".join(text.split()) for text in texts) + "\n", encoding="utf-8")
        words = {"codec_from": str(like.folder), "max_length": str(like.length - 1)}
        build([str(lines)], data, settings={**words, "valid_share": "0.05", "test_share": "0"})
        device = next(like.model.parameters()).device.type
        options: dict[str, Any] = {"steps": steps, "seed": seed, "device": device}
        settings = {**like.recipe.settings(), "classes": False}  # of these texts none is known
        made = run.plan(Corpus.open(data), folder, data, model="lm", settings=settings, **options)
        try:
            return library.open_model(run.start(folder, made, Screen(quiet=True, live=False)), made.device)
        except run.Stopped as stopped:
            raise KeyboardInterrupt from stopped


def main(chosen: argparse.Namespace, opening: Callable[..., Any]) -> Report:
    """Draw, measure, and report. Raises InputError for bad input."""
    for name, least in (("n", 2), ("reverse_steps", 0), ("show", 0)):
        if not least <= getattr(chosen, name) <= 100_000_000:
            raise InputError(f"{'-n' if name == 'n' else '--' + name.replace('_', '-')}: expected {least} or more")
    cli.at_least("--beams", chosen.beams, 0, 100)
    cli.at_least("--best-of", chosen.best_of, 1, 1000)
    from corpora.corpus import Corpus
    from textgen.core.model import Latent
    from textgen.core.sampler import Choice
    from textgen.runs.screen import Bar
    from textgen.sentences.lexicon import Spelling
    from textgen.sentences.sentence_vae import SentenceVAE, draw

    corpus = Corpus.open(chosen.data)
    training, held = corpus.rows("train"), corpus.rows(chosen.split)
    opened, other = opening(), opening(chosen.judge)
    judge = Judge(other)
    how, heat = cli.choice(chosen), cli.code_temperature(chosen, opened)
    if chosen.beams and not isinstance(opened.model, Latent):
        raise InputError("--beams needs a model with codes")
    if min(len(training), len(held)) < 2:
        raise InputError(f"{chosen.data}: its train and {chosen.split} splits need two sentences or more")

    rule = Spelling(opened.codec) if chosen.new_words is False else None

    def write(model: Opened, what: str) -> list[str]:
        own = {"how": how, "best_of": chosen.best_of, "code_temperature": heat, "constraint": rule}
        ways: dict[str, Any] = own if model is opened else {}
        if model is opened and chosen.beams:
            vae = SentenceVAE(model, new_words=bool(chosen.new_words))
            return vae.sample(chosen.n, seed=chosen.seed, beams=chosen.beams, **ways)
        found: list[str] = []
        bar.tell(what, 0, chosen.n)
        for first in range(0, chosen.n, 512):
            found += draw(model, min(512, chosen.n - first), seed=chosen.seed, begin=first, **ways)
            bar.tell(what, len(found), chosen.n)
        return found

    with Bar() as bar:
        samples = drawn = [" ".join(text.split()) for text in write(opened, "sampling")]
        bar.tell("reading the corpus", 0, 1)
        known = [training.text(row) for row in range(len(training))]
        real = picked([held.text(row) for row in range(len(held))], chosen.n, chosen.seed)
        alike = picked(known, len(samples), chosen.seed)  # as many real sentences
        words = spaced(real)
        by = {"words": words, "seed": chosen.seed}
        scores = [
            perplexity("forward perplexity", f"samples under {judge.name}", judge.nll(samples), samples, **by),
            perplexity("forward perplexity, real", f"{len(real):,} of {chosen.split}", judge.nll(real), real, **by),
        ]
        samples, known, alike, held_out = (  # from here on words, or characters, stand apart
            [" ".join(units(text, words)) for text in some] for some in (samples, known, alike, real)
        )
        texts = {"": samples, ", real": alike}
        for what, some in texts.items():
            few = [text for text in picked(some, REFERENCES, chosen.seed) if text]
            kind = "words between white space" if words else "characters"
            definition = f"BLEU-{ORDER} of each of {len(few)} with the others as references; {kind}"
            scores.append(score(f"self-BLEU{what}", "0 to 100", definition, self_bleu(few), seed=chosen.seed))
        equal = min(map(len, texts.values()))
        for size in (1, 2, 3):
            for what, some in texts.items():
                value = distinct(some[:equal], size)
                definition = f"different {size}-grams of {equal:,} sentences"
                scores.append(Score(f"distinct-{size}{what}", value, None, None, "% of n-grams", definition))
        own, seen = {" ".join(text.split()) for text in known}, len({*samples})
        scores.append(Score("different samples", 100 * seen / len(samples), None, None, "% of samples", f"{seen:,}"))
        scores += [
            score(f"stand in train{what}", "% of sentences", "word for word", [100.0 * (text in own) for text in some])
            for what, some in (("", samples), (", real", held_out))
        ]
        bar.tell("indexing the train split", 0, 1)
        nearest = Nearest(known)
        pairs = nearest.find(samples, lambda done: bar.tell("nearest training sentences", done, len(samples)))
        others = nearest.find(held_out, lambda done: bar.tell("the same for real ones", done, len(real)))
        for what, found in (("", pairs), (", real", others)):
            definition = f"words to change to the nearest training sentence; {_spread([far for _, far in found])}"
            scores.append(
                score(
                    f"distance to train{what}",
                    "% of words",
                    definition,
                    [100 * far for _, far in found],
                    seed=chosen.seed,
                )
            )
        if chosen.reverse_steps:
            written = write(other, "sampling from the judge")
            alike = picked([training.text(row) for row in range(len(training))], len(samples), chosen.seed)
            for what, some in (("", drawn), (", samples of the judge", written), (", real", alike)):
                bar.tell(f"training on {what.removeprefix(', ') or 'the samples'}", 0, 1)
                name = f"reverse perplexity{what}"
                try:
                    model = trained(some, other, chosen.reverse_steps, chosen.seed)
                except InputError as error:  # all alike, say: nothing to learn from
                    scores.append(Score(name, None, None, None, "per word", f"no model of these: {error}"))
                    continue
                how_long = f"LM trained {chosen.reverse_steps:,} steps on {len(some):,}"
                definition = f"{len(real):,} of {chosen.split}, {how_long}"
                scores.append(perplexity(name, definition, Judge(model).nll(real), real, **by))
    shown = picked(list(zip(samples, pairs, strict=True)), chosen.show, chosen.seed) if chosen.show else []
    lines = [f"sample   {text}\nnearest  {one} ({100 * far:.0f} %)" for text, (one, far) in shown]
    prior = opened.model.prior.title if isinstance(opened.model, Latent) else "none"
    if chosen.beams:
        how_said = f"{chosen.beams} beams"
    else:
        said = asdict(how or Choice())
        changed = {key: value for key, value in said.items() if value != getattr(Choice(), key)}
        how_said = ", ".join(f"{key.replace('_', '-')} {value:g}" for key, value in changed.items()) or "temperature 1"
    if heat != 1:
        how_said += f", code temperature {heat:g}"
    if chosen.new_words is not None:
        how_said += ", new words" if chosen.new_words else ", no new words"
    if chosen.best_of > 1:
        how_said += f", the best of {chosen.best_of}"
    about = f"{len(samples):,} samples, prior {prior}, {how_said}, seed {chosen.seed}"
    title = f"{opened.name}: {about}; beside {Path(chosen.data).name}"
    facts = {
        "model": opened.name,
        "judge": judge.name,
        "prior": prior,
        "samples": len(samples),
        "how": how_said,
        "seed": chosen.seed,
    }
    details = {"nearest": [{"sample": text, "nearest": one, "distance": far} for text, (one, far) in shown]}
    return Report(title, facts, scores, lines, details)


def _spread(values: Sequence[float]) -> str:
    import numpy as np

    points = np.percentile(values, (10, 50, 90)).tolist()
    return "10, 50, 90 % of them within " + ", ".join(f"{100 * point:.0f}" for point in points)
