"""What stands before the page: which requests pass, from where, and how large they may be."""

from __future__ import annotations

import asyncio
import dataclasses
import ipaddress
import json
import logging
import re
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Any
from urllib import parse

from lrcn.data import bounded
from lrcn.page import uploads

log = logging.getLogger(__name__)

Message = Mapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Mapping[str, Any], Receive, Send], Awaitable[None]]

# What the page itself asks for. All else that Gradio offers is not there: files by their path,
# proxies, streams, its API and its documents.
_READS = re.compile(
    r"/|/config/?|/theme\.css|/favicon\.ico|/robots\.txt|/manifest\.json"
    r"|/(assets|static)/[\w./-]+"
    r"|/gradio_api/(startup-events|theme\.css|queue/data|upload_progress|heartbeat/\w+)"
)
_WRITES = re.compile(r"/gradio_api/(queue/join|upload|cancel|reset)/?")
_UPLOAD, _QUESTION = "/gradio_api/upload", "/gradio_api/queue/join"
_AROUND = 2**16  # bytes of a request around its file
_OTHER = 2**20  # bytes of any other request
_UPLOAD_SECONDS = 300.0  # that a file may be under way: it takes the place of another one


@dataclasses.dataclass
class Guard:
    """Lets pass to an application of ASGI what its page needs.

    Attributes:
        app: The application.
        most_bytes: Of a file that is uploaded.
        own_name: Under which a page of this machine alone is served: it is answered, `localhost`
            and addresses that lead no further. A page of somebody else, whose name is made to lead
            here, gets nothing. None of a page that others may open.
        uploaded: Where files lie. Gradio opens what a question names, fetches it where it is an
            address, and looks at no path by itself where its page is part of another application.
        seconds: That an upload may take.
    """

    app: App
    most_bytes: int
    own_name: str | None
    uploaded: uploads.Folder
    seconds: float = _UPLOAD_SECONDS
    _coming: int = 0

    async def __call__(self, scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        """Answers a request, or has the application do so."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self.app(scope, receive, send)
            return
        refusal = self._refusal(scope)
        if refusal:
            await _refuse(send, *refusal)
            return
        receive = _bounded(receive, self._most(scope["path"]))
        if scope["path"].startswith(_QUESTION):
            body = await _whole(receive)
            asked = list(_paths(body))
            if not all(map(self.uploaded.holds, asked)):
                await _refuse(send, 403, "Only files that were dropped on this page are looked at.")
                return
            for path in asked:
                self.uploaded.ask(path)
            receive = _again(body, receive)
        is_upload = scope["path"].startswith(_UPLOAD) and scope["method"] == "POST"
        if is_upload:
            receive = _hurried(receive, self.seconds)
            send = _rewritten(send, self._owned)
        self._coming += is_upload
        try:
            await self.app(scope, receive, send)
        except Exception:  # not that the page is being stopped
            log.exception("a request failed: %s", scope["path"])
            raise
        finally:
            self._coming -= is_upload

    def _refusal(self, scope: Mapping[str, Any]) -> tuple[int, str] | None:
        headers = {
            name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]
        }
        path, method = scope["path"], scope["method"]
        if self.own_name is not None and not _is_here(headers.get("host", ""), self.own_name):
            return 421, "This page answers on this machine alone."
        allowed = {"GET": _READS, "HEAD": _READS, "POST": _WRITES}.get(method)
        if allowed is None or not allowed.fullmatch(path) or ".." in path:
            return 404, "There is no such thing on this page."
        if method == "POST":
            return self._refused_upload(path, headers)
        return None

    def _refused_upload(self, path: str, headers: Mapping[str, str]) -> tuple[int, str] | None:
        origin = headers.get("origin")
        if origin is not None and parse.urlsplit(origin).netloc != headers.get("host"):
            return 403, "Another page may not send anything here."
        length = headers.get("content-length", "0")
        if not length.isdecimal() or int(length) > self._most(path):
            return 413, f"The file is larger than {self.most_bytes:,} bytes."
        if path.startswith(_UPLOAD) and not self.uploaded.has_room(self._coming):
            return 503, "Other files are being looked at: try again in a minute."
        return None

    def _owned(self, body: bytes) -> bytes:
        """Returns the answer to an upload with a path of its own for each file."""
        return json.dumps([self.uploaded.own(path) for path in json.loads(body)]).encode()

    def _most(self, path: str) -> int:
        return self.most_bytes + _AROUND if path.startswith(_UPLOAD) else _OTHER


def _is_here(header: str, own_name: str) -> bool:
    """Tells whether a header `Host` names this machine in a way that no other page can have."""
    name = re.sub(r":\d+$", "", header).lower()
    if name in ("localhost", own_name.lower()):
        return True
    try:
        return ipaddress.ip_address(name.strip("[]")).is_loopback
    except ValueError:
        return False


def _bounded(receive: Receive, most: int) -> Receive:
    """Returns what reads a request, and breaks it off where it is longer than it told."""
    read = 0

    async def limited() -> Message:
        nonlocal read
        message = await receive()
        read += len(message.get("body", b""))
        return message if read <= most else {"type": "http.disconnect"}

    return limited


def _hurried(receive: Receive, seconds: float) -> Receive:
    """Returns what reads a request, and breaks it off where it takes too long."""
    end = time.monotonic() + seconds

    async def hurried() -> Message:
        try:
            return await asyncio.wait_for(receive(), end - time.monotonic())
        except TimeoutError:
            return {"type": "http.disconnect"}

    return hurried


def _rewritten(send: Send, change: Callable[[bytes], bytes]) -> Send:
    """Returns what sends an answer of which the body is changed where the status is 200."""
    started: list[Message] = []
    parts: list[bytes] = []

    async def rewritten(message: Message) -> None:
        if message["type"] == "http.response.start" and message["status"] == 200:
            started.append(message)
            return
        if not started or message["type"] != "http.response.body":
            await send(message)
            return
        parts.append(message.get("body", b""))
        if not message.get("more_body", False):
            body, start = change(b"".join(parts)), started.pop()
            headers = [pair for pair in start["headers"] if pair[0].lower() != b"content-length"]
            headers.append((b"content-length", str(len(body)).encode()))
            await send({**start, "headers": headers})
            await send({"type": "http.response.body", "body": body})

    return rewritten


async def _whole(receive: Receive) -> bytes:
    parts, more = [], True
    while more:
        message = await receive()
        parts.append(message.get("body", b""))
        more = message.get("more_body", False)
    return b"".join(parts)


def _again(body: bytes, receive: Receive) -> Receive:
    """Returns what gives a request that was read once more, and then what follows it."""
    left = [{"type": "http.request", "body": body, "more_body": False}]

    async def again() -> Message:
        return left.pop() if left else await receive()

    return again


def _paths(body: bytes) -> Iterator[str]:
    """Yields every path that a question names; one that cannot be read names an empty one."""
    try:
        waiting = [bounded.parse_json(body)]
    except ValueError:
        yield ""
        return
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            if "path" in value:
                yield value["path"] if isinstance(value["path"], str) else ""
            waiting.extend(value.values())
        elif isinstance(value, list):
            waiting.extend(value)


async def _refuse(send: Send, status: int, why: str) -> None:
    body = why.encode()
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"connection", b"close")]
    headers.append((b"content-length", str(len(body)).encode()))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
