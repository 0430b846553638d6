"""What a person typed by mistake does not end in a log that is for good."""

from __future__ import annotations

import io

import pytest

from muniment.ingest.upload import expand
from muniment.model import Declared


@pytest.mark.parametrize("url", ["http://nobody:secret@example.org/a", "https:\\\\x:secret@h/", "HTTP://secret@h?x@y"])
def test_an_address_with_a_password_is_refused_and_not_repeated(url: str) -> None:
    (target,) = expand([url], Declared(), io.BytesIO(), 100)
    assert target.url is None
    assert "secret" not in target.name
    assert "without" in (target.problem or "")


def test_an_at_sign_in_a_path_is_no_password() -> None:
    (target,) = expand(["https://example.org/@writer/a"], Declared(), io.BytesIO(), 100)
    assert target.url == "https://example.org/@writer/a"
