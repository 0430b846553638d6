"""A proof leads from an older key to the one that signed it, as far as each vouched for the next, and no further."""

from __future__ import annotations

import base64
import json
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from muniment.archive.archive import Archive, create
from muniment.archive.keys import Signer, load_signer
from muniment.archive.rotation import rotate
from muniment.formats import succession
from muniment.formats.leaf import Leaf, format_leaf
from muniment.formats.note import parse_vkey
from muniment.formats.proof import Proof, format_proof
from muniment.formats.spki import public_pem
from muniment.formats.succession import MAX_CHANGES
from muniment.formats.tlog import inclusion_path, leaf_hash, node_hash
from tests.conftest import NOW, fill
from tests.proof.conftest import SHELLS, Judges, Parts, muniment, packed, proof_of, sealed, unpacked

ORIGIN = "test.example/log"


@dataclass(frozen=True)
class Rotated:
    """An archive whose key was changed, the Ed25519 keys oldest first, and the numbers of the key leaves."""

    root: Path
    vkeys: list[str]
    numbers: list[int]


@pytest.fixture(scope="session")
def rotated(tmp_path_factory: pytest.TempPathFactory) -> Rotated:
    """Four keys: two handed over, and the last came because the third was lost."""
    root = create(tmp_path_factory.mktemp("rotated") / "archive", ORIGIN, NOW).root
    numbers = []
    for reason, lost in (('a year is "over"', False), ("another one", False), ("the disk died", True)):
        fill(root, 3)
        with Archive(root) as archive:
            numbers.append(rotate(archive, reason=reason, lost=lost)[0])
    fill(root, 1)
    with Archive(root) as archive:
        return Rotated(root, [vkeys.split(" ")[0] for vkeys in archive.config.vkeys], numbers)


@pytest.fixture(scope="session")
def handed(tmp_path_factory: pytest.TempPathFactory) -> Rotated:
    """Three keys, each handed over by the one before."""
    root = create(tmp_path_factory.mktemp("handed") / "archive", ORIGIN, NOW).root
    numbers = []
    for _ in range(2):
        fill(root, 3)
        with Archive(root) as archive:
            numbers.append(rotate(archive)[0])
    fill(root, 2)
    with Archive(root) as archive:
        return Rotated(root, list(archive.config.vkeys), numbers)


@pytest.fixture(scope="session")
def _chain(handed: Rotated) -> Parts:
    return unpacked(proof_of(handed.root, 1))


@pytest.fixture
def chain(_chain: Parts) -> Parts:
    """The files of a proof with two key leaves, to be changed at will."""
    return dict(_chain)


def both(judges: Judges, parts: Parts, vkey: str, shell: str = SHELLS[0]) -> tuple[bool, str]:
    """What both judges say, who have to agree, of a proof for whoever knows this key."""
    findings = judges.check(parts, [parse_vkey(vkey)])
    code, said = judges.script(parts, "-k", vkey, shell=shell)
    assert code == (1 if findings else 0), (findings, said)
    assert not [finding for finding in findings if finding.finding != "signature"], findings
    return code == 0, said + "".join(finding.detail for finding in findings)


@pytest.mark.parametrize("shell", SHELLS, ids=lambda path: Path(path).name)
def test_each_older_key_leads_to_the_one_that_signed(handed: Rotated, chain: Parts, judges: Judges, shell: str) -> None:
    first, second, third = handed.vkeys
    one, two = handed.numbers
    assert {name for name in chain if name.startswith("keys/")} == {
        "keys/first.vkey", f"keys/{one}.json", f"keys/{one}.tlog-proof", f"keys/{two}.json", f"keys/{two}.tlog-proof",
    }  # fmt: skip
    assert chain["key.vkey"].decode() == f"{third}\n"
    assert chain["keys/first.vkey"].decode() == f"{first}\n"
    held, said = both(judges, chain, first, shell)
    assert held
    assert (
        f"4. the checkpoint is signed by the key {third}, which followed {first} by the key leaf #{one}, #{two}" in said
    )
    held, said = both(judges, chain, second, shell)
    assert held
    assert f"which followed {second} by the key leaf #{two}\n" in said
    held, said = both(judges, chain, third, shell)
    assert (held, "which followed" in said) == (True, False)
    assert f"  {first}\n    another key signs from #{one} on, with the earlier key's signature\n" in said
    code, said = judges.script(chain, shell=shell)
    assert (code, "4. the checkpoint is signed by the key\n" in said, judges.check(chain)) == (0, True, [])


