"""Runs that are to leave the place where they were trained."""

from lrcn.verbs import exporting as verb

from .registry import Elsewhere, fault
from .world import World

TITLE = "Exports"


def exporting(run: object, *more: str) -> list[str]:
    """Returns the command that exports a run."""
    return ["export", f"run={run}", "format=litert", *more]


@fault("run to export that is not there", "its path", says=("run: ", "nowhere", "Give the folder"))
def no_run(world: World):
    return exporting("nowhere")


@fault(
    "exporting a run that never finished an epoch",
    "to repeat its command",
    says=("run", "best.keras", "repeat"),
)
def without_checkpoint(world: World):
    world.own_run().best.unlink()
    return exporting("run")


@fault(
    "format that there is none of",
    "those there are",
    says=("format", "coreml", "saved_model"),
)
def no_format(world: World):
    return ["export", f"run={world.shared.run}", "format=coreml"]


@fault(
    "export whose runtime is not installed",
    "what to install, before TensorFlow starts",
    says=("format=onnx", "no onnx, onnxruntime, tf2onnx", "pip install 'lrcn[onnx]'"),
)
def without_runtime(world: World):
    world.patch.setattr(verb.importlib.util, "find_spec", lambda name: None)
    return ["export", f"run={world.shared.run}", "format=onnx"]


@fault(
    "export over an earlier one",
    "the folder and the key; it stays",
    says=("output_folder", "mine", "overwrite=true"),
)
def over_export(world: World):
    world.write("mine/contract.json", "{}")
    return exporting(world.shared.run, "output_folder=mine")


@fault(
    "export over files of one's own",
    "the folder, whatever `overwrite` says; they stay",
    says=("output_folder", "mine", "Give another output_folder"),
)
def over_files(world: World):
    world.write("mine/photo.txt", "mine")
    return exporting(world.shared.run, "output_folder=mine", "overwrite=true")


@fault(
    "export below a file",
    "the key and the path",
    says=("output_folder", "taken", "Set output_folder"),
)
def below_file(world: World):
    world.write("taken", "mine")
    return exporting(world.shared.run, "output_folder=taken/export")


@fault(
    "exporting a run with a link in it",
    "the link; nothing is written through it",
    says=("run/export", "a link to", "Remove the link"),
)
def through_link(world: World):
    run = world.own_run()
    (world.folder / "elsewhere").mkdir()
    (run.path / "export").symlink_to(world.folder / "elsewhere")
    return exporting("run")


@fault(
    "a search of captions for an export of classes",
    "the key to leave out",
    says=("search", "beam", "Leave search out"),
)
def search_of_classes(world: World):
    return exporting(world.shared.run, "search=beam")


@fault(
    "export of captions that are drawn",
    "the searches that can be exported",
    says=("search", "sample", "greedy | beam"),
)
def drawn(world: World):
    return exporting(world.shared.captioner, "search=sample")


@fault(
    "export of ten crops",
    "the key that gives one",
    says=("augment", "ten crops", "Give augment=none"),
)
def ten_crops(world: World):
    return exporting(world.shared.run, "augment=ten_crop")


_TESTS = "tests/inference/export/writing_test.py::"
ELSEWHERE = (
    Elsewhere(
        "export of an operation that the format lacks",
        "the operation, and what to try: `time=fixed`, another format",
        "tests/inference/export/lacking_test.py::test_an_operation_that_a_format_lacks_is_named",
    ),
    Elsewhere(
        "export that does not give what Keras gives",
        "the difference; it is not kept",
        f"{_TESTS}test_what_is_not_equal_is_not_kept",
    ),
    Elsewhere(
        "export with `KERAS_BACKEND=jax`",
        "the variable to leave out",
        f"{_TESTS}test_another_backend_is_refused",
    ),
    Elsewhere(
        "export of a run that is still training or failed",
        "a warning: it is exported as it is, after which epoch",
        f"{_TESTS}test_a_run_that_is_not_done_is_exported_as_it_is",
    ),
    Elsewhere(
        "disk that fills up during an export",
        "the folder; nothing stays there",
        f"{_TESTS}test_a_full_disk_is_no_fault_of_the_format",
    ),
)
