"""The page as somebody without Python meets it: opened, a file dropped, the answer read."""

import base64
import contextlib
import fractions
import http.client
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
from urllib import parse

import pytest

from . import conftest
from .looking_test import write

sync_api = pytest.importorskip("playwright.sync_api", reason="the extra browser is not installed")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")

pytestmark = [
    pytest.mark.extras,
    pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium (Debian: chromium)"),
]

TINY = (
    *("backbone.image_size=[16,16]", "workflow.units=4", "batch_size=4", "callbacks=minimal"),
    *("dataset.train=16", "dataset.val=8", "dataset.test=0", "dataset.size=24", "epochs=1"),
    "clipframe_mode.num_frames_per_clip=4",
)
TINY_WORDS = (
    *("workflow=imgdesc_step", "backbone.image_size=[16,16]", "backbone.trainable=false"),
    *("workflow.units=6", "workflow.embedding=5", "vocabulary.min_count=1", "callbacks=minimal"),
    *("dataset.train=12", "dataset.val=4", "dataset.test=0", "dataset.size=24", "epochs=1"),
)
FLAGS = (
    *("--no-sandbox", "--disable-gpu", "--disable-background-networking"),
    *("--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream"),
)
# Writes down every machine that the page's process turns to.
LISTENER = """
import os
import sys

def heard(event, arguments):
    if event not in ("socket.connect", "socket.getaddrinfo"):
        return
    place = arguments[1] if event == "socket.connect" else arguments[0]
    host = place[0] if isinstance(place, tuple) else place
    if host not in ("127.0.0.1", "::1", "localhost", "0.0.0.0", None):
        with open(os.environ["ASKED"], "a") as file:
            file.write(f"{event} {place}\\n")

sys.addaudithook(heard)
"""
ANSWER = "#lrcn-said .lrcn-answer:is([data-state=done], [data-state=refused])"
INPUT = "#lrcn-file input[type=file]"
QUESTION = "/gradio_api/queue/join"
SECONDS = 60


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("page")


def command(place, *arguments):
    """Runs a command to its end and returns its results."""
    own = {**os.environ, "LRCN_CACHE": str(place / "cache")}
    done = subprocess.run(
        [sys.executable, "-m", "lrcn", *map(str, arguments)],
        cwd=place,
        env=own,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def runs(place):
    command(place, "train", *TINY, "hydra.run.dir=classes")
    command(place, "train", *TINY_WORDS, "hydra.run.dir=words")
    command(place, "train", *TINY, "modality=flow", "hydra.run.dir=flow")
    return {name: place / name for name in ("classes", "words", "flow")}


@contextlib.contextmanager
def served(place, *arguments):
    """Starts the page and yields its process, its address and the folder of its files."""
    temporary = place / f"tmp{len(list(place.glob('tmp*')))}"
    temporary.mkdir()
    asked = temporary.with_suffix(".asked")
    asked.touch()
    hook = place / "hook"
    hook.mkdir(exist_ok=True)
    (hook / "sitecustomize.py").write_text(LISTENER)
    paths = os.pathsep.join(filter(None, [str(hook), os.environ.get("PYTHONPATH")]))
    own = {**os.environ, "TMPDIR": str(temporary), "PYTHONPATH": paths, "ASKED": str(asked)}
    given = [sys.executable, "-m", "lrcn", "demo", "port=0", *map(str, arguments)]
    with (
        (temporary.with_suffix(".log")).open("w+") as log,
        subprocess.Popen(given, cwd=place, env=own, stdout=log, stderr=log) as process,
    ):
        try:
            yield process, address(process, temporary.with_suffix(".log")), temporary
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
                process.wait(SECONDS)
    assert not asked.read_text()  # no other machine was asked for anything


def address(process, log):
    """Waits for the page to be there."""
    while process.poll() is None:
        if found := re.search(r"page: (\S+)", log.read_text()):
            return found[1]
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(0.2)
    pytest.fail(log.read_text())


@pytest.fixture(scope="module")
def page_of_all(place, runs):
    given = f"run=[{runs['classes']},{runs['words']},{runs['flow']}]"
    with served(place, given, "upload_mb=1", "top_k=3") as (_, url, temporary):
        yield url, temporary


@pytest.fixture(scope="module")
def chromium():
    with sync_api.sync_playwright() as playwright:
        yield playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))


