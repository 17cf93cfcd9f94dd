"""What is fuzzed: for each parser a function of bytes that lets `UserError` pass and nothing else.

A function of `TARGETS` is given an empty folder, imports what it needs, and returns the function of
bytes; imports stay inside so that a target costs no more than itself.
"""

from __future__ import annotations

import contextlib
import dataclasses
import pathlib
from collections.abc import Callable

from lrcn import errors
from lrcn.data.limits import Limits

# Far below the defaults, so that what is heeded too late is seen as memory or time.
LIMITS = Limits(
    image_pixels=250_000,
    frames=300,
    record_bytes=2**22,
    caption_words=50,
    line_bytes=2**16,
    file_bytes=2**20,
    archive_bytes=2**24,
)

Run = Callable[[bytes], None]


@dataclasses.dataclass(frozen=True)
class Target:
    """A parser and how it is fuzzed.

    Attributes:
        make: From an empty folder to the function of bytes.
        longest: Bytes of an input.
        memory: Megabytes of the process.
    """

    make: Callable[[pathlib.Path], Run]
    longest: int = 4096
    memory: int = 2048


def _lists(folder: pathlib.Path) -> Run:
    from lrcn.data import lines, lists

    _fill(folder, "a.jpg", "b c.mp4", "d 1.png", "e#0", "x\ty.gif")
    (folder / "frames").mkdir()
    file, names = folder / "list.train", folder / "names.txt"

    def run(data: bytes) -> None:
        file.write_bytes(data)
        names.write_bytes(data)
        with contextlib.suppress(errors.UserError):
            items = lists.read_list(file, on_error="keep", limits=LIMITS)
            assert items and all(item.where.startswith(f"{file}:") for item in items)
        with contextlib.suppress(errors.UserError):
            lists.read_list(file, label_names=("left", "right"), limits=LIMITS)
        with contextlib.suppress(errors.UserError):
            assert all(lines.label_names(names, limits=LIMITS))

    return run


def _word_lists(folder: pathlib.Path) -> Run:
    from lrcn.data import sentences, word_lists

    _fill(folder, "a.jpg", "b c.jpg")
    file = folder / "list.train"

    def run(data: bytes) -> None:
        file.write_bytes(data)
        with contextlib.suppress(errors.UserError):
            tokens = sentences.read_tokens(file, limits=LIMITS)
            assert len(set(tokens)) == len(tokens)
        with contextlib.suppress(errors.UserError):
            list(sentences.read_sentences(file, limits=LIMITS))
        tokens = ("<pad>", "<bos>", "<eos>", "<unk>", "dog", "cat")
        with contextlib.suppress(errors.UserError):
            word_lists.read_list(file, tokens, limits=LIMITS)

    return run


def _captions(folder: pathlib.Path) -> Run:
    from lrcn.data import flickr

    _fill(folder, "a.jpg", "b c.jpg")
    tokens, names = folder / "tokens", folder / "names"

    def run(data: bytes) -> None:
        first, _, second = data.partition(b"\0\0")
        tokens.write_bytes(first)
        names.write_bytes(second)
        with contextlib.suppress(errors.UserError):
            found = flickr.flickr(folder, tokens, train=names, on_error="keep", limits=LIMITS)
            _require_inside(found, folder)

    return run


def _coco(folder: pathlib.Path) -> Run:
    from lrcn.data import coco

    _fill(folder, "a.jpg", "b c.jpg")
    file, ids = folder / "captions.json", folder / "ids"

    def run(data: bytes) -> None:
        first, _, second = data.partition(b"\0\0")
        file.write_bytes(first)
        ids.write_bytes(second)
        for keys in ({"annotations": {"train": file}}, {"annotations": file, "ids": {"val": ids}}):
            with contextlib.suppress(errors.UserError):
                found = coco.coco(folder, **keys, on_error="keep", limits=LIMITS)
                _require_inside(found, folder)

    return run


