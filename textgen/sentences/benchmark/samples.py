"""Samples beside as many real sentences: fluency, coverage, variety and novelty.

*Forward* perplexity: the samples under a language model of real text; low where they are fluent, or few and generic.
*Reverse* perplexity (Zhao et al. 2018): real sentences under a language model trained on the samples; low where they
cover the language. It depends on the size and the training of that model, so the same one is trained on as many real
sentences, and on as many samples of the judge. *Self-BLEU* (Zhu et al. 2018): BLEU-N of each of some
samples with the others as references; it depends on N and on their number. *Distinct-n* (Li et al. 2016): different
n-grams over all n-grams; it falls with the number of sentences, so it is taken of the same number.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Annotated, Any

from typer import Option

from corpora.errors import InputError
from textgen.runs import options as o
from textgen.sentences import options as s
from textgen.sentences.benchmark import run
from textgen.sentences.benchmark.judge import Judge, Report, Score, perplexity, score, subset
from textgen.sentences.units import edits, spaced, units

if TYPE_CHECKING:
    from corpora.corpus import Rows
    from textgen.runs.library import Opened

ORDER = 4  # of the n-grams of self-BLEU
REFERENCES = 500  # sentences that self-BLEU compares with each other
SHORTLIST = 30  # training sentences by n-grams, among which the nearest is looked for by edit distance
AT_ONCE = 512  # samples drawn between two notes of progress

WORD = r"\S+"
Tell = Callable[[str, int, int], None]  # (title of the work, done, of so many)


def ngrams(units: Sequence[str], size: int) -> Counter[tuple[str, ...]]:
    """The n-grams of a sentence, counted."""
    return Counter(tuple(units[start : start + size]) for start in range(len(units) - size + 1))


def distinct(texts: Sequence[str], size: int) -> float:
    """Different n-grams over all n-grams of the texts, in %."""
    counts = Counter[tuple[str, ...]]()
    for text in texts:
        counts.update(ngrams(text.split(), size))
    return 100 * len(counts) / max(1, counts.total())


def self_bleu(texts: Sequence[str], order: int = ORDER) -> list[float]:
    """BLEU (Papineni et al. 2002) of each text with all the others as references, 0 to 100, words between white space.

    Counts are clipped by the greatest count in any one other text, the reference length is the nearest, and no match
    at all of some size counts as half a match.
    """
    sentences = [text.split() for text in texts]
    logs = [0.0] * len(sentences)
    for size in range(1, order + 1):
        counts = [ngrams(sentence, size) for sentence in sentences]
        for number, (own, hits) in enumerate(zip(counts, _hits(counts), strict=True)):
            logs[number] += math.log(max(hits, 0.5) / max(1, own.total())) / order
    lengths = Counter(map(len, sentences))
    scores = []
    for sentence, log in zip(sentences, logs, strict=True):
        lengths[len(sentence)] -= 1
        others = [length for length, count in lengths.items() if count]
        lengths[len(sentence)] += 1
        nearest = min(others, key=lambda length: (abs(length - len(sentence)), length), default=len(sentence))
        brevity = min(0.0, 1 - nearest / max(1, len(sentence)))
        scores.append(100 * min(1.0, math.exp(brevity + log)) if sentence else 0.0)
    return scores


def _hits(counts: Sequence[Counter[tuple[str, ...]]]) -> list[int]:
    """The n-grams of each sentence that are in another one, at most as often as in any one other."""
    first: dict[tuple[str, ...], tuple[int, int]] = {}  # the greatest count, and whose it is
    second: dict[tuple[str, ...], int] = {}  # the greatest count of the others
    for number, own in enumerate(counts):
        for gram, count in own.items():
            if count > first.get(gram, (0, -1))[0]:
                second[gram] = first.get(gram, (0, -1))[0]
                first[gram] = (count, number)
            else:
                second[gram] = max(second.get(gram, 0), count)
    return [
        sum(min(count, second[gram] if first[gram][1] == number else first[gram][0]) for gram, count in own.items())
        for number, own in enumerate(counts)
    ]


class Nearest:
    """The nearest of many sentences by edit distance in words, over a shortlist.

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

        queries, pairs = self.vectors.transform(texts), []
        for start in range(0, len(texts), 64):
            likes = (queries[start : start + 64] @ self.index).tocsr()  # (64, N), sparse
            for row, text in enumerate(texts[start : start + 64]):
                part = slice(likes.indptr[row], likes.indptr[row + 1])
                best = np.argsort(-likes.data[part], kind="stable")[:SHORTLIST]
                own = text.split()
                near = [self.texts[place] for place in likes.indices[part][best]] or self.texts[:1]
                scored = [(edits(own, one.split()) / max(1, len(own), len(one.split())), one) for one in near]
                far, one = min(scored, key=lambda pair: pair[0])
                pairs.append((one, far))
            tell(min(len(texts), start + 64))
        return pairs


