"""Which rows and pictures are the same or nearly so, and that those stay in one split; splits by name; labels."""

from __future__ import annotations

import numpy as np
import pytest
from lines import numbered

from corpora import Corpus, InputError, Picture, Row
from corpora.build import build, build_items, from_texts
from corpora.naming import by_name, named
from corpora.pictures.twins import Twins
from corpora.row import Told, items_alone, keys, near_key, same_key

WHOLE = {"valid_share": 0, "test_share": 0}


def texts_of(corpus: Corpus, split: str) -> list[str]:
    rows = corpus.rows(split)
    return [rows.text(row) for row in range(len(rows))]


# Keys of rows


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("1990-01-01", "1990-01-02"),
        ("40 + 60 = 100", "40 - 60 = 100"),
        ("It is -5 here", "It is 5 here"),
        ("CCO c1ccccc1", "CCO C1CCCCC1"),
        ("CO", "Co"),
        ("call getName now", "call getname now"),
        ("20 stars for you", "35 stars for you"),
        ("कि", "का"),
        ("कि यह", "का यह"),
        ("ที่", "ทั้"),
        ("كَتَبَ", "كُتِبَ"),
        ("x = a", "x + a"),
    ],
)
def test_rows_that_differ_in_digits_signs_marks_or_telling_case_are_different(one, other):
    assert same_key(one) != same_key(other)
    corpus = from_texts([one, "a", "b"], "bytes", test=[other])
    assert texts_of(corpus, "test") == [other]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Great food, 20 stars!", "great FOOD 20 stars"),
        ("We're here.", "were here"),
        ("今天天气很好。", "今天天气很好"),
        ("C'est « ça » !", "c’est ça"),
        ("यह अच्छा है।", "यह अच्छा है"),
        ("STRASSE ist hier", "straße ist hier"),
    ],
)
def test_rows_that_differ_in_case_spaces_or_punctuation_count_as_the_same(one, other):
    assert same_key(one) == same_key(other)


def test_a_wider_key_is_that_of_near_duplicates_but_not_of_numbers():
    assert len({keys(text, 0)[1] for text in ("We won 20 games", "we won 35 games!")}) == 1
    assert len({keys(text, 0)[1] for text in ("12+30=42", "13+30=43")}) == 2
    assert near_key("कि") != near_key("का")


def test_a_message_never_calls_different_rows_equal():
    train, test = [f"{i}+{i}={2 * i}" for i in range(300)], [f"{i}+1={i + 1}" for i in range(2, 102)]
    corpus = from_texts(train, "bytes", test=test)
    assert len(corpus.rows("test")) == 100
    assert corpus.manifest["held_out_duplicates_removed"] == {"test": 0}
    mixed = from_texts([*numbered(50), "so it is", "so it was"], "bytes", test=["so it is", "So it was!", "new one"])
    assert mixed.manifest["held_out_duplicates_removed"] == {"test": 2}
    assert mixed.manifest["held_out_nearly"] == {"test": 1}
    with pytest.raises(InputError, match=r"every sentence of test is in train .*\(1 of 2 but for case, spaces"):
        from_texts(["so it is", "so it was"], "bytes", test=["so it is", "So it was!"])


# Shares


@pytest.mark.parametrize("exact", [100_000, 10])
def test_shares_are_met_in_rows(exact, monkeypatch):
    """A row that is said very often does not fill a split, and dates are different rows."""
    monkeypatch.setattr("corpora.split._EXACT", exact)
    texts = ["yes"] * 3000 + numbered(3000) + [f"{i // 28}-{i % 28}" for i in range(3000)]
    corpus = from_texts(texts, "bytes", valid_share=0.1, test_share=0.1)
    for name in ("valid", "test"):
        assert abs(len(corpus.rows(name)) - 900) <= (1 if exact > 10_000 else 90)
        assert "yes" not in texts_of(corpus, name)


def test_a_share_that_cannot_be_met_is_told_with_the_numbers():
    corpus = from_texts(["yes", "no", "so"] * 100, "bytes")
    assert [len(rows) for rows in corpus.splits.values()] == [100, 100, 100]
    wanted = "has 100 of 300 sentences (33.3%), not 2.0%: those that must stay together do"
    assert sum(wanted in note for note in corpus.manifest["notes"]) == 2


