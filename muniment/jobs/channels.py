"""How alarms reach people: a command, an address that JSON is posted to, a mail server.

The settings are the operator's own, so any host may be named.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from muniment import __version__
from muniment.jobs.telling import Alerts

TIMEOUT = 20.0
_AGENT = f"muniment/{__version__}"


class Undelivered(Exception):
    """A channel could not be reached; the message says which, and why."""


def deliver(channel: str, to: Alerts, message: Mapping[str, Any]) -> None:
    """Raises Undelivered."""
    ways: dict[str, Callable[[Alerts, Mapping[str, Any]], None]] = {
        "command": _run, "webhook": _post, "email": _mail,
    }  # fmt: skip
    ways[channel](to, message)


def _run(to: Alerts, message: Mapping[str, Any]) -> None:
    """The text comes on standard input, the JSON in MUNIMENT_ALERT."""
    environment = {**os.environ, "MUNIMENT_ALERT": json.dumps(message, ensure_ascii=False)[:100_000]}
    try:
        done = subprocess.run(
            to.command, input=f"{message['text']}\n".encode(), env=environment, timeout=TIMEOUT, check=False,
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        )  # fmt: skip
    except (OSError, ValueError, subprocess.TimeoutExpired) as e:
        raise Undelivered(f"the command {to.command[0]}: {e}") from None
    if done.returncode:
        said = done.stderr.decode("utf-8", "replace").strip().splitlines()[-1:]
        raise Undelivered(f"the command {to.command[0]} ended with {done.returncode}: {' '.join(said)}")


def _post(to: Alerts, message: Mapping[str, Any]) -> None:
    body = json.dumps(message, ensure_ascii=False).encode()
    _ask(to.webhook, body)


def ping(address: str) -> None:
    """Raises Undelivered."""
    _ask(address, None)


def _ask(address: str, body: bytes | None) -> None:
    from http.client import HTTPException
    from urllib.parse import urlsplit
    from urllib.request import Request, urlopen

    headers = {"User-Agent": _AGENT} | ({"Content-Type": "application/json"} if body is not None else {})
    host = urlsplit(address).hostname  # the path may be a secret
    try:
        with urlopen(Request(address, body, headers), timeout=TIMEOUT) as reply:
            reply.read(1 << 16)
    except (OSError, HTTPException, ValueError) as e:
        raise Undelivered(f"{host}: {e}") from None


def _mail(to: Alerts, message: Mapping[str, Any]) -> None:
    import smtplib
    from email.message import EmailMessage

    settings = to.email
    letter = EmailMessage()
    raised, job = message["raised"], message["job"] or "archive"
    what = raised[0]["kind"] if raised else "over" if message["cleared"] else "news"
    letter["Subject"] = f"[muniment] {message['archive']}: {job}: {what}"
    letter["From"] = settings["from"]
    people = settings["to"]
    letter["To"] = people if isinstance(people, str) else ", ".join(people)
    letter.set_content(message["text"] + "\n")
    secure = bool(settings.get("tls"))
    port = int(settings.get("port", 465 if secure else 587 if settings.get("starttls") else 25))
    try:
        server = (smtplib.SMTP_SSL if secure else smtplib.SMTP)(settings["host"], port, timeout=TIMEOUT)
        with server:
            if settings.get("starttls"):
                server.starttls()
            if settings.get("user"):
                server.login(settings["user"], _password(settings))
            server.send_message(letter)
    except (OSError, smtplib.SMTPException, ValueError) as e:
        raise Undelivered(f"{settings['host']}: {e}") from None


def _password(settings: Mapping[str, Any]) -> str:
    """From a file, so that no secret stands in a job."""
    return Path(settings.get("password_file", "")).read_text(encoding="utf-8").strip()
