"""The commands, as people run them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from stamped_archive import configure, kept, put

from muniment.archive.archive import Archive
from tests.authority import Authority

Make = Callable[..., Authority]


def run(root: Path, *arguments: str | Path, code: int = 0, stdin: str = "") -> tuple[str, str]:
    done = subprocess.run(
        [sys.executable, "-m", "muniment", "--archive", root, *arguments],
        input=stdin, capture_output=True, text=True, timeout=60, cwd=root, env=dict(os.environ),
    )  # fmt: skip
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout, done.stderr


def test_stamp_tells_a_line_an_authority(filled: Path, make_authority: Make) -> None:
    good, bad = make_authority("Good"), make_authority("Bad")
    bad.fail_next(9, 403)
    configure(filled, good, bad)
    out, err = run(filled, "stamp", "--allow-private", code=3)
    assert out.startswith("stamped tsa-0 20") and out.endswith("by Good, up to #2\n")
    assert err.startswith("failed tsa-1: ") and "403" in err
    out, err = run(filled, "stamp", "--allow-private", "--json", code=13)
    assert json.loads(out)["failed"][0]["name"] == "tsa-1"
    configure(filled, good)
    assert run(filled, "stamp", "--allow-private") == ("", "nothing new to stamp\n")


def test_an_address_that_is_not_public_is_refused_unless_it_is_allowed(filled: Path, authority: Authority) -> None:
    configure(filled, authority)
    _, err = run(filled, "stamp", code=13)
    assert "not public" in err or "private" in err
    assert authority.requests == []


def test_verify_and_status_tell_who_holds_the_log(filled: Path, make_authority: Make) -> None:
    configure(filled, make_authority("One"), make_authority("Two"))
    assert "anchored by nobody outside" in run(filled, "verify")[1]
    assert "stamped   by nobody outside yet; 3 leaves since\n" in run(filled, "status")[0]
    run(filled, "stamp", "--allow-private")
    put(filled, "c")
    _, err = run(filled, "verify")
    assert "anchored up to #2 by " in err
    assert " (2 parties); #3 to #4 are held in place by nobody outside yet" in err
    summary = json.loads(run(filled, "verify", "--json")[0])
    assert (summary["anchored_up_to"], summary["unanchored"], len(summary["anchors"])) == (2, 1, 2)
    out, _ = run(filled, "status")
    assert "stamped   up to #2 by tsa-0, tsa-1 at 20" in out
    assert "Z; 1 leaf since\n" in out
    facts = json.loads(run(filled, "status", "--json")[0])
    assert (facts["stamped_up_to"], facts["unanchored_leaves"], facts["unanchored_too_long"]) == (2, 1, False)


def test_status_counts_those_alone_whom_archive_toml_names(filled: Path, make_authority: Make) -> None:
    one, two = make_authority("One"), make_authority("Two")
    configure(filled, ("one", one.url, one.root_pem))
    run(filled, "stamp", "--allow-private")
    put(filled, "c")
    configure(filled, ("two", two.url, two.root_pem))
    assert "anchored by nobody outside" in run(filled, "verify")[1]
    unnamed = "by one: kept, and vouched for by nobody whom archive.toml names"
    assert f"stamped   {unnamed}; 4 leaves since\n" in run(filled, "status")[0]
    facts = json.loads(run(filled, "status", "--json")[0])
    assert (facts["stamped_up_to"], facts["stamped_by"], facts["stamped_by_others"]) == (None, [], ["one"])
    run(filled, "stamp", "--allow-private")
    assert "stamped   up to #4 by two at 20" in run(filled, "status")[0]
    configure(filled, ("one", one.url, one.root_pem))
    assert "Z; past that by two: kept, and vouched for by nobody whom" in run(filled, "status")[0]


def test_status_warns_of_what_nobody_held_for_a_day(root: Path) -> None:
    put(root, "a", at=datetime.now(UTC) - timedelta(hours=25))
    out, _ = run(root, "status")
    assert "run `muniment stamp`" in out
    assert json.loads(run(root, "status", "--json")[0])["unanchored_too_long"] is True


def test_verify_trusts_the_roots_that_the_caller_names(filled: Path, make_authority: Make, tmp_path: Path) -> None:
    authority, other = make_authority("One"), make_authority("Two")
    configure(filled, authority)
    run(filled, "stamp", "--allow-private")
    for name, pem in (("right", authority.root_pem), ("wrong", other.root_pem), ("junk", b"junk")):
        (tmp_path / name).write_bytes(pem)
    assert "anchored up to #2" in run(filled, "verify", "--ca", tmp_path / "right")[1]
    _, err = run(filled, "verify", "--ca", tmp_path / "wrong")
    assert "anchored by nobody outside" in err and "nobody named" in err
    assert "junk" in run(filled, "verify", "--ca", tmp_path / "junk", code=2)[1]


def test_add_is_stamped_at_its_end_where_that_is_configured(root: Path, authority: Authority, tmp_path: Path) -> None:
    page = tmp_path / "page.txt"
    page.write_text("An article of a few words, kept.\n")
    configure(root, authority, lines="after_add = true")
    out, err = run(root, "add", page, "--allow-private")
    assert out.startswith("#1 stored") and "stamped by Test TSA, 20" in err
    assert kept(root) == ["4.tsa-0.pem", "4.tsa-0.tsq", "4.tsa-0.tsr"]
    out, err = run(root, "add", page)  # and now it is not let through to a private address
    assert "failed tsa-0" in err
    assert "unchanged" in out


def test_an_add_does_not_fail_with_its_stamp(root: Path, authority: Authority, tmp_path: Path) -> None:
    page = tmp_path / "page.txt"
    page.write_text("An article of a few words, kept.\n")
    configure(root, authority, lines="after_add = true")
    authority.fail_next(9, 403)
    assert "failed tsa-0" in run(root, "add", page, "--allow-private")[1]
    configure(root, lines="after_add = true")
    assert "but not time-stamped: no authority is configured" in run(root, "add", page)[1]
    configure(root, lines="nonsense = true")
    before = Archive(root).size
    assert "there is no setting 'nonsense'" in run(root, "add", page, code=2)[1]
    assert Archive(root).size == before


def test_request_and_reply_can_be_carried(filled: Path, authority: Authority, tmp_path: Path) -> None:
    request, reply, ca = tmp_path / "request.tsq", tmp_path / "reply.tsr", tmp_path / "ca.pem"
    assert "3 leaves" in run(filled, "stamp", "--export-request", request)[1]
    assert "is there already" in run(filled, "stamp", "--export-request", request, code=2)[1]
    reply.write_bytes(authority.reply(request.read_bytes()))
    ca.write_bytes(authority.root_pem)
    words = ("stamp", "--import-reply", reply, "--request", request, "--name", "carried")
    assert "bring its root certificate" in run(filled, *words, code=2)[1]
    assert run(filled, *words, "--ca", ca)[0].startswith("stamped carried 20")
    assert "kept already" in run(filled, *words, "--ca", ca, code=2)[1]
    assert "goes with" in run(filled, "stamp", "--import-reply", reply, code=2)[1]
    assert kept(filled) == ["3.carried.pem", "3.carried.tsq", "3.carried.tsr"]


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["--request", "X"], "goes with"),
        (["--name", "x"], "goes with"),
        (["--ca", "X"], "goes with"),
        (["--import-reply", "", "--request", "", "--name", "", "--upgrade"], "exclude one another"),
        (["--upgrade", "--authority", "tsa-0"], "not with --upgrade"),
        (["--export-request", "X", "--authority", "tsa-0"], "not with --upgrade"),
        (["--import-reply", "X", "--request", "X", "--name", "x", "--authority", "tsa-0"], "not with --upgrade"),
    ],
)
def test_options_out_of_place_are_refused(filled: Path, words: list[str], why: str) -> None:
    assert why in run(filled, "stamp", *words, code=2)[1]
    assert not (filled / "X").exists()


def test_a_checkpoint_is_brought_back(filled: Path, tmp_path: Path) -> None:
    note = run(filled, "checkpoint")[0]
    out, _ = run(filled, "checkpoint", "--import", "-", stdin=note)
    assert out == "standard input matches the checkpoint of 3 leaves in this log\n"
    shown = json.loads(run(filled, "checkpoint", "--import", "-", "--json", stdin=note)[0])
    assert shown == {"file": "standard input", "size": 3, "cosigned": [], "leaf": None}
    assert "is no checkpoint" in run(filled, "checkpoint", "--import", sys.executable, code=2)[1]
    assert "cannot read" in run(filled, "checkpoint", "--import", tmp_path / "none", code=2)[1]
    assert "--key goes with --import" in run(filled, "checkpoint", "--key", "x", code=2)[1]


@pytest.mark.parametrize("stdin", ["", "— x AAAAAAA=\n", "\n\n— x AAAAAAA=\n", "a\n1\nAA==\n\n— x AAAAAAA=\n"])
def test_what_is_no_checkpoint_is_refused_in_a_line(filled: Path, stdin: str) -> None:
    _, err = run(filled, "checkpoint", "--import", "-", code=2, stdin=stdin)
    assert err.count("\n") == 1
