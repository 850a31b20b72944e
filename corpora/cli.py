"""The command `corpora`: list the sources and their settings, fetch data, build a corpus, show one."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from corpora.commands import Parser, run, split_words

if TYPE_CHECKING:
    import argparse

    from corpora.corpus import Corpus

_BUILD = """\
Build a corpus: read rows, clean them, split them, train a codec, tokenise; or read pictures, bring them to one size,
split them, choose their colours, and write a token for each pixel.

  corpora build poems.txt --out poems
  corpora build reviews.csv column=body label_column=stars --out reviews vocab=4000 lower=true
  corpora build train.txt --valid valid.txt --test test.txt --out ptb codec=words keep_duplicates=true
  corpora build hf:ag_news --out news limit=50000
  zcat lines.gz | corpora build - --out lines
  corpora build icons --out icons size=24x24 fit=pad colours=32
  corpora build sheet.png --out tiles tile=16x16
  corpora build tiles.npz --out tiles label_array=category
  corpora build lecture:DIR --out sprites repair=true
  corpora build hf-images:ylecun/mnist --out digits label_column=label limit=10000

`corpora list` prints every setting. A folder stands for the .txt and .txt.gz files in it or, where it has none, for the
pictures (PNG, GIF, JPEG, WebP); their labels are the names of its sub-folders."""


_FETCH = """\
Fetch the files of a data set from where its authors keep them, into a folder to build from. They are checked, and the
folder is whole or absent.

  corpora fetch pokemon --out pokemon-data
  corpora build lecture:pokemon-data --out pokemon

`pokemon`: 792 sprites of 20x20 in 167 colours, of H.-y. Lee's Machine Learning (2016), lecture 17. Without a network,
put pixel_color.txt and colormap.txt into a folder yourself."""


def parser() -> Parser:
    """The command line. Importing or printing it loads nothing heavy."""
    top = Parser(prog="corpora", description="Corpora: sentences and pictures as tokens, built once, opened instantly.")
    commands = top.add_subparsers(dest="command", metavar="COMMAND", required=True)

    listing = commands.add_parser(
        "list",
        help="the sources, their settings, and the codecs",
        description="Print the sources, their settings, and the codecs.",
    )
    listing.add_argument("--json", action="store_true", help="as JSON")

    building = commands.add_parser("build", help="build a corpus from text or picture files", description=_BUILD)
    building.add_argument(
        "words",
        nargs="+",
        metavar="IN|KEY=VALUE",
        help="files, folders, hf:NAME, hf-images:NAME, lecture:DIR, toy, sprites, moons, or - for stdin; settings",
    )
    building.add_argument("--out", required=True, metavar="DIR", help="the folder to make")
    building.add_argument(
        "--source", metavar="NAME", help="one that `corpora list` names; by default from the inputs' names"
    )
    building.add_argument(
        "--valid",
        action="append",
        metavar="FILE",
        help="rows for validation, may be given again; by default some are split off",
    )
    building.add_argument(
        "--test",
        action="append",
        metavar="FILE",
        help="rows for the test, may be given again; by default some are split off",
    )
    building.add_argument("--errors", choices=("strict", "replace", "skip"), help="bytes that are not UTF-8")
    building.add_argument("--replace", action="store_true", help="replace DIR if it exists")
    building.add_argument("--json", action="store_true", help="print the outcome as JSON")

    fetching = commands.add_parser("fetch", help="fetch the files of a data set", description=_FETCH)
    fetching.add_argument("name", metavar="NAME", help="pokemon")
    fetching.add_argument("--out", metavar="DIR", help="the folder to make (default NAME-data)")
    fetching.add_argument("--from", dest="address", metavar="URL", help="a mirror: the folder that the files lie in")
    fetching.add_argument("--json", action="store_true", help="print the outcome as JSON")

    showing = commands.add_parser("show", help="what is in a corpus", description="Print what is in a corpus.")
    showing.add_argument("folder", metavar="DIR")
    showing.add_argument("--json", action="store_true", help="as JSON")
    showing.add_argument("--verify", action="store_true", help="read every byte and compare the hashes")
    showing.add_argument("-n", type=int, default=5, metavar="N", help="examples of each split (default 5)")
    return top


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point. Returns the exit code."""
    return run(_main, argv)


def _main(argv: Sequence[str] | None) -> int:
    chosen = parser().parse_args(argv)
    commands: dict[str, Callable[[argparse.Namespace], int]] = {
        "list": _list,
        "build": _build,
        "fetch": _fetch,
        "show": _show,
    }
    return commands[chosen.command](chosen)


