"""Writes the seed corpus beside it, small and from generators of our own.

Run it again after a format has changed: `python tests/fuzz/seeds.py`. Inputs that once failed are
kept as `failed-*` and are left alone.
"""

from __future__ import annotations

import importlib.util
import io
import json
import pathlib
import struct
import sys
import tempfile
import zlib

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parents[1])]

import av  # noqa: E402 - the checkout's package comes first
import numpy as np  # noqa: E402
import PIL.Image  # noqa: E402


def texts() -> dict[str, dict[str, bytes]]:
    """Returns the seeds of text files by target and name."""
    special = ["<pad>", "<bos>", "<eos>", "<unk>"]
    images = [{"id": 1, "file_name": "a.jpg"}, {"id": "2", "file_name": "b c.jpg"}]
    annotations = [
        {"id": 1, "image_id": 1, "caption": "A dog."},
        {"id": 2, "image_id": 2, "caption": "two cats \ud83d\ude00"},
    ]
    coco = json.dumps({"images": images, "annotations": annotations}).encode()
    outside = coco.replace(b"a.jpg", b"../a.jpg").replace(b"b c.jpg", b"/etc/a.jpg")
    clips = [
        {"file": "a_1_2.mp4", "split": "train", "captions": ["a man runs"]},
        {"file": "b.avi", "split": "test", "captions": ["it is red", "a ball"]},
    ]
    msvd = json.dumps(clips).encode()
    vocabulary = {"format_version": 1, "max_length": 5, "tokens": [*special, "a", "dog"]}
    return {
        "lists": {
            "labels": b"# a list\na.jpg 0\nb c.mp4 1 2\nd 1.png 3\nframes 0\n",
            "tabs": b"a.jpg\t0\nb c.mp4\t1\t2\nx\ty.gif\t1\n",
            "captions": b"a.jpg#0\ta dog\na.jpg#1\ttwo dogs\nb c.mp4\tit runs\n",
            "names": b"\xef\xbb\xbfleft\nright\n",
            "broken": b"a.jpg\nmissing.jpg 1\n\xff 0\na.jpg -1\na.jpg 1\r\n",
        },
        "word_lists": {
            "indices": b"a.jpg 4 5\nb c.jpg 5 4 3\na.jpg\t1 4 2\n",
            "tokens": b"<pad>\n<bos>\n<eos>\n<unk>\ndog\n",
        },
        "captions": {
            "flickr": b"a.jpg#0\ta dog\na.jpg#1\tdogs\nb c.jpg#0\tcats\n\0\0a.jpg\nb c.jpg\n",
            "outside": b"../a.jpg\ta dog\n/etc/b.jpg\ta\n\0\0../a.jpg\n/etc/b.jpg\n",
        },
        "coco": {
            "all": coco,
            "listed": coco + b"\0\x001\nb c.jpg\n",
            "outside": outside,
            "odd": b'{"images": [], "images": [], "annotations": NaN}',
            "deep": b"[" * 2000,
        },
        "msvd": {
            "json": msvd,
            "outside": msvd.replace(b"b.avi", b"../b.avi"),
            "lists": b"vid1\ta man runs\nvid2\tit is red\n\0\0a_1_2 vid1\nvid2 b\n",
        },
        "vectors": {
            "glove": b"a 0.1 -2e3 3\ndog 1 2 3\n. . . 1 2 3\n",
            "word2vec": b"2 2\na 0.5 1\ndog nan 2\n",
        },
        "vocabulary": {
            "whole": json.dumps(vocabulary).encode(),
            "twice": b'{"format_version": 1, "tokens": ["a"], "tokens": [], "max_length": 1e9}',
        },
        "overrides": {
            "path": b"output_folder=/a b/c,d (1)",
            "list": b"input=[a b.mp4,'c,d.mp4']",
            "runs": b"runs=[[r/seed=0,a=1,r/b],r/c]",
            "quotes": b'name="a\\"b\'c',
            "interpolation": b"name=${oc.env:HOME}",
        },
    }


def pictures() -> dict[str, bytes]:
    """Returns small images of every kind, and crafted ones."""
    ramp = np.arange(6 * 8 * 3, dtype=np.uint8).reshape(6, 8, 3)
    image, found = PIL.Image.fromarray(ramp), {}
    exif = PIL.Image.Exif()
    exif[0x0112] = 6
    kinds = {
        "jpeg": {"format": "JPEG", "exif": exif},
        "png": {"format": "PNG"},
        "bmp": {"format": "BMP"},
        "gif": {"format": "GIF"},
        "tiff": {"format": "TIFF"},
        "lzw": {"format": "TIFF", "compression": "tiff_lzw"},
        "webp": {"format": "WEBP"},
        "ppm": {"format": "PPM"},
        "tga": {"format": "TGA"},
        "sgi": {"format": "SGI"},
    }
    for name, options in kinds.items():
        buffer = io.BytesIO()
        image.save(buffer, **options)
        found[name] = buffer.getvalue()
    for mode in ("L", "P", "CMYK", "I;16", "1"):
        buffer = io.BytesIO()
        grey = image.convert("L")
        made = PIL.Image.fromarray(ramp[..., 0].astype(np.uint16) * 257)
        (made if mode == "I;16" else grey.convert(mode)).save(buffer, "TIFF")
        found[f"tiff-{mode.lower().replace(';', '')}"] = buffer.getvalue()
    found["bomb"] = png(60_000, 60_000, b"\0")
    found["text"] = png(2, 2, b"\0" * 14, chunk(b"zTXt", b"k\0\0" + zlib.compress(b"a" * 2**21)))
    found["postscript"] = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\nshowpage\n"
    return found


