"""Other keys take over: signed by the one before, or without it; at whatever moment a rotation is killed."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from muniment import durable
from muniment.archive import config as config_module
from muniment.archive import rotation
from muniment.archive.archive import Archive, create, rebuild
from muniment.archive.commit import scan_frames
from muniment.archive.config import read_config
from muniment.archive.keys import key_path, load_signer, store_signer
from muniment.archive.validity import validity
from muniment.archive.verify import Finding, Request, Verification
from muniment.archive.verify.finding import Tally
from muniment.archive.writer import Writer
from muniment.errors import IntegrityError, UsageError
from muniment.formats.note import parse_vkey, signers_of
from tests.conftest import NOW, fill, upload


def verify(root: Path, *vkeys: str) -> tuple[list[Finding], Tally]:
    keys = [parse_vkey(vkey) for vkeys_ in vkeys for vkey in vkeys_.split(" ")]
    verification = Verification(root, read_config(root), Request(keys=keys))
    return list(verification.run()), verification.tally


def notes(root: Path) -> list[str]:
    return [commit.note for commit in scan_frames((root / "log" / "commits").read_bytes())]


def identities(root: Path, note: str) -> list[int]:
    """Which of the archive's keys signed, by their place in archive.toml."""
    named = read_config(root).keys()
    return [named.index(signed.key) for signed in signers_of(note, named)]


def add_one(root: Path, name: str = "x") -> None:
    with Archive(root) as archive, archive.writer() as writer:
        writer.add_capture(upload(name, name.encode()), [("articleKey", name)])
        writer.commit()


def test_a_rotation_is_signed_by_both_keys_and_what_follows_by_the_new_one(root: Path) -> None:
    fill(root, 3)
    old = read_config(root).vkeys[0]
    with Archive(root) as archive:
        number, new = rotation.rotate(archive, reason="a year is over")
        assert archive.leaf(number).key == new
    add_one(root)
    config = read_config(root)
    assert (config.vkeys, config.next_key) == ((old, new), None)
    assert [identities(root, note) for note in notes(root)] == [[0], [0], [0, 1], [1]]
    found, tally = verify(root)
    assert found == []
    assert tally.notices == [f"another key signs from #{number} on, with the earlier key's signature: a year is over"]
    with Archive(root) as archive:
        held = validity(archive)
    assert [(v.vkeys, v.first, v.last, v.reason) for v in held] == [
        (old, 0, number - 1, None),
        (new, number, None, "a year is over"),
    ]
    rebuild(root)
    assert verify(root)[0] == []


def test_whoever_trusts_the_first_key_trusts_the_ones_that_it_vouched_for(root: Path) -> None:
    add_one(root)
    first = read_config(root).vkeys[0]
    for _ in range(2):
        with Archive(root) as archive:
            rotation.rotate(archive)
    newest = read_config(root).vkeys[-1]
    assert verify(root, first)[0] == []
    assert verify(root, newest)[0] == []
    stranger = create(root.parent / "other", "test.example/log", NOW).vkeys
    assert [finding.finding for finding in verify(root, stranger)[0]] == ["signature"]


def test_a_lost_key_is_replaced_and_only_who_names_the_new_one_trusts_it(root: Path) -> None:
    add_one(root)
    first = read_config(root).vkeys[0]
    key_path(first).unlink()
    with Archive(root) as archive:
        with pytest.raises(UsageError, match="key rotate --lost"):
            archive.writer()
        with pytest.raises(UsageError, match="key rotate --lost"):
            rotation.rotate(archive)
        number, new = rotation.rotate(archive, lost=True, reason="the disk died")
    add_one(root, "later")
    assert [identities(root, note) for note in notes(root)][-2:] == [[1], [1]]
    found, tally = verify(root)
    assert found == []
    assert f"from #{number} on, without the earlier key's signature: the disk died" in tally.notices[0]
    assert verify(root, new)[0] == []
    (finding,) = verify(root, first)[0]
    assert (finding.finding, finding.file) == ("signature", "log/commits")
    assert "you did not bring" in finding.detail


def test_a_compromised_key_is_told_of_from_the_leaf_on(root: Path) -> None:
    fill(root, 4)
    with Archive(root) as archive:
        number, _ = rotation.rotate(archive, since=5, reason="stolen laptop")
        held = validity(archive)
        assert (held[0].last, held[0].trusted_to) == (number - 1, 5)
        with pytest.raises(UsageError, match="#999 is not in the log"):
            rotation.rotate(archive, since=999)
    found, tally = verify(root)
    assert found == []
    assert any(f"#5 to #{number - 1} rest on outside anchors alone" in notice for notice in tally.notices)
    old, new = read_config(root).vkeys
    assert verify(root, new)[0] == []
    assert [finding.finding for finding in verify(root, old)[0]] == ["signature"]  # a thief may have signed the change


def test_an_old_key_signs_nothing_any_more(root: Path) -> None:
    add_one(root)
    old = load_signer(read_config(root).vkeys[0])
    with Archive(root) as archive:
        rotation.rotate(archive)
    with Archive(root) as archive, archive.writer(old) as writer:
        writer.add_capture(upload("forged", b"forged"), [])
        writer.commit()
    assert [finding.finding for finding in verify(root)[0]] == ["signature"]
    with Archive(root) as archive, pytest.raises(IntegrityError, match="no signature of a known key"):
        archive.writer()