def _list(chosen: argparse.Namespace) -> int:
    from corpora import codec, modality, settings

    sources = {name: settings.find("corpora.sources", name) for name in settings.names("corpora.sources")}
    configs = {f"source {name}": module.Config for name, module in sources.items()}
    for kind in map(modality.get, modality.names()):
        of_build, *of_codec = kind.configs()
        configs[f"every build of {kind.units}"] = type(of_build)
        configs.update({"codec": type(of_codec[0])} if of_codec else {})
    if chosen.json:
        print(
            json.dumps(
                {
                    title: {name: {"default": default, "doc": doc} for name, default, doc in settings.describe(config)}
                    for title, config in configs.items()
                }
                | {"codecs": codec.names("text")},
                indent=1,
            )
        )
        return 0
    for title, config in configs.items():
        about = str((sources[title.split()[1]] if title.startswith("source ") else config).__doc__).splitlines()[0]
        print(f"{title}: {about}")
        for name, default, doc in settings.describe(config):
            print(f"  {f'{name}={default}':<28} {doc}")
        print()
    print(f"codecs: {', '.join(codec.names('text'))}; of pictures: palette")
    return 0


def _build(chosen: argparse.Namespace) -> int:
    from corpora.build import build

    inputs, words = split_words(chosen.words)
    if chosen.errors is not None:
        words["errors"] = chosen.errors
    with _progress(quiet=chosen.json) as tell:
        corpus = build(
            inputs,
            chosen.out,
            source=chosen.source,
            valid=chosen.valid,
            test=chosen.test,
            settings=words,
            replace=chosen.replace,
            progress=tell,
        )
    if chosen.json:
        print(json.dumps({"folder": chosen.out, "fingerprint": corpus.fingerprint} | _summary(corpus), indent=1))
        return 0
    print(f"built {chosen.out}: {_rows(corpus)}")
    _print_losses(corpus)
    return 0


def _fetch(chosen: argparse.Namespace) -> int:
    from corpora import fetch

    with _progress(quiet=chosen.json) as tell:
        folder = fetch.fetch(chosen.name, chosen.out or f"{chosen.name}-data", address=chosen.address, tell=tell)
    found = fetch.SETS[chosen.name]
    if chosen.json:
        print(json.dumps({"folder": str(folder), "files": list(found.files), "terms": found.terms}, indent=1))
        return 0
    print(f"fetched {folder}: {', '.join(found.files)}; {found.terms}")
    print(f"next: corpora build {found.source.format(folder)} --out {chosen.name}")
    return 0


@contextlib.contextmanager
def _progress(*, quiet: bool) -> Iterator[Callable[[str, int], None]]:
    """What is being done and how many rows are, on stderr: a moving line on a terminal, nothing elsewhere."""
    if quiet or not sys.stderr.isatty():
        yield lambda what, count: None
        return
    try:
        from rich.console import Console
    except ImportError:
        yield lambda what, count: print(f"\r{what} {count:,} rows".ljust(60), end="", file=sys.stderr, flush=True)
        print(file=sys.stderr)
        return
    with Console(stderr=True).status("starting") as status:
        yield lambda what, count: status.update(f"{what}: {count:,} rows" if count else what)


def _show(chosen: argparse.Namespace) -> int:
    from corpora.codec import TextCodec
    from corpora.corpus import Corpus

    corpus = Corpus.open(chosen.folder, verify=chosen.verify)
    if not isinstance(corpus.codec, TextCodec):
        return _show_pictures(chosen, corpus)
    summary = {"fingerprint": corpus.fingerprint} | _summary(corpus) | {"splits": _shape(corpus)}
    examples = {
        name: [
            {"text": rows.text(i), **({} if rows.labels is None else {"label": rows.label(i)})}
            for i in _spread(len(rows), chosen.n)
        ]
        for name, rows in corpus.splits.items()
    }
    if chosen.json:
        print(json.dumps(summary | {"verified": chosen.verify, "examples": examples}, indent=1, ensure_ascii=False))
        return 0
    codec = corpus.codec
    _print_origin(chosen, corpus)
    print(f"codec     {codec.name}, {codec.vocab_size:,} tokens{', lower case' if codec.lower else ''}")
    _print_losses(corpus)
    print(
        f"\n{'split':<7}{'rows':>12}{'tokens':>14}{'bytes':>14}{'words':>13}   "
        f"{'length: median':<15}{'95 %':>6}{'longest':>9}  not in vocabulary"
    )
    for name, facts in summary["splits"].items():
        print(
            f"{name:<7}{facts['rows']:>12,}{facts['tokens']:>14,}{facts['bytes']:>14,}{facts['words']:>13,}   "
            f"{facts['length_median']:>15,}{facts['length_95']:>6,}{facts['longest']:>9,}  {facts['fallback']:.2%}"
        )
    for name, some in examples.items():
        print(f"\n{name}")
        for row in some:
            print(f"  {row['text']}" + (f"   [{row['label']}]" if row.get("label") is not None else ""))
    return 0


