"""Renders one video of the embedded data set: `python scripts/render_video.py OUT.mp4`."""

import argparse
import pathlib
import sys

import av

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

from lrcn.data import motions, shapes  # noqa: E402 - the checkout's package comes first

SEED = 1234  # far from the default data set's, so that no network has seen the video
RATE = 8  # frames a second


def main() -> int:
    """Renders the first video of a motion."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", help="mp4 to write")
    parser.add_argument("--motion", default="clockwise", choices=motions.MOTIONS)
    parser.add_argument("--num-frames", type=int, default=16)
    parser.add_argument("--size", type=int, default=64, help="pixels")
    options = parser.parse_args()
    frames = shapes.render_motion(
        split="test",
        index=motions.MOTIONS.index(options.motion),
        size=options.size,
        num_frames=options.num_frames,
        seed=SEED,
    )
    with av.open(options.out, "w") as container:
        stream = container.add_stream("libx264", rate=RATE)
        stream.width = stream.height = options.size
        stream.pix_fmt, stream.options = "yuv420p", {"crf": "12"}
        for pixels in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(stream.encode())
    return 0


if __name__ == "__main__":
    sys.exit(main())
