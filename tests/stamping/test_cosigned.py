"""Checkpoints that others held or cosigned, brought back to the archive."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from stamped_archive import configure, kept, put, slugs, verify

from muniment.archive.archive import Archive
from muniment.errors import IntegrityError, UsageError
from muniment.formats.note import split_note
from muniment.stamping import import_checkpoint, tail
from tests.witness import TIME, Witness


@pytest.fixture
def note(filled: Path) -> str:
    """The newest checkpoint, and more articles since."""
    text = (filled / "log" / "checkpoint").read_text()
    put(filled, "c")
    return text


def test_a_cosigned_checkpoint_is_kept_and_an_anchor(filled: Path, note: str) -> None:
    witness = Witness()
    configure(filled, lines=f'witnesses = ["{witness.vkey}"]')
    with Archive(filled) as archive:
        done = import_checkpoint(archive, note + witness.line(note))
        assert (done.size, [signed.key.name for signed in done.witnesses], done.leaf) == (3, [witness.name], 4)
        assert import_checkpoint(archive, note + witness.line(note)).leaf is None  # these very bytes are kept
        again = import_checkpoint(archive, note + witness.line(note, TIME + 60))
        assert again.leaf == 5
    assert kept(filled) == ["3.witness-example-w1-2.note", "3.witness-example-w1.note"]
    assert (filled / "log" / "stamps" / "3.witness-example-w1.note").read_text() == note + witness.line(note)
    findings, tally = verify(filled)
    assert [(anchor.size, anchor.by, anchor.time) for anchor in tally.anchors] == [
        (3, witness.name, "2023-11-14T22:13:20Z"),
        (3, witness.name, "2023-11-14T22:14:20Z"),
    ]
    # The witness's clock is years behind the captures that it cosigned.
    assert {finding.finding for finding in findings} == {"date"}
    assert tally.unanchored == 1


def test_signature_lines_alone_find_their_checkpoint(filled: Path, note: str) -> None:
    witness = Witness()
    with Archive(filled) as archive:
        done = import_checkpoint(archive, witness.line(note), [witness.key])
        assert (done.size, done.leaf) == (3, 4)
        with pytest.raises(UsageError, match="for no checkpoint of this log"):
            import_checkpoint(archive, Witness().line(note), [witness.key])
    assert (filled / "log" / "stamps" / "3.witness-example-w1.note").read_text() == note + witness.line(note)


def test_a_plain_copy_matches_and_nothing_is_kept(filled: Path, note: str) -> None:
    with Archive(filled) as archive:
        done = import_checkpoint(archive, note)
    assert (done.size, done.witnesses, done.leaf) == (3, [], None)
    assert not (filled / "log" / "stamps").exists()


def test_an_unknown_witness_is_refused(filled: Path, note: str) -> None:
    with Archive(filled) as archive, pytest.raises(UsageError, match=r"witness.example/w1.*is not known"):
        import_checkpoint(archive, note + Witness().line(note))


def test_a_cosignature_that_does_not_hold_is_refused(filled: Path, note: str) -> None:
    witness, newest = Witness(), (filled / "log" / "checkpoint").read_text()
    with Archive(filled) as archive, pytest.raises(UsageError, match="does not hold"):
        import_checkpoint(archive, note + witness.line(newest), [witness.key])


def test_a_checkpoint_of_another_history_is_an_alarm(filled: Path, tmp_path: Path) -> None:
    """Two copies of one archive grow apart."""
    other = tmp_path / "other"
    shutil.copytree(filled, other)
    put(other, "x")
    put(filled, "y")
    elsewhere = (other / "log" / "checkpoint").read_text()
    with Archive(filled) as archive, pytest.raises(IntegrityError, match="another history"):
        import_checkpoint(archive, elsewhere)
    put(other, "z")  # longer than ours
    with Archive(filled) as archive, pytest.raises(IntegrityError, match="another history"):
        import_checkpoint(archive, (other / "log" / "checkpoint").read_text())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda note: "", "no checkpoint of this log"),
        (lambda note: note.replace("\n3\n", "\n4\n"), "does not belong to this text"),
        (lambda note: split_note(note)[0] + "\n" + Witness("test.example/log").line(note), "signed by no key"),
        (lambda note: note.replace("test.example/log", "a.example/log"), "a checkpoint of 'a.example/log'"),
        (lambda note: note[:-1], "no checkpoint of this log"),
        (lambda note: note.replace("\n3\n", "\n03\n"), "no checkpoint of this log"),
    ],
)
def test_what_is_no_checkpoint_of_this_log_is_wrong_usage(filled: Path, note: str, change, message: str) -> None:
    with Archive(filled) as archive, pytest.raises(UsageError) as failure:
        import_checkpoint(archive, change(note))
    assert message in str(failure.value)


def test_a_witness_that_nobody_named_gives_a_notice(filled: Path, note: str) -> None:
    witness = Witness()
    with Archive(filled) as archive:
        import_checkpoint(archive, note + witness.line(note), [witness.key])
    findings, tally = verify(filled)
    assert findings == [] and tally.anchors == []
    assert witness.name in tally.notices[0]
    assert [anchor.by for anchor in verify(filled, witnesses=[witness.key])[1].anchors] == [witness.name]


def test_a_cosigned_note_of_another_checkpoint_is_invalid(filled: Path, note: str) -> None:
    witness, newest = Witness(), (filled / "log" / "checkpoint").read_text()
    with Archive(filled) as archive, archive.writer() as writer:
        writer.add_stamp(3, {"3.w.note": (newest + witness.line(newest)).encode()})
        writer.commit()
    assert slugs(filled, witnesses=[witness.key]) == ["stamp-invalid"]


def test_the_tail_counts_witnesses_that_archive_toml_names(filled: Path, note: str) -> None:
    stranger, witness = Witness("stranger.example"), Witness()
    configure(filled, lines=f'witnesses = ["{witness.vkey}"]')
    with Archive(filled) as archive:
        import_checkpoint(archive, note + stranger.line(note), [stranger.key])
        assert (tail(archive).stamped_up_to, tail(archive).others) == (None, ["stranger-example"])
        both = note + stranger.line(note) + witness.line(note)
        import_checkpoint(archive, both, [stranger.key])  # kept under the first one's name
        assert (tail(archive).stamped_up_to, tail(archive).by, tail(archive).leaves) == (2, [witness.name], 1)
    (filled / "log" / "stamps" / "3.stranger-example-2.note").unlink()
    with Archive(filled) as archive:
        assert tail(archive).stamped_up_to is None
