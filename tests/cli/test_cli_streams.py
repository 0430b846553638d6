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


def test_where_nothing_is_found_a_proposal_is_told_in_every_form(many: Console) -> None:
    assert many("search", "everywhere", "--ids", "--limit", 1).err == ""
    for options in (("--all",), ("--jsonl",), ("--all", "--jsonl"), ("--all", "--csv"), ("--ids",), ()):
        assert "did you mean: everywhere" in many("search", "everywhree", *options, code=1).err, options
    for options in (("--json",), ("--json", "--all")):
        answer = many("search", "everywhree", *options, code=1)
        assert answer.json()["suggestions"] == ["everywhere"]
        assert answer.err == ""
    assert many("search", "everywhree", "--all", "--quiet", code=1).err == ""


def test_a_stream_explains_the_score_of_each_hit_as_pages_do(many: Console) -> None:
    page = many("search", "everywhere", "--limit", COUNT, "--explain", "--json").json()["hits"]
    stream = many("search", "everywhere", "--all", "--explain", "--jsonl")
    assert [hit["score_parts"] for hit in stream.rows()] == [hit["score_parts"] for hit in page]
    assert all(hit["score_parts"] for hit in page)
    assert many("search", "everywhere", "--all", "--explain", "--json").json()["hits"] == page
    told = [line for line in stream.err.splitlines() if line.endswith(":") and line.startswith("#")]
    assert [int(line[1:].split()[0]) for line in told] == [hit["snapshot"] for hit in page]
    assert "score_parts" not in many("search", "everywhere", "--all", "--jsonl", "--recent").out


def test_a_sentence_tells_which_words_it_left_out(many: Console) -> None:
    sentence = "What is it that they have everywhere?"
    for options in ((), ("--all",)):
        told = many("search", "--any", sentence, *options)
        assert "left out, for they say little: what, is, it, that, they, have\n" in told.err
        assert many("search", "--any", sentence, "--json", *options).json()["left_out"][:2] == ["what", "is"]
    assert "left out" not in many("search", "--any", sentence, "--quiet").err
    assert "left out" not in many("search", "--any", "zeppelin everywhere").err
    assert "left_out" not in many("search", "--any", "zeppelin everywhere", "--json").json()
    assert "left_out" not in many("search", "everywhere", "--json").json()


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
