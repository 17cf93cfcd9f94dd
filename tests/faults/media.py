"""Images, videos and folders of frames."""

import pathlib

import av
import numpy as np

from .registry import fault
from .world import AVI, IMAGE, VIDEO, World

TITLE = "Images, videos and folders of frames"
SERIALIZE = ("serialize", "dataset.input_files=bad.train", "output_folder=records")
CHECK = ("check", "dataset.input_files=bad.train")


def listed(world: World, *names: str) -> None:
    """Writes a list of these items."""
    world.write("bad.train", "".join(f"{name} {label}\n" for label, name in enumerate(names)))


@fault(
    "JPEG that is cut short", "list line and file", says=("bad.train:1: ", "Truncated", "Replace")
)
def jpeg_cut(world: World):
    world.cut(IMAGE, "cut.jpg")
    listed(world, "cut.jpg")
    return [*SERIALIZE]


@fault("PNG that is cut short", "list line and file", says=("bad.train:1", "truncated", "Replace"))
def png_cut(world: World):
    whole = world.picture("whole.png", 240, 320)
    world.cut(whole, "cut.png")
    whole.unlink()
    listed(world, "cut.png")
    return [*SERIALIZE]


@fault(
    "text under the name of an image",
    "list line and file",
    says=("bad.train:1: ", "no image", "Replace"),
)
def text_as_image(world: World):
    world.write("text.jpg", "no picture")
    listed(world, "text.jpg")
    return [*SERIALIZE]


@fault("image of no bytes", "list line and file", says=("bad.train:1: ", "no image", "Replace"))
def image_empty(world: World):
    world.write("empty.png", "")
    listed(world, "empty.png")
    return [*SERIALIZE]


@fault("MP4 that is cut short", "list line and file", says=("cut.mp4", "Invalid data", "Replace"))
def mp4_cut(world: World):
    world.cut(VIDEO, "cut.mp4")
    listed(world, "cut.mp4")
    return [*SERIALIZE]


@fault(
    "AVI that is cut short, though its first frames decode",
    "frames found and frames told",
    says=("cut.avi", "Invalid data", "Replace"),
)
def avi_cut(world: World):
    world.cut(AVI, "cut.avi", 0.7)
    listed(world, "cut.avi")
    return [*SERIALIZE]


@fault(
    "text under the name of a video",
    "list line and file",
    says=("bad.train:1", "Invalid data", "Replace"),
)
def text_as_video(world: World):
    world.write("text.mp4", "no video")
    listed(world, "text.mp4")
    return [*SERIALIZE]


@fault("video of no bytes", "list line and file", says=("empty.mp4", "Invalid data", "Replace"))
def video_empty(world: World):
    world.write("empty.mp4", "")
    listed(world, "empty.mp4")
    return [*SERIALIZE]


@fault(
    "file with sound alone",
    "list line, and the streams it has",
    says=("bad.train:1: ", "audio", "leave it out"),
)
def audio_only(world: World):
    with av.open(str(world.folder / "sound.mp4"), "w") as container:
        stream = container.add_stream("aac", rate=8000, layout="mono")
        silence = np.zeros((1, 1024), np.float32)
        frame = av.AudioFrame.from_ndarray(silence, format="fltp", layout="mono")
        frame.sample_rate = 8000
        container.mux([*stream.encode(frame), *stream.encode()])
    listed(world, "sound.mp4")
    return [*SERIALIZE]


@fault(
    "video that is shorter than a clip",
    "every such video, its frames, and the choices",
    says=("bad.train:1: ", "3 frames", "short_videos=loop"),
)
def too_short(world: World):
    world.video("short.mp4", 3)
    listed(world, "short.mp4")
    return [*SERIALIZE]


@fault(
    "a frame of another size, with `raw_image_shape=null`",
    "both sizes, and the key to set",
    says=("bad.train:1", "48", "raw_image_shape"),
)
def other_size(world: World):
    world.frames("frames", range(1, 5))
    world.picture("frames/5.jpg", 48, 64)
    listed(world, "frames")
    return [*SERIALIZE, "raw_image_shape=null", "clipframe_mode=none"]


@fault(
    "folder of frames with a gap",
    "list line and the missing number",
    says=("bad.train:1", "4.jpg after number 2", "number them without gaps"),
)
def gap(world: World):
    world.frames("frames", (1, 2, 4, 5))
    listed(world, "frames")
    return [*SERIALIZE, "clipframe_mode=none"]


@fault(
    "folder of frames with a number twice",
    "list line and both frames",
    says=("bad.train:1", "after number 2", "number them without gaps"),
)
def number_twice(world: World):
    world.frames("frames", ("1", "2", "02", "3"))
    listed(world, "frames")
    return [*SERIALIZE, "clipframe_mode=none"]


@fault(
    "folder of frames of another format",
    "the formats there are, and the key to set",
    says=("bad.train:1", ".png", "dataset.frame_format"),
)
def other_format(world: World):
    world.frames("frames", range(1, 5), "png")
    listed(world, "frames")
    return [*SERIALIZE]


@fault(
    "folder without a frame",
    "list line",
    says=("bad.train:1", "an empty folder", "Fill the folder"),
)
def folder_empty(world: World):
    (world.folder / "frames").mkdir()
    listed(world, "frames")
    return [*SERIALIZE]


@fault(
    "folder with one frame that is no picture",
    "list line and frame",
    says=("3.jpg", "no image", "Replace"),
    told="finding",
)
def frame_broken(world: World):
    world.frames("frames", range(1, 5))
    world.write("frames/3.jpg", b"\xff\xd8\xff")
    listed(world, "frames")
    return [*CHECK]


@fault(
    "many faulty files at once",
    "names each; `serialize` stops at the first",
    says=("bad.train:2: ", "Invalid data", "Replace"),
    told="finding",
)
def several_broken(world: World):
    world.cut(IMAGE, "cut.jpg")
    world.cut(VIDEO, "cut.mp4")
    listed(world, "cut.jpg", "cut.mp4", str(VIDEO))
    return [*CHECK]


@fault(
    "image to be stored as optical flow",
    "list line: one frame shows no motion",
    says=("bad.train:1", "1", "modality"),
)
def flow_of_an_image(world: World):
    listed(world, str(IMAGE))
    return [*SERIALIZE, "modality=flow"]


@fault(
    "frames too small for optical flow",
    "list line and the least size",
    says=("bad.train:1: ", "6x6", "raw_image_shape"),
)
def flow_of_small_frames(world: World):
    world.frames("frames", range(1, 5), height=6, width=6)
    listed(world, "frames")
    given = ("modality=flow", "raw_image_shape=null", "clipframe_mode=none")
    return [*SERIALIZE, *given]


@fault("link that leads to itself", "list line", says=("bad.train:1", "loop.mp4", "Correct"))
def link_to_itself(world: World):
    pathlib.Path("loop.mp4").symlink_to("loop.mp4")
    listed(world, "loop.mp4")
    return [*SERIALIZE]
