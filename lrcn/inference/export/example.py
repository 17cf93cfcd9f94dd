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
from collections.abc import Callable

import numpy as np


def load(folder: str | os.PathLike) -> Callable[[np.ndarray], dict[str, np.ndarray]]:
    """Opens an export.

    Args:
        folder: The folder with `contract.json`.

    Returns:
        A function from frames, uint8 with a batch axis, to a dict of arrays.
    """
    folder = pathlib.Path(folder)
    contract = read_contract(folder)
    opened = {"saved_model": _saved_model, "onnx": _onnx, "litert": _litert}[contract["format"]]
    return opened(folder / contract["file"])


def read_contract(folder: str | os.PathLike) -> dict:
    """Reads `contract.json`: what goes in and what comes out."""
    return json.loads(pathlib.Path(folder, "contract.json").read_text(encoding="utf-8"))


def _saved_model(path):
    import tensorflow as tf

    model = tf.saved_model.load(str(path))

    def run(frames):
        found = model.signatures["serving_default"](frames=tf.constant(frames))
        return {name: values.numpy() for name, values in found.items()}

    return run


def _onnx(path):
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]

    def run(frames):
        return dict(zip(names, session.run(names, {"frames": frames}), strict=True))

    return run


def _litert(path):
    from ai_edge_litert import interpreter

    own = interpreter.Interpreter(model_path=str(path), num_threads=os.cpu_count())
    runner = own.get_signature_runner()

    def run(frames):
        return dict(runner(frames=frames))

    return run


def labels(folder, found):
    """Returns the likeliest class and its probability for each row of `probabilities`."""
    text = pathlib.Path(folder, "labels.txt").read_bytes().decode("utf-8")
    names = text.split("\n")  # not `splitlines`: a name may hold U+2028 and the like
    return [f"{names[row.argmax()]} {row.max():.4f}" for row in found["probabilities"]]


def captions(folder, found):
    """Returns the caption of each row of `words`, as people write it."""
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


def noise(contract, batch=1, seed=0):
    """Returns frames of the shape that the contract tells; a side that is free gets a small one."""
    free = {"batch": batch, "time": contract["frames"]["count"] or 1}
    free |= dict(zip(("height", "width"), contract["frames"]["size"], strict=True))
    shape = [free.get(side, side) for side in contract["inputs"][0]["shape"]]
    return np.random.default_rng(seed).integers(0, 256, shape, np.uint8)


def main(arguments):
    """Prints the label or the caption of a file of frames."""
    folder = pathlib.Path(__file__).resolve().parent
    contract = read_contract(folder)
    frames = np.load(arguments[0])[np.newaxis] if arguments else noise(contract)
    found = load(folder)(frames)
    told = captions if contract["task"] == "captions" else labels
    sys.stdout.write("\n".join(told(folder, found)) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
