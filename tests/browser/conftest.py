"""The site."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from scripted_site import Handler, Site


@pytest.fixture
def site() -> Iterator[Site]:
    server = Site(("127.0.0.1", 0), Handler)
    server.asked, server.left = [], threading.Event()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.left.set()
    server.shutdown()
    server.server_close()
