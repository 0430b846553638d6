"""`muniment checkpoint`"""

from __future__ import annotations

import base64
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from muniment.cli.common import (
    PATH,
    common_options,
    echo,
    find_archive,
    json_option,
    one_line,
    open_archive,
    print_json,
    wait_option,
)
from muniment.errors import MunimentError, UsageError

if TYPE_CHECKING:
    from muniment.stamping import Imported

_MAX_NOTE = 1 << 20


@click.command()
@click.option("--import", "imported", multiple=True, type=PATH, metavar="FILE",
              help="Compare a checkpoint that another party held; keep its cosignatures (-: stdin).")  # fmt: skip
@click.option("--key", "keys", multiple=True, metavar="VKEY",
              help="With --import: know the cosignatures of this key too.")  # fmt: skip
@wait_option
@json_option
@common_options
@click.pass_context
def checkpoint(
    ctx: click.Context, imported: tuple[str, ...], keys: tuple[str, ...], wait: float, as_json: bool, quiet: bool
) -> None:
    """Print the newest signed checkpoint. Whoever keeps a copy can tell later whether the log was rewritten:
    `muniment verify --checkpoint FILE`. With --import, take in what others return."""
    if imported:
        _import(ctx, imported, keys, wait, as_json)
        return
    if keys:
        raise click.UsageError("--key goes with --import")
    from muniment.archive.config import read_config
    from muniment.archive.recovery import read_sound

    root = find_archive(ctx)
    committed = read_sound(root, read_config(root))
    text = committed.new[-1].note
    if as_json:
        size = committed.checkpoint.size
        root_hash = base64.b64encode(committed.checkpoint.root).decode()
        print_json({"origin": committed.checkpoint.origin, "size": size, "root": root_hash, "note": text})
    else:
        click.echo(text, nl=False)


def _import(ctx: click.Context, paths: tuple[str, ...], keys: tuple[str, ...], wait: float, as_json: bool) -> None:
    from muniment.formats.note import parse_vkey
    from muniment.stamping import import_checkpoint

    try:
        known = [parse_vkey(key) for key in keys]
    except ValueError as e:
        raise UsageError(f"--key: {e}") from e
    notes = [(_name(path), _read(path)) for path in paths]
    archive = open_archive(ctx, wait=wait)
    for name, text in notes:
        try:
            _print(name, import_checkpoint(archive, text, known, wait=wait), as_json)
        except MunimentError as e:
            raise type(e)(f"{name}: {e}") from e


def _name(path: str) -> str:
    return "standard input" if path == "-" else one_line(path)


def _read(path: str) -> str:
    try:
        if path == "-":
            content = sys.stdin.buffer.read(_MAX_NOTE + 1)
        else:
            with Path(path).open("rb") as file:
                content = file.read(_MAX_NOTE + 1)
        if len(content) > _MAX_NOTE:
            raise ValueError(f"over {_MAX_NOTE:,} bytes")
        return content.decode()
    except OSError as e:
        raise UsageError(f"cannot read the checkpoint {_name(path)}: {e.strerror}") from e
    except ValueError as e:
        raise UsageError(f"{_name(path)} is no checkpoint: bring a signed note") from e


def _print(name: str, done: Imported, as_json: bool) -> None:
    if as_json:
        cosigned = [
            {"name": key.name, "time": time.strftime("%Y-%m-%dT%H:%M:%SZ") if time else None}
            for key, time in done.witnesses
        ]
        print_json({"file": name, "size": done.size, "cosigned": cosigned, "leaf": done.leaf})
        return
    what = f"{name} matches the checkpoint of {done.size:,} leaves in this log"
    if done.witnesses:
        what += ", cosigned by " + ", ".join(one_line(key.name) for key, _ in done.witnesses)
        what += f": kept, #{done.leaf}" if done.leaf is not None else ": kept already"
    echo(what)