@contextlib.contextmanager
def opened(chromium, url, **options):
    """Opens the page, and asserts that nothing was asked of any other machine."""
    context = chromium.new_context(permissions=["camera"], reduced_motion="reduce", **options)
    context.set_default_timeout(SECONDS * 1000)
    page, asked, faults = context.new_page(), [], []
    page.on("request", lambda request: asked.append(request.url))
    page.on("pageerror", lambda error: faults.append(str(error)))
    try:
        page.goto(url)
        page.wait_for_selector(INPUT, state="attached")
        yield page
    finally:
        context.close()
    own = parse.urlsplit(url).netloc
    foreign = [
        a for a in asked if parse.urlsplit(a).netloc != own and a[:5] not in ("data:", "blob:")
    ]
    assert asked and not foreign
    assert not faults


def answer_to(page, path):
    """Drops a file and returns the cards of the answer, or the refusal."""
    page.set_input_files(INPUT, str(path))
    page.wait_for_selector(ANSWER)
    return page.locator(ANSWER)


DROP = """([name, content]) => {
  const bytes = Uint8Array.from(atob(content), (c) => c.charCodeAt(0));
  const data = new DataTransfer();
  data.items.add(new File([bytes], name));
  return data;
}"""


def drop(page, name, content):
    """Drops a file as a mouse does."""
    text = base64.b64encode(content).decode()
    data = page.evaluate_handle(DROP, [name, text])
    for event in ("dragenter", "dragover", "drop"):
        page.locator("#lrcn-file button").first.dispatch_event(event, {"dataTransfer": data})


def of_predict(place, run, path):
    return json.loads(command(place, "predict", f"run={run}", f"input={path}", "top_k=3"))


def read(card):
    """Returns label and percents that a card shows."""
    bars = card.locator(".lrcn-bars li")
    return [
        (bar.locator("> span").nth(0).inner_text(), bar.locator("> span").nth(1).inner_text())
        for bar in bars.all()
    ]


def caption_of(card):
    return card.locator(".lrcn-caption").get_attribute("aria-label")


def test_somebody_drops_a_video_and_reads_what_predict_prints(place, runs, page_of_all, chromium):
    url, temporary = page_of_all
    with opened(chromium, url) as page:
        cards = answer_to(page, conftest.VIDEO).locator(".lrcn-card")
        assert cards.locator("h2").all_inner_texts() == ["classes", "words", "flow"]
        for card, name in ((cards.nth(0), "classes"), (cards.nth(2), "flow")):
            line = of_predict(place, runs[name], conftest.VIDEO)
            assert card.locator(".lrcn-label b").inner_text() == line["label"]
            shown = [(e["label"], f"{100 * e['probability']:.1f} %") for e in line["top"]]
            assert read(card) == shown
            assert card.locator("svg polyline").count() == 3
            assert card.locator(".lrcn-strip img").count() == 12
        line = of_predict(place, runs["words"], conftest.VIDEO)
        assert caption_of(cards.nth(1)) == line["caption"]
        assert page.get_by_text("Drop File Here").is_visible()  # the next one may come
    left = [path for path in temporary.rglob("*") if path.is_file()]
    assert not left


def test_the_same_file_is_answered_as_often_as_it_is_dropped(page_of_all, chromium, tmp_path):
    url, temporary = page_of_all
    with opened(chromium, url) as page, opened(chromium, url) as other:
        for own in (page, other):  # both come before the first one is answered
            own.set_input_files(INPUT, str(conftest.VIDEO))
        for own in (page, other):
            own.wait_for_selector(ANSWER)
            assert own.locator(f"{ANSWER} .lrcn-card").count() == 3
        (tmp_path / "between.txt").touch()
        page.set_input_files(INPUT, str(tmp_path / "between.txt"))
        page.locator(f"{ANSWER}.lrcn-refused, {ANSWER} .lrcn-refused").first.wait_for()
        page.set_input_files(INPUT, str(conftest.VIDEO))
        page.locator(f"{ANSWER} .lrcn-card").nth(2).wait_for()
    assert not [path for path in temporary.rglob("*") if path.is_file()]


