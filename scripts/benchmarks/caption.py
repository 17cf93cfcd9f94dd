"""Finding captions, beside `model.predict` for one word at a time.

The network has the size of a real one, but random weights and an end token that it says only when
it must, so that every caption has its full length. Features are random numbers in place of a CNN's.
Searches run as every command runs them, through `Describer`, one step more than words for the end.
Without them one calls `model.predict` on the caption so far, for one word at a time, on the same
network in plain Keras; the caption grows, or is padded to its full length, and the faster of the
two is compared, at the same batch.
"""

from __future__ import annotations

import dataclasses
import os
import statistics
import time
from collections.abc import Callable, Mapping

import numpy as np

from benchmarks import measuring

_FASTER = 25.0  # times the captions per second of `model.predict` that greedy is to find
_BEAM = 1 / 5  # of greedy's captions per second that a beam of `_WIDTH` is to find
_WIDTH, _TEMPERATURE = 5, 1.5
_REPEATS = 20  # of greedy beside one `model.predict` a word
_SAME = 0.95  # of the captions must be found by all ways; products of other shapes round otherwise


@dataclasses.dataclass(frozen=True)
class Sizes:
    """How large everything is.

    Attributes:
        images: Rows of the batch.
        length: Words of a caption.
        features: Of a frame; 1,000 are the fc8 of Donahue et al. 2015.
        frames: That the encoder reads; the other design sees one.
        units: Of the one LSTM layer, and of the encoder's.
        embedding: Of a word.
        vocabulary: Words.
        samples: Captions that are drawn for an image.
        sampled: Images that captions are drawn for, as each takes `samples` rows.
        single: Images that are described one at a time.
    """

    images: int = 128
    length: int = 20
    features: int = 1000
    frames: int = 16
    units: int = 512
    embedding: int = 256
    vocabulary: int = 2000
    samples: int = 100
    sampled: int = 16
    single: int = 2


TINY = Sizes(
    images=3,
    length=3,
    features=5,
    frames=2,
    units=4,
    embedding=4,
    vocabulary=9,
    samples=2,
    sampled=2,
    single=1,
)
DESIGNS = ("step", "encoder")


def measure(size: measuring.Size) -> list[measuring.Measure]:
    """Measures both designs."""
    sizes = TINY if size.tiny else Sizes()
    return [
        measured
        for conditioning in DESIGNS
        for measured in measure_design(conditioning, sizes, size.rounds)
    ]


def measure_design(conditioning: str, sizes: Sizes, rounds: int) -> list[measuring.Measure]:
    """Compares greedy with `model.predict`, and a beam with greedy.

    Raises:
        RuntimeError: If greedy and `model.predict` find different captions.
    """
    model = network(conditioning, sizes)
    frames = 1 if conditioning == "step" else sizes.frames
    shape = (sizes.images, frames, sizes.features)
    features = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    ways = searches(model, sizes)
    first = first_seconds(ways, features)
    # What is compared runs for about as long: beside other programs what is short gets more.
    near = alternating(
        {"greedy": (_WIDTH, ways["greedy"], features), "beam": (1, ways["beam"], features)},
        3 * rounds,
    )
    far = alternating(
        {
            "greedy": (_REPEATS, ways["greedy"], features),
            "growing": (1, ways["growing"], features),
            "padded": (1, ways["padded"], features),
            "greedy of one": (_REPEATS, ways["greedy"], features[:1]),
            "growing of one": (1, ways["growing"], features[: sizes.single], 1),
            "sample": (1, ways["sample"], features[: sizes.sampled]),
        },
        rounds,
    )
    compiling = {name: first[name] - sizes.images / near[name] for name in near}
    load = round(os.getloadavg()[0], 1)
    return [
        measuring.Measure(
            f"{conditioning}: greedy, of model.predict a word",
            far["greedy"] / max(far["growing"], far["padded"]),
            "times",
            _FASTER,
            True,
            {
                **{f"{name}/s": round(rate, 2) for name, rate in far.items() if name != "sample"},
                "greedy of growing of one": round(far["greedy"] / far["growing of one"], 1),
                "of one alike": round(far["greedy of one"] / far["growing of one"], 1),
                "compiling s": round(compiling["greedy"], 2),
                "load": load,
            },
        ),
        measuring.Measure(
            f"{conditioning}: beam of {_WIDTH}, of greedy",
            near["beam"] / near["greedy"],
            "share",
            _BEAM,
            True,
            {
                **{f"{name}/s": round(rate, 2) for name, rate in near.items()},
                f"sample of {sizes.samples}/s": round(far["sample"], 2),
                "compiling s": round(compiling["beam"], 2),
                "load": load,
            },
        ),
    ]


