"""Folders that results are to go to."""

from .records import training
from .registry import fault
from .runs import evaluated
from .world import IMAGE, VIDEO, World

TITLE = "Places to write to"


@fault(
    "`output_folder` that is a file",
    "the path; the file stays",
    says=("output_folder", "taken: Not a directory", "another place"),
)
def records_into_file(world: World):
    world.write("taken", "mine")
    world.write("a.train", f"{IMAGE} 0\n")
    return ["serialize", "dataset.input_files=a.train", "output_folder=taken"]


@fault(
    "`hydra.run.dir` below a file",
    "the key and the path",
    says=("hydra.run.dir", "taken/run", "hydra.run.dir=FOLDER"),
)
def run_below_file(world: World):
    world.write("taken", "mine")
    return ["train", "hydra.run.dir=taken/run"]


@fault(
    "`hydra.run.dir` with files of one's own",
    "the folder; the files stay",
    says=("hydra.run.dir", "mine", "Give another folder"),
)
def run_in_foreign_folder(world: World):
    world.write("mine/labels.txt", "mine")
    return [*training(world.shared.records)[:-1], "hydra.run.dir=mine"]


@fault("report into a folder that is not there", "the path", says=("report", "taken", "Set report"))
def report(world: World):
    world.write("taken", "mine")
    world.write("a.train", f"{VIDEO} 0\n")
    return ["check", "dataset.input_files=a.train", "report=taken/report.json"]


@fault("report that is a folder", "the path", says=("report", "a folder", "Set report"))
def report_folder(world: World):
    (world.folder / "found").mkdir()
    return ["check", "dataset.input_files=a.train", "report=found"]


@fault(
    "pictures of `browse` below a file",
    "the key and the path",
    says=("output_folder", "taken/pictures", "Set output_folder"),
)
def browse_below_file(world: World):
    world.write("taken", "mine")
    return ["browse", "dataset.train=4", "output_folder=taken/pictures"]


@fault(
    "results of `fuse` into a folder of something else",
    "the folder; its files stay",
    says=("output_folder", "mine", "Give another folder"),
)
def fuse_into_foreign(world: World):
    evaluated(world, "a", "v0", "v1")
    evaluated(world, "b", "v0", "v1")
    world.write("mine/photo.txt", "mine")
    return ["fuse", "runs=[a,b]", "output_folder=mine"]


@fault(
    "annotated video into a folder that is not there",
    "the path",
    says=("overlay", "taken", "Set overlay"),
)
def overlay_below_file(world: World):
    world.write("taken", "mine")
    return ["predict", f"run={world.shared.run}", f"input={VIDEO}", "overlay=taken/out.mp4"]


@fault(
    "`LRCN_CACHE` that is a file",
    "the path",
    says=("LRCN_CACHE", "taken", "Set the environment variable"),
)
def cache_is_file(world: World):
    world.patch.setenv("LRCN_CACHE", str(world.write("taken", "mine")))
    world.write("a.train", f"{VIDEO} 0\n")
    return ["train", "dataset=lists", "dataset.input_files=a.train", "hydra.run.dir=run"]


@fault(
    "name that is longer than the file system allows",
    "the key and the reason",
    says=("hydra.run.dir", "too long", "hydra.run.dir=FOLDER"),
)
def name_too_long(world: World):
    return ["train", f"hydra.run.dir={'x' * 300}"]