def test_check_says_by_which_leaves_the_key_followed(handed: Rotated, chain: Parts, tmp_path: Path) -> None:
    first, second, third = handed.vkeys
    one, two = handed.numbers
    (tmp_path / "p.zip").write_bytes(packed(chain).getvalue())
    said = muniment("check", "p.zip", "--key", first, cwd=tmp_path)
    assert f"which followed {first}, which you named, by the key leaf #{one}, #{two}\n" in said
    assert f"before    {second}: another key signs from #{two} on, with the earlier key's signature\n" in said
    told = json.loads(muniment("check", "p.zip", "--key", second, "--json", cwd=tmp_path))
    assert (told["followed"], told["key"], told["unknown_signers"]) == (second, third, [])
    assert [(c["leaf"], c["before"], c["key"], c["vouched"]) for c in told["key_changes"]] == [
        (one, first, second, True), (two, second, third, True),
    ]  # fmt: skip
    assert json.loads(muniment("check", "p.zip", "--json", cwd=tmp_path))["followed"] is None


def test_a_lost_key_leads_to_nothing_and_the_reason_is_told(rotated: Rotated, judges: Judges) -> None:
    parts = unpacked(proof_of(rotated.root, 1))
    assert judges.check(parts) == []
    number = rotated.numbers[2]
    for vkey in rotated.vkeys[:3]:
        held, said = both(judges, parts, vkey)
        assert not held
        assert (
            said.count(f"another key signs from #{number} on, without the earlier key's signature: the disk died") > 2
        )
        assert "FAILED  no key that you gave leads to the one that signed: another" in said
    assert both(judges, parts, rotated.vkeys[3])[0]
    page = parts["README.html"].decode()
    assert "without the earlier key&#x27;s signature: the disk died</dd>" in page
    assert "a year is &quot;over&quot;" in page


def test_a_key_that_came_after_a_lost_one_leads_on(root: Path, judges: Judges) -> None:
    fill(root, 1)
    with Archive(root) as archive:
        rotate(archive, lost=True)
        rotate(archive)
        first, second, _ = archive.config.vkeys
    parts = unpacked(proof_of(root, 1))
    assert both(judges, parts, second)[0]
    assert not both(judges, parts, first)[0]


@pytest.mark.parametrize("since", [0, 3, None])
def test_what_a_key_signed_when_somebody_else_may_have_had_it_counts_for_nothing(
    root: Path, judges: Judges, since: int | None
) -> None:
    """None: from the very leaf on that names the next one."""
    fill(root, 2)
    with Archive(root) as archive:
        since = archive.size if since is None else since
        number, _ = rotate(archive, since=since, reason="stolen")
        rotate(archive)
        first, second, _ = archive.config.vkeys
    parts = unpacked(proof_of(root, 1))
    held, said = both(judges, parts, first)
    assert not held
    words = f"which counts for nothing: somebody else may have had that key since #{since}: stolen"
    assert said.count(f"another key signs from #{number} on, with the earlier key's signature, {words}") == 3
    assert both(judges, parts, second)[0]
    assert words in parts["README.html"].decode()


def test_the_key_leaves_are_those_below_the_checkpoint(handed: Rotated, root: Path, judges: Judges) -> None:
    fill(root, 1)
    plain = unpacked(proof_of(root, 1))
    assert not [name for name in plain if name.startswith("keys/")]
    assert "A key before" not in plain["README.html"].decode()
    with Archive(root) as archive:
        rotate(archive)
        first, second = archive.config.vkeys
    parts = unpacked(proof_of(root, 1))  # under the checkpoint that both keys signed
    assert parts["key.vkey"].decode() == f"{second}\n"
    assert both(judges, parts, first)[0]
    with Archive(root) as archive, archive.writer(load_signer(first)) as writer:  # by the old key, which may not
        writer.add_act("source", {"host": "a.example", "name": "A"})
        writer.commit()
    forged = unpacked(proof_of(root, 1))
    assert forged["key.vkey"].decode() == f"{first}\n"
    assert not [name for name in forged if name.startswith("keys/")]


