"""Saved searches: kept as files in the archive's folder `searches`, and what is new for each since it was last run.

What is new goes by the log and not by the clock: what was captured at or behind the position up to which the index had
the log at the last run. So nothing is missed that was added meanwhile, by whatever clock, and nothing is told twice. An
article that was captured before, and whose first text came later, is new then; one that is cleaned anew, tagged or
collected is not.

A run remembers its position when all was told, and not before: one that was killed between tells again. With the
position stands the UUID of the leaf before it. Where the log has another there (an older backup was put back), the run
before counts, and so on; where none does, or the search itself was changed, everything is told.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from muniment import answering, durable, finding
from muniment.archive.archive import Archive
from muniment.errors import IndexBehind, IntegrityError, QueryError, StorageError, UsageError
from muniment.finding import Found, Results, Search
from muniment.index import query
from muniment.regular import read_regular
from muniment.search.saved import Saved, check_name, format_saved, parse_saved

FOLDER, STATE = "searches", "state"
MOST_RUNS = 10


class Run(NamedTuple):
    """A run of the past: when, of which search (a digest), how far the log was, the UUID of the leaf before, and how
    many were told; None where the search was only saved."""

    at: str
    search: str
    size: int
    leaf: str
    told: int | None


class News(NamedTuple):
    """What a run finds: `since` is the position from which on it looked (0: everything), `warning` why that is so where
    it is not the last run's."""

    saved: Saved
    since: int
    until: int
    results: Results
    hits: Iterator[Found]
    warning: str | None


def names(archive: Archive) -> list[str]:
    """The searches that are kept, in order of name."""
    folder = archive.root / FOLDER
    return sorted(path.stem for path in folder.glob("*.toml") if not path.name.startswith("."))


def read(archive: Archive, name: str) -> Saved:
    """Raises UsageError where there is none, or where the file is wrong."""
    try:
        text = read_regular(_file(archive, name)).decode()
    except FileNotFoundError:
        raise UsageError(f"there is no search {name!r}: `muniment searches` lists those there are") from None
    except (OSError, UnicodeDecodeError) as e:
        raise UsageError(f"searches/{name}.toml cannot be read: {e}") from None
    return parse_saved(name, text.removeprefix("\ufeff"))


def save(archive: Archive, saved: Saved, *, replace: bool = False, from_now: bool = False) -> None:
    """Keep a search. With `from_now` what the archive holds already counts as told. Raises UsageError, QueryError."""
    path = _file(archive, saved.name)
    finding.indexed_tree_of(archive, _search(saved))  # a wrong query is refused now, and not at night
    if path.exists() and not replace:
        raise UsageError(f"there is a search {saved.name!r} already: use --replace, or another name")
    durable.replace(path, format_saved(saved).encode())
    _state(archive, saved.name).unlink(missing_ok=True)
    if from_now:
        with answering.open_index(archive) as engine:
            state = engine.state()
        _remember(archive, saved, state.log_size, state.log, None)


def found_now(archive: Archive, saved: Saved) -> Results | None:
    """How much a search finds, without the hits; None where no index can tell."""
    try:
        return finding.find(archive, _search(saved)._replace(limit=0, snippets=False))
    except IndexBehind:
        return None


def remove(archive: Archive, name: str) -> None:
    """Raises UsageError where there is none."""
    path = _file(archive, name)
    try:
        path.unlink()
        _state(archive, name).unlink(missing_ok=True)
    except FileNotFoundError:
        raise UsageError(f"there is no search {name!r}: `muniment searches` lists those there are") from None
    except OSError as e:
        raise StorageError(f"{path}: {e.strerror}") from e


def runs(archive: Archive, name: str) -> list[Run]:
    """The last runs of a search, oldest first. Raises UsageError where the file is damaged."""
    path = _state(archive, name)
    try:
        return [Run(**run) for run in json.loads(read_regular(path))["runs"]]
    except FileNotFoundError:
        return []
    except (OSError, ValueError, TypeError, KeyError):
        raise UsageError(f"{path} is damaged: remove it, and the next run tells everything") from None


