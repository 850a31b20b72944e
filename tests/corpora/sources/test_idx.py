"""IDX files, the format of MNIST: splits, labels, black-and-white draws, and what is no such file."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

from corpora.build import build
from corpora.cli import main
from corpora.corpus import Corpus
from corpora.errors import InputError
from corpora.sources import idx

HEAD = bytes((0, 0, 8, 3, 0, 0, 0, 1))  # of one picture


def written(path: Path, array: np.ndarray) -> Path:
    data = bytes((0, 0, 8, array.ndim)) + np.array(array.shape, ">u4").tobytes() + array.astype(np.uint8).tobytes()
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


@pytest.fixture
def digits(tmp_path) -> Path:
    """Six pictures of 2 x 3 for training and validation, two for the test; test files are packed."""
    folder, greys = tmp_path / "digits", np.zeros((8, 2, 3), np.uint8)
    folder.mkdir()
    greys[:, 0], greys[:, 1, 0], greys[:, 1, 1] = 255, 51, np.arange(8) * 10
    written(folder / "train-images-idx3-ubyte", greys[:6])
    written(folder / "train-labels-idx1-ubyte", np.array([1, 0, 1, 0, 7, 7]))
    written(folder / "t10k-images-idx3-ubyte.gz", greys[6:])
    written(folder / "t10k-labels-idx1-ubyte.gz", np.array([7, 0]))
    return folder


def test_a_folder_has_its_splits_and_labels(digits, tmp_path):
    build([str(digits)], tmp_path / "made", settings={"valid_last": "2", "delta_e": "0.01"})
    corpus = Corpus.open(tmp_path / "made")
    assert [len(corpus.rows(split)) for split in ("train", "valid", "test")] == [4, 2, 2]
    greys = np.array([corpus.codec.decode(row)[..., 0] for row in corpus.rows("train").pad([1, 3]).tolist()])
    assert greys.tolist() == [[[255, 255, 255], [51, 10, 0]], [[255, 255, 255], [51, 30, 0]]]
    labels = [corpus.rows("train").label(row) for row in range(4)]
    assert labels == ["1", "0", "1", "0"]
    assert corpus.manifest["source"]["name"] == "idx" and len(corpus.manifest["source"]["inputs"]["train"]) == 1


def test_draws_are_white_as_often_as_the_greys_say(digits, tmp_path):
    words = {"valid_last": "2", "binary": "400", "binary_held": "3", "keep_duplicates": "true"}
    build([str(digits)], tmp_path / "made", settings=words)
    corpus = Corpus.open(tmp_path / "made")
    assert [len(corpus.rows(split)) for split in ("train", "valid", "test")] == [1600, 6, 6]
    assert corpus.codec.vocab_size == 2
    white = corpus.codec.nearest(np.array([[255, 255, 255]], np.uint8))[0]
    drawn = corpus.rows("train").pad(range(1600)).reshape(4, 400, 6) == white
    share = drawn.mean(1)
    assert (share[:, :3] == 1).all() and (share[:, 5] == 0).all()
    assert share[:, 3] == pytest.approx([0.2] * 4, abs=0.08)
    assert share[:, 4] == pytest.approx(np.arange(4) * 10 / 255, abs=0.08)
    build([str(digits)], tmp_path / "again", settings={**words, "binary_seed": "1"})
    other = Corpus.open(tmp_path / "again").rows("train").pad(range(1600)).reshape(4, 400, 6) == white
    assert (other != drawn).any() and other.mean(1) == pytest.approx(share, abs=0.12)


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("a-images-idx3-ubyte", b"", "not an IDX file of unsigned bytes with 3 axes"),
        ("a-images-idx3-ubyte", bytes((0, 0, 8, 1, 0, 0, 0, 1, 5)), "with 3 axes"),
        ("a-images-idx3-ubyte", bytes((0, 0, 8, 3)) + b"\xff" * 12, "too large"),
        ("a-images-idx3-ubyte", bytes((0, 0, 8, 3)) + bytes(12), "nothing, or too large"),
        (
            "a-images-idx3-ubyte",
            bytes((0, 0, 8, 3, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 2, 1, 2)),
            "fewer bytes than the 4",
        ),
        ("a-images-idx3-ubyte", HEAD + bytes((0, 0, 0, 1, 0, 0, 0, 1, 1, 2)), "more bytes than the 1"),
        (
            "a-images-idx3-ubyte.gz",
            gzip.compress(HEAD + bytes((0, 0, 0, 9, 0, 0, 0, 9)) + bytes(81))[:25],
            "a broken .gz file",
        ),
    ],
)
def test_what_is_no_idx_file_is_one_line(name, data, message, tmp_path, capsys):
    (tmp_path / name).write_bytes(data)
    assert main(["build", str(tmp_path / name), "--out", str(tmp_path / "made")]) == 2
    _, err = capsys.readouterr()
    assert len(err.splitlines()) == 1 and message in err and name in err, err
    assert not (tmp_path / "made").exists()


def test_labels_for_other_pictures_are_refused(digits):
    written(digits / "train-labels-idx1-ubyte", np.zeros(5))
    with pytest.raises(InputError, match="5 labels for 6 pictures"):
        list(idx.read([str(digits)], idx.Config()))


@pytest.mark.parametrize("words", [{"binary": 1001}, {"binary": -1}, {"binary_held": 0}, {"valid_last": -1}])
def test_settings_are_checked(words):
    with pytest.raises(InputError, match=next(iter(words))):
        idx.Config(**words).check()
