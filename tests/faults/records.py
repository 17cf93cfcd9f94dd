"""Records and their metadata."""

import json

from .registry import fault
from .world import IMAGE, LABELS, TINY, VIDEO, World, records_of

TITLE = "Records"


def training(folder: object, *more: str) -> list[str]:
    """Returns a tiny training on records."""
    return ["train", *records_of(folder), *TINY, "hydra.run.dir=run", *more]


def own(world: World) -> None:
    """Copies good records, to be spoilt."""
    world.copy(world.shared.records, "records")


def changed(world: World, split: str = "train", **values: object) -> None:
    """Changes the metadata of own records."""
    file = world.folder / "records" / f"videos.{split}.tfrecord.size"
    file.write_text(json.dumps({**json.loads(file.read_text()), **values}))


@fault(
    "records that are not there",
    "the path",
    says=("videos.train.tfrecord", "no file of this name", "Serialize"),
)
def missing(world: World):
    return training("records")


@fault(
    "`dataset=records` without a file",
    "the keys to set",
    says=("dataset", "dataset=records alone", "tfrecord"),
)
def none_given(world: World):
    return ["train", "dataset=records", "hydra.run.dir=run"]


@fault(
    "records without their `.size`: a serialization that was killed",
    "what is there",
    says=("videos.train.tfrecord.size", "videos.train.tfrecord", "overwrite=true"),
)
def unfinished(world: World):
    own(world)
    (world.folder / "records" / "videos.train.tfrecord.size").unlink()
    return training("records")


@fault(
    "`.size` that is no JSON",
    "the path",
    says=(".tfrecord.size", "property name", "overwrite=true"),
)
def size_broken(world: World):
    own(world)
    world.write("records/videos.train.tfrecord.size", "{")
    return training("records")


@fault(
    "records of another version",
    "both versions",
    says=("videos.train.tfrecord.size", "format_version 99", "overwrite=true"),
)
def other_version(world: World):
    own(world)
    changed(world, format_version=99)
    return training("records")


@fault(
    "`.size` that lacks keys",
    "the keys",
    says=("videos.train.tfrecord.size", "no ", "overwrite=true"),
)
def size_lacks_keys(world: World):
    own(world)
    world.write("records/videos.train.tfrecord.size", '{"format_version": 1}')
    return training("records")


@fault(
    "`.size` that disagrees with itself",
    "what disagrees",
    says=("videos.train.tfrecord.size", "items 5", "overwrite=true"),
)
def size_disagrees(world: World):
    own(world)
    changed(world, items=5)
    return training("records")


@fault(
    "shard that is missing",
    "the file",
    says=("videos.train.tfrecord", "no such file", "overwrite=true"),
)
def shard_missing(world: World):
    own(world)
    (world.folder / "records" / "videos.train.tfrecord").unlink()
    return training("records")


@fault(
    "shard that is cut short",
    "both lengths",
    says=("videos.train.tfrecord", "bytes", "overwrite=true"),
)
def shard_cut(world: World):
    own(world)
    world.cut(world.folder / "records" / "videos.train.tfrecord", "records/videos.train.tfrecord")
    return training("records")


def flipped(world: World) -> None:
    """Flips a byte in the middle of own records."""
    own(world)
    file = world.folder / "records" / "videos.train.tfrecord"
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 0xFF
    file.write_bytes(content)


@fault(
    "a byte that changed on the disk, in training",
    "the file and the first damaged item",
    says=("item", "checksum", "overwrite=true"),
)
def byte_in_training(world: World):
    flipped(world)
    return training("records")


@fault(
    "a byte that changed on the disk",
    "file and item",
    says=("videos.train.tfrecord", "checksum", "overwrite=true"),
    told="finding",
)
def byte_in_check(world: World):
    flipped(world)
    return ["check", *records_of("records")]


@fault(
    "an item in two splits",
    "both records",
    says=("videos.train.tfrecord#0", "train", "Take it out"),
    told="finding",
)
def leaked(world: World):
    stored = world.shared.records / "videos.train.tfrecord"
    return ["check", "dataset=records", f"dataset.train={stored}", f"dataset.val={stored}"]


@fault(
    "records of another modality than is asked for",
    "both",
    says=("dataset.train", "rgb", "modality=flow"),
)
def other_modality(world: World):
    return training(world.shared.records, "modality=flow")


@fault("splits of two modalities", "both", says=("dataset.val", "flow", "modality=rgb"))
def two_modalities(world: World):
    val = world.shared.flow_records / "videos.val.tfrecord"
    return training(world.shared.records, f"dataset.val={val}")


@fault(
    "stored clips of another mode than is asked for",
    "both modes",
    says=("clipframe_mode", "rand_frames", "clipframe_mode=none"),
)
def other_mode(world: World):
    return training(world.shared.clip_records, "clipframe_mode=rand_frames")


@fault(
    "splits of other classes",
    "the first that differs",
    says=("videos.val.tfrecord", "left, up", "dataset.labels"),
)
def other_classes(world: World):
    own(world)
    changed(world, "val", label_names=["left", "up"])
    return training("records")


@fault(
    "videos shorter than the clip of the training",
    "the shortest",
    says=("videos.train.tfrecord", "20 frames", "short_videos=loop"),
)
def clip_too_long(world: World):
    return training(world.shared.records, "clipframe_mode.num_frames_per_clip=999")


@fault(
    "records of that name made with other settings",
    "what differs",
    says=("videos.train.tfrecord", "raw_image_shape", "overwrite=true"),
)
def other_settings(world: World):
    own(world)
    world.write("videos.train", f"{VIDEO} 0\n")
    given = ("dataset.input_files=videos.train", LABELS, "output_folder=records")
    return ["serialize", *given, "raw_image_shape=[48,64,3]"]


@fault("more shards than items", "both numbers", says=("shards", "3", "Lower shards"))
def too_many_shards(world: World):
    world.write("a.train", f"{IMAGE} 0\n")
    return ["serialize", "dataset.input_files=a.train", "shards=3"]


@fault(
    "records as a data set to serialize", "what they are for", says=("dataset", "records", "train")
)
def serialized_again(world: World):
    return ["serialize", "dataset=records", "dataset.train=records/videos.train.tfrecord"]
