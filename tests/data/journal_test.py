import dataclasses
import zlib

import pytest

from lrcn.data import journal

COMMITS = [
    journal.Commit(0, 10, "ab", [(4, 2, 1, [8, 12]), (2, 3, 0, None)], [(3, "broken: ü\n")]),
    journal.Commit(1, 7, "cd", [], [], finished=False),
    journal.Commit(0, 17, "cd", [], [], finished=True),
]


@pytest.fixture
def path(tmp_path):
    for commit in COMMITS:
        journal.append(tmp_path / "a.journal", commit)
    return tmp_path / "a.journal"


def plain(path):
    """The commits as they were given: JSON has lists for tuples."""
    return [
        journal.Commit(
            commit.segment,
            commit.bytes,
            commit.checksum,
            [tuple(item) for item in commit.stored],
            [tuple(item) for item in commit.skipped],
            commit.finished,
        )
        for commit, _ in journal.read(path)
    ]


def test_commits_come_back_with_the_end_of_their_lines(path):
    assert plain(path) == COMMITS
    lines = path.read_bytes().splitlines(keepends=True)
    ends = [len(b"".join(lines[: number + 1])) for number in range(3)]
    assert [end for _, end in journal.read(path)] == ends


def test_there_is_no_journal_before_the_first_commit(tmp_path):
    assert list(journal.read(tmp_path / "none")) == []
    journal.cut(tmp_path / "none", 0)
    assert list(tmp_path.iterdir()) == []


def test_a_last_line_that_was_cut_anywhere_is_left_out(path):
    whole = path.read_bytes()
    last = len(whole) - len(whole.splitlines(keepends=True)[-1])
    for length in range(last, len(whole)):
        path.write_bytes(whole[:length])
        assert plain(path) == COMMITS[:2]
        assert [end for _, end in journal.read(path)][-1] == last


def test_a_last_line_whose_blocks_never_came_to_the_disk_is_left_out(path):
    whole = path.read_bytes()
    last = len(whole) - len(whole.splitlines(keepends=True)[-1])
    path.write_bytes(whole[:last] + b"\0" * (len(whole) - last - 1) + b"\n")
    assert plain(path) == COMMITS[:2]


def test_what_follows_a_line_that_was_cut_off_is_read(path):
    whole = path.read_bytes()
    path.write_bytes(whole[:-5])
    *_, (_, end) = journal.read(path)
    journal.cut(path, end)
    journal.append(path, COMMITS[2])
    assert path.read_bytes() == whole


@pytest.mark.parametrize("old", [b'"bytes": 10', b"broken", b'"finished": false'])
def test_a_line_that_was_changed_is_noticed(path, old):
    text = path.read_bytes()
    assert old in text
    path.write_bytes(text.replace(old, old[:-1] + b"x", 1))
    with pytest.raises(journal.Damaged, match="a line of its journal is damaged"):
        list(journal.read(path))


def test_a_line_of_another_version_is_no_commit(path, monkeypatch):
    path.unlink()
    monkeypatch.setattr(journal.dataclasses, "asdict", lambda commit: {"more": 1})
    journal.append(path, COMMITS[0])
    journal.append(path, COMMITS[0])
    with pytest.raises(journal.Damaged):
        list(journal.read(path))


@pytest.mark.parametrize(
    "changes",
    [
        {"segment": "/../../theirs"},
        {"segment": -1},
        {"segment": True},
        {"segment": 1.0},
        {"segment": 2**64},
        {"bytes": "0"},
        {"bytes": -1},
        {"bytes": None},
        {"checksum": 3},
        {"stored": {}},
        {"stored": "abcd"},
        {"stored": [3]},
        {"stored": [[1, 2]]},
        {"stored": [["1", 2, 3, None]]},
        {"stored": [[1, 2, 3, [4]]]},
        {"stored": [[1, 2, 3, ["4", 5]]]},
        {"skipped": [[1, 2]]},
        {"skipped": [["1", "why"]]},
        {"skipped": [1]},
        {"finished": 1},
    ],
    ids=str,
)
def test_a_line_with_values_of_another_kind_is_no_commit(path, changes):
    journal.append(path, dataclasses.replace(COMMITS[1], **changes))
    assert plain(path) == COMMITS
    journal.append(path, COMMITS[2])
    with pytest.raises(journal.Damaged):
        plain(path)


@pytest.mark.parametrize("text", ["[" * 100_000, "3", "[]", "no JSON", "9" * 5000])
def test_a_line_that_is_no_object_is_no_commit(path, text):
    with path.open("ab") as file:
        file.write(f"{zlib.crc32(text.encode()):08x} {text}\n".encode())
    assert plain(path) == COMMITS
