"""What is told before anything is loaded: whether there is Gradio, and a port to serve at."""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import importlib.metadata
import ipaddress
import re
import socket
from collections.abc import Iterator

from lrcn import errors

GRADIO = (6, 31)
"""The oldest version of Gradio that will do; the extra `demo` asks for the same."""


def require_gradio() -> None:
    """Raises a `UserError` if Gradio is not installed, or too old, without importing it."""
    try:
        version = importlib.metadata.version("gradio")
    except importlib.metadata.PackageNotFoundError:
        version = ""
    if tuple(map(int, re.findall(r"\d+", version)[:2])) < GRADIO:
        raise errors.UserError(
            "the web page needs Gradio",
            where="demo",
            received=f"gradio {version}" if version else "no package gradio",
            expected=f"gradio {GRADIO[0]}.{GRADIO[1]} or later, the extra `demo`",
            remedy="Install it: pip install 'lrcn[demo]'",
        )


@dataclasses.dataclass(frozen=True)
class Port:
    """A port that is taken, at which nobody is let in yet.

    Attributes:
        socket: It is bound.
        address: What is typed into a browser.
        own_name: The host that was asked for, where this machine alone can come to it; else None.
    """

    socket: socket.socket
    address: str
    own_name: str | None


@contextlib.contextmanager
def opened(host: str, port: int) -> Iterator[Port]:
    """Takes a port.

    Args:
        host: The name or address of this machine under which it is to be found.
        port: 0 for any that is free.

    Raises:
        UserError: The port is in use, or the host is none of this machine.
    """
    try:
        family, kind, _, _, place = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        own = socket.socket(family, kind)
    except (OSError, UnicodeError) as error:
        raise _no_port(host, port, error) from error
    with own:
        try:
            own.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            own.bind(place)
            own.listen()
        except OSError as error:
            raise _no_port(host, port, error) from error
        given, number = own.getsockname()[:2]
        address = ipaddress.ip_address(given)
        name = "127.0.0.1" if address.is_unspecified else given
        name = f"[{name}]" if ":" in name else name
        yield Port(own, f"http://{name}:{number}", host if address.is_loopback else None)


def _no_port(host: str, port: int, error: Exception) -> errors.UserError:
    code = getattr(error, "errno", None)
    if code == errno.EADDRINUSE:
        return errors.UserError(
            "the port is in use",
            where="port",
            received=port,
            expected="a port that no other program listens at",
            remedy="Set port=0 for any that is free, or another one, or end the other program",
        )
    if code == errno.EACCES:
        return errors.UserError(
            "this user may not take the port",
            where="port",
            received=port,
            expected="1024 or more, or 0",
            remedy="Set port=7860, or port=0 for any that is free",
        )
    return errors.UserError(
        "this machine has no such address",
        where="host",
        received=f"{host}: {getattr(error, 'strerror', None) or error}",
        expected="127.0.0.1, or an address of this machine",
        remedy="Leave host out, or set host=0.0.0.0 for all addresses of this machine",
    )
