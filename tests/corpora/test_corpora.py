"""Building, opening and batching: what holds for every corpus."""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import corpora
from corpora import Corpus, InputError, Row
from corpora.build import build, build_items, from_texts
from corpora.codecs.bytes import Bytes
from corpora.codecs.words import Words
from corpora.corpus import permute
from corpora.row import near_key

TOY = {"count": "600", "codec": "words"}


@pytest.fixture(scope="module")
def toy(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("toy") / "corpus"
    build(["toy"], folder, settings=TOY)
    return folder


def numbered(count: int, words: int = 6) -> list[str]:
    """Lines that differ in letters, since digits count as the same."""
    names = ["ab", "cd", "ef", "gh", "ij", "kl", "mn", "op", "qr", "st"]
    return [" ".join([names[int(d)] for d in f"{i:05d}"] + ["x"] * (i * 7 % words)) for i in range(count)]


def keys(rows: corpora.Rows) -> set[str]:
    return {near_key(rows.text(i)) for i in range(len(rows))}


# Building


def test_every_row_is_counted_once(tmp_path):
    (tmp_path / "x.txt").write_text("\n".join([*numbered(300), "", "   ", "y " * 50, "z " * 300, "\x00\x01"]) + "\n")
    words = {"max_words": 60, "max_length": 40, "min_length": 6, "codec": "words"}
    corpus = build([str(tmp_path / "x.txt")], tmp_path / "c", settings=words)
    facts = corpus.manifest
    assert facts["read"] == 305
    assert set(facts["dropped"]) == {"empty", "too many words", "too long", "too short"}
    assert facts["dropped"]["empty"] == 3
    assert facts["dropped"]["too many words"] == 1
    assert facts["dropped"]["too long"] == 1
    assert facts["read"] == sum(len(rows) for rows in corpus.splits.values()) + sum(facts["dropped"].values())
    for name, rows in corpus.splits.items():
        texts = [rows.text(i) for i in range(len(rows))]
        assert facts["splits"][name] == {
            "rows": len(rows),
            "tokens": int(rows.lengths.sum()),
            "longest": int(rows.lengths.max()),
            "bytes": sum(len(text.encode()) for text in texts),
            "words": sum(len(text.split()) for text in texts),
        }


@pytest.mark.parametrize("count", [3, 20, 400])
def test_shares_of_the_splits(count):
    corpus = from_texts(numbered(count), "bytes", valid_share=0.1, test_share=0.05)
    assert len(corpus.splits["valid"]) == max(1, round(count * 0.1))
    assert len(corpus.splits["test"]) == max(1, round(count * 0.05))
    assert sum(map(len, corpus.splits.values())) == count


def test_splits_share_no_near_duplicates():
    texts = [variant for text in numbered(200) for variant in (text, f"{text}!", text.upper(), f"{text} ...")]
    corpus = from_texts(texts, "bytes", valid_share=0.2, test_share=0.2)
    found = [keys(rows) for rows in corpus.splits.values()]
    assert len(set().union(*found)) == sum(map(len, found)) == 200
    assert sum(map(len, corpus.splits.values())) == 800
    other = from_texts(texts, "bytes", valid_share=0.2, test_share=0.2, split_seed=1)
    assert keys(other.splits["valid"]) != keys(corpus.splits["valid"])


def test_a_line_stays_in_its_split_when_others_come(monkeypatch):
    monkeypatch.setattr("corpora.split._EXACT", 10)
    one = from_texts(numbered(500), "bytes", valid_share=0.1)
    two = from_texts(numbered(1000), "bytes", valid_share=0.1)
    assert keys(one.splits["valid"]) < keys(two.splits["valid"])
    assert 60 < len(two.splits["valid"]) < 140
    with pytest.raises(InputError, match="no sentence fell into valid: the input has too few different ones"):
        from_texts(["yes", "no"] * 50, "bytes")


def test_given_splits_lose_what_stands_in_train():
    train, valid, test = numbered(50), [*numbered(60)[45:], "both here"], ["Both here!", *numbered(70)[62:], "AB" * 3]
    corpus = from_texts([*train, "Ab ab AB"], "bytes", valid=valid, test=test)
    assert corpus.manifest["held_out_duplicates_removed"] == {"valid": 6, "test": 1}
    found = [keys(rows) for rows in corpus.splits.values()]
    assert len(set().union(*found)) == sum(map(len, found))
    facts = corpus.manifest
    assert facts["read"] == sum(map(len, corpus.splits.values())) + 7
    kept = from_texts(train, "bytes", valid=valid, test=test, keep_duplicates=True)
    assert [len(rows) for rows in kept.splits.values()] == [50, 16, 10]
    assert kept.splits["valid"].text(15) == "both here"
    assert list(from_texts(train, "bytes", valid=["new"]).splits) == ["train", "valid"]
    with pytest.raises(InputError, match=r"every sentence of valid is in train .* keep_duplicates=true keeps them"):
        from_texts(train, "bytes", valid=train[:3])


def test_labels_follow_their_rows():
    texts = numbered(200)
    labels = [None if i % 5 == 0 else "abc"[i % 3] for i in range(200)]
    corpus = from_texts(texts, "bytes", labels=labels, valid_share=0.2)
    wanted = dict(zip(texts, labels, strict=True))
    for rows in corpus.splits.values():
        assert all(rows.label(i) == wanted[rows.text(i)] for i in range(len(rows)))
    assert sorted(corpus.manifest["label_names"]) == ["a", "b", "c"]
    assert from_texts(texts).splits["train"].label(0) is None


def test_the_same_input_builds_the_same_bytes(toy, tmp_path):
    again = build(["toy"], tmp_path / "again", settings=TOY)
    assert again.fingerprint == Corpus.open(toy).fingerprint
    for path in toy.iterdir():
        assert (tmp_path / "again" / path.name).read_bytes() == path.read_bytes()
    assert build(["toy"], tmp_path / "other", settings={**TOY, "toy_seed": 1}).fingerprint != again.fingerprint


def test_chunks_change_nothing(toy, tmp_path, monkeypatch):
    monkeypatch.setattr("corpora.spool._CHUNK_ROWS", 7)
    monkeypatch.setattr("corpora.spool._CHUNK_BYTES", 100)
    assert build(["toy"], tmp_path / "c", settings=TOY).fingerprint == Corpus.open(toy).fingerprint


def test_the_codec_of_another_corpus(toy, tmp_path):
    corpus = build(["toy"], tmp_path / "c", settings={"toy_seed": "7", "codec_from": str(toy)})
    assert corpus.codec.to_dict() == Corpus.open(toy).codec.to_dict()
    assert corpus.manifest["settings"]["codec_from"] == "corpus"  # no folders of this machine
    with pytest.raises(InputError, match="vocab: the codec is taken as it is, so leave out vocab"):
        build(["toy"], tmp_path / "d", settings={"codec_from": str(toy), "vocab": "500"})
    with pytest.raises(InputError, match=r"codec\.json: no such file"):
        build(["toy"], tmp_path / "d", settings={"codec_from": str(tmp_path)})


def test_the_codec_sees_a_share_of_train_only(monkeypatch):
    seen: list[str] = []
    monkeypatch.setattr(Bytes, "train", classmethod(lambda cls, texts, config: seen.extend(texts) or cls()))
    corpus = from_texts(numbered(1000), "bytes", codec_rows=100, valid_share=0.3)
    assert 50 <= len(seen) <= 100
    assert not keys(corpus.splits["valid"]) & set(map(near_key, seen))


def test_a_large_vocabulary_is_stored_in_four_bytes():
    codec = Words([f"w{i}" for i in range(70_000)])
    corpus = from_texts([f"w{i} w{i + 1}" for i in range(69_000, 69_100)] + ["a", "b b"], codec)
    rows = corpus.splits["train"]
    assert rows.tokens.dtype.itemsize == 4
    assert all(rows.text(i).startswith("w69") or rows.text(i) in ("<unk>", "<unk> <unk>") for i in range(len(rows)))


@pytest.mark.parametrize(
    ("texts", "options", "message"),
    [
        ([], {}, "no usable sentence for train: nothing was read"),
        (["", " "], {}, "no usable sentence for train: 2 empty"),
        (["one"], {}, "only 1 usable sentence, counting near-duplicates once: at least 3 are needed for train"),
        (["one", "One!"] * 9, {}, "only 1 usable sentence, counting near-duplicates once"),
        (["a", "b"], {}, "only 2 usable sentences"),
        (["abc" * 99, "def" * 99, "ghi" * 99], {}, "(the shortest that was dropped has 297): raise max_length"),
        (["a", "b", "c"], {"min_length": 5}, "no sentence of train has between min_length=5 and max_length=200 tokens"),
        (["a"], {"max_length": 0}, "max_length=0: expected 1 to 2,147,483,647 tokens"),
        (["a"], {"min_length": 300}, "min_length=300 is more than max_length=200"),
        (["a"], {"valid_share": 0.6, "test_share": 0.5}, "valid_share + test_share below 1"),
        (["a"], {"valid_share": -1}, "valid_share=-1: expected 0 or more, below 1"),
        (["a"], {"max_words": 0}, "max_words=0: expected 1 or more words, or none"),
        (["a"], {"limit": 0}, "limit=0: expected 1 or more, or none"),
        (["a"], {"split_seed": -1}, "split_seed=-1: expected"),
        (["a"], {"codec_rows": 0}, "codec_rows=0: expected 1 or more rows"),
        (["a"], {"codec_megabytes": 0}, "codec_megabytes=0: expected 1 or more MB"),
        (["a"], {"valid_shares": 0.1}, "unknown setting 'valid_shares': did you mean 'valid_share'?"),
    ],
)
def test_what_cannot_be_built(texts, options, message):
    with pytest.raises(InputError) as caught:
        from_texts(texts, "bytes", **options)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_other_things_that_cannot_be_built(tmp_path):
    with pytest.raises(InputError, match=r"standard input .* can be read once only"):
        build(["-"], tmp_path / "c", valid="-")
    with pytest.raises(InputError, match="no source 'txt': did you mean 'text'"):
        build(["x"], tmp_path / "c", source="txt")
    with pytest.raises(InputError, match=r"more than 100,000 different labels"):
        build_items({"train": (Row("a", str(i)) for i in range(100_001))}, tmp_path / "c")
    assert not list(tmp_path.iterdir())
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter").write_text("keep me")
    for replace, message in ((False, "exists already"), (True, "is not a corpus, so it is not replaced")):
        with pytest.raises(InputError, match=message):
            build(["toy"], tmp_path / "mine", settings=TOY, replace=replace)
    assert (tmp_path / "mine" / "letter").exists()
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputError, match="a file of that name is in the way"):
        build(["toy"], tmp_path / "file" / "c", settings=TOY)


