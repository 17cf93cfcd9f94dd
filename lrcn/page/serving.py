"""Serves the page until it is stopped."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from lrcn.page import answers, cards, guard, looking, ports, uploads

_GOODBYE = 2  # seconds that answers under way have when the page is stopped
_MOST_CONNECTIONS = 64
# Read when Gradio is imported, or asks its home for news.
_ENVIRONMENT = {
    "GRADIO_ANALYTICS_ENABLED": "False",
    "GRADIO_SSR_MODE": "False",
    "GRADIO_SHARE": "False",
    "HF_HUB_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
}


def serve(
    networks: Sequence[answers.Network],
    at: ports.Port,
    *,
    bounds: looking.Bounds,
    most_bytes: int,
    ready: Callable[[], None],
) -> None:
    """Serves the page until a signal ends it; nothing is left of what was dropped.

    Args:
        networks: The runs that answer.
        at: Where.
        bounds: The most that a file may ask for.
        most_bytes: Of a file.
        ready: Called when the page can be opened.
    """
    with uploads.opened(most_bytes) as uploaded, _environment(uploaded):
        import uvicorn

        app = _app(networks, bounds=bounds, uploaded=uploaded)
        own = guard.Guard(app, most_bytes, at.own_name, uploaded)
        config = uvicorn.Config(
            own,
            log_level="critical",  # the guard tells of requests that fail
            timeout_graceful_shutdown=_GOODBYE,
            limit_concurrency=_MOST_CONNECTIONS,
            server_header=False,
        )
        ready()
        _server(config, bounds).run(sockets=[at.socket])


def _server(config: Any, bounds: looking.Bounds) -> Any:
    """Returns what serves until SIGINT or SIGTERM, which it raises again in the end."""
    import uvicorn

    class Server(uvicorn.Server):
        def handle_exit(self, sig: int, frame: Any) -> None:
            bounds.over.set()
            super().handle_exit(sig, frame)

    return Server(config)


def _app(
    networks: Sequence[answers.Network],
    *,
    bounds: looking.Bounds,
    uploaded: uploads.Folder,
) -> Any:
    import fastapi
    import gradio

    from lrcn.page import layout

    page = layout.build(networks, bounds=bounds, uploaded=uploaded)
    page.has_launched = True  # else Gradio holds no path against its folder; the guard does, too
    app = fastapi.FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
    return gradio.mount_gradio_app(
        app,
        page,
        path="/",
        footer_links=[],
        show_error=False,
        max_file_size=uploaded.most_bytes,
        ssr_mode=False,
        enable_monitoring=False,
        pwa=False,
        mcp_server=False,
        theme=layout.theme(),
        css=cards.style(),
        js=cards.script(uploaded.most_bytes),
        run_history=False,
    )


@contextlib.contextmanager
def _environment(uploaded: uploads.Folder) -> Iterator[None]:
    """Has Gradio ask nobody for anything and write into our folder alone, as long as it runs."""
    own = {**_ENVIRONMENT, "GRADIO_TEMP_DIR": str(uploaded.path)}
    before = {name: os.environ.get(name) for name in own}
    os.environ.update(own)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name)
            else:
                os.environ[name] = value