def test_near_duplicates_are_told_and_those_in_digits_alone_stay_together_only_if_few():
    texts = [*numbered(300), *(f"we won {i} games" for i in range(10, 15)), *(f"it is {i} now" for i in range(10, 60))]
    corpus = from_texts([*texts, "We won 10 games!"], "bytes", valid_share=0.2, test_share=0.2)
    notes = corpus.manifest["notes"]
    assert any(
        note.startswith("6 sentences differ from others in case, spaces, signs or digits alone") for note in notes
    )
    assert (
        "50 sentences differ from more than 20 others in digits or signs alone: these are taken as different" in notes
    )
    games = [name for name in corpus.splits if any("games" in text for text in texts_of(corpus, name))]
    assert len(games) == 1
    assert len([name for name in corpus.splits if any(t.startswith("it is") for t in texts_of(corpus, name))]) == 3
    plain = from_texts(numbered(300), "bytes")
    assert not any("differ" in note for note in plain.manifest["notes"])


def test_keys_are_counted_in_passes(monkeypatch):
    texts = [*numbered(200), *(f"we won {i} games" for i in range(10, 15))]
    whole = from_texts(texts, "bytes")
    monkeypatch.setattr("corpora.near._AT_ONCE", 10)
    assert from_texts(texts, "bytes").fingerprint == whole.fingerprint
    assert from_texts(texts, "bytes").manifest["notes"] == whole.manifest["notes"]


def test_rows_of_one_group_stay_in_one_split(tmp_path):
    rows = [Row(text, group=f"book {number // 10}") for number, text in enumerate(numbered(200))]
    build_items({"train": rows}, tmp_path / "c", settings={"codec": "bytes", "valid_share": 0.1, "test_share": 0.1})
    corpus, group_of = Corpus.open(tmp_path / "c"), {row.text: row.group for row in rows}
    groups = [{group_of[text] for text in texts_of(corpus, name)} for name in corpus.splits]
    assert [len(rows) for rows in corpus.splits.values()] == [160, 20, 20]
    assert sum(map(len, groups)) == len(set.union(*groups)) == 20


# Splits by name


@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("train", "train"),
        ("Training", "train"),
        ("val", "valid"),
        ("validation.txt", "valid"),
        ("dev", "valid"),
        ("ptb.train.txt", "train"),
        ("val2017", "valid"),
        ("my-test_1.csv", "test"),
        ("trainer", None),
        ("contest", None),
        ("train_test", None),
    ],
)
def test_names_of_splits(name, split):
    assert named(name) == split


def listing(folder, *names: str):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")
    return lambda inputs: sorted(path for one in inputs for path in folder.rglob("*") if path.is_file())


def test_folders_and_files_named_so_are_splits(tmp_path):
    files_of = listing(tmp_path, "train/cat/1.png", "val/cat/2.png", "test/dog/3.png")
    files, remarks = by_name([str(tmp_path)], files_of)
    assert [(file.split, file.folders) for file in files] == [
        ("test", ("dog",)),
        ("train", ("cat",)),
        ("valid", ("cat",)),
    ]
    assert remarks == [Told("files by the split that they or their folders name: 1 train, 1 valid, 1 test")]
    assert [file.split for file in by_name([str(tmp_path)], files_of, False)[0]] == [None] * 3


@pytest.mark.parametrize(
    ("names", "labels"),
    [
        (["cat/train/1.png", "cat/test/2.png", "dog/train/3.png"], ["cat", "cat", "dog"]),  # inside the classes
        (["train/cat/1.png", "train/dog/2.png"], ["cat", "dog"]),  # nothing is held out by name
    ],
)
def test_a_folder_of_a_split_is_no_label(tmp_path, names, labels):
    files, _ = by_name([str(tmp_path)], listing(tmp_path, *names))
    assert sorted(file.folders[0] for file in files) == labels
    assert {file.split for file in files} <= {"train", "test", None}


