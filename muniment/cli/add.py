"""`muniment add`"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Literal

import click

from muniment import pipeline
from muniment.cli.common import (
    PATH,
    echo,
    fetch_options,
    json_option,
    one_line,
    open_archive,
    wait_option,
)
from muniment.cli.fetching import check_browser, check_page_options, page_options, pages_of, policy_of, resolve_of
from muniment.cli.numbers import Count, Size
from muniment.cli.outcomes import SOME_FAILED, print_added, print_failure, report, shows_progress
from muniment.cli.progress import Adding
from muniment.errors import UsageError
from muniment.ingest.policy import MAX_RESPONSE
from muniment.ingest.upload import MAX_UPLOAD
from muniment.model import Declared

if TYPE_CHECKING:
    from muniment.adding import Fetches
    from muniment.archive.archive import Archive
    from muniment.ingest.upload import Target


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
@page_options
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
            policy = policy_of(archive, options, resolve)
            check_browser(policy, options)

            @cache
            def fetcher() -> Fetches:  # when the first URL comes: uploads need no network code
                from muniment.ingest.fetch import Fetcher

                return pages_of(Fetcher(policy), options, files)

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
    check_page_options(options)
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
            print_added(Added(target.name, state, url=target.url, error=target.problem))
        elif target.problem is None:
            echo(f"would add {one_line(target.name)}")
        else:
            print_failure(target.name, target.problem)
    return SOME_FAILED if failed else 0


def _add(archive: Archive, targets: Iterator[Target], fetcher: Callable[[], Fetches], options: dict[str, Any]) -> int:
    import gc

    from muniment.adding import AddOptions

    gc.set_threshold(50_000)  # thousands of short-lived values an item, and hardly a cycle among them
    known = None if options["lists"] or not shows_progress(options) else list(targets)
    progress = Adding(len(known) if known else None) if shows_progress(options) else None
    settings = AddOptions(
        options["processes"],
        _max_size(options),
        options["ocr"],
        options["wait"],
        reading=progress.reading if progress else None,
    )
    return report(pipeline.add(archive, known or targets, fetcher, settings), options, progress)


def is_stamped(archive: Archive) -> bool:
    """Whether archive.toml asks for a time stamp at the end. Raises UsageError where `[stamp]` is wrong."""
    if not archive.config.stamp:
        return False
    from muniment.archive.authorities import read_settings

    return read_settings(archive.config.stamp).after_add
