import importlib.metadata
import pathlib
import socket
import tomllib

import pytest

from lrcn import errors
from lrcn.page import ports


def test_any_port_that_is_free_is_told():
    with ports.opened("127.0.0.1", 0) as port:
        number = port.socket.getsockname()[1]
        assert number and port.address == f"http://127.0.0.1:{number}"
        assert port.own_name == "127.0.0.1"
        with socket.create_connection(("127.0.0.1", number)):
            pass  # who comes early waits
    with ports.opened("127.0.0.1", number) as again:
        assert again.socket.getsockname()[1] == number


def test_a_port_in_use_is_told_with_what_to_do():
    with ports.opened("127.0.0.1", 0) as port:
        number = port.socket.getsockname()[1]
        with (
            pytest.raises(errors.UserError, match=f"port is in use. Received: {number}.*port=0"),
            ports.opened("127.0.0.1", number),
        ):
            pytest.fail("it was taken twice")


@pytest.mark.parametrize("host", ["192.0.2.1", "no.such.host.invalid", "x" * 70 + ".invalid"])
def test_an_address_of_another_machine_is_refused(host):
    with pytest.raises(errors.UserError, match="host: this machine has no such address"):
        ports.opened(host, 0).__enter__()


@pytest.mark.parametrize("host", ["127.0.0.2", "localhost"])
def test_every_address_that_leads_no_further_is_this_machine_alone(host):
    with ports.opened(host, 0) as port:
        assert port.own_name == host


def test_all_addresses_are_not_this_machine_alone():
    with ports.opened("0.0.0.0", 0) as port:
        assert port.own_name is None and port.address.startswith("http://127.0.0.1:")


@pytest.mark.parametrize("version", [None, "5.49.1", "6.0.0", "6.4.0", "6.31.0", "7.0"])
def test_gradio_is_asked_for_before_anything_else(monkeypatch, version):
    def told(name):
        if version is None:
            raise importlib.metadata.PackageNotFoundError(name)
        return version

    monkeypatch.setattr(importlib.metadata, "version", told)
    if version in ("6.31.0", "7.0"):
        ports.require_gradio()
        return
    received = f"gradio {version}" if version else "no package gradio"
    with pytest.raises(errors.UserError, match=rf"{received}.*pip install 'lrcn\[demo\]'"):
        ports.require_gradio()


def test_the_extra_asks_for_the_gradio_that_the_page_asks_for():
    file = pathlib.Path(__file__).parents[2] / "pyproject.toml"
    extras = tomllib.loads(file.read_text())["project"]["optional-dependencies"]
    assert extras["demo"] == [f"gradio>={'.'.join(map(str, ports.GRADIO))}"]
