import re
import subprocess
import sys
import time

import pytest

from lrcn import help, settings


def test_overview_names_every_verb():
    text = help.overview()
    assert set(help.VERBS) == set(settings.VERBS)
    for verb in help.VERBS:
        assert f"  {verb}" in text


@pytest.mark.parametrize("verb", sorted(help.VERBS))
def test_help_of_a_verb_lists_groups_keys_and_examples(verb):
    text = help.of_verb(verb)
    for group, member in help.members_in_use(verb).items():
        assert f"  {group:<16}{member}" in text
    assert "  traceback=false" in text
    assert "examples:" in text


def test_the_chosen_member_decides_the_keys():
    assert "workflow.units=256" in help.of_verb("train")
    text = help.of_verb("train", ["workflow=singleframe"])
    assert "workflow.units" not in text
    assert "workflow=singleframe:" in text


def test_known_keys_of_a_member():
    member, keys = help.known_keys("train", "backbone.alpha", ["backbone=vgg16"])
    assert member == " (backbone=vgg16)"
    assert "weights" in keys
    assert "alpha" not in keys


def test_every_key_of_the_settings_is_in_the_configuration():
    import dataclasses

    for verb, kind in settings.VERBS.items():
        groups = set(help.members_in_use(verb))
        shown = set(help.known_keys(verb, "x")[1])
        fields = {field.name for field in dataclasses.fields(kind)}
        assert fields == shown - {"experiment", "sweep", "debug"}, verb
        assert groups <= shown


@pytest.mark.parametrize("arguments", [["--help"], ["train", "--help"]])
def test_help_imports_nothing_heavy(arguments):
    program = (
        "import sys; from lrcn import cli; cli.main(sys.argv[1:]);"
        "sys.exit(any(m in sys.modules for m in ('tensorflow', 'keras', 'hydra', 'numpy')))"
    )
    begin = time.perf_counter()
    done = subprocess.run([sys.executable, "-c", program, *arguments], capture_output=True)
    assert done.returncode == 0, done.stdout
    assert b"usage: lrcn" in done.stdout
    assert time.perf_counter() - begin < 30  # a hang, not a measurement


def test_lists_are_told_to_hold_labels_or_captions():
    text = help.of_verb("check", ["dataset=lists"])
    assert "`path label [label ...]` or `path<TAB>caption` a line" in text
    text = help.of_verb("train", ["dataset=coco"])
    assert "'dataset.annotations={train: TRAIN.json, val: VAL.json}'" in text


def test_the_readme_names_every_member_of_a_group():
    text = (help.conf_folder().parent / "README.md").read_text(encoding="utf-8")
    section = text.partition("\n## Groups\n")[2].partition("\n## ")[0]
    rows = [line.split(" | ", 1) for line in section.splitlines() if line.startswith("| `")]
    told = {group: row[1] for row in rows for group in re.findall(r"`(\w+)`", row[0])}
    groups = {path.name for path in help.conf_folder().iterdir() if path.is_dir()} - {"hydra"}
    assert groups == set(told)
    for group in groups - {"callbacks", "experiment", "sweep", "debug", "limits", "vocabulary"}:
        missing = [own for own in help.members(group) if f"`{own}`" not in told[group]]
        assert set(missing) <= {"auto"}, group


def test_a_comment_may_go_on_below(tmp_path):
    file = tmp_path / "member.yaml"
    file.write_text(
        "# A member.\nname: x\na: 1  # one\n       # and more\nb: 2\n# alone\nc: 3 # c\n"
    )
    assert help.keys_to_set(file) == [("a", "1", "one and more"), ("b", "2", ""), ("c", "3", "c")]


def test_a_name_that_is_no_discriminator_is_a_key():
    assert "dataset.name=???" in help.of_verb("check", ["dataset=tfds"])
    assert "backbone.name" not in help.of_verb("train")
