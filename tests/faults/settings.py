"""The command line: verbs, groups, keys, values."""

from .records import training
from .registry import Elsewhere, fault
from .world import VIDEO, World

TITLE = "The command line"


@fault("verb that does not exist", "the nearest one", says=("VERB", "trian", "lrcn --help"), code=2)
def unknown_verb(world: World):
    return ["trian"]


@fault(
    "key that does not exist",
    "the nearest one, and all there are",
    says=("epoch", "epoch=3", "Write 'epochs'"),
    code=2,
)
def unknown_key(world: World):
    return ["train", "epoch=3"]


@fault(
    "key of another member of its group",
    "the keys of this one",
    says=("backbone.alpha", "backbone.alpha=1", "backbone=mobilenet"),
    code=2,
)
def key_of_another_member(world: World):
    return ["train", "backbone=vgg16", "backbone.alpha=1"]


@fault(
    "member that does not exist",
    "the nearest one, and all there are",
    says=("workflow", "lsmt", "--help"),
    code=2,
)
def unknown_member(world: World):
    return ["train", "workflow=lsmt"]


@fault("`null` for a group", "its members", says=("workflow", "null", "--help"), code=2)
def null_group(world: World):
    return ["train", "workflow=null"]


@fault(
    "keys in braces in the place of a member",
    "its members",
    says=("optimizer", "{a: 1}", "adam"),
    code=2,
)
def braces_for_member(world: World):
    return ["train", "optimizer={a: 1}"]


@fault("value that is missing", "the key", says=("run", "nothing", "lrcn evaluate --help"))
def value_missing(world: World):
    return ["evaluate"]


@fault("text for a number", "what the key takes", says=("epochs", "many", "epochs"))
def wrong_type(world: World):
    return ["train", "epochs=many"]


@fault(
    "number out of its range", "the range", says=("optimizer.learning_rate", "-1", "leave it out")
)
def out_of_range(world: World):
    return ["train", "optimizer.learning_rate=-1"]


@fault(
    "value that is none of the choices", "the choices", says=("precision", "half", "leave it out")
)
def unknown_choice(world: World):
    return ["train", "precision=half"]


@fault(
    "shape of two numbers",
    "the form of a shape",
    says=("raw_image_shape", "[240, 320]", "[240,320,3]"),
)
def wrong_shape(world: World):
    return ["serialize", "dataset.input_files=a.train", "raw_image_shape=[240,320]"]


@fault(
    "list without brackets",
    "the argument with brackets, in quotes for the shell",
    says=("dataset.input_files", "a.train,b.val", "[a.train,b.val]"),
    code=2,
)
def list_without_brackets(world: World):
    return ["serialize", "dataset.input_files=a.train,b.val"]


@fault(
    "several values without `-m`",
    "the command of a sweep",
    says=("workflow", "lstm,singleframe", "-m"),
    code=2,
)
def values_without_m(world: World):
    return ["train", "workflow=lstm,singleframe"]


@fault(
    "argument that cannot be read",
    "the same with the quotes it needs",
    says=("run", "run=my (x)", '"my (x)"'),
    code=2,
)
def unreadable(world: World):
    return ["evaluate", "run=my (x)"]


@fault(
    "flag that does not exist",
    "the nearest one",
    says=("command line", "--multrun", "key=value"),
    code=2,
)
def unknown_flag(world: World):
    return ["train", "--multrun", "epochs=1,2"]


@fault(
    "argument without a value",
    "the form of an argument",
    says=("epochs", "epochs", "Write epochs=VALUE"),
    code=2,
)
def without_equals(world: World):
    return ["train", "epochs"]


@fault(
    "folder of configurations that is not there",
    "its path",
    says=("nowhere", "--config-dir=nowhere", "Correct"),
    code=2,
)
def config_folder(world: World):
    return ["train", "--config-dir", "nowhere"]


@fault(
    "experiment that is not there",
    "those there are",
    says=("experiment", "ucf102_5", "--help"),
    code=2,
)
def unknown_experiment(world: World):
    return ["train", "experiment=ucf102_5"]


@fault(
    "configuration of one's own that is no YAML",
    "the file and the line",
    says=("own.yaml:2", "expected", "Correct this line"),
)
def broken_yaml(world: World):
    world.write("mine/experiment/own.yaml", "epochs: [1\n")
    return ["train", "--config-dir=mine", "experiment=own"]


@fault("clips that do not get on", "the least step", says=("clip_offset_or_num", "-4", "-3"))
def clips_without_step(world: World):
    world.write("a.train", f"{VIDEO} 0\n")
    given = ("clipframe_mode.num_frames_per_clip=4", "clipframe_mode.clip_offset_or_num=-4")
    return ["serialize", "dataset.input_files=a.train", "clipframe_mode=iterative", *given]


