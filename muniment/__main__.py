"""The command `muniment`, and `python -m muniment`: what has to hold before anything else is imported."""

from __future__ import annotations

import os
import sys

_INTERRUPTED = 130


def main() -> None:
    """Runs one command line and ends with the exit code that docs/cli.md lists."""
    if sys.platform in ("win32", "cygwin"):
        sys.exit("muniment runs on Linux and macOS: it needs their file locks; on Windows use WSL")
    try:
        _open_streams()
        from muniment.cli import run

        code = run(sys.argv[1:])
    except KeyboardInterrupt:  # importing takes most of a search: Control-C may well come then
        os.write(2, b"muniment: interrupted; everything acknowledged is stored\n")
        code = _INTERRUPTED
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, KeyboardInterrupt):
            continue
    os._exit(code)  # without waiting for threads: a server may let a fetch hang for minutes after Control-C


def _open_streams() -> None:
    """Leads the standard streams that the caller closed nowhere; else the next file to be opened, which may be the
    catalog, would get the number of one of them."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_RDWR), mode, encoding="utf-8"))


if __name__ == "__main__":
    main()