def test_a_second_algorithm_is_passed_over(root: Path, judges: Judges) -> None:
    pytest.importorskip("cryptography.hazmat.primitives.asymmetric.mldsa")
    fill(root, 1)
    with Archive(root) as archive:
        rotate(archive, post_quantum=True)
        rotate(archive)
        first, second, _ = archive.config.vkeys
    parts = unpacked(proof_of(root, 1))
    assert both(judges, parts, first)[0]
    assert both(judges, parts, second.split(" ")[0])[0]


def test_a_change_that_cannot_be_shown_is_left_out_with_those_before(
    handed: Rotated, tmp_path: Path, judges: Judges, caplog: pytest.LogCaptureFixture
) -> None:
    root = tmp_path / "archive"
    shutil.copytree(handed.root, root)
    one, two = handed.numbers
    commits = bytearray((root / "log" / "commits").read_bytes())
    commits[commits.index(f"\n\n{ORIGIN}\n{one + 1}\n".encode()) + 30] ^= 1
    (root / "log" / "commits").write_bytes(commits)
    parts = unpacked(proof_of(root, 1))
    assert f"the keys before #{one} are left out" in caplog.text
    assert {name for name in parts if name.startswith("keys/")} == {
        "keys/first.vkey", f"keys/{two}.json", f"keys/{two}.tlog-proof",
    }  # fmt: skip
    assert both(judges, parts, handed.vkeys[1])[0]


# ---- what a hostile stranger may bring


def change(parts: Parts, name: str, edit: Callable[[bytes], bytes]) -> Parts:
    changed = edit(parts[name])
    assert changed != parts[name]
    return sealed({**parts, name: changed})


def without(parts: Parts, *names: str) -> Parts:
    return sealed({name: content for name, content in parts.items() if name not in names})


def refused(judges: Judges, parts: Parts, vkey: str, words: str = "") -> None:
    """By both judges, in both shells, whether a key is named or not, and for what is wrong with the key leaves."""
    findings = judges.check(parts)
    assert [finding.file for finding in findings if finding.file.startswith("keys/")], findings
    held, said = both(judges, parts, vkey)
    code, more = judges.script(parts, shell=SHELLS[-1])
    assert (held, code) == (False, 1)
    for told in (said, more):
        assert re.search(rf"^FAILED  keys[/:].*{words}", told, re.M), told


@pytest.fixture(params=range(2))
def place(request: pytest.FixtureRequest) -> int:
    """Of which of the two key leaves."""
    found: int = request.param
    return found


@pytest.mark.parametrize("line", [-1, -2])
def test_a_signature_that_does_not_hold_is_refused(
    handed: Rotated, chain: Parts, judges: Judges, place: int, line: int
) -> None:
    """The key's own, and that of the key before it."""

    def damaged(proof: bytes) -> bytes:
        lines = proof.splitlines()
        begin, _, blob = lines[line].rpartition(b" ")
        raw = bytearray(base64.b64decode(blob))
        raw[20] ^= 1
        lines[line] = begin + b" " + base64.b64encode(raw)
        return b"\n".join(lines) + b"\n"

    name = f"keys/{handed.numbers[place]}.tlog-proof"
    refused(judges, change(chain, name, damaged), handed.vkeys[0], "wrongly|did not sign")


def test_a_signature_that_is_taken_away_only_takes_away(
    handed: Rotated, chain: Parts, judges: Judges, place: int
) -> None:
    def shortened(proof: bytes, line: int) -> bytes:
        lines = proof.splitlines(keepends=True)
        del lines[line]
        return b"".join(lines)

    name = f"keys/{handed.numbers[place]}.tlog-proof"
    refused(judges, change(chain, name, lambda proof: shortened(proof, -1)), handed.vkeys[0], "did not sign")
    weaker = change(chain, name, lambda proof: shortened(proof, -2))
    findings = judges.check(weaker, [parse_vkey(handed.vkeys[place])])
    assert "without the earlier key's signature" in findings[0].detail
    assert judges.script(weaker, "-k", handed.vkeys[place])[0] == 1
    assert judges.script(weaker, "-k", handed.vkeys[2])[0] == 0