def _show_pictures(chosen: argparse.Namespace, corpus: Corpus) -> int:
    from corpora.codecs.palette import Palette

    facts = {name: corpus.manifest["splits"][name] for name in corpus.splits}
    if chosen.json:
        summary = {"fingerprint": corpus.fingerprint} | _summary(corpus) | {"splits": facts}
        assert isinstance(corpus.codec, Palette)
        codec = {key: value for key, value in corpus.codec.to_dict().items() if key not in ("codec", "notes")}
        codec["order"] = corpus.codec.order
        print(json.dumps(summary | {"verified": chosen.verify, "palette": codec}, indent=1, ensure_ascii=False))
        return 0
    _print_origin(chosen, corpus)
    print(f"codec     {_codec(corpus)}")
    _print_losses(corpus)
    print(f"\n{'split':<7}{'rows':>12}{'tokens':>14}")
    for name, split in facts.items():
        print(f"{name:<7}{split['rows']:>12,}{split['tokens']:>14,}")
    return 0


def _print_origin(chosen: argparse.Namespace, corpus: Corpus) -> None:
    source = corpus.manifest["source"]
    print(f"{chosen.folder}  {corpus.fingerprint}{'  every byte verified' if chosen.verify else ''}")
    print(
        f"from      {source.get('name')}: "
        + (", ".join(str(one["name"]) for split in corpus.splits for one in source["inputs"].get(split, [])) or "-")
    )


def _codec(corpus: Corpus) -> str:
    from corpora.codecs.palette import Palette

    codec = corpus.codec
    if isinstance(codec, Palette):
        clear = ", one of them transparent" if codec.transparent else ""
        order = "" if codec.order == "down" else f", order {codec.order}"
        return f"palette of {codec.vocab_size:,} colours{clear}, pictures of {codec.height}x{codec.width}{order}"
    return f"{codec.name} codec with {codec.vocab_size:,} tokens"


def _rows(corpus: Corpus) -> str:
    parts = ", ".join(f"{len(rows):,} {name}" for name, rows in corpus.splits.items())
    return f"{parts}; {_codec(corpus)}"


def _summary(corpus: Corpus) -> dict[str, Any]:
    kept = ("splits", "read", "dropped", "held_out_duplicates_removed", "label_names", "notes", "codec", "source")
    return {key: corpus.manifest[key] for key in kept}


def _print_losses(corpus: Corpus) -> None:
    manifest = corpus.manifest
    dropped = ", ".join(f"{count:,} {reason}" for reason, count in sorted(manifest["dropped"].items()))
    print(f"read      {manifest['read']:,} rows; dropped: {dropped or 'none'}")
    removed = {name: count for name, count in manifest["held_out_duplicates_removed"].items() if count}
    if removed:
        print("removed   " + ", ".join(f"{n:,} of {name} that stand in another split" for name, n in removed.items()))
    names = manifest["label_names"]
    if names:
        print(f"labels    {len(names):,}: {', '.join(names[:8])}{', ...' if len(names) > 8 else ''}")
    for note in manifest["notes"]:
        print(f"note      {note}")


def _shape(corpus: Corpus) -> dict[str, dict[str, Any]]:
    """The manifest's facts of each split, its lengths, and the share of tokens not in the vocabulary."""
    import numpy as np

    from corpora.codec import of_text

    outside = np.zeros(corpus.codec.vocab_size, bool)
    outside[of_text(corpus.codec).fallback_tokens()] = True
    shape = {}
    for name, rows in corpus.splits.items():
        lengths = rows.lengths
        step = 1 << 22
        count = sum(int(outside[rows.tokens[i : i + step]].sum()) for i in range(0, len(rows.tokens), step))
        shape[name] = corpus.manifest["splits"][name] | {
            "length_median": int(np.median(lengths)),
            "length_95": int(np.percentile(lengths, 95)),
            "fallback": count / max(1, len(rows.tokens)),
        }
    return shape


def _spread(count: int, wanted: int) -> list[int]:
    """A few row numbers, evenly spread."""
    wanted = max(0, min(count, wanted))
    return [i * count // wanted for i in range(wanted)]


if __name__ == "__main__":
    sys.exit(main())
