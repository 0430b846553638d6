"""`muniment prove`"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import BinaryIO, cast

import click

from muniment.cli.common import PATH, common_options, counted, echo, json_option, open_archive, print_json
from muniment.cli.numbers import NUMBER
from muniment.errors import UsageError


@click.command()
@click.argument("numbers", nargs=-1, required=True, type=NUMBER, metavar="N...")
@click.option("-o", "--output", required=True, type=PATH, metavar="FILE.zip", help="Where to (- is standard output).")
@click.option("--force", is_flag=True, help="Replace a file that is there.")
@json_option
@common_options
@click.pass_context
def prove(ctx: click.Context, numbers: tuple[int, ...], output: str, force: bool, as_json: bool, quiet: bool) -> None:
    """Write a proof of these snapshots that anybody can check without this archive and without muniment.

    A zip with the records, the log's signature over them, time stamps, a page that explains it, and a script that
    checks it: `sh verify.sh`, or `muniment check FILE.zip`.
    """
    import io

    from muniment.archive.proofs import script_digest, write_proof
    from muniment.durable import replace

    target = Path(output)
    if output != "-" and not target.absolute().parent.is_dir():
        raise UsageError(f"there is no folder {target.parent} to write {target.name} into")
    if output != "-" and not force and target.exists():
        raise UsageError(f"{output} is there already: name another file, or say --force")
    with open_archive(ctx) as archive:
        made_of = io.BytesIO()
        made = write_proof(archive, numbers, cast(BinaryIO, made_of))
    if output == "-":
        sys.stdout.buffer.write(made_of.getbuffer())
        return
    replace(target, made_of.getvalue(), sync=False)
    if as_json:
        print_json(
            {
                "file": output,
                "leaves": list(made.numbers),
                "log_size": made.size,
                "stamps": [
                    {"time": f"{stamp.time:%Y-%m-%dT%H:%M:%SZ}", "authority": stamp.authority} for stamp in made.stamps
                ],
                "script": script_digest(),
            }
        )
    elif not quiet:
        earliest = min(made.stamps, key=lambda stamp: stamp.time, default=None)
        stamped = f"stamped {earliest.time:%Y-%m-%dT%H:%M:%SZ}" if earliest else "without a time stamp"
        echo(f"{output}: {counted(len(made.numbers), 'leaf', 'leaves')} in a log of {made.size:,}, {stamped}")