@pytest.mark.parametrize("line", [-1, -2])
@pytest.mark.parametrize(
    "edit",
    [lambda line: line[:60] + b" " + line[60:], lambda line: line[:60] + b"*" + line[61:], lambda line: line + b"\\",
     lambda line: line[:60] + b"\0" + line[60:], lambda line: line[:60] + line[61:], lambda line: line + b"\r",
     lambda line: line.replace(b" test", b"  test"), lambda line: line + b"\n\xe2\x80\x94  AAAAAAAA",
     lambda line: line + b"\n\xe2\x80\x94 a+b AAAAAAAA", lambda line: line + b"\n\xe2\x80\x94 witness.example AAA=",
     lambda line: line + 100 * b"\n\xe2\x80\x94 witness.example AAAAAAAA", lambda line: line + b"\nand so on"],
)  # fmt: skip
def test_a_signature_line_that_is_malformed_is_refused(
    handed: Rotated, chain: Parts, judges: Judges, line: int, edit: Callable[[bytes], bytes]
) -> None:
    """A checkpoint of a key leaf, and that of the proof, which both judges read alike."""

    def edited(text: bytes) -> bytes:
        lines = text.splitlines()
        lines[line] = edit(lines[line])
        return b"\n".join(lines) + b"\n"

    refused(judges, change(chain, f"keys/{handed.numbers[0]}.tlog-proof", edited), handed.vkeys[0])
    note, new = chain["checkpoint"], edited(chain["checkpoint"])
    if line == -1:
        judges.refuse(sealed({name: content.replace(note, new) for name, content in chain.items()}))


@pytest.mark.parametrize("kind", ["json", "tlog-proof"])
def test_key_leaves_that_are_swapped_changed_or_removed_are_refused(
    handed: Rotated, chain: Parts, judges: Judges, kind: str
) -> None:
    names = [f"keys/{number}.{kind}" for number in handed.numbers]
    swapped = {names[0]: chain[names[1]], names[1]: chain[names[0]]}
    refused(judges, sealed({**chain, **swapped}), handed.vkeys[0])
    for name in names:
        refused(judges, without(chain, name), handed.vkeys[0])
        refused(judges, change(chain, name, lambda content: content + b"\n"), handed.vkeys[0])
        refused(judges, change(chain, name, lambda content: content.replace(b"e", b"f", 1)), handed.vkeys[0])
        refused(judges, sealed({**chain, name: b""}), handed.vkeys[0])


def test_a_key_leaf_under_another_number_or_in_disorder_is_refused(
    handed: Rotated, chain: Parts, judges: Judges
) -> None:
    one, two = handed.numbers
    for a, b in ((one, two), (one, one + 1), (two, 99)):
        renamed = {f"keys/{a}.{kind}": f"keys/{b}.{kind}" for kind in ("json", "tlog-proof")}
        renamed |= {new: old for old, new in renamed.items()}
        found = {renamed.get(name, name): content for name, content in chain.items()}
        refused(judges, sealed(found), handed.vkeys[0])
        proof = f"keys/{b}.tlog-proof"
        found[proof] = found[proof].replace(b"index %d\n" % a, b"index %d\n" % b)
        refused(judges, sealed(found), handed.vkeys[0])


@pytest.mark.parametrize("left", [(), (0,), (1,)])
def test_key_leaves_of_which_some_are_left_out_are_refused(
    handed: Rotated, chain: Parts, judges: Judges, left: tuple[int, ...]
) -> None:
    """Without the first of two, the second looks as if the key before it had been lost."""
    kept = {f"keys/{handed.numbers[i]}.{kind}" for i in left for kind in ("json", "tlog-proof")}
    some = without(chain, *(name for name in chain if re.match(r"keys/\d", name) and name not in kept))
    if left != (1,):
        refused(judges, some, handed.vkeys[0])
        return
    assert judges.script(some, "-k", handed.vkeys[0])[0] == 1
    assert "without the earlier" in judges.check(some, [parse_vkey(handed.vkeys[0])])[0].detail
    assert [finding.file for finding in judges.check(some)] == ["README.html"]


def test_the_key_before_the_first_leaf_has_to_be_there(handed: Rotated, chain: Parts, judges: Judges) -> None:
    refused(judges, without(chain, "keys/first.vkey"), handed.vkeys[0])


