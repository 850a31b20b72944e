"""Palettes: colours in CIE L*a*b*, the law of the codec, how colours are chosen, and what is refused."""

from __future__ import annotations

import json

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st

from corpora import codec as codecs
from corpora.codecs import palette
from corpora.codecs.palette import ORDERS, Palette, build_palette, distortion, read_palette
from corpora.errors import InputError
from corpora.pictures.colour import lab_of, on_white, rgb_of, unpack

CLEAR = (0, 0, 0, 0)
RED, GREEN, BLUE = (255, 0, 0, 255), (0, 255, 0, 255), (0, 0, 255, 255)
byte = st.integers(0, 255)


# CIE L*a*b*


@pytest.mark.parametrize(
    ("rgb", "lab"),
    [
        # D65, 2 degrees, as published by B. Lindbloom's calculator and in the tests of scikit-image and colormath.
        ((255, 255, 255), (100, 0, 0)),
        ((0, 0, 0), (0, 0, 0)),
        ((255, 0, 0), (53.241, 80.092, 67.203)),
        ((0, 255, 0), (87.735, -86.183, 83.179)),
        ((0, 0, 255), (32.297, 79.188, -107.860)),
        ((255, 255, 0), (97.139, -21.554, 94.478)),
        ((0, 255, 255), (91.113, -48.088, -14.131)),
        ((255, 0, 255), (60.324, 98.234, -60.825)),
        ((128, 128, 128), (53.585, 0, 0)),
        ((3, 3, 3), (0.823, 0, 0)),  # where the curve is a straight line: 903.3 Y
    ],
)
def test_lab_has_its_reference_values(rgb, lab):
    assert lab_of(np.array(rgb)) == pytest.approx(np.array(lab), abs=2e-3)


def test_lab_there_and_back():
    rgb = np.random.default_rng(0).integers(0, 256, (20_000, 3)).astype(np.uint8)
    assert (rgb_of(lab_of(rgb)) == rgb).all()
    assert rgb_of(np.array([50.0, 200, -200])).shape == (3,)  # no such colour: cut off, no error
    assert (rgb_of(np.array([[150.0, 0, 0], [-9, 0, 0]])) == [[255] * 3, [0] * 3]).all()


def test_pictures_laid_on_white():
    pixels = np.array([[[0, 0, 0, 0], [10, 20, 30, 255], [0, 100, 255, 128]]], np.uint8)
    assert on_white(pixels).tolist() == [[[255, 255, 255, 255], [10, 20, 30, 255], [127, 177, 255, 255]]]


# The codec


@st.composite
def palettes(draw) -> Palette:
    rgb = draw(st.lists(st.tuples(byte, byte, byte), min_size=2, max_size=12, unique=True))
    colours = [(*one, 255) for one in rgb]
    return Palette(
        [CLEAR, *colours] if draw(st.booleans()) else colours,
        draw(st.integers(1, 5)),
        draw(st.integers(1, 5)),
        order=draw(st.sampled_from(sorted(ORDERS))),
    )


@hypothesis.given(codec=palettes(), data=st.data())
@hypothesis.settings(deadline=None, max_examples=60)
def test_encoding_what_was_decoded_gives_the_tokens(codec, data):
    length = codec.height * codec.width
    tokens = data.draw(st.lists(st.integers(0, codec.vocab_size - 1), min_size=length, max_size=length))
    picture = codec.decode(tokens)
    assert (picture.shape, picture.dtype) == ((codec.height, codec.width, 4), np.uint8)
    assert codec.encode(picture) == tokens
    assert codec.encode_many(picture[None].repeat(3, 0)).tolist() == [tokens] * 3


@hypothesis.given(codec=palettes())
@hypothesis.settings(deadline=None, max_examples=30)
def test_a_palette_survives_json(codec):
    codec.notes.append("a note")
    again = codecs.from_dict(json.loads(json.dumps(codec.to_dict())))
    assert isinstance(again, Palette)
    assert again.to_dict() == codec.to_dict()
    assert again.order == codec.order
    assert (again.pad, again.stop, again.blank, again.measures) == (None, None, None, ())


