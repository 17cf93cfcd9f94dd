"""Every bad input ends in a message with all its parts, and leaves everything as it was."""

import fnmatch
import re

import pytest

import faults
from faults import world as world_lib
from lrcn import cli

CASES = [
    pytest.param(fault, id=f"{subject.name}-{fault.name}")
    for subject in faults.SUBJECTS
    for fault in subject.faults
]
# Where and what, received, expected with the remedy after it.
MESSAGE = re.compile(r"(.+?: .+?)[.?] Received: (.+)\. Expected: (.+(?:\.|\.\.\.) \S.*\.)")
# What a training leaves that failed: its folder tells why. No checkpoint, no result.
OF_FAILED_RUN = (
    *("*/train.log", "*/FAILED", "*/config.json", "*/labels.txt", "*/vocabulary.json"),
    *("*/.hydra/*", "*/MODEL_CARD.md", "*/data.json"),
)


@pytest.fixture(scope="session")
def shared(tmp_path_factory):
    return world_lib.Shared(tmp_path_factory.mktemp("shared"))


@pytest.fixture
def world(tmp_path, shared, monkeypatch):
    monkeypatch.setenv("LRCN_CACHE", str(shared.folder / "cache"))
    monkeypatch.chdir(tmp_path)
    return world_lib.World(tmp_path, shared, monkeypatch)


def tree(*folders):
    """Returns every file with its size and time, and every folder."""
    return {
        str(path): (path.lstat().st_size, path.lstat().st_mtime_ns) if not path.is_dir() else None
        for folder in folders
        for path in folder.rglob("*")
    }


def parts_of(line):
    """Returns the three parts of a message that are told apart."""
    match = MESSAGE.fullmatch(line)
    assert match, f"not all parts of a message: {line}"
    return match.groups()


@pytest.mark.parametrize("fault", CASES)
def test_a_bad_input_is_told(fault, world, capsys):
    arguments = fault.make(world)
    capsys.readouterr()
    before = tree(world.folder, world.shared.folder)
    code = cli.main(arguments)
    out, err = capsys.readouterr()
    assert code == fault.code, err
    assert "Traceback" not in out + err and "bug in lrcn" not in out + err
    errors = [line.removeprefix("error: ") for line in err.splitlines() if "error: " in line]
    lines = {"error": errors, "finding": out.splitlines()}[fault.told]
    told = [parts_of(line) for line in lines]
    assert any(all(map(str.__contains__, parts, fault.says)) for parts in told), lines
    refuse_new_files(before, tree(world.folder, world.shared.folder), fault, world, arguments)


def refuse_new_files(before, after, fault, world, arguments):
    """Asserts that nothing was written but what a failed training or the fault may leave."""
    assert before.keys() <= after.keys()
    new = {path for path, state in after.items() if before.get(path, "new") != state}
    allowed = [*fault.writes, *(OF_FAILED_RUN if arguments[0] == "train" else ())]
    files = {path for path in new if after[path] is not None}
    unwanted = {p for p in files if not any(fnmatch.fnmatch(p, pattern) for pattern in allowed)}
    assert not unwanted
    for path in files:
        if path.endswith(("train.log", "FAILED")):
            content = (world.folder / path).read_text(encoding="utf-8")
            assert "bug in lrcn" not in content
            assert not (path.endswith("FAILED") and "Traceback" in content)
    folders = new - files
    assert all(any(file.startswith(f"{folder}/") for file in files) for folder in folders)


def test_there_are_enough_bad_inputs_and_none_stands_twice():
    names = [case.id for case in CASES]
    assert len(names) >= 75
    assert len(set(names)) == len(names)
    assert all(all(case.values[0].says) for case in CASES)
    texts = [(subject.name, row.fault) for subject in faults.SUBJECTS for row in subject.rows]
    assert len(set(texts)) == len(texts)