def trained(texts: Sequence[str], like: Opened, steps: int, seed: int) -> Opened:
    """A language model of the judge's recipe and codec, trained by our own trainer in a folder that then goes."""
    import tempfile

    from corpora.build import build
    from textgen.runs import library
    from textgen.runs.begin import begin
    from textgen.runs.folder import Stopped
    from textgen.runs.screen import Screen

    with tempfile.TemporaryDirectory(prefix="textgen-") as scratch:
        data, folder = Path(scratch) / "corpus", Path(scratch) / "run"
        lines = Path(scratch) / "texts.txt"
        lines.write_text("\n".join(" ".join(text.split()) for text in texts) + "\n", encoding="utf-8")
        codec = {"codec_from": str(like.folder), "max_length": str(like.length - 1)}
        build([str(lines)], data, settings={**codec, "valid_share": "0.05", "test_share": "0"})
        device = next(like.model.parameters()).device.type
        settings = {**like.recipe.settings(), "classes": False}  # of these texts none is known
        screen = Screen(quiet=True, live=False)
        run = begin([data], folder, model="lm", settings=settings, steps=steps, seed=seed, device=device, screen=screen)
        try:
            return library.open_model(run.train(screen), device)
        except Stopped as stopped:
            raise KeyboardInterrupt from stopped


def written(opened: Opened, chosen: SimpleNamespace, heat: float, tell: Tell) -> list[str]:
    """Samples of the model, as the options ask for them."""
    from textgen.sentences.lexicon import Spelling
    from textgen.sentences.sentence_vae import SentenceVAE

    rule = Spelling(opened.codec) if chosen.new_words is False else None
    if chosen.beams:
        return SentenceVAE(opened, new_words=bool(chosen.new_words)).sample(
            chosen.n,
            seed=chosen.seed,
            beams=chosen.beams,
            how=chosen.how,
            best_of=chosen.best_of,
            code_temperature=heat,
            constraint=rule,
        )
    ways = {"how": chosen.how, "best_of": chosen.best_of, "code_temperature": heat, "constraint": rule}
    return drawn(opened, chosen.n, chosen.seed, "sampling", tell, **ways)


def drawn(opened: Opened, count: int, seed: int, title: str, tell: Tell, **ways: Any) -> list[str]:
    """Sentences drawn token by token, a few hundred at a time; `ways` go to `draw`."""
    from textgen.sentences.draw import draw

    texts: list[str] = []
    tell(title, 0, count)
    for first in range(0, count, AT_ONCE):
        texts += draw(opened, min(AT_ONCE, count - first), seed=seed, first=first, **ways)
        tell(title, len(texts), count)
    return texts


def variety(texts: Mapping[str, Sequence[str]], by_word: bool, seed: int) -> list[Score]:
    """Self-BLEU and distinct-n of several lists of texts, whose units stand apart, by the ending of their names."""
    scores = []
    for name, some in texts.items():
        few = [text for text in subset(some, REFERENCES, seed) if text]
        kind = "words between white space" if by_word else "characters"
        definition = f"BLEU-{ORDER} of each of {len(few)} with the others as references; {kind}"
        scores.append(score(f"self-BLEU{name}", "0 to 100", definition, self_bleu(few), seed=seed))
    equal = min(map(len, texts.values()))
    for size in (1, 2, 3):
        for name, some in texts.items():
            definition = f"different {size}-grams of {equal:,} sentences"
            value = distinct(some[:equal], size)
            scores.append(Score(f"distinct-{size}{name}", value, None, None, "% of n-grams", definition))
    return scores


