"""`muniment init`"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click

from muniment.cli.common import PATH, common_options, echo, json_option, note, print_json
from muniment.cli.key import new_passphrase, passphrase_option, post_quantum_option


@click.command()
@click.argument("folder", type=PATH, metavar="[DIR]", default=".")
@click.option("--origin", metavar="NAME", help="The log's name, such as example.org/archive; made up if not given.")
@passphrase_option
@post_quantum_option
@json_option
@common_options
@click.pass_context
def init(
    ctx: click.Context,
    folder: str,
    origin: str | None,
    passphrase: bool,
    post_quantum: bool,
    as_json: bool,
    quiet: bool,
) -> None:
    """Make an archive and its key pair in DIR (default: here), which has to be empty or new."""
    from muniment.archive.archive import create

    if folder == "." and ctx.obj:
        folder = ctx.obj
    made = create(
        Path(folder).resolve(),
        origin,
        datetime.now(UTC),
        passphrase=new_passphrase(passphrase),
        post_quantum=post_quantum,
    )
    if as_json:
        print_json(
            {"archive": str(made.root), "origin": made.origin, "key": made.vkeys, "private_key": str(made.key_path)}
        )
        return
    echo(f"archive      {made.root}")
    echo(f"origin       {made.origin}")
    echo(f"public key   {made.vkeys}")
    echo(f"private key  {made.key_path}")
    note("Back the private key up, away from the archive: without it nothing can be added.", quiet=quiet)
