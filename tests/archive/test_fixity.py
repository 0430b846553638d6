"""Sampling goes through the whole archive, oldest first, and says where it stands."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from muniment.archive import fixity
from muniment.archive.config import read_config
from muniment.archive.fixity import Cycle
from muniment.archive.verify import Request, Verification
from muniment.archive.verify.sample import Sample
from tests.conftest import NOW, fill


def test_a_cycle_reads_every_leaf_once_and_the_oldest_first() -> None:
    cycle, seen = Cycle("1"), list[int]()
    for at in "1234":
        for first, end in cycle.take(10, 3, at):
            seen += range(first, end)
            cycle.note(first, end, at, ())
    assert seen == list(range(10))
    assert cycle.done(10) == 10 and cycle.oldest(10) == "1"
    assert cycle.take(10, 3, "5") == [(0, 3)] and cycle.begun == "5"
    cycle.note(0, 3, "5", ())
    assert cycle.take(12, 4, "6") == [(3, 5), (10, 12)], "what was never read comes first"
    assert cycle.oldest(12) is None


def test_a_cycle_comes_to_its_end_however_much_is_added(root: Path) -> None:
    for share, growth in ((1.0, 4), (0.3, 4), (0.3, 1), (0.05, 20)):
        cycle, size, read = Cycle("00"), 150, [0] * 4000
        begun = set[str]()
        for run in range(100):
            at = f"{run:02}"
            begun.add(cycle.begun)
            for first, end in cycle.take(size, -int(-size * share // 1), at):
                cycle.note(first, end, at, ())
                for leaf in range(first, end):
                    read[leaf] += 1
            size += growth
        assert len(begun) >= 99 * share / 2 and min(read[:150]) >= 99 * share / 2 - 1, (share, growth)


def test_a_leaf_with_a_finding_is_read_again_each_time_until_it_is_sound() -> None:
    cycle = Cycle("1")
    cycle.note(0, 4, "1", {2})
    assert cycle.take(8, 2, "2") == [(0, 1), (4, 5), (2, 3)], "half of what was never read, half of the oldest"
    cycle.note(2, 3, "2", {2})
    assert cycle.again == [2]
    cycle.note(2, 3, "3", ())
    assert cycle.again == []


def test_a_state_that_is_none_begins_a_new_cycle(tmp_path: Path) -> None:
    for content in (b"", b"[]", b"{}", b'{"fixity":1,"begun":"x","again":[],"read":[[5,2,"x"]]}', b"\xff", b"[" * 9999):
        (tmp_path / fixity.FILE).write_bytes(content)
        assert fixity.load(tmp_path, "9") == Cycle("9")
    cycle = Cycle("1", again=[4])
    cycle.note(0, 4, "2", {1})
    fixity.save(tmp_path, cycle)
    assert fixity.load(tmp_path, "9") == cycle


def run(root: Path, size: int, share: float, day: int) -> tuple[list[str], int, dict]:
    sample = Sample(root, size, share, None, NOW + timedelta(days=day))
    verification = Verification(root, read_config(root), Request(ranges=sample.ranges), sample.note)
    found = [finding.finding for finding in verification.run()]
    sample.finish()
    return found, verification.tally.records, sample.state()


def test_samples_cover_the_archive_and_find_what_is_damaged(root: Path) -> None:
    fill(root, 30)
    size = 62
    runs = [run(root, size, 0.25, day) for day in range(4)]
    assert [found for found, _, _ in runs] == [[]] * 4
    assert sum(records for _, records, _ in runs) == 122
    assert [state["part"] for _, _, state in runs] == [1, 2, 3, 4]
    assert runs[-1][2]["everything_within_days"] == 4
    path = root / "warc/2026/00000.warc.gz"
    data = bytearray(path.read_bytes())
    data[-40] ^= 1
    path.write_bytes(data)
    assert [run(root, size, 0.25, day)[0] for day in range(4, 9)] == [
        [],
        [],
        [],
        ["digest-mismatch"],
        ["digest-mismatch"],
    ]
    data[-40] ^= 1
    path.write_bytes(data)
    assert run(root, size, 0.25, 9)[::2][0] == [] and fixity.load(root, "9").again == []


def test_a_record_that_no_leaf_names_is_found_between_two_samples(root: Path) -> None:
    """The files were changed, and the catalog with them."""
    import sqlite3

    fill(root, 8)
    with sqlite3.connect(root / "catalog.sqlite") as db:
        db.execute("update record set offset = offset + 7 where leaf >= 9 and segment = 1")
    db.close()
    found = [slug for day in range(4) for slug in run(root, 18, 0.25, day)[0]]
    assert "uncovered" in found or "digest-mismatch" in found
