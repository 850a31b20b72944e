"""How well does arithmetic change an attribute? Accuracy, content kept and fluency, for each strength of the change.

The direction of an attribute is the mean code of training sentences that have it minus the mean code of those that
have not; a held-out sentence's code goes that way by each strength and is decoded. Accuracy is by a classifier that
never saw the model: logistic regression on TF-IDF of words and pairs of words, trained on the train split. BLEU is
with the sentence that was changed as its reference (*self-BLEU* in the words of style transfer): copying scores 100,
and is no transfer. The three trade off against each other, so none of them is a figure alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from corpora.commands import Parser
from corpora.errors import InputError, choose, quoted
from textgen import cli
from textgen.sentences.benchmark.judge import Judge, Report, Score, perplexity, picked, score

if TYPE_CHECKING:
    import argparse

    import numpy as np

    from corpora.corpus import Rows

WORD = r"\S+"

_ABOUT = """\
Change an attribute of held-out sentences by arithmetic on their codes, and judge what comes out.

  textgen benchmark attribute --model runs/reviews --judge runs/judge --data reviews
  textgen benchmark attribute --model runs/reviews --judge runs/judge --data reviews --from 0 --to 1 --strengths 1,2

--data is a corpus with labels: `corpora build` with labels=, or a table with a label column."""


def arguments(verb: Callable[..., Parser]) -> None:
    """The options of `textgen benchmark attribute`."""
    made = verb(help="accuracy, content and fluency of changed sentences", description=_ABOUT)
    made.add_argument("--judge", required=True, metavar="LM", help="a language model trained on real text")
    made.add_argument("--data", required=True, metavar="CORPUS", help="a corpus with labels")
    made.add_argument("--split", default="test", help="what is changed: valid or test (default)")
    made.add_argument("--from", dest="source", metavar="LABEL", help="of two labels, the one to leave (default: each)")
    made.add_argument("--to", dest="target", metavar="LABEL", help="the one to go to")
    made.add_argument("--strengths", default="0,0.5,1,1.5,2,3", metavar="S[,S...]", help="default 0,0.5,1,1.5,2,3")
    made.add_argument("-n", type=int, default=500, metavar="N", help="sentences changed each way (default 500)")
    made.add_argument(
        "--rows", type=int, default=5000, metavar="N", help="of each label for the direction (default 5,000)"
    )
    cli.refine_option(made)
    made.add_argument("--beams", type=int, default=5, metavar="N", help="candidates (default 5; 1 is greedy)")
    made.add_argument("--show", type=int, default=4, metavar="N", help="examples each way (default 4)")


def labelled(rows: Rows, where: str) -> dict[str, list[str]]:
    """The sentences of a split under each of its labels. Raises InputError if there are no two labels."""
    found: dict[str, list[str]] = {}
    for row in range(len(rows)):
        label = rows.label(row)
        if label is not None:
            found.setdefault(label, []).append(" ".join(rows.text(row).split()))
    if len(found) < 2:
        raise InputError(f"{where} has {len(found)} labels: expected two or more; see `corpora build` with labels=")
    return found


class Classifier:
    """Logistic regression on TF-IDF of words and pairs of words, blind to any model."""

    def __init__(self, texts: dict[str, list[str]]) -> None:
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
    """Which labels to change into which: both ways between two, or the one that was asked for."""
    labels = sorted(labels)
    if source is None and target is None and len(labels) == 2:
        return [(labels[0], labels[1]), (labels[1], labels[0])]
    if source is None or target is None:
        raise InputError(f"give both --from and --to: labels {', '.join(map(quoted, labels[:20]))}")
    if source == target:
        raise InputError(f"--from and --to are both {quoted(source)}")
    return [(choose("label", source, labels), choose("label", target, labels))]


def main(chosen: argparse.Namespace, opening: Callable[..., Any]) -> Report:
    """Change, judge, and report. Raises InputError for bad input."""
    import numpy as np

    try:
        strengths = [float(word) for word in chosen.strengths.split(",")]
    except ValueError as error:
        raise InputError(
            f"--strengths {quoted(chosen.strengths)}: expected numbers with commas between them"
        ) from error
    if not all(np.isfinite(strengths)):
        raise InputError(f"--strengths {quoted(chosen.strengths)}: expected finite numbers")
    for name, least in (("n", 1), ("rows", 1), ("beams", 1), ("show", 0)):
        if not least <= getattr(chosen, name) <= 100_000_000:
            raise InputError(f"{'-n' if name == 'n' else '--' + name}: expected {least} or more")
    import torch
    from sacrebleu.metrics import BLEU

    from corpora.corpus import Corpus
    from textgen.runs.screen import Bar
    from textgen.sentences.sentence_vae import SentenceVAE

    corpus, where = Corpus.open(chosen.data), Path(chosen.data).name
    training = labelled(corpus.rows("train"), f"{where}, train split")
    held = labelled(corpus.rows(chosen.split), f"{where}, {chosen.split} split")
    pairs = ways(list(training), chosen.source, chosen.target)
    for source, _ in pairs:
        if not held.get(source):
            raise InputError(f"{where}: its {chosen.split} split has no sentence of the label {quoted(source)}")
    vae, judge = SentenceVAE(opening()), Judge(opening(chosen.judge))

    def usable(texts: Sequence[str], most: int) -> list[str]:
        rows = vae.codec.encode_many(texts)
        kept = [text for text, row in zip(texts, rows, strict=True) if vae.opened.takes(row)]
        if not kept:
            raise InputError(f"{where}: no sentence of a label is one that this model takes")
        return picked(kept, most, chosen.seed)

    wanted = {label for pair in pairs for label in pair}
    with Bar() as bar:
        bar.tell("training the classifier", 0, 1)
        judged = Classifier({label: training[label] for label in wanted})
        real = np.concatenate([judged.hits(held.get(label, []), label) for label in wanted if held.get(label)])
        bar.tell("codes of the labels", 0, 1)
        means = {label: vae.encode(usable(training[label], chosen.rows), refine=0).mean(0) for label in wanted}
        given = {pair: usable(held.get(pair[0], []), chosen.n) for pair in pairs}
        codes = {pair: vae.encode(texts, refine=chosen.refine) for pair, texts in given.items()}
        sources = [text for texts in given.values() for text in texts]
        normalised = [vae.codec.normalise(text) for text in sources]
        scores = [
            score("classifier, real sentences", "% right", f"{len(real):,} of {chosen.split}", real, seed=chosen.seed),
            perplexity(
                "perplexity, real sentences", f"under {judge.name}", judge.nll(sources), sources, seed=chosen.seed
            ),
        ]
        bleu, table, made = BLEU(tokenize="13a", force=True), [], {}
        for number, strength in enumerate(strengths):
            written: list[str] = []
            hits: list[np.ndarray] = []
            for pair, texts in given.items():
                way = means[pair[1]] - means[pair[0]]
                found: list[str] = []
                for some in torch.split(codes[pair] + strength * way, 64):
                    found += vae.decode(some, beams=chosen.beams)
                    done = number * len(sources) + len(written) + len(found)
                    bar.tell("changing sentences", done, len(strengths) * len(sources))
                hits.append(judged.hits(found, pair[1]))
                made[pair, strength] = found
                written += found
                assert len(found) == len(texts)
            at = f"strength {strength:g}"
            about = f"classified as the label gone to, {len(written):,} sentences"
            row = [
                score(f"accuracy, {at}", "% of sentences", about, np.concatenate(hits), seed=chosen.seed),
                Score(f"BLEU, {at}", bleu.corpus_score(written, [normalised]).score, None, None, "0 to 100",
                      f"with the source as reference; sacreBLEU {bleu.get_signature()}"),
                perplexity(f"perplexity, {at}", f"under {judge.name}", judge.nll(written), written, seed=chosen.seed),
            ]  # fmt: skip
            scores += row
            table.append((strength, row))
    lines = ["  strength   accuracy      BLEU   perplexity"]
    lines += [f"  {s:>8g}  {a.value:>8.1f} %  {b.value:>8.2f}  {p.value:>11.1f}" for s, (a, b, p) in table]
    examples = []
    for pair, texts in given.items():
        for place in picked(range(len(texts)), chosen.show, chosen.seed):
            changed = {f"{strength:g}": made[pair, strength][place] for strength in strengths}
            examples.append({"from": pair[0], "to": pair[1], "given": texts[place], "changed": changed})
            lines += [f"{pair[0]} to {pair[1]}", f"   given  {texts[place]}"]
            lines += [f"{strength:>8}  {text}" for strength, text in changed.items()]
    title = f"{vae.opened.name}: {len(sources):,} sentences of {where}, {chosen.split} split, seed {chosen.seed}"
    title += (
        f"; directions from {chosen.rows:,} of each label at most, {chosen.beams} beams, {chosen.refine} refining steps"
    )
    facts = {"model": vae.opened.name, "judge": judge.name, "data": where, "sentences": len(sources)}
    return Report(title, {**facts, "seed": chosen.seed}, scores, lines, {"examples": examples})
