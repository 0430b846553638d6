"""`muniment jobs add`: a job out of options"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from muniment.cli.common import common_options, find_archive, json_option, note, one_line, print_json, write
from muniment.cli.numbers import Count, Seconds
from muniment.errors import UsageError

if TYPE_CHECKING:
    from muniment.jobs.job import Job

F = TypeVar("F", bound=Callable[..., Any])


def job_options(command: F) -> F:
    many = [
        ("--feed", "feeds", "URL", "Capture what this feed names."),
        ("--sitemap", "sitemaps", "URL", "Capture what this sitemap, or a site's sitemaps, name."),
        ("--crawl", "crawls", "URL", "Capture a site by its links, from this page on."),
        ("--url", "urls", "URL", "Capture this page."),
        ("--list", "lists", "FILE", "Capture the addresses in this file."),
        ("--folder", "folders", "DIR", "Take in what is put into this folder."),
        ("--search", "searches", "NAME", "Tell what is new for this saved search."),
        ("--tag", "tags", "TAG", "Tag the articles."),
        ("--match", "match", "PATTERN", "Only addresses like this."),
        ("--exclude", "exclude", "PATTERN", "No addresses like this."),
        ("--host", "hosts", "HOST", "With --crawl: follow links to this host too."),
    ]
    one = [
        ("--verify", "verify", "SHARE", 'Verify a part of the records in each run: "1%", or 200.'),
        ("--export", "export", "PATH", "Export everything; {date} in PATH is the day of the run."),
        ("--every", "every", "TIME", 'How often: "6 hours", "day".'),
        ("--cron", "cron", "EXPR", 'When, as cron has it: "15 */6 * * *".'),
        ("--timezone", "timezone", "ZONE", "Whose clock that is, such as Europe/Paris. Default: UTC."),
        ("--jitter", "jitter", "TIME", 'Put each run off by up to so long: "10 minutes".'),
        ("--source", "source", "NAME", "Declare the source."),
        ("--export-query", "export_query", "QUERY", "With --export: what matches, and not everything."),
        ("--max-time", "time", "TIME", 'Ask for no more pages in a run after so long: "2 hours".'),
        ("--free", "free", "SIZE", 'Add nothing where less is free on the disk. Default: "200MB".'),
        ("--revisit-after", "least", "TIME", 'Look at an article again after so long at first. Default: "6 hours".'),
        ("--revisit-most", "most", "TIME", 'And at last every so long. Default: "60 days".'),
        ("--silent", "silent", "TIME", "Tell where a source has had nothing new for so long."),
        ("--overdue", "overdue", "TIME", 'Tell where a run is so late. Default: "1 hour".'),
    ]
    options = [
        *(click.option(*names[:2], multiple=True, metavar=names[2], help=f"{names[3]} May be repeated.")
          for names in many),
        *(click.option(*names[:2], metavar=names[2], help=names[3]) for names in one),
        click.option("--stamp", is_flag=True, help="Have the log time-stamped."),
        click.option("--browser", is_flag=True, help="Load pages in Chromium (needs muniment[browser])."),
        click.option("--requisites", is_flag=True, help="Fetch a page's pictures, styles and scripts too."),
        click.option("--limit", type=Count(1), metavar="N", help="Ask for N pages a run at most, of each kind."),
        click.option("--depth", type=Count(0, 100), metavar="N", help="How many links or listings deep."),
        click.option("--delay", type=Seconds(), metavar="SECONDS", help="Between two requests to a host. Default: 1."),
        click.option("--budget", type=Count(0), metavar="N", help="Look at N articles again a run at most."
                     " Default: 200."),
        click.option("--no-revisit", is_flag=True, help="Do not look at articles again."),
        click.option("--resolve", multiple=True, metavar="HOST:ADDRESS", help="Connect to ADDRESS for HOST."),
        click.option("--allow-private", is_flag=True, help="Fetch from addresses that are not public too."),
    ]  # fmt: skip
    for option in reversed(options):
        command = option(command)
    return command


@click.command()
@click.argument("name", metavar="NAME")
@job_options
@click.option("--paused", is_flag=True, help="To be resumed later.")
@click.option("--replace", is_flag=True, help="In place of the job of that name.")
@click.option("--dry-run", is_flag=True, help="Check and print the file, and keep nothing.")
@json_option
@common_options
@click.pass_context
def add(ctx: click.Context, /, name: str, **options: Any) -> None:
    """Make a job, as jobs/NAME.toml in the archive: a text that you may change.

    The first run is at the next time of its schedule; `muniment jobs run NAME` runs it now.
    """
    from muniment.cli.jobs import described
    from muniment.jobs import keeping
    from muniment.jobs.job import check_name, format_job, parse_job

    root = find_archive(ctx)
    text = format_job(_table(root, options))
    if keeping.job_file(root, check_name(name)).exists() and not options["replace"]:
        raise UsageError(f"there is a job {name!r} already: use --replace, or another name")
    job = parse_job(name, text)
    _check_places(root, job)
    for warning in _lacking(root, job):
        note(f"muniment: {one_line(warning)}")
    if options["dry_run"]:
        if options["as_json"]:
            print_json({"name": name, "text": text})
        else:
            write(text)
        return
    keeping.write(root, name, text)
    now = datetime.now(UTC)
    keeping.begin(root, name, now)
    if options["as_json"]:
        print_json(described(root, name))
        return
    if job.paused:
        note(f"{name} is kept, and paused: `muniment jobs resume {name}` lets it run", quiet=options["quiet"])
        return
    following = job.schedule.next_run(now, now)
    note(f"{name} is kept: it runs at {following:%Y-%m-%dT%H:%M:%SZ} first, where `muniment jobs run --due`"
         " is called by then (`muniment jobs unit` prints what calls it)", quiet=options["quiet"])  # fmt: skip


def _table(root: Path, options: dict[str, Any]) -> dict[str, Any]:
    """The file's keys and values. Raises UsageError."""
    from muniment.jobs.places import as_kept

    if (options["every"] is None) == (options["cron"] is None):
        raise UsageError('say when: --every "6 hours" or --cron "15 */6 * * *"')
    plain = ("timezone", "jitter", "feeds", "sitemaps", "crawls", "urls", "lists", "folders", "searches", "stamp",
             "source", "tags", "match", "exclude", "hosts", "browser", "requisites", "resolve",
             "allow_private", "paused")  # fmt: skip
    table: dict[str, Any] = {"schedule": options["cron"] if options["every"] is None else _every(options["every"])}
    table |= {key: options[key] for key in plain if options[key]}
    for key in ("folders", "lists"):
        if key in table:
            if address := next((path for path in table[key] if "://" in path), None):
                raise UsageError(f"{address} is an address, and no path: give it with --url, --feed or the like")
            table[key] = tuple(path and as_kept(root, path) for path in table[key])
    if options["verify"]:
        table["verify"] = int(options["verify"]) if options["verify"].isdecimal() else options["verify"]
    if options["export_query"] is not None and options["export"] is None:
        raise UsageError("--export-query needs --export")
    if (path := options["export"]) is not None:
        path = path and as_kept(root, path)
        table["export"] = {"path": path, "format": _form_of(path), "query": options["export_query"]}
    table["limits"] = {"pages": options["limit"], "time": options["time"], "depth": options["depth"],
                       "delay": options["delay"], "free": options["free"]}  # fmt: skip
    table["revisit"] = {key: options[key] for key in ("least", "most", "budget")}
    if options["no_revisit"]:
        if any(value is not None for value in table["revisit"].values()):
            raise UsageError("--no-revisit leaves nothing for --revisit-after, --revisit-most and --budget to say")
        table["revisit"] = False
    table["alerts"] = {key: options[key] for key in ("silent", "overdue")}
    for key in ("export", "limits", "revisit", "alerts"):
        if isinstance(inner := table.get(key), dict):
            table[key] = {name: value for name, value in inner.items() if value is not None}
    return table