@pytest.mark.parametrize(
    ("order", "lines", "pixels"),
    [
        ("down", (2, 3), [0, 1, 2, 3, 4, 5]),
        ("up", (2, 3), [3, 4, 5, 0, 1, 2]),
        ("right", (3, 2), [0, 3, 1, 4, 2, 5]),
        ("left", (3, 2), [2, 5, 1, 4, 0, 3]),
    ],
)
def test_an_order_says_which_pixel_each_token_is(order, lines, pixels):
    colours = [(n, n, n, 255) for n in range(0, 240, 40)]
    codec = Palette(colours, 2, 3, order=order)
    picture = np.array(colours, np.uint8).reshape(2, 3, 4)
    assert (codec.lines, codec.encode(picture)) == (lines, pixels)
    assert (codec.decode(pixels) == picture).all()
    assert codec.scan(np.arange(6).reshape(2, 3)).tolist() == pixels
    assert codec.unscan(codec.scan(np.arange(12).reshape(2, 2, 3))).tolist() == np.arange(12).reshape(2, 2, 3).tolist()


def test_a_palette_from_before_there_were_orders_goes_down():
    old = Palette([RED, GREEN], 2, 3).to_dict()
    assert "order" not in old
    assert codecs.from_dict(old).to_dict() == old
    assert codecs.from_dict(old | {"order": "down"}).to_dict() == old
    assert codecs.from_dict(old | {"order": "left"}).to_dict() == old | {"order": "left"}


def test_a_pixel_gets_the_nearest_colour_in_lab():
    codec = Palette([RED, GREEN, BLUE], 1, 3)
    assert codec.encode(np.array([[[200, 30, 9, 255], [0, 90, 0, 255], [90, 0, 160, 255]]], np.uint8)) == [
        0,
        1,
        2,
    ]
    # (0, 0, 100) is nearer to black in RGB, but looks more like blue than like a mid grey.
    assert Palette([(0, 0, 0, 255), (119, 119, 119, 255), BLUE], 1, 1).encode(
        np.array([[[20, 20, 230, 255]]], np.uint8)
    ) == [2]
    assert (codec.lab == lab_of(np.array([RED, GREEN, BLUE])[:, :3])).all()


def test_alpha():
    pixels = np.array([[[255, 0, 0, 127], [255, 0, 0, 128], [255, 0, 0, 0]]], np.uint8)
    clear = Palette([CLEAR, (255, 255, 255, 255), RED, (255, 128, 128, 255)], 1, 3)
    assert (clear.transparent, clear.encode(pixels)) == (True, [0, 2, 0])
    opaque = Palette([(255, 255, 255, 255), RED, (255, 128, 128, 255)], 1, 3)
    assert (opaque.transparent, opaque.encode(pixels)) == (False, [2, 2, 0])
    assert clear.lab[0] == pytest.approx([100, 0, 0])


