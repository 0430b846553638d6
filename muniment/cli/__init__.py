"""The command line: options in, one call, print. Each command is imported when it is called and not before."""

from __future__ import annotations

import os
import sys

import click

from muniment import __version__
from muniment.errors import MunimentError, QueryError, StorageError

# Name, module below muniment.cli, one help line: `--help` needs nothing else.
COMMANDS = {
    "init": ("init", "Make an archive and its key pair."),
    "add": ("add", "Capture URLs; upload files, folders, standard input, lists."),
    "feed": ("discover", "Capture what RSS, Atom and JSON feeds name."),
    "sitemap": ("discover", "Capture what a site's sitemaps name."),
    "crawl": ("discover", "Capture a site by following its links."),
    "search": ("search", "Find articles."),
    "searches": ("searches", "Keep searches, and tell what is new for them."),
    "jobs": ("jobs", "Archive by the clock, and tell how that goes."),
    "show": ("show", "Show one snapshot: text, raw bytes, record or metadata."),
    "history": ("history", "List the versions of an article, and what changed."),
    "diff": ("diff", "Show what changed between two versions, by words."),
    "clean": ("clean", "Clean anew what is there, with a newer cleaner."),
    "verify": ("verify", "Check that everything is there and as it was signed."),
    "doctor": ("doctor", "Tell what to do next, about damage and all else."),
    "export": ("export", "Write snapshots as WARC, WACZ, BagIt, JSONL or CSV."),
    "status": ("status", "Tell what the archive holds, and whether the index is in step."),
    "prove": ("prove", "Write a proof of snapshots that anybody can check."),
    "check": ("check", "Check such a proof, without the archive."),
    "checkpoint": ("checkpoint", "Print the newest signed checkpoint, to be kept elsewhere."),
    "stamp": ("stamp", "Have the log time-stamped by authorities outside."),
    "tag": ("curate", "Tag an article, or take tags off."),
    "note": ("curate", "Keep a remark on a snapshot."),
    "source": ("curate", "Name the source at a host."),
    "collect": ("curate", "Put articles into a collection."),
    "withdraw": ("curate", "Remove what a snapshot holds; its leaf and digests stay."),
    "key": ("key", "List, replace and protect the keys that sign the log."),
    "reindex": ("maintain", "Build the search index anew."),
    "rebuild": ("maintain", "Build catalog, tiles and index from the WARC files and the log."),
    "completion": ("completion", "Print the completion script for bash, zsh or fish."),
}
_INTERNAL = 70  # never 1: a search that failed must not look like one that found nothing
_EPILOG = """\b
Exit codes: 0 done (search: something matched); 1 nothing matched (diff: nothing differs);
2 wrong usage or query; 3 some items failed; 4 index behind; 10 damage found;
11 locked by another writer; 12 no archive here; 13 every fetch failed; 14 write failed;
70 internal error; 130 interrupted."""


class LazyGroup(click.Group):
    """A group that knows its commands by name and imports one when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        import importlib

        module = importlib.import_module(f"muniment.cli.{COMMANDS[cmd_name][0]}")
        command: click.Command = getattr(module, cmd_name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])


@click.group(cls=LazyGroup, epilog=_EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--archive",
    metavar="DIR",
    type=click.Path(readable=False),
    envvar="MUNIMENT_ARCHIVE",
    help="The archive. Default: MUNIMENT_ARCHIVE, else the nearest folder upwards that holds archive.toml.",
)
@click.version_option(__version__, prog_name="muniment", message="%(prog)s %(version)s")
@click.pass_context
def cli(ctx: click.Context, archive: str | None) -> None:
    """Keep articles as evidence: exact bytes, a signed log over everything captured, and a search over all of it."""
    ctx.obj = archive
    if os.environ.get("NO_COLOR"):
        ctx.color = False


def run(arguments: list[str]) -> int:
    """Run one command line; returns its exit code. Errors become one line on stderr."""
    try:
        code = cli.main(arguments, prog_name="muniment", standalone_mode=False)
        sys.stdout.flush()
        return int(code or 0)
    except click.exceptions.Exit as e:
        return e.exit_code
    except SystemExit as e:  # click's end of a completion; and, with 1, where the reader (`head`) has what it wanted
        return int(e.code or 0) if "_MUNIMENT_COMPLETE" in os.environ else 0
    except click.UsageError as e:
        e.show()
        return 2
    except (click.Abort, KeyboardInterrupt):
        return _fail("interrupted; everything acknowledged is stored", 130)
    except click.ClickException as e:
        return _fail(e.format_message(), e.exit_code)
    except QueryError as e:
        from muniment.cli.refusing import tell

        tell(e)
        return e.exit_code
    except MunimentError as e:
        return _fail(str(e), e.exit_code if type(e) is not MunimentError else _INTERNAL)
    except BrokenPipeError:
        return 0
    except OSError as e:
        return _fail(f"{e.strerror or e}{f': {e.filename}' if e.filename else ''}", StorageError.exit_code)
    except Exception as e:  # noqa: BLE001 - the last resort: a traceback helps nobody who is not developing muniment
        return _fail_unexpectedly(e)
    except BaseException as e:
        if type(e).__name__ != "PanicException":  # Rust's: no Exception, and nowhere to import it
            raise
        return _fail_unexpectedly(e)


def _fail(message: str, code: int) -> int:
    from muniment.cli.common import one_line

    click.echo(f"muniment: {one_line(message)}", err=True)
    return code


def _fail_unexpectedly(error: BaseException) -> int:
    import sqlite3
    import traceback

    if os.environ.get("MUNIMENT_TRACEBACK"):
        traceback.print_exception(error)
    if isinstance(error, sqlite3.Error):
        from muniment.archive.tables.layout import problem_of

        problem = problem_of(error)
        return _fail(str(problem), problem.exit_code)
    return _fail(
        f"internal error, please report it: {type(error).__name__}: {error} (MUNIMENT_TRACEBACK=1 shows where)",
        _INTERNAL,
    )
