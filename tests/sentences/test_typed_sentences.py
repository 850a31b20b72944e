"""Sentences typed carelessly are read as the model's corpus writes them, and it is told."""

from __future__ import annotations

from pathlib import Path

import torch

import small
from corpora import codec as codecs
from textgen.core import recipes
from textgen.runs import library
from textgen.sentences.sentence_vae import SentenceVAE

CORPUS = ["I met Sam on Monday.", "We know that Sam is late.", "The door is open.", "It is true that I like Sam."] * 5
CODEC = codecs.train(CORPUS, codecs.Config(vocab=330))


def vae(codec: codecs.TextCodec) -> SentenceVAE:
    recipe = recipes.compose("vae", small.settings("vae"))[0]
    torch.manual_seed(0)
    model = recipes.build(recipe, library.vocabulary(codec)).eval()
    return SentenceVAE(library.Opened(model, codec, recipe, 24, {}, Path("model")))


def test_what_is_typed_encodes_as_the_proper_sentence():
    writer = vae(CODEC)
    assert writer.proper("i met  sam on monday") == "I met Sam on Monday."
    codes = writer.encode(["i met sam on monday", "I met Sam on Monday."], refine=0)
    assert torch.equal(codes[0], codes[1])


def test_a_walk_says_how_it_read_its_ends():
    walk = vae(CODEC).interpolate("i met sam on monday", "The door is open.", steps=2, refine=0, beams=1)
    assert walk.notes[0] == "read as I met Sam on Monday."
    assert not any("door" in note for note in walk.notes)
    assert (walk.start, walk.end) == ("i met sam on monday", "The door is open.")


def test_a_model_of_lower_case_reads_what_it_is_given():
    writer = vae(codecs.train(CORPUS, codecs.Config(vocab=330, lower=True)))
    assert writer.proper("i met sam") == "i met sam"
    assert writer.proper("I met Sam") == "i met sam"
    assert writer.notes("i met sam") == []
