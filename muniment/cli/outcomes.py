"""What became of each item, as `add`, `feed`, `sitemap` and `crawl` tell it."""

from __future__ import annotations

import os
import sys
from collections.abc import Generator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from muniment.cli.common import echo, faint, note, one_line, print_json, textless
from muniment.cli.progress import Adding, end_progress

if TYPE_CHECKING:
    from muniment.adding import Added

_STYLES = {"stored": "green", "unchanged": "cyan", "kept": "cyan", "failed": "red", "skipped": "yellow"}
ALL_FAILED, SOME_FAILED = 13, 3


def shows_progress(options: dict[str, Any]) -> bool:
    return sys.stderr.isatty() and not options["quiet"] and not options["as_json"]


def report(results: Generator[Added, None, None], options: dict[str, Any], progress: Adding | None) -> int:
    """Prints what became of each item, and a summary; returns the exit code."""
    quiet = options["quiet"]
    counts, empty = dict[str, int](), dict[str, int]()
    fetch_failures = 0
    with closing(results):  # at an interruption too, before the archive is
        for added in results:
            counts[added.state] = counts.get(added.state, 0) + 1
            fetch_failures += added.state == "failed" and _is_fetch(added)
            if (remedy := _remedy(added, options)) is not None:
                empty[remedy] = empty.get(remedy, 0) + 1
            try:
                _print(added, options["as_json"])
            except BrokenPipeError:  # nobody reads on: what was asked for is done all the same
                sys.stdout = Path(os.devnull).open("w")  # noqa: SIM115 - for the rest of the process
            if progress is not None:
                progress.update()
    end_progress()
    done = sum(counts.values())
    if not done:
        note("nothing to add", quiet=quiet)
    elif done != 1 or counts.get("failed"):
        note(", ".join(f"{count:,} {state}" for state, count in sorted(counts.items(), reverse=True)), quiet=quiet)
    for remedy, count in empty.items():
        note(f"{count:,} without text: {remedy}", quiet=quiet)
    if not counts.get("failed"):
        return 0
    return ALL_FAILED if fetch_failures == done else SOME_FAILED


def _remedy(added: Added, options: dict[str, Any]) -> str | None:
    """Which option may give an item its text."""
    problem = added.problem or ""
    if added.state not in ("stored", "unchanged"):
        return None
    if problem == "no-text" and added.target == added.url and not options["browser"]:
        return "where a page's text comes by script, --browser gets it"
    if problem.startswith("no-text: scanned") and not problem.endswith("recognised") and not options.get("ocr"):
        return "--ocr LANG reads scanned pages"
    return None


def _is_fetch(added: Added) -> bool:
    if added.reason in ("bad-target", "bad-listing"):
        return False
    return added.reason == "bad-url" or added.url is not None


def _print(added: Added, as_json: bool) -> None:
    if as_json:
        print_added(added)
        return
    if added.state == "kept" or (added.state == "unchanged" and added.title is None and added.source is None):
        return  # thousands in a file; the summary counts them
    end_progress()
    if added.state == "failed":
        print_failure(added.target, added.error or "")
    else:
        echo(_line(added))


def print_added(added: Added) -> None:
    """As JSON."""
    shown = ("target", "state", "snapshot", "url", "title", "published", "source", "problem", "error")
    print_json({name: getattr(added, name) for name in shown})


def print_failure(name: str, error: str) -> None:
    note(f"{click.style('failed', fg='red')} {one_line(name)}: {one_line(without_name(error, name))}")


def without_name(error: str, name: str) -> str:
    """What an error says, where its line begins with the name already."""
    return error.removeprefix(f"{name} ").replace(f" of {name}: ", ": ").replace(f" fetch {name}", " fetch it")


def _line(added: Added) -> str:
    """An item without a title goes by its address or file."""
    state = click.style(added.state, fg=_STYLES[added.state])
    number = [f"#{added.snapshot}"] if added.snapshot is not None else []
    said = added.problem or ("" if added.title else "no title")
    if added.title and said and added.state != "skipped":
        said = textless(said)
    parts = [
        *number,
        state,
        one_line(added.source or "-"),
        added.published or "-",
        one_line(added.title or added.target),
    ]
    return " ".join([*parts, faint(f"({said})")] if said else parts)