@fault(
    "training without clips",
    "the modes there are",
    says=("clipframe_mode", "none", "Leave clipframe_mode out"),
)
def no_clips(world: World):
    return ["train", "clipframe_mode=none"]


@fault(
    "metric that is not measured",
    "those that are",
    says=("callbacks.monitor", "accuracy", "video_accuracy"),
)
def unknown_monitor(world: World):
    return ["train", "callbacks.monitor=accuracy"]


@fault("split that does not exist", "those there are", says=("evaluate", "tset", "[test]"))
def unknown_split(world: World):
    return ["train", "evaluate=[tset]"]


@fault("`resume` and `init` at once", "what each is for", says=("init", "resume=a", "Give one"))
def resume_and_init(world: World):
    return ["train", "resume=a", "init=b"]


@fault(
    "design that needs a second layer",
    "the key to set",
    says=("workflow.layers", "factored", "workflow.layers=2"),
)
def one_layer(world: World):
    return ["train", "workflow=imgdesc_step", "workflow.factored=true"]


@fault(
    "key that the workflow has no use for",
    "the key to leave out",
    says=("search", "greedy", "Leave search out"),
)
def no_use(world: World):
    return ["train", "search=greedy"]


@fault(
    "schedule without the steps of its decay",
    "the key to set",
    says=("schedule.decay_steps", "null", "schedule.decay_steps"),
)
def no_decay_steps(world: World):
    return training(world.shared.records, "schedule=exponential", "schedule.decay_steps=null")


@fault(
    "warm-up that leaves no step",
    "the steps there are",
    says=("schedule.warmup_steps", "99", "Lower schedule.warmup_steps"),
)
def warmup_too_long(world: World):
    return training(world.shared.records, "schedule=cosine", "schedule.warmup_steps=99")


@fault(
    "launcher that does not exist",
    "the nearest one, and all there are with their extras",
    says=("hydra/launcher", "jobib", "joblib (lrcn[joblib])"),
    code=2,
)
def unknown_launcher(world: World):
    return ["train", "-m", "seed=0,1", "hydra/launcher=jobib"]


@fault(
    "key of a launcher that was not chosen",
    "the group to choose it from",
    says=("hydra.launcher.n_jobs", "n_jobs=2", "hydra/launcher=NAME"),
    code=2,
)
def key_of_another_launcher(world: World):
    return ["train", "-m", "seed=0,1", "hydra.launcher.n_jobs=2"]


@fault(
    "launcher or sweeper of a command that is no sweep",
    "that -m is missing",
    says=("hydra/launcher", "hydra/launcher=joblib", "Add -m"),
    code=2,
)
def launcher_without_sweep(world: World):
    return ["train", "hydra/launcher=joblib"]


@fault(
    "list with a blank after a comma, which the shell cut in two",
    "how it is written",
    says=("input", "[a.mp4,", "without any"),
    code=2,
)
def cut_list(world: World):
    return ["predict", "run=x", "input=[a.mp4,", "b.mp4]"]


@fault(
    "path without the key it is for",
    "how it is written",
    says=("my.mp4", "my.mp4", "KEY=my.mp4, such as run= or input="),
    code=2,
)
def path_without_key(world: World):
    world.write("my.mp4", "")
    return ["predict", "run=x", "my.mp4"]


@fault("limit below 1", "its range", says=("limits.frames", "0", "limits.frames"))
def limit_of_nothing(world: World):
    return ["train", "limits.frames=0"]


ELSEWHERE = (
    Elsewhere(
        "launcher or sweeper whose extra is not installed",
        "the command that installs it (1)",
        "tests/launching_test.py::test_an_extra_that_is_not_installed_is_told_with_the_command_that_installs_it",
    ),
    Elsewhere(
        "more jobs at once than cores",
        "the key, the cores there are, and the launcher of other machines (1)",
        "tests/launching_test.py::test_more_jobs_at_once_than_cores_are_refused",
    ),
    Elsewhere(
        "study of another search space",
        "the keys that differ, with both values (1)",
        "tests/launchers_test.py::test_a_search_is_continued_and_keeps_to_its_space",
    ),
    Elsewhere(
        "search without a key to search, or with one that cannot be read",
        "how a search space is written (1)",
        "tests/studies_test.py::test_what_cannot_be_searched_is_told",
    ),
    Elsewhere(
        "sampler or database by which a study could run code (`cmaes`, Redis)",
        "why, and what to take instead (1)",
        "tests/studies_test.py::test_what_reads_pickles_is_refused",
    ),
    Elsewhere(
        "study that is no database",
        "the file (1)",
        "tests/studies_test.py::test_a_study_that_cannot_be_read_is_told",
    ),
)
