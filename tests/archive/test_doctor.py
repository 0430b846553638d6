"""Each finding has a step; what can be seen without verifying has one too."""

from __future__ import annotations

import re
import shutil
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from muniment import doctor, pipeline
from muniment.archive.archive import Archive
from muniment.archive.config import read_config
from muniment.archive.keys import key_path
from muniment.archive.verify import Request, Verification
from tests.conftest import fill, upload

ROOT = Path(__file__).resolve().parents[2]


def names(root: Path) -> set[str]:
    return {step.name for step in doctor.look(root)}


def test_every_finding_that_format_md_lists_has_a_step() -> None:
    text = (ROOT / "docs/format.md").read_text()
    table = text[text.index("## Findings of verify") :]
    slugs = {slug for row in re.findall(r"^\| (`.*?`) \|", table[: table.index("\n## ", 5)], re.M)
             for slug in re.findall(r"`([a-z-]+)`", row)}  # fmt: skip
    assert len(slugs) > 20
    known = {slug for group in doctor._GROUPS for slug in group}
    assert slugs == known


def test_what_can_be_seen_in_a_moment(root: Path) -> None:
    assert names(root) == set()
    fill(root, 3)
    assert names(root) == {"anchors", "index"}
    path = key_path(read_config(root).vkeys[-1])
    path.chmod(0o644)
    (root / "quarantine").mkdir()
    (root / "quarantine/x").write_bytes(b"x")
    assert names(root) == {"anchors", "index", "key-mode", "quarantine"}
    path.unlink()
    assert "no-key" in names(root)
    (root / "warc/2026/00000.warc.gz").write_bytes(b"")
    shutil.copy(root / "log/commits", root / "kept")
    (root / "log/commits").write_bytes(b"x")
    assert "unreadable" in names(root)


def anchors(root: Path) -> doctor.Step | None:
    return next((step for step in doctor.look(root) if step.name == "anchors"), None)


def stamp_by(root: Path, *names: str) -> None:
    """Files as a stamp leaves them; whether they hold is not asked here."""
    with Archive(root) as archive, archive.writer() as writer:
        writer.add_stamp(archive.size, {f"{archive.size}.{name}": b"x" for name in names})
        writer.commit()


def test_anchors_are_those_of_parties_that_archive_toml_names(root: Path) -> None:
    fill(root, 3)
    with Archive(root) as archive:
        pipeline.reindex(archive, None, lambda reached: None)
    config = root / "archive.toml"
    step = anchors(root)
    assert step and step.command is None and "[stamp] in archive.toml" in step.do
    stamp_by(root, "one.tsr", "two.ots")
    assert names(root) == {"anchors"}  # and the index lacks no article
    step = anchors(root)
    assert step and "stamps of one are kept, and vouched for by nobody" in step.what
    text = config.read_text().partition("[stamp]")[0]
    config.write_text(text + '[stamp]\n[[stamp.authorities]]\nname = "one"\nurl = "http://x"\nca = "x.pem"\n')
    assert names(root) == set()
    with Archive(root) as archive, archive.writer() as writer:
        before = datetime.now(UTC) - timedelta(hours=25)
        writer.add_capture(replace(upload("late.txt", b"late"), captured_at=before), [("articleKey", "late")])
        writer.commit()
    step = anchors(root)
    assert step and step.command == "muniment stamp" and "for over a day" in step.what
    config.write_text(text + "[stamp]\nnonsense = 1\n")
    assert "stamp-settings" in names(root) and "unreadable" not in names(root)


def test_findings_become_steps_in_the_order_in_which_to_take_them(root: Path) -> None:
    fill(root, 3)
    with Archive(root) as archive:
        placement = archive.catalog.placements(1)[0]
    data = bytearray((root / placement.segment).read_bytes())
    data[placement.offset + 20] ^= 1
    (root / placement.segment).write_bytes(bytes(data) + b"more")
    shutil.rmtree(root / "log/tile/0")
    found = [asdict(finding) for finding in Verification(root, read_config(root), Request()).run()]
    steps = doctor.in_order(doctor.steps_for([*found, {"records": 3}, {"finding": "new-kind"}]))
    assert [step.kind for step in steps] == ["damage", "damage", "rebuild", "care"]
    assert steps[0].places == [f"{placement.segment} from byte {placement.offset} on"]
    assert steps[0].snapshots == [1]
