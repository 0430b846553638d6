"""Proofs for strangers: they hold, they hold for good, and nothing can be changed, left out or exchanged in one."""

from __future__ import annotations

import gzip
import hashlib
import html
import re
import shutil
import sqlite3
import ssl
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from muniment.archive.archive import Archive, create
from muniment.archive.rotation import rotate
from muniment.errors import UsageError
from muniment.formats.leaf import parse_leaf
from muniment.formats.note import format_vkey, parse_vkey, sign_note, split_note
from muniment.formats.spki import public_pem
from muniment.formats.timestamp import make_request
from tests.authority import Authority
from tests.conftest import NOW, fill
from tests.proof.conftest import PROVED, SHELLS, Judges, Parts, muniment, proof_of, sealed, stamp, stock, unpacked


@pytest.mark.parametrize("shell", SHELLS, ids=lambda path: Path(path).name)
def test_a_proof_holds_with_a_shell_coreutils_xxd_and_openssl_alone(
    parts: Parts, judges: Judges, authority: Authority, shell: str
) -> None:
    code, said = judges.script(parts, shell=shell)
    assert code == 0, said
    assert said.endswith("PROVED: the records are what was logged, and the log is what was signed.\n")
    assert f"{authority.clock:%Y-%m-%dT%H:%M:%SZ}" in said
    assert "#18  revisit  2026-11-22T08:00:00.123456Z  https://news.example/a" in said
    assert hashlib.sha256(b"<p>A page.</p>" * 20).hexdigest() in said
    assert parts["key.vkey"].decode() in said


def test_check_holds_the_same_and_says_what_was_proved(parts: Parts, judges: Judges, authority: Authority) -> None:
    key = parse_vkey(parts["key.vkey"].decode())
    assert judges.check(parts) == []
    assert judges.check(parts, [key], [authority.root_pem]) == []


def test_a_proof_has_the_files_that_the_format_page_names(parts: Parts) -> None:
    leaves = {"2": 1, "16": 3, "17": 2, "18": 3}
    expected = {"README.html", "verify.sh", "SHA256SUMS", "checkpoint", "key.vkey", "key.pem", "leaves/17/text.txt"}
    expected |= {f"stamps/19.test-tsa.{kind}" for kind in ("tsq", "tsr", "pem")}
    for number, records in leaves.items():
        expected |= {f"leaves/{number}/leaf.json", f"leaves/{number}/{number}.tlog-proof"}
        expected |= {f"leaves/{number}/record-{part}.warc" for part in range(1, records + 1)}
    assert set(parts) == expected
    page = (Path(__file__).resolve().parents[2] / "docs" / "format.md").read_text(encoding="utf-8")
    section = page.partition("\n## A proof\n")[2].partition("\n## ")[0]
    for name in expected:
        generic = re.sub(r"leaves/\d+/(\d+\.)?", lambda m: "leaves/N/" + ("N." if m[1] else ""), name)
        generic = re.sub(r"record-\d+", "record-K", re.sub(r"19\.test-tsa", "SIZE.NAME", generic))
        assert generic in section, generic


def test_the_same_proof_is_the_same_file(stamped: Path) -> None:
    assert proof_of(stamped, *PROVED) == proof_of(stamped, *reversed(PROVED))


# ---- whatever is changed, both judges refuse it

ALWAYS = ["README.html", "verify.sh", "checkpoint", "key.vkey", "key.pem", "leaves/16/leaf.json", "leaves/16/16.tlog-proof",
          "leaves/16/record-1.warc", "leaves/16/record-2.warc", "leaves/16/record-3.warc", "leaves/17/leaf.json",
          "leaves/17/17.tlog-proof", "leaves/17/record-1.warc", "leaves/17/record-2.warc", "leaves/17/text.txt",
          "leaves/18/leaf.json", "leaves/2/2.tlog-proof", "leaves/2/record-1.warc", "stamps/19.test-tsa.tsq",
          "stamps/19.test-tsa.tsr", "stamps/19.test-tsa.pem", "SHA256SUMS"]  # fmt: skip
UNSIGNED = ("README.html", "verify.sh", "SHA256SUMS")  # SHA256SUMS alone vouches for these


