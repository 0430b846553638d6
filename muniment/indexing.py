"""Feeding the index from the archive: what the log gained since the index last looked."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from muniment.archive.archive import Archive
from muniment.errors import IndexBehind, IntegrityError, MunimentError

if TYPE_CHECKING:
    from muniment.index.engine import Document, Engine, State
    from muniment.index.stories import Stories
    from muniment.snapshot import Snapshot

GROUP, GROUP_SIZE = 200, 8_000_000  # articles, and characters of their text
COMMIT_EVERY = 400_000  # leaves
COMMIT_SECONDS = 60.0  # searches see what a long `add` stores; more often, and the engine merges all the time
BUILD_SECONDS = 300.0  # nobody searches it: what is lost when it is killed, and small segments of each commit


class Indexer:
    """Feeds an engine from the archive. Close it, or what it took in since its last commit is taken in again.

    An index of another version of muniment is left to those who have it open: another is built beside it, or the one
    that was begun goes on, and takes its place when `take_new` has come to the end of the log.
    """

    def __init__(self, archive: Archive, engine: Engine | None = None):
        from muniment.index import generations

        self._archive = archive
        self._root = root = archive.root / "index"
        self._build: str | None = None
        is_in_use = engine is None
        if engine is None and generations.is_outdated(root):
            is_in_use = False
            self._build, engine = begin_build(archive, generations.engine_in_use(root))
            try:
                engine.add(())  # its lock
            except MunimentError:
                engine.close()
                raise
            _tell_of_build(archive, engine.state().log_size)
        elif engine is None:
            engine = generations.open_current(root) or generations.create(root)
            generations.remove_old(root)
        self.engine = engine
        state = self.engine.state()
        if problem := problem_of(archive, state):
            self.engine.close()
            raise IndexBehind(f"the index {problem}")
        self._reached = self._committed = state.log_size
        self._stories = _open_stories(archive, root)
        self._told = self._stories.progress()[0] if self._stories is not None else 0
        self._at_hand: Mapping[int, str] = {}
        self._uncommitted, self._since = 0, time.monotonic()
        self._seconds = COMMIT_SECONDS if is_in_use else BUILD_SECONDS

    def take_new(
        self, progress: Callable[[int], None] = lambda reached: None, texts: Mapping[int, str] | None = None
    ) -> None:
        """Take in what the log gained; durable after `commit()`, and every some thousand articles or seconds.

        `texts` of derivations, by number, need not be read again. Raises Locked, StorageError.
        """
        self._at_hand = texts or {}
        group: list[Document] = []
        size = 0
        start, end = self._reached, self._archive.progress.size
        self._tell_stories(start)
        for derivation, number in self._archive.catalog.derivations(start, end):
            if (document := self._document(number)) is not None:
                group.append(document)
                size += len(document.text)
            if len(group) >= GROUP or size >= GROUP_SIZE:
                self._take(group, size, derivation)  # of the last one, what is about its article may be still to come
                group, size = [], 0
                progress(self._reached)
        self._take(group, size, end)
        self._take_changed(start, end)
        progress(end)
        if self._build is not None:
            from muniment.index import generations

            self.commit()
            generations.put_in_use(self._root, self._build)
            self._build = None

    def _take_changed(self, start: int, end: int) -> None:
        """What was tagged, named or collected since is taken in anew; what was withdrawn leaves."""
        gone: list[int] = []
        group: list[Document] = []
        for number in self._archive.catalog.touched(start, end):
            if self._archive.catalog.has_article(number):
                if (document := self._document(number)) is not None:
                    group.append(document)
            else:
                gone.append(number)
            if len(group) >= GROUP:
                self.engine.add(group)
                group = []
        if group:
            self.engine.add(group)
        if gone:
            self.engine.remove(gone)
            if self._stories is not None:
                with self._as_a_cache():
                    from muniment.removed import forget_words

                    self._stories.remove(gone)
                    for number in gone:
                        forget_words(self._archive, number, self._stories)

    def _take(self, group: list[Document], size: int, reached: int) -> None:
        self.engine.add(map(self._told_of, group))
        self._reached = reached
        self._told = max(self._told, reached)
        self._uncommitted += size
        many = self._reached - self._committed >= COMMIT_EVERY or self._uncommitted >= self.engine.most_uncommitted
        if many or time.monotonic() - self._since >= self._seconds:
            self.commit()

    def _tell_stories(self, start: int) -> None:
        """Where the file of stories is behind the index, it catches up first."""
        if self._stories is None or self._told >= start:
            return
        self.engine.add(())  # the index's lock is theirs too
        for _, number in self._archive.catalog.derivations(self._told, start):
            if (document := self._document(number)) is not None:
                self._told_of(document)
        self._told = start

    def _told_of(self, document: Document) -> Document:
        """The document, once its text was compared with the others; the engine analyses the same text right after."""
        if self._stories is not None:
            from muniment.index import analysis

            with self._as_a_cache():
                self._stories.add(document.number, analysis.words_once(document.text))
        return document

    @contextmanager
    def _as_a_cache(self) -> Iterator[None]:
        """What goes wrong with the stories ends nothing: they are left alone, and catch up at the next occasion."""
        from sqlite3 import Error

        try:
            yield
        except Error as e:
            import logging

            logging.getLogger(__name__).warning("near-duplicates are not looked for now: %s", e)
            if self._stories is not None:
                self._stories.close()
                self._stories = None

    def _document(self, number: int) -> Document | None:
        """The document of a snapshot; None where its text is damaged: the others are to be found all the same."""
        try:
            return _document(self._archive, number, self._removed, self._at_hand)
        except IntegrityError as e:
            import logging  # 9 ms that a search has no use for

            logging.getLogger(__name__).warning("#%d is not in the index: %s", number, e)
            return None

    def _removed(self, newest: Snapshot, text: str) -> tuple[str, ...]:
        from muniment.removed import removed_words

        with self._as_a_cache():
            return removed_words(self._archive, newest, text, self._stories)
        return removed_words(self._archive, newest, text, None)

    def commit(self) -> None:
        """Make durable and visible what was taken in. Raises Locked, StorageError."""
        if self._reached != self._committed:
            log = self._archive.catalog.id_of(self._reached - 1) or ""
            if self._stories is not None and self._reached >= self._told:
                with self._as_a_cache():
                    self._stories.commit(self._reached, log)
                    self._told = self._reached
            self.engine.commit(self._reached, log)
            self._committed = self._reached
        self._uncommitted, self._since = 0, time.monotonic()

    def close(self) -> None:
        try:
            self.commit()
        finally:
            self.engine.close()
            if self._stories is not None:
                self._stories.close()


def begin_build(archive: Archive, engine: str) -> tuple[str, Engine]:
    """The name and the engine of an index beside the one in use: what a killed build left, where that is of use."""
    from muniment.index import generations

    return generations.begin_build(archive.root / "index", engine, lambda state: problem_of(archive, state) is None)


def _tell_of_build(archive: Archive, reached: int) -> None:
    import logging

    logging.getLogger(__name__).warning(
        "the index was built by another version of muniment: it is built anew from %s articles; what is interrupted"
        " goes on the next time%s", f"{archive.progress.articles:,}", _standing(archive) if reached else "",
    )  # fmt: skip


def _open_stories(archive: Archive, root: Path) -> Stories | None:
    """The file of stories, a new one where it is damaged or another log's; None where another process is at it: then it
    catches up at the next occasion."""
    import sqlite3

    from muniment.index.stories import Stories, is_busy

    path = root / "stories.sqlite"
    try:
        stories = Stories(path, writable=True)
        size, log = stories.progress()
        if not size or archive.catalog.id_of(size - 1) == log:
            return stories
        stories.close()
    except sqlite3.Error as e:
        if is_busy(e):
            return None
    try:
        for suffix in ("", "-wal", "-shm"):
            Path(f"{path}{suffix}").unlink(missing_ok=True)
        return Stories(path, writable=True)
    except (OSError, sqlite3.Error):
        return None


def problem_of(archive: Archive, state: State) -> str | None:
    """Why an index in this state cannot answer for this archive: it is damaged, of another version or another log."""
    if not state.engine:
        return "is damaged (its file `state` is missing or cut): run `muniment reindex`"
    if not state.current:
        return outdated(archive)
    if state.log_size and archive.catalog.id_of(state.log_size - 1) != state.log:
        return "was built from another log than this archive's: run `muniment reindex`"
    return None


def outdated(archive: Archive) -> str:
    return "was built by another version of muniment: run `muniment reindex`, or add something" + _standing(archive)


def _standing(archive: Archive) -> str:
    """How far an index is that is built beside the one in use."""
    from muniment.index import generations

    build = generations.begun(archive.root / "index")
    if build is None or not archive.progress.size:
        return ""
    return f" (one that was begun stands at {100 * build[1] // archive.progress.size} in 100)"


def _document(
    archive: Archive, number: int, removed: Callable[[Snapshot, str], tuple[str, ...]], at_hand: Mapping[int, str]
) -> Document:
    from muniment.index.engine import Document
    from muniment.kinds import kinds_of

    snapshot = archive.snapshot(number)
    newest, alone = archive.catalog.standing(number)
    text = at_hand.get(snapshot.derivation or -1)
    if text is None:
        text = archive.text(snapshot)
    return Document(
        number=number,
        article=snapshot.key,
        latest=newest,
        alone=alone,
        title=snapshot.title or "",
        text=text,
        captured=snapshot.captured_at,
        authors=snapshot.authors,
        source=snapshot.source,
        hosts=hosts_of(snapshot.url),
        language=snapshot.language,
        tags=snapshot.tags,
        collections=snapshot.collections,
        published=snapshot.published,
        confidence=snapshot.confidence,
        flags=snapshot.flags,
        kinds=kinds_of(snapshot),
        version=archive.progress.size,
        removed=() if alone or not newest else removed(snapshot, text),
    )


def hosts_of(url: str | None) -> tuple[str, ...]:
    """The host of an address and its parent domains, in ASCII and as people write them, for `site:`."""
    from muniment.ingest.urls import host_of, source_of

    if url is None:
        return ()
    names: dict[str, None] = {}
    for host in (host_of(url), source_of(url)):
        labels = host.split(".")
        names.update((".".join(labels[i:]), None) for i in range(len(labels)))
    return tuple(names)
