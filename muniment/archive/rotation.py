"""Another key takes over: because it is time, because the old one was lost, or because somebody else may have it.

`archive.toml` names the coming key before the commit that brings it in, and counts it among the keys after; whatever
moment a kill hits, the newest checkpoint is signed by one of the two, and `settle` tells by which.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from muniment.archive import recovery
from muniment.archive.archive import Archive
from muniment.archive.config import Config, change_keys, parse_keys, read_config
from muniment.archive.keys import create_signer, load_signer
from muniment.errors import UsageError
from muniment.formats.note import signers_of


def rotate(
    archive: Archive,
    *,
    reason: str | None = None,
    lost: bool = False,
    since: int | None = None,
    passphrase: str | None = None,
    post_quantum: bool = False,
    wait: float = 0.0,
) -> tuple[int, str]:
    """Bring a new key in. Returns the number of its leaf and its verifier keys.

    The old key signs the change too, unless it is `lost`. `since` is the number of the first leaf that the old key's
    signature alone no longer vouches for: somebody else may have had it from then on.
    """
    if since is not None and not 0 <= since <= archive.size:
        raise UsageError(f"#{since} is not in the log, which ends with #{archive.size - 1}")
    config = settle(archive.root, archive.config)
    old = None if lost else load_signer(config.vkeys[-1], archive.ask_passphrase)
    new = create_signer(config.origin, passphrase=passphrase, post_quantum=post_quantum)
    change_keys(archive.root, config.vkeys, new.vkeys)
    archive.config = replace(config, next_key=new.vkeys)
    from muniment.archive.writer import Writer

    with Writer(archive.root, archive.config, new, handing_over=old, wait=wait) as writer:
        number = writer.add_key(new.vkeys, reason=reason, since=since)
        writer.commit()
    archive.config = settle(archive.root, archive.config)
    return number, new.vkeys


def settle(root: Path, config: Config) -> Config:
    """Finish a rotation that was interrupted, or forget one that did not get as far as the log."""
    if config.next_key is None:
        return config
    note = recovery.read_sound(root, config).last.note
    coming = parse_keys(config.next_key)[0]
    took_over = any(signed.key == coming for signed in signers_of(note, config.keys()))
    change_keys(root, (*config.vkeys, config.next_key) if took_over else config.vkeys, None)
    return read_config(root)


class Validity(NamedTuple):
    """A key by the leaves of the log: the first and the last whose commits it signed (None: it is in force).

    `trusted_to` is the first leaf that its signature alone does not vouch for, where another had the key.
    """

    vkeys: str
    first: int
    last: int | None
    reason: str | None
    trusted_to: int | None


def validity(archive: Archive) -> list[Validity]:
    """The keys of the log, oldest first."""
    numbers = archive.catalog.numbers_of("key")
    leaves = [(number, archive.leaf(number)) for number in numbers]
    found = [Validity(archive.config.vkeys[0], 0, None, None, None)]
    for number, leaf in leaves:
        found[-1] = found[-1]._replace(last=number - 1, trusted_to=leaf.size)
        found.append(Validity(leaf.key or "", number, None, leaf.reason, None))
    return found