def novelty(
    samples: Sequence[str], held: Sequence[str], train: Sequence[str], seed: int, tell: Tell
) -> tuple[list[Score], list[tuple[str, float]]]:
    """The share of samples that are verbatim in train, the distance of all to it, and the nearest to each sample."""
    known, different = {" ".join(text.split()) for text in train}, len({*samples})
    share = 100 * different / len(samples)
    scores = [Score("different samples", share, None, None, "% of samples", f"{different:,}")]
    for name, some in (("", samples), (", real", held)):
        hits = [100.0 * (text in known) for text in some]
        scores.append(score(f"verbatim in train{name}", "% of sentences", "word for word", hits))
    tell("indexing the train split", 0, 1)
    nearest = Nearest(train)
    pairs = nearest.find(samples, lambda done: tell("nearest training sentences", done, len(samples)))
    others = nearest.find(held, lambda done: tell("the same for real ones", done, len(held)))
    for name, several in (("", pairs), (", real", others)):
        distances = [far for _, far in several]
        definition = f"words to change to the nearest training sentence; {_spread(distances)}"
        percent = [100 * far for far in distances]
        scores.append(score(f"distance to train{name}", "% of words", definition, percent, seed=seed))
    return scores, pairs


def coverage(
    texts: Mapping[str, Sequence[str]], real: Sequence[str], judge: Opened, chosen: SimpleNamespace, tell: Tell
) -> list[Score]:
    """Reverse perplexity: of real sentences under a model trained on each of several lists of texts."""
    scores = []
    for name, some in texts.items():
        tell(f"training on {name.removeprefix(', ') or 'the samples'}", 0, 1)
        title = f"reverse perplexity{name}"
        try:
            model = Judge(trained(some, judge, chosen.reverse_steps, chosen.seed))
        except InputError as error:  # all alike, say: nothing to learn from
            scores.append(Score(title, None, None, None, "per word", f"no model of these: {error}"))
            continue
        how_long = f"LM trained {chosen.reverse_steps:,} steps on {len(some):,}"
        definition = f"{len(real):,} of {chosen.split}, {how_long}"
        by_word = spaced(real)
        scores.append(perplexity(title, definition, model.nll(real), real, by_word=by_word, seed=chosen.seed))
    return scores


def described(chosen: SimpleNamespace, heat: float) -> str:
    """The way that samples were drawn, in words."""
    from textgen.core.sampler import Choice

    if chosen.beams:
        text = f"{chosen.beams} beams"
    else:
        ways = asdict(chosen.how or Choice())
        changed = {key: value for key, value in ways.items() if value != getattr(Choice(), key)}
        text = ", ".join(f"{key.replace('_', '-')} {value:g}" for key, value in changed.items()) or "temperature 1"
    if heat != 1:
        text += f", code temperature {heat:g}"
    if chosen.new_words is not None:
        text += ", new words" if chosen.new_words else ", no new words"
    if chosen.best_of > 1:
        text += f", the best of {chosen.best_of}"
    return text


def samples(
    judge: s.Judge,
    data: s.BuiltCorpus,
    model: o.Model = None,
    split: s.HeldOut = "test",
    n: Annotated[int, Option("-n", min=2, max=o.ROWS, metavar="N", help="samples")] = 10_000,
    code_temperature: o.CodeTemperature = None,
    temperature: o.Temperature = None,
    top_k: o.TopK = None,
    top_p: o.TopP = None,
    min_p: o.MinP = None,
    no_repeat: o.NoRepeat = None,
    unk: o.Unk = None,
    beams: Annotated[
        int, Option(min=0, max=100, metavar="N", help="each code's most probable sentence instead; 0: token by token")
    ] = 0,
    new_words: s.NewWords = None,
    best_of: Annotated[
        int, Option(min=1, max=1000, metavar="N", help="the best of N by NLL per token for each sample")
    ] = 1,
    prior: o.Prior = None,
    reverse_steps: Annotated[
        int, Option(min=0, max=o.ROWS, metavar="N", help="training of each reverse model; 0: none")
    ] = 2000,
    show: Annotated[
        int, Option(min=0, max=o.ROWS, metavar="N", help="samples with their nearest training sentence")
    ] = 0,
    seed: o.Seed = 0,
    device: o.Device = "auto",
    threads: o.Threads = None,
    as_json: o.Json = False,
) -> int:
    """Judge samples of a model beside real sentences.

      textgen benchmark samples --model runs/reviews --judge runs/judge --data reviews -n 10000
      textgen benchmark samples --judge runs/judge --data fiction --reverse-steps 0 --show 10

    --data is a corpus: its train split for novelty and as the other training text, --split (test) as held-out text.
    Small numbers are no proof: a model that writes "there was no answer." all day has a low forward perplexity.
    """
    how = o.how(temperature=temperature, top_k=top_k, top_p=top_p, min_p=min_p, no_repeat=no_repeat, unk=unk or None)
    return run(main, locals())


