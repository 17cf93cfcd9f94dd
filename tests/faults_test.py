import errno
import pathlib

import pytest

from lrcn import faults
from lrcn.errors import CannotWrite, UserError


def refused(code, *names):
    return OSError(code, "as the library words it", *names)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (refused(errno.ENOSPC), "No space left on device"),
        (refused(errno.EROFS, "a.png"), "Read-only file system"),
        (OSError("3000000 requested and 62484 written"), "3000000 requested and 62484 written"),
        (RuntimeError("{{node Write}} a.tfrecord; File too large\n\tmore"), "File too large"),
        (RuntimeError(), "RuntimeError"),
    ],
)
def test_the_reason_is_that_of_the_system(error, expected):
    assert faults.reason(error) == expected


@pytest.mark.parametrize(
    ("code", "remedy"),
    [
        (errno.ENOSPC, "Make room there"),
        (errno.EDQUOT, "Make room there"),
        (errno.EACCES, "Give this user the right"),
        (errno.EROFS, "give another folder"),
        (errno.EFBIG, "ulimit -f"),
        (errno.EIO, "Make room and give the right"),
    ],
)
def test_what_cannot_be_written_is_named_with_reason_and_remedy(code, remedy):
    told = faults.unwritable("run/a.png", refused(code))
    assert isinstance(told, CannotWrite)
    assert str(told).startswith("run/a.png: cannot be written. Received: ")
    assert remedy in told.remedy
    assert told.exit_code == 1


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (refused(errno.ENOSPC), True),
        (refused(errno.EACCES, "x/.a.tmp.png"), True),
        (refused(errno.ENOSPC, "source.png", None, "x/.a.tmp.png"), True),
        (refused(errno.ENOENT, "source.png"), False),
        (RuntimeError("x/.a.tmp.png; No space left on device"), True),
        (RuntimeError("something else"), False),
        (ValueError("x/.a.tmp.png has no good suffix"), False),
    ],
)
def test_errors_about_other_files_are_told_apart(error, expected):
    assert faults.is_about(error, pathlib.Path("x/.a.tmp.png")) is expected


def test_faults_of_the_machine_are_no_bugs():
    told = faults.told(FileNotFoundError(errno.ENOENT, "gone", "run/config.json"))
    assert isinstance(told, UserError)
    assert str(told).startswith(
        "run/config.json: the system refuses a file or folder. Received: No"
    )
    assert isinstance(told.__cause__, FileNotFoundError)
    told = faults.told(MemoryError("Unable to allocate 9 GiB\nfor an array"))
    assert "Received: Unable to allocate 9 GiB." in str(told)
    assert "batch_size" in told.remedy and "num_items_per_thread" in told.remedy
    assert "Received: none left." in str(faults.told(MemoryError()))


def test_the_memory_that_tensorflow_lacks_is_told_alike():
    tf = pytest.importorskip("tensorflow")
    told = faults.told(tf.errors.ResourceExhaustedError(None, None, "OOM when allocating"))
    assert "the memory of the machine does not suffice. Received: OOM" in str(told)


@pytest.mark.parametrize("error", [RecursionError("deep"), KeyError("a"), ValueError("b")])
def test_bugs_stay_bugs(error):
    assert faults.told(error) is error
