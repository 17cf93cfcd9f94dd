"""Imports run one way: a room uses only what stands left of it."""

import ast
import pathlib

import pytest

PACKAGE = pathlib.Path(__file__).resolve().parent.parent / "lrcn"
# Each row may import the rows before it; modules of one room may import each other without cycles.
ROOMS = [
    {"errors"},
    {"faults", "cores"},
    {"files", "logs"},
    {"data"},
    {"models"},
    {"scoring"},
    {"litert"},
    {"settings"},
    {"config"},
    {"cache"},
    {"datasets"},
    {"runs"},
    {"provenance", "states"},
    {"training", "inference"},
    {"evaluation", "browsing"},
    {"report", "page"},
    {"verbs"},
    {"help", "quoting"},
    {"overriding"},
    {"outcomes", "launching", "naming", "resuming"},
    {"flags", "composing", "studies", "jobs"},
    {"sweeping"},
    {"cli"},
    {"__main__"},
]
RANK = {room: rank for rank, rooms in enumerate(ROOMS) for room in rooms}
MODULES = sorted(path for path in PACKAGE.rglob("*.py"))


def _name(path):
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


NAMES = {_name(path) for path in MODULES}


def imported(path, *, at_once=False):
    """Returns the full names of every module that a file imports, inside functions too.

    Args:
        path: The file.
        at_once: Only what is imported as soon as the file itself is.
    """
    found = set()
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in _outside_functions(tree) if at_once else ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                found.add(full if full in NAMES else node.module)
    return found


def _outside_functions(node):
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            yield child
            yield from _outside_functions(child)


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


def test_the_readme_draws_the_rooms():
    text = (PACKAGE.parent / "README.md").read_text(encoding="utf-8")
    drawn = "errors <-" + text.partition("```\nerrors <-")[2].partition("```")[0]
    rows = [{name.strip() for name in row.split(",")} for row in drawn.split("<-")]
    assert rows == [row for row in ROOMS if row != {"__main__"}]


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
    # Its plugins are Hydra. The one exception holds what is searched against the study as the
    # sweeper itself reads it, which it offers nowhere in public.
    if here not in ("cli", "studies"):
        assert "hydra_plugins" not in tops
    if here != "studies":
        assert "optuna" not in tops
    if here != "config":
        assert "omegaconf" not in tops


@pytest.mark.parametrize("path", MODULES, ids=_name)
def test_tensorflow_stays_in_its_rooms(path):
    here, name = room(_name(path)), _name(path)
    tops = {module.split(".")[0] for module in imported(path)}
    if here != "data":
        assert "tensorflow_datasets" not in tops
    # `gradcam` differentiates, for which Keras has no operation that every backend runs.
    if here not in ("data", "training") and name not in (
        "lrcn.inference.gradcam",
        "lrcn.litert",
        "lrcn.verbs.showing",
    ):
        assert "tensorflow" not in tops or name.startswith("lrcn.inference.export.")
    if here in ("models", "scoring"):  # they run on any backend of Keras
        assert not any(
            module.startswith(("keras.src", "keras.backend")) for module in imported(path)
        )
        assert not tops & {"jax", "torch"}


def test_the_verbs_only_load_tensorflow():
    tree = ast.parse((PACKAGE / "verbs" / "showing.py").read_text(encoding="utf-8"))
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    assert not names & {"tensorflow", "tf"}


@pytest.mark.parametrize(
    "name", ["lrcn", "lrcn.cli", "lrcn.help", "lrcn.config", "lrcn.verbs", "lrcn.resuming"]
)
def test_tensorflow_is_imported_only_when_work_starts(name):
    files = {_name(path): path for path in MODULES}
    seen, left = set(), [name]
    while left:
        now = left.pop()
        if now not in seen:
            seen.add(now)
            left += imported(files[now], at_once=True) if now in files else []
    assert not {module.split(".")[0] for module in seen} & {"tensorflow", "keras"}


@pytest.mark.parametrize("path", MODULES, ids=_name)
def test_files_have_at_most_400_lines(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 400
