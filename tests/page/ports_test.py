import importlib.metadata
import pathlib
import socket
import tomllib

import pytest

from lrcn import errors
from lrcn.page import doors


def test_any_port_that_is_free_is_told():
    with doors.opened("127.0.0.1", 0) as door:
        number = door.socket.getsockname()[1]
        assert number and door.address == f"http://127.0.0.1:{number}"
        assert door.own_name == "127.0.0.1"
        with socket.create_connection(("127.0.0.1", number)):
            pass  # who comes early waits
    with doors.opened("127.0.0.1", number) as again:
        assert again.socket.getsockname()[1] == number


def test_a_port_in_use_is_told_with_what_to_do():
    with doors.opened("127.0.0.1", 0) as door:
        number = door.socket.getsockname()[1]
        with (
            pytest.raises(errors.UserError, match=f"port is in use. Received: {number}.*port=0"),
            doors.opened("127.0.0.1", number),
        ):
            pytest.fail("it was taken twice")


@pytest.mark.parametrize("host", ["192.0.2.1", "no.such.host.invalid", "x" * 70 + ".invalid"])
def test_an_address_of_another_machine_is_refused(host):
    with pytest.raises(errors.UserError, match="host: this machine has no such address"):
        doors.opened(host, 0).__enter__()


@pytest.mark.parametrize("host", ["127.0.0.2", "localhost"])
def test_every_address_that_leads_no_further_is_this_machine_alone(host):
    with doors.opened(host, 0) as door:
        assert door.own_name == host


def test_all_addresses_are_not_this_machine_alone():
    with doors.opened("0.0.0.0", 0) as door:
        assert door.own_name is None and door.address.startswith("http://127.0.0.1:")


@pytest.mark.parametrize("version", [None, "5.49.1", "6.0.0", "6.4.0", "6.31.0", "7.0"])
def test_gradio_is_asked_for_before_anything_else(monkeypatch, version):
    def told(name):
        if version is None:
            raise importlib.metadata.PackageNotFoundError(name)
        return version

    monkeypatch.setattr(importlib.metadata, "version", told)
    if version in ("6.31.0", "7.0"):
        doors.require_gradio()
        return
    received = f"gradio {version}" if version else "no package gradio"
    with pytest.raises(errors.UserError, match=rf"{received}.*pip install 'lrcn\[demo\]'"):
        doors.require_gradio()


def test_the_extra_asks_for_the_gradio_that_the_page_asks_for():
    file = pathlib.Path(__file__).parents[2] / "pyproject.toml"
    extras = tomllib.loads(file.read_text())["project"]["optional-dependencies"]
    assert extras["demo"] == [f"gradio>={'.'.join(map(str, doors.GRADIO))}"]