def test_names_that_say_half_are_refused_or_passed_over(tmp_path):
    with pytest.raises(InputError, match=r"'test' name a split, cat/1.png \(2 of 3 files\) does not: name all so"):
        by_name([str(tmp_path / "a")], listing(tmp_path / "a", "cat/1.png", "dog/2.png", "test/3.png"))
    with pytest.raises(InputError, match=r"readme.txt \(1 of 3 files\) does not"):
        by_name([str(tmp_path / "b")], listing(tmp_path / "b", "train.txt", "test.txt", "readme.txt"))
    files, remarks = by_name([str(tmp_path / "c")], listing(tmp_path / "c", "bus/1.png", "train/2.png"))
    assert [file.folders for file in files] == [("bus",), ("train",)]
    assert "is a class" in remarks[0].remark
    icons = ["train.png", "test-tube.png", *(f"{name}.png" for name in "abcdefgh")]
    files, remarks = by_name([str(tmp_path / "d")], listing(tmp_path / "d", *icons))
    assert {file.split for file in files} == {None}
    assert "8 other files name none" in remarks[0].remark


def test_a_folder_of_texts_by_split(tmp_path):
    for name, lines in (("train", numbered(40)), ("valid", numbered(50)[40:]), ("test", [*numbered(55)[49:]])):
        (tmp_path / f"ptb.{name}.txt").write_text("\n".join(lines) + "\n")
    corpus = build([str(tmp_path)], tmp_path / "c", settings={"codec": "bytes"})
    assert {name: len(rows) for name, rows in corpus.splits.items()} == {"train": 40, "valid": 9, "test": 6}
    assert corpus.manifest["held_out_duplicates_removed"] == {"valid": 1}
    with pytest.raises(InputError, match="the input names sentences of test, and --test names others"):
        build([str(tmp_path)], tmp_path / "d", test=str(tmp_path / "ptb.test.txt"), settings={"codec": "bytes"})
    several = [str(tmp_path / f"ptb.{name}.txt") for name in ("train", "valid", "test")]
    assert build(several, tmp_path / "d", settings={"codec": "bytes"}).fingerprint == corpus.fingerprint


def test_remarks_of_a_source_become_notes(tmp_path):
    rows = [Told("the delimiter is ';'"), Told("left out: .md", 2, "file"), *map(Row, numbered(50))]
    rows += [Told("left out: .md", 3, "file"), Row("over lines", done=("stood over several lines",))]
    build_items({"train": rows}, tmp_path / "c", settings={"codec": "bytes"})
    assert {"the delimiter is ';'", "5 files left out: .md", "1 sentence stood over several lines"} <= {
        *Corpus.open(tmp_path / "c").manifest["notes"]
    }
    assert len(list(items_alone(rows))) == 51


# Labels


def test_labels_are_cleaned_and_those_without_a_training_row_are_none(tmp_path):
    train = [Row(text, "neg " if number % 2 else "pos") for number, text in enumerate(numbered(40))]
    train += [Row("one more of these", "NaN"), Row("and another one", "n\x00eg"), Row("the last of them", "Pos")]
    valid = [Row("is it so", "mixed"), Row("it is so", "neg")]
    build_items({"train": train, "valid": valid}, tmp_path / "c", settings={"codec": "bytes"})
    corpus = Corpus.open(tmp_path / "c", verify=True)
    assert corpus.manifest["label_names"] == ["pos", "neg", "Pos"]
    assert [corpus.rows("valid").label(row) for row in range(2)] == [None, "neg"]
    assert [corpus.rows("train").label(row) for row in (0, 1, 40, 41)] == ["pos", "neg", None, "neg"]
    assert corpus.manifest["notes"] == [
        "21 sentences had spaces or control characters about the label, which were removed",
        "1 sentence had the label 'NaN', which was taken as none",
        "labels that differ in case alone are different labels: 'pos' (20), 'Pos' (1)",
        "'mixed' (1): no training sentence has this label, so 1 sentence held out have none",
        "2 of 45 sentences: without a label",
    ]


# Pictures


