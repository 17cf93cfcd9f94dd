import dataclasses

import av
import keras
import numpy as np
import pytest
from PIL import Image

from lrcn.data import augment, clips, lists, serialize, video
from lrcn.models import activity, backbones

SIZE = (32, 40)
CLIP = 4


def frames_of(count, seed, size=SIZE):
    """Smooth frames whose colours drift in a direction of their own, [count, h, w, 3] uint8."""
    rng = np.random.default_rng(seed)
    base, drift = rng.uniform(40, 200, 3), rng.uniform(-6, 6, 3)
    rows = np.linspace(0, 30, size[0])[:, None, None]
    times = np.arange(count)[:, None, None, None]
    frames = base + drift * times + rows
    return np.clip(np.broadcast_to(frames, (count, *size, 3)), 0, 255).astype(np.uint8)


def write_folder(folder, frames):
    folder.mkdir(parents=True)
    for index, frame in enumerate(frames):
        Image.fromarray(frame).save(folder / f"frame{index + 1}.jpg", quality=95)
    return folder


def write_video(path, frames, rate=10):
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=rate)
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt = "yuv420p"
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())
    return path


@dataclasses.dataclass(frozen=True)
class World:
    """Three videos as items, their records, and how both are looked at."""

    folder: object
    items: tuple
    records: object
    mode: clips.ClipMode = dataclasses.field(default_factory=lambda: clips.evaluation_mode(CLIP))
    view: augment.View = dataclasses.field(default_factory=lambda: augment.View((16, 16), "squash"))
    reading: video.Reading = dataclasses.field(
        default_factory=lambda: video.Reading(image_shape=(*SIZE, 3))
    )


def store(folder, items, *, name="data.test", labels=(), multi_label=False, num_classes=3):
    catalog = lists.Catalog(
        {name: lists.Split(name, tuple(items), "made by the test")},
        tuple(labels),
        num_classes,
        multi_label,
    )
    options = serialize.StoreOptions(mode=None, image_shape=(*SIZE, 3))
    (report,) = serialize.serialize(catalog, folder, options=options)
    return report.path


@pytest.fixture(scope="session")
def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("world")
    items = []
    for index, count in enumerate((11, 4, 17)):
        path = write_video(folder / "media" / f"v{index}.mp4", frames_of(count, index))
        items.append(lists.Item(f"v{index}", str(path), "video", labels=(index,)))
    return World(folder, tuple(items), store(folder / "records", items))


def make_model(*, multi_label=False, num_classes=3, seed=3):
    keras.utils.set_random_seed(seed)
    backbone = backbones.build("small", image_size=(16, 16), trainable=True)
    model = activity.lstm(
        backbone, num_classes=num_classes, units=8, multi_label=multi_label, dropout_out=0.0
    )
    kernel = model.get_layer("head").get_layer("classes").kernel
    kernel.assign(keras.random.normal(kernel.shape, stddev=8.0, seed=seed))
    return model


@pytest.fixture(scope="session")
def model():
    return make_model()


@pytest.fixture(scope="session")
def multi_label_model():
    return make_model(multi_label=True)
