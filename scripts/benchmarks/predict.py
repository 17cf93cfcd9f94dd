"""Using a trained run: `predict` on a long video, evaluation of overlapping clips, and features.

All three are compared with their bare loops in the same process: decoding alone, and the network's
forward pass alone on frames that are in memory already.
"""

from __future__ import annotations

import pathlib
import statistics
import tempfile

from benchmarks import measuring, scenes, turns

_OF_SLOWER = 0.9  # of the slower of bare decoding and bare forward pass
_GROWTH = 1.1  # peak memory with a video ten times as long
# Seconds by the bare forward pass over all frames once. Clips that overlap by half and go through
# the CNN one by one take twice as long and more.
_ONCE = 1.5
_FEATURES = 2.0  # times the frames per second of `keras.Model.predict`
_EQUAL = 1e-4  # largest difference of a feature, of the largest feature


def measure(size: measuring.Size) -> list[measuring.Measure]:
    """Measures all three on a MobileNet and LSTM that have learnt next to nothing."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(temporary)
        run = trained_run(folder, size)
        return [
            *measure_long_video(folder, run, size),
            *measure_evaluation(folder, run, size),
            *measure_features(folder, size),
        ]


def trained_run(folder: pathlib.Path, size: measuring.Size) -> pathlib.Path:
    """Trains MobileNet and LSTM for a step on short videos and returns the run."""
    shape = (scenes.HEIGHT, scenes.WIDTH)
    source = folder / "few"
    source.mkdir()
    videos = [
        scenes.write_video(source / f"v{index}.mp4", scenes.scene(index, 20, *shape))
        for index in range(2)
    ]
    listed = scenes.write_list(source, videos, 2)
    run, side = folder / "run", size.of(160, 32)
    measuring.run_lrcn(
        [
            *("train", "workflow=lstm", "backbone=mobilenet", "backbone.trainable=true"),
            *(f"backbone.image_size=[{side},{side}]", "dataset=lists"),
            *(f"dataset.input_files={listed}", "callbacks=minimal", "epochs=1"),
            *("batch_size=2", f"hydra.run.dir={run}"),
        ]
    )
    return run


def measure_long_video(
    folder: pathlib.Path, run: pathlib.Path, size: measuring.Size
) -> list[measuring.Measure]:
    """Measures the speed on a long video, and its memory beside that of a short one."""
    counts = size.of((300, 3000), (40, 80))
    short, long = (
        scenes.write_video(folder / f"{count}.mp4", scenes.scene(0, count)) for count in counts
    )
    middle = scenes.write_video(folder / "middle.mp4", scenes.scene(0, size.of(960, 40)))
    contestant = turns.Contestant("used:predicting", run=str(run), video=str(middle))
    found = repeated(contestant, size)
    shares = [turn["predict"] / min(turn["decode"], turn["forward"]) for turn in found]
    details = {f"{name} frames/s": round(turns.median(found, name), 1) for name in found[0]}
    peaks = [peak_of_predict(run, video) for video in (short, long)]
    return [
        measuring.Measure(
            "predict on a long video, of the slower of decoding and forward pass",
            statistics.median(shares),
            "share",
            _OF_SLOWER,
            True,
            details,
        ),
        measuring.Measure(
            f"predict, memory of {counts[1]} frames by that of {counts[0]}",
            peaks[1] / peaks[0],
            "times",
            _GROWTH,
            False,
            {"MB short": round(peaks[0] / 2**20), "MB long": round(peaks[1] / 2**20)},
        ),
    ]


def peak_of_predict(run: pathlib.Path, video: pathlib.Path) -> float:
    """Returns the most bytes that `lrcn predict` had in memory."""
    return measuring.peak_of_lrcn(
        [
            *("predict", f"run={run}", f"input={video}", "clipframe_mode=iterative"),
            "clipframe_mode.clip_offset_or_num=0",
        ]
    )


def measure_evaluation(
    folder: pathlib.Path, run: pathlib.Path, size: measuring.Size
) -> list[measuring.Measure]:
    """Measures evaluation with a stride of half a clip against each frame once."""
    contestant = turns.Contestant(
        "used:evaluating", run=str(run), folder=str(folder / "many"), frames=size.of(120, 24)
    )
    found = repeated(contestant, size)
    times = [turn["evaluate"] / turn["forward"] for turn in found]
    details = {f"{name} ms/frame": round(1e3 * turns.median(found, name), 2) for name in found[0]}
    name = "evaluate clips that overlap by half, of the forward pass of each frame once"
    return [measuring.Measure(name, statistics.median(times), "times", _ONCE, False, details)]


def measure_features(folder: pathlib.Path, size: measuring.Size) -> list[measuring.Measure]:
    """Measures the features of a frozen MobileNet beside `keras.Model.predict`."""
    contestant = turns.Contestant(
        "used:extracting",
        folder=str(folder / "features"),
        frames=size.of(960, 8),
        side=size.of(224, 32),
    )
    found = repeated(contestant, size)
    ratios = {
        name: statistics.median(turn[name] / turn["predict"] for turn in found)
        for name in ("network", "whole")
    }
    details = {
        f"{name} frames/s": round(turns.median(found, name), 1) for name in (*ratios, "predict")
    }
    unequal = max(turn["difference"] for turn in found)
    name = "features of a frozen MobileNet"
    return [
        measuring.Measure(
            f"{name}, of Model.predict", ratios["network"], "times", _FEATURES, True, details
        ),
        measuring.Measure(
            f"{name}, decoded and kept, of Model.predict", ratios["whole"], "times", None, True, {}
        ),
        measuring.Measure(
            f"{name}, largest difference", unequal, "of the largest", _EQUAL, False, {}
        ),
    ]


def repeated(contestant: turns.Contestant, size: measuring.Size) -> list[dict[str, float]]:
    """Returns what a contestant measured, that compares within its turns, after a warm-up."""
    with contestant.started() as turn:
        return turns.alternate({"turn": turn}, size.rounds)["turn"]
