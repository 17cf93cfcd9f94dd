"""Records of strangers, by every way that reads them."""

import dataclasses
import io
import os
import pathlib
import struct

import numpy as np
import PIL.Image
import pytest
import tensorflow as tf

from lrcn import errors
from lrcn.data import (
    augment,
    check_records,
    clips,
    damage,
    dataset,
    epochs,
    framing,
    limits,
    records,
    references,
)

VIEW = augment.View((24, 32))
SIX = clips.ClipMode("rand_clips", 6, 1)  # of 8 frames they show the third, whatever is drawn


def trained(record_set):
    chosen = epochs.Clips(record_set, SIX)
    targets = dataset.Targets(record_set, 3, False)
    batches, _ = dataset.training_clips(
        chosen, targets=targets, view=VIEW, batch_size=2, seed=0, first_epoch=0, epochs=2
    )
    return batches


def evaluated(record_set):
    chosen = epochs.Clips(record_set, clips.evaluation_mode(2))
    wanted = [np.unique(table) for table in chosen.tables(chosen.every())]
    return dataset.stored_frames(record_set, range(len(wanted)), wanted, view=VIEW, batch_size=2)


def extracted(record_set):
    items = range(record_set.metadata.items)
    return dataset.stored_frames(record_set, items, view=VIEW, batch_size=4)


READERS = [trained, evaluated, extracted]


def told_by(read, record_set):
    """The one error that reading ends in, told twice: by who reads and by `lrcn check`."""
    with (
        pytest.raises(errors.UserError) as caught,
        damage.translating_errors(record_set.path, limits=record_set.limits),
    ):
        for _ in read(records.open_records(record_set.path, limits=record_set.limits)):
            pass
    return str(caught.value)


def forged_head(length):
    raw = struct.pack("<Q", length)
    masked = framing._masked(np.frombuffer(raw, np.uint8)[None])
    return raw + struct.pack("<I", int(masked[0]))


