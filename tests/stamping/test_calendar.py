"""OpenTimestamps: promises are kept, completed beside themselves, and never called more than they are."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from stamped_archive import configure, kept, put, slugs, verify

from muniment.archive.archive import Archive
from muniment.errors import UsageError
from muniment.stamping import Stamping, stamp, upgrade
from tests.authority import Authority

pytest.importorskip("opentimestamps", reason="the extra muniment[opentimestamps] is not installed")
from calendar_server import Calendar

from muniment.formats.ots import complete, make_proof, read_proof


@pytest.fixture
def calendar() -> Iterator[Calendar]:
    with Calendar() as running:
        yield running


def ask(root: Path) -> Stamping:
    with Archive(root) as archive:
        return stamp(archive, tries=1, allow_private=True)


def ask_again(root: Path) -> Stamping:
    with Archive(root) as archive:
        return upgrade(archive, tries=1, allow_private=True)


def test_a_promise_is_kept_and_completed_beside_itself(filled: Path, calendar: Calendar) -> None:
    configure(filled, lines=f'calendars = ["{calendar.url}"]')
    note = (filled / "log" / "checkpoint").read_bytes()
    done = ask(filled)
    name = "3.127-0-0-1-port" + calendar.url.rpartition(":")[2]
    assert (done.size, done.leaf, done.failed, kept(filled)) == (3, 3, [], [f"{name}.ots"])
    assert calendar.asked == [f"POST /digest {hashlib.sha256(note).hexdigest()}"]
    assert ask(filled) == Stamping()
    promise = (filled / "log" / "stamps" / f"{name}.ots").read_bytes()
    assert read_proof(promise, note).blocks == []
    findings, tally = verify(filled)
    assert findings == [] and tally.anchors == []
    assert "a promise" in tally.notices[0]

    assert ask_again(filled).granted == []  # no block yet
    calendar.height = 900_001
    put(filled, "c")
    done = ask_again(filled)
    assert [one.blocks for one in done.granted] == [[900_001]]
    assert kept(filled) == [f"{name}-2.ots", f"{name}.ots"]
    assert (filled / "log" / "stamps" / f"{name}.ots").read_bytes() == promise
    assert ask_again(filled).size is None
    findings, tally = verify(filled)
    assert findings == [] and tally.anchors == []
    [notice] = tally.notices
    assert "claims Bitcoin block 900001, unverified here" in notice
    assert f"ots verify -d {hashlib.sha256(note).hexdigest()}" in notice


def test_authorities_and_calendars_are_independent(filled: Path, calendar: Calendar, authority: Authority) -> None:
    configure(filled, authority, lines=f'calendars = ["{calendar.url}", "http://127.0.0.1:1"]')
    done = ask(filled)
    assert sorted(one.said is None for one in done.granted) == [False, True]
    assert [name for name, _ in done.failed] == ["127-0-0-1-port1"]
    with Archive(filled) as archive:
        assert len(archive.leaf(3).files or {}) == 4


@pytest.mark.parametrize("spoil", [lambda a: a[:-1], lambda a: a + b"x", lambda a: b"", lambda a: b"\xf0" * 60_000])
def test_an_answer_that_cannot_be_read_is_not_kept(filled: Path, calendar: Calendar, spoil) -> None:
    configure(filled, lines=f'calendars = ["{calendar.url}"]')
    calendar.spoil = spoil
    done = ask(filled)
    assert done.granted == [] and "cannot be read" in done.failed[0][1]
    calendar.spoil = lambda answer: answer
    ask(filled)
    calendar.height, calendar.spoil = 5, spoil
    assert "cannot be read" in ask_again(filled).failed[0][1]
    assert len(kept(filled)) == 1


@pytest.mark.parametrize("change", [lambda p: p[:-1], lambda p: p + b"\0", lambda p: b"", lambda p: b"\0" * 100_000])
def test_a_proof_that_is_none_is_invalid_though_it_is_as_logged(filled: Path, calendar: Calendar, change) -> None:
    note = (filled / "log" / "checkpoint").read_bytes()
    proof = make_proof(note, calendar.promise(hashlib.sha256(note).digest()))
    with Archive(filled) as archive, archive.writer() as writer:
        writer.add_stamp(3, {"3.x.ots": change(proof)})
        writer.commit()
    assert slugs(filled) == ["stamp-invalid"]


def test_a_proof_over_other_data_is_refused(calendar: Calendar) -> None:
    proof = make_proof(b"one", calendar.promise(hashlib.sha256(b"one").digest()))
    with pytest.raises(ValueError, match="over other data"):
        read_proof(proof, b"two")
    [promise] = read_proof(proof, b"one").promises
    other = promise._replace(commitment=b"\1" * 32)
    with pytest.raises(ValueError, match="another proof"):
        complete(proof, b"one", [(other, calendar.block(other.commitment))])


def test_without_the_library_calendars_alone_fail_with_the_remedy(
    filled: Path, calendar: Calendar, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    configure(filled, lines=f'calendars = ["{calendar.url}"]')
    ask(filled)
    put(filled, "c")
    configure(filled, authority, lines=f'calendars = ["{calendar.url}"]')
    monkeypatch.setattr("muniment.formats.ots.is_available", lambda: False)
    done = ask(filled)
    assert [one.name for one in done.granted] == ["tsa-0"]
    assert len(done.failed) == 1 and "muniment[opentimestamps]" in done.failed[0][1]
    with pytest.raises(UsageError, match=r"muniment\[opentimestamps\]"):
        ask_again(filled)
    findings, tally = verify(filled)
    assert findings == []
    assert "was not read" in tally.notices[0]
