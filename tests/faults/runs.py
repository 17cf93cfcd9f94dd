"""Runs, their checkpoints, and what is asked of them."""

import json

import numpy as np

from lrcn.inference import probabilities, results
from lrcn.runs import RunDirectory

from .records import training
from .registry import fault
from .world import EXAMPLES, IMAGE, VIDEO, World

TITLE = "Runs and checkpoints"


def again(world: World, *more: str) -> list[str]:
    """Returns the command of the shared run in a copy of it."""
    world.own_run()
    return training(world.shared.records, *more)


def evaluated(world: World, name: str, *ids: str, done: bool = True) -> None:
    """Makes a run that was evaluated, without a network."""
    run = RunDirectory(world.folder / name)
    config = RunDirectory(world.shared.run).read_config()
    run.write_config(config)
    values = np.tile([0.6, 0.4], (len(ids), 1))
    truth = tuple((number % 2,) for number in range(len(ids)))
    predicted = probabilities.Predicted(ids, ("",) * len(ids), truth, ("left", "right"), values)
    results.write(
        run.evaluation("test"),
        {"video_accuracy": 0.5},
        predicted,
        labels=predicted.labels,
        paths=ids,
        windows=[[] for _ in ids],
    )
    if done:
        run.mark_done()


@fault("run that is not there", "its path", says=("run: ", "nowhere", "Give the folder"))
def missing(world: World):
    return ["evaluate", "run=nowhere"]


@fault(
    "folder that is no run",
    "what a run is",
    says=("mine", "a folder without it", "Give the run directory"),
)
def no_run(world: World):
    world.write("mine/photo.txt", "mine")
    return ["evaluate", "run=mine"]


@fault(
    "run that never finished an epoch",
    "to repeat its command",
    says=("run", "best.keras", "repeat"),
)
def without_checkpoint(world: World):
    (world.own_run().best).unlink()
    return ["evaluate", "run=run"]


@fault(
    "`best.keras` that is cut short",
    "the file",
    says=("best.keras", "not a zip file", "checkpoint=last"),
)
def best_cut(world: World):
    run = world.own_run()
    world.cut(run.best, "run/checkpoints/best.keras")
    return ["evaluate", "run=run"]


@fault("`best.keras` that is text", "the file", says=("best.keras", "8 bytes", "checkpoint=last"))
def best_text(world: World):
    world.own_run()
    world.write("run/checkpoints/best.keras", "no model")
    return ["predict", "run=run", f"input={VIDEO}"]


@fault(
    "`last.keras` of a killed run that is cut short",
    "the file, and how to begin anew",
    says=("last.keras", "zip", "without resume"),
)
def last_cut(world: World):
    run = world.own_run()
    world.cut(run.last, "run/checkpoints/last.keras")
    run.clear_marks()
    return ["train", "resume=run", "epochs=2"]


@fault(
    "`config.json` of a run that is cut short",
    "file and line",
    says=("config.json:2", "property name", "restore"),
)
def config_cut(world: World):
    world.own_run().config_file.write_text('{"epochs": 1,\n')
    return ["evaluate", "run=run"]


@fault(
    "`config.json` of a run that is no text",
    "the file",
    says=("config.json", "0xff", "restore"),
)
def config_binary(world: World):
    world.own_run().config_file.write_bytes(b"\xff\xfe")
    return ["predict", "run=run", f"input={VIDEO}"]


@fault(
    "`config.json` of a run to be resumed, with a list in it",
    "the file",
    says=("config.json", "a list", "restore"),
)
def config_list(world: World):
    world.own_run().config_file.write_text("[1]")
    return ["train", "resume=run", "epochs=2"]


@fault(
    "`config.json` of a run with a key of another version",
    "file and key",
    says=("config.json: colour", "colour=1", "Leave it out"),
    code=2,
)
def config_other(world: World):
    run = world.own_run()
    run.write_config({**run.read_config(), "colour": 1})
    return ["evaluate", "run=run"]


@fault(
    "resuming a run that is not there",
    "its path",
    says=("nowhere", "no such folder", "Give the run directory"),
)
def resume_missing(world: World):
    return ["train", "resume=nowhere"]


@fault(
    "resuming a run without a checkpoint",
    "to start it anew",
    says=("resume", "run", "Start it anew"),
)
def resume_without_checkpoint(world: World):
    run = world.own_run()
    run.last.unlink()
    (run.path / "DONE").unlink()
    return ["train", "resume=run", "hydra.run.dir=other"]


@fault(
    "resuming with another value of a key",
    "both values; the run stays as it is",
    says=("workflow.units", "5", "hydra.run.dir"),
)
def resume_changed(world: World):
    return again(world, "workflow.units=5")


@fault(
    "fewer epochs than a finished run has",
    "both values; the run stays as it is",
    says=("epochs", "1", "may only grow"),
)
def fewer_epochs(world: World):
    run = world.own_run()
    run.write_config({**run.read_config(), "epochs": 2})
    return training(world.shared.records)


@fault(
    "a profile of a finished run",
    "that it trains no further step",
    says=("profile", "true", "Give larger epochs"),
)
def profile_of_finished(world: World):
    return again(world, "profile=true")


@fault(
    "`init` that is not there",
    "its path; nothing is serialized",
    says=("init", "nowhere", "Correct init"),
)
def init_missing(world: World):
    return training(world.shared.records, "init=nowhere")


@fault(
    "records of a run that were moved away",
    "the path it was trained on",
    says=("videos.val.tfrecord", "no file of this name", "correct the path"),
)
def records_moved(world: World):
    run = world.own_run()
    config = run.read_config()
    dataset = {**config["dataset"], "val": "/nowhere/videos.val.tfrecord"}
    run.write_config({**config, "dataset": dataset})
    return ["evaluate", "run=run"]