def test_pictures_and_tokens_that_do_not_fit():
    codec = Palette([RED, GREEN], 2, 2)
    for pixels in (np.zeros((2, 2, 3), np.uint8), np.zeros((2, 3, 4), np.uint8), np.zeros((2, 2, 4))):
        with pytest.raises(InputError, match=r"this palette is for \(2, 2, 4\), uint8"):
            codec.encode(pixels)
    for tokens, message in (
        ([0, 1, 2, 0], "token 2 is outside the palette of 2 colours"),
        ([0, -1, 0, 0], "token -1 is outside the palette"),
        ([0, 1], "2 tokens: a picture of 2x2 has 4"),
    ):
        with pytest.raises(InputError, match=message):
            codec.decode(tokens)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"colours": "red"}, "the codec's 'colours' is 'red': expected list"),
        ({"colours": [[1, 2, 3]] * 3}, "should be a list of colours, each a list of 4 whole numbers"),
        ({"colours": [[1, 2, 3, 255], [1, 2, 3.0, 255]]}, "each a list of 4 whole numbers"),
        ({"colours": [[1, 2, 3, 255], [1, True, 3, 255]]}, "each a list of 4 whole numbers"),
        ({"colours": [[1, 2, 3, 255], [1, 2, 256, 255]]}, r"colour 1 of the palette is \[1, 2, 256, 255\]: expected 4"),
        ({"colours": [[1, 2, 3, 255], [-1, 2, 6, 255]]}, "expected 4 numbers, 0 to 255"),
        ({"colours": [[1, 2, 3, 255], [0, 0, 0, 0]]}, "colour 1 of the palette is transparent: only colour 0 may be"),
        ({"colours": [[1, 2, 3, 0], [0, 0, 0, 255]]}, "colour 0 of the palette is transparent"),
        ({"colours": [[1, 2, 3, 255]] * 2}, r"colours 0 and 1 of the palette are the same: \[1, 2, 3, 255\]"),
        ({"colours": [[1, 2, 3, 255]]}, "a palette of 1 colours: expected between 2 and 4,096"),
        ({"vocab_size": 3}, "the codec says vocab_size 3 but holds 2 tokens"),
        ({"vocab_size": 1}, "the codec's vocab_size is 1: expected between 2 and"),
        ({"height": 0}, "a picture of 0x2 pixels: each side should have 1 to 1,024"),
        ({"width": 10**9}, "each side should have 1 to 1,024"),
        ({"width": "2"}, "the codec's 'width' is '2': expected int"),
        ({"height": True}, "the codec's 'height' is True: expected int"),
        ({"order": "across"}, "no order 'across': choose from down, left, right, up"),
        ({"order": 1}, "the codec's 'order' is 1: expected str"),
        ({"notes": [1]}, "the codec's 'notes' should be a list"),
        ({"codec": "palettes"}, "no codec 'palettes': did you mean 'palette'"),
    ],
)
def test_a_stranger_s_palette_is_judged(changes, message):
    good = Palette([RED, GREEN], 2, 2).to_dict()
    with pytest.raises(InputError, match=message):
        codecs.from_dict(good | changes)


def test_text_codecs_are_told_apart():
    with pytest.raises(InputError, match=r"the rows are pictures \(codec palette\): this works on text"):
        codecs.of_text(Palette([RED, GREEN], 2, 2))
    text = codecs.train(["a b"], codecs.Config(codec="bytes"))
    assert codecs.of_text(text) is text


# Choosing colours


