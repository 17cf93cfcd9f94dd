"""The embedded data set `moving_shapes`: rendered videos and still scenes, labelled and captioned.

All that a picture shows (shape, colour, size, place, orientation, pace, background) is drawn
before the motion is known, and `motions.py` keeps each frame as uninformative as the first, so a
network must compare frames to tell the class. Each item is drawn from its own generator, seeded by
data set seed, split and number: neither order nor threads nor the counts of the splits change it.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterator

import numpy as np

from lrcn import errors
from lrcn.data import drawing, grouping, lists, motions

KINDS = ("motion", "stills")
ARRANGEMENTS = ("single", "side-by-side", "stacked")
VERSION = 3
TILT = 0.2  # radians: outlines stay told apart at ten pixels
SMALLEST_PICTURE = 24

_VERBS = {
    "left": ("moves left", "moving left"),
    "right": ("moves right", "moving right"),
    "up": ("moves up", "moving up"),
    "down": ("moves down", "moving down"),
    "clockwise": ("moves clockwise", "moving clockwise"),
    "counter-clockwise": ("moves counter-clockwise", "moving counter-clockwise"),
    "grow": ("grows", "growing"),
    "shrink": ("shrinks", "shrinking"),
}
_RELATIONS = {"side-by-side": ("left of", "right of"), "stacked": ("above", "below")}


@dataclasses.dataclass(frozen=True)
class Look:
    """What stays the same of a shape: its outline, colour and orientation in radians."""

    outline: str
    colour: str
    angle: float

    @property
    def name(self) -> str:
        """Colour and outline, such as `red circle`."""
        return f"{self.colour} {self.outline}"


def moving_shapes(
    *,
    kind: str = "motion",
    train: int = 1200,
    val: int = 160,
    test: int = 160,
    size: int = 64,
    num_frames: int = 16,
    seed: int = 0,
) -> lists.Catalog:
    """Describes the embedded data set; its pictures are rendered when they are loaded.

    Args:
        kind: `motion` (videos of `num_frames` frames, the class is the motion) or `stills` (one
            frame of one or two shapes, the class is their arrangement).
        train: Number of items to learn from; a split of 0 items is left out.
        val: Number of items to choose by.
        test: Number of items to report.
        size: Height and width in pixels.
        num_frames: Frames of a video.
        seed: Of all draws; the splits have seeds of their own.

    Raises:
        UserError: If a value is out of its range.
    """
    counts = dict(zip(grouping.SPLITS, (train, val, test), strict=True))
    _check_values(kind, counts, size, num_frames, seed)
    describe = _motion_item if kind == "motion" else _still_item
    splits = {
        split: lists.Split(
            name=split,
            items=tuple(
                describe(split=split, index=index, size=size, num_frames=num_frames, seed=seed)
                for index in range(count)
            ),
            source=f"moving_shapes version={VERSION} kind={kind} split={split} items={count} "
            f"size={size} num_frames={num_frames if kind == 'motion' else 1} seed={seed}",
        )
        for split, count in counts.items()
        if count
    }
    label_names = motions.MOTIONS if kind == "motion" else ARRANGEMENTS
    return lists.Catalog(splits, label_names, len(label_names), multi_label=False)


def _check_values(kind: str, counts: dict[str, int], size: int, num_frames: int, seed: int) -> None:
    if kind not in KINDS:
        raise errors.UserError(
            "no such kind of moving_shapes",
            where="dataset.kind",
            received=kind,
            expected=" or ".join(KINDS),
            remedy=f"Set dataset.kind={KINDS[0]}, or another of them",
        )
    least = dict.fromkeys(grouping.SPLITS, 0) | {
        "size": SMALLEST_PICTURE,
        "num_frames": 1,
        "seed": 0,
    }
    values = counts | {"size": size, "num_frames": num_frames, "seed": seed}
    for key, value in values.items():
        if isinstance(value, bool) or not isinstance(value, int) or value < least[key]:
            raise errors.UserError(
                "value out of range",
                where=f"dataset.{key}",
                received=repr(value),
                expected=f"an integer of at least {least[key]}",
                remedy=f"Correct dataset.{key}, or leave it out for its default",
            )
    if not any(counts.values()):
        raise errors.UserError(
            "no split has any item",
            where="dataset",
            received="train=0, val=0, test=0",
            expected="at least one item",
            remedy="Set dataset.train, dataset.val or dataset.test",
        )


def _generator(kind: str, split: str, index: int, seed: int) -> np.random.Generator:
    return np.random.default_rng([seed, KINDS.index(kind), grouping.SPLITS.index(split), index])


def _item(
    split: str,
    index: int,
    *,
    settings: str,
    label: int,
    captions: tuple[str, ...],
    kind: str,
    load: Callable[[], Iterator[np.ndarray]],
) -> lists.Item:
    name = f"{split}/{index:06d}"
    return lists.Item(
        id=name,
        # Names all that the pictures depend on, so that stored ones are found again by it.
        path=f"moving_shapes-{VERSION}/{settings}/{name}",
        kind=kind,
        labels=(label,),
        captions=captions,
        where=f"moving_shapes:{name}",
        load=load,
    )


def _draw_look(rng: np.random.Generator) -> Look:
    return Look(
        outline=str(rng.choice(list(drawing.OUTLINES))),
        colour=str(rng.choice(list(drawing.COLOURS))),
        angle=float(rng.uniform(-TILT, TILT)),
    )


def _motion_item(*, split: str, index: int, size: int, num_frames: int, seed: int) -> lists.Item:
    """Describes one video; the classes follow each other, so that every split is balanced."""
    motion = motions.MOTIONS[index % len(motions.MOTIONS)]
    rng = _generator("motion", split, index, seed)
    look, start = _draw_look(rng), motions.draw_start(rng)
    return _item(
        split,
        index,
        settings=f"motion-size{size}-frames{num_frames}-seed{seed}",
        label=index % len(motions.MOTIONS),
        captions=motion_captions(look, motion, start.size),
        kind="array",
        load=functools.partial(
            render_motion, split=split, index=index, size=size, num_frames=num_frames, seed=seed
        ),
    )


def render_motion(
    *, split: str, index: int, size: int, num_frames: int, seed: int
) -> Iterator[np.ndarray]:
    """Renders one video, a frame `[size, size, 3] uint8` at a time.

    Args:
        split: Name of the split.
        index: Number of the item in its split.
        size: Height and width in pixels.
        num_frames: Frames of the video.
        seed: Of the data set.
    """
    motion = motions.MOTIONS[index % len(motions.MOTIONS)]
    rng = _generator("motion", split, index, seed)
    look, start = _draw_look(rng), motions.draw_start(rng)
    background = drawing.background(rng, size)
    for x, y, relative_size in motions.track(motion, start, num_frames=num_frames):
        yield drawing.picture(background, [_moving_figure(look, x, y, relative_size, size)])


def _moving_figure(
    look: Look, x: float, y: float, relative_size: float, size: int
) -> drawing.Figure:
    """Scales a shape from the disc of motions to pixels, whole within the picture."""
    smallest, largest = 0.1 * size, 0.29 * size
    reach = size / 2 - largest - 1
    return drawing.Figure(
        outline=look.outline,
        colour=look.colour,
        x=size / 2 + reach * x,
        y=size / 2 + reach * y,
        radius=smallest + (largest - smallest) * relative_size,
        angle=look.angle,
    )


def motion_captions(look: Look, motion: str, relative_size: float) -> tuple[str, ...]:
    """Words one video in several ways; the first caption says most.

    A size that changes or lies in the middle is not worded.

    Args:
        look: Of the shape.
        motion: One of the eight.
        relative_size: 0 to 1, as long as the size does not change.
    """
    finite, continuous = _VERBS[motion]
    names = [look.name]
    if motion not in ("grow", "shrink"):
        names = [f"{word} {look.name}" for word in _size_words(relative_size)] + names
    sentences = ("a {name} {finite}", "the {name} is {continuous}")
    return tuple(
        sentence.format(name=name, finite=finite, continuous=continuous)
        for name in names
        for sentence in sentences
    )


def _size_words(relative_size: float) -> tuple[str, ...]:
    if 0.4 <= relative_size <= 0.6:
        return ()
    return ("small",) if relative_size < 0.4 else ("large",)


def _still_item(*, split: str, index: int, size: int, num_frames: int, seed: int) -> lists.Item:
    """Describes one still scene; `num_frames` belongs to videos."""
    del num_frames
    arrangement, looks = _draw_scene(_generator("stills", split, index, seed), index)
    return _item(
        split,
        index,
        settings=f"stills-size{size}-seed{seed}",
        label=ARRANGEMENTS.index(arrangement),
        captions=still_captions(arrangement, looks),
        kind="picture",
        load=functools.partial(render_still, split=split, index=index, size=size, seed=seed),
    )


def _draw_scene(rng: np.random.Generator, index: int) -> tuple[str, list[Look]]:
    """Draws what a still scene shows; two shapes never have the same colour."""
    arrangement = ARRANGEMENTS[index % len(ARRANGEMENTS)]
    first = _draw_look(rng)
    if arrangement == "single":
        return arrangement, [first]
    second = _draw_look(rng)
    others = [colour for colour in drawing.COLOURS if colour != first.colour]
    return arrangement, [first, dataclasses.replace(second, colour=str(rng.choice(others)))]


def render_still(*, split: str, index: int, size: int, seed: int) -> Iterator[np.ndarray]:
    """Renders one still scene as its only frame `[size, size, 3] uint8`.

    Args:
        split: Name of the split.
        index: Number of the item in its split.
        size: Height and width in pixels.
        seed: Of the data set.
    """
    rng = _generator("stills", split, index, seed)
    arrangement, looks = _draw_scene(rng, index)
    radii = rng.uniform(0.12, 0.19, len(looks)) * size
    centres = _placed(_draw_offsets(rng, arrangement, radii, size), radii, rng, size)
    figures = [
        drawing.Figure(look.outline, look.colour, x, y, radius, look.angle)
        for look, (x, y), radius in zip(looks, centres, radii, strict=True)
    ]
    yield drawing.picture(drawing.background(rng, size), figures)


def _draw_offsets(
    rng: np.random.Generator, arrangement: str, radii: np.ndarray, size: int
) -> np.ndarray:
    """Draws centres relative to the first shape: the second is to its right or below it."""
    if arrangement == "single":
        return np.zeros([1, 2])
    distance = radii.sum() + rng.uniform(0.04, 0.16) * size
    angle = np.deg2rad(rng.uniform(-20, 20)) + (np.pi / 2 if arrangement == "stacked" else 0)
    return np.array([[0, 0], [distance * np.cos(angle), distance * np.sin(angle)]])


def _placed(
    offsets: np.ndarray, radii: np.ndarray, rng: np.random.Generator, size: int
) -> np.ndarray:
    """Moves a group of shapes to a random place where all of it is in the picture."""
    low = 1 - (offsets - radii[:, None]).min(axis=0)
    high = size - 1 - (offsets + radii[:, None]).max(axis=0)
    return offsets + rng.uniform(low, np.maximum(high, low))


def still_captions(arrangement: str, looks: list[Look]) -> tuple[str, ...]:
    """Words a still scene in several ways.

    Args:
        arrangement: One of `ARRANGEMENTS`.
        looks: The only shape, or the left or upper one and then the other one.
    """
    if arrangement == "single":
        name = looks[0].name
        return (f"a {name}", f"there is a {name}", f"a {name} alone")
    (first, second), (to, back) = (look.name for look in looks), _RELATIONS[arrangement]
    return (
        f"a {first} {to} a {second}",
        f"there is a {first} {to} a {second}",
        f"a {first} is {to} a {second}",
        f"a {second} {back} a {first}",
    )
