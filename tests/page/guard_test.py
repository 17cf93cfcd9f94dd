import asyncio
import json

import pytest

from lrcn.page import guard

QUESTION = "/gradio_api/queue/join"


class Folder:
    """Stands for the folder of uploads."""

    def __init__(self, room=True):
        self.room, self.asked = room, []

    def has_room(self, coming):
        return self.room

    def holds(self, path):
        return path == "/folder/a.mp4"

    def ask(self, path):
        self.asked.append(path)

    def own(self, path):
        return f"{path}.own"


def ask(method, path, *, headers=(), body=(b"",), own_name="127.0.0.1", room=True):
    """Returns the status, and how many bytes of the request came to the application."""
    told, read = [], []

    async def app(scope, receive, send):
        more = True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            read.append(len(message["body"]))
            more = message["more_body"]
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"[]"})

    parts = iter(body)

    async def receive():
        part = next(parts)
        return {"type": "http.request", "body": part, "more_body": part is not body[-1]}

    async def send(message):
        told.append(message.get("status"))

    own = {"host": "127.0.0.1:7860", **dict(headers)}
    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "headers": [(name.encode(), value.encode()) for name, value in own.items()],
    }
    own = guard.Guard(app, 1000, own_name, Folder(room))
    asyncio.run(own(scope, receive, send))
    return (told or [None])[0], sum(read)


@pytest.mark.parametrize(
    "path",
    ["/", "/config", "/theme.css", "/assets/index-1.js", "/gradio_api/queue/data"],
)
def test_what_the_page_needs_passes(path):
    assert ask("GET", path)[0] == 200


@pytest.mark.parametrize(
    "path",
    [
        "/gradio_api/file=/etc/passwd",
        "/gradio_api/file/etc/passwd",
        "/file=/etc/passwd",
        "/gradio_api/proxy=http://example.org/",
        "/gradio_api/info",
        "/gradio_api/openapi.json",
        "/gradio_api/deep_link",
        "/gradio_api/vibe-code/",
        "/assets/../../etc/passwd",
        "/static/..",
        "/docs",
        "/monitoring",
    ],
)
def test_the_rest_of_gradio_is_not_there(path):
    assert ask("GET", path) == (404, 0)


def test_only_the_page_writes():
    assert ask("POST", QUESTION, body=[b"{}"])[0] == 200
    for path in ("/gradio_api/vibe-edit", "/gradio_api/run/answer", "/login", "/"):
        assert ask("POST", path)[0] == 404
    assert ask("DELETE", "/")[0] == 404
    other = {"origin": "http://evil.example"}
    assert ask("POST", "/gradio_api/upload", headers=other)[0] == 403
    own = {"origin": "http://127.0.0.1:7860"}
    assert ask("POST", "/gradio_api/upload", headers=own)[0] == 200


def test_a_name_that_is_made_to_lead_here_gets_nothing():
    elsewhere = {"host": "evil.example:7860"}
    assert ask("GET", "/", headers=elsewhere)[0] == 421
    assert ask("GET", "/", headers=elsewhere, own_name=None)[0] == 200
    for name in ("localhost", "LOCALHOST:1", "[::1]:7860", "127.0.0.1"):
        assert ask("GET", "/", headers={"host": name})[0] == 200


def test_every_name_of_this_machine_alone_is_answered():
    for name in ("127.0.0.2:7860", "127.0.1.1", "[::1]"):  # Debian's own name is 127.0.1.1
        assert ask("GET", "/", headers={"host": name})[0] == 200
    mine = {"host": "MyHost:7860"}
    assert ask("GET", "/", headers=mine, own_name="myhost")[0] == 200
    for name in ("myhost", "", "127.0.0.1.evil.example", "192.0.2.1", "0.0.0.0", "[::", "127.1:x"):
        assert ask("GET", "/", headers={"host": name})[0] == 421


def test_a_file_is_refused_by_its_size_before_any_of_it_is_read():
    told = {"content-length": str(2 * 10**9)}
    assert ask("POST", "/gradio_api/upload", headers=told) == (413, 0)
    assert ask("POST", "/gradio_api/upload", headers={"content-length": "-1"})[0] == 413


def test_a_request_that_tells_no_size_is_broken_off():
    body = [bytes(30_000) for _ in range(9)]
    status, read = ask("POST", "/gradio_api/upload", body=body)
    assert status is None and read == 60_000
    assert ask("POST", "/gradio_api/upload", body=[bytes(1000)]) == (200, 1000)