def test_an_image_is_described_and_a_run_of_motion_says_that_it_has_none(
    place, runs, page_of_all, chromium
):
    with opened(chromium, page_of_all[0]) as page:
        cards = answer_to(page, conftest.IMAGE).locator(".lrcn-card")
        line = of_predict(place, runs["words"], conftest.IMAGE)
        assert caption_of(cards.nth(1)) == line["caption"]
        words = cards.nth(1).locator(".lrcn-caption small")
        assert words.count() == len(line["caption"].split()) + 1
        line = of_predict(place, runs["classes"], conftest.IMAGE)
        assert cards.nth(0).locator(".lrcn-label b").inner_text() == line["label"]
        assert "motion" in cards.nth(2).locator("[role=alert]").inner_text()


def test_bad_files_are_told_one_after_another_on_the_same_page(page_of_all, chromium, tmp_path):
    long = write(tmp_path / "long.mp4", 40, fractions.Fraction(1, 900))
    for name, content in (("notes.txt", b"hello"), ("text.mp4", b"hello"), ("empty.mp4", b"")):
        (tmp_path / name).write_bytes(content)
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(conftest.VIDEO.read_bytes()[:1500])
    says = {
        "notes.txt": "neither an image nor a video",
        "text.mp4": "cannot be opened or decoded",
        "empty.mp4": "the file is empty",
        long.name: "10:00:00 hours",
        cut.name: "cannot be opened or decoded",
    }
    with opened(chromium, page_of_all[0]) as page:
        for name, words in says.items():
            page.set_input_files(INPUT, str(tmp_path / name))
            refusal = page.locator(f"{ANSWER} .lrcn-refused", has_text=name)
            refusal.wait_for()
            text = refusal.inner_text()
            assert words in text and "Received" in text and "Expected" in text
            assert "Traceback" not in page.content() and "/tmp" not in text
        page.set_input_files(INPUT, str(conftest.VIDEO))
        page.locator(f"{ANSWER} .lrcn-card").first.wait_for()


def test_a_file_that_is_too_large_is_told_before_any_of_it_is_sent(page_of_all, chromium, tmp_path):
    large = tmp_path / "large.mp4"
    with large.open("wb") as file:
        file.truncate(2 * 10**6)
    sent = []
    with opened(chromium, page_of_all[0]) as page:
        page.on("request", lambda request: sent.append(request.method))
        page.set_input_files(INPUT, str(large))
        text = page.locator("#lrcn-large").inner_text()
        assert "large.mp4: the file is too large for this page." in text
        assert "2.0 MB" in text and "at most 1 MB" in text and "upload_mb" in text
        assert "POST" not in sent
        page.set_input_files(INPUT, str(conftest.VIDEO))
        page.wait_for_selector(ANSWER)
        assert not page.locator("#lrcn-large").is_visible()


def test_a_file_is_dropped_with_a_mouse(page_of_all, chromium):
    with opened(chromium, page_of_all[0]) as page:
        drop(page, "large.mp4", bytes(1_500_000))
        page.locator("#lrcn-large").wait_for()
        assert "1.5 MB" in page.locator("#lrcn-large").inner_text()
        drop(page, "mine.mp4", conftest.VIDEO.read_bytes())
        page.wait_for_selector(ANSWER)
        assert "mine.mp4" in page.locator(ANSWER).inner_text()
        assert not page.locator("#lrcn-large").is_visible()


def test_the_camera_takes_a_photo_and_a_video(page_of_all, chromium):
    url, temporary = page_of_all
    with opened(chromium, url) as page:
        page.get_by_role("tab", name="Photo").click()
        page.locator("#lrcn-photo").get_by_text("Click to Access Webcam").click()
        page.locator("#lrcn-photo [aria-label='capture photo']").click()
        page.wait_for_selector(ANSWER)
        assert "640 × 480" in page.locator(ANSWER).inner_text()
    with opened(chromium, url) as page:
        page.get_by_role("tab", name="Record").click()
        page.locator("#lrcn-video").get_by_text("Click to Access Webcam").click()
        page.locator("#lrcn-video").get_by_text("Record", exact=True).click()
        page.wait_for_timeout(1500)
        page.locator("#lrcn-video").get_by_text("Stop", exact=True).click()
        cards = page.locator(f"{ANSWER} .lrcn-card")
        cards.first.wait_for()
        assert read(cards.first)
    assert not [path for path in temporary.rglob("*") if path.is_file()]


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_fits_its_window(page_of_all, chromium, width, scheme):
    size = {"width": width, "height": 900}
    with opened(chromium, page_of_all[0], viewport=size, color_scheme=scheme) as page:
        answer_to(page, conftest.VIDEO)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        colour = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert (sum(map(int, re.findall(r"\d+", colour)[:3])) > 382) == (scheme == "light")


