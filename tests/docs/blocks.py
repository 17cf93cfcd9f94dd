"""The blocks of code of a page: files that it shows, and commands and programs that are run."""

import dataclasses
import json
import os
import pathlib
import re
import shlex
import subprocess
import sys

# Runs the steps of a page in one process, which imports TensorFlow once.
_RUNNER = """
import json, sys
from lrcn import cli
for kind, body in json.loads(sys.argv[1]):
    if kind == "python":
        exec(compile(body, "the page", "exec"), {"__name__": "page"})
    elif code := cli.main(body):
        sys.exit(f"{code} of {body}")
"""

_BLOCK = re.compile(
    r'^```(?P<language>\w+)(?: title="(?P<title>[^"]+)")?\n(?P<text>.*?)^```$',
    re.MULTILINE | re.DOTALL,
)


@dataclasses.dataclass(frozen=True)
class Block:
    """A fenced block: its language, the file that its title names, and its text."""

    language: str
    title: str | None
    text: str


def of_page(page):
    """Returns the blocks of a page in order."""
    text = pathlib.Path(page).read_text(encoding="utf-8")
    return [Block(**match.groupdict()) for match in _BLOCK.finditer(text)]


def put(block, folder):
    """Writes the file that a block shows, or changes the one that it tells the changes of."""
    file = folder / block.title
    if block.language != "diff":
        assert not file.exists(), f"{block.title} is there already"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(block.text, encoding="utf-8")
        return
    text = file.read_text(encoding="utf-8")
    for hunk in block.text.split("@@\n")[1:]:
        old, new = _sides(hunk)
        assert text.count(old) == 1, f"{block.title} holds {text.count(old)} times:\n{old}"
        text = text.replace(old, new)
    file.write_text(text, encoding="utf-8")


def _sides(hunk):
    rows = hunk.splitlines(keepends=True)
    assert all(row[0] in " +-\n" for row in rows), hunk
    old = "".join(row[1:] or row for row in rows if row[0] != "+")
    new = "".join(row[1:] or row for row in rows if row[0] != "-")
    return old, new


def steps(page):
    """Returns the commands and programs of a page in order, each with `lrcn` or `python`."""
    found = []
    for block in of_page(page):
        if block.language == "sh":
            commands = [shlex.split(line) for line in block.text.replace("\\\n", " ").splitlines()]
            assert all(command[0] == "lrcn" for command in commands)
            found += [("lrcn", command[1:]) for command in commands]
        elif block.language == "python" and not block.title:
            found.append(("python", block.text))
    return found


def run(page, folder, package):
    """Runs the steps of a page in a folder, with a package, and returns what they print."""
    environment = {**os.environ, "PYTHONPATH": str(package), "LRCN_CACHE": str(folder / "cache")}
    done = subprocess.run(
        [sys.executable, "-c", _RUNNER, json.dumps(steps(page))],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return done.stdout
