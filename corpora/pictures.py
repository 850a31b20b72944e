"""Build a corpus of pictures: read, bring to one size, split, make a palette, write a token for each pixel.

The source is read once, into a spool of pixels beside the corpus to be; splits and palette are decided from that, and
the spool is turned into tokens in chunks and removed. Memory stays flat but for 8 bytes for each picture, and the
different colours.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from corpora import codec as codecs
from corpora import files, split, store
from corpora import settings as parts
from corpora.codecs import palette
from corpora.codecs.palette import LARGEST, LONGEST_SIDE, ORDERS, Palette
from corpora.colour import on_white, pack, unpack
from corpora.errors import InputError, choose
from corpora.row import Picture
from corpora.settings import require, setting
from corpora.split import SPLITS

_CHUNK_BYTES = 8 << 20
_MOST_LABELS = 100_000

Size = tuple[int, int]  # height and width in pixels
_WAYS = {  # whether a view is mirrored and moved: what its tag says
    (False, False): "as it is",
    (True, False): "mirrored",
    (False, True): "moved",
    (True, True): "mirrored and moved",
}


@dataclass(frozen=True)
class Config:
    """What becomes of the pictures."""

    size: str | None = setting(None, "HEIGHTxWIDTH of every picture in pixels; by default that of the first")
    fit: str = setting(
        "exact",
        "pictures of another size: exact (an error), crop (the centre), pad (transparent around it), "
        "resize (nearest neighbour)",
    )
    tile: str | None = setting(
        None, "HEIGHTxWIDTH: cut sheets into tiles of this size; wholly transparent ones are left out"
    )
    alpha: int = setting(128, "a pixel with a smaller alpha is transparent; 0: none is, all are laid on white")
    colours: int | None = setting(None, "colours at most, the transparent one included; by default as delta_e asks")
    delta_e: float = setting(10.0, "take so many colours that 95 % of pixels change by this Delta E (CIE76) at most")
    palette_file: str | None = setting(None, "take the colours of this file, a line `red green blue` for each")
    codec_from: str | None = setting(None, "take size, palette and order of this corpus or model folder")
    order: str | None = setting(
        None,
        "in which models go through the pixels: down (rows from the top; the default), up (rows from the bottom), "
        "right (columns from the left) or left (columns from the right)",
    )
    valid_share: float = setting(0.1, "share of the different pictures held out for validation, where none are given")
    test_share: float = setting(0.1, "share of the different pictures held out for the test, where none are given")
    split_seed: int = setting(0, "which pictures are held out")
    limit: int | None = setting(None, "read so many pictures of the input at most")
    keep_duplicates: bool = setting(False, "keep pictures that are the same, in one split and across given ones")
    flip: bool = setting(False, "mirror half of the views")
    shift: int = setting(
        0, "move half of the views by up to so many pixels; what fit=crop cut off, or else the edge, comes into sight"
    )
    views: int | None = setting(
        None, "more training rows: so many of every picture, by flip and shift (by default 1, with shift 15)"
    )
    tag: bool = setting(False, "label training rows by what was done: as it is, mirrored, moved or mirrored and moved")

    def check(self) -> None:
        """Raise InputError for values that cannot work."""
        size_of("size", self.size)
        size_of("tile", self.tile)
        choose("fit", self.fit, ("exact", "crop", "pad", "resize"))
        require(0 <= self.alpha <= 255, "alpha", self.alpha, "a number from 0 to 255")
        require(
            self.colours is None or 2 <= self.colours <= LARGEST, "colours", self.colours, f"between 2 and {LARGEST:,}"
        )
        if self.order is not None:
            choose("order", self.order, ORDERS)
        require(self.delta_e > 0, "delta_e", self.delta_e, "a difference above 0")
        split.check(self.valid_share, self.test_share, self.split_seed)
        require(self.limit is None or self.limit >= 1, "limit", self.limit, "at least 1 picture")
        if self.fit != "exact" and self.size is None and self.codec_from is None:
            raise InputError(f"fit={self.fit} needs a size to bring the pictures to: add size=HEIGHTxWIDTH")
        require(0 <= self.shift <= 64, "shift", self.shift, "0 to 64 pixels")
        require(self.views is None or 0 <= self.views <= 10_000, "views", self.views, "0 to 10,000")
        if not (self.flip or self.shift) and (self.views or self.tag):
            raise InputError("views and tag are of mirrored and moved pictures: add flip=true or shift=PIXELS")
        given = [key for key in ("colours", "palette_file", "codec_from") if getattr(self, key) is not None]
        if len(given) > 1:
            raise InputError(f"{' and '.join(given)} each decide the colours: leave out all but one")

    def seen(self) -> list[tuple[bool, bool]]:
        """Of every training picture the rows that are made: whether each is mirrored, and moved. The first is as it is,
        and those that follow are changed in turn, so that half of all are mirrored and half moved."""
        views = self.views if self.views is not None else 15 if self.shift else int(self.flip)
        ways = [(m, s) for s in (False, True)[: 1 + (self.shift > 0)] for m in (False, True)[: 1 + self.flip]]
        return [ways[view % len(ways)] for view in range(1 + views)]

    def ways(self) -> list[tuple[bool, bool]]:
        """The different ones among `seen`, in their order: a tag for each."""
        return list(dict.fromkeys(self.seen()))


def size_of(key: str, given: str | None) -> Size | None:
    """`20x30` as (height, width). Raises InputError naming the setting `key` for anything else."""
    if given is None:
        return None
    found = re.fullmatch(r"([0-9]{1,5})x([0-9]{1,5})", given.lower())
    sides = (int(found[1]), int(found[2])) if found else (0, 0)
    expected = f"HEIGHTxWIDTH, each from 1 to {LONGEST_SIDE:,} pixels, such as 20x20"
    require(all(1 <= side <= LONGEST_SIDE for side in sides), key, given, expected)
    return sides


def build_pictures(
    rows: Mapping[str, Iterable[Picture]],
    out: Path,
    *,
    settings: Mapping[str, Any] | None = None,
    colours: Sequence[Sequence[int]] | None = None,
    source: Callable[[], dict[str, Any]] | None = None,
    replace: bool = False,
    progress: Callable[[str, int], None] | None = None,
) -> None:
    """Build the corpus `out` of the pictures of `train`, and of `valid` and `test` where they are given.

    Where only `train` is given, the pictures fall into the splits they name or, if none does, are split by a hash of
    their pixels. `colours` (red, green, blue) are the palette in its order, unless `settings`, those of `Config`,
    say otherwise; `source`, called at the end, describes where the pictures are from. Raises InputError for anything
    wrong; then, as when interrupted, nothing is left behind.
    """
    (config,) = parts.override([Config()], settings or {})
    tell = progress or (lambda what, count: None)
    codec: Palette | None = None
    if config.codec_from is not None:
        found = codecs.read(Path(config.codec_from))
        if not isinstance(found, Palette):
            raise InputError(f"codec_from={config.codec_from}: its codec is {found.name}; pictures need a palette")
        codec = found
    if config.palette_file is not None:
        colours = palette.read_palette(Path(config.palette_file))
    elif config.colours is not None:
        colours = None
    if replace and out.exists() and not (out / files.MANIFEST).is_file():
        raise InputError(f"{files.quoted_path(out)} is not a corpus, so it is not replaced: remove it yourself")
    files.sweep(out)
    with files.new_folder(out, replace=replace) as folder, files.explained(out):
        fitting = _Fitting(config, codec)
        names: dict[str, int] = {}
        spools = {
            name: _Spool(
                folder / f"{name}.spool", fitting.pictures(rows[name], name), name == "train", config, names, tell
            )
            for name in SPLITS
            if name in rows
        }
        kept, removed, repeated = _assign(spools, config)
        origin, numbers = kept["train"]
        rgb, counts, transparent = _colours(spools[origin].whole(numbers))
        if codec is None and colours is None:
            tell("making the palette", 0)
            codec = palette.build_palette(
                rgb, counts, *fitting.size, colours=config.colours, delta_e=config.delta_e, transparent=transparent
            )
        elif codec is None:
            codec = _given(colours or [], fitting.size, transparent, rgb, counts)
        if config.order is not None:
            codec = Palette(codec.colours, *fitting.size, order=config.order, notes=codec.notes)
        files.write_file(folder / codecs.FILE, files.to_json(codec.to_dict()))
        far = palette.distortion(codec, rgb, counts)
        notes = [*codec.notes, *fitting.notes()]
        if config.codec_from is not None:
            notes.insert(0, f"the palette is that of codec_from; for these pictures: {far}; how it was made:")
        if config.tag and names:
            raise InputError("tag=true: the pictures have labels already; leave out one of the two")
        names.update({_WAYS[way]: number for number, way in enumerate(config.ways())} if config.tag else {})
        facts = _write(folder, kept, spools, codec, config, labels=bool(names), tell=tell)
        read = sum(spool.count for spool in spools.values()) + fitting.empty_tiles
        for spool in spools.values():
            spool.path.unlink()
        files.write_manifest(
            folder,
            {
                "format": store.FORMAT,
                "source": source() if source else {"name": "pictures at hand", "settings": {}, "inputs": {}},
                "settings": {
                    key: Path(value).name if key in ("palette_file", "codec_from") and value else value
                    for key, value in asdict(config).items()
                },
                "codec": {"name": codec.name, "vocab_size": codec.vocab_size},
                "palette": {
                    "split": "train",
                    "rmse": round(far.rmse, 3),
                    "delta_e_mean": round(far.mean, 3),
                    "delta_e_95": round(far.most, 3),
                },
                "read": read,
                "dropped": {
                    reason: count
                    for reason, count in (("duplicates", repeated), ("transparent tiles", fitting.empty_tiles))
                    if count
                },
                "held_out_duplicates_removed": removed,
                "originals": len(numbers),  # the first rows of train; views of them follow
                "splits": facts,
                "label_names": list(names),
                "notes": notes,
            },
        )


class _Fitting:
    """Brings pictures to one size and counts what it does."""

    def __init__(self, config: Config, codec: Palette | None) -> None:
        self._config = config
        self._tile = size_of("tile", config.tile)
        self._size = size_of("size", config.size)
        if codec is not None:
            if self._size not in (None, (codec.height, codec.width)):
                raise InputError(
                    f"size={config.size}: the palette of codec_from is for pictures of {codec.height}x{codec.width}"
                )
            self._size = (codec.height, codec.width)
        self._asked = self._size is not None
        self._first = ""
        self.empty_tiles = 0
        self._done: Counter[str] = Counter()

    @property
    def size(self) -> Size:
        """Height and width of all pictures; known once there is one."""
        assert self._size is not None
        return self._size

    def notes(self) -> list[str]:
        """What was done to pictures, and to how many: a line for each thing."""
        return [f"{count:,} {'picture' if count == 1 else 'pictures'} {what}" for what, count in self._done.items()]

    def pictures(self, rows: Iterable[Picture], where: str) -> Iterator[Picture]:
        """The pictures, or their tiles, in the size of all. Raises InputError for one that cannot be brought to it."""
        some = False
        for picture in rows:
            self._done.update(picture.done)
            for one in self._tiles(picture):
                some = True
                yield self._fitted(one)
        if not some:
            what = f"all tiles are transparent ({self.empty_tiles:,})" if self.empty_tiles else "none was read"
            raise InputError(f"no picture for {where}: {what}")

    def _tiles(self, picture: Picture) -> Iterator[Picture]:
        if self._tile is None:
            yield picture
            return
        height, width = self._tile
        rows, columns = picture.pixels.shape[0] // height, picture.pixels.shape[1] // width
        if not (rows and columns):
            raise InputError(
                f"{picture.name} is {_shape(picture)}, smaller than tile={height}x{width}: choose smaller tiles"
            )
        if (rows * height, columns * width) != picture.pixels.shape[:2]:
            self._done[f"cut into tiles of {height}x{width} that leave a margin over at the right or below"] += 1
        for row in range(rows):
            for column in range(columns):
                part = picture.pixels[row * height : (row + 1) * height, column * width : (column + 1) * width]
                if (part[..., 3] < max(1, self._config.alpha)).all():
                    self.empty_tiles += 1
                else:
                    name = f"{picture.name}, tile {row}.{column}"
                    yield picture._replace(pixels=part, name=name, within=None)

    def _fitted(self, picture: Picture) -> Picture:
        pixels, fit, (tall, wide) = picture.pixels, self._config.fit, picture.pixels.shape[:2]
        if self._size is None:
            if not (1 <= tall <= LONGEST_SIDE and 1 <= wide <= LONGEST_SIDE):
                raise InputError(
                    f"{picture.name} is {tall}x{wide}: pictures may have sides of 1 to {LONGEST_SIDE:,} pixels; cut it "
                    "into tiles (tile=HEIGHTxWIDTH) or make it smaller (size=HEIGHTxWIDTH fit=resize)"
                )
            self._size, self._first = (tall, wide), picture.name
        height, width = self._size
        if (tall, wide) == self._size:
            return picture
        if fit == "exact":
            ways = f"fit=crop, fit=pad or fit=resize{'' if self._asked else ' and size=HEIGHTxWIDTH'} bring all to one"
            other = f"not {height}x{width}" if self._asked else f"but {self._first} is {height}x{width}"
            raise InputError(f"{picture.name} is {tall}x{wide}, {other}: {ways}")
        what = {"crop": "cropped", "pad": "padded", "resize": "resized"}[fit]
        self._done[f"{what} to {height}x{width}"] += 1
        if fit == "resize":
            down = (2 * np.arange(height) + 1) * tall // (2 * height)  # the pixel under the middle of the new one
            across = (2 * np.arange(width) + 1) * wide // (2 * width)
            return picture._replace(pixels=pixels[down[:, None], across], within=None)
        top, left = (tall - height) // 2, (wide - width) // 2
        if fit == "crop":
            if top < 0 or left < 0:
                raise InputError(
                    f"{picture.name} is {tall}x{wide}, too small to crop to {height}x{width}: use fit=pad or fit=resize"
                )
            cut = pixels[top : top + height, left : left + width]
            return picture._replace(pixels=cut, within=(pixels, top, left))
        if tall > height or wide > width:
            raise InputError(
                f"{picture.name} is {tall}x{wide}, too large to pad to {height}x{width}: use fit=crop or fit=resize"
            )
        out = np.zeros((height, width, 4), np.uint8)
        top, left = (height - tall) // 2, (width - wide) // 2
        out[top : top + tall, left : left + wide] = pixels
        return picture._replace(pixels=out, within=None)


class _Spool:
    """The pictures of one input on disk, end to end, with `shift` pixels around each of those to train on; their
    labels, splits and hashes in memory."""

    def __init__(
        self,
        path: Path,
        pictures: Iterable[Picture],
        limited: bool,
        config: Config,
        names: dict[str, int],
        tell: Callable[[str, int], None],
    ) -> None:
        self.path = path
        labels, splits, hashes = [], [], []
        salt = config.split_seed.to_bytes(8, "little")
        self._shape: tuple[int, ...] = ()
        self._margin = config.shift if limited else 0
        with path.open("xb") as file:
            for picture in islice(pictures, config.limit if limited else None):
                pixels = _plain(picture.pixels, config.alpha)
                around = _plain(_around(picture, self._margin), config.alpha) if self._margin else pixels
                self._shape = around.shape
                file.write(around.tobytes())
                digest = hashlib.blake2b(pixels.tobytes(), digest_size=8, salt=salt).digest()
                hashes.append(int.from_bytes(digest, "little"))
                if picture.label is not None and picture.label not in names:
                    if len(names) >= _MOST_LABELS:
                        raise InputError(f"more than {_MOST_LABELS:,} different labels: are these classes?")
                    names[picture.label] = len(names)
                labels.append(-1 if picture.label is None else names[picture.label])
                splits.append(-1 if picture.split is None else SPLITS.index(picture.split))
                if len(labels) % 1000 == 0:
                    tell("reading", len(labels))
        self.count = len(labels)
        self.labels, self.splits = np.array(labels, np.int32), np.array(splits, np.int8)  # (n,), -1 for none
        self.hashes = np.array(hashes, np.uint64)  # (n,)

    def views(
        self, numbers: np.ndarray, mirrored: bool, moved: bool, seed: Sequence[int]
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """The pictures of ascending numbers (n,), in chunks of (pixels (B, H, W, 4), numbers (B,)); how far each is
        moved is drawn by `seed` and its number."""
        for pixels, some in self.whole(numbers):
            reach, (tall, wide) = self._margin, (side - 2 * self._margin for side in pixels.shape[1:3])
            out = np.empty((len(some), tall, wide, 4), np.uint8)
            for place, number in enumerate(some.tolist()):
                top, left = (
                    np.random.default_rng([*seed, number]).integers(0, 2 * reach + 1, 2) if moved else (reach, reach)
                )
                out[place] = pixels[place, top : top + tall, left : left + wide]
            yield out[:, :, ::-1] if mirrored else out, some

    def whole(self, numbers: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """The same, as they are, with what lies around them and a view may see."""
        pixels = np.memmap(self.path, np.uint8, "r").reshape(self.count, *self._shape)
        step = max(1, _CHUNK_BYTES // int(np.prod(self._shape)))
        for start in range(0, len(numbers), step):
            some = numbers[start : start + step]
            yield pixels[some], some


# Of each split: from which input, and the numbers of its pictures there, ascending (n,).
Kept = dict[str, tuple[str, np.ndarray]]


def _assign(spools: Mapping[str, _Spool], config: Config) -> tuple[Kept, dict[str, int], int]:
    """Which pictures make up each split; how many held-out ones are removed for standing in another, by split; and
    how many are dropped as repeated within one."""
    if len(spools) > 1:
        pools = {name: (name, np.arange(spool.count)) for name, spool in spools.items()}
    else:
        whole = spools["train"]
        if (whole.splits >= 0).any():
            places = np.where(whole.splits < 0, 0, whole.splits)
        else:
            decide = split.by_hash(whole.count, lambda: iter([whole.hashes]), config.valid_share, config.test_share)
            places = decide(whole.hashes)
        shares = {"train": 1.0, "valid": config.valid_share, "test": config.test_share}
        pools = {
            name: ("train", np.flatnonzero(places == place))
            for place, name in enumerate(SPLITS)
            if (places == place).any() or ((whole.splits < 0).all() and shares[name] > 0)
        }
    removed = {name: 0 for name in pools if name != "train"} if len(spools) > 1 else {}
    repeated = 0
    if config.keep_duplicates:
        return pools, removed, repeated
    seen: list[np.ndarray] = []
    kept: Kept = {}
    # A picture stays in train before test, and in test before valid, as rows of text do.
    for name in sorted(pools, key=("train", "test", "valid").index):
        spool, numbers = pools[name]
        hashes = spools[spool].hashes[numbers]
        elsewhere = np.isin(hashes, np.concatenate(seen)) if seen else np.zeros(len(hashes), bool)
        firsts = np.zeros(len(hashes), bool)
        firsts[np.unique(hashes, return_index=True)[1]] = True
        repeated += int((~firsts & ~elsewhere).sum())
        if elsewhere.any():
            removed[name] = removed.get(name, 0) + int(elsewhere.sum())
        kept[name] = (spool, numbers[firsts & ~elsewhere])
        seen.append(hashes)
        if not len(kept[name][1]):
            if len(hashes):
                raise InputError(f"every picture of {name} stands in another split; keep_duplicates=true keeps them")
            raise InputError(
                f"no picture fell into {name}: there are too few different ones; raise {name}_share, or set it to 0"
            )
    return {name: kept[name] for name in SPLITS if name in kept}, removed, repeated


def _colours(chunks: Iterable[tuple[np.ndarray, np.ndarray]]) -> tuple[np.ndarray, np.ndarray, bool]:
    """The different colours of opaque pixels (N, 3) uint8, how often each occurs (N,), and whether any pixel is
    transparent."""
    numbers, counts, transparent = np.zeros(0, np.uint32), np.zeros(0, np.int64), False
    for pixels, _ in chunks:
        flat = pixels.reshape(-1, 4)
        opaque = flat[:, 3] > 0
        transparent |= not opaque.all()
        own, times = np.unique(pack(flat[opaque]), return_counts=True)
        numbers, places = np.unique(np.concatenate([numbers, own]), return_inverse=True)
        counts = np.bincount(places, np.concatenate([counts, times]), len(numbers)).astype(np.int64)
    return unpack(numbers), counts, transparent


def _given(
    colours: Sequence[Sequence[int]], size: Size, transparent: bool, rgb: np.ndarray, counts: np.ndarray
) -> Palette:
    """The palette of colours that are given, with the transparent one in front if there are transparent pixels."""
    entries = [(0, 0, 0, 0)] * transparent + [(*map(int, colour), 255) for colour in colours]
    codec = Palette(entries, *size)
    far = palette.distortion(codec, rgb, counts)
    note = f"the {len(entries):,} colours are as given"
    if far.rmse:
        note += f"; for the {len(rgb):,} of the pictures: {far}"
    return Palette(entries, *size, notes=[note])


def _write(
    folder: Path,
    kept: Kept,
    spools: Mapping[str, _Spool],
    codec: Palette,
    config: Config,
    *,
    labels: bool,
    tell: Callable[[str, int], None],
) -> dict[str, dict[str, int]]:
    """Write the arrays of every split, of train with the views of its pictures; the facts of each for the manifest."""
    facts, done = {}, 0
    with ExitStack() as stack:
        for name, (origin, numbers) in kept.items():
            writer = stack.enter_context(store.Writer(folder, name, codec.vocab_size, labels=labels))
            for view, way in enumerate(config.seen() if name == "train" else [(False, False)]):
                for pixels, some in spools[origin].views(numbers, *way, seed=(config.split_seed, view)):
                    own = np.full(len(some), config.ways().index(way)) if config.tag else spools[origin].labels[some]
                    writer.add(codec.encode_many(pixels).tolist(), own)
                    done += len(some)
                    tell("writing", done)
            facts[name] = {"rows": writer.rows, "tokens": writer.tokens, "longest": writer.longest}
    return facts


def _around(picture: Picture, margin: int) -> np.ndarray:
    """The picture with `margin` pixels more on each side: of what it is cut from, and beyond that its edge again."""
    whole, top, left = picture.within or (picture.pixels, 0, 0)
    tall, wide = picture.pixels.shape[:2]
    down = np.arange(top - margin, top + tall + margin).clip(0, whole.shape[0] - 1)
    across = np.arange(left - margin, left + wide + margin).clip(0, whole.shape[1] - 1)
    return whole[down[:, None], across]


def _plain(pixels: np.ndarray, alpha: int) -> np.ndarray:
    """Pixels whose alpha is 0 or 255: below the threshold (0, 0, 0, 0), above it as they are without their alpha.
    A threshold of 0 lays all on white."""
    if alpha == 0:
        return on_white(pixels)
    out = np.array(pixels)
    clear = pixels[..., 3] < alpha
    out[..., 3] = 255
    out[clear] = 0
    return out


def _shape(picture: Picture) -> str:
    return f"{picture.pixels.shape[0]}x{picture.pixels.shape[1]}"
