"""A model with smaller embeddings in its LSTM encoder: their principal components, so that little is lost.

    python benchmarks/narrow.py runs/first --to 168 --out narrow
    textgen train corpus --init narrow ...

The encoder's first layer takes embeddings E W' as its input. E is replaced by E V, with V the `--to` first right
singular vectors of E (each row weighed alike), and W by W V: E V V' W' is the nearest to E W' of its rank.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from corpora import files
from textgen.core import checkpoint
from textgen.runs import library


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path, help="a run, a checkpoint or a model folder")
    parser.add_argument("--to", type=int, required=True, help="the new encoder_embedding")
    parser.add_argument("--out", type=Path, required=True, help="the model folder to make, in full precision")
    given = parser.parse_args()
    stored = checkpoint.read_model(library.locate(str(given.model)))
    tensors = {name: value.float() if value.is_floating_point() else value for name, value in stored.tensors.items()}
    embedding = tensors["encoder.embedding.weight"]
    singular, basis = torch.linalg.svd(embedding, full_matrices=False)[1:]
    basis = basis[: given.to].T  # (E, to)
    for name in ("encoder.embedding.weight", "encoder.forwards.0.weight_ih_l0", "encoder.backwards.0.weight_ih_l0"):
        tensors[name] = (tensors[name] @ basis).contiguous()
    kept = float(singular[: given.to].square().sum() / singular.square().sum())
    stored.config["recipe"]["settings"]["encoder_embedding"] = given.to
    with files.new_folder(given.out) as folder:
        checkpoint.write_model(folder, stored.config, stored.codec, tensors)
        files.write_manifest(folder, {"format": checkpoint.FORMAT})
    print(f"{given.out}: encoder_embedding={given.to} keeps {kept:.1%} of the embeddings' squares")


if __name__ == "__main__":
    main()
