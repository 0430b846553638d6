"""Ready units: read by what is to run them, where that is installed, and run as a shell would."""

from __future__ import annotations

import os
import plistlib
import pwd
import re
import shlex
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from muniment.archive.archive import create
from muniment.errors import UsageError
from muniment.jobs import keeping
from muniment.jobs.units import command, name_of, spread, unit
from tests.conftest import NOW

AWKWARD = "odd 100% $HOME \"q\" 'a' é خبر\u200cها"


@pytest.fixture
def odd(tmp_path: Path) -> Path:
    """An archive whose name every one of them has to escape."""
    root = create(tmp_path / AWKWARD, "test.example/log", NOW).root
    keeping.write(root, "audit", 'schedule = "every week"\nverify = "10%"\n')
    return root


def test_the_systemd_units_are_such_and_start_what_they_should(odd: Path, tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd is not installed")
    text = unit("systemd", odd, 7, 3)
    service, timer = re.split(r"(?m)^# /etc/systemd/system/muniment-\S+\.timer\n", text)
    (tmp_path / "muniment-jobs.service").write_text(service)
    (tmp_path / "muniment-jobs.timer").write_text(timer)
    units = [str(tmp_path / f"muniment-jobs.{kind}") for kind in ("service", "timer")]
    done = subprocess.run(["systemd-analyze", "verify", *units], capture_output=True, text=True)
    complaints = [line for line in done.stderr.splitlines() if "muniment" in line]
    assert (done.returncode, complaints) == (0, [])
    assert "Persistent=true" in timer
    assert "RandomizedDelaySec=30s" in timer
    assert "TimeoutStartSec=3h 10min" in service  # systemd calls failed what it ends: --stop-after comes before
    assert "OnCalendar=*:0/7" in timer
    [started] = re.findall(r"^ExecStart=(.+)$", service, re.M)
    words = [re.sub(r"\\(.)", r"\1", word) for word in re.findall(r'"((?:[^"\\]|\\.)*)"', started)]
    assert [word.replace("%%", "%").replace("$$", "$") for word in words] == [*command(odd), "--stop-after", "3"]


def test_the_systemd_unit_starts_a_program_whose_path_is_as_awkward(
    odd: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd is not installed")
    program = tmp_path / "odd 100% $HOME é" / "python"
    program.parent.mkdir()
    program.symlink_to(sys.executable)
    monkeypatch.setattr(sys, "executable", str(program))
    service, *_ = re.split(r"(?m)^# /etc/systemd/system/muniment-\S+\.timer\n", unit("systemd", odd, 7, 3))
    (tmp_path / "muniment-jobs.service").write_text(service)
    called = ["systemd-analyze", "verify", str(tmp_path / "muniment-jobs.service")]
    done = subprocess.run(called, capture_output=True, text=True)
    complaints = [line for line in done.stderr.splitlines() if "muniment" in line]
    assert (done.returncode, complaints) == (0, [])
    monkeypatch.setattr(sys, "executable", str(odd / "python"))
    with pytest.raises(UsageError, match="quote"):  # systemd starts none such
        unit("systemd", odd, 7, 3)


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
    assert wait == f"sleep {spread(odd)}"
    done = subprocess.run(["/bin/sh", "-c", rest], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert (odd / "jobs" / "alarms.json").exists()
    assert shlex.split(rest)[3:] == command(odd)


def test_the_property_list_is_one_and_names_the_command(odd: Path) -> None:
    values = plistlib.loads(unit("launchd", odd, 5, 12).encode())
    shell, called = values["ProgramArguments"][:3], values["ProgramArguments"][3:]
    assert shell == ["/bin/sh", "-c", f'sleep {spread(odd)}; exec "$0" "$@"']
    assert called == [*command(odd), "--stop-after", "12"]
    assert (values["StartInterval"], values["RunAtLoad"]) == (300, True)
    assert values["StandardErrorPath"] == str(odd / "jobs" / "launchd.log")
    at_once = [*shell[:2], shell[2].replace("sleep", ":", 1), *called]
    done = subprocess.run(at_once, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("kind", ["systemd", "cron", "launchd"])
def test_a_path_of_several_lines_is_refused(kind: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="rename it"):
        unit(kind, tmp_path / "a\nb", 5, 12)


def test_calls_are_spread_over_hosts_and_archives_and_always_the_same(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = {spread(tmp_path / str(number)) for number in range(300)}
    assert here == set(range(30))
    for kind in ("cron", "launchd"):
        assert unit(kind, root, 5, 12) == unit(kind, root, 5, 12)
    hosts = set()
    for number in range(300):
        monkeypatch.setattr(socket, "gethostname", lambda number=number: f"host{number}")
        hosts.add(spread(tmp_path))
    assert hosts == set(range(30))


def test_a_backslash_which_crons_read_differently_is_refused_for_cron(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="backslash"):
        unit("cron", tmp_path / "a\\%b", 5, 12)
    assert "a\\%b" in unit("launchd", create(tmp_path / "a\\%b", "test.example/log", NOW).root, 5, 12)


def test_the_command_is_this_interpreters(tmp_path: Path) -> None:
    assert sys.executable in command(tmp_path)[:3]  # behind what says where the keys are


def test_units_of_two_archives_are_told_apart_and_know_where_the_keys_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = (create(tmp_path / name / "Archive of A", "test.example/log", NOW).root for name in "ab")
    assert name_of(first) != name_of(second)
    assert re.fullmatch(r"muniment-archive-of-a-[0-9a-f]{4}", name_of(first))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "my keys"))
    assert plistlib.loads(unit("launchd", first, 5, 12).encode())["Label"] == name_of(first)
    line = unit("cron", first, 5, 12).splitlines()[-1].partition("timeout --kill-after=5m 12h ")[2]
    assert shlex.split(line)[:2] == ["/usr/bin/env", f"XDG_CONFIG_HOME={tmp_path / 'my keys'}"]
    assert f"/{name_of(first)}.timer" in unit("systemd", first, 5, 12)
    assert f'"XDG_CONFIG_HOME={tmp_path / "my keys"}"' in unit("systemd", first, 5, 12)


def test_what_calls_start_elsewhere_and_need_is_named_by_whole_paths(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", "settings")
    monkeypatch.setenv("MUNIMENT_PASSPHRASE_FILE", "../secret")
    kept = [f"XDG_CONFIG_HOME={tmp_path}/settings", f"MUNIMENT_PASSPHRASE_FILE={tmp_path}/../secret"]
    assert command(root)[1:3] == kept


def test_a_key_that_no_call_could_open_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    archive = create(tmp_path / "closed", "test.example/log", NOW, passphrase="open")
    unit("cron", archive.root, 5, 12)
    assert "the private key is encrypted" in caplog.text
    caplog.clear()
    monkeypatch.setenv("MUNIMENT_PASSPHRASE_FILE", str(tmp_path / "secret"))
    unit("cron", archive.root, 5, 12)
    monkeypatch.delenv("MUNIMENT_PASSPHRASE_FILE")
    unit("cron", create(tmp_path / "open", "test.example/log", NOW).root, 5, 12)
    assert caplog.text == ""


@pytest.mark.skipif(os.getuid() != 0, reason="nobody else can give a folder away")
@pytest.mark.parametrize(("uid", "name"), [(65534, pwd.getpwuid(65534).pw_name), (54_321, "54321"), (0, "root")])
def test_what_root_prints_is_for_who_owns_the_archive(root: Path, uid: int, name: str) -> None:
    os.chown(root, uid, -1)
    assert f"\nUser={name}\n" in unit("systemd", root, 5, 12)
    assert unit("cron", root, 5, 12).startswith(f"# crontab -e   (of {name})\n")