def _msvd(folder: pathlib.Path) -> Run:
    from lrcn.data import msvd

    _fill(folder, "a_1_2.mp4", "b.avi")
    file, mapping = folder / "captions.json", folder / "mapping"

    def run(data: bytes) -> None:
        first, _, second = data.partition(b"\0\0")
        file.write_bytes(first)
        mapping.write_bytes(second)
        for keys in ({"captions": file}, {"captions": {"train": file}, "mapping": mapping}):
            with contextlib.suppress(errors.UserError):
                found = msvd.msvd(folder, **keys, on_error="keep", limits=LIMITS)
                _require_inside(found, folder)

    return run


def _vectors(folder: pathlib.Path) -> Run:
    import numpy as np

    from lrcn.data import text, word_vectors

    vocabulary = text.Vocabulary((*text.SPECIAL, "a", "dog", "."), 5)
    file = folder / "vectors.txt"

    def run(data: bytes) -> None:
        file.write_bytes(data)
        with contextlib.suppress(errors.UserError):
            matrix, _ = word_vectors.read_vectors(file, vocabulary, seed=0, limits=LIMITS)
            assert len(matrix) == vocabulary.size and np.isfinite(matrix).all()

    return run


def _vocabulary(folder: pathlib.Path) -> Run:
    from lrcn.data import text

    file, again = folder / "vocabulary.json", folder / "again.json"

    def run(data: bytes) -> None:
        file.write_bytes(data)
        with contextlib.suppress(errors.UserError):
            vocabulary = text.read_vocabulary(file, limits=LIMITS)
            text.write_vocabulary(again, vocabulary)
            assert text.read_vocabulary(again) == vocabulary

    return run


def _images(folder: pathlib.Path) -> Run:
    import warnings

    from lrcn.data import images

    warnings.filterwarnings("ignore", module=r"PIL\.")
    file = folder / "a.jpg"

    def run(data: bytes) -> None:
        file.write_bytes(data)
        with contextlib.suppress(errors.UserError):
            _, (height, width) = images.jpeg_from_file(file, limits=LIMITS)
            assert 0 < height * width <= LIMITS.image_pixels
        with contextlib.suppress(errors.UserError):
            assert images.rgb_from_file(file, size=(8, 8), limits=LIMITS).shape == (8, 8, 3)

    return run


def _videos(folder: pathlib.Path) -> Run:
    import numpy as np

    from lrcn.data import lists, video

    file = folder / "a.mp4"
    item = lists.Item("a", str(file), "video")

    def run(data: bytes) -> None:
        file.write_bytes(data)
        reading = video.Reading((8, 8, 3), limits=LIMITS)
        with contextlib.suppress(errors.UserError):
            count = video.read(item, reading, lambda n: np.arange(min(n, 2))).count
            assert 0 < count <= LIMITS.frames
        with contextlib.suppress(errors.UserError):
            video.count_frames(item, fps=3.0, limits=LIMITS)

    return run


def _overrides(folder: pathlib.Path) -> Run:
    import hydra.core.override_parser.overrides_parser as overrides_parser
    import hydra.errors

    from lrcn import quoting

    parser = overrides_parser.OverridesParser.create()

    def is_readable(text: str) -> bool:
        try:
            parser.parse_overrides([text])
        except hydra.errors.OverrideParseException:
            return False
        return True

    def run(data: bytes) -> None:
        # As Python has the arguments of a command, which end at a NUL.
        text = data.partition(b"\0")[0].decode(errors="surrogateescape")
        if not text:
            return
        quoted = quoting.quoted(text, is_readable)
        assert quoted.partition("=")[0] == text.partition("=")[0]
        if not is_readable(quoted):
            assert "\n" not in str(quoting.unreadable(quoted, is_readable))

    return run


def _foreign(folder: pathlib.Path) -> Run:
    from lrcn.models.foreign import reading

    file = folder / "net.caffemodel"

    def run(data: bytes) -> None:
        file.write_bytes(data)
        with contextlib.suppress(errors.UserError):
            found = reading.read(file)
            assert all(tensor.values.ndim >= 0 for own in found.layers for tensor in own.tensors)

    return run


