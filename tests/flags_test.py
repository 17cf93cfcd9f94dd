import pytest

from lrcn import flags
from lrcn.errors import UsageError


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (["a=1", "-m", "b=1,2"], ["--multirun", "a=1", "b=1,2"]),
        (["a=1", "--config-dir", "x y", "b=2"], ["--config-dir=x y", "a=1", "b=2"]),
        (["-cd=mine", "-cn", "other", "a=1"], ["--config-dir=mine", "--config-name=other", "a=1"]),
        (["a=1", "-c", "job", "--resolve"], ["--cfg=job", "--resolve", "a=1"]),
        (["--info", "a=1"], ["--info", "a=1"]),
        (["-i", "config", "a=1"], ["--info=config", "a=1"]),
        (["a=-1", "~b", "+c=1"], ["a=-1", "~b", "+c=1"]),
    ],
)
def test_flags_come_first_with_their_values(given, expected):
    assert flags.first(given) == expected
    assert flags.first(flags.first(given)) == expected


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["--multrun", "a=1"], "no such flag '--multrun'; did you mean '--multirun'? Received:"),
        (["-x"], "no such flag '-x'. Received: -x. Expected: -m | --cfg | "),
        (["a=1", "--config-dir"], "a flag without its value. Received: --config-dir. Expected: "),
    ],
)
def test_other_flags_are_refused(given, message):
    with pytest.raises(UsageError) as raised:
        flags.first(given)
    assert str(raised.value).startswith(f"command line: {message}")
