"""Every limit takes effect in every verb that reads such data, as keys of the command."""

import dataclasses
import json
import pathlib

import PIL.Image
import pytest

from lrcn import cli, runs
from lrcn.data import agreement, known, limits, packing, serialize, shapes

EXAMPLES = pathlib.Path(__file__).resolve().parent / "examples"
SMALL = [
    *("dataset.train=8", "dataset.val=2", "dataset.test=2", "dataset.size=24"),
    *("backbone.image_size=[16,16]", "backbone.trainable=false", "workflow.units=4"),
    *("workflow.embedding=4", "vocabulary.min_count=1", "callbacks=minimal", "epochs=1"),
]

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """An empty cache, so that nothing was serialized before the limit was given."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LRCN_CACHE", str(tmp_path / "cache"))


@pytest.fixture(scope="module")
def describer(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LRCN_CACHE", str(tmp_path_factory.mktemp("cache")))
        command = ["train", *SMALL, "workflow=imgdesc_step", f"hydra.run.dir={folder}"]
        assert cli.main(command) == 0
    return folder


@pytest.fixture
def made(tmp_path):
    """Lists of two images with captions, and of two videos; all are of the split test, too."""
    for split in ("train", "test"):
        (tmp_path / f"images.{split}").write_text(
            f"{EXAMPLES}/images/red_left.jpg\ta red disc on the left\n"
            f"{EXAMPLES}/images/blue_left.jpg\ta blue disc on the left\n"
        )
        (tmp_path / f"videos.{split}").write_text(
            f"{EXAMPLES}/videos/train_left_0.mp4 0\n{EXAMPLES}/videos/train_right_0.mp4 1\n"
        )
    return tmp_path


def said(capsys, *arguments):
    code = cli.main([str(argument) for argument in arguments])
    out, err = capsys.readouterr()
    return code, out + err


# What is read, the limit that it keeps, and the one that it does not.
KEYS = {
    "image_pixels": ("images", 48 * 64),
    "frames": ("videos", 20),
    "record_bytes": ("images", 30_000),
    "caption_words": ("images", 6),
    "line_bytes": ("images", 1000),
    "file_bytes": ("images", 5000),
}
BELOW = {"record_bytes": 100, "line_bytes": 20, "file_bytes": 100}
VERBS = {
    "serialize": ["serialize", "output_folder=records", "raw_image_shape=[24,32,3]"],
    "check": ["check"],
    "train": ["train", "hydra.run.dir=run"],
    "browse": ["browse", "output_folder=pictures"],
    "evaluate": ["evaluate"],
    "retrieve": ["retrieve"],
}


# What is checked does not become a record.
READ = [(verb, key) for verb in VERBS for key in KEYS if (verb, key) != ("check", "record_bytes")]


@pytest.mark.parametrize(("verb", "key"), READ)
def test_a_limit_holds_where_data_sets_are_read(capsys, made, describer, verb, key):
    kind, enough = KEYS[key]
    run = [f"run={describer}"] if verb in ("evaluate", "retrieve") else []
    lists = f"[{made / kind}.train,{made / kind}.test]"
    command = [*VERBS[verb], *run, "dataset=lists", f"dataset.input_files={lists}"]
    code, text = said(capsys, *command, f"limits.{key}={BELOW.get(key, enough - 1)}")
    assert code == 1
    assert f"limits.{key}" in text and "bug in lrcn" not in text
    assert not list(made.rglob("*.tfrecord"))
    if verb == "serialize":
        code, text = said(capsys, *command, f"limits.{key}={enough}")
        assert code == 0, text


# The network's own input of 16 x 16 pixels must be allowed.
@pytest.mark.parametrize(
    ("key", "shown", "below"),
    [
        ("image_pixels", "images/red_left.jpg", 256),
        ("image_pixels", "videos/val_left_0.mp4", 256),
        ("file_bytes", "images/red_left.jpg", 100),
        ("frames", "videos/val_left_0.mp4", 19),
    ],
)
def test_a_limit_holds_where_something_is_predicted(capsys, describer, key, shown, below):
    command = ["predict", f"run={describer}", f"input={EXAMPLES / shown}"]
    code, text = said(capsys, *command, f"limits.{key}={below}")
    assert code == 1
    assert f"limits.{key}" in text and EXAMPLES.joinpath(shown).name in text


def test_what_the_limits_allow_is_predicted(capsys, describer):
    shown = f"input=[{EXAMPLES}/images/red_left.jpg,{EXAMPLES}/videos/val_left_0.mp4]"
    command = ["predict", f"run={describer}", shown, "limits.frames=20", "limits.image_pixels=3072"]
    code = cli.main(command)
    lines = capsys.readouterr().out.splitlines()
    assert code == 0 and ["caption" in json.loads(line) for line in lines] == [True, True]


TEXTS = {
    "vocabulary.extra_text": ("[{}]", "a word\n" * 3000, ("line_bytes", "file_bytes")),
    "vocabulary.file": ("{}", "[" + " " * 20_000 + "]", ("file_bytes",)),
    "workflow.word_vectors": ("{}", "disc 1 2 3 4\na" + " 1 2 3 4" * 2000, ("line_bytes",)),
}


@pytest.mark.parametrize(
    ("name", "limit"), [(name, limit) for name, (*_, limits) in TEXTS.items() for limit in limits]
)
def test_a_limit_holds_for_the_texts_of_a_training(capsys, tmp_path, name, limit):
    shape, content, _ = TEXTS[name]
    (tmp_path / "text").write_text(content.replace("\n", " ") if limit == "line_bytes" else content)
    given = shape.format(tmp_path / "text")
    small = [key for key in SMALL if name != "vocabulary.file" or "min_count" not in key]
    command = ["train", *small, "workflow=imgdesc_step", f"{name}={given}", "hydra.run.dir=run"]
    code, text = said(capsys, *command, f"limits.{limit}=10000")
    assert code == 1
    assert f"limits.{limit}" in text and f"{tmp_path}/text" in text


def test_captions_of_records_are_bounded_where_they_are_learnt(capsys, made):
    lists = f"dataset.input_files=[{made}/images.train,{made}/images.test]"
    assert said(capsys, "serialize", lists, "output_folder=records")[0] == 0
    parts = (f"dataset.{split}=records/images.{split}.tfrecord" for split in ("train", "test"))
    records = ["dataset=records", *parts]
    for verb in (["train", *SMALL[4:], "hydra.run.dir=run", "workflow=imgdesc_step"], ["browse"]):
        code, text = said(capsys, *verb, *records, "limits.caption_words=5")
        assert code == 1
        assert "limits.caption_words" in text and "images.train.tfrecord" in text


def test_a_run_goes_on_with_other_limits_and_hands_them_to_its_evaluation(capsys, describer):
    kept = runs.RunDirectory(describer).read_config()["limits"]
    assert kept["image_pixels"] == 100_000_000
    same = ["train", *SMALL, "workflow=imgdesc_step", f"hydra.run.dir={describer}"]
    code, text = said(capsys, *same, "evaluate=[train]", "limits.caption_words=1")
    assert code == 1
    assert "caption is too long" in text and "at most 1 words" in text


def test_frames_that_nobody_may_read_afterwards_are_refused_before_they_are_stored(capsys, made):
    lists = f"dataset.input_files=[{made}/images.train]"
    shape = ["raw_image_shape=[100,100,3]", "limits.image_pixels=9999"]
    code, text = said(capsys, "serialize", lists, "output_folder=records", *shape)
    assert code == 1
    assert "raw_image_shape: a stored frame is larger than the limit" in text
    assert not (made / "records").exists()


def test_limits_of_a_limit(capsys, made):
    code, text = said(
        capsys, "check", f"dataset.input_files=[{made}/images.train]", "limits.frames=0"
    )
    assert code == 1
    assert "limits.frames: value out of range" in text


@pytest.fixture
def no_defaults(monkeypatch):
    """Refuses metadata that are read under other limits than the raised ones."""
    real = agreement.check

    def check(size, values, *, limits, remedy):
        assert limits.frames == 2_000_000, f"{size.name} was read under other limits"
        return real(size, values, limits=limits, remedy=remedy)

    monkeypatch.setattr(agreement, "check", check)


def test_a_raised_limit_holds_wherever_records_are_read(capsys, made, no_defaults):
    """A limit that is forgotten on the way falls back to its default."""
    lists = f"dataset.input_files=[{made}/images.train,{made}/images.test]"
    raised = "limits.frames=2000000"
    command = ["serialize", lists, "output_folder=records", raised]
    parts = (f"dataset.{split}=records/images.{split}.tfrecord" for split in ("train", "test"))
    given = ["dataset=records", *parts]
    run = ["hydra.run.dir=run", "workflow=imgdesc_step"]
    for verb in (
        command,
        command,  # found again
        [*command, "overwrite=true"],
        ["check", *given[:2], raised],
        ["browse", *given, "output_folder=pictures", "split=train", raised],
        ["train", *SMALL[4:], *run, *given, raised],
        ["evaluate", "run=run", "split=test", raised],
        ["retrieve", "run=run", "split=test", raised],
        # Serialized into the cache, where other records are found.
        ["train", *SMALL, "workflow=imgdesc_step", "hydra.run.dir=first", raised],
        ["train", *SMALL, "workflow=imgdesc_step", "hydra.run.dir=second", raised, "seed=3"],
    ):
        code, text = said(capsys, *verb)
        assert code == 0, text


def test_an_image_above_the_default_is_stored_if_the_limit_is_raised(capsys, tmp_path):
    PIL.Image.new("L", (11_000, 9_200)).save(tmp_path / "large.png")
    (tmp_path / "images.train").write_text("large.png\ta black field\n")
    command = ["serialize", f"dataset.input_files=[{tmp_path}/images.train]", "output_folder=r"]
    code, text = said(capsys, *command, "raw_image_shape=[24,32,3]")
    assert code == 1 and "limits.image_pixels" in text
    more = ["raw_image_shape=[24,32,3]", "limits.image_pixels=200000000"]
    code, text = said(capsys, *command, *more)
    assert code == 0, text


def test_stored_frames_above_the_default_are_reported_and_found_again(tmp_path):
    """The metadata of such records ask for as much as the frames, whatever stores them."""
    raised = limits.Limits(image_pixels=200_000_000)
    pack = packing.Packer.__call__
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            packing.Packer,
            "__call__",
            lambda packer, place: dataclasses.replace(pack(packer, place), size=(11_000, 9_200)),
        )
        one = shapes.moving_shapes(train=2, val=0, test=0, size=24, num_frames=4)
        options = serialize.StoreOptions(mode=None, limits=raised)
        (report,) = serialize.serialize(one, tmp_path / "r", options=options)
    assert not report.reused
    assert serialize.serialize(one, tmp_path / "r", options=options)[0].reused
    known.write(tmp_path / "r", known.keys_of(one, options.reading()), limits=raised)
