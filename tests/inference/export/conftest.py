import keras
import pytest

from lrcn import config, runs
from lrcn.data import augment, text
from lrcn.inference.export import graph
from lrcn.models import activity, backbones, description
from lrcn.scoring import describer

SIZE, STORED = (16, 16), (24, 32)
WORDS = ("a", "disc", "moves", "left", "right", "t", "-", "shirt")
SHOWN = {"mode": None, "frame_shape": [*STORED, 3], "frame_step": 1, "fps": None, "quality": 95}
CLIPS = {"name": "rand_clips", "num_frames_per_clip": 4, "clip_offset_or_num": 1, "tail": "drop"}


def spread(model):
    """Moves the weights of a network so that its answers differ from frame to frame."""
    for place, weight in enumerate(model.trainable_variables):
        weight.assign(weight + 0.3 * keras.random.normal(weight.shape, seed=place))
    return model


def classifier(backbone=None, **options):
    keras.utils.set_random_seed(3)
    backbone = backbone or backbones.build("small", image_size=SIZE)
    return spread(activity.lstm(backbone, num_classes=3, units=8, **options))


def captioner(conditioning, layers=1, **options):
    keras.utils.set_random_seed(3)
    tokens = (*text.SPECIAL, *WORDS)
    model = description.build(
        backbones.build("small", image_size=SIZE),
        description.Design(conditioning, layers, units=8, embedding=6, **options),
        vocabulary_size=len(tokens),
        tokens=tokens,
        max_length=5,
    )
    return spread(model)


@pytest.fixture
def network():
    """Makes what is exported of a network; images are those of captions without clips."""

    def make(model, **options):
        given = {"view": augment.View(SIZE, "fit"), "stored": STORED, "of_images": False}
        return graph.Network(model=model, **{**given, **options})

    return make


@pytest.fixture
def greedy():
    return describer.searcher("greedy", max_length=5)


@pytest.fixture
def exportable(tmp_path, train_settings):
    """Writes the folder of a finished run around a network that was never trained."""

    def write(name, model, *overrides, mode=CLIPS, labels=("left", "right", "up"), done=True):
        run = runs.RunDirectory(tmp_path / name)
        shown = runs.Shown(**{**SHOWN, "mode": mode})
        run.write_config(train_settings(*overrides))
        run.write_shown(shown)
        run.best.parent.mkdir()
        model.save(run.best)
        if labels:
            run.write_labels(labels)
        if done:
            run.mark_done()
        return run

    return write


@pytest.fixture
def export_settings():
    """Makes the settings of an export."""

    def make(run, format, **others):
        given = {
            "augment": {"name": "auto"},
            "search": {"name": "greedy", "max_length": None},
            **{"run": str(run), "format": format, "time": "dynamic", "output_folder": None},
            **{"overwrite": False, "checkpoint": "best", "traceback": False},
        }
        return config.from_plain("export", {**given, **others})

    return make
