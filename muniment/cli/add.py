"""`muniment add`"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import ExitStack, closing, nullcontext
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Literal

import click

from muniment import pipeline
from muniment.cli.common import (
    PATH,
    echo,
    faint,
    fetch_options,
    json_option,
    note,
    one_line,
    open_archive,
    print_json,
    wait_option,
)
from muniment.cli.numbers import Count, Size
from muniment.errors import UsageError
from muniment.ingest.policy import MAX_RESPONSE
from muniment.ingest.upload import MAX_UPLOAD
from muniment.model import Declared

if TYPE_CHECKING:
    from muniment.adding import Added, Fetches
    from muniment.archive.archive import Archive
    from muniment.ingest.policy import FetchPolicy
    from muniment.ingest.upload import Target

_STYLES = {"stored": "green", "unchanged": "cyan", "kept": "cyan", "failed": "red", "skipped": "yellow"}
_ALL_FAILED, _SOME_FAILED = 13, 3


@click.command()
@click.argument("targets", nargs=-1, type=PATH, metavar="TARGET...")
@click.option("--from", "lists", multiple=True, type=PATH, metavar="FILE",
              help="Read targets from FILE (- for standard input): one a line, or JSON lines.")  # fmt: skip
@click.option("--url", help="The address that an upload comes from.")
@click.option("--title", help="Declare the title.")
@click.option("--published", metavar="DATE", help="Declare the date of publication: 2021, 2021-05 or 2021-05-30.")
@click.option("--source", help="Declare the source.")
@click.option("--language", metavar="CODE", help="Declare the language, such as en or fa.")
@click.option("--author", "authors", multiple=True, help="Declare an author; may be repeated.")
@click.option("--tag", "tags", multiple=True, help="Tag the article; may be repeated.")
@click.option("--dry-run", is_flag=True, help="List what would be added, and add nothing.")
@click.option("--ignore-robots", is_flag=True, help="Fetch pages that robots.txt asks not to.")
@click.option(
    "--browser", is_flag=True, help="Load pages in Chromium (needs muniment[browser]), and keep every response."
)
@click.option("--requisites", is_flag=True, help="Fetch a page's pictures, styles and scripts too.")
@click.option("--max-size", type=Size(), metavar="SIZE",
              help="Refuse responses and files over this size, such as 64MB. "
                   f"Default: {MAX_RESPONSE >> 20} MiB a response, {MAX_UPLOAD >> 20} MiB a file.")  # fmt: skip
@click.option("--ocr", metavar="LANG", help="Have scanned PDFs read by tesseract, in LANG such as eng or fas+eng.")
@click.option("--processes", type=Count(1, 64), metavar="N", help="Clean in N processes. Default: one a core.")
@wait_option
@json_option
@fetch_options
@click.pass_context
def add(ctx: click.Context, /, **options: Any) -> None:
    """Capture URLs, upload files and folders (recursively), import WARC, ARC and WACZ files, - for standard input.

    Prints a line an item, once it is on the disk. An item that fails is named, recorded in the log as an attempt, and
    the rest go on (exit code 3; 13 where every item is a URL that could not be fetched).
    """
    _check_call(options)
    declared = _declared(options)
    resolve = resolve_of(options)
    if options["ocr"] is not None:
        from muniment.ingest.ocr import check_ocr

        check_ocr(options["ocr"])
    with ExitStack() as files:
        targets = _targets(options, declared, files)
        if options["dry_run"]:
            code = _list_targets(targets, options["as_json"])
        else:
            archive = open_archive(ctx, wait=options["wait"])
            stamps = is_stamped(archive)
            fetcher = _fetcher(policy_of(archive, options, resolve), options, files)
            code = _add(archive, targets, fetcher, options)
            stamp_if(stamps, archive, options, resolve)
    ctx.exit(code)


def stamp_if(stamps: bool, archive: Archive, options: dict[str, Any], resolve: dict[str, str]) -> None:
    if stamps:
        from muniment.cli.stamp import stamp_after_add

        stamp_after_add(archive, options, resolve)


def _check_call(options: dict[str, Any]) -> None:
    targets, lists = options["targets"], options["lists"]
    if not targets and not lists:
        raise click.UsageError("name a URL, a file, a folder, - or --from FILE")
    single = [name for name in ("url", "title", "published") if options[name]]
    if single and (len(targets) != 1 or lists):
        raise click.UsageError(f"--{single[0]} declares one item, so name exactly one target")
    if options["browser"] and options["requisites"]:
        raise click.UsageError("--browser keeps what a page needs: leave out --requisites")
    if (*targets, *lists).count("-") > 1:
        raise click.UsageError("standard input can be read once: give - once, as a target or to --from")


def _declared(options: dict[str, Any]) -> Declared:
    from muniment.ingest.upload import declared_of

    return declared_of(
        Declared(
            url=options["url"],
            title=options["title"],
            published=options["published"],
            source=options["source"],
            language=options["language"],
            authors=options["authors"],
            tags=options["tags"],
        )
    )


def _targets(options: dict[str, Any], declared: Declared, files: ExitStack) -> Iterator[Target]:
    """The targets of the call, one at a time; a list that cannot be opened is refused before anything is added."""
    from itertools import chain

    from muniment.ingest.upload import expand, read_list

    lists = [(_open_list(name, files), "standard input" if name == "-" else name) for name in options["lists"]]
    named = expand(options["targets"], declared, sys.stdin.buffer, _max_size(options))
    return chain(named, *(read_list(lines, declared, name) for lines, name in lists))


def _open_list(name: str, files: ExitStack) -> BinaryIO:
    if name == "-":
        return sys.stdin.buffer
    try:
        return files.enter_context(Path(name).open("rb"))
    except OSError as e:
        raise UsageError(f"cannot read the list {name}: {e.strerror}") from e


def _max_size(options: dict[str, Any]) -> int:
    """The limit in bytes of an upload."""
    return options["max_size"] or MAX_UPLOAD


def _list_targets(targets: Iterable[Target], as_json: bool) -> int:
    from muniment.adding import Added

    failed = 0
    for target in targets:
        failed += target.problem is not None
        if as_json:
            state: Literal["skipped", "failed"] = "skipped" if target.problem is None else "failed"
            _print_json(Added(target.name, state, url=target.url, error=target.problem))
        elif target.problem is None:
            echo(f"would add {one_line(target.name)}")
        else:
            _print_failure(target.name, target.problem)
    return _SOME_FAILED if failed else 0


def _add(archive: Archive, targets: Iterator[Target], fetcher: Callable[[], Fetches], options: dict[str, Any]) -> int:
    import gc

    from muniment.adding import AddOptions

    gc.set_threshold(50_000)  # thousands of short-lived values an item, and hardly a cycle among them
    show_bar = shows_bar(options)
    settings = AddOptions(options["processes"], _max_size(options), options["ocr"], options["wait"])
    total = None if not show_bar or options["lists"] else list(targets)
    results = pipeline.add(archive, total or targets, fetcher, settings)
    return report(results, options, _bar(total, show_bar))


def shows_bar(options: dict[str, Any]) -> bool:
    return sys.stderr.isatty() and not options["quiet"] and not options["as_json"]


def report(results: Generator[Added, None, None], options: dict[str, Any], progress: Any) -> int:
    """Prints what became of each item, and a summary; returns the exit code. `progress` is a context that gives a bar,
    or None."""
    quiet = options["quiet"]
    counts: dict[str, int] = {}
    fetch_failures = 0
    with progress as bar, closing(results):  # at an interruption too, before the archive is
        for added in results:
            counts[added.state] = counts.get(added.state, 0) + 1
            fetch_failures += added.state == "failed" and _is_fetch(added)
            try:
                _print(added, options["as_json"], bar)
            except BrokenPipeError:  # nobody reads on: what was asked for is done all the same
                sys.stdout = Path(os.devnull).open("w")  # noqa: SIM115 - for the rest of the process
            if bar is not None:
                bar.update(1)
    done = sum(counts.values())
    if not done:
        note("nothing to add", quiet=quiet)
    elif done != 1 or counts.get("failed"):
        note(", ".join(f"{count:,} {state}" for state, count in sorted(counts.items(), reverse=True)), quiet=quiet)
    if not counts.get("failed"):
        return 0
    return _ALL_FAILED if fetch_failures == done else _SOME_FAILED


def _is_fetch(added: Added) -> bool:
    if added.reason in ("bad-target", "bad-listing"):
        return False
    return added.reason == "bad-url" or added.url is not None


def _bar(targets: list[Target] | None, show: bool) -> Any:
    """What shows on a terminal how far the work is: a bar, or a count where nobody knows how long a list is."""
    if not show or (targets is not None and len(targets) < 2):
        return nullcontext()
    if targets is None:
        return _Count()
    return click.progressbar(length=len(targets), file=sys.stderr, label="adding")


def waiting_bar(show: bool) -> Any:
    """The count where nobody knows yet how many there will be."""
    return _bar(None, show)


class _Count:
    """`adding 12`, on one line of stderr, gone at the end."""

    def __init__(self) -> None:
        self._done = 0

    def __enter__(self) -> _Count:
        self.update(0)
        return self

    def __exit__(self, *_: object) -> None:
        click.echo("\r\033[K", nl=False, err=True)

    def update(self, steps: int) -> None:
        self._done += steps
        click.echo(f"\r\033[Kadding {self._done:,}", nl=False, err=True)


def _fetcher(policy: FetchPolicy, options: dict[str, Any], opened: ExitStack) -> Callable[[], Fetches]:
    """A function that makes the fetcher when the first URL comes: uploads need no network code. Raises UsageError."""
    if options["browser"]:
        from muniment.ingest.browser import find_browser

        find_browser(policy.browser)

    @cache
    def fetcher() -> Fetches:
        from muniment.ingest.fetch import Fetcher

        plain = Fetcher(policy)
        if options["browser"]:
            from muniment.ingest.browser import BrowserFetcher

            return opened.enter_context(closing(BrowserFetcher(plain, policy)))
        if options["requisites"]:
            from muniment.ingest.requisites import RequisiteFetcher

            return RequisiteFetcher(plain)
        return plain

    return fetcher


def policy_of(archive: Archive, options: dict[str, Any], resolve: dict[str, str]) -> FetchPolicy:
    """How to fetch, as archive.toml and the options ask for. Raises UsageError."""
    from muniment.ingest.policy import FetchPolicy, check_settings

    settings = dict(archive.config.fetch)
    try:
        check_settings(settings)
    except UsageError as e:
        raise UsageError(f"{archive.root / 'archive.toml'}, [fetch]: {e}") from e
    if options["max_size"]:
        settings["max_size"] = options["max_size"]
    if options["ignore_robots"]:
        settings["respect_robots"] = False
    return FetchPolicy(allow_private=options["allow_private"], resolve=resolve, **settings)


def is_stamped(archive: Archive) -> bool:
    """Whether archive.toml asks for a time stamp at the end. Raises UsageError where `[stamp]` is wrong."""
    if not archive.config.stamp:
        return False
    from muniment.archive.authorities import read_settings

    return read_settings(archive.config.stamp).after_add


def resolve_of(options: dict[str, Any]) -> dict[str, str]:
    """What `--resolve` says. Raises UsageError."""
    if not options["resolve"]:
        return {}
    from muniment.ingest.address import parse_override

    return dict(map(parse_override, options["resolve"]))


def _print(added: Added, as_json: bool, bar: Any) -> None:
    if as_json:
        _print_json(added)
        return
    if added.state == "kept" or (added.state == "unchanged" and added.title is None and added.source is None):
        return  # thousands in a file; the summary counts them
    if bar is not None and sys.stderr.isatty():
        click.echo("\r\033[K", nl=False, err=True)
    if added.state == "failed":
        _print_failure(added.target, added.error or "")
    else:
        echo(_line(added))


def _print_json(added: Added) -> None:
    shown = ("target", "state", "snapshot", "url", "title", "published", "source", "problem", "error")
    print_json({name: getattr(added, name) for name in shown})


def _print_failure(name: str, error: str) -> None:
    note(f"{click.style('failed', fg='red')} {one_line(name)}: {one_line(error)}")


def _line(added: Added) -> str:
    state = click.style(added.state, fg=_STYLES[added.state])
    title = one_line(added.title or "") or faint(f"({added.problem or 'no title'})")
    parts = [f"#{added.snapshot}", state, one_line(added.source or "-"), added.published or "-", title]
    if added.title and added.problem:
        parts.append(faint(f"(no text: {added.problem})"))
    return " ".join(parts)
