"""Building a corpus: rows, splits, codecs, what is refused, interruptions."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from lines import TOY, numbered

import corpora
from corpora import Corpus, InputError, Row
from corpora.build import build, build_items, from_texts
from corpora.codecs.bytes import Bytes
from corpora.codecs.words import Words
from corpora.row import near_key


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
    train, valid, test = (
        numbered(50),
        [*numbered(60)[45:], "both here"],
        ["Both here!", *numbered(70)[62:], "AB, AB AB!"],
    )
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


def test_replacing_deletes_only_what_a_build_made(tmp_path):
    out = tmp_path / "c"
    build(["toy"], out, settings=TOY)
    (out / ".DS_Store").write_text("of the system")
    build(["toy"], out, settings=TOY, replace=True)
    (out / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match=r"c holds notes.txt, which no build made, so it is not replaced"):
        build(["toy"], out, settings=TOY, replace=True)
    (tmp_path / "link").symlink_to(out)
    with pytest.raises(InputError, match=r"link is a link, so it is not replaced"):
        build(["toy"], tmp_path / "link", settings=TOY, replace=True)
    site = tmp_path / "site"
    site.mkdir()
    (site / "manifest.json").write_text('{"files": {"index.html": {}}, "name": "a web page"}')
    (site / "index.html").write_text("mine")
    with pytest.raises(InputError, match=r"site is not a corpus, so it is not replaced"):
        build(["toy"], site, settings=TOY, replace=True)
    assert (out / "notes.txt").exists() and (site / "index.html").exists()


def test_a_file_that_came_while_a_build_ran_is_not_deleted(tmp_path):
    out = tmp_path / "c"
    build(["toy"], out, settings=TOY)

    def rows():
        yield from map(Row, numbered(50))
        (out / "late.txt").write_text("mine")

    with pytest.raises(InputError, match=r"late.txt, which no build made"):
        build_items({"train": rows()}, out, settings={"codec": "bytes"}, replace=True)
    assert (out / "late.txt").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["c"]


# Interruptions


@pytest.fixture
def start(tmp_path):
    """Begins a build in a process of its own, which does not outlive the test."""
    begun: list[subprocess.Popen[str]] = []

    def process(*words: str, **options: object) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "corpora.cli", "build", *words, "--out", str(tmp_path / "c")]
        where = {**os.environ, "PYTHONPATH": str(Path(corpora.__file__).parents[1])}
        begun.append(subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=where, **options))
        return begun[-1]

    yield process
    for one in begun:
        one.kill()
        one.wait()


def wait_for(condition, seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.mark.parametrize(("sent", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupted_build_leaves_nothing(tmp_path, sent, code, start):
    process = start("toy", "count=50000000", "codec=bytes")
    wait_for(lambda: any(path.stat().st_size for path in tmp_path.glob(".unfinished-c-*/train.spool-data")))
    process.send_signal(sent)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == code
    assert "Traceback" not in errors
    assert not list(tmp_path.iterdir())


def test_the_training_of_a_codec_can_be_interrupted(tmp_path, start):
    lines = [" ".join(f"{i * k % 9973:x}"[:4] for k in range(3, 23)) for i in range(150_000)]
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "x.txt").write_text("\n".join(lines).translate(str.maketrans("0123456789", "ghijklmnop")))
    process = start(str(tmp_path / "in"), "model_type=unigram")
    wait_for(lambda: any(path.stat().st_size > 1_000_000 for path in tmp_path.glob(".unfinished-c-*/train.spool-keys")))
    time.sleep(1.5)
    assert process.poll() is None
    begin = time.monotonic()
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=120)
    assert time.monotonic() - begin < 30  # C++ would be at it for minutes
    assert (process.returncode, errors.strip()) == (130, "interrupted")
    assert [path.name for path in tmp_path.iterdir()] == ["in"]


def test_what_a_killed_build_left_is_swept(tmp_path, start):
    process = start("toy", "count=50000000", "codec=bytes")
    wait_for(lambda: list(tmp_path.glob(".unfinished-c-*")))
    process.kill()
    process.communicate()
    other = tmp_path / f".unfinished-c2-{process.pid}-1"
    alive = tmp_path / f".unfinished-c-{os.getpid()}-1"
    other.mkdir()
    alive.mkdir()
    build(["toy"], tmp_path / "c", settings=TOY)
    assert {path.name for path in tmp_path.iterdir()} == {"c", other.name, alive.name}


def test_a_full_disk_is_one_line_and_leaves_nothing(tmp_path, start):
    def cap() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))

    process = start("toy", "count=50000", "codec=bytes", preexec_fn=cap)
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
