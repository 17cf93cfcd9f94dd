"""Imports run one way: a room uses only what stands left of it."""

import ast
import pathlib

import pytest

PACKAGE = pathlib.Path(__file__).resolve().parent.parent / "lrcn"
# Each row may import the rows before it; modules of one room may import each other without cycles.
ROOMS = [
    {"errors", "files"},
    {"data"},
    {"models"},
    {"scoring"},
    {"settings"},
    {"config"},
    {"datasets"},
    {"runs"},
    {"training", "inference"},
    {"evaluation"},
    {"verbs"},
    {"help"},
    {"cli"},
]
RANK = {room: rank for rank, rooms in enumerate(ROOMS) for room in rooms}
MODULES = sorted(path for path in PACKAGE.rglob("*.py"))


def _name(path):
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


NAMES = {_name(path) for path in MODULES}


def imported(path):
    """Returns the full names of every module that a file imports, inside functions too."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                found.add(full if full in NAMES else node.module)
    return found


def room(name):
    parts = name.split(".")
    return parts[1] if len(parts) > 1 else ""


@pytest.mark.parametrize("path", MODULES, ids=_name)
def test_imports_run_one_way(path):
    here = room(_name(path))
    if not here:
        return  # lrcn/__init__.py only offers names
    assert here in RANK, f"lrcn/{here} is a room that nobody drew"
    for name in imported(path):
        if name.split(".")[0] == "lrcn" and room(name) and room(name) != here:
            assert RANK[room(name)] < RANK[here], f"{_name(path)} imports {name}"


def test_no_cycles():
    graph = {_name(path): imported(path) & NAMES for path in MODULES}
    done, open_ = set(), []

    def visit(name):
        assert name not in open_, f"cycle: {' -> '.join([*open_, name])}"
        if name in done:
            return
        open_.append(name)
        for other in sorted(graph[name] - {"lrcn"}):
            visit(other)
        done.add(open_.pop())

    for name in sorted(graph.keys() - {"lrcn"}):
        visit(name)


@pytest.mark.parametrize("path", MODULES, ids=_name)
def test_libraries_stay_in_their_rooms(path):
    here, tops = room(_name(path)), {name.split(".")[0] for name in imported(path)}
    if here != "cli":
        assert "hydra" not in tops
    if here not in ("config", "cli"):  # cli names OmegaConf's exceptions at the door
        assert "omegaconf" not in tops
    if here in ("models", "scoring"):
        assert "tensorflow" not in tops


@pytest.mark.parametrize("path", MODULES, ids=_name)
def test_no_file_holds_two_ideas(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 400
