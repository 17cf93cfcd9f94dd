import dataclasses
import json
import os

import pytest

from lrcn import errors
from lrcn.data import limits, serialize, shard_file


@pytest.fixture
def own(data, tmp_path):
    """The `.shard` file of the first of three shards, of two items."""
    options = serialize.StoreOptions(mode=None, shuffle=True, shards=3, on_error="skip")
    data = dataclasses.replace(data, splits={"data.train": data.splits["data.train"]})
    (report,) = serialize.serialize(data, tmp_path / "out", options=options, shard_index=0)
    return shard_file.path_of(report.path)


def told(path, **given):
    with pytest.raises(errors.UserError) as caught:
        shard_file.read(path, **given)
    assert str(caught.value).startswith(f"{path}: ") and "\n" not in str(caught.value)
    return str(caught.value)


def change(path, **values):
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


def test_what_is_written_comes_back(own):
    values = shard_file.read(own)
    assert values.metadata.items + len(values.skipped_places) == len(values.listed) == 2
    assert values.plan["shards"] == values.count == 3
    shard_file.write(own, values)
    assert shard_file.read(own) == values
    assert len(own.read_text().splitlines()) == 10  # a key a line


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"format_version": 2}, "of another version. Received: format_version 2"),
        ({"format_version": True}, "of another version. Received: format_version True"),
        ({"index": "0"}, "good value of index. Received: '0'"),
        ({"index": 1}, "disagrees with itself. Received: shard 1 of 3"),
        ({"count": 2}, "disagrees with itself. Received: shard 0 of 2"),
        ({"splits": ["a/b"]}, "good value of splits"),
        ({"splits": "data.train"}, "good value of splits"),
        ({"plan": []}, "good value of plan"),
        ({"metadata": None}, "good value of metadata"),
        ({"metadata": {}}, "metadata lacks keys"),
        ({"skipped_places": [-1]}, "good value of skipped_places"),
        ({"skipped_places": [4, 5, 6]}, "disagrees with itself. Received: 3 places of"),
        ({"listed": ["\ud800"]}, "good value of listed"),
        ({"listed": [1]}, "good value of listed"),
    ],
)
def test_bad_values_are_told(own, values, message):
    change(own, **values)
    assert message in told(own)
    assert "shard_index=0 overwrite=true" in told(own)


def test_metadata_are_of_the_one_shard_and_agree_with_themselves(own):
    metadata = json.loads(own.read_text())["metadata"]
    change(own, metadata={**metadata, "items": 9})
    assert "metadata disagrees with itself" in told(own)
    shard = {**metadata["shards"][0], "name": "data.train.tfrecord-00001-of-00003"}
    change(own, metadata={**metadata, "shards": [shard]})
    assert "Received: shard 0 of 3 in data.train.tfrecord-00001-of-00003." in told(own)
    change(own, metadata={**metadata, "shards": []})
    assert told(own)


@pytest.mark.parametrize("name", ["00003-of-00003", "00000-of-00000", "00000-of-00001"])
def test_a_name_that_no_shard_has_is_refused(own, name):
    other = own.with_name(f"data.train.tfrecord-{name}.shard")
    own.rename(other)
    index, count = map(int, name.split("-of-"))
    metadata = json.loads(other.read_text())["metadata"]
    shard = {**metadata["shards"][0], "name": other.name.removesuffix(".shard")}
    change(other, index=index, count=count, metadata={**metadata, "shards": [shard]})
    assert "a .shard file disagrees with itself" in told(other)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff", b'{"a": NaN}', b"[" * 100_000])
def test_what_is_no_json_of_ours_is_told(own, content):
    own.write_bytes(content)
    told(own)


def test_a_pipe_is_not_waited_for_and_a_large_file_not_read(own):
    assert "limits.file_bytes" in told(own, limits=limits.Limits(file_bytes=100))
    own.unlink()
    os.mkfifo(own)
    assert "a named pipe" in told(own)


def test_shards_of_a_folder_are_found_by_name(tmp_path):
    for name in ("a.tfrecord-00001-of-00002", "a.tfrecord", "b.c.tfrecord", "d.tfrecord-1-of-2"):
        (tmp_path / f"{name}.shard").touch()
    (tmp_path / "a.tfrecord-00000-of-00002").touch()
    found = shard_file.in_folder(tmp_path)
    assert {name: len(paths) for name, paths in found.items()} == {"a": 2, "b.c": 1}
    assert shard_file.missing(tmp_path, ["a", "b.c"], 2) == {"a": [0], "b.c": [0, 1]}
    (tmp_path / "a.tfrecord.size").touch()
    assert shard_file.missing(tmp_path, ["a", "b.c"], 1) == {}
