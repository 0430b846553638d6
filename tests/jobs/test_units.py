"""Ready units: read by what is to run them, where that is installed, and run as a shell would."""

from __future__ import annotations

import plistlib
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from muniment.errors import UsageError
from muniment.jobs.units import command, unit

AWKWARD = "odd 100% $HOME \"q\" 'a' é"


@pytest.fixture
def odd(tmp_path: Path) -> Path:
    """An archive whose name every one of them has to escape."""
    from muniment.archive.archive import create
    from tests.conftest import NOW

    return create(tmp_path / AWKWARD, "test.example/log", NOW).root


def test_the_systemd_units_are_such_and_start_what_they_should(odd: Path, tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd is not installed")
    text = unit("systemd", odd, 7, 3)
    service, timer = re.split(r"(?m)^# /etc/systemd/system/muniment-jobs\.timer\n", text)
    (tmp_path / "muniment-jobs.service").write_text(service)
    (tmp_path / "muniment-jobs.timer").write_text(timer)
    units = [str(tmp_path / f"muniment-jobs.{kind}") for kind in ("service", "timer")]
    done = subprocess.run(["systemd-analyze", "verify", *units], capture_output=True, text=True)
    complaints = [line for line in done.stderr.splitlines() if "muniment" in line]
    assert (done.returncode, complaints) == (0, [])
    assert "Persistent=true" in timer
    assert "RandomizedDelaySec=30s" in timer
    assert "TimeoutStartSec=3h" in service
    assert "OnCalendar=*:0/7" in timer
    [started] = re.findall(r"^ExecStart=(.+)$", service, re.M)
    words = [re.sub(r"\\(.)", r"\1", word) for word in re.findall(r'"((?:[^"\\]|\\.)*)"', started)]
    assert [word.replace("%%", "%").replace("$$", "$") for word in words] == command(odd)


def test_a_wrong_unit_would_be_noticed(tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd is not installed")
    path = tmp_path / "muniment-jobs.service"
    path.write_text("[Service]\nType=sometimes\nExecStart=relative\n")
    done = subprocess.run(["systemd-analyze", "verify", str(path)], capture_output=True, text=True)
    assert done.returncode != 0


def test_the_line_for_cron_runs_as_cron_runs_it(odd: Path) -> None:
    [line] = [line for line in unit("cron", odd, 5, 12).splitlines() if not line.startswith("#")]
    fields = line.split(" ", 5)
    assert fields[:5] == ["*/5", "*", "*", "*", "*"]
    assert not re.search(r"(?<!\\)%", fields[5])  # which cron would read as the end of the line
    called = fields[5].replace("\\%", "%")
    wait, _, rest = called.partition("; timeout ")
    rest = f"timeout {rest}"
    seconds = subprocess.run(["/bin/sh", "-c", wait.replace("sleep", "echo", 1)], capture_output=True, text=True)
    assert 0 <= int(seconds.stdout) < 30
    done = subprocess.run(["/bin/sh", "-c", rest], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert (odd / "jobs" / "alarms.json").exists()
    assert shlex.split(rest)[3:] == command(odd)


def test_the_property_list_is_one_and_names_the_command(odd: Path) -> None:
    values = plistlib.loads(unit("launchd", odd, 5, 12).encode())
    assert values["ProgramArguments"] == [*command(odd), "--stop-after", "12"]
    assert (values["StartInterval"], values["RunAtLoad"]) == (300, True)
    assert values["StandardErrorPath"] == str(odd / "jobs" / "launchd.log")
    done = subprocess.run(values["ProgramArguments"], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("kind", ["systemd", "cron", "launchd"])
def test_a_path_of_several_lines_is_refused(kind: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="rename it"):
        unit(kind, tmp_path / "a\nb", 5, 12)


def test_the_command_is_this_interpreters(tmp_path: Path) -> None:
    assert command(tmp_path)[0] == sys.executable