@pytest.mark.parametrize("name", ALWAYS)
def test_a_file_that_is_changed_removed_or_emptied_is_noticed(parts: Parts, judges: Judges, name: str) -> None:
    content = parts[name]
    middle = len(content) // 2
    changed = content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]
    without = {other: content for other, content in parts.items() if other != name}
    assert judges.check({**parts, name: changed})
    assert judges.check(without)
    if name in UNSIGNED:
        judges.refuse({**parts, name: changed})
        judges.refuse(without)
        return
    judges.refuse(sealed({**parts, name: changed}))  # nor does it help to write SHA256SUMS anew
    judges.refuse(sealed(without))
    assert judges.check(sealed({**parts, name: b""}))
    assert name.endswith(".pem") or judges.check(sealed({**parts, name: content + b"\n"}))


@pytest.mark.parametrize(
    ("one", "other"),
    [("leaves/16/leaf.json", "leaves/18/leaf.json"), ("leaves/16/record-1.warc", "leaves/16/record-2.warc"),
     ("leaves/16/record-3.warc", "leaves/18/record-3.warc"), ("leaves/16/16.tlog-proof", "leaves/18/18.tlog-proof"),
     ("leaves/17/record-1.warc", "leaves/17/text.txt"), ("stamps/19.test-tsa.tsq", "stamps/19.test-tsa.tsr")],
)  # fmt: skip
def test_files_that_are_swapped_are_noticed(parts: Parts, judges: Judges, one: str, other: str) -> None:
    judges.refuse(sealed({**parts, one: parts[other], other: parts[one]}))


def moved(parts: Parts, one: int, other: int) -> Parts:
    """The proof with the numbers of two leaves exchanged, everywhere."""
    found = {}
    for name, content in parts.items():
        match = re.fullmatch(r"leaves/(\d+)/(.+)", name)
        number = {one: other, other: one}.get(int(match[1])) if match else None
        if match and number is not None:
            if name.endswith(".tlog-proof"):
                content = content.replace(f"index {match[1]}\n".encode(), f"index {number}\n".encode())
                name = f"leaves/{number}/{number}.tlog-proof"
            else:
                name = f"leaves/{number}/{match[2]}"
        found[name] = content
    return found


@pytest.mark.parametrize("pair", [(16, 18), (2, 3), (17, 16), (18, 19), (18, 99), (2, 0)])
def test_leaves_under_other_numbers_are_noticed(parts: Parts, judges: Judges, pair: tuple[int, int]) -> None:
    judges.refuse(sealed(moved(parts, *pair)))


def with_path(parts: Parts, change: Callable[[list[bytes]], list[bytes]]) -> Parts:
    name = "leaves/16/16.tlog-proof"
    head, blank, note = parts[name].partition(b"\n\n")
    magic, index, *path = head.split(b"\n")
    return sealed({**parts, name: b"\n".join([magic, index, *change(path)]) + blank + note})


@pytest.mark.parametrize(
    "change",
    [lambda path: path[:-1], lambda path: path[1:], lambda path: [*path, path[-1]], lambda path: [path[0], *path],
     lambda path: path[::-1], lambda path: [], lambda path: [*path, b"AAAA"], lambda path: [b"!", *path[1:]],
     lambda path: [path[0] + b"\r", *path[1:]], lambda path: path * 20,
     lambda path: [path[0][:-2] + bytes([path[0][-2] + 1]) + b"=", *path[1:]]],
)  # fmt: skip
def test_a_path_that_is_too_long_too_short_or_another_is_noticed(
    parts: Parts, judges: Judges, change: Callable[[list[bytes]], list[bytes]]
) -> None:
    judges.refuse(with_path(parts, change))


@pytest.mark.parametrize(
    "name",
    ["leaves/16/record-4.warc", "leaves/16/record-10.warc", "leaves/16/text.txt", "leaves/3/leaf.json",
     "leaves/3/record-1.warc", "stamps/18.test-tsa.tsr", "stamps/19.other.tsr", "stamps/19.other.pem"],
)  # fmt: skip
def test_a_file_too_many_is_noticed(parts: Parts, judges: Judges, name: str) -> None:
    source = "stamps/19.test-tsa.tsr" if name.startswith("stamps") else "leaves/16/record-1.warc"
    judges.refuse(sealed({**parts, name: parts[source]}))
    assert judges.check({**parts, name: parts[source]})


@pytest.mark.parametrize("name", ["evil.sh", ".hidden", "leaves/16/.hidden", "stamps/.x", "leaves/x", "leaves/16/x y"])
def test_a_file_that_belongs_to_no_proof_is_noticed_by_the_script(parts: Parts, judges: Judges, name: str) -> None:
    assert judges.script(sealed({**parts, name: b"x"}))[0] == 1


