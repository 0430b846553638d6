"""A mail server for tests, on loopback: as much of SMTP as a letter takes."""

from __future__ import annotations

import base64
import email
import email.policy
import socket
import ssl
import threading
from dataclasses import dataclass
from email.message import EmailMessage
from types import TracebackType
from typing import cast


@dataclass(frozen=True, slots=True)
class Letter:
    recipients: list[str]
    message: EmailMessage
    encrypted: bool


class Mailbox:
    """Takes letters while the block runs. `way` says how `context` is used: "tls" from the first byte, "starttls" once
    it is asked for; with a `password`, only whoever has it may send. `refuses` are the ends of recipients that are not
    taken, and `bye` is what is said at the end."""

    def __init__(
        self,
        context: ssl.SSLContext | None = None,
        *,
        way: str = "",
        password: str = "",
        refuses: tuple[str, ...] = (),
        bye: str = "221 bye",
    ):
        self.letters: list[Letter] = []
        self._context, self._way, self._password, self._refuses = context, way, password, refuses
        self._bye = bye
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]

    def __enter__(self) -> Mailbox:
        threading.Thread(target=self._serve, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.close()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        try:
            if self._way == "tls":
                assert self._context is not None
                connection = self._context.wrap_socket(connection, server_side=True)
            with connection:
                self._talk(connection)
        except OSError:  # the other side hung up
            return

    def _talk(self, connection: socket.socket) -> None:
        lines, allowed, recipients = connection.makefile("rb"), not self._password, list[str]()

        def say(text: str) -> None:
            connection.sendall(f"{text}\r\n".encode())

        say("220 localhost ready")
        while line := lines.readline():
            word, _, rest = line.decode().strip().partition(" ")
            match word.upper():
                case "EHLO" | "HELO":
                    encrypted = isinstance(connection, ssl.SSLSocket)
                    offers = ["STARTTLS"] if self._way == "starttls" and not encrypted else []
                    offers += ["AUTH PLAIN"] if self._password else []
                    say("250-localhost")
                    for offer in offers:
                        say(f"250-{offer}")
                    say("250 8BITMIME")
                case "STARTTLS":
                    assert self._context is not None
                    say("220 go on")
                    connection = self._context.wrap_socket(connection, server_side=True)
                    lines = connection.makefile("rb")
                case "AUTH":
                    allowed = base64.b64decode(rest.split()[-1]).split(b"\0")[-1].decode() == self._password
                    say("235 welcome" if allowed else "535 that is not the password")
                case "RCPT" if allowed:
                    name = rest.partition("<")[2].partition(">")[0]
                    if name.endswith(self._refuses):
                        say("554 nobody here takes letters")
                    else:
                        recipients.append(name)
                        say("250 fine")
                case "DATA" if allowed:
                    say("354 go on")
                    content = b""
                    while (line := lines.readline()) not in (b".\r\n", b""):
                        content += line.removeprefix(b".")
                    message = cast(EmailMessage, email.message_from_bytes(content, policy=email.policy.default))
                    self.letters.append(Letter(recipients, message, isinstance(connection, ssl.SSLSocket)))
                    say("250 taken")
                case "QUIT":
                    say(self._bye)
                    return
                case "MAIL" if not allowed:
                    say("530 say who you are")
                case _:
                    say("250 fine")
