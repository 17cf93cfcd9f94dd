"""The page of Gradio: where files come in, and where answers appear."""

from __future__ import annotations

import logging
import pathlib
from collections.abc import Iterator, Sequence
from typing import Any

import gradio

from lrcn import errors, faults
from lrcn.page import answers, cards, looking, uploads

log = logging.getLogger(__name__)

_TITLE = "lrcn"
_FONTS = ("system-ui", "sans-serif")
_MONO = ("ui-monospace", "monospace")
_DROP_HEIGHT = 150
# Networks see a few hundred pixels; more would only be sent and decoded.
_CAMERA = {"video": {"width": {"ideal": 640}, "height": {"ideal": 480}}}

_ASKING = {
    # Gradio is not to look into the files: it would convert videos with an ffmpeg of its own.
    "preprocess": False,
    "api_visibility": "private",
    "show_progress": "hidden",
    "concurrency_limit": 1,
    "concurrency_id": "answer",
}


def build(
    networks: Sequence[answers.Network],
    *,
    bounds: looking.Bounds,
    uploaded: uploads.Folder,
) -> gradio.Blocks:
    """Returns the page.

    Args:
        networks: The runs that answer, beside each other.
        bounds: The most that a file may ask for.
        uploaded: Where files lie until they are answered.
    """

    def answer(given: dict[str, Any] | None) -> Iterator[tuple[Any, str]]:
        """Yields what stands in the place of the file, and the answer so far."""
        if given is None:
            return
        name = pathlib.Path(given["path"]).name
        yield None, cards.waiting(name)  # the next one can be dropped at any time
        try:
            with uploaded.taken(given["path"]) as path:
                for text in answered(path, networks, bounds):
                    yield gradio.skip(), text
        except looking.Ended:
            return
        except Exception as error:  # noqa: BLE001 - the page goes on, whatever a file does
            yield gradio.skip(), cards.refused(_told(error), name=name)

    with gradio.Blocks(title=_TITLE, analytics_enabled=False) as page:
        most_bytes = uploaded.most_bytes
        gradio.HTML(cards.head(networks, most_bytes=most_bytes, seconds=bounds.seconds))
        file, video, photo = _ways_in()
        gradio.HTML(cards.large(most_bytes))
        said = gradio.HTML(elem_id="lrcn-said")
        file.upload(answer, file, [file, said], **_ASKING)
        video.stop_recording(answer, video, [video, said], **_ASKING)
        photo.input(answer, photo, [photo, said], **_ASKING)
    page.queue(max_size=uploads.MOST_WAITING, api_open=False)
    return page


def _ways_in() -> tuple[gradio.File, gradio.Video, gradio.Image]:
    """Returns where a file is dropped, a video recorded and a photo taken, each on a tab."""
    camera = gradio.WebcamOptions(mirror=False, constraints=_CAMERA)
    common = {"show_label": False, "webcam_options": camera, "sources": ["webcam"]}
    with gradio.Tabs():
        with gradio.Tab("File"):
            file = gradio.File(show_label=False, height=_DROP_HEIGHT, elem_id="lrcn-file")
        with gradio.Tab("Record"):
            video = gradio.Video(include_audio=False, elem_id="lrcn-video", **common)
        with gradio.Tab("Photo"):
            photo = gradio.Image(type="filepath", elem_id="lrcn-photo", **common)
    return file, video, photo


def _told(error: Exception) -> errors.UserError:
    """Returns an error as the page shows it; what is no mistake of a user is logged as a whole."""
    meant = faults.told(error)
    if isinstance(meant, errors.UserError):
        return meant
    log.error("a file could not be answered: this is a bug in lrcn", exc_info=error)
    return errors.UserError(
        "there is no answer, by a bug in lrcn",
        where="page",
        received=type(error).__name__,
        expected="an answer",
        remedy="Tell who started the page: its log has the rest",
    )


def answered(
    path: pathlib.Path, networks: Sequence[answers.Network], bounds: looking.Bounds
) -> Iterator[str]:
    """Yields the answers to a file as HTML, one more run each time.

    Raises:
        UserError: The file is no image or video, or asks for too much.
    """
    seen = looking.look(path, bounds)
    told: list[answers.Told] = []
    yield cards.answered(seen, networks, told)
    for network in networks:
        told.append(network.tell(seen.item))
        yield cards.answered(seen, networks, told)


def theme() -> gradio.themes.Base:
    """Returns a look of the fonts of the system: nothing is fetched."""
    return gradio.themes.Base(font=_FONTS, font_mono=_MONO)
