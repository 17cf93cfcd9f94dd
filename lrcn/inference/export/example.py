"""Runs an export with NumPy and its own runtime alone.

    python example.py FRAMES.npy

FRAMES.npy holds uint8 RGB frames, [time, height, width, 3] of a clip or [height, width, 3] of an
image; `contract.json` tells which, and how frames follow each other. Without it, noise is shown.
"""

import json
import os
import pathlib
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

Run = Callable[[np.ndarray], dict[str, np.ndarray]]


def load(folder: str | os.PathLike) -> Run:
    """Opens an export.

    Args:
        folder: The folder with `contract.json`.

    Returns:
        A function from frames, uint8 with a batch axis, to a dict of arrays. It raises `ValueError`
        if frames are others than the contract tells; see `check`.
    """
    folder = pathlib.Path(folder)
    contract = read_contract(folder)
    opened = {"saved_model": _saved_model, "onnx": _onnx, "litert": _litert}[contract["format"]]
    run = opened(folder / contract["file"])

    def checked(frames: np.ndarray) -> dict[str, np.ndarray]:
        check(contract, frames)
        return run(frames)

    return checked


def read_contract(folder: str | os.PathLike) -> dict[str, Any]:
    """Reads `contract.json`: what goes in and what comes out."""
    return json.loads(pathlib.Path(folder, "contract.json").read_text(encoding="utf-8"))


def check(contract: Mapping[str, Any], frames: np.ndarray) -> None:
    """Raises `ValueError` if frames, with a batch axis, are others than the contract tells."""
    wanted = contract["inputs"][0]
    sides, dtype = wanted["shape"], wanted["dtype"]
    fits = len(sides) == frames.ndim and all(
        isinstance(side, str) or side == own for side, own in zip(sides, frames.shape, strict=True)
    )
    if not fits or frames.dtype != dtype:
        raise ValueError(
            "frames are of another shape or type than contract.json tells. "
            f"Received: {frames.dtype} {_shown(frames.shape)}. Expected: {dtype} {_shown(sides)}."
        )


def _shown(sides: Sequence[int | str]) -> str:
    return f"[{', '.join(map(str, sides))}]"


def _saved_model(path: pathlib.Path) -> Run:
    import tensorflow as tf

    model = tf.saved_model.load(str(path))

    def run(frames: np.ndarray) -> dict[str, np.ndarray]:
        found = model.signatures["serving_default"](frames=tf.constant(frames))
        return {name: values.numpy() for name, values in found.items()}

    return run


def _onnx(path: pathlib.Path) -> Run:
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]

    def run(frames: np.ndarray) -> dict[str, np.ndarray]:
        return dict(zip(names, session.run(names, {"frames": frames}), strict=True))

    return run


def _litert(path: pathlib.Path) -> Run:
    from ai_edge_litert import interpreter

    own = interpreter.Interpreter(model_path=str(path), num_threads=os.cpu_count())
    runner = own.get_signature_runner()

    def run(frames: np.ndarray) -> dict[str, np.ndarray]:
        return dict(runner(frames=frames))

    return run


def labels(folder: str | os.PathLike, found: Mapping[str, np.ndarray]) -> list[str]:
    """Returns the likeliest class and its probability of each item.

    Args:
        folder: The folder with `labels.txt`.
        found: What `load` gives, with `probabilities` [batch, classes].
    """
    text = pathlib.Path(folder, "labels.txt").read_bytes().decode("utf-8")
    names = text.split("\n")  # not `splitlines`: a name may hold U+2028 and the like
    return [f"{names[row.argmax()]} {row.max():.4f}" for row in found["probabilities"]]


def captions(folder: str | os.PathLike, found: Mapping[str, np.ndarray]) -> list[str]:
    """Returns the caption of each item, as people write it.

    Args:
        folder: The folder with `vocabulary.json` and `contract.json`.
        found: What `load` gives, with `words` [batch, length].
    """
    text = pathlib.Path(folder, "vocabulary.json").read_text(encoding="utf-8")
    tokens, rules = json.loads(text)["tokens"], read_contract(folder)["captions"]
    written = []
    for ids in found["words"].tolist():
        ids = ids[: ids.index(rules["end"])] if rules["end"] in ids else ids
        caption = " ".join(tokens[id] for id in ids if id not in rules["left_out"])
        for pattern, replacement in rules["joining"]:
            caption = re.sub(pattern, replacement, caption)
        written.append(caption)
    return written


def noise(contract: Mapping[str, Any], batch: int = 1, seed: int = 0) -> np.ndarray:
    """Returns random frames of the shape that the contract tells.

    Args:
        contract: What `read_contract` gives.
        batch: How many clips or images.
        seed: Of the noise.
    """
    free = {"batch": batch, "time": contract["frames"]["count"] or 1}
    free |= dict(zip(("height", "width"), contract["frames"]["size"], strict=True))
    shape = [free.get(side, side) for side in contract["inputs"][0]["shape"]]
    return np.random.default_rng(seed).integers(0, 256, shape, np.uint8)


def main(arguments: Sequence[str]) -> None:
    """Prints the label or the caption of a file of frames, or of noise if none is given."""
    folder = pathlib.Path(__file__).resolve().parent
    contract = read_contract(folder)
    frames = np.load(arguments[0])[np.newaxis] if arguments else noise(contract)
    try:
        check(contract, frames)
    except ValueError as error:
        sys.exit(f"{arguments[0]}: {error}")
    found = load(folder)(frames)
    told = captions if contract["task"] == "captions" else labels
    sys.stdout.write("\n".join(told(folder, found)) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