def chunk(kind: bytes, content: bytes) -> bytes:
    """Returns a chunk of a PNG."""
    checksum = struct.pack(">I", zlib.crc32(kind + content))
    return struct.pack(">I", len(content)) + kind + content + checksum


def png(width: int, height: int, rows: bytes, more: bytes = b"") -> bytes:
    """Returns a PNG that need not hold what its header promises."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    body = more + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + header + body


def films() -> dict[str, bytes]:
    """Returns tiny videos of several kinds, and files that are none."""
    kinds = {
        "mp4": ("mp4", "libx264"),
        "mkv": ("matroska", "mpeg4"),
        "avi": ("avi", "mpeg4"),
        "webm": ("webm", "libvpx"),
        "flv": ("flv", "flv"),
        "gif": ("gif", "gif"),
        "mpeg": ("mpeg", "mpeg1video"),
    }
    found = {name: film(*kind) for name, kind in kinds.items()}
    found["playlist"] = b"#EXTM3U\n#EXTINF:9,\nhttp://127.0.0.1:9/a.ts\n#EXT-X-ENDLIST\n"
    found["script"] = b"ffconcat version 1.0\nfile /etc/passwd\n"
    return found


def film(container: str, codec: str) -> bytes:
    """Returns three frames as a video."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format=container) as output:
        stream = output.add_stream(codec, rate=25)
        stream.width, stream.height = 32, 32
        stream.pix_fmt = "rgb8" if codec == "gif" else "yuv420p"
        for index in range(3):
            pixels = np.full((32, 32, 3), 60 * index, np.uint8)
            output.mux(stream.encode(av.VideoFrame.from_ndarray(pixels)))
        output.mux(stream.encode())
    return buffer.getvalue()


def weights() -> dict[str, bytes]:
    """Returns files of foreign weights, from the generator of their tests."""
    import safetensors.numpy

    file = HERE.parent / "models" / "foreign" / "conftest.py"
    spec = importlib.util.spec_from_file_location("foreign_weights", file)
    generated = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(generated)
    kernel = [np.ones((2, 3, 2, 2), np.float32), np.zeros(2, np.float32)]
    found = {
        name: generated.field(1, "Tiny") + generated.layer("conv1", "Convolution", kernel, **how)
        for name, how in {"caffe": {}, "v1": {"v1": True, "packed": False, "legacy": True}}.items()
    }
    buffer = io.BytesIO()
    np.save(buffer, {"conv1": kernel}, allow_pickle=True)
    arrays = {"features.0.weight": np.ones((2, 3, 1, 1), np.float32)}
    return {**found, "npy": buffer.getvalue(), "safetensors": safetensors.numpy.save(arrays)}


def archives() -> dict[str, bytes]:
    """Returns a saved model as small as one can be."""
    import keras

    model = keras.Sequential([keras.Input([1]), keras.layers.Dense(1)])
    with tempfile.TemporaryDirectory() as folder:
        file = pathlib.Path(folder, "a.keras")
        model.save(file)
        return {"dense": file.read_bytes()}


def records() -> dict[str, dict[str, bytes]]:
    """Returns records and what is told of them, merged and not, as `lrcn serialize` writes it."""
    from lrcn.data import catalog, lists, serialize

    frames = [np.full((4, 4, 3), 9 * index, np.uint8) for index in range(2)]
    items = [
        lists.Item("a", "a", "array", (1,), load=lambda: frames),
        lists.Item("b", "b", "array", (0,), load=lambda: frames),
    ]
    split = lists.Split("data.train", tuple(items), "seeds")
    one = catalog.list_files.Catalog({"data.train": split}, ("left", "right"), 2, False)
    with tempfile.TemporaryDirectory() as folder:
        serialize.serialize(one, folder, options=serialize.StoreOptions(mode=None))
        file = pathlib.Path(folder, "data.train.tfrecord")
        size = file.with_name(f"{file.name}.size").read_bytes()
        options = serialize.StoreOptions(mode=None, overwrite=True)
        serialize.serialize(one, folder, options=options, shard_index=0)
        shard = file.with_name(f"{file.name}.shard").read_bytes()
        made = {"records": file.read_bytes(), "metadata": size, "shards": shard}
        return {target: {"two": content} for target, content in made.items()}


def main() -> int:
    """Writes the corpus."""
    made = {**texts(), "images": pictures(), "videos": films(), "foreign": weights()}
    made |= {"archives": archives(), **records()}
    for target, seeds in made.items():
        folder = HERE / "corpus" / target
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in seeds.items():
            (folder / name).write_bytes(content)
    return 0


if __name__ == "__main__":
    sys.exit(main())
