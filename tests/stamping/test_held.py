"""What verify says of stamps: whose hold, which were damaged or exchanged, and what the dates around them say."""

from __future__ import annotations

import hashlib
import shutil
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from stamped_archive import configure, kept, put, slugs, verify

from muniment.archive.archive import Archive
from muniment.archive.records import Group
from muniment.formats.leaf import Leaf
from muniment.formats.timestamp import make_request
from muniment.formats.warc import format_date
from muniment.stamping import import_reply, stamp
from tests.authority import Authority
from tests.conftest import upload

Make = Callable[..., Authority]


@pytest.fixture
def stamped(filled: Path, authority: Authority) -> Path:
    configure(filled, authority)
    with Archive(filled) as archive:
        stamp(archive, tries=1, allow_private=True)
    return filled


def keep(root: Path, size: int, files: dict[str, bytes]) -> None:
    with Archive(root) as archive, archive.writer() as writer:
        writer.add_stamp(size, files)
        writer.commit()


def note_of(root: Path, size: int) -> bytes:
    with Archive(root) as archive:
        from muniment.archive.proving import commits_of

        return commits_of(root / "log", archive.config.origin, size, archive.config.keys())[-1].note.encode()


def test_a_stamp_that_holds_is_an_anchor(stamped: Path) -> None:
    findings, tally = verify(stamped)
    assert findings == [] and tally.notices == []
    [anchor] = tally.anchors
    assert (anchor.size, anchor.by) == (3, "Test TSA")
    assert abs(datetime.fromisoformat(anchor.time or "") - datetime.now(UTC)) < timedelta(minutes=2)
    assert (tally.anchored_up_to, tally.unanchored) == (2, 0)
    put(stamped, "c")
    assert verify(stamped)[1].unanchored == 1


@pytest.mark.parametrize("kind", ["tsq", "tsr", "pem"])
def test_a_changed_file_of_a_stamp_is_found_and_so_is_a_missing_one(stamped: Path, kind: str) -> None:
    path = stamped / "log" / "stamps" / f"3.tsa-0.{kind}"
    whole = path.read_bytes()
    for changed in (bytes([whole[0] ^ 1]) + whole[1:], whole[:-1], whole + b"\n", b""):
        path.write_bytes(changed)
        findings, _ = verify(stamped)
        assert [(f.finding, f.file, f.snapshot) for f in findings] == [
            ("stamp-damaged", f"log/stamps/3.tsa-0.{kind}", 3)
        ]
    path.unlink()
    assert slugs(stamped) == ["stamp-missing"]
    path.write_bytes(whole)
    assert slugs(stamped) == []


def test_a_stamp_that_was_exchanged_for_another_valid_one_is_damaged(stamped: Path, authority: Authority) -> None:
    request = make_request(note_of(stamped, 3), 99)
    folder = stamped / "log" / "stamps"
    (folder / "3.tsa-0.tsq").write_bytes(request)
    (folder / "3.tsa-0.tsr").write_bytes(authority.reply(request))
    findings, tally = verify(stamped)
    assert [f.finding for f in findings] == ["stamp-damaged", "stamp-damaged"]
    assert tally.anchors == []


def test_a_file_that_no_leaf_names_is_unknown(stamped: Path) -> None:
    (stamped / "log" / "stamps" / "2.x.tsr").write_bytes(b"x")
    findings, _ = verify(stamped)
    assert [(f.finding, f.file) for f in findings] == [("unknown-file", "log/stamps/2.x.tsr")]


def test_where_leaves_cannot_be_read_no_file_is_called_unknown(stamped: Path) -> None:
    shutil.rmtree(stamped / "log" / "tile" / "0")
    path = stamped / "log" / "tile" / "entries" / "000.p" / "tail"
    path.write_bytes(path.read_bytes().replace(b'"type":"stamp"', b'"type":"stamq"'))
    found = slugs(stamped)
    assert "root-mismatch" in found and "unknown-file" not in found


def test_a_stamp_over_another_log_is_invalid_though_it_is_as_logged(filled: Path, authority: Authority) -> None:
    configure(filled, authority)
    request = make_request(b"another checkpoint", 1)
    keep(filled, 3, {"3.x.tsq": request, "3.x.tsr": authority.reply(request), "3.x.pem": authority.root_pem})
    findings, tally = verify(filled)
    assert [(f.finding, f.snapshot) for f in findings] == [("stamp-invalid", 3)]
    assert "over other data" in findings[0].detail
    assert tally.anchors == []


@pytest.mark.parametrize(
    ("size", "name"), [(3, "../../../x.tsr"), (3, "4.x.tsr"), (3, "3.x.exe"), (2, "2.x.tsr"), (3, "3.x.tsr")]
)
def test_whatever_a_leaf_names_is_told_and_nothing_else_is_read(filled: Path, size: int, name: str) -> None:
    """`add_stamp` refuses such names; whoever holds the key may write the leaf all the same."""
    content = b"no stamp"
    path = filled / "log/stamps" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    files = {name: hashlib.sha256(content).hexdigest()}
    with Archive(filled) as archive, archive.writer() as writer:
        leaf = Leaf("stamp", str(uuid.uuid4()), format_date(datetime.now(UTC)), size=size, files=files)
        writer._append("derived", Group(leaf, ()))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)  # the writer sets aside what no leaf names
        writer.commit()
    assert slugs(filled) == ["stamp-invalid"]