@contextmanager
def locked(archive: Archive, wait: float = 0.0) -> Iterator[None]:
    """Nobody else runs a saved search meanwhile, so that none is told twice. Raises Locked, StorageError."""
    folder = archive.root / FOLDER / STATE
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as e:
        raise StorageError(f"{folder}: {e.strerror}") from e
    lock = durable.Lock(folder / "lock", wait)
    try:
        yield
    finally:
        lock.release()


@contextmanager
def news(archive: Archive, saved: Saved, *, snippets: bool = True, everything: bool = False) -> Iterator[News]:
    """What a search finds that it did not at its last run, or `everything`; `remember` it when all of it was told."""
    search = _search(saved)._replace(snippets=snippets)
    try:
        tree = finding.indexed_tree_of(archive, search)
    except QueryError as e:
        file = f"{FOLDER}/{saved.name}.toml"
        where = f"{file}: {e.option}" if e.option else file
        raise QueryError(f"{where}: {e}", e.query, e.position, option=e.option, file=file) from None
    since, warning = (0, None) if everything else _since(archive, saved)
    with answering.open_index(archive) as engine:
        until = engine.state().log_size
        late: tuple[int, ...] = ()
        if changed := _changed(archive, since, until):
            matching = engine.numbers(query.conjunction((tree, query.AnyOf("number", changed))))
            late = tuple([number for number, _ in matching if not _had_text(archive, number, since)])
    captured = query.Range("number", since, until, True, False)
    within = query.Or((captured, query.AnyOf("number", late))) if late else captured
    with finding.find_all(archive, search._replace(within=within)) as (results, hits):
        yield News(saved, since, until, results, hits, warning)


def remember(archive: Archive, found: News, told: int) -> None:
    """The next run begins where this one ended. Raises StorageError."""
    leaf = archive.catalog.id_of(found.until - 1) if found.until else ""
    _remember(archive, found.saved, found.until, leaf or "", told)


def _remember(archive: Archive, saved: Saved, size: int, leaf: str, told: int | None) -> None:
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    kept = [*runs(archive, saved.name), Run(now, _digest(saved), size, leaf, told)][-MOST_RUNS:]
    text = json.dumps({"runs": [run._asdict() for run in kept]}, indent=1)
    durable.replace(_state(archive, saved.name), text.encode() + b"\n")


def _since(archive: Archive, saved: Saved) -> tuple[int, str | None]:
    """Where to begin, and what there is to say of it."""
    past = runs(archive, saved.name)
    if not past:
        return 0, None
    if past[-1].search != _digest(saved):
        return 0, "the search was changed since its last run: everything is told"
    for run in reversed(past):
        if run.search == _digest(saved) and (not run.size or archive.catalog.id_of(run.size - 1) == run.leaf):
            if run is past[-1]:
                return run.size, None
            return run.size, f"the log is older than at the last run: what is new since {run.at} is told"
    return 0, "the log is another one than at the last runs: everything is told"


def _changed(archive: Archive, since: int, until: int) -> tuple[int, ...]:
    """The snapshots from before `since` that were cleaned from then on."""
    if not since:
        return ()
    return tuple({number for _, number in archive.catalog.derivations(since, until) if number < since})


def _had_text(archive: Archive, number: int, since: int) -> bool:
    """Whether it had one before; no where that is damaged: it is told rather than missed."""
    snapshot = archive.snapshot(number)
    earlier = [made for made in archive.catalog.made_of(number) if made < since]
    try:
        return any(archive.text(dataclasses.replace(snapshot, derivation=made)) for made in earlier)
    except IntegrityError:
        return False


def _search(saved: Saved) -> Search:
    return Search(
        saved.query,
        saved.filters,
        "captured",
        None,
        versions=saved.versions,
        collapse=saved.collapse,
        sentence=saved.sentence,
    )


def _digest(saved: Saved) -> str:
    return hashlib.sha256(format_saved(saved).encode()).hexdigest()[:16]


def _file(archive: Archive, name: str) -> Path:
    return archive.root / FOLDER / f"{check_name(name)}.toml"


def _state(archive: Archive, name: str) -> Path:
    return archive.root / FOLDER / STATE / f"{check_name(name)}.json"
