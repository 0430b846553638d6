"""Another key takes over: because it is time, because the old one was lost, or because somebody else may have it.

`archive.toml` names the coming key before the commit that brings it in, and counts it among the keys after. Whatever
moment a kill hits, the newest checkpoint is signed by one of the two, and the next writer tells by which (settling.py).
All of it happens under the writer's lock, or a writer that waits for it would sign with the key of before.
"""

from __future__ import annotations

from muniment.archive.archive import Archive
from muniment.archive.config import change_keys, read_config
from muniment.archive.keys import create_signer
from muniment.archive.writer import Writer
from muniment.errors import UsageError


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
    root = archive.root
    with Writer(root, archive.config, ask=archive.ask_passphrase, signs=not lost, wait=wait) as writer:
        vkeys = writer.config.vkeys
        known = writer.config.keys()
        taken = {key.identity for key in known}
        new = create_signer(writer.config.origin, passphrase=passphrase, post_quantum=post_quantum, taken=taken)
        change_keys(root, vkeys, new.vkeys)
        number = writer.hand_over(new, reason=reason, since=since)
        change_keys(root, (*vkeys, new.vkeys), None)
    archive.config = read_config(root)
    return number, new.vkeys
