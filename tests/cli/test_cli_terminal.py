"""Terminals, pipes, interruptions, help and completion."""

from __future__ import annotations

import os
import pty
import re
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from cli_console import COMMAND, COMMANDS, Console, Stock, environment, page

from muniment.archive.archive import create
from tests.conftest import NOW

COLOUR = re.compile(rb"\x1b\[[0-9;]*m")
CONTROL = re.compile(rb"\x1b(?!\[[0-9;]*[mK]|\[\?25[lh])|[\x00-\x08\x0b\x0c\x0e-\x1a\x1c-\x1f\x7f]|\xc2[\x80-\x9f]")


def on_terminal(console: Console, *arguments: str | Path, stdout: bool = True, **env: str) -> tuple[bytes, bytes]:
    """What a command writes to a terminal: (stdout, stderr), each a terminal of its own (stdout, if asked)."""
    out, out_end = pty.openpty() if stdout else os.pipe()
    err, err_end = pty.openpty()
    process = subprocess.Popen(
        [*COMMAND, *map(str, arguments)], stdin=subprocess.DEVNULL, stdout=out_end, stderr=err_end, cwd=console.cwd,
        env=environment(console.archive, TERM="xterm", **env),
    )  # fmt: skip
    os.close(out_end)
    os.close(err_end)
    read = {out: b"", err: b""}
    open_ends = set(read)
    while open_ends:
        ready, _, _ = select.select(list(open_ends), [], [], 60)
        assert ready, "the command hangs"
        for end in ready:
            try:
                data = os.read(end, 65536)
            except OSError:  # Linux: the other end of the terminal is closed
                data = b""
            read[end] += data
            if not data:
                open_ends.discard(end)
    process.wait(10)
    os.close(out)
    os.close(err)
    return read[out], read[err]


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Console:
    """An archive with an article whose title, text, source and file name try to steer the terminal."""
    attack = "\x1b[31mRED\x1b]0;owned\x07 \x9b2J\u202egnp.exe\u2066 line\ntwo"
    base = tmp_path_factory.mktemp("hostile")
    console = Console(create(base / "archive", "test.example/log", NOW).root, base)
    folder = base / "in"
    folder.mkdir()
    (folder / "\x1b]0;owned\x07.html").write_bytes(page(f"Harbour {attack}", f"The harbour {attack} " * 9))
    (folder / "fine.html").write_bytes(page("Fine"))
    (folder / "\x1b[2Jdangling").symlink_to("nowhere")
    console("add", "in", "--source", f"S {attack}", "--author", attack, "--tag", attack, code=3)
    return console


def test_nothing_from_outside_steers_a_terminal(hostile: Console) -> None:
    number = hostile("search", "harbour", "--ids").lines[0]
    for arguments in (
        ["search", "harbour"], ["search", "harbour", "--csv"], ["search", "harbour", "--json"], ["show", number],
        ["search", "harbour", "--urls"], ["search", "harbour", "--facet", "author,tag,source"], ["show", number, "--json"],
        ["history", number], ["history", number, "--json"], ["add", "in"], ["add", "in", "--dry-run"], ["status"],
        ["add", "in", "--json"], ["search", '"\x1b[2J'], ["history", "\x1b[2Jx"], ["--archive", "\x1b[2Jx", "status"],
    ):  # fmt: skip
        for written in on_terminal(hostile, *arguments):
            assert not CONTROL.search(written), (arguments, CONTROL.search(written), written)
            assert b"\x1b[2J" not in written
            assert b"\x1b[31mRED" not in written
            assert "\u202e".encode() not in written or "--csv" in arguments


def test_a_title_with_newlines_takes_one_line(hostile: Console) -> None:
    done = hostile("search", "harbour", "-q", "--limit", 1)
    assert len(done.lines) == 3  # title, passage, address
    assert "line two" in done.lines[0]


