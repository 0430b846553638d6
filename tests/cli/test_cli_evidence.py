"""Verifying by sample and anew, the doctor, curation, keys and proofs, the way a user calls them."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path

from cli_console import Console, Stock

Copy = Callable[[], Console]


def flip(console: Console, record: dict[str, object]) -> None:
    """Change a byte in the middle of a record."""
    assert console.archive is not None
    path = console.archive / str(record["file"])
    data = bytearray(path.read_bytes())
    data[int(str(record["offset"])) + int(str(record["length"])) // 2] ^= 4
    path.write_bytes(data)


def test_samples_read_everything_within_a_cycle_and_what_is_damaged_each_time(copied: Copy, stock: Stock) -> None:
    console = copied()
    number = stock.number("papers/one.html")
    flip(console, console("show", number, "--json").json()["records"][0])
    codes, whole = [], console("verify", "--json", code=10).rows()[-1]
    for _ in range(6):
        done = console("verify", "--sample", "20%", "--json", code=None)
        codes.append(done.code)
        cycle = done.rows()[-1]["cycle"]
        assert done.rows()[-1]["records"] < whole["records"]
        if done.code == 10:
            assert number in {row.get("snapshot") for row in done.rows()[:-1]}
    assert codes == sorted(codes), "what was damaged once is read again in every run"
    assert 10 in codes
    assert cycle is not None
    for wrong in ("0%", "101%", "x", "-3"):
        console("verify", "--sample", wrong, code=2)


def test_the_doctor_reads_findings_and_names_the_next_step(copied: Copy, stock: Stock) -> None:
    console = copied()
    number = stock.number("papers/one.html")
    steps = console("doctor", "--json").rows()
    assert {step["kind"] for step in steps} <= {"care"}
    assert any("stamp" in (step["command"] or step["do"]) for step in steps)
    flip(console, console("show", number, "--json").json()["records"][0])
    told = console("verify", "--json", code=10).raw
    steps = console("doctor", "-", "--json", code=10, stdin=told).rows()
    assert steps[0]["kind"] == "damage"
    assert number in steps[0]["snapshots"]
    assert any(place.startswith("warc/") for place in steps[0]["places"])
    assert "from a copy" in console("doctor", "--full", code=10).out
    console("doctor", "-", code=2, stdin=b"nonsense")


def test_the_same_extractor_makes_the_same_texts_and_another_text_is_told(copied: Copy, stock: Stock) -> None:
    console = copied()
    assert console("verify", "--rederive", "--json").rows()[-1]["findings"] == 0


def test_what_is_said_of_an_article_is_shown_found_and_exported(copied: Copy, stock: Stock) -> None:
    console = copied()
    number = stock.number("papers/one.html")
    leaf = console("tag", number, "urgent", "--json").json()["leaf"]
    console("note", number, "seen\x1b[31m by two")
    console("collect", "The War", number)
    assert console("search", "tag:urgent", "--ids").out.split() == [str(number)]
    assert console("search", 'collection:"the war"', "--ids").out.split() == [str(number)]
    shown = console("show", number, "--json").json()
    assert (shown["tags"], shown["collections"], len(shown["notes"])) == (["urgent"], ["The War"], 1)
    assert "\x1b" not in console("show", number).out
    assert "urgent" in console("show", leaf).out
    line = json.loads(console("export", "--format", "jsonl", "-o", "-", number).raw)
    assert line["tags"] == ["urgent"]
    console("tag", number, code=2)
    console("tag", 9999, "x", code=2)
    console("source", "example.org", code=2)


def test_what_was_withdrawn_is_nowhere_to_be_had(copied: Copy, stock: Stock, tmp_path: Path) -> None:
    console = copied()
    number = stock.number("papers/one.html")
    before = console("search", "Dunmore", "--ids").out.split()
    assert str(number) in before
    console("withdraw", number, code=2)  # without a reason
    done = console("withdraw", number, "--reason", "a court's order", "--json").json()
    for command in (["show", number], ["show", number, "--raw"], ["prove", number, "-o", tmp_path / "p.zip"]):
        assert "withdrawn" in console(*command, code=2).err
    assert str(number) not in console("search", "Dunmore", "--ids", code=None).out.split()
    row = json.loads(console("export", "--format", "jsonl", "-o", "-", number).raw)
    assert (row["article"], row["withdrawn"]["leaf"]) == (None, done["leaf"])
    console("export", "--format", "wacz", "-o", tmp_path / "a.wacz")
    with zipfile.ZipFile(tmp_path / "a.wacz") as package:
        assert b"Dunmore was" not in package.read("pages/pages.jsonl")
    tally = console("verify", "--json").rows()[-1]
    assert (tally["findings"], tally["withdrawn"]) == (0, [number])
    console("rebuild")
    assert console("verify", "--json").rows()[-1]["withdrawn"] == [number]


def test_what_was_withdrawn_and_is_added_again_is_told(copied: Copy, stock: Stock) -> None:
    console = copied()
    number = stock.number("papers/one.html")
    console("withdraw", number, "--reason", "a court's order")
    again = console("add", stock.console.cwd / "papers", "--json")
    new = {row["target"].rpartition("/")[2]: row["snapshot"] for row in again.rows()}["one.html"]
    assert new > number
    warnings = [line for line in again.err.splitlines() if "withdrawn" in line]
    assert warnings == [
        f"muniment: #{new} holds the same bytes as #{number}, which was withdrawn: where they may not be kept,"
        f" withdraw #{new} too"
    ]
    assert "withdrawn" not in console("add", stock.console.cwd / "papers").err


def test_keys_are_listed_rotated_and_encrypted(copied: Copy, tmp_path: Path) -> None:
    console = copied()
    (first,) = console("key", "--json").rows()
    rotated = console("key", "rotate", "--reason", "a year is over", "--json").json()
    listed = console("key", "--json").rows()
    assert [row["key"] for row in listed] == [first["key"], rotated["key"]]
    assert (listed[0]["to"], listed[1]["from"]) == (rotated["leaf"] - 1, rotated["leaf"])
    assert "a year is over" in console("verify").err
    console("verify", "--key", first["key"])
    console("key", "passphrase", MUNIMENT_NEW_PASSPHRASE="open sesame")
    (tmp_path / "new.txt").write_text("A new text, which says something else than the others.")
    assert "MUNIMENT_PASSPHRASE_FILE" in console("add", "new.txt", code=2).err
    console("add", "new.txt", MUNIMENT_PASSPHRASE="open sesame")
    assert "does not open" in console("add", "new.txt", code=2, MUNIMENT_PASSPHRASE="wrong").err
    kept = console("key", "rotate", "--passphrase", MUNIMENT_PASSPHRASE="open sesame", MUNIMENT_NEW_PASSPHRASE="open")
    assert "passphrase" not in kept.err
    bared = console("key", "rotate", "--quiet", "--json", MUNIMENT_PASSPHRASE="open")
    assert "this one has none: set one with `muniment key passphrase`" in bared.err
    assert "passphrase" not in console("key", "rotate").err
    console("key", "passphrase", MUNIMENT_NEW_PASSPHRASE="open sesame")
    console("key", "passphrase", "--remove", MUNIMENT_PASSPHRASE="open sesame")
    console("add", "new.txt")
    console("key", "list", "--lost", code=2)


def test_a_proof_is_made_and_checked(copied: Copy, stock: Stock, tmp_path: Path) -> None:
    console = copied()
    number = stock.number("papers/one.html")
    console("prove", number, "-o", "proof.zip")
    console("prove", number, "-o", "proof.zip", code=2)
    checked = console("check", "proof.zip", "--json").rows()[-1]
    assert (checked["findings"], number in {leaf["leaf"] for leaf in checked["leaves"]}) == (0, True)
    other = Console(None, tmp_path)("init", "other", "--json").json()["key"]
    console("check", "proof.zip", "--key", other, code=10)
