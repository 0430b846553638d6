"""`muniment stamp`"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from muniment.cli.common import (
    PATH,
    echo,
    fetch_options,
    json_option,
    note,
    one_line,
    open_archive,
    print_json,
    wait_option,
)
from muniment.errors import UsageError

if TYPE_CHECKING:
    from muniment.archive.archive import Archive
    from muniment.ingest.authority import How
    from muniment.stamping import Granted, Stamping

_ALL_FAILED, _SOME_FAILED = 13, 3
_MAX_FILE = 1 << 20


@click.command()
@click.option("--authority", "names", multiple=True, metavar="NAME", help="Only this authority; may be repeated.")
@click.option("--renew", is_flag=True, help="Stamp the stamps too: before an authority or an algorithm ends.")
@click.option("--upgrade", is_flag=True, help="Ask OpenTimestamps calendars for the blocks that they promised.")
@click.option("--export-request", type=PATH, metavar="FILE",
              help="Write a request to FILE, to be carried to an authority by hand.")  # fmt: skip
@click.option("--import-reply", type=PATH, metavar="FILE", help="Keep the reply to such a request.")
@click.option("--request", type=PATH, metavar="FILE", help="With --import-reply: the request.")
@click.option("--name", metavar="NAME", help="With --import-reply: the authority's name, such as example.")
@click.option("--ca", type=PATH, metavar="FILE",
              help="With --import-reply: its root certificate (PEM), where archive.toml names none.")  # fmt: skip
@wait_option
@json_option
@fetch_options
@click.pass_context
def stamp(ctx: click.Context, /, **options: Any) -> None:
    """Have the newest checkpoint time-stamped by the authorities that archive.toml names (RFC 3161).

    Exit code 3 where some of them failed, 13 where all did.
    """
    _check(options)
    offline = options["import_reply"]
    archive = open_archive(ctx, wait=options["wait"])
    if options["export_request"] is not None:
        _export(archive, Path(options["export_request"]), options)
        return
    done = _import(archive, options) if offline is not None else _ask(archive, options)
    _print(done, options["as_json"], options["quiet"])
    if done.failed:
        ctx.exit(_SOME_FAILED if done.granted else _ALL_FAILED)


def _check(options: dict[str, Any]) -> None:
    """Refuse options that would be passed over where they stand."""
    offline = options["import_reply"] is not None
    goes_with = [options[name] is not None for name in ("request", "name")]
    if any(given != offline for given in goes_with) or (options["ca"] is not None and not offline):
        raise click.UsageError("--import-reply goes with --request, --name and, where need be, --ca")
    elsewhere = [options[name] not in (None, False) for name in ("import_reply", "export_request", "upgrade")]
    if sum(elsewhere) + options["renew"] > 1:
        raise click.UsageError("--renew, --upgrade, --export-request and --import-reply exclude one another")
    if options["names"] and any(elsewhere):
        raise click.UsageError("--authority is for asking: not with --upgrade, --export-request or --import-reply")


def _ask(archive: Archive, options: dict[str, Any]) -> Stamping:
    from muniment import stamping
    from muniment.ingest.address import parse_override

    resolve = dict(map(parse_override, options["resolve"]))
    how: How = {"allow_private": options["allow_private"], "resolve": resolve}
    if options["upgrade"]:
        return stamping.upgrade(archive, wait=options["wait"], **how)
    return stamping.stamp(archive, only=options["names"], renew=options["renew"], wait=options["wait"], **how)


def _export(archive: Archive, path: Path, options: dict[str, Any]) -> None:
    from muniment.durable import replace
    from muniment.stamping import export_request

    if path.exists():
        raise UsageError(f"{path} is there already: name another file")
    size, request = export_request(archive)
    replace(path, request)
    if options["as_json"]:
        print_json({"size": size, "request": str(path)})
        return
    note(f"{one_line(str(path))}: a request over the checkpoint of {size:,} leaves; keep it beside the reply",
         quiet=options["quiet"])  # fmt: skip


def _import(archive: Archive, options: dict[str, Any]) -> Stamping:
    from muniment.archive.authorities import read_certificates
    from muniment.stamping import import_reply

    request, reply = _read(options["request"]), _read(options["import_reply"])
    ca = read_certificates(Path(options["ca"])) if options["ca"] else None
    return import_reply(archive, request, reply, options["name"], ca, wait=options["wait"])


def _read(path: str) -> bytes:
    try:
        with Path(path).open("rb") as file:
            content = file.read(_MAX_FILE + 1)
    except OSError as e:
        raise UsageError(f"cannot read {path}: {e.strerror}") from e
    if len(content) > _MAX_FILE:
        raise UsageError(f"{path} is over {_MAX_FILE:,} bytes: it is no request or reply")
    return content


def _print(done: Stamping, as_json: bool, quiet: bool) -> None:
    if as_json:
        failed = [{"name": name, "error": error} for name, error in done.failed]
        stamped = [_described(one) for one in done.granted]
        print_json({"size": done.size, "leaf": done.leaf, "stamped": stamped, "failed": failed})
        return
    for one in done.granted:
        if one.said is not None:
            what = f"{_iso(one.said.time)} by {one_line(one.said.authority)}, up to #{(done.size or 0) - 1}"
        elif one.blocks:
            what = f"claims Bitcoin block {', '.join(map(str, one.blocks))}"
        else:
            what = f"promised, up to #{(done.size or 0) - 1}: run `muniment stamp --upgrade` in some hours"
        echo(f"{click.style('stamped', fg='green')} {one.name} {what}")
    print_failures(done)
    if not done.granted and not done.failed:
        note("nothing new to stamp", quiet=quiet)


def _described(one: Granted) -> dict[str, Any]:
    said = one.said
    authority, time = (said.authority, _iso(said.time)) if said else (None, None)
    blocks = list(one.blocks)
    return {"name": one.name, "authority": authority, "time": time, "blocks": blocks, "files": sorted(one.files)}


def print_failures(done: Stamping) -> None:
    """A line on stderr for each authority that failed."""
    for name, error in done.failed:
        note(f"{click.style('failed', fg='red')} {name}: {one_line(error)}")


def stamp_after_add(archive: Archive, options: dict[str, Any], resolve: dict[str, str]) -> None:
    """What `add` does at its end where archive.toml asks for it. What fails is a warning: everything is stored."""
    from muniment.errors import MunimentError
    from muniment.stamping import stamp as ask

    try:
        how: Any = {"allow_private": options["allow_private"], "resolve": resolve, "timeout": 15.0}
        done = ask(archive, tries=2, wait=options["wait"], **how)
    except (MunimentError, OSError) as e:
        note(f"muniment: everything is stored, but not time-stamped: {one_line(str(e))}")
        return
    for one in done.granted:
        when = f"{one_line(one.said.authority)}, {_iso(one.said.time)}" if one.said else f"{one.name}: a promise"
        note(f"stamped by {when}", quiet=options["quiet"] or options["as_json"])
    print_failures(done)
    sys.stderr.flush()


def _iso(time: Any) -> str:
    return str(time.strftime("%Y-%m-%dT%H:%M:%SZ"))