@pytest.mark.parametrize("origin", [ORIGIN, "other.example/log"])
def test_a_key_leaf_of_another_log_leads_nowhere(
    handed: Rotated, chain: Parts, judges: Judges, tmp_path: Path, origin: str
) -> None:
    root = create(tmp_path / "another", origin, NOW).root
    fill(root, 3)
    with Archive(root) as archive:
        assert rotate(archive)[0] == handed.numbers[0]
        vkeys = archive.config.vkeys
    keys = {name: content for name, content in unpacked(proof_of(root, 1)).items() if name.startswith("keys/")}
    alone = {name: content for name, content in chain.items() if not name.startswith("keys/")}
    refused(judges, sealed({**alone, **keys}), vkeys[0])
    mixed = [sealed({**chain, **keys, "keys/first.vkey": first}) for first in
             (chain["keys/first.vkey"], keys["keys/first.vkey"])]  # fmt: skip
    for parts in mixed:
        if origin != ORIGIN:
            refused(judges, parts, handed.vkeys[0])
            continue
        for vkey in (*handed.vkeys[:2], *vkeys):  # nobody signed that one of these leads to the one that signed
            assert judges.check(parts, [parse_vkey(vkey)])[0].file == "key.vkey"
            assert judges.script(parts, "-k", vkey)[0] == 1
        assert [finding.file for finding in judges.check(parts)] == ["README.html"]


class Forge:
    """Key leaves that a stranger makes, with keys of the stranger's own."""

    def __init__(self) -> None:
        self.signers = [Signer(ORIGIN, Ed25519PrivateKey.generate()) for _ in range(3)]

    def leaf(self, key: str, **fields: int | str) -> bytes:
        return format_leaf(
            Leaf("key", "00000000-0000-4000-8000-000000000000", "2026-11-22T08:00:00Z", key=key)._replace(**fields)  # type: ignore[arg-type]  # fields of several types
        )

    def files(self, number: int, entry: bytes, size: int, *signers: Signer) -> Parts:
        """A leaf in a tree of `size` leaves, the others of which are anything."""
        hashes = [leaf_hash(entry if i == number else b"%d" % i) for i in range(size)]

        def subtree(start: int, end: int) -> bytes:
            if end - start == 1:
                return hashes[start]
            middle = start + (1 << (end - start - 1).bit_length() - 1)
            return node_hash(subtree(start, middle), subtree(middle, end))

        text, _, _ = signers[0].sign_checkpoint(size, subtree(0, size)).partition("\n\n")
        note = f"{text}\n\n" + "".join(line for signer in signers for line in signer.signatures(f"{text}\n"))
        proof = format_proof(Proof(number, tuple(inclusion_path(number, size, subtree)), note))
        return {f"keys/{number}.json": entry, f"keys/{number}.tlog-proof": proof.encode()}


def resigned(parts: Parts, signer: Signer) -> Parts:
    """The proof with its checkpoint signed by another key."""
    note = parts["checkpoint"].decode()
    text = note.partition("\n\n")[0] + "\n"
    new = f"{text}\n" + "".join(signer.signatures(text))
    found = {
        name: content.replace(note.encode(), new.encode()) if name.endswith("tlog-proof") else content
        for name, content in parts.items()
        if not name.startswith("keys/")
    }
    key = parse_vkey(signer.vkeys)
    return found | {"checkpoint": new.encode(), "key.vkey": f"{signer.vkeys}\n".encode(), "key.pem": public_pem(key)}


