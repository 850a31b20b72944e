"""Opening a corpus, its batches and their order."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lines import numbered

from corpora import Corpus, InputError
from corpora.build import from_texts
from corpora.corpus import pad, permute

# Opening


def damaged(toy: Path, tmp_path: Path) -> Path:
    shutil.copytree(toy, tmp_path / "c")
    return tmp_path / "c"


def test_opening_what_was_built(toy):
    corpus = Corpus.open(toy, verify=True)
    assert list(corpus.splits) == ["train", "valid", "test"]
    assert len(corpus.fingerprint) == 16
    row = corpus.splits["train"][0]
    assert corpus.codec.decode(row) == corpus.splits["train"].text(0)
    assert corpus.splits["train"].label(-1) in ("animal", "person")
    with pytest.raises(IndexError):
        corpus.splits["valid"][len(corpus.splits["valid"])]
    with pytest.raises(InputError, match="no split 'dev': choose from test, train, valid"):
        corpus.batch(0, 0, 4, split="dev")


def test_damage_is_noticed(toy, tmp_path):
    folder = damaged(toy, tmp_path)
    tokens = folder / "train.tokens.bin"
    data = bytearray(tokens.read_bytes())
    data[5] ^= 1
    tokens.write_bytes(data)
    Corpus.open(folder)
    with pytest.raises(InputError, match=r"train\.tokens\.bin is altered"):
        Corpus.open(folder, verify=True)
    tokens.write_bytes(data[:-2])
    with pytest.raises(InputError, match=r"train\.tokens\.bin is truncated or altered"):
        Corpus.open(folder)
    tokens.unlink()
    with pytest.raises(InputError, match=r"'train\.tokens\.bin' is missing"):
        Corpus.open(folder)
    with pytest.raises(InputError, match=r"is not a corpus: it has no manifest\.json"):
        Corpus.open(tmp_path / "nothing")


FACTS = {"rows": 3, "tokens": 3, "bytes": 3, "words": 3, "longest": 3}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": 2}, "this corpus has format 2"),
        ({"splits": {"train": {}}}, "does not say how many rows 'train' has"),
        ({"splits": {"train": {"rows": 3}}}, "does not say how many tokens 'train' has"),
        ({"splits": {"train": FACTS}}, "the arrays of 'train' do not fit together"),
        ({"splits": {"valid": {"rows": 3}}}, "the manifest's splits should be train, valid and test"),
        ({"splits": {"../x": {"rows": 3}}}, "the manifest's splits should be"),
        ({"splits": 3}, "the manifest's splits should be"),
        ({"label_names": "ab"}, "label names are not a list of words"),
        ({"label_names": ["a"]}, "offsets, tokens or labels are out of range"),
        ({"source": {"inputs": {"train": ["x"]}}}, "the manifest's 'source' is missing or malformed"),
        ({"dropped": {"empty": "many"}}, "the manifest's 'dropped' is missing or malformed"),
        ({"notes": None}, "the manifest's 'notes' is missing or malformed"),
    ],
)
def test_a_manifest_that_lies(toy, tmp_path, change, message):
    folder = damaged(toy, tmp_path)
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps({**manifest, **change}))
    with pytest.raises(InputError) as caught:
        Corpus.open(folder, verify=True)
    assert message in str(caught.value)


# Batches


def uneven(count: int) -> Corpus:
    return from_texts(numbered(count, 30), "words", valid_share=0, test_share=0)


CORPORA = {count: uneven(count) for count in (1, 2, 7, 33, 1000)}


@given(
    count=st.sampled_from(sorted(CORPORA)),
    size=st.integers(1, 70),
    seed=st.integers(0, 2**40),
    epoch=st.integers(0, 3),
    world=st.integers(1, 4),
)
@settings(deadline=None, max_examples=60)
def test_an_epoch_visits_every_row_once_whatever_the_number_of_processes(count, size, seed, epoch, world):
    corpus = CORPORA[count]
    steps = corpus.epoch_steps(size)
    seen = []
    for step in range(epoch * steps, (epoch + 1) * steps):
        whole = corpus.batch(step, seed, size)
        parts = [corpus.batch(step, seed, size, rank=rank, world=world) for rank in range(world)]
        assert all(part.total == whole.total == len(whole.rows) for part in parts)
        for rank, part in enumerate(parts):
            np.testing.assert_array_equal(part.rows, whole.rows[rank::world])
            np.testing.assert_array_equal(part.tokens, whole.tokens[rank::world])
        assert size >= whole.total >= (size // 2 if count > size else count)
        seen.append(whole.rows)
    assert sorted(np.concatenate(seen)) == list(range(count))


def test_batches_are_functions_of_seed_and_step(toy):
    one, two = Corpus.open(toy), Corpus.open(toy)
    steps = list(range(60))
    forward = {step: one.batch(step, 5, 16) for step in steps}
    for step in reversed(steps):
        np.testing.assert_array_equal(two.batch(step, 5, 16).tokens, forward[step].tokens)
    assert not np.array_equal(one.batch(0, 6, 16).rows, forward[0].rows)
    each = one.epoch_steps(16)
    assert not np.array_equal(one.batch(each, 5, 16).rows, forward[0].rows)


def test_the_order_never_changes():
    """Golden: a change here would break the resuming of runs that people have."""
    assert permute(np.arange(10, dtype=np.uint64), 10, "0/0/rows").tolist() == GOLDEN_ORDER
    assert CORPORA[1000].batch(3, 7, 5).rows.tolist() == GOLDEN_BATCH


GOLDEN_ORDER = [2, 7, 9, 4, 8, 6, 1, 0, 3, 5]
GOLDEN_BATCH = [56, 986, 266, 86, 926]


@given(count=st.integers(1, 3000), seed=st.integers(0, 2**63))
@settings(deadline=None, max_examples=60)
def test_a_permutation_is_one(count, seed):
    found = permute(np.arange(count, dtype=np.uint64), count, str(seed))
    assert found.dtype == np.int64
    assert sorted(found) == list(range(count))


def test_permutations_look_random():
    places = np.arange(5000, dtype=np.uint64)
    found = [permute(places, 5000, f"{seed}") for seed in range(20)]
    for one in found:
        assert abs(np.corrcoef(one, places.astype(float))[0, 1]) < 0.06
        assert abs(np.corrcoef(one[1:], one[:-1])[0, 1]) < 0.06
    firsts = np.array([permute(np.zeros(1, np.uint64), 10, f"{seed}")[0] for seed in range(2000)])
    counts = np.bincount(firsts, minlength=10)
    assert ((counts - 200) ** 2 / 200).sum() < 27.9  # chi-squared, 9 degrees of freedom, p = 0.001


def test_nearly_every_position_is_a_real_token():
    draw = np.random.default_rng(0)
    texts = [" ".join(draw.choice(list("abcdefgh"), int(n))) for n in draw.lognormal(3, 0.5, 8000).clip(3, 150)]
    corpus = from_texts(texts, "words", valid_share=0, test_share=0)
    batches = [corpus.batch(step, 0, 32) for step in range(corpus.epoch_steps(32))]
    real = sum(int((batch.tokens != 0).sum()) for batch in batches)
    assert real / sum(batch.tokens.size for batch in batches) >= 0.95
    means = np.array([(batch.tokens != 0).sum(1).mean() for batch in batches])
    assert abs(np.corrcoef(means[1:], means[:-1])[0, 1]) < 0.2  # lengths come in no order


def test_padding(toy):
    corpus = Corpus.open(toy)
    rows = corpus.splits["train"]
    tokens = rows.pad([4, 0, 4])
    assert tokens.dtype == np.int64
    for line, row in zip(tokens, (4, 0, 4), strict=True):
        wanted = [*rows[row].tolist(), corpus.codec.stop]
        assert line.tolist() == wanted + [corpus.codec.pad] * (tokens.shape[1] - len(wanted))
    assert tokens.shape[1] == max(rows.lengths[[0, 4]])
    assert rows.pad([]).shape == (0, 1)


def test_rows_are_padded_as_asked():
    rows = [[5, 6, 7], [], np.array([8], np.uint16)]
    assert pad(rows, None, 0, 1).tolist() == [[5, 6, 7, 1], [1, 0, 0, 0], [8, 1, 0, 0]]
    assert pad(rows, 5, 0, 1).shape == (3, 5) and pad(rows, 5, 0, 1).dtype == np.int64
    assert pad([[5, 6], [7, 8]], None, None, None).tolist() == [[5, 6], [7, 8]]
    assert pad([], None, 0, 1).shape[0] == 0
    for some, length, filler, stop in ((rows, 3, 0, 1), ([[5, 6], [7]], None, None, None)):
        with pytest.raises(ValueError, match="cannot be made"):
            pad(some, length, filler, stop)


def test_in_order_visits_every_row_by_length(toy):
    rows = Corpus.open(toy).splits["train"]
    found = list(rows.in_order(50))
    order = np.concatenate([numbers for numbers, _ in found])
    assert sorted(order) == list(range(len(rows)))
    assert (np.diff(rows.lengths[order]) >= 0).all()
    np.testing.assert_array_equal(found[0][1], rows.pad(found[0][0]))


@pytest.mark.parametrize("arguments", [(-1, 0, 4), (0, 0, 0), (0, 0, 4, "train", 2, 2), (0, 0, 4, "train", -1, 2)])
def test_batches_that_cannot_be(arguments):
    with pytest.raises(InputError, match="expected"):
        CORPORA[7].batch(*arguments)


def test_a_corpus_in_memory_leaves_no_files(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    corpus = from_texts(numbered(30))
    assert not list(tmp_path.iterdir())
    assert corpus.batch(0, 0, 4).tokens.shape[0] == 4
