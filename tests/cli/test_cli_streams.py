"""`search --all`: every hit, in each form, a group at a time; readers who stop early, and Control-C."""

from __future__ import annotations

import csv
import io
import json
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from cli_console import COUNT, Console

from muniment.finding import GROUP


def everything(console: Console, *options: str) -> list[int]:
    return [int(line) for line in console("search", "everywhere", "--all", "--ids", *options).lines]


@pytest.mark.parametrize("options", [(), ("--versions",), ("--collapse",), ("--recent",), ("--sort", "newest"),
                                     ("--sort", "oldest", "--versions"), ("--sort", "captured"), ("--any",)])  # fmt: skip
def test_a_stream_is_the_pages_joined(many: Console, options: tuple[str, ...]) -> None:
    whole = everything(many, *options)
    page = many("search", "everywhere", "--limit", COUNT, "--ids", *options).lines
    assert whole == [int(line) for line in page]
    assert len(set(whole)) == len(whole) > 2 * GROUP
    assert everything(many, *options, "--offset", "205") == whole[205:]
    assert (len(whole) == COUNT) == ("--versions" in options)


def test_all_forms_hold_the_same_hits(many: Console) -> None:
    numbers = everything(many)
    document = many("search", "everywhere", "--all", "--json")
    found = document.json()
    assert [hit["snapshot"] for hit in found["hits"]] == numbers
    assert found["total"] == len(numbers) == sum(facet["count"] for facet in found["facets"]["year"]["values"])
    assert len(document.lines) == len(numbers) + 2
    page = many("search", "everywhere", "--limit", 3, "--json").json()
    assert page.keys() == found.keys()
    assert page["hits"] == found["hits"][:3]
    assert many("search", "everywhere", "--all", "--jsonl").rows() == found["hits"]
    assert many("search", "everywhere", "--limit", 3, "--jsonl").rows() == page["hits"]
    rows = list(csv.DictReader(io.StringIO(many("search", "everywhere", "--all", "--csv").out)))
    assert [int(row["snapshot"]) for row in rows] == numbers
    assert many("search", "everywhere", "--all", "--urls").lines == [hit["url"] for hit in found["hits"]]
    lines = many("search", "everywhere", "--all").lines
    assert [int(line[1:].split()[0]) for line in lines if line.startswith("#")] == numbers


def test_nothing_found_is_told_in_every_form(many: Console) -> None:
    assert many("search", "zeppelin", "--all", "--json", code=1).json()["hits"] == []
    assert many("search", "zeppelin", "--all", "--jsonl", code=1).out == ""
    assert many("search", "zeppelin", "--all", "--csv", code=1).out.startswith("snapshot,title,")
    assert many("search", "zeppelin", "--all", code=1).err.startswith("nothing matched; ")
    assert many("search", "everywhere", "--all", "--offset", COUNT, "--json").json()["hits"] == []
    assert "choose one of" in many("search", "x", "--jsonl", "--json", code=2).err


@pytest.mark.parametrize("form", ["--ids", "--jsonl", "--json", "--csv", "-q"])
def test_a_reader_may_stop_early(many: Console, form: str) -> None:
    running = many.spawn("search", "everywhere", "--all", form)
    assert running.stdout is not None and running.stderr is not None
    assert running.stdout.readline()
    running.stdout.close()
    assert running.wait(timeout=60) == 0
    assert b"Traceback" not in running.stderr.read()


def test_control_c_ends_a_stream(many: Console) -> None:
    running = many.spawn("search", "everywhere", "--all", "--versions", "--jsonl")
    assert running.stdout is not None and running.stderr is not None
    assert running.stdout.readline()
    running.send_signal(signal.SIGINT)
    out, err = running.communicate(timeout=60)
    assert running.returncode == 130
    assert len(out.splitlines()) < COUNT - 1
    assert b"Traceback" not in err


def test_what_is_added_meanwhile_is_not_in_a_stream(many: Console, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    subprocess.run(["cp", "-R", str(many.archive), str(copy)], check=True)
    console = Console(copy, tmp_path)
    before = everything(console)
    running = console.spawn("search", "everywhere", "--all", "--jsonl", "--sort", "captured")
    assert running.stdout is not None
    first = running.stdout.readline()
    console(
        "add", "-", "--title", "Later", "--published", "2026", stdin=b"Everywhere it was told, and everybody heard."
    )
    lines: Iterator[bytes] = iter((first, *running.stdout))
    assert sorted(json.loads(line)["snapshot"] for line in lines) == sorted(before)
    assert running.wait(timeout=60) == 0
    assert len(everything(console)) == len(before) + 1
