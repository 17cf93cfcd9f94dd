"""What the generated pages hold, without MkDocs."""

import dataclasses
import pathlib
import re
import typing

import pytest

from lrcn import help, settings

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
PACKAGE = ROOT / "lrcn"


@pytest.fixture(scope="module")
def pages(generated):
    return generated.pages()


def sections(text):
    """Returns the text below each heading of the second level."""
    parts = re.split(r"^## (.+)$", text, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def keys(text):
    return set(re.findall(r"^\| `([\w.]+)` \|", text, re.MULTILINE))


def members(kind):
    """Yields the dataclasses that a group's annotation allows."""
    for part in typing.get_args(kind) or (kind,):
        if dataclasses.is_dataclass(part):
            yield part


def chosen_by(kind):
    """Returns the key by which members of a group are told apart, and those of a dataclass."""
    hints = typing.get_type_hints(kind)
    for key in ("source", "name"):
        if typing.get_origin(hints.get(key)) is typing.Literal:
            return key, typing.get_args(hints[key])
    return ("name" if kind is settings.Augment else None), ()


@pytest.mark.parametrize("verb", sorted(settings.VERBS))
def test_every_key_of_the_settings_stands_on_a_page(pages, verb):
    own = sections(pages["configuration/verbs.md"])[verb]
    hints = typing.get_type_hints(settings.VERBS[verb])
    groups = {name for name, kind in hints.items() if list(members(kind))}
    assert keys(own) == set(hints) - groups
    for group in groups:
        assert f"({group}.md)" in own
        parts = sections(pages[f"configuration/{group}.md"])
        for kind in members(hints[group]):
            discriminator, names = chosen_by(kind)
            fields = {field.name: field for field in dataclasses.fields(kind)}
            wanted = {f"{group}.{name}" for name in fields if name != discriminator}
            told = {name: keys(text) for name, text in parts.items()}
            if names:
                told = {name: told[f"{group}={name}"] for name in names}
            assert wanted == set().union(*told.values()), kind
            for shown in told.values() if names else ():
                needed = {
                    f"{group}.{name}"
                    for name, field in fields.items()
                    if field.default is dataclasses.MISSING and name != discriminator
                }
                assert needed <= shown, kind


def test_a_page_holds_what_the_files_say(pages):
    page = sections(pages["configuration/augment.md"])["augment=none"]
    assert "The middle of each frame, as large as the network's input allows" in page
    assert "| `augment.train` | `fit` | fit: resized to just cover the input, then its" in page
    assert "at the stored scale \\| squash" in page  # the comment goes on in a second line
    recipe = (ROOT / "conf" / "experiment" / "ucf101_5.yaml").read_text().rstrip()
    assert recipe in pages["configuration/experiment.md"]


def test_comments_are_shown_as_they_are(pages):
    assert r"rate \* decay\_rate \*\* (step / decay\_steps)" in pages["configuration/schedule.md"]
    assert "`path label [label ...]`" in pages["configuration/dataset.md"]


def test_every_group_has_a_page_and_every_verb_a_section(pages, generated):
    groups = {path.name for path in (ROOT / "conf").iterdir() if path.is_dir()} - {"hydra"}
    assert set(generated.groups()) == groups
    for group in groups:
        shown = sections(pages[f"configuration/{group}.md"])
        assert set(shown) == {f"{group}={member}" for member in help.members(group)}
    assert list(sections(pages["configuration/verbs.md"])) == list(help.VERBS)


def test_every_module_is_shown_once(pages):
    shown = re.findall(r"^::: (\S+)", "".join(pages.values()), re.MULTILINE)
    files = [path.relative_to(ROOT).with_suffix("") for path in PACKAGE.rglob("*.py")]
    names = {".".join(path.parts) for path in files if not path.name.startswith("_")}
    assert len(shown) == len(set(shown))
    assert names <= set(shown)
    for name in set(shown) - names:
        assert (ROOT.joinpath(*name.split(".")) / "__init__.py").is_file()
    assert all(f": {name}\n" not in pages["api/index.md"] for name in shown)  # each with a sentence


def test_the_rooms_are_drawn_as_in_the_readme(pages, generated):
    drawn = re.search(r"```\n(errors <-.*?)```", pages["api/index.md"], re.DOTALL)[1]
    rows = [[name.strip() for name in row.split(",")] for row in drawn.split("<-")]
    assert rows == generated.rooms()
    assert max(map(len, drawn.splitlines())) <= 100


def test_the_guide_is_what_the_readme_says(pages, generated):
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for name, titles in generated.OF_README.items():
        page = pages[f"guide/{name}.md"]
        assert page.startswith(f"# {titles[0]}\n")
        for title in titles:
            section = re.search(rf"^## {title}\n(.*?)(?=^## |\Z)", readme, re.M | re.S)[1]
            for code in re.findall(r"^```\n.*?^```$", section, re.M | re.S):
                assert code in page
    rows = [line for line in readme.splitlines() if line.endswith("` |") and "_test.py::" in line]
    faults = pages["guide/faults.md"]
    assert len(rows) > 50
    assert sum(line.rpartition("| `")[2] in faults for line in rows) == len(rows)
    assert "<" not in re.sub(r"```.*?```|`[^`]*`", "", faults, flags=re.S)  # nothing is folded


def test_a_section_that_is_gone_is_told(generated, monkeypatch):
    monkeypatch.setitem(generated.OF_README, "results", ("Figures",))
    with pytest.raises(ValueError, match="README.md has no section Figures"):
        generated.pages()
