"""Pages of runs and sweeps, and what they are made of."""

from lrcn.inference import sweeps
from lrcn.runs import RunDirectory

from .registry import Elsewhere, fault
from .runs import evaluated
from .world import World

TITLE = "Reports"


def training(world: World, history: str = "") -> RunDirectory:
    """Makes the folder of a run that is not done."""
    run = RunDirectory(world.folder / "run")
    run.write_config(RunDirectory(world.shared.run).read_config())
    if history:
        run.history_file.write_text(history)
    return run


def sweep(world: World) -> None:
    """Makes the folder of a sweep of one job."""
    job = sweeps.Job(world.folder / "sweep/a", {"seed": "0"}, "DONE", {"video_accuracy": 0.5})
    sweeps.write_summary(world.folder / "sweep", [job])


@fault(
    "report of a run that is not there",
    "what it could be",
    says=("run: ", "no such folder", "Give the folder"),
)
def missing(world: World):
    return ["report", "run=nowhere"]


@fault(
    "report of a folder that is neither a run nor a sweep",
    "what either is",
    says=("neither a run nor", "mine", "summary.csv"),
)
def neither(world: World):
    world.write("mine/photo.txt", "mine")
    return ["report", "run=mine"]


@fault(
    "report of a folder of runs that is no sweep",
    "one of the runs",
    says=("neither a run nor", "without summary.csv", "mine/run"),
)
def folder_of_runs(world: World):
    world.own_run("mine/run")
    return ["report", "run=mine"]


@fault(
    "report of a run that failed before its first epoch",
    "why it failed, and what goes on with it",
    says=("before its first epoch", "epochs: -1", "resume=run"),
)
def failed(world: World):
    world.write("run/FAILED", "epochs: -1 is none\n")
    return ["report", "run=run"]


@fault(
    "report of a run that is in its first epoch",
    "what goes on with it",
    says=("no epoch is over", "no history.csv", "resume=run"),
)
def first_epoch(world: World):
    training(world)
    return ["report", "run=run"]


@fault(
    "report of a run that is not done, with a split it was not evaluated on",
    "its state",
    says=("split", "test", "split=null"),
)
def not_evaluated(world: World):
    training(world, "epoch,loss\n1,0.5\n")
    return ["report", "run=run", "split=test"]


@fault(
    "report with a history that is no text",
    "the file",
    says=("history.csv", "decode", "restore"),
)
def history(world: World):
    evaluated(world, "run", "a", "b")
    world.write("run/history.csv", b"epoch\n\xff\xfe\n")
    return ["report", "run=run"]


@fault(
    "report with an evaluation whose `metrics.json` is cut short",
    "file and line, and to evaluate again",
    says=("evaluation/test/metrics.json:2", "property", "lrcn evaluate run=run split=test"),
)
def metrics_cut(world: World):
    evaluated(world, "run", "a", "b")
    world.write("run/evaluation/test/metrics.json", '{"videos": 2,\n')
    return ["report", "run=run"]


@fault(
    "report with an evaluation whose metrics are words",
    "file and key, and to evaluate again",
    says=("evaluation/test/metrics.json", "video_accuracy: high", "lrcn evaluate"),
)
def metrics_words(world: World):
    evaluated(world, "run", "a", "b")
    world.write("run/evaluation/test/metrics.json", '{"video_accuracy": "high"}')
    return ["report", "run=run"]


@fault(
    "report with probabilities of other items than the metrics",
    "both counts, and to evaluate again",
    says=("evaluation/test", "2 items with probabilities, videos=7", "lrcn evaluate"),
)
def other_items(world: World):
    evaluated(world, "run", "a", "b")
    world.write("run/evaluation/test/metrics.json", '{"video_accuracy": 0.5, "videos": 7}')
    return ["report", "run=run"]


@fault(
    "report with `probabilities.csv` that is damaged",
    "file and line, and to evaluate again",
    says=("probabilities.csv:3", "3 columns", "Evaluate the run again"),
)
def probabilities_damaged(world: World):
    evaluated(world, "run", "a", "b")
    world.write("run/evaluation/test/probabilities.csv", "id,group,truth,l,r\na,,0,1,0\nb,,\n")
    return ["report", "run=run"]


@fault(
    "report with `protocol.json` that lacks a key",
    "the key, and to evaluate again",
    says=("protocol.json", "records", "lrcn evaluate"),
)
def protocol(world: World):
    evaluated(world, "run", "a", "b")
    world.write("run/evaluation/test/protocol.json", "{}")
    return ["report", "run=run"]


@fault(
    "report of a sweep whose `summary.csv` is damaged",
    "the file, and to repeat the sweep",
    says=("summary.csv", "columns", "Repeat the command of the sweep"),
)
def summary(world: World):
    sweep(world)
    world.write("sweep/summary.csv", "seed,status,run,reason\n0,DONE\n")
    return ["report", "run=sweep"]


@fault(
    "report into a folder",
    "to give the name of a file",
    says=("output", "which is a folder", "Set output"),
)
def output_folder(world: World):
    sweep(world)
    return ["report", "run=sweep", "output=sweep"]


@fault(
    "report below a file",
    "the reason of the system",
    says=("output", "Not a directory", "Set output to another place"),
)
def output_below_file(world: World):
    sweep(world)
    world.write("file", "mine")
    return ["report", "run=sweep", "output=file/report.html"]


@fault(
    "report of a run with a link in its folder",
    "the link; nothing is written through it",
    says=("holds a link", "a link to", "Remove the link"),
)
def link(world: World):
    evaluated(world, "run", "a", "b")
    (world.folder / "run" / "report.html").symlink_to(world.write("mine.html", "mine"))
    return ["report", "run=run"]


@fault(
    "report that would replace a file of one's own",
    "the file, which stays as it is",
    says=("output: the file is no report", "mine.html", "another name"),
)
def output_of_ones_own(world: World):
    world.own_run()
    world.write("mine.html", "<h1>mine</h1>")
    return ["report", "run=run", "output=mine.html"]


@fault(
    "report under a name that no browser opens",
    "the name that it should have",
    says=("output: a report is a page for a browser", "notes.txt", "output=notes.html"),
)
def output_without_html(world: World):
    world.own_run()
    return ["report", "run=run", "output=notes.txt"]


ELSEWHERE = (
    Elsewhere(
        "report of a run that trains now, was stopped, or failed after an epoch",
        "a page of what is there, which says so on top with the remedy",
        "tests/report/run_test.py::test_a_run_that_is_not_done_says_so_on_top",
    ),
    Elsewhere(
        "report where the records are gone or changed",
        "a page without pictures, which says why",
        "tests/report/run_test.py::test_without_the_records_the_page_says_why_there_are_no_pictures",
    ),
    Elsewhere(
        "names, captions and reasons with HTML in them",
        "text in the page, no element and no script",
        "tests/report/hostile_test.py::test_names_of_strangers_stay_text",
    ),
)
