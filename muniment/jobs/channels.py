"""How alarms reach people: a command, an address that JSON is posted to, a mail server.

The settings are the operator's own, so any host may be named. No channel may hold up a run: each has TIMEOUT seconds.
What is said of one that failed names its host or its program, and nothing of addresses, which may hold secrets.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import closing, suppress
from pathlib import Path
from typing import IO, Any

from muniment import __version__
from muniment.jobs.alerts import Alerts

TIMEOUT = 20.0
_MOST_VARIABLE = 100_000  # bytes; Linux refuses 131,072
_MOST_WORDS = 10_000  # bytes of what a command says
_MOST_REPLIES = 1 << 20  # bytes of what a mail server says
_MOST_TOLD = 500  # characters of what is wrong with a channel
_AGENT = f"muniment/{__version__}"


class Undelivered(Exception):
    """A channel could not be reached; the message says which, and why."""

    def __init__(self, text: str):
        super().__init__(text if len(text) <= _MOST_TOLD else f"{text[: _MOST_TOLD - 1]}…")


class PartlyDelivered(Undelivered):
    """Some were told and others refused it: to say it again would tell the first twice."""


def deliver(channel: str, to: Alerts, message: Mapping[str, Any]) -> None:
    """Raises Undelivered."""
    ways: dict[str, tuple[str, Callable[[Alerts, Mapping[str, Any]], None]]] = {
        "command": (f"the command {to.command[0]}" if to.command else "", _run),
        "webhook": (_host(to.webhook), _post),
        "email": (str(to.email.get("host")), _mail),
    }
    name, way = ways[channel]
    _within(TIMEOUT, name, lambda: way(to, message))


def ping(address: str) -> None:
    """Raises Undelivered."""
    _within(TIMEOUT, _host(address), lambda: _ask(address, None))


def _within(seconds: float, name: str, do: Callable[[], None]) -> None:
    """`do` in a thread that is left behind where it does not end: a server that sends a byte now and then, or a name
    that is not resolved, outlasts every limit of a single read."""
    failures: list[Undelivered] = []

    def attempt() -> None:
        try:
            do()
        except Undelivered as e:
            failures.append(e)
        except Exception as e:  # noqa: BLE001 - whatever the libraries raise for what servers answer: it was not delivered
            failures.append(Undelivered(f"{name}: {type(e).__name__}: {e}"))

    thread = threading.Thread(target=attempt, name="alarm", daemon=True)
    thread.start()
    thread.join(seconds + 1)
    if thread.is_alive():
        raise Undelivered(f"{name}: no end after {seconds:.0f} s")
    if failures:
        raise failures[0]


def _run(to: Alerts, message: Mapping[str, Any]) -> None:
    """The text comes on standard input, the JSON in MUNIMENT_ALERT. What the command starts ends with it."""
    environment = {**os.environ, "MUNIMENT_ALERT": _variable(message)}
    with tempfile.TemporaryFile() as text:
        text.write(f"{message['text']}\n".encode("utf-8", "replace"))
        text.seek(0)
        try:
            process = subprocess.Popen(
                to.command, stdin=text, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=environment, bufsize=0,
                start_new_session=True,
            )  # fmt: skip
        except (OSError, ValueError) as e:
            raise Undelivered(f"the command {to.command[0]}: {getattr(e, 'strerror', None) or e}") from None
    assert process.stderr is not None  # asked for
    with process.stderr:
        words = _last_words(process, process.stderr)
    if process.returncode is None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        raise Undelivered(f"the command {to.command[0]}: no end after {TIMEOUT:.0f} s")
    if process.returncode:
        said = words.decode("utf-8", "replace").strip().splitlines()[-1:]
        raise Undelivered(f"the command {to.command[0]} ended with {process.returncode}: {' '.join(said)[:200]}")


def _last_words(process: subprocess.Popen[bytes], errors: IO[bytes]) -> bytes:
    """What a command says on its standard error, the end of it, until it ends or TIMEOUT seconds are over. One that
    says very much fills no disk, and who holds the pipe after its end is not waited for."""
    os.set_blocking(errors.fileno(), False)
    words, deadline = b"", time.monotonic() + TIMEOUT
    while time.monotonic() < deadline:
        has_ended = process.poll() is not None
        chunk = errors.read(1 << 16)
        words = (words + (chunk or b""))[-_MOST_WORDS:]
        if has_ended and not chunk:
            break
        if not chunk:
            time.sleep(0.01)
    return words


def _variable(message: Mapping[str, Any]) -> str:
    """The JSON, short enough for a variable."""
    shown = 50
    while True:
        kept = {key: value[:shown] if isinstance(value, list) else value for key, value in message.items()}
        text = json.dumps(kept if shown else {**kept, "text": ""}, ensure_ascii=False)
        if len(text.encode("utf-8", "replace")) <= _MOST_VARIABLE or not shown:
            return text.encode("utf-8", "replace").decode().replace("\0", " ")
        shown //= 2


def _host(address: str) -> str:
    from urllib.parse import urlsplit

    return urlsplit(address).hostname or ""


def _post(to: Alerts, message: Mapping[str, Any]) -> None:
    _ask(to.webhook, json.dumps(message, ensure_ascii=False).encode("utf-8", "replace"))


def _ask(address: str, body: bytes | None) -> None:
    from http.client import HTTPException
    from urllib.error import HTTPError
    from urllib.request import HTTPRedirectHandler, Request, build_opener

    class Brief(HTTPRedirectHandler):
        def redirect_request(self, request: Request, reply: Any, *rest: Any) -> Request | None:
            reply.close()  # else all of it is read, and it may have no end
            if body is not None:
                return None  # what was posted would be lost on the way, and be called delivered
            return super().redirect_request(request, reply, *rest)

    headers = {"User-Agent": _AGENT} | ({"Content-Type": "application/json"} if body is not None else {})
    try:
        # Its status says that it was taken. Whatever is wrong with what follows, to ask again would tell it twice.
        build_opener(Brief).open(Request(address, body, headers), timeout=TIMEOUT).close()
    except HTTPError as e:
        where = "; name the address that it leads to" if e.code in (301, 302, 303, 307, 308) else ""
        raise Undelivered(f"{_host(address)}: answers {e.code}{where}") from None
    except (OSError, HTTPException) as e:
        reason = getattr(e, "reason", None) or getattr(e, "strerror", None) or type(e).__name__
        raise Undelivered(f"{_host(address)}: {reason}") from None


def _mail(to: Alerts, message: Mapping[str, Any]) -> None:
    import smtplib
    from ssl import create_default_context

    class Brief:
        """Replies without end would be held in memory, and a line now and then outlasts every time limit."""

        def __init__(self, replies: Any):
            self._replies, self._left = replies, _MOST_REPLIES
            self.close = replies.close

        def readline(self, most: int) -> bytes:
            line: bytes = self._replies.readline(most)
            self._left -= len(line)
            if self._left < 0:
                raise OSError("it says far too much")
            return line

    def reply(server: smtplib.SMTP) -> tuple[int, bytes]:
        if server.file is None and server.sock is not None:
            server.file = Brief(server.sock.makefile("rb"))
        return smtplib.SMTP.getreply(server)

    class Plain(smtplib.SMTP):
        getreply = reply

    class Secure(smtplib.SMTP_SSL):
        getreply = reply

    settings = to.email
    secure, starttls = bool(settings.get("tls")), bool(settings.get("starttls"))
    port = int(settings.get("port", 465 if secure else 587 if starttls else 25))
    context = create_default_context() if secure or starttls else None
    try:
        if secure:
            server: smtplib.SMTP = Secure(settings["host"], port, timeout=TIMEOUT, context=context)
        else:
            server = Plain(settings["host"], port, timeout=TIMEOUT)
        with closing(server):
            if starttls:
                server.starttls(context=context)
            if settings.get("user"):
                server.login(settings["user"], _password(settings))
            refused = server.send_message(_letter(settings, message))
            with suppress(OSError):  # it was taken: whatever is said to that, to send it again would tell it twice
                server.putcmd("quit")
    except (OSError, smtplib.SMTPException, ValueError) as e:
        raise Undelivered(f"{settings['host']}: {e}") from None
    if refused:
        why = ", ".join(f"{to} ({code} {said.decode('utf-8', 'replace')})" for to, (code, said) in refused.items())
        raise PartlyDelivered(f"{settings['host']} takes nothing for {why}")


def _letter(settings: Mapping[str, Any], message: Mapping[str, Any]) -> Any:
    from email.message import EmailMessage
    from email.utils import formatdate, make_msgid

    raised, job = message["raised"], message["job"] or "archive"
    what = raised[0]["kind"] if raised else "over" if message["cleared"] else "news"
    letter = EmailMessage()
    subject = f"[muniment] {message['archive']}: {job}: {what}"
    letter["Subject"] = "".join(c if c.isprintable() else " " for c in subject)
    letter["From"] = settings["from"]
    letter["To"] = settings["to"] if isinstance(settings["to"], str) else ", ".join(settings["to"])
    letter["Date"] = formatdate()
    letter["Message-ID"] = make_msgid(domain="muniment.invalid")
    letter.set_content(message["text"] + "\n")
    return letter


def _password(settings: Mapping[str, Any]) -> str:
    """From a file, so that no secret stands in a job."""
    try:
        return Path(settings["password_file"]).read_text(encoding="utf-8").strip()
    except UnicodeDecodeError:
        raise ValueError(f"{settings['password_file']} is no text") from None