@pytest.mark.parametrize("missing", [16, 17])
def test_a_leaf_that_another_is_about_cannot_be_left_out(parts: Parts, judges: Judges, missing: int) -> None:
    without = {name: content for name, content in parts.items() if not name.startswith(f"leaves/{missing}/")}
    if missing == 17:  # nothing is about a derivation; what is left is still proved, and the page names a title
        assert judges.script(sealed(without))[0] == 0
        assert [finding.file for finding in judges.check(sealed(without))] == ["README.html"]
        assert judges.check(without)
    else:
        assert "which is not in this proof" in judges.refuse(sealed(without))


def test_a_proof_without_leaves_proves_nothing(parts: Parts, judges: Judges) -> None:
    judges.refuse(sealed({name: content for name, content in parts.items() if not name.startswith("leaves/")}))
    judges.refuse({})


def forged(parts: Parts, *, name: str = "test.example/log") -> Parts:
    """The checkpoint signed by a key of the forger's, consistently everywhere."""
    key = Ed25519PrivateKey.generate()
    public = key.public_key().public_bytes_raw()
    old = parts["checkpoint"]
    note = sign_note(split_note(old.decode())[0], name, public, key.sign).encode()
    found = {n: c.replace(old, note) if n.endswith("tlog-proof") else c for n, c in parts.items()}
    vkey = format_vkey(name, public)
    return sealed(
        found | {"checkpoint": note, "key.vkey": f"{vkey}\n".encode(), "key.pem": public_pem(parse_vkey(vkey))}
    )


def test_another_key_is_noticed_by_the_time_stamp_and_by_whoever_knows_the_right_one(
    parts: Parts, judges: Judges
) -> None:
    fake = forged(parts)
    judges.refuse(fake)
    bare = sealed({name: content for name, content in fake.items() if not name.startswith("stamps/")})
    right = parts["key.vkey"].decode().strip()
    assert judges.script(bare)[0] == 0  # it is consistent, and vouched for by a key that nobody knows
    assert judges.script(bare, "-k", right)[0] == 1
    assert judges.script(parts, "-k", right)[0] == 0
    assert [finding.file for finding in judges.check(bare, [parse_vkey(right)])] == ["key.vkey"]
    judges.refuse(forged(bare, name="other.example/log"))
    judges.refuse(sealed({**bare, "key.vkey": parts["key.vkey"]}))
    judges.refuse(sealed({**bare, "key.vkey": parts["key.vkey"], "key.pem": parts["key.pem"]}))


def test_a_stamp_of_another_authority_is_noticed_by_whoever_knows_the_right_root(
    parts: Parts, judges: Judges, authority: Authority, tmp_path: Path
) -> None:
    other = Authority(tmp_path / "other", name="Other TSA")
    right, wrong = tmp_path / "right.pem", tmp_path / "wrong.pem"
    right.write_bytes(authority.root_pem)
    wrong.write_bytes(other.root_pem)
    assert judges.script(parts, "-c", str(right))[0] == 0
    assert judges.script(parts, "-c", str(wrong))[0] == 1
    assert [finding.finding for finding in judges.check(parts, roots=[other.root_pem])] == ["stamp"]


def test_the_root_that_is_shown_is_the_one_that_the_stamp_leads_to(
    parts: Parts, judges: Judges, authority: Authority, tmp_path: Path
) -> None:
    """A root that everybody knows, put beside the chain, gives a stamp no weight."""
    known = Authority(tmp_path / "known", name="Known Root")
    both = authority.chain_pem.rstrip() + b"\n" + known.root_pem
    said = judges.script(sealed({**parts, "stamps/19.test-tsa.pem": both}))[1]
    own, other = (ssl.PEM_cert_to_DER_cert(one.root_pem.decode()) for one in (authority, known))
    assert hashlib.sha256(own).hexdigest() in said
    assert hashlib.sha256(other).hexdigest() not in said
    assert "\nPROVED" in said
    (tmp_path / "both.pem").write_bytes(known.root_pem + authority.root_pem)
    code, said = judges.script(parts, "-c", str(tmp_path / "both.pem"))
    assert (code, said.count("    root ")) == (0, 1)


