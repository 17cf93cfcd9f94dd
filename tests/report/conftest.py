import html.parser
import json
import pathlib

import pytest

from lrcn import cli, runs

TINY = [
    *("dataset.train=8", "dataset.val=8", "dataset.test=16", "dataset.size=24", "epochs=1"),
    *("dataset.num_frames=6", "clipframe_mode.num_frames_per_clip=4", "callbacks=minimal"),
    *("backbone.image_size=[16,16]", "workflow.units=4", "batch_size=4", "evaluate=[test]"),
]
_VOID = {"meta", "img", "source", "br", "hr", "input", "link"}


class Page(html.parser.HTMLParser):
    """A page as a browser would take it apart: elements, their attributes, and the text."""

    def __init__(self, text):
        super().__init__()
        self.source = text
        self.elements, self.open, self.texts = [], [], []
        self.feed(text)
        self.close()
        assert not self.open, f"not closed: {self.open}"

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        if tag not in _VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.open and self.open[-1] == tag, f"</{tag}> within {self.open}"
        self.open.pop()

    def handle_data(self, data):
        self.texts.append(data)

    def all(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]

    @property
    def ids(self):
        return {attributes["id"] for _, attributes in self.elements if "id" in attributes}

    @property
    def text(self):
        return " ".join(" ".join(self.texts).split())

    @property
    def urls(self):
        """What a browser may load or go to."""
        named = ("src", "href", "srcset", "xlink:href", "action", "poster", "data")
        return [a[key] for _, a in self.elements for key in named if key in a]


def require_self_contained(page):
    """Asserts that nothing of a page comes from anywhere else."""
    outside = [u for u in page.urls if not u.startswith(("data:image/webp;base64,", "#", "./"))]
    assert not outside
    assert not page.all("link") and not page.all("iframe")
    style = page.source.partition("<style>")[2].partition("</style>")[0]
    assert "@import" not in style and "url(" not in style
    assert not [k for _, attributes in page.elements for k in attributes if k.startswith("on")]
    assert len(page.all("script")) == 1


@pytest.fixture
def parse():
    return Page


@pytest.fixture
def self_contained():
    return require_self_contained


@pytest.fixture(scope="session")
def shapes(tmp_path_factory):
    """A tiny run on moving shapes, evaluated on test; nobody may change it."""
    folder = tmp_path_factory.mktemp("report") / "shapes"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LRCN_CACHE", str(folder.parent / "cache"))
        assert cli.main(["train", *TINY, f"hydra.run.dir={folder}"]) == 0
    return runs.RunDirectory(folder)


@pytest.fixture
def report(capsys, tmp_path):
    """Calls `lrcn report` and returns its exit code, the page if there is one, and stderr."""

    def report(run, *arguments):
        target = tmp_path / "page.html"
        code = cli.main(["report", f"run='{run}'", f"output='{target}'", *arguments])
        err = capsys.readouterr().err
        return code, Page(target.read_text("utf-8")) if target.exists() else None, err

    return report


@pytest.fixture
def write_captioner(tmp_path, train_settings):
    """Writes the folder of a finished run that describes, with what it was evaluated to."""

    def write(lines, *, retrieval=(), protocol=None):
        run = runs.RunDirectory(tmp_path / "captioner")
        run.write_config({**train_settings("workflow=imgdesc_step"), "overrides": []})
        folder = run.evaluation("test")
        folder.mkdir(parents=True)
        _write_lines(folder / "predictions.jsonl", lines)
        (folder / "coco_results.json").write_text("[]")
        (folder / "metrics.json").write_text(json.dumps({"bleu_1": 0.5, "items": len(lines)}))
        if protocol is not None:
            (folder / "protocol.json").write_text(json.dumps(protocol))
        if retrieval:
            (folder / "retrieval").mkdir()
            _write_lines(folder / "retrieval" / "retrieval.jsonl", retrieval)
            (folder / "retrieval" / "metrics.json").write_text('{"image_to_caption_r1": 0.25}')
        run.mark_done()
        return run

    return write


def _write_lines(file: pathlib.Path, lines):
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
