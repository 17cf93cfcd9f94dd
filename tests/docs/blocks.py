"""The blocks of code of a page, and what they make of a copy of the package."""

import dataclasses
import pathlib
import re

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