def test_no_further_upload_begins_where_there_is_no_room():
    assert ask("POST", "/gradio_api/upload", room=False)[0] == 503
    assert ask("POST", QUESTION, body=[b"{}"], room=False)[0] == 200


@pytest.mark.parametrize(
    ("question", "status"),
    [
        (b'{"data": [{"path": "/folder/a.mp4", "url": null}], "fn_index": 0}', 200),
        (b'{"data": [{"path": "/etc/passwd"}]}', 403),
        (b'{"data": [{"path": "https://example.org/a.mp4"}]}', 403),
        (b'{"data": [[{"x": {"path": "/folder/a.mp4", "more": {"path": "/b.mp4"}}}]]}', 403),
        (b'{"data": [{"path": "/etc/passwd", "path": "/folder/a.mp4"}]}', 403),
        (b'{"data": [{"path": ["/etc/passwd"]}]}', 403),
        (b'{"data": ["path"]}', 200),
        (b"no json", 403),
        (b"\xff", 403),
        (b"", 403),
    ],
)
def test_a_question_is_about_dropped_files_alone(question, status):
    parts = [question[:5], question[5:]]
    came = len(question) if status == 200 else 0
    assert ask("POST", QUESTION, body=parts) == (status, came)


def test_uploads_under_way_count():
    seen = []

    async def app(scope, receive, send):
        await asyncio.sleep(0)

    async def receive():
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message):
        seen.append(message.get("status"))

    folder = Folder()
    folder.has_room = lambda coming: seen.append(coming) or coming < 2
    own = guard.Guard(app, 1000, "localhost", folder)
    headers = [(b"host", b"localhost")]
    upload = {"type": "http", "method": "POST", "path": "/gradio_api/upload", "headers": headers}

    async def three():
        await asyncio.gather(*(own(upload, receive, send) for _ in range(3)))
        await own(upload, receive, send)

    asyncio.run(three())
    assert [entry for entry in seen if entry is not None] == [0, 1, 2, 503, 0]


def test_what_is_no_request_does_not_pass():
    passed = []

    async def app(scope, receive, send):
        passed.append(scope["type"])

    own = guard.Guard(app, 1, "localhost", Folder())
    for kind in ("websocket", "lifespan"):
        asyncio.run(own({"type": kind, "path": "/"}, None, None))
    assert passed == ["lifespan"]


HERE = [(b"host", b"localhost")]


def test_a_file_that_has_come_gets_a_path_of_its_own_and_is_kept_when_it_is_asked_about():
    told, folder = [], Folder()

    async def app(scope, receive, send):
        if scope["path"] == QUESTION:
            assert (await receive())["body"]
        headers = [(b"content-type", b"application/json"), (b"Content-Length", b"12")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b'["/a', "more_body": True})
        await send({"type": "http.response.body", "body": b'", "/b"]'})

    async def receive():
        body = b'{"data": [{"path": "/folder/a.mp4"}]}'
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message):
        told.append(message)

    own = guard.Guard(app, 1000, "localhost", folder)
    upload = {"type": "http", "method": "POST", "path": "/gradio_api/upload", "headers": HERE}
    asyncio.run(own(upload, receive, send))
    start, body = told
    assert json.loads(body["body"]) == ["/a.own", "/b.own"]
    length = str(len(body["body"])).encode()
    assert start["headers"] == [
        (b"content-type", b"application/json"),
        (b"content-length", length),
    ]
    assert not folder.asked
    asyncio.run(own({**upload, "path": QUESTION}, receive, send))
    assert folder.asked == ["/folder/a.mp4"]


def test_an_upload_that_takes_too_long_is_broken_off():
    read = []

    async def app(scope, receive, send):
        while not read or read[-1] != "http.disconnect":
            read.append((await receive())["type"])

    async def receive():
        if read:
            await asyncio.Event().wait()  # no more comes, and the line stays open
        return {"type": "http.request", "body": b"x", "more_body": True}

    own = guard.Guard(app, 1000, "localhost", Folder(), seconds=0.05)
    upload = {"type": "http", "method": "POST", "path": "/gradio_api/upload", "headers": HERE}
    asyncio.run(own(upload, receive, None))
    assert read == ["http.request", "http.disconnect"]
