"""The pages in a real browser: no network, no message on the console, everything to be seen."""

import io
import re
import shutil

import numpy as np
import pytest
from PIL import Image

from lrcn import cli, runs
from lrcn.inference import sweeps
from lrcn.report import drawing

pytestmark = pytest.mark.extras

FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
SIZES = [(1400, "light"), (1400, "dark"), (390, "light"), (390, "dark")]
CAPTIONER = [
    *("workflow=imgdesc_step", "dataset.train=24", "dataset.val=8", "dataset.test=8"),
    *("dataset.size=32", "backbone.image_size=[16,16]", "workflow.units=8", "workflow.embedding=5"),
    *("vocabulary.min_count=1", "callbacks=minimal", "epochs=1", "evaluate=[test]"),
]


@pytest.fixture(scope="module")
def browser():
    api = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
    names = ("chromium", "chromium-browser", "google-chrome")
    found = next(filter(None, map(shutil.which, names)), None)
    if found is None:
        pytest.skip("there is no Chromium")
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def opened(browser):
    """Opens a file in a browser without network; asserts in the end that it asked for nothing."""
    contexts, asked, said = [], [], []

    def open_file(path, width=1400, scheme="light", **options):
        context = browser.new_context(
            viewport={"width": width, "height": 900}, color_scheme=scheme, offline=True, **options
        )
        contexts.append(context)
        page = context.new_page()
        page.on("request", lambda request: asked.append(request.url))
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.goto(path.as_uri())
        return page

    yield open_file
    for context in contexts:
        context.close()
    assert not said
    assert not [url for url in asked if not url.startswith(("file:", "data:image/webp"))]


@pytest.fixture(scope="module")
def page_of_run(shapes, tmp_path_factory):
    target = tmp_path_factory.mktemp("page") / "report.html"
    assert cli.main(["report", f"run={shapes.path}", f"output={target}", "items=2"]) == 0
    return target


@pytest.fixture(scope="module")
def page_of_captioner(tmp_path_factory):
    folder = tmp_path_factory.mktemp("captioner")
    run = runs.RunDirectory(folder / "run")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LRCN_CACHE", str(folder / "cache"))
        assert cli.main(["train", *CAPTIONER, f"hydra.run.dir={run.path}"]) == 0
        assert cli.main(["retrieve", f"run={run.path}", "split=test"]) == 0
        assert cli.main(["report", f"run={run.path}", "items=3"]) == 0
    return run.path / "report.html"


