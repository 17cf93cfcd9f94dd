"""The site: it builds without a warning, asks nothing of the network, and shows itself."""

import contextlib
import functools
import html.parser
import http.server
import json
import pathlib
import threading
import urllib.parse

import pytest

pytestmark = pytest.mark.extras

CHROMIUM = pathlib.Path("/usr/bin/chromium")
LOADED = {"script": "src", "img": "src", "iframe": "src", "source": "src", "link": "href"}


class Links(html.parser.HTMLParser):
    """Collects what a page loads, where it leads, and the places that it has."""

    def __init__(self, page):
        super().__init__()
        self.loaded, self.led, self.ids = [], [], set()
        self.feed(page.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        self.ids |= {given[key] for key in ("id", "name") if given.get(key)}
        if tag in LOADED and given.get(LOADED[tag]):
            self.loaded.append(given[LOADED[tag]])
        if tag == "a" and given.get("href"):
            self.led.append(given["href"])


@pytest.fixture(scope="module")
def pages(site):
    return {page: Links(page) for page in sorted(site.rglob("*.html"))}


def test_the_pages_are_there(site):
    for name in ("index", "scale", "configuration/index", "configuration/verbs", "api/models"):
        assert (site / f"{name}.html").is_file()


def test_it_can_be_searched(site):
    index = json.loads((site / "search" / "search_index.json").read_text(encoding="utf-8"))
    places = {entry["location"] for entry in index["docs"]}
    assert {"index.html", "configuration/backbone.html#backbonemobilenet"} <= places
    assert "api/models.html#lrcn.models.backbones.build" in places


def test_nothing_is_loaded_from_elsewhere(pages, site):
    for page, links in pages.items():
        for link in links.loaded:
            assert not urllib.parse.urlsplit(link).netloc, f"{page}: {link}"
    for sheet in site.rglob("*.css"):
        text = sheet.read_text(encoding="utf-8")
        assert "@import" not in text
        assert "url(http" not in text and "url(//" not in text


def test_every_link_within_leads_somewhere(pages, site):
    for page, links in pages.items():
        if page.name == "404.html":
            continue  # its links are those of the root of a server
        for link in links.led + links.loaded:
            told = urllib.parse.urlsplit(link)
            if told.scheme or told.netloc:
                continue
            target = (page.parent / urllib.parse.unquote(told.path)).resolve()
            target = target / "index.html" if target.is_dir() and target != page.parent else target
            target = page if not told.path else target
            assert target.is_file(), f"{page.relative_to(site)}: {link}"
            if told.fragment and target in pages:
                fragment = urllib.parse.unquote(told.fragment)
                assert fragment in pages[target].ids, f"{page.relative_to(site)}: {link}"


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@pytest.fixture
def served(site):
    handler = functools.partial(_Quiet, directory=str(site))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture
def browser():
    """A page of a browser, and the addresses that it asked for."""
    playwright = pytest.importorskip("playwright.sync_api", reason="needs the extra browser")
    if not CHROMIUM.exists():
        pytest.skip("needs Chromium")
    arguments = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    with playwright.sync_playwright() as driver:
        started = driver.chromium.launch(executable_path=str(CHROMIUM), args=arguments)
        with contextlib.closing(started):
            page, asked = started.new_page(), []
            page.on("request", lambda request: asked.append(request.url))
            yield page, asked


def test_a_browser_shows_it_and_finds_words(served, browser):
    page, asked = browser
    page.goto(f"{served}/index.html")
    assert page.locator("h1").is_visible()
    assert page.locator("nav.md-tabs, nav.md-nav--primary").first.is_visible()
    page.locator("input.md-search__input").fill("clip_offset_or_num")
    page.wait_for_selector(".md-search-result__item")
    assert "clipframe_mode" in page.locator(".md-search-result__list").inner_text()
    page.set_viewport_size({"width": 390, "height": 800})
    wide = page.evaluate("document.documentElement.scrollWidth")
    assert wide <= 390  # nothing is to be pushed sideways
    assert all(url.startswith((served, "data:", "blob:")) for url in asked), asked
