"""The command `corpora`: list the sources and their settings, fetch data, build a corpus, show one."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal

from typer import Argument, Option

from corpora import commands
from corpora.commands import Verb, complete_folders, progress, split_words
from corpora.settings import names

if TYPE_CHECKING:
    from corpora.corpus import Corpus

ABOUT = "Corpora: sentences and pictures as tokens, built once, opened instantly."
VERBS = {
    "list": Verb("corpora.cli", "the sources, their settings, and the codecs"),
    "build": Verb("corpora.cli", "build a corpus from text or picture files"),
    "fetch": Verb("corpora.cli", "fetch the files of a data set"),
    "show": Verb("corpora.cli", "what is in a corpus"),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point. Returns the exit code."""
    return commands.main("corpora", ABOUT, VERBS, argv)


def corpora(incomplete: str) -> list[str]:
    """Corpus folders that begin as typed, for the shell's completion."""
    return complete_folders(incomplete, "manifest.json")


def sources(incomplete: str) -> list[str]:
    """Sources of rows that begin as typed."""
    return [name for name in names("corpora.sources") if name.startswith(incomplete)]


Json = Annotated[bool, Option("--json", help="print the outcome as JSON")]
Errors = Annotated[Literal["strict", "replace", "skip"] | None, Option(help="bytes that are not UTF-8")]
Source = Annotated[
    str | None,
    Option(metavar="NAME", help="one that `corpora list` names; by default from the inputs", autocompletion=sources),
]
Valid = Annotated[
    list[str] | None,
    Option(metavar="FILE", help="rows for validation, may be given again; by default some are split off"),
]
Test = Annotated[
    list[str] | None,
    Option(metavar="FILE", help="rows for the test, may be given again; by default some are split off"),
]


# ------------------------------------------------------------------------------------------------------ verbs


def list_(as_json: Annotated[bool, Option("--json", help="as JSON")] = False) -> int:
    """Print the sources, their settings, and the codecs."""
    from corpora import build, codec, pictures, settings

    sources = {name: settings.find("corpora.sources", name) for name in settings.names("corpora.sources")}
    configs = {f"source {name}": module.Config for name, module in sources.items()}
    configs |= {"every build": build.Config, "codec": codec.Config, "every build of pictures": pictures.Config}
    if as_json:
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


def build(
    words: Annotated[
        list[str],
        Argument(
            metavar="IN|KEY=VALUE",
            help="files, folders, hf:NAME, hf-images:NAME, lecture:DIR, toy, sprites, moons, or - for stdin; settings",
        ),
    ],
    out: Annotated[str, Option(metavar="DIR", help="the folder to make")],
    source: Source = None,
    valid: Valid = None,
    test: Test = None,
    errors: Errors = None,
    replace: Annotated[bool, Option("--replace", help="replace DIR if it exists")] = False,
    as_json: Json = False,
) -> int:
    """Build a corpus: read rows, clean them, split them, train a codec, tokenise; or read pictures, bring them to one
    size, split them, choose their colours, and write a token for each pixel.

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

    `corpora list` prints every setting. A folder stands for the .txt and .txt.gz files in it or, where it has none, for
    the pictures (PNG, GIF, JPEG, WebP); their labels are the names of its sub-folders.
    """
    from corpora.build import build

    inputs, settings = split_words(words)
    if errors is not None:
        settings["errors"] = errors
    with progress(quiet=as_json) as tell:
        corpus = build(
            inputs, out, source=source, valid=valid, test=test, settings=settings, replace=replace, progress=tell
        )
    if as_json:
        print(json.dumps({"folder": out, "fingerprint": corpus.fingerprint} | _summary(corpus), indent=1))
        return 0
    print(f"built {out}: {_rows(corpus)}")
    _print_losses(corpus)
    return 0


def fetch(
    name: Annotated[str, Argument(metavar="NAME", help="pokemon")],
    out: Annotated[str | None, Option(metavar="DIR", help="the folder to make (default NAME-data)")] = None,
    address: Annotated[
        str | None, Option("--from", metavar="URL", help="a mirror: the folder that the files lie in")
    ] = None,
    as_json: Json = False,
) -> int:
    """Fetch the files of a data set from where its authors keep them, into a folder to build from. They are checked,
    and the folder is whole or absent.

      corpora fetch pokemon --out pokemon-data
      corpora build lecture:pokemon-data --out pokemon

    `pokemon`: 792 sprites of 20x20 in 167 colours, of H.-y. Lee's Machine Learning (2016), lecture 17. Without a
    network, put pixel_color.txt and colormap.txt into a folder yourself.
    """
    from corpora import fetch

    with progress(quiet=as_json) as tell:
        folder = fetch.fetch(name, out or f"{name}-data", address=address, tell=tell)
    data = fetch.SETS[name]
    if as_json:
        print(json.dumps({"folder": str(folder), "files": list(data.files), "terms": data.terms}, indent=1))
        return 0
    print(f"fetched {folder}: {', '.join(data.files)}; {data.terms}")
    print(f"next: corpora build {data.source.format(folder)} --out {name}")
    return 0


def show(
    folder: Annotated[str, Argument(metavar="DIR", autocompletion=corpora)],
    n: Annotated[int, Option("-n", min=0, max=1_000_000, metavar="N", help="examples of each split")] = 5,
    verify: Annotated[bool, Option("--verify", help="read every byte and compare the hashes")] = False,
    as_json: Json = False,
) -> int:
    """Print what is in a corpus."""
    from corpora.codec import TextCodec
    from corpora.corpus import Corpus

    corpus = Corpus.open(folder, verify=verify)
    if not isinstance(corpus.codec, TextCodec):
        return _show_pictures(corpus, folder, verify, as_json)
    summary = {"fingerprint": corpus.fingerprint} | _summary(corpus) | {"splits": _shape(corpus)}
    examples = {
        name: [
            {"text": rows.text(i), **({} if rows.labels is None else {"label": rows.label(i)})}
            for i in _spread(len(rows), n)
        ]
        for name, rows in corpus.splits.items()
    }
    if as_json:
        print(json.dumps(summary | {"verified": verify, "examples": examples}, indent=1, ensure_ascii=False))
        return 0
    codec = corpus.codec
    _print_origin(corpus, folder, verify)
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


def _show_pictures(corpus: Corpus, folder: str, verify: bool, as_json: bool) -> int:
    from corpora.codecs.palette import Palette

    facts = {name: corpus.manifest["splits"][name] for name in corpus.splits}
    if as_json:
        summary = {"fingerprint": corpus.fingerprint} | _summary(corpus) | {"splits": facts}
        assert isinstance(corpus.codec, Palette)
        codec = {key: value for key, value in corpus.codec.to_dict().items() if key not in ("codec", "notes")}
        codec["order"] = corpus.codec.order
        print(json.dumps(summary | {"verified": verify, "palette": codec}, indent=1, ensure_ascii=False))
        return 0
    _print_origin(corpus, folder, verify)
    print(f"codec     {_codec(corpus)}")
    _print_losses(corpus)
    print(f"\n{'split':<7}{'rows':>12}{'tokens':>14}")
    for name, split in facts.items():
        print(f"{name:<7}{split['rows']:>12,}{split['tokens']:>14,}")
    return 0


def _print_origin(corpus: Corpus, folder: str, verify: bool) -> None:
    source = corpus.manifest["source"]
    print(f"{folder}  {corpus.fingerprint}{'  every byte verified' if verify else ''}")
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