def drawing(seed: int, side: int = 16) -> np.ndarray:
    draw = np.random.default_rng(seed)
    pixels = np.zeros((side, side, 4), np.uint8)
    pixels[3:-3, 3:-3] = np.repeat(np.repeat(draw.integers(0, 256, (5, 5, 4)), 2, 0), 2, 1)
    pixels[3:-3, 3:-3, 3] = 255
    return pixels


def variants(pixels: np.ndarray) -> list[np.ndarray]:
    """Mirrored, turned, moved, and one pixel changed."""
    changed = pixels.copy()
    changed[8, 8, :3] ^= 128
    return [pixels[:, ::-1], pixels[::-1], pixels.transpose(1, 0, 2), np.roll(pixels, 2, 1), changed]


def test_near_duplicate_pictures_are_of_one_set():
    twins, count = Twins(), 40
    for seed in range(count):
        for pixels in (drawing(seed), *variants(drawing(seed))):
            twins.add("train", pixels)
    sets = twins.find(0.1)["train"].reshape(count, 6)
    assert (sets == sets[:, :1]).all()
    assert len(np.unique(sets)) == count
    assert (twins.together, twins.sets, twins.apart) == (6 * count, count, 0)


def test_sets_of_pictures_stay_small():
    """Where everything is like its neighbour, a chain of likenesses does not become one set."""
    twins = Twins()
    for number in range(250):
        pixels = drawing(0)
        pixels[3:-3, 3:-3, 0] = number
        twins.add("train", pixels)
    sets = twins.find(0.1)["train"]
    assert np.bincount(sets).max() <= 10
    assert twins.apart > 0
    assert any("would be too large" in note for note in twins.notes("pictures"))


def test_near_duplicate_pictures_stay_in_one_split(tmp_path):
    pictures = [
        Picture(pixels, str(seed), f"{seed}.{number}")
        for seed in range(60)
        for number, pixels in enumerate((drawing(seed), *variants(drawing(seed))))
    ]
    build_items({"train": pictures}, tmp_path / "c", "picture")
    corpus = Corpus.open(tmp_path / "c")
    assert {name: len(rows) for name, rows in corpus.splits.items()} == {"train": 288, "valid": 36, "test": 36}
    # so that no label is in two splits, and that of a held-out picture is that of no training row
    assert len(corpus.manifest["label_names"]) == 48
    wanted = "360 pictures are near-duplicates, mirrored and moved ones among them; of their 60 sets each is kept"
    assert any(note.startswith(wanted) for note in corpus.manifest["notes"])
    build_items({"train": pictures}, tmp_path / "d", "picture", settings={"twins": False})
    assert not any("near-duplicates" in note for note in Corpus.open(tmp_path / "d").manifest["notes"])


def test_near_duplicates_across_splits_that_are_named_are_told(tmp_path):
    train = [Picture(drawing(seed), None, str(seed)) for seed in range(30)]
    test = [Picture(drawing(100), None, "new"), Picture(drawing(0)[:, ::-1], None, "mirrored")]
    build_items({"train": train, "test": test}, tmp_path / "c", "picture")
    corpus = Corpus.open(tmp_path / "c")
    assert len(corpus.rows("test")) == 2
    assert any(
        note.startswith("1 picture of the 2 of test nearly equal one of train") for note in corpus.manifest["notes"]
    )


def test_pictures_of_one_group_stay_together_and_one_group_alone_holds_nothing_out(tmp_path):
    frames = [Picture(drawing(seed), None, str(seed), group="walk.gif") for seed in range(30)]
    build_items({"train": frames}, tmp_path / "c", "picture", settings={"twins": False})
    corpus = Corpus.open(tmp_path / "c")
    assert list(corpus.splits) == ["train"]
    assert any(note.startswith("valid has 0 of 30 pictures (0.0%), not 10.0%") for note in corpus.manifest["notes"])
    more = frames + [Picture(drawing(100 + seed), None, "still") for seed in range(30)]
    build_items({"train": more}, tmp_path / "d", "picture", settings={"twins": False})
    assert [len(rows) for rows in Corpus.open(tmp_path / "d").splits.values()] == [48, 6, 6]