def raw(url, method, path, body=None, **headers):
    """Returns the status of a request that no page would make."""
    connection = http.client.HTTPConnection(parse.urlsplit(url).netloc, timeout=SECONDS)
    with contextlib.closing(connection):
        connection.request(method, path, body, headers)
        return connection.getresponse().status


def test_crafted_requests_read_no_file_of_the_machine(page_of_all, place):
    url, temporary = page_of_all
    secret = place / "secret.mp4"
    secret.write_bytes(conftest.VIDEO.read_bytes())
    for path in (f"/gradio_api/file={secret}", "/gradio_api/file=/etc/passwd", "/gradio_api/info"):
        assert raw(url, "GET", path) == 404
    assert raw(url, "GET", "/", Host="evil.example") == 421
    assert raw(url, "POST", QUESTION, b"{}", Origin="http://evil.example") == 403
    config = json.loads(_body(url, "/config"))
    told = {"Content-Type": "application/json"}
    for function in range(len(config["dependencies"])):
        # As the page asks, but about a file that was never dropped.
        for path in (str(secret), "http://127.0.0.1/a.mp4", "https://example.org/a.mp4"):
            given = {"path": path, "meta": {"_type": "gradio.FileData"}}
            question = {"data": [given], "fn_index": function, "session_hash": "x"}
            assert raw(url, "POST", QUESTION, json.dumps(question), **told) == 403
    assert secret.exists()


def _body(url, path):
    connection = http.client.HTTPConnection(parse.urlsplit(url).netloc, timeout=SECONDS)
    with contextlib.closing(connection):
        connection.request("GET", path)
        return connection.getresponse().read().decode()


def test_two_gigabytes_take_no_memory_and_no_disk(page_of_all):
    url, temporary = page_of_all
    given = parse.urlsplit(url)
    connection = http.client.HTTPConnection(given.netloc, timeout=SECONDS)
    with contextlib.closing(connection):
        connection.putrequest("POST", "/gradio_api/upload")
        connection.putheader("Content-Type", "multipart/form-data; boundary=x")
        connection.putheader("Content-Length", str(2 * 10**9))
        connection.endheaders()
        assert connection.getresponse().status == 413
    assert not [path for path in temporary.rglob("*") if path.is_file()]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_ends_the_page_and_leaves_nothing(place, runs, number, code, tmp_path):
    with served(place, f"run={runs['classes']}") as (process, url, temporary):
        folders = list(temporary.iterdir())
        assert [oct(folder.stat().st_mode)[-3:] for folder in folders] == ["700"]
        about = b"Content-Disposition: form-data; name=files; filename=a.mp4"
        body = b"\r\n".join([b"--x", about, b"", b"abc", b"--x--", b""])
        told = {"Content-Type": "multipart/form-data; boundary=x"}
        assert raw(url, "POST", "/gradio_api/upload", body, **told) == 200
        assert [path for path in temporary.rglob("*") if path.name == "a.mp4"]
        process.send_signal(number)
        assert process.wait(SECONDS) == code
    assert not list(temporary.iterdir())
    log = temporary.with_suffix(".log").read_text()
    assert "Traceback" not in log and "error" not in log


def test_who_may_come_from_elsewhere_is_told_and_a_run_that_failed_too(place, runs):
    failed = place / "failed"
    shutil.copytree(runs["classes"], failed)
    (failed / "DONE").unlink()
    (failed / "FAILED").write_text("the loss is not finite\n")
    with served(place, f"run={failed}", "host=0.0.0.0") as (_, url, temporary):
        log = temporary.with_suffix(".log").read_text()
        assert "The run failed: the loss is not finite" in log
        assert "over the network may open this page" in log
        assert "The run failed: the loss is not finite" in _body(url, "/config")


def test_the_page_needs_no_folder_of_its_own(place):
    assert not [
        path for path in pathlib.Path(place).iterdir() if path.name in ("outputs", ".gradio")
    ]
