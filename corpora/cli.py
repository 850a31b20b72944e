"""The command `corpora`: list the sources and their settings, fetch data, build a corpus, show one."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Sequence
from typing import Annotated, Any, Literal

from typer import Argument, Option

from corpora import commands
from corpora.commands import Verb, complete_folders, new_file, printable, progress, split_words
from corpora.settings import names

ABOUT = "Corpora: sentences, pictures and sound as tokens, built once, opened instantly."
VERBS = {
    "list": Verb("corpora.cli", "the sources, their settings, and the codecs"),
    "build": Verb("corpora.cli", "build a corpus from files of text, pictures or sound"),
    "fetch": Verb("corpora.cli", "fetch the files of a data set"),
    "show": Verb("corpora.cli", "what is in a corpus"),
    "palette": Verb("corpora.cli", "the colours of a corpus or model as a palette file or a picture"),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point. Returns the exit code."""
    return commands.main("corpora", ABOUT, VERBS, argv)


def show_result(result: Any, as_json: bool) -> int:
    """Print a result, as JSON if that was asked for. Returns the exit code."""
    if as_json:
        print(json.dumps(result.to_dict(), ensure_ascii=False, indent=1))
    else:
        print(printable(str(result)))
    return 0


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
    from corpora import verbs

    return show_result(verbs.list_(), as_json)


def build(
    arguments: Annotated[
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
      corpora build sheet.png --out tiles tile=16x16 palette_file=sweetie16.gpl
      corpora build tiles.npz --out tiles label_array=category
      corpora build lecture:DIR --out sprites repair=true
      corpora build hf-images:ylecun/mnist --out digits label_column=label limit=10000

    `corpora list` prints every setting. A folder stands for the .txt and .txt.gz files in it or, where it has none, for
    the pictures (PNG, GIF, JPEG, WebP, BMP and others); their labels are the names of its sub-folders.
    """
    from corpora import verbs

    inputs, settings = split_words(arguments)
    if errors is not None:
        settings["errors"] = errors
    with progress(quiet=as_json) as tell:
        built = verbs.build(
            inputs, out, settings=settings, source=source, valid=valid, test=test, replace=replace, progress=tell
        )
    return show_result(built, as_json)


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
    from corpora import verbs

    with progress(quiet=as_json) as tell:
        fetched = verbs.fetch(name, out, address=address, tell=tell)
    return show_result(fetched, as_json)


def show(
    folder: Annotated[str, Argument(metavar="DIR", autocompletion=corpora)],
    n: Annotated[
        int | None,
        Option("-n", min=0, max=1_000_000, metavar="N", help="rows of each split (default 10); of pictures: in --out"),
    ] = None,
    out: Annotated[
        str | None, Option(metavar="FILE.png", help="of pictures: write a contact sheet, with the palette below")
    ] = None,
    force: Annotated[bool, Option("--force", help="replace the file of --out if it exists")] = False,
    verify: Annotated[bool, Option("--verify", help="read every byte and compare the hashes")] = False,
    as_json: Json = False,
) -> int:
    """Print what is in a corpus: its splits, what was dropped or changed, how long rows are, labels, and some rows; of
    pictures the palette, and with --out a contact sheet.

      corpora show poems
      corpora show icons --out icons.png
    """
    path = None if out is None else new_file(out, out, force)
    from corpora import verbs

    shown = verbs.show(folder, n=verbs.EXAMPLES if n is None else n, verify=verify)
    size = verbs.PICTURES if n is None else max(1, n)
    if path is not None:
        shown.save(path, size)
    code = show_result(shown, as_json)
    if as_json or shown.corpus.codec.shape is None:
        return code
    contact = shown.contact_sheet(size)
    if sys.stdout.isatty():
        from corpora.pictures import sheet

        print(f"\n{sheet.preview(contact.pixels, shutil.get_terminal_size().columns)}")
    if path is not None:
        lines = f"; lines from the top: {', '.join(contact.lines)}" if contact.lines else ""
        print(printable(f"\nwrote {path}: pictures of train over the palette{lines}"))
    return code


def palette(
    place: Annotated[str, Argument(metavar="CORPUS|MODEL", autocompletion=corpora)],
    out: Annotated[str, Option(metavar="FILE", help="the file to write; its ending chooses the format")],
    as_json: Json = False,
) -> int:
    """Write the palette of a corpus, a run or a model of pictures, in the order of its tokens.

      corpora palette icons --out icons.gpl
      corpora palette tiles --out tiles.png

    .gpl is for GIMP, Aseprite, Krita and Inkscape; .hex for Lospec; .pal is JASC's; .txt is Paint.NET's; .ase and .act
    are Adobe's; .png is an indexed picture of the swatches. `corpora build ... palette_file=FILE` reads all of them.
    """
    from corpora import verbs

    return show_result(verbs.palette(place, out), as_json)


if __name__ == "__main__":
    sys.exit(main())