@fault("split that the data set has not", "those it has", says=("split", "test", "train | val"))
def no_such_split(world: World):
    return ["evaluate", f"run={world.shared.run}", "split=test"]


@fault(
    "evaluating on records of other classes",
    "both classes",
    says=("videos.val.tfrecord", "'up'", "label names of the run"),
)
def other_classes(world: World):
    folder = world.copy(world.shared.records, "records")
    file = folder / "videos.val.tfrecord.size"
    file.write_text(json.dumps({**json.loads(file.read_text()), "label_names": ["left", "up"]}))
    given = ("dataset=records", "dataset.val=records/videos.val.tfrecord")
    return ["evaluate", f"run={world.shared.run}", *given]


@fault(
    "a search of captions for a run of classes",
    "the key to leave out",
    says=("search", "greedy", "Leave search out"),
)
def search_of_classes(world: World):
    return ["evaluate", f"run={world.shared.run}", "search=greedy"]


@fault(
    "pooling for a run that describes",
    "the key to leave out",
    says=("pooling", "last", "Leave pooling out"),
)
def pooling_of_captions(world: World):
    return ["evaluate", f"run={world.shared.captioner}", "pooling=last"]


@fault(
    "retrieving captions with a run of classes",
    "what a run needs for it",
    says=("run: ", "run", "imgdesc_step"),
)
def retrieve_classes(world: World):
    return ["retrieve", f"run={world.shared.run}"]


@fault(
    "browsing a run with keys of another data set",
    "the keys a run takes",
    says=("dataset", "dataset", "Leave the run out"),
    code=2,
)
def browse_with_keys(world: World):
    return ["browse", f"run={world.shared.run}", "dataset=moving_shapes"]


@fault(
    "input of a prediction that is not there",
    "its path",
    says=("input", "nothing.mp4", "Correct it"),
)
def input_missing(world: World):
    return ["predict", f"run={world.shared.run}", "input=nothing.mp4"]


@fault("pattern that no file matches", "the pattern", says=("input", "*.mp4", "Correct it"))
def pattern_without_match(world: World):
    return ["predict", f"run={world.shared.run}", "input=*.mp4"]


@fault(
    "folder of videos as one input",
    "the pattern to give",
    says=("examples/videos", ".mp4", "Give a glob"),
)
def folder_of_videos(world: World):
    return ["predict", f"run={world.shared.run}", f"input={EXAMPLES}/videos"]


@fault(
    "input that is cut short",
    "a line each for the others; the fault at the end",
    says=("cut.mp4", "Invalid data", "Replace"),
)
def input_cut(world: World):
    world.cut(VIDEO, "cut.mp4")
    return ["predict", f"run={world.shared.run}", f"input=[cut.mp4,{IMAGE}]"]


@fault(
    "folder of frames for a run that describes images",
    "the pattern to give",
    says=("disc left", "a folder", "Give a glob"),
)
def folder_for_images(world: World):
    return ["predict", f"run={world.shared.captioner}", f"input={EXAMPLES}/folders/disc left"]


@fault(
    "one annotated video of two inputs",
    "to give one",
    says=("overlay", "2 inputs", "Leave overlay out"),
)
def overlay_of_two(world: World):
    given = (f"input=[{IMAGE},{VIDEO}]", "overlay=out.mp4")
    return ["predict", f"run={world.shared.run}", *given]


@fault(
    "annotated video of another format", "the suffix it has", says=("overlay", "out.avi", "out.mp4")
)
def overlay_format(world: World):
    return ["predict", f"run={world.shared.run}", f"input={VIDEO}", "overlay=out.avi"]


@fault(
    "annotated video over a video of one's own",
    "the file stays",
    says=("overlay", "own.mp4", "Give another name"),
)
def overlay_over_own(world: World):
    world.copy(VIDEO, "own.mp4")
    return ["predict", f"run={world.shared.run}", f"input={VIDEO}", "overlay=own.mp4"]


@fault("fusing runs of other items", "the first that differ", says=("runs", "v1", "the same items"))
def fuse_other_items(world: World):
    evaluated(world, "a", "v0", "v1")
    evaluated(world, "b", "v0", "v2")
    return ["fuse", "runs=[a,b]"]


@fault("fusing one run alone", "that it takes two", says=("runs", "[a]", "Set runs=[A,B]"))
def fuse_one(world: World):
    evaluated(world, "a", "v0", "v1")
    return ["fuse", "runs=[a]"]


@fault(
    "weights of a fusion that do not sum to 1",
    "weights that do",
    says=("weights", "1.1", "Set weights="),
)
def fuse_weights(world: World):
    evaluated(world, "a", "v0", "v1")
    evaluated(world, "b", "v0", "v1")
    return ["fuse", "runs=[a,b]", "weights=[.5,.6]"]


@fault(
    "fusing a run that is not finished", "the run", says=("b", "no mark DONE", "Repeat the command")
)
def fuse_unfinished(world: World):
    evaluated(world, "a", "v0", "v1")
    evaluated(world, "b", "v0", "v1", done=False)
    return ["fuse", "runs=[a,b]"]


@fault(
    "`probabilities.csv` that is cut short",
    "file and line",
    says=("probabilities.csv:2", "1 columns", "Evaluate the run again"),
)
def probabilities_cut(world: World):
    evaluated(world, "a", "v0", "v1")
    evaluated(world, "b", "v0", "v1")
    world.cut(
        world.folder / "b/evaluation/test/probabilities.csv", "b/evaluation/test/probabilities.csv"
    )
    return ["fuse", "runs=[a,b]"]
