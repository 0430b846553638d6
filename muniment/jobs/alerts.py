"""What is told of the jobs, and whom: `[alerts]` of archive.toml and of a job. No I/O."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from muniment.errors import UsageError
from muniment.jobs.values import size_in, time_in
from muniment.settings import Wrong, check_keys, inside, texts, typed

if TYPE_CHECKING:
    from muniment.jobs.job import Job

WATCHED = ("silent", "overdue", "disk", "unanchored")
CHANNELS = ("command", "webhook", "email")
_HERE = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True, slots=True)
class Alerts:
    """What is told, and how. `silent`: without anything new for so long, `overdue`: so late; `disk`: bytes;
    `unanchored`: leaves that nobody vouches for so long, None where that is no matter. Channels: a command's words, an
    address that JSON is posted to, a mail server's settings, an address that is asked for when all went well."""

    silent: timedelta | None = None
    overdue: timedelta = timedelta(hours=1)
    disk: int = 1 << 30
    unanchored: timedelta | None = timedelta(days=2)
    command: tuple[str, ...] = ()
    webhook: str = ""
    email: Mapping[str, Any] = field(default_factory=dict)
    ping: str = ""


_ALERTS = Alerts()


def alerts(*tables: Mapping[str, Any]) -> Alerts:
    """What the tables `[alerts]` say, the later ones over the earlier. Raises Wrong."""
    table = {key: value for inner in tables for key, value in inner.items()}
    check_keys(table, (*WATCHED, *CHANNELS, "ping"))
    command = table.get("command", [])
    if not isinstance(command, list) or not all(isinstance(word, str) and "\0" not in word for word in command):
        raise Wrong("command", 'write the words of a command: ["notify-send", "muniment"]')
    for key in ("webhook", "ping"):
        address = typed(table, key, str, "")
        if address and not _is_address(address):
            raise Wrong(key, "write an address that begins with http:// or https://, without user and password")
    email = typed(table, "email", dict, {})
    with inside("email"):
        _check_email(email)
    return Alerts(
        time_in(table, "silent"),
        time_in(table, "overdue") or _ALERTS.overdue,
        size_in(table, "disk", _ALERTS.disk),
        None if table.get("unanchored") is False else time_in(table, "unanchored") or _ALERTS.unanchored,
        tuple(command),
        table.get("webhook", ""),
        email,
        table.get("ping", ""),
    )


def _is_address(text: str) -> bool:
    """Whether it can be asked for as it is."""
    try:
        parts = urlsplit(text)
        fits = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        fits = fits and "@" not in parts.netloc  # urllib would take a password for a part of the name, and look it up
    except ValueError:
        return False
    return fits and text.isascii() and text.isprintable() and " " not in text


def _check_email(email: Mapping[str, Any]) -> None:
    check_keys(email, ("host", "port", "from", "to", "starttls", "tls", "user", "password_file"))
    if not email:
        return
    for key in ("host", "from", "to"):
        found = texts(email, key) if key == "to" else (typed(email, key, str, ""),)
        if not found or not all(text.strip() and text.isprintable() for text in found):
            raise Wrong(key, 'write host, from and to: { host = "mail.example", from = "a@b.example", to = ["…"] }')
    if not 1 <= typed(email, "port", int, 25) <= 65_535:
        raise Wrong("port", "write a number from 1 to 65,535")
    secure = [key for key in ("starttls", "tls") if typed(email, key, bool, False)]
    if len(secure) > 1:
        raise Wrong("tls", "tls and starttls contradict: set one of them")
    user, password = typed(email, "user", str, ""), typed(email, "password_file", str, "")
    if bool(user) != bool(password):
        raise Wrong("user" if user else "password_file", "user and password_file go together")
    if user and not secure and email["host"] not in _HERE:
        raise Wrong("user", "a password must not cross the network in the open: set tls or starttls to true")


def alerts_of(archive_table: Mapping[str, Any], job: Job | None = None) -> Alerts:
    """What holds for a job, or for the archive. Raises UsageError where archive.toml is wrong."""
    try:
        return alerts(archive_table, job.alerts if job else {})
    except Wrong as e:
        raise UsageError(f"archive.toml, [alerts]: {e.name}: {e}") from None