def test_records_that_are_later_than_the_time_stamp_are_noticed(
    tmp_path: Path, new_archive: Callable[..., Path], judges: Judges
) -> None:
    from datetime import timedelta

    early = Authority(
        tmp_path / "tsa", clock=NOW - timedelta(hours=1), since=NOW - timedelta(days=1), until=NOW + timedelta(days=1)
    )
    root = new_archive()
    fill(root, 2)
    stamp(root, early)
    assert "after the time stamp" in judges.refuse(unpacked(proof_of(root, 1)))


# ---- which checkpoint, and for how long


def test_the_earliest_checkpoint_with_a_time_stamp_is_taken_that_covers_all(
    new_archive: Callable[..., Path], authority: Authority, judges: Judges
) -> None:
    root = new_archive()
    fill(root, 3)
    first = (root / "log" / "checkpoint").read_bytes()
    stamp(root, authority)
    fill(root, 5)
    second = (root / "log" / "checkpoint").read_bytes()
    stamp(root, authority, "second")
    fill(root, 3)
    newest = (root / "log" / "checkpoint").read_bytes()
    size = int(newest.split(b"\n")[1])
    for numbers, note in (((1,), first), ((1, int(first.split(b"\n")[1]) + 1), second), ((1, size - 2), newest)):
        parts = unpacked(proof_of(root, *numbers))
        assert parts["checkpoint"] == note
        assert judges.check(parts) == []


def test_a_stamp_that_the_log_does_not_name_is_not_given_out(
    tmp_path: Path, new_archive: Callable[..., Path], judges: Judges
) -> None:
    root = new_archive()
    fill(root, 3)
    note = (root / "log" / "checkpoint").read_bytes()
    size = note.split(b"\n")[1].decode()
    mine, request = Authority(tmp_path / "mine", name="Mine"), make_request(note, 5)
    (root / "log" / "stamps").mkdir()
    contents = {"tsq": request, "tsr": mine.reply(request), "pem": mine.chain_pem}
    for kind, content in contents.items():
        (root / "log" / "stamps" / f"{size}.mine.{kind}").write_bytes(content)
    parts = unpacked(proof_of(root, 1))
    assert not [name for name in parts if name.startswith("stamps")]
    assert judges.check(parts) == []


def test_a_stamp_that_was_exchanged_for_another_that_holds_is_not_given_out(
    tmp_path: Path, new_archive: Callable[..., Path], authority: Authority
) -> None:
    root = new_archive()
    fill(root, 3)
    note = (root / "log" / "checkpoint").read_bytes()
    stamp(root, authority)
    mine = Authority(tmp_path / "mine", name="Mine")
    for path in (root / "log" / "stamps").iterdir():
        request = make_request(note, 5)
        path.write_bytes({"tsq": request, "tsr": mine.reply(request), "pem": mine.chain_pem}[path.suffix[1:]])
    assert not [name for name in unpacked(proof_of(root, 1)) if name.startswith("stamps")]


def test_a_stamp_that_does_not_hold_is_not_given_out(
    new_archive: Callable[..., Path], authority: Authority, judges: Judges
) -> None:
    root = new_archive()
    fill(root, 3)
    stamp(root, authority)
    (path,) = (root / "log" / "stamps").glob("*.tsr")
    path.write_bytes(path.read_bytes()[:-1])
    parts = unpacked(proof_of(root, 1))
    assert not [name for name in parts if name.startswith("stamps")]
    assert judges.check(parts) == []
    code, said = judges.script(parts)
    assert (code, "there is no time stamp" in said) == (0, True)


def test_a_proof_holds_after_the_archive_grew_was_compressed_anew_and_moved(
    tmp_path: Path, authority: Authority, judges: Judges
) -> None:
    root = create(tmp_path / "archive", "test.example/log", NOW).root
    stock(root)
    stamp(root, authority)
    before = proof_of(root, *PROVED)
    fill(root, 30, group=4)
    assert proof_of(root, *PROVED) == before
    for path in [*root.glob("warc/*/*.gz"), *root.glob("derived/*/*.gz")]:
        path.with_name("moved.gz").write_bytes(gzip.compress(gzip.decompress(path.read_bytes()), 1))
        path.unlink()
    shutil.move(root, tmp_path / "elsewhere")
    parts = unpacked(before)
    assert judges.check(parts) == []
    assert judges.script(parts)[0] == 0


def test_every_leaf_of_an_archive_can_be_proved(stamped: Path, judges: Judges) -> None:
    with Archive(stamped) as archive:
        size = archive.size - 1  # the last is the stamp's, which has no records
    parts = unpacked(proof_of(stamped, *range(size)))
    assert judges.check(parts) == []
    assert judges.script(parts)[0] == 0
    assert {name.split("/")[1] for name in parts if name.startswith("leaves/")} == {str(n) for n in range(size)}


