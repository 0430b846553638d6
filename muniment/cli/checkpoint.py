"""`muniment checkpoint`"""

from __future__ import annotations

import base64

import click

from muniment.cli.common import common_options, find_archive, json_option, print_json


@click.command()
@json_option
@common_options
@click.pass_context
def checkpoint(ctx: click.Context, as_json: bool, quiet: bool) -> None:
    """Print the newest signed checkpoint. Whoever keeps a copy can tell later whether the log was rewritten:
    `muniment verify --checkpoint FILE`."""
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
