"""Whatever writes a file goes through `lrcn.files`, so that no file is ever half there."""

import ast
import pathlib

import pytest

PACKAGE = pathlib.Path(__file__).resolve().parent.parent / "lrcn"
MODULES = {
    path.relative_to(PACKAGE).as_posix(): path.read_text(encoding="utf-8")
    for path in sorted(PACKAGE.rglob("*.py"))
}
# Names of functions and methods that write files, whoever offers them.
WRITERS = {
    *("write_text", "write_bytes", "touch", "tofile", "dump", "savez", "savez_compressed"),
    *("save", "save_weights", "savefig", "savetxt", "imwrite", "imsave", "to_csv", "export"),
    *("TFRecordWriter", "create_file_writer", "FileHandler"),
    *("copy2", "copyfile", "copyfileobj", "copytree", "move", "rename", "symlink_to"),
    *("NamedTemporaryFile", "TemporaryFile", "TemporaryDirectory", "mkstemp", "mkdtemp"),
}
OPENERS = {
    "open",
    "fdopen",
    "File",
    "ZipFile",
    "TarFile",
    "memmap",
    "open_memmap",
}  # that write only under some modes
_LETTERS = set("rwxabt+")

# What does not: streams, and what another function has under `files.atomic_path`.
ALLOWED = {
    ("logs.py", "FileHandler"): "a log is a stream; its handler gives it up on a fault",
    ("outcomes.py", "touch"): "an empty mark that ends with its sweep",
    ("training/callbacks.py", "create_file_writer"): "TensorBoard reads events as they come",
    ("data/part.py", "TFRecordWriter"): "of a staging folder, in which a journal tells what counts",
    ("data/part.py", "open"): "likewise",
    ("data/part.py", "copyfileobj"): "likewise",
    ("data/part.py", "replace"): "of a shard that is complete, into its final name",
    ("data/journal.py", "open"): "a journal grows line by line; a line that is torn does not count",
    ("data/unfinished.py", "replace"): "of shards that are complete, into their final names",
    ("data/images.py", "save"): "into memory",
    ("training/checkpoints.py", "replace"): "of a broken checkpoint, which is put aside",
    ("training/features.py", "replace"): "of features that are whole",
    ("cache.py", "replace"): "of a folder of records, each of which is whole",
    ("page/uploads.py", "mkdtemp"): "a private folder of what is dropped, gone with the page",
    ("page/uploads.py", "rename"): "of what was dropped, within that folder",
    ("page/warming.py", "TemporaryDirectory"): "of a picture that is answered once, gone with it",
    ("page/warming.py", "write_bytes"): "likewise",
    ("page/warming.py", "open"): "likewise",
    ("report/media.py", "save"): "into memory",
    ("verbs/showing.py", "TemporaryFile"): "without a name, and gone when it is closed",
    ("logs.py", "TemporaryFile"): "likewise",
    ("inference/export/saved_model.py", "save"): "into a folder that takes its name when whole",
}


def _name(call):
    return getattr(call.func, "attr", getattr(call.func, "id", ""))


def _is_writing_mode(value):
    return (
        isinstance(value, ast.Constant)
        and isinstance(value.value, str)
        and set(value.value) <= _LETTERS
        and bool(set(value.value) & set("wxa+"))
    )


def _writes(call, own):
    """Tells whether a call writes a file; `own` are names of our modules and functions."""
    receiver = getattr(getattr(call.func, "value", None), "id", None)
    if receiver in own or getattr(call.func, "id", None) in own:
        return False  # a function that is looked at itself
    name = _name(call)
    if name in OPENERS:
        return any(map(_is_writing_mode, [*call.args, *(k.value for k in call.keywords)]))
    if name == "replace":  # of a path or of os; that of a text or of an array takes two texts
        return len(call.args) == 1 and not call.keywords or receiver == "os"
    return name in WRITERS or (name == "copy" and receiver == "shutil")


def _own(tree):
    defined = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
    return defined | {
        alias.asname or alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("lrcn")
        for alias in node.names
    }


def _is_atomic(node):
    """Tells whether a statement holds a temporary path that takes its name at the end."""
    return isinstance(node, ast.With) and any(
        isinstance(part, ast.Call) and _name(part) == "atomic_path"
        for item in node.items
        for part in ast.walk(item.context_expr)
    )


def bypasses(source):
    """Returns line and name of every call that writes outside a block of `files.atomic_path`."""
    tree = ast.parse(source)
    own, found = _own(tree), []

    def visit(node, atomic):
        if isinstance(node, ast.Call) and not atomic and _writes(node, own):
            found.append((node.lineno, _name(node)))
        for child in ast.iter_child_nodes(node):
            visit(child, atomic or _is_atomic(node))

    visit(tree, False)
    return found


@pytest.mark.parametrize("name", [name for name in MODULES if name != "files.py"])
def test_every_write_goes_through_files(name):
    for line, call in bypasses(MODULES[name]):
        assert (name, call) in ALLOWED, f"lrcn/{name}:{line}: {call} writes past files.atomic_path"


@pytest.mark.parametrize(("name", "call"), ALLOWED)
def test_exceptions_are_still_needed(name, call):
    assert call in {found for _, found in bypasses(MODULES[name])} | _bases(MODULES[name])


def _bases(source):
    return {
        getattr(base, "attr", "")
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.ClassDef)
        for base in node.bases
    }


@pytest.mark.parametrize(
    "line",
    [
        "pathlib.Path(p).write_text('x')",
        "open(p, 'w')",
        "path.open(mode='ab')",
        "figure.savefig(p)",
        "np.save(p, a)",
        "model.save(p)",
        "av.open(p, 'w', format='mp4')",
        "zipfile.ZipFile(p, 'a')",
        "tf.io.TFRecordWriter(p)",
        "np.lib.format.open_memmap(p, mode='w+')",
        "shutil.copyfile(a, b)",
        "temporary.replace(final)",
        "os.replace(a, b)",
        "logging.FileHandler(p)",
    ],
)
def test_a_write_is_seen(line):
    assert len(bypasses(line)) == 1
    assert bypasses(f"with files.atomic_path(p) as path:\n    {line}") == []


@pytest.mark.parametrize(
    "line",
    [
        "open(p)",
        "path.open('rb')",
        "av.open(p)",
        "text.replace('a', 'b')",
        "dataclasses.replace(a, b=1)",
        "from lrcn import plots\nplots.save(figure, p)",
        "values.copy()",
    ],
)
def test_what_only_reads_is_not(line):
    assert bypasses(line) == []
