"""The pages that are made of other files: of `conf/`, of the package, and of the README."""

from __future__ import annotations

import pathlib
import re
from collections.abc import Iterator, Sequence

from lrcn import help as help_lib

ROOT = pathlib.Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "lrcn"
WHOLE = ("experiment", "sweep", "debug")
"""Groups whose members are recipes: their files are shown as they are."""
OF_README = {
    "groups": ("Groups",),
    "looking": ("Look at a run", "Try it in a browser", "Take it elsewhere"),
    "captions": ("Describe images and videos",),
    "streams": ("Two streams: colours and motion",),
    "weights": ("Weights from elsewhere",),
    "runs": ("A run", "Sweeps on many cores or machines"),
    "machines": ("More than one machine: serialization", "Several GPUs, several machines"),
    "results": ("Results", "Recipes of the paper"),
    "faults": ("What happens when things go wrong",),
}
"""Pages of the guide and the sections of the README that they are."""
OF_FILES = {"security": "SECURITY.md", "changes": "CHANGELOG.md"}
"""Pages of the guide that are whole files."""
_WIDTH = 78  # characters of a line of code that a page shows whole
_DRAWING = re.compile(r"```\n(errors <-.*?)```", re.DOTALL)


def pages() -> dict[str, str]:
    """Returns the Markdown of every page that is generated, by its path in the site."""
    made = {"configuration/index.md": _configuration(), "configuration/verbs.md": _verbs()}
    made |= {f"configuration/{group}.md": _group(group) for group in groups()}
    made |= {f"guide/{name}.md": _sections(titles) for name, titles in OF_README.items()}
    made |= {f"guide/{name}.md": _relinked(_read(file)) for name, file in OF_FILES.items()}
    made |= {"api/index.md": _rooms()}
    made |= {f"api/{room}.md": _room(room) for room in pages_of_api()}
    return made


def _read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def _sections(titles: Sequence[str]) -> str:
    """Returns a page of sections of the README, which is the one place where they are written."""
    parts = dict(re.findall(r"^## ([^\n]+)\n(.*?)(?=^## |\Z)", _read("README.md"), re.M | re.S))
    if missing := [title for title in titles if title not in parts]:
        raise ValueError(f"README.md has no section {', '.join(missing)}")
    first, *others = titles
    text = f"# {first}\n{parts[first]}"
    return _relinked(text + "".join(f"## {title}\n{parts[title]}" for title in others))


def _relinked(text: str) -> str:
    """Returns text of the repository's top level with links as the site has them."""
    for name, file in OF_FILES.items():
        text = text.replace(f"]({file}", f"]({name}.md")
    text = text.replace("](README.md#what-happens-when-things-go-wrong)", "](faults.md)")
    text = text.replace("](docs/pages/", "](../")
    text = text.replace(
        "](#several-gpus-several-machines)", "](machines.md#several-gpus-several-machines)"
    )
    # GitHub wants a bar in the code of a table escaped, and here it is not.
    text = re.sub(r"`[^`\n]*`", lambda code: code[0].replace("\\|", "|"), text)
    # What is folded there is a section here, which search and the table of contents find.
    text = re.sub(r"<details>\n<summary>(.*?)</summary>", r"## \1", text)
    return re.sub(r"</details>\n|<!--.*?-->\n", "", text)


def navigation() -> dict[str, list[str | dict[str, str]]]:
    """Returns the pages of each generated section of the site in their order."""
    configuration = [{group: f"configuration/{group}.md"} for group in groups()]
    own = ["configuration/index.md", {"Verbs": "configuration/verbs.md"}, *configuration]
    rooms = [{room: f"api/{room}.md"} for room in pages_of_api()]
    guide: list[str | dict[str, str]] = [f"guide/{name}.md" for name in (*OF_README, *OF_FILES)]
    return {"Guide": guide, "Configuration": own, "API": ["api/index.md", *rooms]}


def groups() -> list[str]:
    """Returns the groups of `conf/` in the order in which verbs name them, the training first."""
    used = (group for verb in ("train", *help_lib.VERBS) for group in help_lib.members_in_use(verb))
    known = list(dict.fromkeys(used))
    there = {path.name for path in help_lib.conf_folder().iterdir() if path.is_dir()} - {"hydra"}
    if left := there - set(known):
        raise ValueError(f"groups that no verb has: {', '.join(sorted(left))}")
    return known


def _configuration() -> str:
    rows = []
    for group in groups():
        verbs = [verb for verb in help_lib.VERBS if group in help_lib.members_in_use(verb)]
        members = ", ".join(f"`{member}`" for member in help_lib.members(group))
        rows.append((f"[`{group}`]({group}.md)", members, ", ".join(verbs)))
    return "\n".join(
        (
            "# Configuration",
            "",
            "Every value of a command has a key. `lrcn VERB group=member` chooses a member of a",
            "group, `lrcn VERB group.key=value` sets a key of it, `lrcn VERB key=value` one of the",
            "verb's own; an unknown key is an error. `lrcn VERB --help` tells the same in the",
            "terminal, and `lrcn VERB --cfg job` prints what a command line comes to. Quote what",
            "the shell or Hydra would read otherwise: `'dataset.classes=[a,b]'`.",
            "",
            "These pages are made of the files in `conf/`; a file of your own in a folder that",
            "`--config-dir` names is a member, too.",
            "",
            *_table(("group", "members", "verbs"), rows),
        )
    )