def test_a_terminal_gets_colour_facets_and_a_progress_bar_and_a_pipe_none(console: Console, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for number in range(5):
        (tmp_path / "in" / f"{number}.html").write_bytes(page(f"Paper {number}"))
    out, err = on_terminal(console, "add", "in")
    assert b"\x1b[32mstored\x1b[0m" in out
    assert b"adding" in err and b"5 stored" in err
    out, err = on_terminal(console, "add", "in", stdout=False)
    assert not COLOUR.search(out)
    assert b"adding" in err
    (tmp_path / "list").write_text("".join(f'{{"text": "Words number {number}."}}\n' for number in range(3)))
    _, err = on_terminal(console, "add", "--from", "list")
    assert b"adding 1\r" in err and b"adding 3\r" in err and b"3 stored" in err
    letters = "".join(f"From a@b.example\nFrom: a@b.example\nSubject: {n}\n\nWords {n}.\n\n" for n in range(30))
    (tmp_path / "post.mbox").write_text(letters)
    _, err = on_terminal(console, "add", "post.mbox")
    assert re.search(rb"adding \d+  post\.mbox  [ \d]{3}%  [\d.,]+ \w+/s  \d:\d\d left", err), err
    _, err = on_terminal(console, "add", "post.mbox", "--json")
    assert b"adding" not in err
    out, _ = on_terminal(console, "search", "harbour")
    assert COLOUR.search(out)
    assert b"year" in out
    out, err = on_terminal(console, "search", "harbour", NO_COLOR="1")
    assert not COLOUR.search(out + err)
    out, err = on_terminal(console, "add", "in", "nothing", NO_COLOR="1")
    assert not COLOUR.search(out + err)
    out, err = on_terminal(console, "add", "in", "-q")
    assert err == b""
    piped = console("search", "harbour")
    assert "\x1b" not in piped.out
    assert "year" not in piped.out


@pytest.mark.skipif(shutil.which("head") is None, reason="needs head")
def test_a_difference_is_in_colour_on_a_terminal_and_plain_in_a_pipe(console: Console, tmp_path: Path) -> None:
    for name in ("forty", "some"):
        (tmp_path / "dam.txt").write_text(f"The dam was unsafe, and {name} homes were lost.\nNobody had been warned.\n")
        console("add", "dam.txt")
    assert "and [-forty-] {+some+} homes" in console("diff", "1").out
    shown, _ = on_terminal(console, "diff", "1")
    assert b"\x1b[31m" in shown and b"\x1b[32m" in shown and b"[-" not in shown
    plain, _ = on_terminal(console, "diff", "1", NO_COLOR="1")
    assert b"\x1b" not in plain and b"and [-forty-] {+some+} homes" in plain


def test_a_reader_that_stops_reading_is_no_error(stock: Stock) -> None:
    command = " ".join([*COMMAND, "search", "the", "--all", "--json", "-v", "|", "head", "-c", "1"])
    ran = subprocess.run(["bash", "-c", f"set -o pipefail; {command}"], capture_output=True, timeout=60,
                         env=environment(stock.console.archive))  # fmt: skip
    assert (ran.returncode, ran.stderr) == (0, b"")


@pytest.mark.parametrize("command", ["search lamp --json", "show 1", "--help", "search --help", "status --json"])
def test_a_reader_that_is_gone_before_the_first_byte_is_no_error(stock: Stock, command: str) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    ran = stock.console.spawn(*command.split(), stdout=writing)
    os.close(writing)
    _, err = ran.communicate(timeout=60)
    assert ran.returncode == 0
    assert b"Error" not in err and b"Exception" not in err


def test_closed_standard_streams_are_no_error(stock: Stock) -> None:
    for closing in (">&-", "2>&-", "<&-", "<&- >&- 2>&-"):
        command = f"{' '.join(COMMAND)} search Dunmore {closing}"
        ran = subprocess.run(["bash", "-c", command], capture_output=True, timeout=60,
                             env=environment(stock.console.archive))  # fmt: skip
        assert (ran.returncode, b"Error" in ran.stderr) == (0, False), (closing, ran.stderr)
    stock.console("verify")


def test_an_interrupt_while_modules_are_imported_is_an_interrupt() -> None:
    """The signal comes in the middle of the first import of click."""
    program = (
        "import os, signal, sys\n"
        "class Interrupting:\n"
        "    def find_spec(self, name, *rest):\n"
        "        if name == 'click':\n"
        "            os.kill(os.getpid(), signal.SIGINT)\n"
        "sys.meta_path.insert(0, Interrupting())\n"
        "from muniment.__main__ import main\n"
        "main()\n"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, timeout=60, env=environment(None))
    assert (ran.returncode, ran.stderr) == (130, b"muniment: interrupted; everything acknowledged is stored\n")


def test_an_add_whose_reader_stops_reading_adds_everything(console: Console, tmp_path: Path) -> None:
    lines = "".join(f'{{"text": "Words number {number}."}}\n' for number in range(120))
    (tmp_path / "list").write_text(lines)
    adding = console.spawn("add", "--from", "list")
    assert adding.stdout is not None
    adding.stdout.close()
    assert adding.wait(60) == 0
    assert console("status", "--json").json()["articles"] == 120


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_result_that_cannot_be_written_is_a_failed_write(stock: Stock) -> None:
    for arguments in (["search", "the", "--csv"], ["show", "1"], ["show", "1", "--raw"], ["status"]):
        with Path("/dev/full").open("wb") as full:
            ran = stock.console.spawn(*arguments, stdout=full)
            _, err = ran.communicate(timeout=60)
        assert (ran.returncode, err) == (14, b"muniment: No space left on device\n")


def test_an_interrupted_add_keeps_everything_it_acknowledged(console: Console, tmp_path: Path) -> None:
    adding = console.spawn("add", "--from", "-", "--json", "--processes", "1")
    assert adding.stdin and adding.stdout and adding.stderr
    os.set_blocking(adding.stdin.fileno(), False)
    printed, sent, deadline = b"", 0, time.monotonic() + 60
    while printed.count(b"\n") < 150:  # two commits: feed it for as long as that takes
        assert time.monotonic() < deadline
        line = b'{"text": "Words number %d, of a list that does not end."}\n' % sent
        try:
            sent += os.write(adding.stdin.fileno(), line) == len(line)
        except BlockingIOError:
            select.select([adding.stdout], [], [], 1)
        while select.select([adding.stdout], [], [], 0)[0]:
            printed += os.read(adding.stdout.fileno(), 65536)
    adding.send_signal(signal.SIGINT)
    rest, err = adding.communicate(timeout=30)
    assert adding.returncode == 130
    assert err.decode().strip() == "muniment: interrupted; everything acknowledged is stored"
    acknowledged = [line for line in (printed + rest).splitlines() if b'"stored"' in line]
    assert console("verify", "--json").rows()[-1]["findings"] == 0
    assert console("status", "--json").json()["articles"] >= len(acknowledged) >= 150
    assert console("search", "words", "--ids", "--all").lines


def test_an_interrupt_does_not_wait_for_a_server_that_hangs(console: Console, tmp_path: Path) -> None:
    import socket

    (tmp_path / "good.html").write_bytes(page("Good"))
    with socket.create_server(("127.0.0.1", 0)) as listener:  # takes connections and never says a word
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
        adding = console.spawn("add", "good.html", url, "--allow-private", "--json")
        assert adding.stdout is not None
        assert b'"stored"' in adding.stdout.readline()
        begun = time.monotonic()
        adding.send_signal(signal.SIGINT)
        _, err = adding.communicate(timeout=60)
        assert time.monotonic() - begun < 20
    assert adding.returncode == 130
    assert b"interrupted" in err
    console("verify")


# ---- help and completion


@pytest.mark.parametrize(
    "command", [[], *([name] for name in COMMANDS)], ids=lambda words: " ".join(words) or "muniment"
)
def test_help_is_short_lines_and_every_command_takes_quiet_and_verbose(tmp_path: Path, command: list[str]) -> None:
    console = Console(None, tmp_path)
    for option in ("--help", "-h"):
        text = console(*command, option).out
        assert max(map(len, text.splitlines())) <= 100
    if command:
        assert "-q, --quiet" in text
        assert "-v, --verbose" in text
        assert text.splitlines()[0].startswith(f"Usage: muniment {command[0]}")
        assert ("each request" in text) == ("--resolve" in text), "only what fetches has requests to tell of"
    else:
        assert all(f"  {name} " in text for name in COMMANDS)
        assert "Exit codes" in text


def test_every_command_takes_quiet_and_verbose_together(
    stock: Stock, copied: Callable[[], Console], tmp_path: Path
) -> None:
    console = copied()
    numbers = {"show": ["1"], "history": ["1"], "search": ["the"], "completion": ["bash"], "add": ["--dry-run", str(stock.console.cwd / "papers")],
               "init": [str(tmp_path / "new")], "prove": ["1", "-o", str(tmp_path / "a.zip")],
               "check": [str(tmp_path / "a.zip")], "export": ["--format", "csv", "-o", "-", "1"],
               "tag": ["1", "a"], "note": ["1", "a"], "collect": ["a", "1"],
               "withdraw": ["1", "--reason", "a"], "clean": ["--rederive", "1"],
               "diff": [str(row["snapshot"]) for row in stock.added.values() if row["state"] == "stored"][:2]}  # fmt: skip
    for command in (
        name for name in COMMANDS if name not in ("reindex", "rebuild", "stamp", "feed", "sitemap", "crawl")
    ):
        console(command, "-q", "-v", *numbers.get(command, []))


def test_the_version_is_told(tmp_path: Path) -> None:
    assert re.fullmatch(r"muniment \d+\.\d+\S*", Console(None, tmp_path)("--version").out.strip())


@pytest.mark.parametrize("arguments", [["nonsense"], ["--nonsense"], ["show"], ["show", "1", "2"], ["history"],
                                       ["completion", "tcsh"], ["reindex", "--engine", "x"]])  # fmt: skip
def test_wrong_usage_is_told_in_a_few_lines(stock: Stock, arguments: list[str]) -> None:
    done = stock.console(*arguments, code=2)
    assert done.out == ""
    assert len(done.err.splitlines()) <= 5


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts_are_printed_and_their_shell_reads_them(tmp_path: Path, shell: str) -> None:
    script = Console(None, tmp_path)("completion", shell).out
    assert "_MUNIMENT_COMPLETE" in script
    if shutil.which(shell):
        (tmp_path / "script").write_text(script)
        subprocess.run([shell, "-n", tmp_path / "script"], check=True, timeout=30)


def test_completion_offers_commands_and_options(tmp_path: Path) -> None:
    console = Console(None, tmp_path)
    program = Path(sys.executable).with_name("muniment")
    if not program.exists():
        pytest.skip("the console script is not installed")
    words = {
        "muniment se": "search",
        "muniment search --off": "--offset",
        "muniment reindex --engine wh": "whoosh",
        "muniment search --facet so": "source",
        "muniment search --facet source,ye": "source,year",
    }
    for line, expected in words.items():
        ran = subprocess.run(
            [program], capture_output=True, text=True, timeout=30, cwd=console.cwd,
            env=environment(None, _MUNIMENT_COMPLETE="bash_complete", COMP_WORDS=line, COMP_CWORD=str(line.count(" "))),
        )  # fmt: skip
        assert expected in ran.stdout, (line, ran)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
@pytest.mark.parametrize(
    "line", ["add lis", "add --from lis", "--archive lis", "init lis", "history lis", "verify --checkpoint lis"]
)
def test_completion_leaves_files_to_the_shell(tmp_path: Path, line: str, shell: str) -> None:
    words = f"muniment {line}"
    count = str(words.count(" ")) if shell != "fish" else "lis"
    ran = subprocess.run(
        COMMAND, capture_output=True, text=True, timeout=30, cwd=tmp_path,
        env=environment(None, _MUNIMENT_COMPLETE=f"{shell}_complete", COMP_WORDS=words, COMP_CWORD=count),
    )  # fmt: skip
    assert "file" in ran.stdout, ran
