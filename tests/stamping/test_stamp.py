"""Stamps are asked for, checked at once, and kept as they came."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from stamped_archive import configure, kept, put, slugs, verify

from muniment.archive.archive import Archive
from muniment.errors import Locked, UsageError
from muniment.formats.timestamp import check_reply, make_request
from muniment.stamping import Stamping, export_request, import_reply, stamp, tail
from tests.authority import Authority

Make = Callable[..., Authority]


def ask(root: Path, *only: str) -> Stamping:
    with Archive(root) as archive:
        return stamp(archive, only=only, tries=1, allow_private=True)


def test_request_reply_and_chain_are_kept_as_they_came(filled: Path, make_authority: Make) -> None:
    first, second = make_authority("One"), make_authority("Two", intermediate=True, whole_chain=True)
    configure(filled, first, second)
    done = ask(filled)
    assert (done.size, done.leaf, done.failed) == (3, 3, [])
    names = [f"3.tsa-{i}.{kind}" for i in (0, 1) for kind in ("pem", "tsq", "tsr")]
    assert kept(filled) == names
    with Archive(filled) as archive:
        leaf = archive.leaf(3)
        note = (filled / "log" / "commits").read_bytes()
    assert (leaf.type, leaf.size, sorted(leaf.files or {})) == ("stamp", 3, names)
    folder = filled / "log" / "stamps"
    for i, authority in enumerate((first, second)):
        request, reply, pem = ((folder / f"3.tsa-{i}.{kind}").read_bytes() for kind in ("tsq", "tsr", "pem"))
        assert authority.requests == [request]
        assert pem == authority.root_pem
        stamped = next(one for one in done.granted if one.name == f"tsa-{i}")
        text = next(commit for commit in notes(note) if "\n3\n" in commit)
        assert check_reply(reply, text.encode(), [pem], request=request) == stamped.said


def notes(commits: bytes) -> list[str]:
    from muniment.archive.commit import scan_frames

    return [commit.note for commit in scan_frames(commits)]


def test_stamps_of_stamps_are_not_asked_for(filled: Path, authority: Authority) -> None:
    configure(filled, authority)
    assert ask(filled).size == 3
    assert ask(filled) == Stamping()
    put(filled, "c")
    assert ask(filled).size == 5  # with the stamp's own leaf
    assert len(authority.requests) == 2
    findings, tally = verify(filled)
    assert findings == []
    assert (tally.anchored_up_to, tally.unanchored) == (4, 0)


def test_a_renewal_covers_the_stamps_before_it(filled: Path, make_authority: Make) -> None:
    configure(filled, make_authority("Old"))
    ask(filled)
    configure(filled, make_authority("New"))
    with Archive(filled) as archive:
        done = stamp(archive, renew=True, tries=1, allow_private=True)
    assert (done.size, done.leaf) == (4, 4)  # with leaf #3, which names the old stamp
    assert slugs(filled) == []


def test_an_authority_that_fails_stops_no_other_and_is_asked_for_the_same_checkpoint_later(
    filled: Path, make_authority: Make
) -> None:
    good, bad = make_authority("Good"), make_authority("Bad")
    bad.fail_next(1, 500)
    configure(filled, good, bad)
    done = ask(filled)
    assert [one.name for one in done.granted] == ["tsa-0"]
    assert [name for name, _ in done.failed] == ["tsa-1"]
    assert "500" in done.failed[0][1]
    again = ask(filled)
    assert (again.size, [one.name for one in again.granted]) == (3, ["tsa-1"])
    assert len(good.requests) == 1
    assert slugs(filled) == []


def test_a_reply_that_does_not_lead_to_the_configured_root_is_not_kept(filled: Path, make_authority: Make) -> None:
    asked, other = make_authority("Asked"), make_authority("Other")
    configure(filled, ("tsa", asked.url, other.root_pem))
    done = ask(filled)
    assert done.granted == [] and done.leaf is None
    name, why = done.failed[0]
    assert name == "tsa"
    assert "its certificate is by Asked Root: authorities/tsa.pem has to hold the root certificate" in why
    assert not (filled / "log" / "stamps").exists()


def test_a_missing_certificate_fails_its_authority_alone(filled: Path, make_authority: Make) -> None:
    configure(filled, make_authority("One"), make_authority("Two"))
    (filled / "authorities" / "tsa-0.pem").unlink()
    done = ask(filled)
    assert [one.name for one in done.granted] == ["tsa-1"]
    assert "tsa-0.pem" in done.failed[0][1]


def test_only_the_named_authority_is_asked(filled: Path, make_authority: Make) -> None:
    one, two = make_authority("One"), make_authority("Two")
    configure(filled, one, two)
    assert [granted.name for granted in ask(filled, "tsa-1").granted] == ["tsa-1"]
    assert one.requests == []
    with pytest.raises(UsageError, match="there is no authority 'three'"):
        ask(filled, "three")


def test_an_empty_log_has_nothing_to_stamp(root: Path, authority: Authority) -> None:
    configure(root, authority)
    assert ask(root) == Stamping()


def test_nobody_is_asked_where_a_writer_is_at_work(filled: Path, authority: Authority) -> None:
    configure(filled, authority)
    with Archive(filled) as archive, archive.writer(), pytest.raises(Locked):
        ask(filled)
    assert authority.requests == []


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("after_ad = true", "there is no setting 'after_ad'"),
        ("after_add = 1", "after_add cannot be 1: use true or false"),
        ('witnesses = ["x"]', "not a verifier key"),
        ('calendars = ["ftp://x"]', "calendars cannot be 'ftp://x'"),
        ('authorities = ["x"]', "authorities is not a list of tables"),
        ('[[stamp.authorities]]\nname = "x"', "an authority has `name`, `url` and `ca`"),
        ('[[stamp.authorities]]\nname = "../x"\nurl = "https://x"\nca = "x.pem"', "cannot be part of a file's name"),
        ('[[stamp.authorities]]\nname = "x"\nurl = "x"\nca = "x.pem"', "url cannot be 'x'"),
        ('[[stamp.authorities]]\nname = "x"\nurl = "https://x"\nca = "../x.pem"', "ca cannot be '../x.pem'"),
        ('[[stamp.authorities]]\nname = "x"\nurl = "https://x"\nca = "/dev/zero"', "ca cannot be '/dev/zero'"),
        ("", "no authority is configured"),
    ],
)
def test_a_setting_that_is_wrong_is_named(filled: Path, lines: str, message: str) -> None:
    configure(filled, lines=lines)
    with pytest.raises(UsageError) as failure:
        ask(filled)
    assert message in str(failure.value)


def test_a_machine_without_a_network_carries_request_and_reply_by_hand(filled: Path, authority: Authority) -> None:
    with Archive(filled) as archive:
        size, request = export_request(archive)
        put(filled, "later")
        reply = authority.reply(request)
        done = import_reply(archive, request, reply, "by-hand", authority.root_pem)
        assert (size, done.size, done.leaf) == (3, 3, 4)
        with pytest.raises(UsageError, match="kept already"):
            import_reply(archive, request, reply, "by-hand", authority.root_pem)
        with pytest.raises(UsageError, match="for no checkpoint of this log"):
            import_reply(archive, make_request(b"other", 1), reply, "by-hand", authority.root_pem)
        with pytest.raises(UsageError, match="does not hold"):
            import_reply(archive, request, reply[:-1], "other", authority.root_pem)
        with pytest.raises(UsageError, match="cannot be part of a file's name"):
            import_reply(archive, request, reply, "../x", authority.root_pem)
        with pytest.raises(UsageError, match="names no authority 'other'"):
            import_reply(archive, request, reply, "other", None)
    assert slugs(filled, roots=[authority.root_pem]) == []


def test_the_tail_is_what_came_after_the_newest_stamp(filled: Path, authority: Authority) -> None:
    with Archive(filled) as archive:
        before = tail(archive)
        assert (before.stamped_up_to, before.leaves) == (None, 3)
        assert before.since is not None
    configure(filled, authority)
    ask(filled)
    with Archive(filled) as archive:
        after = tail(archive)
        assert (after.stamped_up_to, after.by, after.leaves, after.since) == (2, ["tsa-0"], 0, None)
    put(filled, "c")
    with Archive(filled) as archive:
        assert (tail(archive).stamped_up_to, tail(archive).leaves) == (2, 1)