def main(chosen: SimpleNamespace, opening: Callable[..., Any]) -> Report:
    """Draw, measure, and report. Raises InputError for bad input."""
    from corpora.corpus import Corpus
    from textgen.core.model import Latent
    from textgen.runs.screen import Bar

    corpus = Corpus.open(chosen.data)
    training, held = corpus.rows("train"), corpus.rows(chosen.split)
    opened, other = opening(), opening(chosen.judge)
    judge = Judge(other)
    coded = isinstance(opened.model, Latent)
    if chosen.beams and not coded:
        raise InputError("--beams needs a model with codes")
    if chosen.code_temperature is not None and not coded:
        raise InputError(f"--code-temperature needs a model with codes; {opened.name} has none")
    heat = 1.0 if chosen.code_temperature is None else chosen.code_temperature
    if min(len(training), len(held)) < 2:
        raise InputError(f"{chosen.data}: its train and {chosen.split} splits need two sentences or more")
    with Bar() as bar:
        texts = [" ".join(text.split()) for text in written(opened, chosen, heat, bar.tell)]
        scores, nearest = judged(texts, training, held, judge, other, chosen, bar.tell)
    return reported(opened, judge, scores, nearest, chosen, described(chosen, heat))


def judged(
    samples: Sequence[str], training: Rows, held: Rows, judge: Judge, other: Opened, chosen: SimpleNamespace, tell: Tell
) -> tuple[list[Score], list[tuple[str, str, float]]]:
    """All figures of the samples; and of each its text, the training sentence nearest to it, and their distance."""
    tell("reading the corpus", 0, 1)
    known = [training.text(row) for row in range(len(training))]
    real = subset([held.text(row) for row in range(len(held))], chosen.n, chosen.seed)
    alike = subset(known, len(samples), chosen.seed)  # as many real sentences
    by_word = spaced(real)
    title, by = "forward perplexity", {"by_word": by_word, "seed": chosen.seed}
    scores = [
        perplexity(title, f"samples under {judge.name}", judge.nll(samples), samples, **by),
        perplexity(f"{title}, real", f"{len(real):,} of {chosen.split}", judge.nll(real), real, **by),
    ]

    def apart(texts: Sequence[str]) -> list[str]:
        """Words, or characters, with spaces between them."""
        return [" ".join(units(text, by_word)) for text in texts]

    scores += variety({"": apart(samples), ", real": apart(alike)}, by_word, chosen.seed)
    written = apart(samples)
    more, pairs = novelty(written, apart(real), apart(known), chosen.seed, tell)
    scores += more
    if chosen.reverse_steps:
        of_judge = drawn(other, chosen.n, chosen.seed, "sampling from the judge", tell)
        several = {"": samples, ", samples of the judge": of_judge, ", real": alike}
        scores += coverage(several, real, other, chosen, tell)
    return scores, [(text, *pair) for text, pair in zip(written, pairs, strict=True)]


def reported(
    opened: Opened,
    judge: Judge,
    scores: list[Score],
    nearest: Sequence[tuple[str, str, float]],
    chosen: SimpleNamespace,
    how: str,
) -> Report:
    """The report, with some samples beside the training sentences nearest to them."""
    from textgen.core.model import Latent

    triples = subset(nearest, chosen.show, chosen.seed) if chosen.show else []
    lines = [f"sample   {text}\nnearest  {one} ({100 * far:.0f} %)" for text, one, far in triples]
    prior = opened.model.prior.title if isinstance(opened.model, Latent) else "none"
    about = f"{len(nearest):,} samples, prior {prior}, {how}, seed {chosen.seed}"
    title = f"{opened.name}: {about}; beside {Path(chosen.data).name}"
    facts = {"model": opened.name, "judge": judge.name, "prior": prior, "samples": len(nearest), "how": how}
    details = {"nearest": [{"sample": text, "nearest": one, "distance": far} for text, one, far in triples]}
    return Report(title, {**facts, "seed": chosen.seed}, scores, lines, details)


def _spread(values: Sequence[float]) -> str:
    import numpy as np

    points = np.percentile(values, (10, 50, 90)).tolist()
    return "10, 50, 90 % of them within " + ", ".join(f"{100 * point:.0f}" for point in points)