def first_seconds(ways: Mapping[str, Callable], features: np.ndarray) -> dict[str, float]:
    """Returns the seconds of the first call of each way, which compiles it.

    Raises:
        RuntimeError: If greedy and `model.predict` find different captions.
    """
    words, seconds = {}, {}
    for name in ("greedy", "beam", "growing", "padded"):
        began = time.perf_counter()
        words[name] = ways[name](features)
        seconds[name] = time.perf_counter() - began
    for name in ("growing", "padded"):
        same = float((words[name] == words["greedy"]).all(axis=1).mean())
        if same < _SAME:
            raise RuntimeError(f"{name} and greedy captions agree in {same:.0%} of the images only")
    return seconds


def network(conditioning: str, sizes: Sizes):
    """Returns a network whose captions are as long as they may be, with no CNN to speak of."""
    import keras

    from lrcn.data.text import END
    from lrcn.models import description, networks

    keras.utils.set_random_seed(0)
    frame = keras.Input((1, 1, 3), dtype="uint8")
    flat = keras.layers.Flatten()(keras.layers.Rescaling(1 / 255)(frame))
    backbone = keras.Model(frame, keras.layers.Dense(sizes.features)(flat))
    design = description.Design(conditioning, 1, sizes.units, sizes.embedding)
    model = description.build(backbone, design, vocabulary_size=sizes.vocabulary)
    bias = np.zeros(sizes.vocabulary, np.float32)
    bias[END] = -1e4
    networks.head(model).get_layer("classes").bias.assign(bias)
    return model


def searches(model, sizes: Sizes) -> dict[str, Callable]:
    """Returns all ways from features [rows, frames, features] to words [rows, length]."""
    from benchmarks import caption_keras
    from lrcn.models import description, networks

    head = networks.head(model)
    plain = caption_keras.network_of(
        head,
        reads_frames=description.design_of(model).conditioning == "encoder",
        units=sizes.units,
        embedding=sizes.embedding,
        vocabulary=sizes.vocabulary,
    )
    draws = {"samples": sizes.samples, "temperature": _TEMPERATURE}
    return {
        "greedy": described(head, sizes.length, "greedy"),
        "beam": described(head, sizes.length, "beam", width=_WIDTH),
        "sample": described(head, sizes.length, "sample", **draws),
        "growing": lambda features, *batch: caption_keras.growing(
            plain, features, sizes.length, *batch
        ),
        "padded": lambda features: caption_keras.padded(plain, features, sizes.length),
    }


def described(head, length: int, name: str, **options) -> Callable:
    """Returns a search from features to words [rows, length], as every command runs it."""
    from lrcn.scoring import describer

    find = describer.searcher(name, max_length=length, **options)
    whole = describer.Describer(head, find)
    return lambda features: np.asarray(whole.predict_on_batch(features)["words"])[:, :length]


def alternating(work: Mapping[str, tuple], rounds: int) -> dict[str, float]:
    """Returns the captions per second of each work, in turns so that all meet the same load.

    Args:
        work: How often a function is called in a row, the function, and its arguments, the
            features first.
        rounds: How often each is done, after a first time that does not count.
    """
    seconds: dict[str, list[float]] = {name: [] for name in work}
    for _ in range(rounds + 1):
        for name, (times, function, *arguments) in work.items():
            began = time.perf_counter()
            for _ in range(times):
                function(*arguments)
            seconds[name].append((time.perf_counter() - began) / times)
    return {name: len(work[name][2]) / statistics.median(own[1:]) for name, own in seconds.items()}