def test_what_people_wrote_into_archive_toml_stays(root: Path) -> None:
    path = root / "archive.toml"
    path.write_text(path.read_text() + "delay = 2 # for their sake\n")
    with Archive(root) as archive:
        _, new = rotation.rotate(archive)
    text = path.read_text()
    assert "delay = 2 # for their sake\n" in text
    assert "# What is fetched, and how." in text
    table = tomllib.loads(text)
    assert table["keys"][-1] == new
    assert "next_key" not in table


@pytest.mark.parametrize("lost", [False, True])
def test_a_rotation_that_is_killed_is_finished_or_forgotten(
    new_archive: Callable[..., Path], tmp_path: Path, lost: bool
) -> None:
    """Before each thing that it puts on the disk."""
    original = new_archive()
    add_one(original)
    took_over = []
    for step in range(30):
        root = tmp_path / "copy"
        shutil.copytree(original, root)
        pid = os.fork()
        if pid == 0:
            _rotate_and_die(root, step, lost)
        _, status = os.waitpid(pid, 0)
        add_one(root, f"after {step}")
        config = read_config(root)
        assert config.next_key is None
        took_over.append(len(config.vkeys) == 2)
        assert verify(root)[0] == [], step
        shutil.rmtree(root)
        if os.WIFEXITED(status):
            break
    assert os.WIFEXITED(status), "it should have come to its end"
    assert took_over == sorted(took_over)
    assert {False, True} == set(took_over)


def _rotate_and_die(root: Path, step: int, lost: bool) -> None:
    count = 0

    def counted(whole: Callable[..., object]) -> Callable[..., object]:
        def call(*arguments: object, **options: object) -> object:
            nonlocal count
            if count == step:
                os.kill(os.getpid(), signal.SIGKILL)
            count += 1
            return whole(*arguments, **options)

        return call

    durable.replace = counted(durable.replace)  # type: ignore[assignment]
    durable.AppendFile.append = counted(durable.AppendFile.append)  # type: ignore[method-assign]
    durable.AppendFile.sync = counted(durable.AppendFile.sync)  # type: ignore[method-assign]
    config_module.change_keys = counted(config_module.change_keys)  # type: ignore[assignment]
    rotation.change_keys = config_module.change_keys
    Writer._publish = counted(Writer._publish)  # type: ignore[method-assign]
    try:
        with Archive(root) as archive:
            rotation.rotate(archive, lost=lost)
        os._exit(0)
    finally:
        os._exit(1)


def test_a_passphrase_encrypts_the_key_and_is_asked_for(
    root: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    vkeys = read_config(root).vkeys[0]
    store_signer(load_signer(vkeys), "correct horse")
    path = key_path(vkeys)
    assert path.read_bytes().startswith(b"-----BEGIN ENCRYPTED PRIVATE KEY-----")
    assert path.stat().st_mode & 0o777 == 0o600
    asked = subprocess.run(
        ["openssl", "pkey", "-in", path, "-passin", "pass:correct horse", "-noout", "-text"], capture_output=True
    )
    assert b"ED25519" in asked.stdout
    with Archive(root) as archive:
        with pytest.raises(UsageError, match="is encrypted: set MUNIMENT_PASSPHRASE_FILE"):
            archive.writer()
        archive.ask_passphrase = lambda prompt: "correct horse"
        archive.writer().close()
        archive.ask_passphrase = lambda prompt: "wrong"
        with pytest.raises(UsageError, match="the passphrase does not open"):
            archive.writer()
    file = tmp_path / "passphrase"
    file.write_text("correct horse\n")
    monkeypatch.setenv("MUNIMENT_PASSPHRASE_FILE", str(file))
    add_one(root)
    monkeypatch.setenv("MUNIMENT_PASSPHRASE_FILE", str(tmp_path / "none"))
    with Archive(root) as archive, pytest.raises(UsageError, match="cannot read the passphrase"):
        archive.writer()
    monkeypatch.setenv("MUNIMENT_PASSPHRASE", "correct horse")
    add_one(root, "y")
    assert verify(root)[0] == []


def test_a_post_quantum_key_signs_a_second_line_that_verify_asks_for(tmp_path: Path) -> None:
    root = create(tmp_path / "archive", "test.example/pq", NOW, post_quantum=True, passphrase="p").root
    with Archive(root) as archive:
        archive.ask_passphrase = lambda prompt: "p"
        with archive.writer() as writer:
            writer.add_capture(upload("a", b"a"), [])
            writer.commit()
    (vkeys,) = read_config(root).vkeys
    assert [parse_vkey(vkey).algorithm for vkey in vkeys.split(" ")] == [1, 6]
    assert [identities(root, note) for note in notes(root)] == [[0, 1], [0, 1]]
    assert verify(root)[0] == []
    single = load_signer(vkeys, lambda prompt: "p")
    with Archive(root) as archive, archive.writer(type(single)(single.origin, single.key)) as writer:
        writer.add_capture(upload("b", b"b"), [])
        writer.commit()
    (finding,) = verify(root)[0]
    assert (finding.finding, finding.expected) == ("signature", parse_vkey(vkeys.split(" ")[1]).identity.hex())


def test_rotating_brings_a_post_quantum_key_in(root: Path) -> None:
    add_one(root)
    with Archive(root) as archive:
        _, new = rotation.rotate(archive, post_quantum=True)
    add_one(root, "y")
    assert len(new.split(" ")) == 2
    assert [identities(root, note) for note in notes(root)] == [[0], [0], [0, 1, 2], [1, 2]]
    assert verify(root)[0] == []
