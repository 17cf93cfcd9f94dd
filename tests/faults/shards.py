"""Shards that processes make each alone, and their merging."""

import json

from lrcn import cli

from .registry import Elsewhere, fault
from .world import IMAGE, LABELS, TINY, VIDEO, World, records_of

TITLE = "Shards of many processes"
MERGE = ["serialize", "output_folder=records", "merge=true"]
NAME = "records/videos.train.tfrecord-0000{}-of-00002"


def shard(world: World, *more: str) -> list[str]:
    """Returns the making of a shard of a list of two videos."""
    world.write("videos.train", f"{VIDEO} 0\n{VIDEO.with_stem('val_left_1')} 0\n")
    given = ("dataset.input_files=videos.train", LABELS, "output_folder=records")
    return ["serialize", *given, "clipframe_mode=none", "raw_image_shape=[24,32,3]", *more]


def made(world: World, *more: str, indices: tuple[int, ...] = (0, 1)) -> None:
    """Makes shards of two."""
    for index in indices:
        assert cli.main(shard(world, f"shard_index={index}", "shard_count=2", *more)) == 0


@fault("a shard index out of range", "the range", says=("shard_index", "2", "0 to 1"))
def index_out_of_range(world: World):
    return shard(world, "shard_index=2", "shard_count=2")


@fault(
    "`shard_count` without `shard_index`",
    "the key that lacks",
    says=("shard_index", "null", "from 0"),
    code=2,
)
def count_alone(world: World):
    return shard(world, "shard_count=2")


@fault(
    "`shard_index` without `shard_count`",
    "the key that lacks",
    says=("shard_count", "null", "from 0"),
    code=2,
)
def index_alone(world: World):
    return shard(world, "shard_index=0")


@fault(
    "`shards` beside `shard_count`",
    "which one to leave out",
    says=("shards", "3", "Leave shards out"),
    code=2,
)
def two_counts(world: World):
    return shard(world, "shard_index=0", "shard_count=2", "shards=3")


@fault(
    "a shard without records (`do_serialize=false`)",
    "the key",
    says=("do_serialize", "false", "Leave shard_index"),
    code=2,
)
def no_records(world: World):
    return shard(world, "shard_index=0", "shard_count=2", "do_serialize=false")


@fault(
    "more processes than items",
    "both numbers, and to serialize a short list by itself",
    says=("shard_count", "3", "Lower shard_count", "by itself into the same folder"),
)
def too_many(world: World):
    world.write("a.train", f"{IMAGE} 0\n")
    return ["serialize", "dataset.input_files=a.train", "shard_index=0", "shard_count=3"]


@fault(
    "a shard of other settings than those beside it",
    "what differs",
    says=("videos.train.tfrecord-00001-of-00002", "image_shape", "overwrite=true"),
)
def unlike_others(world: World):
    made(world, indices=(0,))
    return shard(world, "shard_index=1", "shard_count=2", "raw_image_shape=[48,64,3]")


@fault(
    "training on shards that are not merged",
    "the command that merges them",
    says=("videos.train.tfrecord.size", "-00000-of-00002.shard", "merge=true"),
)
def not_merged(world: World):
    made(world)
    return ["train", *records_of("records"), *TINY, "hydra.run.dir=run"]


@fault(
    "a merge of shards of different settings",
    "what differs, with both values",
    says=("-00001-of-00002.shard", "raw_image_shape (48, 64, 3)", "raw_image_shape (24, 32, 3)"),
)
def merged_unlike(world: World):
    made(world)
    made(world, "raw_image_shape=[48,64,3]", "overwrite=true", indices=(1,))
    return MERGE


@fault(
    "a merge that lacks a shard",
    "which, and how to make it",
    says=("records", "shard 1 of videos.train", "shard_index=1"),
)
def merged_too_early(world: World):
    made(world, indices=(0,))
    return MERGE


@fault(
    "a merge of a shard that changed on the disk",
    "the file, and how to make it again",
    says=("-00001-of-00002", "checksum", "shard_index=1 overwrite=true"),
)
def merged_damaged(world: World):
    made(world)
    file = world.folder / NAME.format(1)
    content = bytearray(file.read_bytes())
    content[-1] ^= 0xFF
    file.write_bytes(content)
    return MERGE


@fault(
    "a `.shard` file changed by hand",
    "the key",
    says=("-00000-of-00002.shard", "'none'", "shard_index=0 overwrite=true"),
)
def told_wrongly(world: World):
    made(world)
    file = world.folder / f"{NAME.format(0)}.shard"
    file.write_text(json.dumps({**json.loads(file.read_text()), "skipped_places": "none"}))
    return MERGE


@fault(
    "a merge where there are no shards",
    "the folder",
    says=("output_folder", "records", "make the shards first"),
)
def nothing_to_merge(world: World):
    return MERGE


@fault(
    "a merge without its folder",
    "the key",
    says=("output_folder", "null", "Name the folder"),
)
def merged_nowhere(world: World):
    return ["serialize", "merge=true"]


@fault(
    "a merge with keys of a serialization",
    "the keys to leave out",
    says=("dataset.input_files", "merge=true and", "Leave the other keys out"),
    code=2,
)
def merged_with_keys(world: World):
    return shard(world, "merge=true")


ELSEWHERE = (
    Elsewhere(
        "a shard or the merge killed at any step",
        "the same commands go on and end with the bytes of one process",
        "tests/data/merging_test.py::test_a_kill_at_any_step_changes_not_a_byte",
    ),
    Elsewhere(
        "two processes with one shard index, or one that needs the folder for itself",
        "the second is refused, with the process of the first (1)",
        "tests/data/shard_job_test.py::test_shards_stand_in_nobodys_way_but_their_own",
    ),
    Elsewhere(
        "a merge while a shard is being made",
        "refused, with the process that makes it (1)",
        "tests/data/merging_test.py::test_who_merges_is_alone",
    ),
    Elsewhere(
        "shards of a source that changed between them",
        "what differs, and which to make again (1)",
        "tests/data/merging_test.py::test_shards_of_a_source_that_changed_are_refused",
    ),
    Elsewhere(
        "shards of two `shard_count`",
        "both numbers (1)",
        "tests/data/merging_test.py::test_shards_of_two_counts_are_refused",
    ),
    Elsewhere(
        "a second merge",
        "it says that all is merged already (0)",
        "tests/shards_cli_test.py::test_an_array_of_processes_makes_what_one_makes",
    ),
)
