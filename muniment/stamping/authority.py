"""RFC 3161: one authority asked for one stamp, over the network or by hand."""

from __future__ import annotations

import hashlib
import logging
import secrets
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from muniment.archive.archive import Archive
from muniment.archive.authorities import Authority, read_ca, read_settings, slug_of
from muniment.errors import FetchError, UsageError
from muniment.formats.chain import NoChain
from muniment.formats.timestamp import Stamped, check_reply, make_request
from muniment.stamping.keeping import every_commit, keep, ready, stampable
from muniment.stamping.outcome import Granted, Stamping

if TYPE_CHECKING:
    from muniment.archive.commit import Commit
    from muniment.ingest.authority import How

_log = logging.getLogger(__name__)
_CLOCKS = 300  # seconds by which an authority's clock and this machine's may differ before that is told
_NONCE_BITS = 64


def ask(root: Path, authority: Authority, commit: Commit, tries: int, how: How) -> Granted | tuple[str, str]:
    """What an authority granted, or its name and why there is nothing."""
    from muniment.ingest.authority import ask_patiently

    note = commit.note.encode()
    request = make_request(note, secrets.randbits(_NONCE_BITS))
    try:
        ca = read_ca(root, authority)
        reply = ask_patiently(authority.url, request, tries=tries, **how)
        said = check_reply(reply, note, [ca], request=request)
    except NoChain as e:
        return (
            authority.name,
            f"{e}: {authority.ca} has to hold the root certificate, and those between that the reply lacks",
        )
    except (FetchError, UsageError, ValueError) as e:
        return authority.name, str(e)
    _compare_clocks(authority.name, said.time)
    return Granted(authority.name, said, kept_files(commit, authority.name, request, reply, ca, said))


def _compare_clocks(name: str, time: datetime) -> None:
    now = datetime.now(UTC)
    if abs((time - now).total_seconds()) > _CLOCKS:
        _log.warning(
            "%s says that it is %s, and this machine that it is %s: set the clock", name, _iso(time), _iso(now)
        )


def kept_files(commit: Commit, name: str, request: bytes, reply: bytes, ca: bytes, said: Stamped) -> dict[str, bytes]:
    """Request and reply as they are, and the certificates that the way to the root needs besides those in the reply."""
    stem = f"{commit.checkpoint.size}.{name}"
    return {f"{stem}.tsq": request, f"{stem}.tsr": reply, f"{stem}.pem": _chain(ca, said.root)}


def _chain(ca: bytes, root: str) -> bytes:
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.serialization import Encoding

    from muniment.formats.chain import parse_certificates

    certificates = parse_certificates(ca)
    kept = [c for c in certificates if c.issuer != c.subject or c.fingerprint(SHA256()).hex() == root]
    return b"".join(certificate.public_bytes(Encoding.PEM) for certificate in kept)


# ---- without a network


def export_request(archive: Archive) -> tuple[int, bytes]:
    """A request over the newest checkpoint, to be carried to an authority; and the leaves of that checkpoint."""
    commit = stampable(archive)
    if commit is None:
        raise UsageError("the log is empty: there is nothing to stamp")
    return commit.checkpoint.size, make_request(commit.note.encode(), secrets.randbits(_NONCE_BITS))


def import_reply(
    archive: Archive, request: bytes, reply: bytes, name: str, ca: bytes | None, *, wait: float = 0.0
) -> Stamping:
    """Keep an authority's reply to a request of `export_request`. Raises UsageError where it does not hold.

    `ca` are the certificates to trust; without them, those that archive.toml names for the authority `name`.
    """
    if slug_of(name) != name:
        raise UsageError(f"the name {name!r} cannot be part of a file's name: use a-z, 0-9 and hyphens")
    if ca is None:
        configured = {authority.name: authority for authority in read_settings(archive.config.stamp).authorities}
        if name not in configured:
            raise UsageError(f"archive.toml names no authority {name!r}: bring its root certificate with --ca FILE")
        ca = read_ca(archive.root, configured[name])
    wanted = (commit for commit in every_commit(archive) if hashlib.sha256(commit.note.encode()).digest() in request)
    commit = next(wanted, None)
    if commit is None:
        raise UsageError("the request is for no checkpoint of this log: bring the file that --export-request wrote")
    try:
        said = check_reply(reply, commit.note.encode(), [ca], request=request)
    except ValueError as e:
        raise UsageError(f"the reply does not hold: {e}") from e
    size = commit.checkpoint.size
    granted = Granted(name, said, kept_files(commit, name, request, reply, ca, said))
    leaf = keep(archive, size, granted.files, ready(archive, wait), wait)
    if leaf is None:
        raise UsageError(f"a stamp of {name} over {size} leaves is kept already")
    return Stamping(size, leaf, [granted])


def _iso(time: datetime) -> str:
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
