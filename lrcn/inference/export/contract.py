"""`contract.json`: all that somebody without lrcn has to know of an export."""

from __future__ import annotations

import dataclasses
import importlib
from collections.abc import Mapping
from typing import Any

import keras

import lrcn
from lrcn import files
from lrcn.data import text
from lrcn.inference import outputs, trained
from lrcn.inference.export import graph

FILE = "contract.json"
FORMAT_VERSION = 1
_RUNTIMES = {
    "saved_model": ("tensorflow",),
    "onnx": ("tensorflow", "tf2onnx", "onnx", "onnxruntime"),
    "litert": ("tensorflow", "ai-edge-litert"),
}
_SHOWS = {
    "rgb": "RGB, 0 to 255",
    "flow": "images of optical flow as `lrcn serialize` stores them: x, y and magnitude, not RGB",
    "difference": "differences of neighbouring frames as `lrcn serialize` stores them, not RGB",
}


def of(
    run: trained.Trained,
    network: graph.Network,
    *,
    format: str,
    file: str,
    checkpoint: str,
    search: Mapping[str, Any] | None,
) -> dict[str, Any]:
    """Returns the contract of an export as plain values.

    Args:
        run: What is exported.
        network: How.
        format: `saved_model`, `onnx` or `litert`.
        file: The model's file beside the contract.
        checkpoint: `best` or `last`.
        search: The keys of the search of captions, None for classes.
    """
    tells_classes = search is None
    source = run.run.checkpoint() if checkpoint == "best" else run.run.last
    return {
        "format_version": FORMAT_VERSION,
        "format": format,
        "file": file,
        "task": "classes" if tells_classes else "captions",
        "inputs": [_input(network, run.shown.modality)],
        "outputs": _classes(run, network) if tells_classes else _words(search),
        "frames": _frames(run, network),
        **({} if network.of_images else {"windows": _windows(run)}),
        **(_labels(run) if tells_classes else _captions(search)),
        "precision": {"trained": run.settings.precision, "exported": "float32"},
        "source": {
            "run": run.run.path.name,
            "checkpoint": source.name,
            "sha256": files.checksum(source),
            "workflow": run.settings.workflow.name,
            "backbone": run.settings.backbone.name,
        },
        "versions": {"lrcn": lrcn.__version__, "keras": keras.__version__, **_versions(format)},
    }


def _versions(format: str) -> dict[str, str]:
    # Asked of the modules: the same one comes in distributions of many names (onnxruntime-gpu).
    modules = {name: importlib.import_module(name.replace("-", "_")) for name in _RUNTIMES[format]}
    return {name: module.__version__ for name, module in modules.items()}


def _input(network: graph.Network, modality: str) -> dict[str, Any]:
    sides = ["batch", "height", "width", 3]
    if not network.of_images:
        sides.insert(1, network.time or "time")
    return {
        "name": graph.INPUT,
        "shape": sides,
        "dtype": "uint8",
        "meaning": f"{'images' if network.of_images else 'frames of clips'}, "
        f"{_SHOWS[modality]}; of any height and width, resized inside",
    }


def _output(name: str, shape: list, dtype: str, meaning: str) -> dict[str, Any]:
    return {"name": name, "shape": shape, "dtype": dtype, "meaning": meaning}


def _classes(run: trained.Trained, network: graph.Network) -> list[dict[str, Any]]:
    count = len(_names(run))
    pooled = f"of each class, in the order of labels.txt; frames pooled by {_pooling(network)}"
    found = [_output("probabilities", ["batch", count], "float32", pooled)]
    if not network.of_images:
        shape = ["batch", network.time or "time", count]
        found.append(_output("frame_probabilities", shape, "float32", "after each frame"))
    return found


def _words(search: Mapping[str, Any]) -> list[dict[str, Any]]:
    length = search["max_length"] + 1
    told = "ids of words, lines of `tokens` in vocabulary.json from 0 on; see `captions`"
    sure = "natural logarithm, the sum over the words and the end"
    return [
        _output("words", ["batch", length], "int32", told),
        _output("log_probability", ["batch"], "float32", sure),
    ]


def _pooling(network: graph.Network) -> str:
    return network.model.get_layer("head").get_layer("pooling").how


def _names(run: trained.Trained) -> tuple[str, ...]:
    return outputs.class_names(run.labels, outputs.num_classes(run.model))


def _frames(run: trained.Trained, network: graph.Network) -> dict[str, Any]:
    """Returns how frames are chosen, and what happens to them inside."""
    mode = run.shown.mode or {}
    return {
        "modality": run.shown.modality,
        "size": list(network.stored or network.view.size),
        "resized_to": network.stored and list(network.stored),
        "seen": {"size": list(network.view.size), "crop": network.view.crop},
        "count": None if network.of_images else network.time or mode["num_frames_per_clip"],
        "step": run.shown.frame_step,
        "fps": run.shown.fps,
        "inside": {key: value for key, value in run.contract.items() if key != "modality"},
    }


def _windows(run: trained.Trained) -> dict[str, Any]:
    """Returns how `lrcn predict` cuts a video into clips, and what becomes of their answers."""
    describes = run.vocabulary is not None
    pooled = "the likeliest caption" if describes else run.settings.pooling.clips
    return {**dataclasses.asdict(run.mode(None, None)), "pooled_by": pooled}


def _labels(run: trained.Trained) -> dict[str, Any]:
    several = outputs.is_multi_label(run.model)
    told = "UTF-8, a class a line in the order of `probabilities`; a line feed alone ends a line"
    return {"labels": {"file": "labels.txt", "several_may_be_true": several, "meaning": told}}


def _captions(search: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "captions": {
            "file": "vocabulary.json",
            "search": dict(search),
            "end": text.END,
            "left_out": [text.PADDING, text.BEGIN],
            "joining": [list(pair) for pair in text.JOINING],
            "meaning": "tokens up to `end` without those of `left_out`, joined by spaces; then "
            "each pattern of `joining` is replaced by what stands beside it, in order and "
            "everywhere; patterns and replacements are those of Python's re.sub: \\1 is the first "
            "group ($1 elsewhere), and \\w holds the letters of all languages",
        }
    }
