"""Vocabularies and word vectors."""

import json

from .registry import fault
from .world import World

TITLE = "Vocabularies and word vectors"


def training(world: World, *more: str) -> list[str]:
    """Returns a training on images with captions."""
    stored = world.shared.caption_records / "captions.train.tfrecord"
    given = ("workflow=imgdesc_step", "dataset=records", f"dataset.train={stored}")
    return ["train", *given, "backbone.image_size=[16,16]", "hydra.run.dir=run", *more]


@fault(
    "vocabulary file that is not there",
    "its path and key",
    says=("vocabulary.file", "none.json", "Correct vocabulary.file"),
)
def vocabulary_missing(world: World):
    return training(world, "vocabulary.file=none.json")


@fault(
    "vocabulary file of another program",
    "its keys",
    says=("words.json", "format_version null", "vocabulary.json of a run"),
)
def vocabulary_other(world: World):
    world.write("words.json", json.dumps({"words": ["a"], "version": 9}))
    return training(world, "vocabulary.file=words.json")


@fault(
    "vocabulary file that is no JSON",
    "its path and line",
    says=("words.json", "no JSON", "vocabulary.json of a run"),
)
def vocabulary_broken(world: World):
    world.write("words.json", "a\nb\n")
    return training(world, "vocabulary.file=words.json")


@fault(
    "vocabulary that is read and counted at once",
    "both keys",
    says=("vocabulary.file", "words.json", "Leave vocabulary.file out"),
)
def vocabulary_both(world: World):
    world.write("words.json", "{}")
    return training(world, "vocabulary.file=words.json", "vocabulary.max_size=2")


@fault(
    "no word is frequent enough",
    "the highest count",
    says=("vocabulary.min_count", "18 times", "Lower vocabulary.min_count"),
)
def no_frequent_word(world: World):
    return training(world, "vocabulary.min_count=1000")


@fault(
    "word vectors of uneven length", "file and line", says=("vectors.txt:2", "2 numbers", "GloVe")
)
def vectors_uneven(world: World):
    world.write("vectors.txt", "a 1 2 3\ndisc 1 2\n")
    return training(
        world, "vocabulary.min_count=1", "workflow.word_vectors=vectors.txt", "workflow.embedding=3"
    )


@fault(
    "word vectors of another width than the network",
    "both widths",
    says=("workflow.embedding", "5", "workflow.embedding=3"),
)
def vectors_width(world: World):
    world.write("vectors.txt", "a 1 2 3\ndisc 1 2 3\n")
    return training(
        world, "vocabulary.min_count=1", "workflow.word_vectors=vectors.txt", "workflow.embedding=5"
    )


@fault(
    "word vectors with what is no number", "file and line", says=("vectors.txt:2", "1 x 3", "GloVe")
)
def vectors_no_number(world: World):
    world.write("vectors.txt", "a 1 2 3\ndisc 1 x 3\n")
    return training(
        world, "vocabulary.min_count=1", "workflow.word_vectors=vectors.txt", "workflow.embedding=3"
    )


@fault(
    "classes to be described",
    "the workflow that fits",
    says=("videos.train.tfrecord", "no caption", "singleframe or lstm"),
)
def no_captions(world: World):
    stored = world.shared.records / "videos.train.tfrecord"
    return [
        "train",
        "workflow=videodesc_pooling",
        "dataset=records",
        f"dataset.train={stored}",
        "backbone.image_size=[16,16]",
        "hydra.run.dir=run",
    ]


@fault(
    "captions to be classified",
    "the workflow that fits",
    says=("needs classes", "0", "workflow=imgdesc_step"),
)
def no_classes(world: World):
    stored = world.shared.caption_records / "captions.train.tfrecord"
    return ["train", "dataset=records", f"dataset.train={stored}", "hydra.run.dir=run"]


@fault(
    "videos for a workflow of images",
    "the workflows of videos",
    says=("dataset.train", "videos", "videodesc_pooling"),
)
def videos_for_images(world: World):
    stored = world.shared.video_caption_records / "captions.train.tfrecord"
    return training(world, f"dataset.train={stored}")