def test_what_was_withdrawn_is_not_proved_and_an_older_proof_still_holds(
    new_archive: Callable[..., Path], authority: Authority, judges: Judges
) -> None:
    root = new_archive()
    stock(root)
    before = unpacked(proof_of(root, *PROVED))
    muniment("--archive", root, "withdraw", "16", "--reason", "a court order", "--yes", "--entirely", cwd=root)
    for number in (16, 17, 18):
        with pytest.raises(UsageError, match="was withdrawn"):
            proof_of(root, number)
    assert judges.check(unpacked(proof_of(root, 2, 19))) == []
    assert judges.check(before) == []


def test_a_leaf_without_records_has_nothing_to_prove(new_archive: Callable[..., Path]) -> None:
    root = new_archive()
    fill(root, 1)
    muniment("--archive", root, "key", "rotate", cwd=root)
    with Archive(root) as archive:
        number = next(n for n in range(archive.size) if archive.leaf(n).type == "key")
    with pytest.raises(UsageError, match="a key leaf, which has no records"):
        proof_of(root, number)
    assert proof_of(root, 1)


def test_the_page_tells_what_is_to_be_compared_and_runs_nothing(parts: Parts, authority: Authority) -> None:
    page = parts["README.html"].decode()
    leaf = parse_leaf(parts["leaves/18/leaf.json"])
    assert leaf.payload is not None
    for text in ("A page &lt;b&gt;&amp;", "https://news.example/a", "2026-11-22 08:00:00 UTC", leaf.payload,
                 parts["key.vkey"].decode().strip(), f"{authority.clock:%Y-%m-%d %H:%M:%S} UTC, by Test TSA"):  # fmt: skip
        assert text in page, text
    assert not re.search(r"<script|javascript:|https?://(?!news\.example)|src=|@import|url\(", page)
    assert "$" not in re.sub(r"\$\((date|brew|printf)|:\$PATH|\$/d", "", page)


@pytest.mark.parametrize("number", [16, 18, 14])
def test_the_steps_on_the_page_hold_as_they_stand_and_leave_the_proof_whole(
    stamped: Path, tmp_path: Path, number: int
) -> None:
    folder = tmp_path / "sent" / "proof"
    for name, content in unpacked(proof_of(stamped, number)).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    page = (folder / "README.html").read_text(encoding="utf-8")
    at = re.search(r"Time stamp</dt><dd>(\S+ \S+ UTC)", page)
    assert at
    steps = [html.unescape(step) for step in re.findall(r"<pre>(.*?)</pre>", page, re.S) if "brew" not in step]
    assert steps[0] == "sh verify.sh" and len(steps) == 6
    script = "\n".join(["set -e", *steps, steps[0]]).replace("NAME", "19.test-tsa").replace("TIME", at[1])
    done = subprocess.run(["sh", "-c", script], cwd=folder, capture_output=True, encoding="utf-8")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("PROVED: ") == 2 and "NOT PROVED" not in done.stdout
    assert "Signature Verified Successfully" in done.stdout and "Verification: OK" in done.stdout
    content = re.search(r"([0-9a-f]{64})  ../content", done.stdout)
    assert content and f"class=hash>{content[1]}</dd>" in page


def test_the_title_on_the_page_is_that_of_the_record_and_not_of_the_catalog(root: Path, judges: Judges) -> None:
    stock(root)
    with sqlite3.connect(root / "catalog.sqlite") as catalog:
        catalog.execute("update article set title = 'The minister is guilty'")
    catalog.close()
    parts = unpacked(proof_of(root, *PROVED))
    assert b"minister" not in parts["README.html"]
    assert b'<h1 dir="auto">A page &lt;b&gt;&amp;</h1>' in parts["README.html"].replace(b", and 1 more", b"")
    assert judges.check(parts) == []


def test_a_key_that_somebody_else_may_have_had_vouches_for_no_proof(
    root: Path, authority: Authority, judges: Judges
) -> None:
    stock(root)
    stamp(root, authority)
    with Archive(root) as archive:
        _, new = rotate(archive, since=0, reason="stolen")
    parts = unpacked(proof_of(root, 1))
    assert parts["key.vkey"].decode().strip() == new
    assert not [name for name in parts if name.startswith("stamps")]
    assert judges.script(parts)[0] == 0
    assert judges.check(parts) == []
