"""Changes of an attribute by arithmetic: accuracy, content kept and fluency.

The direction of an attribute is the mean code of training sentences that have it minus the mean code of those that
have not; a held-out sentence's code goes that way by each strength and is decoded. Accuracy is by a classifier that
never saw the model: logistic regression on TF-IDF of words and pairs of words, trained on the train split. BLEU is
with the sentence that was changed as its reference (*self-BLEU* in the words of style transfer): copying scores 100,
and is no transfer. The three trade off against each other, so none of them is a figure alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Annotated, Any

from typer import Option

from corpora.commands import numbers
from corpora.errors import InputError, choose, quoted
from textgen.runs import options as o
from textgen.sentences import defaults
from textgen.sentences import options as s
from textgen.sentences.benchmark import run
from textgen.sentences.benchmark.judge import Judge, Report, Score, perplexity, score, subset

if TYPE_CHECKING:
    import numpy as np

    from corpora.corpus import Corpus, Rows
    from textgen.sentences.sentence_vae import SentenceVAE

WORD = r"\S+"
Pair = tuple[str, str]  # labels, to leave and to go to
Tell = Callable[[str, int, int], None]  # (title of the work, done, of so many)


def labelled(rows: Rows, where: str) -> dict[str, list[str]]:
    """The sentences of a split under each of its labels. Raises InputError if there are no two labels."""
    texts: dict[str, list[str]] = {}
    for row in range(len(rows)):
        label = rows.label(row)
        if label is not None:
            texts.setdefault(label, []).append(" ".join(rows.text(row).split()))
    if len(texts) < 2:
        raise InputError(f"{where} has {len(texts)} labels: expected two or more; see `corpora build` with labels=")
    return texts


class Classifier:
    """Logistic regression on TF-IDF of words and pairs of words, blind to any model."""

    def __init__(self, texts: Mapping[str, list[str]]) -> None:
        from sklearn.feature_extraction.text import TfidfVectorizer
        from sklearn.linear_model import LogisticRegression

        self.vectors = TfidfVectorizer(token_pattern=WORD, ngram_range=(1, 2), sublinear_tf=True, min_df=2)
        self.regression = LogisticRegression(C=4.0, max_iter=300)
        both = [text for several in texts.values() for text in several]
        try:
            codes = self.vectors.fit_transform(both)
        except ValueError as error:
            raise InputError("the train split has too few words that come again to train a classifier") from error
        self.regression.fit(codes, [label for label, several in texts.items() for _ in several])

    def hits(self, texts: Sequence[str], label: str) -> np.ndarray:
        """100 where a text is taken to have the label, else 0: (N,)."""
        return 100.0 * (self.regression.predict(self.vectors.transform(texts)) == label)


def ways(labels: Sequence[str], source: str | None, target: str | None) -> list[tuple[str, str]]:
    """Pairs of labels, to leave and to go to: both ways between two, or the one that was asked for."""
    labels = sorted(labels)
    if source is None and target is None and len(labels) == 2:
        return [(labels[0], labels[1]), (labels[1], labels[0])]
    if source is None or target is None:
        raise InputError(f"give both --from and --to: labels {', '.join(map(quoted, labels[:20]))}")
    if source == target:
        raise InputError(f"--from and --to are both {quoted(source)}")
    return [(choose("label", source, labels), choose("label", target, labels))]


@dataclass(frozen=True)
class Task:
    """Held-out sentences to change for each pair of labels, and training sentences of each label."""

    data: str
    split: str
    sources: Mapping[Pair, list[str]]
    training: Mapping[str, list[str]]  # for the classifier
    directions: Mapping[str, list[str]]  # for the mean codes
    real: Mapping[str, list[str]]  # held-out ones of each label


def task(vae: SentenceVAE, corpus: Corpus, chosen: SimpleNamespace) -> Task:
    """The sentences to change, and to learn from. Raises InputError where labels or sentences are missing."""
    where = Path(chosen.data).name
    training = labelled(corpus.rows("train"), f"{where}, train split")
    held = labelled(corpus.rows(chosen.split), f"{where}, {chosen.split} split")
    pairs = ways(list(training), chosen.source, chosen.target)
    for source, _ in pairs:
        if not held.get(source):
            raise InputError(f"{where}: its {chosen.split} split has no sentence of the label {quoted(source)}")

    def usable(texts: Sequence[str], most: int) -> list[str]:
        rows = vae.codec.encode_many(texts)
        kept = [text for text, row in zip(texts, rows, strict=True) if vae.opened.takes(row)]
        if not kept:
            raise InputError(f"{where}: no sentence of a label is one that this model takes")
        return subset(kept, most, chosen.seed)

    wanted = dict.fromkeys(label for pair in pairs for label in pair)
    return Task(
        where,
        chosen.split,
        {pair: usable(held[pair[0]], chosen.n) for pair in pairs},
        {label: training[label] for label in wanted},
        {label: usable(training[label], chosen.rows) for label in wanted},
        {label: held[label] for label in wanted if held.get(label)},
    )


def change(
    vae: SentenceVAE, job: Task, strengths: Sequence[float], *, beams: int, refine: int, tell: Tell
) -> dict[float, dict[Pair, list[str]]]:
    """Each sentence changed at each strength."""
    import torch

    tell("codes of the labels", 0, 1)
    means = {label: vae.encode(texts, refine=0).mean(0) for label, texts in job.directions.items()}
    codes = {pair: vae.encode(texts, refine=refine) for pair, texts in job.sources.items()}
    total, done = len(strengths) * sum(map(len, job.sources.values())), 0
    changed: dict[float, dict[Pair, list[str]]] = {}
    for strength in strengths:
        changed[strength] = {}
        for pair in job.sources:
            way = means[pair[1]] - means[pair[0]]
            texts: list[str] = []
            for some in torch.split(codes[pair] + strength * way, 64):
                texts += vae.decode(some, beams=beams)
                done += len(some)
                tell("changing sentences", done, total)
            changed[strength][pair] = texts
    return changed


def judged(
    job: Task,
    changed: Mapping[float, Mapping[Pair, list[str]]],
    classifier: Classifier,
    judge: Judge,
    normalise: Callable[[str], str],
    seed: int,
) -> tuple[list[Score], list[str]]:
    """The figures of the changed sentences, and a table of them."""
    import numpy as np
    from sacrebleu.metrics import BLEU

    real = np.concatenate([classifier.hits(texts, label) for label, texts in job.real.items()])
    sources = [text for texts in job.sources.values() for text in texts]
    references = [normalise(text) for text in sources]
    scores = [
        score("classifier, real sentences", "% right", f"{len(real):,} of {job.split}", real, seed=seed),
        perplexity("perplexity, real sentences", f"under {judge.name}", judge.nll(sources), sources, seed=seed),
    ]
    lines = ["  strength   accuracy      BLEU   perplexity"]
    bleu = BLEU(tokenize="13a", force=True)
    for strength, texts in changed.items():
        at, every = f"strength {strength:g}", [text for several in texts.values() for text in several]
        hits = np.concatenate([classifier.hits(several, target) for (_, target), several in texts.items()])
        about = f"classified as the label gone to, {len(every):,} sentences"
        kept = bleu.corpus_score(every, [references]).score
        definition = f"with the source as reference; sacreBLEU {bleu.get_signature()}"
        row = [
            score(f"accuracy, {at}", "% of sentences", about, hits, seed=seed),
            Score(f"BLEU, {at}", kept, None, None, "0 to 100", definition),
            perplexity(f"perplexity, {at}", f"under {judge.name}", judge.nll(every), every, seed=seed),
        ]
        scores += row
        lines.append(f"  {strength:>8g}  {row[0].value:>8.1f} %  {kept:>8.2f}  {row[2].value:>11.1f}")
    return scores, lines


def examples(
    job: Task, changed: Mapping[float, Mapping[Pair, list[str]]], count: int, seed: int
) -> tuple[list[dict[str, Any]], list[str]]:
    """Some sentences as each strength changes them, for the JSON and as lines."""
    facts, lines = [], []
    for pair, texts in job.sources.items():
        for place in subset(range(len(texts)), count, seed):
            changes = {f"{strength:g}": several[pair][place] for strength, several in changed.items()}
            facts.append({"from": pair[0], "to": pair[1], "given": texts[place], "changed": changes})
            lines += [f"{pair[0]} to {pair[1]}", f"   given  {texts[place]}"]
            lines += [f"{strength:>8}  {text}" for strength, text in changes.items()]
    return facts, lines


def attribute(
    judge: s.Judge,
    data: s.LabelledCorpus,
    model: o.Model = None,
    split: s.HeldOut = "test",
    source: Annotated[
        str | None, Option("--from", metavar="LABEL", help="of two labels, the one to leave (default: each)")
    ] = None,
    target: Annotated[str | None, Option("--to", metavar="LABEL", help="the one to go to")] = None,
    strengths: Annotated[str, Option(metavar="S[,S...]", help="how far to go")] = "0,0.5,1,1.5,2,3",
    n: Annotated[int, Option("-n", min=1, max=o.ROWS, metavar="N", help="sentences changed each way")] = 500,
    rows: Annotated[int, Option(min=1, max=o.ROWS, metavar="N", help="of each label for the direction")] = 5000,
    refine: s.Refine = defaults.REFINE,
    beams: s.Beams = 5,
    show: Annotated[int, Option(min=0, max=o.ROWS, metavar="N", help="examples each way")] = 4,
    seed: o.Seed = 0,
    device: o.Device = "auto",
    threads: o.Threads = None,
    as_json: o.Json = False,
) -> int:
    """Change an attribute of held-out sentences by arithmetic on their codes, and judge the results.

      textgen benchmark attribute --model runs/reviews --judge runs/judge --data reviews
      textgen benchmark attribute --model runs/reviews --judge runs/judge --data reviews --from 0 --to 1 --strengths 1,2

    --data is a corpus with labels: `corpora build` with labels=, or a table with a label column.
    """
    return run(main, locals())


def main(chosen: SimpleNamespace, opening: Callable[..., Any]) -> Report:
    """Change, judge, and report. Raises InputError for bad input."""
    strengths = numbers("--strengths", chosen.strengths, float)
    from corpora.corpus import Corpus
    from textgen.runs.screen import Bar
    from textgen.sentences.sentence_vae import SentenceVAE

    corpus = Corpus.open(chosen.data)
    vae, judge = SentenceVAE(opening()), Judge(opening(chosen.judge))
    job = task(vae, corpus, chosen)
    with Bar() as bar:
        bar.tell("training the classifier", 0, 1)
        classifier = Classifier(job.training)
        changed = change(vae, job, strengths, beams=chosen.beams, refine=chosen.refine, tell=bar.tell)
        scores, lines = judged(job, changed, classifier, judge, vae.proper, chosen.seed)
    shown, more = examples(job, changed, chosen.show, chosen.seed)
    count = sum(map(len, job.sources.values()))
    title = f"{vae.opened.name}: {count:,} sentences of {job.data}, {chosen.split} split, seed {chosen.seed}"
    title += (
        f"; directions from {chosen.rows:,} of each label at most, {chosen.beams} beams, {chosen.refine} refining steps"
    )
    facts = {"model": vae.opened.name, "judge": judge.name, "data": job.data, "sentences": count, "seed": chosen.seed}
    return Report(title, facts, scores, [*lines, *more], {"examples": shown})
