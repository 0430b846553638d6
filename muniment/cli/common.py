"""What the commands share: finding the archive, common options, and output for people and for programs."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from unicodedata import category

import click

from muniment.archive.archive import Archive
from muniment.cli.numbers import Seconds
from muniment.errors import NoArchive, UsageError

if TYPE_CHECKING:
    from muniment.model import Snapshot

_STEERING = re.compile("[\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
F = TypeVar("F", bound=Callable[..., Any])

# Never looked at, so that each command says itself what is wrong with a path; the shell completes files.
PATH = click.Path(readable=False)

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def common_options(command: F, verbose: str = "Tell on stderr what else is done, where there is anything.") -> F:
    """-q and -v, which every command takes, and --archive, which may stand after the command too."""
    command = click.option("--archive", type=PATH, callback=_use_archive, expose_value=False, hidden=True)(command)
    command = click.option("-v", "--verbose", is_flag=True, callback=_log_to_stderr, expose_value=False,
                           help=verbose)(command)  # fmt: skip
    return click.option("-q", "--quiet", is_flag=True, help="Only results and errors.")(command)


def _use_archive(ctx: click.Context, parameter: click.Parameter, value: str | None) -> None:
    if value:
        ctx.obj = value


def fetch_options(command: F) -> F:
    """Options of every command that fetches, the common ones among them."""
    command = common_options(command, "Tell on stderr what is done: each request, retries, robots.txt.")
    command = click.option("--allow-private", is_flag=True, help="Fetch from addresses that are not public too.")(
        command
    )
    return click.option("--resolve", multiple=True, metavar="HOST:ADDRESS",
                        help="Connect to ADDRESS (or ADDRESS:PORT) for HOST, as curl has it.")(command)  # fmt: skip


def wait_option(command: F) -> F:
    return click.option("--wait", type=Seconds(), default=0.0, metavar="SECONDS",
                        help="Wait so long for another writer to end.")(command)  # fmt: skip


def _log_to_stderr(ctx: click.Context, parameter: click.Parameter, value: bool) -> None:
    """Warnings as lines of muniment's, and with -v what is done too."""
    if value:
        import logging

        logging.getLogger("muniment").setLevel(logging.INFO)  # of other people's libraries, warnings are enough
    if "logs" not in ctx.meta and (
        value or ctx.command.name != "search"
    ):  # which hardly warns, and is spared the 5 ms of the import
        import logging

        class OneLine(logging.Formatter):
            def format(self, record: logging.LogRecord) -> str:
                return f"muniment: {one_line(super().format(record))}"

        to_stderr = logging.StreamHandler()
        to_stderr.setFormatter(OneLine())
        logging.getLogger().addHandler(to_stderr)
        ctx.meta["logs"] = True  # for the group, and not for its command once more


def find_archive(ctx: click.Context) -> Path:
    """The archive's folder: the option, the environment, or the nearest folder upwards. Raises NoArchive."""
    if ctx.obj:
        root = Path(ctx.obj).absolute()
        if not (root / "archive.toml").is_file():
            raise NoArchive(f"no archive in {root}: make one with `muniment init {root}`")
        return root
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / "archive.toml").is_file():
            return folder
    raise NoArchive(f"no archive in {here} or above: use --archive DIR, or make one with `muniment init DIR`")


def open_archive(ctx: click.Context, *, wait: float = 0.0) -> Archive:
    """The archive, opened for reading; closed when the command ends."""
    archive = Archive(find_archive(ctx), wait=wait)
    archive.ask_passphrase = ask_passphrase
    ctx.call_on_close(archive.close)
    return archive


def ask_passphrase(prompt: str) -> str:
    """What a person at the terminal types, unseen. Raises UsageError where there is none."""
    if not sys.stdin.isatty():
        raise UsageError(
            f"the private key is encrypted: set MUNIMENT_PASSPHRASE_FILE to a file with its passphrase ({prompt})"
        )
    found: str = click.prompt(prompt, hide_input=True, err=True)
    return found


def print_json(value: Any) -> None:
    """One JSON value on a line of its own; C1 controls and what turns the direction of
    text, which JSON may hold as they are, are escaped."""
    click.echo(json_text(value))


def json_text(value: Any) -> str:
    """What print_json prints."""
    text = json.dumps(value, ensure_ascii=False)
    return text if text.isprintable() else _STEERING.sub(lambda c: f"\\u{ord(c[0]):04x}", text)


def write(text: str) -> None:
    """Results on stdout as they are, their ends of lines with them; told at once to whoever reads the pipe."""
    click.echo(text, nl=False)


def note(message: str, *, quiet: bool = False) -> None:
    """A line for people, on stderr."""
    if not quiet:
        click.echo(message, err=True)


def strong(text: str) -> str:
    return click.style(text, bold=True)


def faint(text: str) -> str:
    return click.style(text, dim=True)


def echo(text: str = "") -> None:
    """A line of a result on stdout: styled on a terminal, plain elsewhere and under NO_COLOR."""
    click.echo(text)


def one_line(text: str) -> str:
    """Text from outside as one line that cannot steer a terminal."""
    return printable(text).strip()


def safe_text(text: str) -> str:
    """Text from outside for a terminal: its lines as they are, without control characters."""
    return printable(text, "\n\t") if sys.stdout.isatty() else text


def printable(text: str, kept: str = "") -> str:
    """Text without what steers a terminal: controls and separators become spaces, marks that are not seen are left
    out, but for the joiners and direction marks that Arabic and Persian are written with."""
    if text.isprintable():
        return text
    kept += "\u200c\u200d\u200e\u200f"
    return "".join(c if c.isprintable() or c in kept else "" if category(c) == "Cf" else " " for c in text)


def iso(snapshot: Snapshot) -> str:
    """The time of capture in UTC, to the second."""
    return snapshot.captured_at.strftime("%Y-%m-%dT%H:%M:%SZ")


def counted(number: int, one: str, many: str | None = None) -> str:
    """ "1 article", "12 articles"."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def textless(problem: str) -> str:
    """Why there is no text, after "no text": of `no-text: scanned, 12 pages` what follows the word that says so."""
    why = problem.removeprefix("no-text").removeprefix(": ")
    return f"no text: {one_line(why)}" if why else "no text"
