"""The real command in a process of its own, as a user runs it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from demo.site import Site

COMMAND = [sys.executable, "-m", "muniment"]
COMMANDS = (
    "init", "add", "feed", "sitemap", "crawl", "search", "searches", "jobs", "show", "history", "diff", "clean", "verify", "doctor", "prove", "check",
    "export", "status", "checkpoint", "stamp", "tag", "note",
    "source", "collect", "withdraw", "key", "reindex", "rebuild", "completion",
)  # fmt: skip

COUNT = 607  # articles of the archive `many`: several groups


@dataclass(frozen=True)
class Done:
    """What a command printed, and its exit code."""

    code: int
    raw: bytes
    err: str

    @property
    def out(self) -> str:
        return self.raw.decode("utf-8")

    @property
    def lines(self) -> list[str]:
        return self.out.splitlines()

    def json(self) -> Any:
        """The only JSON value printed."""
        return json.loads(self.raw)

    def rows(self) -> list[Any]:
        """A JSON value a line."""
        return [json.loads(line) for line in self.raw.splitlines()]


def environment(archive: Path | None, **more: str) -> dict[str, str]:
    """This process's environment, without what would change how commands behave."""
    without = ("PYTHONDONTWRITEBYTECODE", "NO_COLOR", "MUNIMENT_ARCHIVE", "MUNIMENT_TRACEBACK")
    env = {name: value for name, value in os.environ.items() if name not in without}
    return env | ({"MUNIMENT_ARCHIVE": str(archive)} if archive else {}) | more


class Console:
    """Runs commands on one archive, in the folder `cwd`. Whatever happens, no command may show a traceback or, piped
    as it is here, send an escape sequence."""

    def __init__(self, archive: Path | None, cwd: Path):
        self.archive, self.cwd = archive, cwd

    def __call__(
        self, *arguments: str | bytes | Path | int, code: int | None = 0, stdin: bytes = b"", **env: str
    ) -> Done:
        """Runs `muniment ARGUMENTS`, and checks that it ends with this exit code (None: whatever it is)."""
        words = [word if isinstance(word, bytes) else str(word) for word in arguments]
        ran = subprocess.run(
            [*COMMAND, *words], input=stdin, capture_output=True, timeout=120, cwd=self.cwd,
            env=environment(self.archive, **env),
        )  # fmt: skip
        done = Done(ran.returncode, ran.stdout, ran.stderr.decode())
        assert code in (done.code, None), f"ended with {done.code}, not {code}: {done.raw[:2000]!r} {done.err[:2000]}"
        assert "Traceback" not in done.err
        assert "internal error" not in done.err
        assert "\x1b" not in done.err
        return done

    def spawn(self, *arguments: str | Path, **options: Any) -> subprocess.Popen[bytes]:
        """Starts `muniment ARGUMENTS` and does not wait."""
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        return subprocess.Popen(
            [*COMMAND, *map(str, arguments)], cwd=self.cwd, env=environment(self.archive), **(pipes | options)
        )


@dataclass(frozen=True)
class Stock:
    """An archive that holds some of everything; `added` are the JSON lines that `add` printed, by target."""

    console: Console
    added: dict[str, dict[str, object]]
    code: int

    def number(self, target: str) -> int:
        number = self.added[target]["snapshot"]
        assert isinstance(number, int)
        return number


def network(site: Site) -> list[str]:
    """Several host names on one loopback port."""
    resolved = [("--resolve", f"{host}:127.0.0.1:{site.port}") for host in site.hosts]
    return ["--allow-private", *(word for pair in resolved for word in pair)]


def page(title: str, text: str = "", *, day: str = "2021-05-30", language: str = "en") -> bytes:
    """An HTML page of our own, long enough to be taken for an article."""
    body = text or f"The council of {title} met on the harbour wall and argued about the price of stone for an hour."
    return (
        f'<!doctype html><html lang="{language}"><head><meta charset="utf-8"><title>{title}</title>'
        f'<meta property="article:published_time" content="{day}"></head><body><article><h1>{title}</h1>'
        f"<p>{body}</p><p>Nobody who was there that evening remembers it otherwise, and few had stayed at home. The"
        " minutes were read aloud, corrected twice, and signed by all who could still see the page.</p>"
        "</article></body></html>"
    ).encode()