def _archives(folder: pathlib.Path) -> Run:
    from lrcn.models import weights

    file = folder / "a.keras"

    def run(data: bytes) -> None:
        file.write_bytes(data)
        with contextlib.suppress(errors.UserError):
            weights.open_model(file)

    return run


def _metadata(folder: pathlib.Path) -> Run:
    from lrcn.data import records

    file = folder / "data.train.tfrecord"
    file.write_bytes(b"")

    def run(data: bytes) -> None:
        records.size_path(file).write_bytes(data)
        with contextlib.suppress(errors.UserError):
            records.read_metadata(file)

    return run


def _shards(folder: pathlib.Path) -> Run:
    from lrcn.data import merging, records

    file = folder / "data.train.tfrecord"
    stored = pathlib.Path(__file__).with_name("corpus") / "records" / "two"
    file.write_bytes(stored.read_bytes())

    def run(data: bytes) -> None:
        records.size_path(file).unlink(missing_ok=True)
        file.with_name(f"{file.name}.shard").write_bytes(data)
        with contextlib.suppress(errors.UserError):
            merging.merge(folder, limits=LIMITS)
            assert records.read_metadata(file).items == 2

    return run


def _records(folder: pathlib.Path) -> Run:
    import hashlib

    from lrcn.data import damage, framing, records

    file = folder / "data.train.tfrecord"
    values = {
        **dict.fromkeys(("frames_per_clip", "clips_per_item", "raw_image_shape"), None),
        **dict.fromkeys(("frame_shape", "clipframe_mode", "fps"), None),
        **dict.fromkeys(("label_names", "groups", "clip_counts", "skipped"), ()),
        **{"type": "video", "num_classes": 2, "multi_label": False, "frame_step": 1},
        **{"frame_format": "jpg", "short_videos": "error", "quality": 95, "shuffled": False},
        **{"seed": 0, "source": records.Source("fuzz", "0")},
    }

    def run(data: bytes) -> None:
        file.write_bytes(data)
        count = len(list(framing.places(file)))
        shard = records.Shard(file.name, count, len(data), hashlib.sha256(data).hexdigest())
        items = tuple(map(str, range(count)))
        metadata = records.Metadata(
            items=count,
            shards=(shard,),
            ids=items,
            labels=((0,),) * count,
            frame_counts=(1,) * count,
            **values,
        )
        records.write_metadata(file, metadata)
        with contextlib.suppress(errors.UserError), damage.translating_errors(file):
            record_set = records.open_records(file)
            list(record_set.serialized().map(records.parse_example).as_numpy_iterator())

    return run


def _fill(folder: pathlib.Path, *names: str) -> None:
    for name in names:
        (folder / name).write_bytes(b"")


def _require_inside(catalog, folder: pathlib.Path) -> None:
    """Fails if a sound item is elsewhere than in its folder."""
    for split in catalog.splits.values():
        for item in split.items:
            path = pathlib.Path(item.path)
            assert item.problem or (folder in path.parents and ".." not in path.parts), item


TARGETS = {
    "lists": Target(_lists),
    "word_lists": Target(_word_lists),
    "captions": Target(_captions),
    "coco": Target(_coco),
    "msvd": Target(_msvd),
    "vectors": Target(_vectors),
    "vocabulary": Target(_vocabulary),
    "images": Target(_images, longest=16_384),
    "videos": Target(_videos, longest=16_384),
    "overrides": Target(_overrides, longest=512),
    "foreign": Target(_foreign, longest=8192, memory=4096),
    "archives": Target(_archives, longest=32_768, memory=4096),
    "metadata": Target(_metadata, longest=8192, memory=4096),
    "shards": Target(_shards, longest=8192, memory=4096),
    "records": Target(_records, longest=8192, memory=4096),
}
