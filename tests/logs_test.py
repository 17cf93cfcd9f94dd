import errno
import logging
import os

import pytest

from lrcn import logs


@pytest.fixture
def logger():
    made = logging.Logger("test")
    yield made
    for handler in made.handlers:
        handler.close()


def test_lines_go_into_the_file(tmp_path, logger):
    logger.addHandler(logs.RunLog(str(tmp_path / "train.log")))
    logger.error("größer %d", 1)
    logger.handlers[0].close()
    assert (tmp_path / "train.log").read_text(encoding="utf-8") == "größer 1\n"


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full")  # noqa: PTH110
def test_a_full_disk_is_told_once_and_closes_quietly(capsys, logger):
    logger.addHandler(logs.RunLog("/dev/full"))
    for number in range(3):
        logger.error("line %d", number)
    logger.handlers[0].close()
    _, err = capsys.readouterr()
    assert err == (
        "warning: the log ends here: /dev/full: cannot be written. Received: No space left on "
        "device. Expected: a place with room and the right to write. Make room there, or give "
        "another folder.\n"
    )


def test_a_file_that_cannot_be_opened_is_told_once(capsys, tmp_path, logger, monkeypatch):
    handler = logs.RunLog(str(tmp_path / "train.log"))

    def refused():
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(handler, "_open", refused)
    logger.addHandler(handler)
    logger.error("one")
    logger.error("two")
    _, err = capsys.readouterr()
    assert err.count("\n") == 1
    assert "train.log: cannot be written. Received: Read-only file system." in err


def test_no_line_goes_through_a_link_or_waits_at_a_pipe(capsys, tmp_path, logger):
    (tmp_path / "theirs").write_text("precious")
    (tmp_path / "a.log").symlink_to("theirs")
    os.mkfifo(tmp_path / "b.log")
    for name in ("a.log", "b.log"):
        logger.addHandler(logs.RunLog(str(tmp_path / name)))
    logger.error("one")
    assert (tmp_path / "theirs").read_text() == "precious"
    assert capsys.readouterr().err.count("the log ends here") == 2


def test_a_line_that_cannot_be_made_is_still_a_bug(capsys, tmp_path, logger):
    logger.addHandler(logs.RunLog(str(tmp_path / "train.log")))
    logger.error("%d", "no number")
    _, err = capsys.readouterr()
    assert "--- Logging error ---" in err and "TypeError" in err
