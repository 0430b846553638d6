"""`muniment key`: which keys signed the log, another one in their place, and their passphrase"""

from __future__ import annotations

import os
import sys

import click

from muniment.cli.common import (
    ask_passphrase,
    common_options,
    echo,
    find_archive,
    json_option,
    note,
    one_line,
    open_archive,
    print_json,
    wait_option,
)
from muniment.cli.numbers import NUMBER
from muniment.errors import UsageError

NEW_PASSPHRASE = "MUNIMENT_NEW_PASSPHRASE"
passphrase_option = click.option(
    "--passphrase", is_flag=True, help=f"Encrypt the private key; asks, or takes {NEW_PASSPHRASE}."
)
post_quantum_option = click.option(
    "--post-quantum",
    is_flag=True,
    help="Sign with ML-DSA-44 too, which no quantum computer forges (3 kB a commit).",
)


def new_passphrase(wanted: bool) -> str | None:
    """The passphrase for a new key, where one is wanted."""
    if not wanted:
        return None
    if given := os.environ.get(NEW_PASSPHRASE):
        return given
    if not sys.stdin.isatty():
        raise UsageError(f"a new passphrase is asked for at a terminal: without one, set {NEW_PASSPHRASE}")
    found: str = click.prompt("New passphrase", hide_input=True, confirmation_prompt=True, err=True)
    return found


@click.command()
@click.argument("action", type=click.Choice(["list", "rotate", "passphrase"]), default="list", metavar="[ACTION]")
@click.option("--reason", metavar="TEXT", help="rotate: why; it is kept in the log for all to read.")
@click.option("--lost", is_flag=True, help="rotate: the old private key is gone, so it signs nothing.")
@click.option("--compromised-since", type=NUMBER, metavar="N",
              help="rotate: somebody else may have had the old key since leaf N.")  # fmt: skip
@passphrase_option
@post_quantum_option
@click.option("--remove", is_flag=True, help="passphrase: store the key without one.")
@wait_option
@json_option
@common_options
@click.pass_context
def key(
    ctx: click.Context,
    action: str,
    reason: str | None,
    lost: bool,
    compromised_since: int | None,
    passphrase: bool,
    post_quantum: bool,
    remove: bool,
    wait: float,
    as_json: bool,
    quiet: bool,
) -> None:
    """Show, replace and protect the keys that sign the log.

    \b
    list        the keys, and the leaves from which on each signed (default)
    rotate      bring a new key in; the old one signs the change too
    passphrase  set, change or remove the passphrase of the private key
    """
    if action != "rotate" and (reason or lost or compromised_since is not None or post_quantum):
        raise UsageError("--reason, --lost, --compromised-since and --post-quantum belong to `muniment key rotate`")
    if action == "list":
        _list(ctx, as_json)
    elif action == "passphrase":
        _passphrase(ctx, remove, as_json, quiet)
    else:
        why = reason or ("lost" if lost else "compromised" if compromised_since is not None else None)
        _rotate(ctx, why, lost, compromised_since, passphrase, post_quantum, wait, as_json, quiet)


def _list(ctx: click.Context, as_json: bool) -> None:
    from muniment.archive.keys import key_path
    from muniment.archive.validity import validity

    for held in validity(open_archive(ctx)):
        if as_json:
            facts = {"key": held.vkeys, "from": held.first, "to": held.last, "reason": held.reason}
            print_json({**facts, "trusted_to": held.trusted_to, "private_key": str(key_path(held.vkeys))})
            continue
        span = f"#{held.first} to #{held.last}" if held.last is not None else f"#{held.first} on, in force"
        echo(held.vkeys)
        echo(f"  signs {span}{f' ({one_line(held.reason)})' if held.reason else ''}")
        if held.trusted_to is not None:
            echo(f"  from #{held.trusted_to} on its signature alone vouches for nothing")


def _rotate(
    ctx: click.Context,
    reason: str | None,
    lost: bool,
    since: int | None,
    passphrase: bool,
    post_quantum: bool,
    wait: float,
    as_json: bool,
    quiet: bool,
) -> None:
    from muniment.archive import rotation
    from muniment.archive.keys import is_encrypted, key_path

    archive = open_archive(ctx, wait=wait)
    bared = not passphrase and is_encrypted(archive.config.vkeys[-1])
    number, vkeys = rotation.rotate(
        archive,
        reason=reason,
        lost=lost,
        since=since,
        passphrase=new_passphrase(passphrase),
        post_quantum=post_quantum,
        wait=wait,
    )
    if bared:
        note("muniment: the key before it had a passphrase, and this one has none: set one with"
             " `muniment key passphrase`")  # fmt: skip
    if as_json:
        print_json({"leaf": number, "key": vkeys, "private_key": str(key_path(vkeys))})
        return
    echo(f"public key   {vkeys}")
    echo(f"private key  {key_path(vkeys)}")
    note(f"It signs from #{number} on. Back it up, and tell the public key to whoever checks.", quiet=quiet)


def _passphrase(ctx: click.Context, remove: bool, as_json: bool, quiet: bool) -> None:
    from muniment.archive.config import read_config
    from muniment.archive.keys import key_path, load_signer, store_signer

    signer = load_signer(read_config(find_archive(ctx)).vkeys[-1], ask_passphrase)
    store_signer(signer, None if remove else new_passphrase(True))
    path = str(key_path(signer.vkeys))
    if as_json:
        print_json({"private_key": path, "encrypted": not remove})
    else:
        how = "stored without a passphrase" if remove else "encrypted"
        note(f"{path} is {how}; back it up anew", quiet=quiet)