def _every(text: str) -> str:
    """Raises UsageError where it is rather what --cron takes."""
    if text.startswith("@") or "*" in text:
        raise UsageError(f'--every takes a length of time, such as "6 hours": use --cron "{text}"')
    words = text.split()
    return " ".join(["every", *(words[1:] if words[:1] and words[0].lower() == "every" else words)])


def _check_places(root: Path, job: Job) -> None:
    """Raises UsageError where the job would archive its own archive, or write over it."""
    from muniment.jobs.places import is_own

    for path in (*job.folders, *((job.export.path,) if job.export else ())):
        if is_own(root, path):
            raise UsageError(f"{path} is of the archive itself: use another path")


def _lacking(root: Path, job: Job) -> Iterator[str]:
    """What the job names, and is not there yet: it may come, so the job is kept all the same."""
    from muniment.archive.authorities import read_settings
    from muniment.archive.config import read_config
    from muniment.jobs.places import is_folder, real
    from muniment.regular import size_of

    for folder in job.folders:
        if not is_folder(root / folder):
            yield f"there is no folder {folder} yet, or it cannot be read"
    for path in job.lists:
        if size_of(real(root / path)) is None:
            yield f"there is no list {path} yet, or it cannot be read"
    if job.stamp and not (settings := read_settings(read_config(root).stamp)).authorities and not settings.calendars:
        yield "there is no authority that stamps yet: name one under [stamp] in archive.toml"
    for name in job.searches:
        if size_of(root / "searches" / f"{name}.toml") is None:
            yield f"there is no saved search {name!r} yet: `muniment searches save` makes one"


def _form_of(path: str) -> str:
    ends = {".wacz": "wacz", ".warc": "warc", ".warc.gz": "warc", ".jsonl": "jsonl", ".csv": "csv"}
    return next((form for end, form in ends.items() if path.endswith(end)), "bagit")