def test_replacing(tmp_path):
    first = build(["toy"], tmp_path / "c", settings=TOY)
    second = build(["toy"], tmp_path / "c", settings={**TOY, "toy_seed": 3}, replace=True)
    assert Corpus.open(tmp_path / "c").fingerprint == second.fingerprint != first.fingerprint
    assert [path.name for path in tmp_path.iterdir()] == ["c"]


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


# Interruptions


def start(tmp_path: Path, *words: str, **options: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "corpora.cli", "build", *words, "--out", str(tmp_path / "c")]
    where = {**os.environ, "PYTHONPATH": str(Path(corpora.__file__).parents[1])}
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=where, **options)


def wait_for(condition, seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.mark.parametrize(("sent", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupted_build_leaves_nothing(tmp_path, sent, code):
    process = start(tmp_path, "toy", "count=50000000", "codec=bytes")
    wait_for(lambda: any(path.stat().st_size for path in tmp_path.glob(".unfinished-c-*/train.spool-data")))
    process.send_signal(sent)
    _, errors = process.communicate(timeout=20)
    assert process.returncode == code
    assert "Traceback" not in errors
    assert not list(tmp_path.iterdir())


def test_the_training_of_a_codec_can_be_interrupted(tmp_path):
    lines = [" ".join(f"{i * k % 9973:x}"[:4] for k in range(3, 23)) for i in range(150_000)]
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "x.txt").write_text("\n".join(lines).translate(str.maketrans("0123456789", "ghijklmnop")))
    process = start(tmp_path, str(tmp_path / "in"), "model_type=unigram")
    wait_for(lambda: any(path.stat().st_size > 1_000_000 for path in tmp_path.glob(".unfinished-c-*/train.spool-keys")))
    time.sleep(1.5)
    assert process.poll() is None
    begin = time.monotonic()
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=20)
    assert time.monotonic() - begin < 5
    assert (process.returncode, errors.strip()) == (130, "interrupted")
    assert [path.name for path in tmp_path.iterdir()] == ["in"]


def test_what_a_killed_build_left_is_swept(tmp_path):
    process = start(tmp_path, "toy", "count=50000000", "codec=bytes")
    wait_for(lambda: list(tmp_path.glob(".unfinished-c-*")))
    process.kill()
    process.communicate()
    other = tmp_path / f".unfinished-c2-{process.pid}-1"
    alive = tmp_path / f".unfinished-c-{os.getpid()}-1"
    other.mkdir()
    alive.mkdir()
    build(["toy"], tmp_path / "c", settings=TOY)
    assert {path.name for path in tmp_path.iterdir()} == {"c", other.name, alive.name}


def test_a_full_disk_is_one_line_and_leaves_nothing(tmp_path):
    def cap() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))

    process = start(tmp_path, "toy", "count=50000", "codec=bytes", preexec_fn=cap)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 2
    assert errors == f"error: {tmp_path / 'c'}: the file would pass the size limit set for this process\n"
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_memory_stays_flat(tmp_path):
    """The peak of a build does not grow with the file: 64 MB against 8 MB."""
    script = Path(corpora.__file__).parents[1] / "benchmarks" / "corpus_memory.py"
    out = subprocess.run(
        [sys.executable, script, "8", "64", "--json"], check=True, capture_output=True, text=True, cwd=tmp_path
    ).stdout
    peaks = [row["peak_mb"] for row in json.loads(out)]
    assert peaks[1] < 1.25 * peaks[0]
