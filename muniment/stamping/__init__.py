"""Outside parties vouch for the log: time stamps are asked for, and what comes back is kept in `log/stamps/`.

stamp               asks the configured authorities and calendars for the newest checkpoint  (authority.py, calendar.py)
upgrade             asks calendars for the blocks that they promised                         (calendar.py)
export_request      a stamp for a machine without a network, in two steps                    (authority.py)
import_reply
import_checkpoint   what a witness cosigned, or another party held                           (cosigned.py)
tail                how far all of that reaches

What is stamped are the bytes of the signed checkpoint as they stand in `log/commits`. The writer's lock is taken for
the short commit alone, not while an authority is being asked.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Unpack

from muniment.archive.archive import Archive
from muniment.archive.authorities import MAX_STAMP, Authority, StampSettings, parse_stamp_name, read_settings
from muniment.archive.proving import newest_commit
from muniment.errors import UsageError
from muniment.formats.note import split_note
from muniment.regular import open_regular
from muniment.stamping import calendar
from muniment.stamping.authority import ask, export_request, import_reply
from muniment.stamping.calendar import party_of, upgrade
from muniment.stamping.cosigned import Imported, import_checkpoint
from muniment.stamping.keeping import keep, ready, stampable
from muniment.stamping.outcome import Granted, Stamping

if TYPE_CHECKING:
    from muniment.archive.commit import Commit
    from muniment.ingest.authority import How

__all__ = [
    "Granted",
    "Imported",
    "Stamping",
    "Tail",
    "export_request",
    "import_checkpoint",
    "import_reply",
    "stamp",
    "tail",
    "upgrade",
]


def stamp(
    archive: Archive,
    *,
    only: Sequence[str] = (),
    renew: bool = False,
    wait: float = 0.0,
    tries: int = 4,
    **how: Unpack[How],
) -> Stamping:
    """Ask each authority and calendar, or `only` these, for a stamp over the newest checkpoint that each has not seen.

    They are independent of one another: one that fails is named in `failed`. A reply that does not hold is not kept.
    `renew` asks for the very newest checkpoint, though only stamps came since: the new stamp covers the old ones.
    """
    parties = _chosen(read_settings(archive.config.stamp), only)
    commit = newest_commit(archive.root / "log", archive.config.keys()) if renew else stampable(archive)
    due = [party for party in parties if commit and _last_size(archive, party) < commit.checkpoint.size]
    if commit is None or not due:
        return Stamping()
    signer = ready(archive, wait)
    with ThreadPoolExecutor(len(due)) as threads:
        outcomes = list(threads.map(lambda party: _ask(archive.root, party, commit, tries, how), due))
    granted = [outcome for outcome in outcomes if isinstance(outcome, Granted)]
    failed = [outcome for outcome in outcomes if not isinstance(outcome, Granted)]
    files = {name: content for one in granted for name, content in one.files.items()}
    leaf = keep(archive, commit.checkpoint.size, files, signer, wait) if files else None
    return Stamping(commit.checkpoint.size, leaf, granted, failed)


def _chosen(settings: StampSettings, only: Sequence[str]) -> list[Authority | str]:
    """The authorities, and the addresses of calendars."""
    known: dict[str, Authority | str] = {party_of(url): url for url in settings.calendars}
    known |= {authority.name: authority for authority in settings.authorities}
    if not known:
        raise UsageError("no authority is configured: name one under [stamp] in archive.toml")
    for name in only:
        if name not in known:
            raise UsageError(f"there is no authority {name!r}: archive.toml names {', '.join(known)}")
    return [party for name, party in known.items() if not only or name in only]


def _ask(root: Path, party: Authority | str, commit: Commit, tries: int, how: How) -> Granted | tuple[str, str]:
    if isinstance(party, str):
        return calendar.ask(party, commit, tries, how)
    return ask(root, party, commit, tries, how)


def _last_size(archive: Archive, party: Authority | str) -> int:
    """Leaves of the newest checkpoint that this party stamped."""
    end = f"{party_of(party)}.ots" if isinstance(party, str) else f"{party.name}.tsr"
    return max((size for name, _, size, _, _ in archive.catalog.stamps() if name == f"{size}.{end}"), default=0)


class Tail(NamedTuple):
    """How far parties that archive.toml names stamped, by what is kept, unchecked: up to which leaf (None: nobody yet),
    who, and when (ISO); the leaves since, besides stamps, and when the oldest of them came about; and `others`, whose
    stamps reach further though archive.toml does not name them."""

    stamped_up_to: int | None
    by: Sequence[str]
    at: str | None
    leaves: int
    since: str | None
    others: Sequence[str] = ()

    def is_old(self, now: datetime) -> bool:
        """Whether something has been held in place by nobody outside for over a day."""
        return self.since is not None and now - datetime.fromisoformat(self.since) > timedelta(days=1)


def tail(archive: Archive) -> Tail:
    """How far the log is stamped or cosigned, and what lies past that. Settings that cannot be read name nobody."""
    catalog = archive.catalog
    try:
        settings = read_settings(archive.config.stamp)
    except UsageError:
        settings = StampSettings()
    last, by, times, others = 0, set[str](), list[str](), set[str]()
    for name, _, size, _, at in reversed(catalog.stamps()):
        if size < last:
            break
        if not name.endswith((".tsr", ".note")):  # nor does a calendar's promise hold anything in place
            continue
        if parties := _named(archive, name, settings):
            last = size
            by.update(parties)
            times.append(at)
        elif size > last:
            others.add(parse_stamp_name(name).party)
    up_to = last - 1 if by else None
    since = catalog.count_since(last), catalog.oldest_since(last)
    return Tail(up_to, sorted(by), min(times, default=None), *since, sorted(others))


def _named(archive: Archive, name: str, settings: StampSettings) -> set[str]:
    """The parties behind a kept stamp or cosigned checkpoint whom the settings name; signatures are not checked."""
    if name.endswith(".tsr"):
        return {parse_stamp_name(name).party} & {authority.name for authority in settings.authorities}
    log_keys = archive.config.keys()
    ours = {key.identity for key in log_keys}
    witnesses = {(key.name, key.identity) for key in settings.witnesses if key.identity not in ours}
    if not witnesses:
        return set()
    try:
        with open_regular(archive.root / "log" / "stamps" / name) as file:
            signatures = split_note(file.read(MAX_STAMP).decode())[1]
    except (OSError, ValueError):  # missing or damaged: for verify to find
        return set()
    return {signer for signer, signature in signatures if (signer, signature[:4]) in witnesses}
