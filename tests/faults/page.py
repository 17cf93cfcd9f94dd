"""The web page: what it is started with, and what is dropped on it."""

import errno
import importlib.metadata
import socket

from lrcn import files
from lrcn.page import ports

from .registry import Elsewhere, fault
from .world import World

TITLE = "The web page"


def demo(world: World, *more: str) -> list[str]:
    """Returns the command of a page of the shared run, as where Gradio is installed."""
    world.patch.setattr(ports, "require_gradio", lambda: None)
    return ["demo", f"run={world.shared.run}", "port=0", *more]


def refusing(world: World, code: int) -> None:
    """Has the system refuse every port."""

    def bind(*_):
        raise OSError(code, errno.errorcode[code])

    world.patch.setattr(socket.socket, "bind", bind)


@fault(
    "Gradio that is not installed",
    "the extra that brings it, before anything is loaded",
    says=("demo: the web page needs Gradio", "no package", "pip install 'lrcn[demo]'"),
)
def without_gradio(world: World):
    def version(name):
        raise importlib.metadata.PackageNotFoundError(name)

    world.patch.setattr(ports.importlib.metadata, "version", version)
    return ["demo", f"run={world.shared.run}"]


@fault(
    "port in use",
    "the port, before anything is loaded",
    says=("port: the port is in use", "7860", "port=0"),
)
def port_in_use(world: World):
    refusing(world, errno.EADDRINUSE)
    return demo(world, "port=7860")


@fault(
    "port that needs rights of its own",
    "the port",
    says=("port: this user may not", "80", "port=7860"),
)
def port_refused(world: World):
    refusing(world, errno.EACCES)
    return demo(world, "port=80")


@fault(
    "host that is another machine",
    "the key",
    says=("host: this machine has no such address", "192.0.2.1", "0.0.0.0"),
)
def foreign_host(world: World):
    return demo(world, "host=192.0.2.1")


@fault("page of a run that is not there", "its path", says=("run: ", "nowhere", "Give the folder"))
def run_missing(world: World):
    return [*demo(world), f"run=[{world.shared.run},nowhere]"]


@fault(
    "page of a run that failed before the end of an epoch",
    "the run",
    says=("run: the run has no checkpoint", "best.keras", "repeat the command"),
)
def run_failed(world: World):
    run = world.own_run()
    run.best.unlink()
    run.mark_failed(ValueError("the loss is not finite"))
    return [*demo(world), "run=run"]


@fault(
    "page of a run at its first epoch",
    "to wait",
    says=("run: the run has no checkpoint", "best.keras", "wait for the end"),
)
def run_under_way(world: World):
    run = world.own_run()
    run.best.unlink()
    run.clear_marks()
    world.write(f"run/{files.LOCK}", "process 1")
    world.patch.setattr(files, "is_locked", lambda path: True)  # another process holds it
    return [*demo(world), "run=run"]


ELSEWHERE = (
    Elsewhere(
        "text file, text or nothing named as a video, sound alone, or a video that is cut short, "
        "dropped on the page",
        "each is told on the page with what mends it, and the page goes on",
        "tests/page/browser_test.py::test_bad_files_are_told_one_after_another_on_the_same_page",
    ),
    Elsewhere(
        "file dropped that is larger than `upload_mb`",
        "the page tells it before anything is sent",
        "tests/page/browser_test.py::test_a_file_that_is_too_large_is_told_before_any_of_it_is_sent",
    ),
    Elsewhere(
        "upload of 2 GB past the page",
        "refused before any of it is read",
        "tests/page/guard_test.py::test_a_file_is_refused_by_its_size_before_any_of_it_is_read",
    ),
    Elsewhere(
        "video of 10 hours dropped",
        "its length and `seconds`, before a frame is decoded",
        "tests/page/looking_test.py::"
        "test_a_video_of_ten_hours_is_refused_before_a_frame_is_decoded",
    ),
    Elsewhere(
        "video whose packets promise less than is decoded",
        "decoding ends at the bound",
        "tests/page/looking_test.py::test_packets_that_promise_less_than_is_decoded_do_not_help",
    ),
    Elsewhere(
        "request for a file of the machine, or about one",
        "refused; only what was dropped is opened",
        "tests/page/browser_test.py::test_crafted_requests_read_no_file_of_the_machine",
    ),
    Elsewhere(
        "page of a run that failed or is under way, with a checkpoint",
        "it is shown as what it is",
        "tests/page/browser_test.py::"
        "test_who_may_come_from_elsewhere_is_told_and_a_run_that_failed_too",
    ),
    Elsewhere(
        "SIGTERM or Ctrl-C",
        "the page ends (143 or 130); no dropped file is left",
        "tests/page/browser_test.py::test_a_signal_ends_the_page_and_leaves_nothing",
    ),
)
