"""`muniment key`: which keys signed the log, and another one in their place"""

from __future__ import annotations

import sys

import click

from muniment.cli.common import (
    common_options,
    echo,
    find_archive,
    json_option,
    note,
    open_archive,
    print_json,
    wait_option,
)
from muniment.cli.numbers import NUMBER
from muniment.errors import UsageError

passphrase_option = click.option(
    "--passphrase", is_flag=True, help="Encrypt the private key; asks, or takes MUNIMENT_NEW_PASSPHRASE."
)
post_quantum_option = click.option(
    "--post-quantum",
    is_flag=True,
    help="Sign with ML-DSA-44 too, which quantum computers do not forge (3 kB a commit).",
)


def new_passphrase(wanted: bool) -> str | None:
    """The passphrase for a new key, where one is wanted."""
    import os

    if not wanted:
        return None
    if given := os.environ.get("MUNIMENT_NEW_PASSPHRASE"):
        return given
    if not sys.stdin.isatty():
        raise UsageError("--passphrase asks at a terminal: without one, set MUNIMENT_NEW_PASSPHRASE")
    found: str = click.prompt("New passphrase", hide_input=True, confirmation_prompt=True, err=True)
    return found


@click.group()
def key() -> None:
    """Show, replace and protect the keys that sign the log."""


@key.command("list")
@json_option
@common_options
@click.pass_context
def list_keys(ctx: click.Context, as_json: bool, quiet: bool) -> None:
    """List the keys that signed, with the leaves from which on each did."""
    from muniment.archive.keys import key_path
    from muniment.archive.rotation import validity

    archive = open_archive(ctx)
    for held in validity(archive):
        facts = {
            "key": held.vkeys,
            "from": held.first,
            "to": held.last,
            "reason": held.reason,
            "trusted_to": held.trusted_to,
            "private_key": str(key_path(held.vkeys)),
        }
        if as_json:
            print_json(facts)
            continue
        span = f"#{held.first} to #{held.last}" if held.last is not None else f"#{held.first} on, in force"
        echo(f"{held.vkeys}\n  signs {span}{f' ({held.reason})' if held.reason else ''}")
        if held.trusted_to is not None:
            echo(f"  its signature alone vouches for nothing from #{held.trusted_to} on")


@key.command()
@click.option("--reason", metavar="TEXT", help="Why; it is kept in the log for all to read.")
@click.option("--lost", is_flag=True, help="The old private key is gone: the new one takes over without its signature.")
@click.option("--compromised-since", type=NUMBER, metavar="N",
              help="Somebody else may have had the old key when leaf N came, and since.")  # fmt: skip
@passphrase_option
@post_quantum_option
@wait_option
@json_option
@common_options
@click.pass_context
def rotate(
    ctx: click.Context,
    reason: str | None,
    lost: bool,
    compromised_since: int | None,
    passphrase: bool,
    post_quantum: bool,
    wait: float,
    as_json: bool,
    quiet: bool,
) -> None:
    """Bring a new key in. The old one signs the change too, so whoever trusts it can trust the new one."""
    from muniment.archive import rotation
    from muniment.archive.keys import key_path

    archive = open_archive(ctx, wait=wait)
    number, vkeys = rotation.rotate(
        archive,
        reason=reason or ("lost" if lost else "compromised" if compromised_since is not None else None),
        lost=lost,
        since=compromised_since,
        passphrase=new_passphrase(passphrase),
        post_quantum=post_quantum,
        wait=wait,
    )
    if as_json:
        print_json({"leaf": number, "key": vkeys, "private_key": str(key_path(vkeys))})
        return
    echo(f"public key   {vkeys}")
    echo(f"private key  {key_path(vkeys)}")
    note(
        f"It signs from #{number} on. Back the private key up, and tell the public key to whoever checks.", quiet=quiet
    )


@key.command()
@click.option("--remove", is_flag=True, help="Store the key without a passphrase.")
@common_options
@click.pass_context
def passphrase(ctx: click.Context, remove: bool, quiet: bool) -> None:
    """Set, change or remove the passphrase of the private key."""
    from muniment.archive.config import read_config
    from muniment.archive.keys import key_path, load_signer, store_signer
    from muniment.cli.common import ask_passphrase

    config = read_config(find_archive(ctx))
    signer = load_signer(config.vkeys[-1], ask_passphrase)
    store_signer(signer, None if remove else new_passphrase(True))
    how = "stored without a passphrase" if remove else "encrypted"
    note(f"{key_path(signer.vkeys)} is {how}; back it up anew", quiet=quiet)
