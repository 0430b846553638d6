"""The site, and the browser, where there is one."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator

import pytest
from scripted_site import Handler, Site

from muniment.ingest.browser import NAMES


@pytest.fixture
def site() -> Iterator[Site]:
    server = Site(("127.0.0.1", 0), Handler)
    server.asked = []
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="session")
def chromium() -> str:
    pytest.importorskip("playwright", reason="the extra muniment[browser] is not installed")
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        pytest.skip("no Chromium is installed")
    return found
