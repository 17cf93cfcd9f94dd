"""Every harness of the fuzzers on its seeds, so that none of them rots; atheris is not needed."""

import importlib.util
import pathlib
import sys

import pytest

FUZZ = pathlib.Path(__file__).resolve().parent / "fuzz"


def load(name):
    spec = importlib.util.spec_from_file_location(f"fuzz_{name}", FUZZ / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


targets = load("targets")


@pytest.mark.parametrize("name", targets.TARGETS)
def test_seeds_raise_nothing_but_user_errors(tmp_path, name):
    seeds = sorted((FUZZ / "corpus" / name).iterdir())
    assert seeds
    run = targets.TARGETS[name].make(tmp_path)
    for seed in seeds:
        content = seed.read_bytes()
        if not seed.name.startswith("failed"):
            assert 0 < len(content) <= targets.TARGETS[name].longest
        run(content)


def test_every_corpus_belongs_to_a_target():
    assert {folder.name for folder in (FUZZ / "corpus").iterdir()} == set(targets.TARGETS)


def test_a_harness_lets_nothing_else_pass(tmp_path, monkeypatch):
    from lrcn.data import text

    run = targets.TARGETS["vocabulary"].make(tmp_path)
    monkeypatch.setattr(text, "read_vocabulary", lambda *_, **__: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        run(b"{}")


def test_the_text_seeds_are_those_of_the_script():
    for target, seeds in load("seeds").texts().items():
        for name, content in seeds.items():
            assert (FUZZ / "corpus" / target / name).read_bytes() == content
