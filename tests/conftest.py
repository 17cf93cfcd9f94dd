import logging

import pytest


@pytest.fixture(autouse=True)
def fresh_logging():
    """Drops log handlers that a command left behind: their streams end with the test."""
    yield
    root = logging.getLogger()
    for handler in list(root.handlers):
        if type(handler) in (logging.StreamHandler, logging.FileHandler):
            root.removeHandler(handler)
            handler.close()
    root.setLevel(logging.WARNING)