@pytest.fixture(scope="module")
def page_of_sweep(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sweep")
    sweeps.write_summary(
        folder,
        [
            sweeps.Job(folder / f"{n}", {"seed": str(n)}, "DONE", {"video_accuracy": score})
            for n, score in enumerate((0.25, 1.0, 0.5))
        ],
    )
    assert cli.main(["report", f"run={folder}"]) == 0
    return folder / "report.html"


def colours_of(element):
    """How many colours the picture of an element has."""
    element.scroll_into_view_if_needed()
    pixels = np.asarray(Image.open(io.BytesIO(element.screenshot())).convert("RGB"))
    return len(np.unique(pixels.reshape(-1, 3), axis=0))


def test_a_cell_is_the_darker_the_larger_its_share(opened, page_of_run):
    page = opened(page_of_run)
    cells = page.evaluate("""[...document.querySelectorAll('.confusion tbody td')].map((own) => [
      Number(own.style.getPropertyValue('--share')), getComputedStyle(own).backgroundColor])""")
    shades = {}
    for share, colour in cells:
        parts = [float(part) for part in re.findall(r"[\d.]+", colour)[:3]]
        shades.setdefault(share, set()).add(sum(parts))
    assert len(cells) == 8 * 8 and min(shades) == 0 < max(shades)
    assert all(len(own) == 1 for own in shades.values())
    ordered = [own.pop() for _, own in sorted(shades.items())]
    assert ordered == sorted(set(ordered), reverse=True)


def test_a_line_of_probabilities_is_drawn_at_what_its_dots_tell(opened, page_of_run):
    page = opened(page_of_run)
    drawn = page.evaluate("""[...document.querySelectorAll('.overtime svg')].map((own) => [
      [...own.querySelectorAll('polyline')].map((line) => line.getAttribute('points')),
      [...own.querySelectorAll('circle title')].map((title) => title.textContent),
      own.viewBox.baseVal.height])""")
    assert drawn
    for lines, titles, height in drawn:
        places = [tuple(map(float, at.split(","))) for line in lines for at in line.split()]
        told = [float(title.rpartition(": ")[2]) for title in titles]
        assert len(told) == len(places) > 0
        for (_, y), value in zip(places, told, strict=True):
            top, bottom = drawing.BOX.top, height - drawing.BOX.bottom
            assert y == pytest.approx(bottom - value * (bottom - top), abs=0.1)


def require_no_sideways(page):
    sizes = page.evaluate("[document.documentElement.scrollWidth, window.innerWidth]")
    assert sizes[0] <= sizes[1]


@pytest.mark.parametrize(("width", "scheme"), SIZES)
def test_a_run_is_seen_as_a_whole(opened, page_of_run, width, scheme):
    page = opened(page_of_run, width, scheme)
    require_no_sideways(page)
    for name in ("curves", "confusion", "classes", "items", "settings", "cost"):
        assert page.locator(f"#{name} h2").is_visible()
    for selector, least in (
        ("#curves figure svg", 20),
        ("table.confusion", 20),
        (".moving img", 30),
        (".overtime svg", 20),
        (".strip", 50),
    ):
        assert colours_of(page.locator(selector).first) > least, selector
    sizes = page.evaluate("[...document.images].map((i) => [i.complete, i.naturalWidth])")
    assert sizes and all(complete and across > 0 for complete, across in sizes)
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (min(map(int, ground[4:-1].split(","))) > 200) == (scheme == "light")


def test_the_strip_stands_below_its_times(opened, page_of_run):
    page = opened(page_of_run)
    axis = page.locator(".overtime svg .axis").first.bounding_box()
    strip = page.locator(".overtime .strip").first
    first = strip.locator("span").first.bounding_box()
    last = strip.locator("span").last.bounding_box()
    assert first["x"] == pytest.approx(axis["x"], abs=2)
    assert last["x"] + last["width"] == pytest.approx(axis["x"] + axis["width"], abs=2)


def column(page, table, number):
    return page.locator(f"{table} tbody tr td:nth-child({number})").all_text_contents()


def test_a_click_on_a_head_sorts_and_so_does_a_key(opened, page_of_run):
    page = opened(page_of_run)
    before = column(page, "#classes table", 1)
    head = page.locator("#classes thead th").nth(0)
    head.locator("button").click()
    assert column(page, "#classes table", 1) == sorted(before) != before
    assert head.get_attribute("aria-sort") == "ascending"
    page.keyboard.press("Enter")  # the button has the focus
    assert column(page, "#classes table", 1) == sorted(before, reverse=True)
    assert head.get_attribute("aria-sort") == "descending"
    page.locator("#classes thead button", has_text="recall").click()
    values = [float(text) for text in column(page, "#classes table", 3)]
    assert values == sorted(values)
    assert head.get_attribute("aria-sort") is None


def test_numbers_are_sorted_as_numbers(opened, page_of_sweep):
    page = opened(page_of_sweep)
    page.locator("#jobs thead button", has_text="video accuracy").click()
    assert column(page, "#jobs table", 3) == ["0.2500", "0.5000", "1.0000"]
    assert colours_of(page.locator(".bars svg")) > 10


@pytest.mark.parametrize("width", [1400, 390])
def test_a_sweep_and_captions_are_seen_at_both_widths(
    opened, page_of_sweep, page_of_captioner, width
):
    require_no_sideways(opened(page_of_sweep, width))
    page = opened(page_of_captioner, width)
    require_no_sideways(page)
    assert page.locator("#captions h4").count() == 6
    assert page.locator("#retrieval h4").count() == 3
    assert colours_of(page.locator(".frames img").first) > 30
    widths = page.evaluate("[...document.images].map((image) => image.naturalWidth)")
    assert len(widths) == 9 and min(widths) > 0


def test_without_javascript_the_tables_stand_as_they_are(opened, page_of_run):
    page = opened(page_of_run, java_script_enabled=False)
    assert page.locator("#classes thead th").count() == 5
    assert page.locator("#classes thead button").count() == 0
    assert page.locator("#classes tbody tr").count() == 8


def test_who_wants_no_motion_sees_a_still(opened, page_of_run):
    page = opened(page_of_run, reduced_motion="reduce")
    shown = page.locator(".moving img").first.evaluate("(own) => own.currentSrc")
    moving = page.locator(".moving img").first.get_attribute("src")
    assert shown.startswith("data:image/webp") and shown != moving
