"""What to do next: findings of verify, and what can be seen without it, each with the step to take.

In order: restore what is damaged, then what can be made again, then what only should be looked at.
"""

from __future__ import annotations

import shutil
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from muniment.errors import MunimentError

if TYPE_CHECKING:
    from muniment.archive.archive import Archive

Kind = Literal["damage", "rebuild", "care"]
_ORDER: Sequence[Kind] = ("damage", "rebuild", "care")
_LOW = 1 << 30  # bytes free
_SHOWN = 20  # places of a group


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to do. `kind`: `damage` (signed bytes are not as they were), `rebuild` (a cache), `care`.

    `places` are what a good copy has to supply, or what is to be looked at; `snapshots` the leaves that are touched.
    """

    kind: Kind
    name: str
    what: str
    do: str
    command: str | None = None
    places: Sequence[str] = ()
    snapshots: Sequence[int] = ()


class _Group(NamedTuple):
    kind: Kind
    what: str
    do: str
    command: str | None = None


_RESTORE = (
    "put these ranges, or the whole files, back from a copy, then run `muniment verify`; until then they are lost"
)
_REBUILD = "nothing is lost: it is made anew from what was signed"
_GROUPS: dict[tuple[str, ...], _Group] = {
    ("commit-damaged", "commit-order", "cut", "file-missing", "origin"): _Group(
        "damage", "committed bytes are missing, or are not what was committed", _RESTORE
    ),
    ("leaf-damaged", "root-mismatch"): _Group("damage", "leaves of the log are not what was signed", _RESTORE),
    ("digest-mismatch", "record-missing", "record-order", "uncovered"): _Group(
        "damage", "records are not what their leaves state", _RESTORE
    ),
    ("leaf-record",): _Group(
        "damage", "what leaves say is not what their records say, as both were signed",
        "no copy has another: believe neither, and ask who held the key",
    ),
    ("withdrawal",): _Group(
        "damage", "a withdrawal names records that are no part of what it withdraws",
        "nothing is lost, the records stand as they were logged: ask whoever held the key why",
    ),
    ("renamed",): _Group("damage", "a segment was given another name", "nothing is lost: give it its name back"),
    ("stamp-damaged", "stamp-missing"): _Group("damage", "files of time stamps are not what was logged", _RESTORE),
    ("rewritten", "checkpoint"): _Group(
        "damage", "this log is not the one that was vouched for outside",
        "do not add to it: compare it with other copies; the one that the outside checkpoint is part of is genuine",
    ),
    ("signature",): _Group(
        "damage", "a checkpoint is not signed by a key that is known",
        "compare `keys` in archive.toml with what was published (`muniment key list`); restore log/commits from a copy",
    ),
    ("not-withdrawn",): _Group(
        "damage", "what was withdrawn is there again", "a copy from before was restored: remove it again",
        "muniment rebuild",
    ),
    ("stamp-invalid", "date"): _Group(
        "damage", "a stamp does not hold, or a time cannot be true",
        "ask the authority, and who ran the clock; the records themselves are not touched",
    ),
    ("rederived-other",): _Group(
        "damage", "texts are not what their extractor makes of the bytes",
        "the captures are not touched: read both, and add the files again where the text is wrong",
    ),
    ("catalog-damaged", "no-catalog", "tile-damaged"): _Group(
        "rebuild", "catalog or tiles do not fit the log", _REBUILD, "muniment rebuild"
    ),
    ("uncommitted", "unknown-file"): _Group(
        "care", "bytes or files that no commit covers",
        "an interrupted add leaves such, and the next one sets them aside; where none was interrupted, ask who put them"
        " there",
    ),
}  # fmt: skip


def steps_for(findings: Iterable[Mapping[str, Any]]) -> Iterator[Step]:
    """The steps for findings as `verify --json` prints them; lines that are none are passed over."""
    groups: dict[tuple[str, ...], list[Mapping[str, Any]]] = {}
    for finding in findings:
        slug = finding.get("finding")
        if isinstance(slug, str):
            slugs = next((slugs for slugs in _GROUPS if slug in slugs), (slug,))
            groups.setdefault(slugs, []).append(finding)
    for slugs, found in groups.items():
        group = _GROUPS.get(slugs) or _Group("damage", f"findings of the kind {slugs[0]}", "see docs/format.md")
        names = dict.fromkeys(str(finding["finding"]) for finding in found)
        snapshots = sorted({n for finding in found if isinstance(n := finding.get("snapshot"), int)})
        places = list(dict.fromkeys(place for finding in found if (place := _place(finding))))
        yield Step(group.kind, ", ".join(names), group.what, group.do, group.command, places, snapshots)


def _place(finding: Mapping[str, Any]) -> str:
    file, offset = finding.get("file"), finding.get("offset")
    if not isinstance(file, str):
        return ""
    return f"{file} from byte {offset} on" if isinstance(offset, int) else file


def look(root: Path) -> Iterator[Step]:
    """What can be seen in a moment. Never raises for what is wrong with the archive: that is a step."""
    from muniment.archive.archive import Archive
    from muniment.archive.config import read_config

    config = read_config(root)
    yield from _keys(config.vkeys[-1])
    if config.next_key:
        yield Step("care", "rotation", "a change of keys was begun and not finished",
                   "the next command that writes finishes it", "muniment key list")  # fmt: skip
    yield from _quarantine(root)
    yield from _space(root)
    try:
        with Archive(root) as archive:
            yield from _in_step(archive)
    except MunimentError as e:
        yield Step("damage", "unreadable", str(e), "see what it touches", "muniment doctor --full")


def _keys(vkeys: str) -> Iterator[Step]:
    from muniment.archive.keys import key_path

    path = key_path(vkeys)
    try:
        mode = path.stat().st_mode
    except OSError:
        yield Step("care", "no-key", f"the private key is not here: {path}", "reading and verifying need none; to add,"
                   " put it back from its copy, or bring a new one in", "muniment key rotate --lost")  # fmt: skip
        return
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        yield Step("care", "key-mode", f"others may read the private key: {path}", "take that right away; where others"
                   " may have read it, bring a new key in (`muniment key rotate`)", f"chmod 600 '{path}'")  # fmt: skip


def _quarantine(root: Path) -> Iterator[Step]:
    folder = root / "quarantine"
    names = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
    if names:
        yield Step("care", "quarantine", f"{len(names)} unfinished writes were set aside",
                   "none of it was ever called stored: look, and delete it", places=names[:_SHOWN])  # fmt: skip


def _space(root: Path, free: Callable[[Path], int] = lambda path: shutil.disk_usage(path).free) -> Iterator[Step]:
    if (left := free(root)) < _LOW:
        yield Step("care", "space", f"{left >> 20:,} MiB are left on the disk", "make room before the next add")


def _in_step(archive: Archive) -> Iterator[Step]:
    from muniment.pipeline import index_state

    if archive.lag:
        yield Step("rebuild", "catalog-behind", f"{archive.lag} leaves are not catalogued",
                   "another muniment is at work, or cannot write here: the next open does it")  # fmt: skip
    try:
        index = index_state(archive)
    except MunimentError as e:
        index = {"problem": str(e)}
    if problem := index["problem"]:
        yield Step("rebuild", "index", f"the index: {problem}", _REBUILD, "muniment reindex")
    elif index["indexed"] != index["articles"]:
        yield Step("rebuild", "index-behind", "the index lacks what was added last", "a search brings it up",
                   "muniment search --limit 1 x")  # fmt: skip
    yield from _anchors(archive)


def _anchors(archive: Archive) -> Iterator[Step]:
    from muniment.archive.authorities import read_settings
    from muniment.stamping import tail

    try:
        authorities = read_settings(archive.config.stamp).authorities
    except MunimentError as e:
        yield Step("care", "stamp-settings", str(e), "until it is put right nobody is asked, and nobody believed")
        return
    found = tail(archive)
    if not archive.progress.size or (found.stamped_up_to is not None and not found.is_old(datetime.now(UTC))):
        return
    if found.stamped_up_to is not None:
        what = f"what came after #{found.stamped_up_to} has been held in place by nobody outside for over a day"
    elif found.others:
        what = f"stamps of {', '.join(found.others)} are kept, and vouched for by nobody whom archive.toml names"
    else:
        what = "nobody outside vouches for the log"
    have = "have it stamped" if authorities else "name an authority under [stamp] in archive.toml (see docs/cli.md)"
    yield Step("care", "anchors", what,
               f"{have}, or keep what `muniment checkpoint` prints where others can vouch for it",
               "muniment stamp" if authorities else None)  # fmt: skip


def in_order(steps: Iterable[Step]) -> list[Step]:
    return sorted(steps, key=lambda step: _ORDER.index(step.kind))
