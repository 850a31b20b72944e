"""Pictures: brought to one size, their colours gathered in a palette, a token for each pixel."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from corpora import settings as parts
from corpora.codec import Codec
from corpora.codecs import palette
from corpora.codecs.palette import LARGEST, LONGEST_SIDE, OPAQUE, ORDERS, Palette
from corpora.errors import InputError, counted
from corpora.files import quoted_path
from corpora.modality import BuildConfig, Chooser, Items, Modality, Preparation, Progress, codec_of
from corpora.pictures import fitting, palettes, sheet, tiles
from corpora.pictures.colour import on_white, pack, unpack
from corpora.pictures.twins import Twins
from corpora.row import Entry, Picture, data_hash
from corpora.settings import require, setting

Size = tuple[int, int]  # height and width in pixels
AUTO, KEEP = "auto", "keep"  # what alpha= says of half-transparent pixels, beside a number
_WAYS = {  # the tag of a view that is or is not mirrored, and moved
    (False, False): "as it is",
    (True, False): "mirrored",
    (False, True): "moved",
    (True, True): "mirrored and moved",
}
DROP = "drop"  # the fit that leaves pictures of another size out


@dataclass(frozen=True)
class Config(BuildConfig):
    """Settings of every build of pictures."""

    size: str | None = setting(None, "HEIGHTxWIDTH of every picture in pixels; by default that of the first")
    fit: str = setting(
        "exact",
        "pictures of another size: exact (an error), drop (left out), crop (the centre), pad (transparent around it), "
        "resize (area for photographs, nearest for pixel art, by the number of colours), area (means) or nearest "
        "(pixels)",
        choices=("exact", DROP, *fitting.WAYS),
    )
    tile: str | None = setting(
        None, "HEIGHTxWIDTH: cut sheets into tiles of this size; wholly transparent ones are left out"
    )
    margin: int | None = setting(
        None, "pixels around the tiles of a sheet; by default as lines of one colour show", low=0, high=4096
    )
    spacing: int | None = setting(
        None, "pixels between the tiles of a sheet; by default as lines of one colour show", low=0, high=4096
    )
    trim: bool = setting(False, "cut empty edges off each picture or tile: transparent, or of one colour")
    alpha: int | str = setting(
        AUTO,
        "half-transparent pixels: keep (alpha levels in the palette), auto (keep, where all colours fit into it, else "
        "128) or a number: a smaller alpha is transparent, others are opaque; 0: all are laid on white",
    )
    colours: int | None = setting(
        None, "colours at most, the transparent one included; by default as delta_e asks", low=2, high=LARGEST
    )
    delta_e: float = setting(
        10.0, "take so many colours that 95 % of pixels change by this Delta E (CIE76) at most", above=0
    )
    palette_file: str | None = setting(
        None,
        "take the colours of this file: .gpl, .hex, .pal, .txt, .ase, .act, an indexed PNG, lines `red green blue`",
    )
    codec_from: str | None = setting(None, "take size, palette and order of this corpus, run or model")
    order: str | None = setting(
        None,
        "in which models go through the pixels: down (rows from the top; the default), up (rows from the bottom), "
        "right (columns from the left) or left (columns from the right)",
        choices=tuple(ORDERS),
    )
    twins: bool = setting(True, "hold near-duplicates (mirrored, turned and moved ones too) together in one split")
    keep_duplicates: bool = setting(False, "keep pictures that are the same, in one split and across given ones")
    flip: bool = setting(False, "mirror half of the views")
    shift: int = setting(
        0,
        "move half of the views by up to so many pixels; what fit=crop cut off, or else the edge, comes into sight",
        low=0,
        high=64,
        unit="pixels",
    )
    views: int | None = setting(
        None,
        "more training rows: so many of every picture, by flip and shift (by default 1, with shift 15)",
        low=0,
        high=10_000,
    )
    tag: bool = setting(False, "label training rows by what was done: as it is, mirrored, moved or mirrored and moved")

    def check(self) -> None:
        """Raise InputError for settings that do not go together."""
        super().check()
        size_of("size", self.size)
        size_of("tile", self.tile)
        if isinstance(self.alpha, str):
            require(self.alpha in (AUTO, KEEP), "alpha", self.alpha, f"{AUTO}, {KEEP}, or 0 to 255")
        else:
            require(0 <= self.alpha <= 255, "alpha", self.alpha, f"0 to 255, {AUTO} or {KEEP}")
        if self.tile is None and (self.margin or self.spacing):
            raise InputError("margin and spacing are of the tiles of a sheet: add tile=HEIGHTxWIDTH")
        if self.fit != "exact" and self.size is None and self.codec_from is None:
            raise InputError(f"fit={self.fit} needs a size to bring the pictures to: add size=HEIGHTxWIDTH")
        if not (self.flip or self.shift) and (self.views or self.tag):
            raise InputError("views and tag are of mirrored and moved pictures: add flip=true or shift=PIXELS")
        deciding = [key for key in ("colours", "palette_file", "codec_from") if getattr(self, key) is not None]
        if len(deciding) > 1:
            raise InputError(f"{' and '.join(deciding)} each decide the colours: leave out all but one")

    def seen(self) -> list[tuple[bool, bool]]:
        """The rows that are made of every training picture: whether each is mirrored, and moved.

        The first is as it is, and those that follow are changed in turn, so that half of all are mirrored and half
        moved.
        """
        views = self.views if self.views is not None else 15 if self.shift else int(self.flip)
        ways = [(m, s) for s in (False, True)[: 1 + (self.shift > 0)] for m in (False, True)[: 1 + self.flip]]
        return [ways[view % len(ways)] for view in range(1 + views)]

    def ways(self) -> list[tuple[bool, bool]]:
        """The different ones among `seen`, in their order: a tag for each."""
        return list(dict.fromkeys(self.seen()))


def size_of(key: str, text: str | None) -> Size | None:
    """`20x30` as (height, width). Raises InputError naming the setting `key` for anything else."""
    if text is None:
        return None
    match = re.fullmatch(r"([0-9]{1,5})x([0-9]{1,5})", text.lower())
    sides = (int(match[1]), int(match[2])) if match else (0, 0)
    expected = f"HEIGHTxWIDTH, each from 1 to {LONGEST_SIDE:,} pixels, such as 20x20"
    require(all(1 <= side <= LONGEST_SIDE for side in sides), key, text, expected)
    return sides


class Pictures(Modality):
    """Pictures of one size."""

    name, unit, units, program = "picture", "picture", "pictures", "imagegen"

    def configs(self) -> list[Any]:
        return [Config()]

    def prepare(
        self, settings: Mapping[str, Any], codec: Codec | None, about: Mapping[str, Any], chooser: Chooser | None
    ) -> Preparation:
        (config,) = parts.override(self.configs(), settings)
        codec = codec or codec_of(config, self)
        if not isinstance(codec, Palette | None):
            raise InputError(f"the codec {codec.name} is for {codec.things}: pictures need a palette")
        colours, notes = about.get("colours"), []
        if config.palette_file is not None:
            listed = palettes.read(config.palette_file)
            name = quoted_path(Path(config.palette_file).name)
            colours, notes = listed.colours, [f"{name}: {note}" for note in listed.notes]
            if listed.transparent:  # not the first
                notes.append(f"{name}: its transparent colour, number {listed.transparent}, is moved to the front")
        elif config.colours is not None:
            colours = None
        return _Preparation(config, codec, colours, notes)

    def describe(self, codec: Codec) -> str:
        assert isinstance(codec, Palette)
        clear = ", one of them transparent" if codec.transparent else ""
        half = sum(0 < colour[3] < 255 for colour in codec.colours)
        clear += f", {half:,} half transparent" if half else ""
        order = "" if codec.order == "down" else f", order {codec.order}"
        return f"palette of {codec.vocab_size:,} colours{clear}, pictures of {codec.height}x{codec.width}{order}"

    def preview(self, codec: Codec, rows: Sequence[Sequence[int]], folder: Path, stem: str) -> list[tuple[str, str]]:
        drawn = sheet.grid([codec.decode(row) for row in rows])
        folder.mkdir(parents=True, exist_ok=True)
        height, width = drawn.shape[:2] if codec.shape is None else codec.shape
        path = sheet.write(folder / f"{stem}.png", sheet.png(drawn, sheet.scale_for(height, width)))
        return [("samples", path.name)]


class _Preparation(Preparation):
    """Brings pictures to one size, gathers their colours, and draws the views."""

    config: Config

    def __init__(
        self,
        config: Config,
        codec: Palette | None,
        colours: Sequence[Sequence[int]] | None,
        notes: Sequence[str] = (),
    ) -> None:
        self.config, self._codec, self._colours, self._notes = config, codec, colours, list(notes)
        self._fitting = _Fitting(config, codec)
        self._threshold = config.alpha if isinstance(config.alpha, int) else OPAQUE
        self._keeps = False  # whether half-transparent pixels stay so, once the colours are known
        self._half, self._foreign = _Half(), _Foreign()
        self._far = palette.Distortion(0, 0, 0)
        self._twins = Twins() if config.twins else None
        self._margins = {"train": config.shift}  # pixels around each picture that its views may show
        self._ways = config.seen()
        self.views = len(self._ways)

    def entries(self, items: Iterable[Picture], split: str) -> Iterator[Entry]:
        margin, seed = self._margins.get(split, 0), self.config.split_seed
        left = self.config.limit if split == "train" else None
        for picture in self._fitting.pictures(items):
            if isinstance(picture, str):
                yield Entry(dropped=picture)
                continue
            pixels, half = self._spooled(picture.pixels), self._half.count(picture.pixels, self._threshold)
            around = self._spooled(_around(picture, margin)) if margin else pixels
            if self._twins is not None:
                self._twins.add(split, pixels)
            # half-transparent pixels make a picture another one, which stays beside those that are the same without
            key, group = data_hash(pixels.tobytes(), seed), None
            if picture.group is not None:
                group = data_hash(picture.group.encode(), seed)
            elif half and not isinstance(self.config.alpha, int):
                group = data_hash(_plain(picture.pixels, self._threshold).tobytes(), seed)
            yield Entry(around.tobytes(), key, picture.label, picture.split, group=group)
            left = None if left is None else left - 1
            if left == 0:
                return

    def _spooled(self, pixels: np.ndarray) -> np.ndarray:
        """Pixels as they are kept until the palette is there: their alpha settled if a number settles it."""
        return _plain(pixels, self._threshold) if isinstance(self.config.alpha, int) else _cleared(pixels)

    def twins(self) -> Mapping[str, np.ndarray] | None:
        shares = [share for share in (self.config.valid_share, self.config.test_share) if share > 0]
        return None if self._twins is None else self._twins.find(min(shares, default=1.0))

    def fit_codec(self, items: Items, tell: Progress) -> Codec:
        colours, counts, transparent = self._gathered(items)
        size, config, codec = self._fitting.size, self.config, self._codec
        if codec is None and self._colours is not None:
            levels = any(0 < alpha < 255 for *_, alpha in (colour for colour in self._colours if len(colour) > 3))
            codec = _listed(self._colours, size, transparent or bool((colours[:, 3] < OPAQUE).any() and not levels))
        self._keeps = self._decided(codec, len(colours) + transparent)
        if not self._keeps:
            colours, counts, transparent = _settled(colours, counts, transparent)
        if codec is None:
            tell("making the palette", 0)
            codec = palette.build_palette(
                colours, counts, *size, colours=config.colours, delta_e=config.delta_e, transparent=transparent
            )
        elif self._codec is None:
            codec = _noted(codec, colours, counts, any(tuple(one[3:]) == (0,) for one in self._colours or []))
        if config.order is not None:
            codec = Palette(codec.colours, *size, order=config.order, notes=codec.notes)
        self._far = palette.distortion(codec, colours, counts)
        return codec

    def _decided(self, codec: Palette | None, count: int) -> bool:
        """Whether half-transparent pixels keep their alpha: as asked for, where the palette has or can have such
        colours; `count` is the number of all different colours."""
        if isinstance(self.config.alpha, int):
            return False
        if codec is not None:
            return codec.levels
        return self.config.alpha == KEEP or count <= (self.config.colours or palette.EXACT)

    def _gathered(self, items: Items) -> tuple[np.ndarray, np.ndarray, bool]:
        """The different colours of pixels that are not wholly transparent (N, 4) uint8, how often each occurs (N,), and
        whether any pixel is transparent."""
        numbers, counts, transparent = np.zeros(0, np.uint32), np.zeros(0, np.int64), False
        for data, _ in items.chunks():
            flat = np.frombuffer(b"".join(data), np.uint8).reshape(-1, 4)
            seen = flat[:, 3] > 0
            transparent |= not seen.all()
            own, times = np.unique(palette.pack_alpha(flat[seen]), return_counts=True)
            numbers, places = np.unique(np.concatenate([numbers, own]), return_inverse=True)
            counts = np.bincount(places, np.concatenate([counts, times]), len(numbers)).astype(np.int64)
        return palette.unpack_alpha(numbers), counts, transparent

    def tokens(self, codec: Codec, data: Sequence[bytes], numbers: np.ndarray, view: int) -> Sequence[Sequence[int]]:
        assert isinstance(codec, Palette)
        if not data:
            return []
        (tall, wide), (mirrored, moved) = self._fitting.size, self._ways[view]
        out = np.empty((len(data), tall, wide, 4), np.uint8)
        for place, (raw, number) in enumerate(zip(data, numbers.tolist(), strict=True)):
            reach = 0 if len(raw) == tall * wide * 4 else self._margins["train"]
            top = left = reach
            if moved:  # drawn from the seed, the view and the picture's number alone
                seed = [self.config.split_seed, view, number]
                top, left = np.random.default_rng(seed).integers(0, 2 * reach + 1, 2)
            pixels = np.frombuffer(raw, np.uint8).reshape(tall + 2 * reach, wide + 2 * reach, 4)
            out[place] = pixels[top : top + tall, left : left + wide]
        if not self._keeps:
            out = _plain(out, self._threshold)
        rows = codec.encode_many(out[:, :, ::-1] if mirrored else out)
        if self._far.rmse == 0 and not (mirrored or moved):  # every colour of train is there
            self._foreign.count(out, np.array(codec.colours, np.uint8)[codec.unscan(rows)])
        return rows.tolist()

    def tags(self) -> list[str]:
        return [_WAYS[way] for way in self.config.ways()] if self.config.tag else []

    def tag(self, view: int) -> int:
        return self.config.ways().index(self._ways[view])

    def notes(self, codec: Codec) -> list[str]:
        own = [*self._half.notes(self._keeps, self.config.alpha), *self._foreign.notes()]
        own += [] if self._twins is None else self._twins.notes("pictures")
        notes = [*codec.notes, *self._notes, *self._fitting.notes(), *own]
        if self.config.codec_from is not None:
            notes.insert(0, f"the palette is that of codec_from; for these pictures: {self._far}; how it was made:")
        return notes

    def facts(self, train: int) -> dict[str, Any]:
        far = {"rmse": self._far.rmse, "delta_e_mean": self._far.mean, "delta_e_95": self._far.most}
        return {
            "palette": {"split": "train"} | {name: round(value, 3) for name, value in far.items()},
            "originals": train,  # the first rows of train; views of them follow
        }


class _Half:
    """Counts the pixels that are half transparent, and those that a threshold makes opaque or transparent."""

    def __init__(self) -> None:
        self._pixels = self._half = self._opaque = 0

    def count(self, pixels: np.ndarray, threshold: int) -> bool:
        """Count those of a picture; whether there are any."""
        alpha = pixels[..., 3]
        half = alpha[(alpha > 0) & (alpha < 255)]
        self._pixels += alpha.size
        self._half += half.size
        self._opaque += int((half >= threshold).sum())
        return bool(half.size)

    def notes(self, kept: bool, alpha: int | str) -> list[str]:
        """A line on them, if there are any."""
        if not self._half:
            return []
        share, opaque, dropped = (
            f"{count / self._pixels:.2%}" for count in (self._half, self._opaque, self._half - self._opaque)
        )
        what = f"{share} of the pixels are half transparent"
        if kept:
            return [
                f"{what}: their alpha is kept, in levels of the palette (alpha=128 makes each opaque or transparent)"
            ]
        if alpha == 0:
            return [f"{what}: laid on white, as all pixels (alpha=keep keeps them)"]
        threshold = alpha if isinstance(alpha, int) else OPAQUE
        other = "the palette that was given has no such colours" if alpha == KEEP else "alpha=keep keeps them"
        return [f"{what}: {opaque} made opaque, {dropped} dropped (alpha={threshold}; {other})"]


class _Foreign:
    """Counts the pictures that have colours which the palette, exact for those of train, has not."""

    def __init__(self) -> None:
        self._pictures, self._colours = 0, np.zeros(0, np.uint32)

    def count(self, pixels: np.ndarray, shown: np.ndarray) -> None:
        """Count those among pictures (N, H, W, 4), with what the palette makes of them."""
        other = (_cleared(pixels) != shown).any(-1)
        if other.any():
            self._pictures += int(other.any((1, 2)).sum())
            self._colours = np.union1d(self._colours, palette.pack_alpha(pixels[other]))

    def notes(self) -> list[str]:
        """A line on them, if there are any."""
        if not self._pictures:
            return []
        pictures, colours = counted(self._pictures, "picture"), counted(len(self._colours), "colour")
        return [f"{pictures} outside of train with {colours} that train has not: the nearest was taken"]


class _Fitting:
    """Brings pictures to one size and counts what it does."""

    def __init__(self, config: Config, codec: Palette | None) -> None:
        self._config = config
        self._tile = size_of("tile", config.tile)
        self._size = size_of("size", config.size)
        self._least = config.alpha if isinstance(config.alpha, int) else 1  # alpha of what is not transparent
        if codec is not None:
            if self._size not in (None, (codec.height, codec.width)):
                raise InputError(
                    f"size={config.size}: the palette of codec_from is for pictures of {codec.height}x{codec.width}"
                )
            self._size = (codec.height, codec.width)
        self._asked = self._size is not None
        self._first = ""
        self._done: Counter[str] = Counter()

    @property
    def size(self) -> Size:
        """Height and width of all pictures; known once there is one."""
        assert self._size is not None
        return self._size

    def notes(self) -> list[str]:
        """The changes that pictures went through, and how many did: a line for each."""
        return [f"{counted(count, 'picture')} {change}" for change, count in self._done.items()]

    def pictures(self, pictures: Iterable[Picture]) -> Iterator[Picture | str]:
        """The pictures, or their tiles, in the size of all; for a tile that is left out the reason.

        Raises InputError for a picture that cannot be brought to that size.
        """
        for picture in pictures:
            self._done.update(picture.done)
            for one in self._tiles(picture):
                yield one if isinstance(one, str) else self._fitted(self._trimmed(one))

    def _tiles(self, picture: Picture) -> Iterator[Picture | str]:
        if self._tile is None:
            yield picture
            return
        height, width = self._tile
        grid = tiles.grid_of(picture.pixels, self._tile, self._config.margin, self._config.spacing)
        if not (grid.rows and grid.columns):
            raise InputError(
                f"{picture.name} is {_shape(picture)}, smaller than tile={height}x{width}: choose smaller tiles"
            )
        what = f"cut into tiles of {height}x{width}"
        if grid.scale > 1:
            what += f" at their own size, since they are enlarged {grid.scale} times,"
        if grid.lines is not None:
            what += f" with margin={grid.margin} spacing={grid.spacing}, as lines of one colour around them show"
            self._done[f"{what} (margin=0 spacing=0 cuts without)"] += 1
        elif grid.scale > 1:
            self._done[what.rstrip(",")] += 1
        elif grid.over:
            self._done[f"{what} that leave a margin over at the right or below"] += 1
        cells = list(tiles.cut(picture.pixels, self._tile, grid))
        yield from ["empty cells at the end of a sheet"] * (grid.rows * grid.columns - len(cells))
        for row, column, part in cells:
            if (part[..., 3] < max(1, self._least)).all():
                yield "transparent tiles"
            else:
                name = f"{picture.name}, tile {row}.{column}"
                group = None if picture.group is None else f"{picture.group}, tile {row}.{column}"
                yield picture._replace(pixels=part, name=name, within=None, group=group)

    def _trimmed(self, picture: Picture) -> Picture:
        pixels = tiles.trimmed(picture.pixels) if self._config.trim else picture.pixels
        if pixels.shape == picture.pixels.shape:
            return picture
        self._done["trimmed at their empty edges"] += 1
        return picture._replace(pixels=pixels, within=None)

    def _fitted(self, picture: Picture) -> Picture | str:
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
            sized = "" if self._asked else " and size=HEIGHTxWIDTH"
            ways = f"fit=crop, fit=pad or fit=resize{sized} bring all to one; fit=drop leaves the others out"
            other = f"not {height}x{width}" if self._asked else f"but {self._first} is {height}x{width}"
            raise InputError(f"{picture.name} is {tall}x{wide}, {other}: {ways}")
        if fit == DROP:
            return f"of another size than {height}x{width}"
        fitted = fitting.fit(pixels, self._size, fit, name=picture.name)
        self._done[fitted.change] += 1
        within = None if fitted.corner is None else (pixels, *fitted.corner)
        return picture._replace(pixels=fitted.pixels, within=within)


def _listed(colours: Sequence[Sequence[int]], size: Size, transparent: bool) -> Palette:
    """The palette of listed colours in their order, with the transparent one in front if it is listed, or wanted."""
    entries = [(*map(int, colour), 255)[:4] for colour in colours]
    clear = transparent or any(entry[3] == 0 for entry in entries)
    return Palette([(0, 0, 0, 0)] * clear + [entry for entry in entries if entry[3]], *size)


def _noted(codec: Palette, colours: np.ndarray, counts: np.ndarray, listed: bool) -> Palette:
    """The palette of listed colours with a note on how far it is from those of the pictures; `listed`: whether the
    transparent one is of the list."""
    far = palette.distortion(codec, colours, counts)
    added = codec.transparent and not listed
    note = f"the {codec.vocab_size - added:,} colours are as given{', and a transparent one in front' if added else ''}"
    if far.rmse:
        note += f"; for the {len(colours):,} of the pictures: {far}"
    return Palette(codec.colours, codec.height, codec.width, notes=[note])


def _settled(colours: np.ndarray, counts: np.ndarray, transparent: bool) -> tuple[np.ndarray, np.ndarray, bool]:
    """Colours (N, 4) and their counts, once each is opaque or transparent."""
    clear = colours[:, 3] < OPAQUE
    numbers, places = np.unique(pack(colours[~clear]), return_inverse=True)
    counts = np.bincount(places, counts[~clear], len(numbers)).astype(np.int64)
    opaque = unpack(numbers)
    return np.pad(opaque, ((0, 0), (0, 1)), constant_values=255), counts, transparent or bool(clear.any())


def _around(picture: Picture, margin: int) -> np.ndarray:
    """The picture with `margin` more pixels on each side: from the one it is cut from, and beyond that its edge."""
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


def _cleared(pixels: np.ndarray) -> np.ndarray:
    """Pixels as they are, but for wholly transparent ones: (0, 0, 0, 0)."""
    out = np.array(pixels)
    out[pixels[..., 3] == 0] = 0
    return out


def _shape(picture: Picture) -> str:
    return f"{picture.pixels.shape[0]}x{picture.pixels.shape[1]}"