def many(count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    draw = np.random.default_rng(seed)
    rgb = unpack(draw.choice(1 << 24, count, replace=False).astype(np.uint32))
    return rgb, draw.integers(1, 100, count)


def test_few_colours_are_kept_by_how_often_they_occur():
    rgb = np.array([(9, 9, 9), (255, 0, 0), (5, 5, 5)], np.uint8)
    codec = build_palette(rgb, np.array([3, 7, 3]), 2, 2, transparent=True)
    assert codec.colours == [CLEAR, RED, (5, 5, 5, 255), (9, 9, 9, 255)]
    assert codec.notes == ["4 colours, as they are in the pictures"]
    assert distortion(codec, rgb, np.array([3, 7, 3])) == (0, 0, 0)
    assert build_palette(rgb, np.array([3, 7, 3]), 2, 2, colours=3).vocab_size == 3


def test_many_colours_are_clustered_and_come_out_the_same():
    rgb, counts = many(500)
    codec = build_palette(rgb, counts, 2, 2, colours=20, transparent=True)
    assert (codec.vocab_size, codec.colours[0]) == (20, CLEAR)
    shuffled = np.random.default_rng(1).permutation(500)
    assert (
        build_palette(rgb[shuffled], counts[shuffled], 2, 2, colours=20, transparent=True).to_dict() == codec.to_dict()
    )
    far = distortion(codec, rgb, counts)
    assert codec.notes == [f"20 colours for the 500 of the pictures: {far}"]
    assert str(far).startswith("RMSE ")
    used = np.bincount(codec.nearest(rgb), counts, 20)[1:]
    assert (np.diff(used) <= 0).all()  # the most frequent first
    # The colour of a cluster is its weighted mean in Lab.
    two = np.array([(250, 0, 0), (240, 0, 0), (0, 0, 200)], np.uint8)
    mean = rgb_of((3 * lab_of(two[0]) + lab_of(two[1])) / 4)
    assert build_palette(two, np.array([3, 1, 1]), 1, 1, colours=2).colours == [(*mean, 255), (0, 0, 200, 255)]


def test_the_number_of_colours_follows_from_delta_e():
    rgb, counts = many(400)
    sizes = [build_palette(rgb, counts, 2, 2, delta_e=limit).vocab_size for limit in (60, 30, 20)]
    assert sizes == sorted(sizes)
    assert sizes[0] in palette.SIZES
    found = build_palette(rgb, counts, 2, 2, delta_e=20)
    assert distortion(found, rgb, counts).most <= 20
    few = build_palette(rgb, counts, 2, 2, delta_e=0.01)
    assert few.vocab_size == palette.SIZES[-1]
    assert few.notes[0].endswith("; more than delta_e=0.01, which asks for more colours (colours=N)")


def test_distortion_is_what_it_says():
    codec = Palette([(0, 0, 0, 255), (255, 255, 255, 255)], 1, 1)
    far = distortion(codec, np.array([(0, 0, 0), (10, 10, 10), (255, 255, 255)], np.uint8), np.array([90, 6, 4]))
    assert far.rmse == pytest.approx(np.sqrt(6 * 100 / 100))
    lightness = lab_of(np.array([10, 10, 10]))[0]
    assert far.mean == pytest.approx(0.06 * lightness)
    assert far.most == pytest.approx(lightness)
    assert distortion(codec, np.zeros((0, 3), np.uint8), np.zeros(0, np.int64)) == (0, 0, 0)


def test_photographs_have_their_colours_gathered_first(monkeypatch):
    monkeypatch.setattr(palette, "_CELLS", 300)
    rgb, counts = many(2000)
    codec = build_palette(rgb, counts, 2, 2, colours=8)
    assert codec.vocab_size == 8
    assert codec.to_dict() == build_palette(rgb, counts, 2, 2, colours=8).to_dict()


def test_colours_are_alike_along_chains_of_small_steps():
    greys = [(0, 0, 0, 0), (0, 0, 0, 255), (10, 0, 0, 255), (90, 90, 90, 255), (20, 5, 10, 255), (90, 101, 90, 255)]
    made = Palette(greys, 2, 2)
    assert made.alike(0).tolist() == [0, 1, 2, 3, 4, 5]
    assert made.alike(10).tolist() == [0, 1, 1, 2, 1, 3], "0 and 20 are joined by 10; what is transparent stands alone"
    assert made.alike(11).tolist() == [0, 1, 1, 2, 1, 2]
    assert made.alike(255).tolist() == [0, 1, 1, 1, 1, 1]


def test_one_colour_is_no_palette():
    with pytest.raises(InputError, match="all pixels have one colour: a palette needs at least two"):
        build_palette(np.array([(1, 2, 3)], np.uint8), np.array([5]), 2, 2)


# Palette files


def test_a_palette_file(tmp_path):
    path = tmp_path / "map.txt"
    path.write_bytes(b"\xef\xbb\xbf255 255 255\r\n0,0,0\n\n 1\t2 3 \n")
    assert read_palette(path) == [(255, 255, 255), (0, 0, 0), (1, 2, 3)]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"1 2 3\n1 2\n", "line 2: '1 2': expected red, green and blue, each 0 to 255"),
        (b"1 2 3\n1 2 256\n", "line 2: '1 2 256': expected red"),
        (b"1 2 3\n1 2 -6\n", "line 2: '1 2 -6'"),
        (b"red\n", "line 1: 'red'"),
        (b"1 2 3\n\n1 2 3\n", "line 3: the same colour as line 1: take one out"),
        (b"1 2 3\n", "1 colours: a palette has between 2 and 4,096"),
        (b"\xff\xfe", "byte 0: not UTF-8, so not a palette of lines `red green blue`"),
    ],
)
def test_palette_files_that_are_none(data, message, tmp_path):
    path = tmp_path / "map.txt"
    path.write_bytes(data)
    with pytest.raises(InputError) as caught:
        read_palette(path)
    assert str(caught.value).startswith(f"{path}: {message}")


def test_a_palette_file_that_is_missing(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        read_palette(tmp_path / "none.txt")