def _verbs() -> str:
    lines = ["# Verbs", "", "What each verb does, its own keys, and the groups that it takes.", ""]
    for verb, does in help_lib.VERBS.items():
        chosen = help_lib.members_in_use(verb)
        lines += [f"## {verb}", "", f"{does[0].upper()}{does[1:]}.", ""]
        lines += ["```", *help_lib.EXAMPLES[verb], "```", ""]
        lines += [*_keys(help_lib.conf_folder() / f"{verb}.yaml"), ""]
        if chosen:
            links = (f"[`{group}={member}`]({group}.md)" for group, member in chosen.items())
            lines += [f"Groups, and the member that is taken by default: {', '.join(links)}.", ""]
    return "\n".join(lines)


def _group(group: str) -> str:
    lines = [f"# {group}", ""]
    for verb in help_lib.VERBS:
        member = help_lib.members_in_use(verb).get(group)
        if member:
            lines.append(f"* [`lrcn {verb}`](verbs.md#{verb}): `{group}={member}` by default")
    for member in help_lib.members(group):
        file = help_lib.conf_folder() / group / f"{member}.yaml"
        lines += ["", f"## {group}={member}", ""]
        if group in WHOLE:
            lines += ["```yaml", file.read_text(encoding="utf-8").rstrip(), "```"]
            continue
        lines += [_escaped(help_lib.summary_of(file)), "", *_keys(file, group)]
    return "\n".join(lines) + "\n"


def _keys(file: pathlib.Path, group: str = "") -> list[str]:
    found = help_lib.keys_to_set(file) if group else help_lib.keys_of(file)
    if not found:
        return ["No keys of its own."]
    prefix = f"{group}." if group else ""
    rows = [(f"`{prefix}{key}`", f"`{value}`", _escaped(text)) for key, value, text in found]
    return _table(("key", "default", "meaning"), rows)


def rooms() -> list[list[str]]:
    """Returns the rooms of the package as the README draws them, row by row."""
    drawn = _DRAWING.search(_read("README.md"))
    if drawn is None:
        raise ValueError("README.md draws no rooms")
    return [[name.strip() for name in row.split(",")] for row in drawn[1].split("<-")]


def pages_of_api() -> list[str]:
    """Returns `package`, for rooms of one file, and the rooms that are folders, by the arrows."""
    return ["package", *(room for row in rooms() for room in row if (PACKAGE / room).is_dir())]


def modules(page: str) -> list[str]:
    """Returns the full names of the modules that a page of the API shows."""
    if page == "package":
        files = [PACKAGE / f"{room}.py" for row in rooms() for room in row]
        return ["lrcn", *(_name(file) for file in files if file.exists())]
    return [_name(file) for file in sorted((PACKAGE / page).rglob("*.py")) if _shown(file)]


def _shown(file: pathlib.Path) -> bool:
    return "def " in file.read_text(encoding="utf-8") or file.name != "__init__.py"


def _name(file: pathlib.Path) -> str:
    parts = file.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _rooms() -> str:
    drawing = "\n".join(_arrows())
    lines = [
        "# API",
        "",
        "The package has rooms, named by what they hold. Imports run one way: a room uses only",
        "what stands left of it, or above. A test reads every import.",
        "",
        "```",
        drawing,
        "```",
        "",
        "From outside, four things are enough:",
        "[`lrcn.load`](inference.md#lrcn.inference.trained.load) with the",
        "[`Trained`](inference.md#lrcn.inference.trained.Trained) that it returns; the builders of",
        "networks, [`lrcn.models`](models.md); the data, [`lrcn.data`](data.md); and the scores,",
        "[`lrcn.scoring`](scoring.md). What goes wrong by the fault of a user is a",
        "[`lrcn.errors.UserError`](package.md#lrcn.errors.UserError).",
        "",
    ]
    for page in pages_of_api():
        lines += [f"## [{page}]({page}.md)", ""]
        lines += [f"* [`{name}`]({page}.md#{name}): {_summary(name)}" for name in modules(page)]
        lines.append("")
    return "\n".join(lines)


def _arrows() -> Iterator[str]:
    row = ""
    for number, names in enumerate(rooms()):
        part = ("<- " if number else "") + ", ".join(names)
        if row and len(row) + len(part) > _WIDTH:
            yield row
            row = "      "
        row = f"{row} {part}" if row else part
    yield row


def _summary(name: str) -> str:
    path = ROOT.joinpath(*name.split("."))
    file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    found = re.match(r'"""(.*?)(?:"""|\n\n)', file.read_text(encoding="utf-8"), re.DOTALL)
    return " ".join(found[1].split()) if found else ""


def _room(page: str) -> str:
    lines = [f"# {page}", ""]
    for name in modules(page):
        lines += [f"::: {name}", "    options: {heading_level: 2}", ""]
    return "\n".join(lines)


def _escaped(text: str) -> str:
    """Returns plain text as Markdown that shows it as it is; what stands in backticks is code."""
    parts = text.split("`")
    parts[::2] = [re.sub(r"([\\*_|\[\]])", r"\\\1", part) for part in parts[::2]]
    parts[::2] = [part.replace("<", "&lt;") for part in parts[::2]]
    return "`".join(parts)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    parts = [head, ["---"] * len(head), *rows]
    return [f"| {' | '.join(part)} |" for part in parts]
