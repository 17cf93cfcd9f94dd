"""The verb `demo`: a web page for one run or several."""

from __future__ import annotations

import logging
from typing import Any

from lrcn import runs, states
from lrcn import settings as settings_lib
from lrcn.data import progress
from lrcn.errors import UserError
from lrcn.verbs import showing

log = logging.getLogger(__name__)


def demo(settings: settings_lib.DemoSettings) -> int:
    """Serves a web page until it is stopped."""
    from lrcn.page import ports

    ports.require_gradio()
    if not settings.run:
        raise UserError(
            "there is no run to be asked",
            where="run",
            received="[]",
            expected="a run directory, or several",
            remedy="Set run=RUN, the folder that `lrcn train` printed",
        )
    for run in settings.run:
        _require_checkpoint(runs.RunDirectory(run))
    with ports.opened(settings.host, settings.port) as port:
        showing.start_tensorflow()
        from lrcn.page import looking, serving

        bounds = looking.Bounds(settings.seconds, settings.limits)
        networks = _networks(settings, bounds)
        if port.own_name is None:
            log.warning(
                "whoever reaches %s over the network may open this page and use this machine; "
                "host=127.0.0.1 keeps it to this machine",
                port.address,
            )
        serving.serve(
            networks,
            port,
            bounds=bounds,
            most_bytes=settings.upload_mb * 10**6,
            ready=lambda: log.info("page: %s (Ctrl-C ends it)", port.address),
        )
    return 0


def _require_checkpoint(run: runs.RunDirectory) -> None:
    """Tells what is not there before anything is loaded."""
    try:
        run.checkpoint()
    except UserError as error:
        if states.state(run).name == "training":
            wait = "It is being trained: wait for the end of its first epoch"
            raise error.but(remedy=wait) from error
        raise


def _networks(settings: settings_lib.DemoSettings, bounds: Any) -> list[Any]:
    """Opens the runs of a page, and has each answer once: its first answer takes long."""
    from lrcn.inference import trained
    from lrcn.page import answers, warming

    networks = []
    with progress.shown("opening", len(settings.run), unit="runs") as advance:
        for run, name in zip(settings.run, answers.names_of(settings.run), strict=True):
            log.info("opening: %s", run)
            network = answers.opened(
                run,
                name=name,
                checkpoint=settings.checkpoint,
                search=settings.search,
                top_k=settings.top_k,
                bounds=bounds,
            )
            if network.notice:
                log.warning("%s: %s", run, network.notice)
            warming.warm(network)
            networks.append(network)
            advance()
    if not any(network.describes for network in networks):
        trained.refuse_search(settings.search)
    return networks
