"""Ready units for what calls `muniment jobs run --due` by the clock. What they miss is run at their next call."""

from __future__ import annotations

import hashlib
import logging
import os
import pwd
import re
import shlex
import socket
import sys
from pathlib import Path
from xml.sax.saxutils import escape

from muniment.archive.config import read_config
from muniment.archive.keys import PASSPHRASE_FILE, is_encrypted
from muniment.errors import UsageError

_log = logging.getLogger(__name__)

KINDS = ("systemd", "cron", "launchd")
_NEEDED = ("XDG_CONFIG_HOME", PASSPHRASE_FILE)
_SPREAD = 30  # seconds
_JOINERS = "\u200c\u200d"  # they are not printed, and names in Persian are written with them


def command(root: Path) -> list[str]:
    """This interpreter, so that a virtual environment needs no PATH; and what says here where the keys are."""
    said = [f"{name}={Path(path).absolute()}" for name in _NEEDED if (path := os.environ.get(name))]
    called = [sys.executable, "-m", "muniment", "--archive", str(root), "jobs", "run", "--due", "--quiet"]
    return ["/usr/bin/env", *said, *called] if said else called


def name_of(root: Path) -> str:
    """What the units of an archive are called: another one's on this machine are called otherwise."""
    slug = re.sub(r"[^a-z0-9]+", "-", root.name.lower()).strip("-")[:40]
    return "-".join(part for part in ("muniment", slug, hashlib.sha256(str(root).encode()).hexdigest()[:4]) if part)


def _user(root: Path) -> str:
    """Who prints the unit; or who owns the archive, where root does: what root writes there, nobody else can add to."""
    uid = os.getuid() or root.stat().st_uid
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:  # as in containers, where users have no names
        return str(uid)


def unit(kind: str, root: Path, minutes: int, hours: int) -> str:
    """`minutes` between two calls; a call is stopped after `hours`, and the next one goes on where it stood. Warns
    where the calls will lack the passphrase. Raises UsageError."""
    if not all(c.isprintable() or c in _JOINERS for c in str(root)):
        raise UsageError(f"the archive's path {str(root)!r} has a character that no unit can hold: rename it")
    if kind == "cron" and "\\" in "".join(command(root)):  # some crons take backslashes out, and others do not
        raise UsageError(f"the path {str(root)!r}, or python's, has a backslash, which crons read differently")
    if kind == "systemd" and set(sys.executable) & set("\\\"'"):
        raise UsageError(f"systemd starts no program whose path has a quote or backslash: {sys.executable}")
    if is_encrypted(read_config(root).vkeys[-1]) and not os.environ.get(PASSPHRASE_FILE):
        _log.warning(
            "the private key is encrypted, so that nothing can be added by the clock: set %s to a file with its"
            " passphrase, and print this again",
            PASSPHRASE_FILE,
        )
    return {"systemd": _systemd, "cron": _cron, "launchd": _launchd}[kind](command(root), root, minutes, hours)


def spread(root: Path) -> int:
    """Seconds by which calls are late, so that machines and archives do not all call at once: less than half a minute,
    and always the same of one archive on one host."""
    digest = hashlib.sha256(f"{socket.gethostname()} {root}".encode()).digest()
    return int.from_bytes(digest[:8]) % _SPREAD


def _systemd(words: list[str], root: Path, minutes: int, hours: int) -> str:
    words = [*words, "--stop-after", str(hours)]  # what TimeoutStartSec ends, systemd calls failed
    program, *rest = [f'"{_systemd_escaped(word)}"' for word in words]
    called = " ".join((program, *(word.replace("$", "$$") for word in rest)))  # in the program's path no $ is read
    name = name_of(root)
    return f"""\
# /etc/systemd/system/{name}.service
[Unit]
Description=muniment: scheduled archiving in {_systemd_text(root)}
Wants=network-online.target
After=network-online.target

[Service]
Type=oneshot
# who owns the archive, and has its private key
User={_user(root)}
ExecStart={called}
# 3: a part could not be had, and is told; 11: another run is at it; 130: stopped, and goes on at the next call
SuccessExitStatus=3 11 130
TimeoutStartSec={hours}h 10min
TimeoutStopSec=2min
Nice=10

# /etc/systemd/system/{name}.timer
[Unit]
Description=muniment: scheduled archiving in {_systemd_text(root)}

[Timer]
OnCalendar=*:0/{minutes}
Persistent=true
RandomizedDelaySec={_SPREAD}s
AccuracySec=10s

[Install]
WantedBy=timers.target

# Put both in place, then:
#   systemctl daemon-reload
#   systemctl enable --now {name}.timer
# Without root: both in ~/.config/systemd/user and without the line User=, then the same with `systemctl --user`, and
#   loginctl enable-linger   # so that it runs while nobody is logged in
"""


def _systemd_text(root: Path) -> str:
    return str(root).replace("\\", "/").replace("%", "%%")


def _systemd_escaped(word: str) -> str:
    return word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")


def _cron(words: list[str], root: Path, minutes: int, hours: int) -> str:
    called = shlex.join(words).replace("%", "\\%")
    return f"""\
# crontab -e   (of {_user(root)})
# What was missed while the machine was off is run at the next call. `timeout` ends a call that takes too long.
*/{minutes} * * * * sleep {spread(root)}; timeout --kill-after=5m {hours}h {called}
"""


def _launchd(words: list[str], root: Path, minutes: int, hours: int) -> str:
    late = ("/bin/sh", "-c", f'sleep {spread(root)}; exec "$0" "$@"')
    called = (*late, *words, "--stop-after", str(hours))
    name = name_of(root)
    arguments = "\n".join(f"    <string>{escape(word)}</string>" for word in called)
    return f"""\
<?xml version="1.0" encoding="UTF-8"?>
<!-- ~/Library/LaunchAgents/{name}.plist, then: launchctl load ~/Library/LaunchAgents/{name}.plist -->
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0">
<dict>
  <key>Label</key>
  <string>{name}</string>
  <key>ProgramArguments</key>
  <array>
{arguments}
  </array>
  <key>StartInterval</key>
  <integer>{60 * minutes}</integer>
  <key>RunAtLoad</key>
  <true/>
  <key>ExitTimeOut</key>
  <integer>60</integer>
  <key>LowPriorityIO</key>
  <true/>
  <key>StandardErrorPath</key>
  <string>{escape(str(root / "jobs" / "launchd.log"))}</string>
</dict>
</plist>
"""