def png():
    buffer = io.BytesIO()
    PIL.Image.fromarray(np.zeros([24, 32, 3], np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


def claiming(jpeg, height, width):
    data = bytearray(jpeg)
    at = data.index(b"\xff\xc0") + 5
    data[at : at + 4] = height.to_bytes(2, "big") + width.to_bytes(2, "big")
    return bytes(data)


@pytest.mark.parametrize("read", READERS)
@pytest.mark.parametrize("length", [2**60, 2**64 - 1])
def test_a_length_that_lies_makes_no_room_for_itself(write_records, forge, read, length):
    written = write_records()
    whole = written.shards[0].read_bytes()
    second = whole.index(b"video 1")
    start = whole.rindex(forged_head(framing.scan(written.shards[0], longest=2**31)[1].length))
    assert start < second
    forge(written, content=whole[:start] + forged_head(length) + whole[start + 12 :])
    message = told_by(read, written)
    assert message.startswith(f"{written.shards[0]}: records are damaged, first record 1 (item ")
    assert "(item video 1)" in message and f"{length:,} bytes of data" in message
    (finding,) = check_records.records({"train": written.path})
    assert finding.what == "records are damaged, first record 1 (item video 1)"


@pytest.mark.parametrize("read", READERS)
def test_a_record_above_the_limit_is_refused_with_the_key(write_records, read):
    written = dataclasses.replace(write_records(), limits=limits.Limits(record_bytes=1000))
    message = told_by(read, written)
    assert f"{written.shards[0]}#0: a record is larger than the limit" in message
    assert "limits.record_bytes" in message


@pytest.mark.parametrize("read", READERS)
@pytest.mark.parametrize("place", ["data", "checksum"])
def test_damaged_data_are_told_by_record_whatever_the_size_says(write_records, forge, read, place):
    written = write_records((6, 6, 7, 8), shards=2)
    own = framing.scan(written.shards[0], longest=2**31)[1]
    content = bytearray(written.shards[0].read_bytes())
    content[own.offset + (100 if place == "data" else own.length)] ^= 1
    written.shards[0].write_bytes(content)
    assert f"{written.shards[0]}: records are damaged, first record 1 (item video 1)" in told_by(
        read, written
    )
    forge(written, content=bytes(content))
    message = told_by(read, written)
    assert message.startswith(f"{written.shards[0]}#1 (item video 1): the record is damaged")
    (finding,) = check_records.records({"train": written.path})
    assert finding.where == f"{written.shards[0]}#1 (item video 1)"


FORGERIES = {
    "another protobuf": (lambda f: b"\x0a\x05hello", "no example of this format"),
    "garbage": (lambda f: b"\xff" * 40, "no example of this format"),
    "nothing": (lambda f: b"", "no example of this format"),
    "no id": (lambda f: f.pop("id") and None, "0 values of id, not 1"),
    "frames as numbers": (
        lambda f: f["frames"].int64_list.value.append(3),
        "frames as int64_list, not bytes_list",
    ),
    "label as text": (
        lambda f: f["label"].bytes_list.value.append(b"0"),
        "label as bytes_list, not int64_list",
    ),
    "two counts": (
        lambda f: f["frame_count"].int64_list.value.append(3),
        "2 values of frame_count, not 1",
    ),
    "id that is no text": (
        lambda f: f["id"].bytes_list.value.__setitem__(0, b"\xff\xfe"),
        "no example of this format",
    ),
    "more frames than told": (
        lambda f: f["frames"].bytes_list.value.append(f["frames"].bytes_list.value[0]),
        "frames differ from the .size. Received: 9. Expected: 8",
    ),
    "fewer frames than told": (
        lambda f: f["frames"].bytes_list.value.pop() and None,
        "frames differ from the .size. Received: 7. Expected: 8",
    ),
    "a count that lies": (
        lambda f: f["frame_count"].int64_list.value.__setitem__(0, 2**40),
        "frame count differs from the .size. Received: 1099511627776. Expected: 8",
    ),
    "negative clips": (
        lambda f: f["clip_count"].int64_list.value.__setitem__(0, -2),
        "0 places for -2 clips",
    ),
    "huge clips": (
        lambda f: f["clip_count"].int64_list.value.__setitem__(0, 2**40),
        "0 places for 1099511627776 clips",
    ),
    "a frame that is garbage": (
        lambda f: f["frames"].bytes_list.value.__setitem__(2, b"no picture"),
        "frame 2 is no JPEG",
    ),
    "a frame that is empty": (
        lambda f: f["frames"].bytes_list.value.__setitem__(2, b""),
        "frame 2 is no JPEG",
    ),
    "a frame that is a PNG": (
        lambda f: f["frames"].bytes_list.value.__setitem__(2, png()),
        "frame 2 is no JPEG",
    ),
    "a frame that claims 12 GB": (
        lambda f: f["frames"].bytes_list.value.__setitem__(
            2, claiming(f["frames"].bytes_list.value[2], 65500, 65500)
        ),
        "frame 2 is larger than the limit. Received: 4,290,250,000 pixels",
    ),
    "a frame that is cut": (
        lambda f: f["frames"].bytes_list.value.__setitem__(
            2, f["frames"].bytes_list.value[2][:-200]
        ),
        "frame 2 does not decode",
    ),
}
# What an evaluation does not look at changes nothing that it measures.
_UNSEEN = {
    "no id",
    "label as text",
    "two counts",
    "id that is no text",
    "more frames than told",
    "a count that lies",
    "negative clips",
    "huge clips",
}


@pytest.mark.parametrize("name", FORGERIES)
@pytest.mark.parametrize("read", [trained, evaluated])
def test_a_forged_record_is_told_by_file_index_and_item(write_records, forge, read, name):
    make, expected = FORGERIES[name]
    written = write_records()

    def change(number, feature):
        made = make(feature) if number == 1 else None
        return made if isinstance(made, bytes) and number == 1 else None

    forge(written, change)
    (finding, *_) = check_records.records({"train": written.path})
    assert finding.where == f"{written.shards[0]}#1 (item video 1)"
    assert expected in str(finding)
    if read is evaluated and name in _UNSEEN:
        return
    message = told_by(read, written)
    assert message.startswith(f"{written.shards[0]}#1 (item video 1): ") and expected in message


def test_stored_clips_that_point_elsewhere_are_refused(write_records, forge):
    table = np.array([[0, 1], [2, 3]])
    mode = clips.ClipMode("iterative", 2, 0)
    for place in (99, -1):
        written = write_records(clips=[table] * 3, mode=mode)
        forge(
            written,
            lambda number, feature, place=place: (
                feature["clips"].int64_list.value.__setitem__(0, place) if number == 2 else None
            ),
        )
        opened = records.open_records(written.path)
        with pytest.raises(errors.UserError, match="#2 .item video 2.: last frame of clips"):
            epochs.Clips(opened, None)


@pytest.mark.parametrize("read", READERS)
def test_more_or_fewer_records_than_told(write_records, forge, read):
    written = write_records()
    last = framing.scan(written.shards[0], longest=2**31)[2]
    content = written.shards[0].read_bytes()
    for other in (content[: last.offset - 12], content + content[last.offset - 12 :]):
        forge(written, content=other)
        assert "records differ from the .size" in told_by(read, written)
        (finding,) = check_records.records({"train": written.path})
        assert finding.what == "records differ from the .size"


def replaced(path, content):
    other = path.with_name("other")
    other.write_bytes(content)
    other.replace(path)


CHANGES = {
    "renamed over": lambda path: replaced(path, path.read_bytes()[::-1]),
    "cut": lambda path: os.truncate(path, 40),
    "gone": lambda path: path.unlink(),
    "written to": lambda path: path.write_bytes(
        path.read_bytes().replace(b"\xff\xd8", b"\xff\xd9")
    ),
}


@pytest.mark.parametrize("name", CHANGES)
@pytest.mark.parametrize("read", [trained, extracted])
def test_records_that_change_while_they_are_read_are_noticed(write_records, read, name):
    written = write_records((9,) * 20, shards=2)
    with (
        pytest.raises(errors.UserError, match="changed while they were read") as caught,
        damage.translating_errors(written.path),
    ):
        for number, _ in enumerate(read(written).repeat(2)):
            if number == 0:
                for shard in written.shards:
                    CHANGES[name](shard)
    assert caught.value.where == str(written.shards[0])
    assert ("no such file" in caught.value.received) == (name == "gone")


@pytest.mark.parametrize("name", CHANGES)
def test_records_that_change_between_two_evaluations_are_noticed(write_records, name):
    written = write_records(shards=2)
    with (
        pytest.raises(errors.UserError, match="changed while they were read"),
        damage.translating_errors(written.path),
    ):
        batches = evaluated(written)
        assert len(list(batches)) > 0
        CHANGES[name](written.shards[1])
        list(batches)


def test_open_files_do_not_grow(write_records):
    written = write_records(shards=3)

    def opened():
        return len(list(pathlib.Path("/proc/self/fd").iterdir()))

    list(trained(written))
    before = opened()
    kept = [trained(written) for _ in range(5)]
    for batches in kept:
        assert len(list(batches)) == 4
    assert opened() <= before + 1


def test_what_is_no_fault_of_the_records_passes_through(write_records):
    written = write_records()
    for error in (
        tf.errors.InvalidArgumentError(None, None, "of a network"),
        tf.errors.ResourceExhaustedError(None, None, "no memory"),
        KeyError("x"),
    ):
        with pytest.raises(type(error)), damage.translating_errors(written.path):
            raise error


def test_captions_of_a_forged_record_are_refused(write_records, forge):
    written = write_records(captions=[["a dog"], ["a cat"], ["a cow"]])
    forge(
        written,
        lambda number, feature: (
            feature["captions"].int64_list.value.append(3) if number == 1 else None
        ),
    )
    with pytest.raises(errors.UserError, match="#1 .item video 1.: .*captions as int64_list"):
        references.of_records(records.open_records(written.path))
