"""What a person typed by mistake does not end in a log that is for good."""

from __future__ import annotations

import io
from datetime import UTC, datetime

import pytest

from muniment.errors import UploadError
from muniment.ingest.upload import expand, read_list, read_target
from muniment.model import Declared


@pytest.mark.parametrize("url", ["http://nobody:secret@example.org/a", "https:\\\\x:secret@h/", "HTTP://secret@h?x@y"])
def test_an_address_with_a_password_is_refused_and_not_repeated(url: str) -> None:
    (target,) = expand([url], Declared(), io.BytesIO(), 100)
    assert target.url is None
    assert "secret" not in target.name
    assert "without" in (target.problem or "")
    assert target.reason == "bad-url"


def test_a_declared_address_with_a_password_is_not_repeated() -> None:
    line = b'{"text": "x", "url": "http://nobody:secret@example.org/a"}'
    (target,) = read_list(io.BytesIO(line), Declared(), "list")
    assert "secret" not in target.name
    with pytest.raises(UploadError) as refused:
        read_target(target, datetime(2026, 11, 22, tzinfo=UTC), 100)
    assert (refused.value.reason, "secret" in str(refused.value)) == ("bad-target", False)


def test_an_at_sign_in_a_path_is_no_password() -> None:
    (target,) = expand(["https://example.org/@writer/a"], Declared(), io.BytesIO(), 100)
    assert target.url == "https://example.org/@writer/a"