def test_a_loop_two_leaves_in_one_checkpoint_and_others_that_nobody_writes_are_refused(
    chain: Parts, judges: Judges
) -> None:
    forge = Forge()
    one, two, three = forge.signers
    first = {"keys/first.vkey": f"{one.vkeys}\n".encode()}
    base = resigned(chain, three) | first
    good = forge.files(2, forge.leaf(two.vkeys), 3, one, two) | forge.files(5, forge.leaf(three.vkeys), 6, two, three)
    assert both(judges, sealed(without_page(base | good)), one.vkeys)[0]
    ends = forge.files(2, forge.leaf(two.vkeys), 6, one, two) | forge.files(5, forge.leaf(three.vkeys), 6, two, three)
    refused(judges, sealed(base | ends), one.vkeys, "does not stand between")
    late = forge.files(2, forge.leaf(two.vkeys), 3, one, two) | forge.files(60, forge.leaf(three.vkeys), 61, two, three)
    refused(judges, sealed(base | late), one.vkeys, "does not stand between")
    loop = forge.files(2, forge.leaf(two.vkeys), 3, one, two) | forge.files(5, forge.leaf(one.vkeys), 6, two, one)
    refused(judges, sealed(base | loop), one.vkeys, "was there before")
    back = resigned(chain, one) | first
    refused(judges, sealed(back | loop), one.vkeys, "was there before")
    same = forge.files(2, forge.leaf(one.vkeys), 3, one)
    refused(judges, sealed(back | same), one.vkeys, "was there before")
    for entry in (
        forge.leaf("nonsense"), forge.leaf(three.vkeys.replace(ORIGIN, "x.example")), forge.leaf(three.vkeys, type="stamp"),
        forge.leaf(three.vkeys + "A"), b"{}", forge.leaf(three.vkeys).replace(b'"key":', b'"kex":'),
    ):  # fmt: skip
        refused(judges, sealed(base | forge.files(2, entry, 3, one, three)), one.vkeys)
    lone = {"keys/first.vkey": f"{three.vkeys}\n".encode()}
    refused(judges, sealed(base | lone), one.vkeys, "no key leaf")
    for bad in (
        b"",
        b"nonsense\n",
        f"{one.vkeys}\\\n".encode(),
        f"{one.vkeys}\n\n".encode(),
        one.vkeys.encode(),
        f"{two.vkeys}\n".encode(),
    ):
        found = base | forge.files(2, forge.leaf(three.vkeys), 3, one, three) | {"keys/first.vkey": bad}
        if bad == f"{two.vkeys}\n".encode():  # as if the key before had been lost
            assert not both(judges, sealed(without_page(found)), one.vkeys)[0]
        else:
            refused(judges, sealed(found), one.vkeys)


def without_page(parts: Parts) -> Parts:
    """With the page that belongs to the proof, which these forgeries are not about."""
    from muniment.archive.proofs import written
    from muniment.formats.evidence import Files
    from muniment.formats.examine import Examination
    from muniment.formats.page import describe_proof

    examination = Examination(Files(packed(sealed(parts))), written())
    list(examination.run())
    assert examination.key is not None
    page = describe_proof(
        written().pages[0],
        examination.leaves,
        lambda number: parts[f"leaves/{number}/record-{len(examination.leaves[number].records)}.warc"],
        parts["checkpoint"].decode(),
        examination.key,
        [],
        examination.changes,
    )
    return {**parts, "README.html": page.encode()}


def test_a_compromise_that_is_declared_for_later_takes_nothing_away(chain: Parts, judges: Judges) -> None:
    forge = Forge()
    one, two, _ = forge.signers
    base = resigned(chain, two) | {"keys/first.vkey": f"{one.vkeys}\n".encode()}
    for size, held in ((2, False), (3, True), (0, False), (10**30, True)):
        parts = base | forge.files(2, forge.leaf(two.vkeys, size=size), 3, one, two)
        assert both(judges, sealed(without_page(parts)), one.vkeys)[0] == held, size


@pytest.mark.parametrize("count", [MAX_CHANGES + 1, 1000])
def test_more_key_leaves_than_a_proof_may_hold_are_refused_before_they_are_read(
    handed: Rotated, chain: Parts, judges: Judges, count: int
) -> None:
    many = {
        f"keys/{number}.{kind}": chain[f"keys/{handed.numbers[0]}.{kind}"]
        for number in range(100, 100 + count)
        for kind in ("json", "tlog-proof")
    }
    found = sealed({**without(chain, *(name for name in chain if re.match(r"keys/\d", name))), **many})
    refused(judges, found, handed.vkeys[0], "more than 100")


def test_of_very_many_keys_a_proof_holds_the_newest(
    handed: Rotated, judges: Judges, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(succession, "MAX_CHANGES", 1)
    parts = unpacked(proof_of(handed.root, 1))
    number = handed.numbers[1]
    assert {name for name in parts if name.startswith("keys/")} == {
        "keys/first.vkey", f"keys/{number}.json", f"keys/{number}.tlog-proof",
    }  # fmt: skip
    assert both(judges, parts, handed.vkeys[1])[0]
    assert not both(judges, parts, handed.vkeys[0])[0]


@pytest.mark.parametrize(
    "name", ["keys/x", "keys/.hidden", "keys/1.txt", "keys/01.json", "keys/first.json", "keys/1.2.json"]
)
def test_a_file_that_is_no_key_leafs_is_refused(chain: Parts, judges: Judges, name: str) -> None:
    assert judges.script(sealed({**chain, name: b"x"}))[0] == 1
    with pytest.raises(ValueError, match="a proof holds no"):
        judges.check(sealed({**chain, name: b"x"}))