@pytest.mark.parametrize("name", ["../../../x.tsr", "4.x.tsr", "3.x.exe", "3.twice.tsr"])
def test_a_stamp_is_kept_under_a_name_of_its_own_and_replaces_nothing(filled: Path, name: str) -> None:
    keep(filled, 3, {"3.twice.tsr": b"first"})
    with pytest.raises(ValueError, match=r"no name of a stamp's file|cannot be kept"):
        keep(filled, 3, {name: b"second"})
    assert (filled / "log/stamps/3.twice.tsr").read_bytes() == b"first"


def test_a_root_that_nobody_named_gives_a_notice_and_no_anchor(stamped: Path, make_authority: Make) -> None:
    other = make_authority("Other")
    for roots in ([other.root_pem], []):
        configure(stamped)
        findings, tally = verify(stamped, roots=roots)
        assert findings == []
        assert tally.anchors == []
        assert "Test TSA" in tally.notices[0] and "nobody named" in tally.notices[0]


def test_many_stamps_by_one_unnamed_authority_are_told_in_one_notice(stamped: Path, authority: Authority) -> None:
    configure(stamped, authority)
    for i in range(2):
        with Archive(stamped) as archive, archive.writer() as writer:
            writer.add_capture(upload(f"more-{i}", b"more"))
            writer.commit()
        with Archive(stamped) as archive:
            assert stamp(archive, tries=1, allow_private=True).granted
    configure(stamped)
    (notice,) = verify(stamped)[1].notices
    assert notice.startswith("3 stamps are by Test TSA, the newest log/stamps/")


def test_the_caller_names_the_roots_that_count(stamped: Path, authority: Authority) -> None:
    configure(stamped)
    assert [anchor.by for anchor in verify(stamped, roots=[authority.root_pem])[1].anchors] == ["Test TSA"]


def test_a_certificate_that_expired_since_keeps_its_old_stamps_valid(filled: Path, make_authority: Make) -> None:
    then = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=30)
    day = timedelta(days=1)
    valid = make_authority("Old", since=then - day, until=then + timedelta(minutes=1), clock=then)
    expired = make_authority("Late", since=then - 3 * day, until=then - 2 * day, clock=then)
    configure(filled, valid, expired)
    with Archive(filled) as archive:
        done = stamp(archive, tries=1, allow_private=True)
    assert [one.name for one in done.granted] == ["tsa-0"]
    assert [name for name, _ in done.failed] == ["tsa-1"]
    past = then - timedelta(days=400)
    old = make_authority("Older", since=past - day, until=past + day, clock=past)
    request = make_request(note_of(filled, 3), 7)
    with Archive(filled) as archive:
        import_reply(archive, request, old.reply(request), "older", old.root_pem)
    _, tally = verify(filled, roots=[old.root_pem, valid.root_pem])
    assert {anchor.by for anchor in tally.anchors} == {"Old", "Older"}


def test_leaves_later_than_a_stamp_over_them_are_misdated(filled: Path, make_authority: Make) -> None:
    hour = timedelta(hours=1)
    early = make_authority("Early", clock=datetime.now(UTC).replace(microsecond=0) - hour)
    configure(filled, early)
    with Archive(filled) as archive:
        stamp(archive, tries=1, allow_private=True)
    findings, _ = verify(filled)
    assert [(f.finding, f.snapshot) for f in findings] == [("date", 0), ("date", 1), ("date", 2)]
    assert "was stamped before that" in findings[0].detail


def test_a_capture_that_is_earlier_than_the_stamp_before_it_is_misdated(stamped: Path) -> None:
    put(stamped, "in time", at=datetime.now(UTC) - timedelta(minutes=50))
    assert slugs(stamped) == []
    put(stamped, "backdated", at=datetime.now(UTC) - timedelta(minutes=70))
    findings, _ = verify(stamped)
    assert [(f.finding, f.snapshot) for f in findings] == [("date", 5)]
    assert "the log was stamped before it came" in findings[0].detail


def test_without_a_stamp_nobody_excludes_a_date(root: Path) -> None:
    put(root, "a", at=datetime(1999, 1, 1, tzinfo=UTC))
    assert slugs(root) == []


def test_settings_that_cannot_be_read_are_told_and_verify_goes_on(stamped: Path) -> None:
    (stamped / "authorities" / "tsa-0.pem").write_bytes(b"junk")
    findings, tally = verify(stamped)
    assert findings == [] and tally.anchors == []
    assert "tsa-0.pem" in tally.notices[0]
    configure(stamped, lines="nonsense = 1")
    findings, tally = verify(stamped)
    assert findings == []
    assert "nonsense" in tally.notices[0]


def test_a_rebuilt_archive_still_knows_its_stamps(stamped: Path) -> None:
    from muniment.archive.archive import rebuild

    for path in stamped.glob("catalog.sqlite*"):
        path.unlink()
    shutil.rmtree(stamped / "log" / "tile" / "0")
    rebuild(stamped)
    put(stamped, "c")
    assert kept(stamped) == ["3.tsa-0.pem", "3.tsa-0.tsq", "3.tsa-0.tsr"]
    assert slugs(stamped) == []
