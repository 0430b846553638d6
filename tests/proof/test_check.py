"""`muniment prove` and `muniment check` as commands, and the zips that a hostile stranger may bring."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import struct
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from muniment.archive.archive import Archive
from muniment.archive.proofs import written
from muniment.formats.evidence import MAX_FILES, Files, Writer
from muniment.formats.examine import Examination
from tests.authority import Authority
from tests.conftest import fill
from tests.proof.conftest import PROVED, Parts, muniment, packed, proof_of, sealed


def test_a_proof_is_made_and_checked_by_the_commands(stamped: Path, tmp_path: Path, authority: Authority) -> None:
    arguments = ["--archive", stamped, "prove", *map(str, PROVED), "-o", "p.zip"]
    assert "4 leaves in a log of 19, stamped" in muniment(*arguments, cwd=tmp_path)
    assert "is there already" in muniment(*arguments, cwd=tmp_path, code=2)
    muniment(*arguments, "--force", "--quiet", cwd=tmp_path)
    assert (tmp_path / "p.zip").read_bytes() == proof_of(stamped, *PROVED)
    (tmp_path / "root.pem").write_bytes(authority.root_pem)
    said = muniment("check", "p.zip", "--ca", "root.pem", cwd=tmp_path)
    assert "Test TSA" in said
    assert "which you trust" in said
    assert said.endswith("4 leaves, no findings\n")
    key = next(line for line in said.splitlines() if line.startswith("signed")).split()[1].rstrip(",")
    assert "which you named" in muniment("check", "p.zip", "--key", key, cwd=tmp_path)


def test_a_finding_is_a_line_and_the_exit_code_is_10(parts: Parts, tmp_path: Path) -> None:
    (tmp_path / "p.zip").write_bytes(packed({**parts, "leaves/17/text.txt": b"another text"}).getvalue())
    said = muniment("check", "p.zip", cwd=tmp_path, code=10)
    assert "\ncontent leaves/17/leaf.json: leaves/17/text.txt is not the text of its record\n" in said
    assert '{"finding": "file", "file": "leaves/17/text.txt"' in muniment(
        "check", "p.zip", "--json", cwd=tmp_path, code=10
    )


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [(["check", "missing.zip"], 2, "cannot read missing.zip"), (["check", "."], 2, "cannot read ."),
     (["check", "junk"], 10, "zip junk: not a zip"), (["check", "junk", "--key", "nonsense"], 2, "not a verifier key"),
     (["check", "junk", "--ca", "junk"], 2, "no certificates"), (["check", "junk", "--ca", "missing"], 2, "cannot read"),
     (["prove", "999", "-o", "x.zip"], 2, "#999 is not in the log"), (["prove", "-o", "x.zip"], 2, "Missing argument"),
     (["prove", "1"], 2, "--output")],
)  # fmt: skip
def test_wrong_calls_are_told_in_a_line(
    stamped: Path, tmp_path: Path, arguments: list[str], code: int, words: str
) -> None:
    (tmp_path / "junk").write_bytes(b"no zip at all " * 10)
    assert words in muniment("--archive", stamped, *arguments, cwd=tmp_path, code=code)


def of_version_ten(certificate: bytes) -> bytes:
    """A PEM file with the certificate of another PEM file in it, whose version is one that nobody knows."""
    body = b"".join(certificate.splitlines()[1:-1])
    der = base64.b64decode(body).replace(b"\xa0\x03\x02\x01\x02", b"\xa0\x03\x02\x01\x09", 1)
    return b"-----BEGIN CERTIFICATE-----\n" + base64.encodebytes(der) + b"-----END CERTIFICATE-----\n"


def test_a_certificate_that_nobody_can_read_is_told_in_a_line(
    new_archive: Callable[..., Path], parts: Parts, tmp_path: Path, authority: Authority
) -> None:
    odd = of_version_ten(authority.root_pem)
    (tmp_path / "odd.pem").write_bytes(odd)
    (tmp_path / "p.zip").write_bytes(packed(parts).getvalue())
    assert "odd.pem: no certificates in PEM" in muniment("check", "p.zip", "--ca", "odd.pem", cwd=tmp_path, code=2)
    (tmp_path / "q.zip").write_bytes(packed(sealed({**parts, "stamps/19.test-tsa.pem": odd})).getvalue())
    assert "stamp stamps/19.test-tsa.tsr: no certificates" in muniment("check", "q.zip", cwd=tmp_path, code=10)
    root = new_archive()
    fill(root, 1)
    with Archive(root) as archive, archive.writer() as writer:
        size = archive.size
        writer.add_stamp(size, {f"{size}.odd.{kind}": odd for kind in ("tsq", "tsr", "pem")})
        writer.commit()
    said = muniment("--archive", root, "prove", "1", "-o", "r.zip", cwd=tmp_path)
    assert f"{size}.odd.tsr is left out: no certificates in PEM" in said


def test_a_script_and_a_page_that_muniment_does_not_write_are_findings(parts: Parts, tmp_path: Path) -> None:
    (tmp_path / "p.zip").write_bytes(packed(sealed({**parts, "verify.sh": b"echo PROVED: everything\n"})).getvalue())
    assert "file verify.sh: it is not the script that this version of muniment writes: do not run it" in muniment(
        "check", "p.zip", cwd=tmp_path, code=10
    )
    page = parts["README.html"].replace(b"A page &lt;b&gt;&amp;", b"The minister is guilty")
    assert page != parts["README.html"]
    (tmp_path / "p.zip").write_bytes(packed(sealed({**parts, "README.html": page})).getvalue())
    assert "file README.html: it is not the page" in muniment("check", "p.zip", cwd=tmp_path, code=10)
    both = sealed({**parts, "README.html": page, "verify.sh": b""})
    assert [finding.file for finding in Examination(Files(packed(both)), written()).run()] == [
        "verify.sh",
        "README.html",
    ]


def test_the_page_is_compared_whatever_roots_are_trusted(parts: Parts, authority: Authority) -> None:
    page = {**parts, "README.html": parts["README.html"] + b"<p>Seen by the court"}
    for roots in ([], [authority.root_pem]):
        findings = list(Examination(Files(packed(sealed(page))), written(), [], roots).run())
        assert [(finding.finding, finding.file) for finding in findings] == [("file", "README.html")]


def test_the_digest_of_the_script_is_told_where_a_proof_is_made_and_in_the_documents(
    stamped: Path, parts: Parts, tmp_path: Path
) -> None:
    digest = hashlib.sha256(parts["verify.sh"]).hexdigest()
    said = json.loads(muniment("--archive", stamped, "prove", "1", "-o", "p.zip", "--json", cwd=tmp_path))
    assert said["script"] == digest
    page = Path(__file__).resolve().parents[2] / "docs" / "evidence.md"
    assert digest in page.read_text(encoding="utf-8"), "docs/evidence.md names the digest of another verify.sh"


def test_a_signature_by_a_key_that_is_not_known_is_told_as_one(parts: Parts, tmp_path: Path) -> None:
    line = "— witness.example/un ".encode() + base64.b64encode(bytes(72)) + b"\n"
    note = parts["checkpoint"]
    more = {
        name: content.replace(note, note + line) for name, content in parts.items() if not name.startswith("stamps")
    }
    (tmp_path / "p.zip").write_bytes(packed(sealed(more)).getvalue())
    said = muniment("check", "p.zip", cwd=tmp_path, code=10)  # for the page
    assert "also signed by witness.example/un, whose key is not known here" in said
    examination = Examination(Files(packed(parts)), written())
    assert (list(examination.run()), examination.unknown) == ([], [])


def test_a_proof_on_standard_output_is_the_zip_alone(stamped: Path, tmp_path: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "muniment", "--archive", stamped, "prove", "1", "-o", "-"],
        capture_output=True,
        timeout=60,
    )
    assert (ran.returncode, ran.stdout) == (0, proof_of(stamped, 1))


# ---- hostile zips


def zip_of(*entries: tuple[str | zipfile.ZipInfo, bytes], compression: int = zipfile.ZIP_STORED) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", compression) as files:
        for name, content in entries:
            files.writestr(name, content)
    return target.getvalue()


def link(name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name)
    entry.create_system, entry.external_attr = 3, 0o120777 << 16
    return entry


@pytest.mark.parametrize(
    "name",
    ["../checkpoint", "/checkpoint", "leaves/../checkpoint", "leaves/1/../../x", "stamps/1..tsr", "stamps/1.../x.tsr",
     "C:\\checkpoint", "leaves/01/leaf.json", "leaves/1/2.tlog-proof", "leaves/1/record-0.warc", "leaves/1/record-100.warc",
     "leaves/9999999999999999999/leaf.json", "evil.sh", "checkpoint/", "leaves/1/\u202eleaf.json", "stamps/1.a\n.tsr"],
)  # fmt: skip
def test_a_name_that_no_proof_has_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="a proof holds no"):
        Files(io.BytesIO(zip_of((name, b"x"))))


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_link_a_file_twice_and_an_encrypted_one_are_refused() -> None:
    with pytest.raises(ValueError, match="link"):
        Files(io.BytesIO(zip_of((link("checkpoint"), b"/etc/passwd"))))
    with pytest.raises(ValueError, match="twice"):
        Files(io.BytesIO(zip_of(("checkpoint", b"a"), ("checkpoint", b"b"))))
    content = bytearray(zip_of(("checkpoint", b"a")))
    content[content.index(b"PK\x01\x02") + 8] |= 1
    with pytest.raises(ValueError, match="encrypted"):
        Files(io.BytesIO(content))


def test_too_many_files_and_too_many_bytes_are_refused_before_they_are_read() -> None:
    many = zip_of(*((f"leaves/{i}/leaf.json", b"") for i in range(MAX_FILES + 1)))
    with pytest.raises(ValueError, match="more than"):
        Files(io.BytesIO(many))
    content = bytearray(zip_of(*((f"leaves/{i}/leaf.json", b"") for i in range(3))))
    at = -1
    while (at := content.find(b"PK\x01\x02", at + 1)) >= 0:
        struct.pack_into("<I", content, at + 24, 0xF0000000)
    with pytest.raises(ValueError, match="more than"):
        Files(io.BytesIO(content))


def test_a_bomb_is_not_read(parts: Parts) -> None:
    """65 MiB of zeros in 65 kB: no small file is that large, and a record is read in pieces."""
    bomb = zip_of(("checkpoint", bytes(65 << 20)), compression=zipfile.ZIP_DEFLATED)
    assert len(bomb) < 1 << 18
    files = Files(io.BytesIO(bomb))
    with pytest.raises(ValueError, match="over 64 MiB"):
        files.read("checkpoint")
    assert {finding.finding for finding in Examination(files, written()).run()} >= {"file", "record", "inclusion"}


def test_a_file_that_is_larger_than_the_directory_says_is_damaged() -> None:
    content = bytearray(zip_of(("checkpoint", bytes(100_000)), compression=zipfile.ZIP_DEFLATED))
    at = content.index(b"PK\x01\x02")
    struct.pack_into("<I", content, at + 24, 10)
    with pytest.raises(ValueError, match="damaged in the zip"):
        Files(io.BytesIO(content)).read("checkpoint")


@pytest.mark.parametrize("cut", [0, 1, 21, 22, 100])
def test_what_is_no_whole_zip_is_refused(parts: Parts, cut: int) -> None:
    whole = packed(parts).getvalue()
    for content in (whole[:cut], whole[: -cut or len(whole)] + b"!" * (cut == 0), whole + b"comment"):
        with pytest.raises(ValueError, match=r"zip"):
            Files(io.BytesIO(content))


def test_every_byte_of_a_zips_directory_may_be_damaged_without_a_traceback(parts: Parts) -> None:
    whole = packed({name: content for name, content in parts.items() if name.startswith(("leaves/2/", "key", "check"))})
    content = whole.getvalue()
    start = content.index(b"PK\x01\x02")
    for at in range(start, len(content)):
        changed = content[:at] + bytes([content[at] ^ 0xFF]) + content[at + 1 :]
        try:
            files = Files(io.BytesIO(changed))
        except ValueError:
            continue
        assert list(Examination(files, written()).run())


def test_a_zip_that_was_packed_anew_still_holds(parts: Parts) -> None:
    again = io.BytesIO(zip_of(*parts.items(), compression=zipfile.ZIP_DEFLATED))
    assert list(Examination(Files(again), written()).run()) == []


def test_a_writer_takes_no_name_that_a_reader_would_refuse() -> None:
    with Writer(io.BytesIO()) as writer:
        writer.add("checkpoint", b"")
        for name in ("checkpoint", "../x", "SHA256SUM"):
            with pytest.raises(ValueError, match="holds no file"):
                writer.add(name, b"")


@pytest.mark.parametrize(
    "change",
    [lambda p: {**p, "leaves/16/leaf.json": p["leaves/16/leaf.json"].replace(b'{"at"', b'{ "at"')},
     lambda p: {**p, "leaves/16/leaf.json": b"[" * 100_000}, lambda p: {**p, "checkpoint": b"\xff\xfe"},
     lambda p: {**p, "leaves/16/record-1.warc": b""}, lambda p: {**p, "SHA256SUMS": b"\xff" * 999},
     lambda p: {**p, "stamps/19.test-tsa.pem": b"no certificate"}, lambda p: {**p, "key.vkey": b"\xff"}],
)  # fmt: skip
def test_files_of_any_bytes_are_findings_and_no_tracebacks(parts: Parts, change: Callable[[Parts], Parts]) -> None:
    changed = change(parts)
    assert list(Examination(Files(packed(changed)), written()).run())
    if changed["SHA256SUMS"] == parts["SHA256SUMS"]:
        assert list(Examination(Files(packed(sealed(changed))), written()).run())


@pytest.mark.parametrize(
    ("field", "value"),
    [("of", [1]), ("of", "16"), ("of", True), ("uri", ["x"]), ("type", []), ("type", "dance"), ("at", 5), ("id", 7),
     ("records", [1]), ("records", None), ("records", {}), ("payload", []), ("status", "200"), ("files", []), ("x", 1),
     ("uri", "\ud800"), ("of", 10**30), ("of", None)],
)  # fmt: skip
def test_a_leaf_with_a_field_of_another_type_is_a_finding(
    parts: Parts, tmp_path: Path, field: str, value: object
) -> None:
    name = "leaves/18/leaf.json"
    fields = json.loads(parts[name]) | {field: value}
    entry = json.dumps(fields, sort_keys=True, separators=(",", ":")).encode()
    (tmp_path / "p.zip").write_bytes(packed(sealed({**parts, name: entry})).getvalue())
    assert list(Examination(Files(packed(sealed({**parts, name: entry}))), written()).run())
    muniment("check", "p.zip", cwd=tmp_path, code=10)
