"""`muniment search --file`: each name of a list, wherever it stands."""

from __future__ import annotations

import csv
import io
import shutil
from pathlib import Path

import pytest
from cli_console import Console, Done

from bench import bulk
from muniment.archive.archive import Archive, create
from muniment.names import MAX_LINE, read_names
from tests.conftest import NOW

HEAD = ["name", "line", "total", "snapshot", "title", "url", "source", "published", "passage"]
ARTICLES = (
    ("The gate keepers", "Marta Pellow and José Álvarez kept the gates. Pellow, Marta was on the list of 1998.", "en"),
    ("A meeting", "The minister met Jose Alvarez twice, and Marta was there. Pellow was not.", "en"),
    ("=SUM(A1)", "Ilse Brandt signed; +491234 was her number, wrote I. Brandt.", "de"),
    ("گزارش", "علی‌اکبر رضایی در کتابخانه ماند و نرفت.", "fa"),
    ("東京", "昨日、山田太郎は東京都で話した。", "ja"),
)


@pytest.fixture(scope="module")
def console(tmp_path_factory: pytest.TempPathFactory) -> Console:
    base = tmp_path_factory.mktemp("names")
    root = create(base / "archive", "test.example/log", NOW).root
    with Archive(root) as archive, archive.writer() as writer:
        for number, (title, text, language) in enumerate(ARTICLES):
            bulk.add(
                writer,
                {"url": f"https://p{number}.example/a", "title": title, "text": text, "language": language, "number": 1,
                 "authors": ["Nora Quill", "نورا قلم"] if number == 1 else [], "published": f"202{number}", "source": f"Paper {number}", "tags": []},
            )  # fmt: skip
        writer.commit()
    console = Console(root, base)
    console("reindex", "-q")
    return console


def run(console: Console, content: str | bytes, *options: str, code: int = 0, name: str = "names.txt") -> Done:
    (console.cwd / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    return console("search", "--file", name, *options, code=code)


def rows(done: Done) -> list[dict[str, str]]:
    reader = csv.DictReader(io.StringIO(done.out))
    assert reader.fieldnames == HEAD
    return list(reader)


def found(done: Done) -> dict[str, list[str]]:
    """The titles found, by name."""
    listed: dict[str, list[str]] = {}
    for row in rows(done):
        listed.setdefault(row["name"], []).extend([row["title"]] if row["snapshot"] else [])
    return listed


def test_each_name_is_looked_for_as_a_phrase_and_told_with_its_line(console: Console) -> None:
    done = run(console, "# suspects\n\nMarta  Pellow\nIlse Brandt\nNobody Here\njose alvarez\n")
    assert found(done) == {"Marta Pellow": ["The gate keepers"], "Ilse Brandt": ["'=SUM(A1)"], "Nobody Here": [],
                           "jose alvarez": ["A meeting", "The gate keepers"]}  # fmt: skip
    first, brandt, nobody, *_ = rows(done)
    assert (first["line"], first["total"], first["source"], first["published"]) == ("3", "1", "Paper 0", "2020")
    assert first["passage"].startswith("Marta Pellow and José Álvarez kept the gates.")
    assert first["url"] == "https://p0.example/a"
    assert brandt["passage"].startswith("Ilse Brandt signed; '+49")
    assert (nobody["line"], nobody["total"], nobody["snapshot"]) == ("5", "0", "")
    assert done.err == ("4 names read: 3 found, 1 not, 0 lines unreadable; the index holds 5 of 5 article versions\n")


def test_a_name_with_a_comma_is_looked_for_in_either_order(console: Console) -> None:
    assert found(run(console, "Alvarez, José\nPellow, Marta\nA, B, C\nMarta,\n", "--sort", "oldest")) == {
        "Alvarez, José": ["The gate keepers", "A meeting"], "Pellow, Marta": ["The gate keepers"],
        "A, B, C": [], "Marta,": ["The gate keepers", "A meeting"]}  # fmt: skip


def test_names_of_other_scripts_are_found_as_they_are_typed_elsewhere(console: Console) -> None:
    names = "علي اكبر رضايي\nعلی‌اکبر رضایی\n山田太郎\n"
    assert list(found(run(console, names)).values()) == [["گزارش"], ["گزارش"], ["東京"]]


def test_filters_and_a_query_narrow_every_name(console: Console) -> None:
    names = "Jose Alvarez\nMarta\n"
    assert found(run(console, names, "minister")) == {"Jose Alvarez": ["A meeting"], "Marta": ["A meeting"]}
    assert found(run(console, names, "--source", "Paper 0", "--until", "2020")) == {
        "Jose Alvarez": ["The gate keepers"], "Marta": ["The gate keepers"]}  # fmt: skip
    assert found(run(console, names, "--since", "2022", code=1)) == {"Jose Alvarez": [], "Marta": []}
    limited = rows(run(console, names, "--limit", "1", "--sort", "newest"))
    assert [(row["name"], row["title"], row["total"]) for row in limited] == [
        ("Jose Alvarez", "A meeting", "2"), ("Marta", "A meeting", "2")]  # fmt: skip
    assert len(rows(run(console, names, "--all"))) == 4
    assert len(rows(run(console, names, "--limit", "0"))) == 2


def test_a_query_or_filter_that_leaves_nothing_to_look_through_is_told(console: Console) -> None:
    for narrowing, said in (
        (["--source", "papre 0"], "; did you mean: --source 'paper 0'"),
        (["ministre"], "; did you mean: minister"),
        (["--since", "2031"], ""),
    ):
        done = run(console, "Marta\n", *narrowing, code=1)
        assert done.err.splitlines()[1:] == [f"no article passes the query and the filters{said}"]
    assert len(run(console, "Nobody\n", "--source", "paper 0", code=1).err.splitlines()) == 1


def test_json_is_a_line_a_match(console: Console) -> None:
    lines = run(console, "Marta Pellow\nNobody\n", "--json").rows()
    assert [(line["name"], line["line"], line["total"]) for line in lines] == [("Marta Pellow", 1, 1), ("Nobody", 2, 0)]
    assert lines[0]["hit"]["snippet"].startswith("<mark>Marta</mark> <mark>Pellow</mark> and José")
    assert lines[1]["hit"] is None
    assert run(console, "Marta Pellow\nNobody\n", "--jsonl").rows() == lines


def test_lists_of_any_encoding_are_read_or_told_by_the_line(console: Console) -> None:
    names = "José Álvarez\nMarta Pellow\n"
    expected = {"José Álvarez": ["A meeting", "The gate keepers"], "Marta Pellow": ["The gate keepers"]}
    for encoding in ("utf-8", "utf-8-sig", "utf-16"):
        assert found(run(console, names.encode(encoding))) == expected
        assert found(run(console, names.replace("\n", "\r\n").rstrip().encode(encoding))) == expected
    done = run(console, names.encode("latin-1"), code=3)
    assert found(done) == {"Marta Pellow": ["The gate keepers"]}
    assert done.err.startswith(
        "muniment: line 1 (José Álvarez): it is not in UTF-8: save the list as UTF-8\n1 name read"
    )
    assert "1 line unreadable" in done.err


def test_of_csv_the_first_column_counts(console: Console) -> None:
    expected = {"Pellow, Marta": ["The gate keepers"], "Ilse Brandt": ["'=SUM(A1)"]}
    for text in ('Name,born\n"Pellow, Marta",1970\nIlse Brandt,\n', 'name;born\n"Pellow, Marta";1970\nIlse Brandt;1\n',
                 "Pellow, Marta\t1\nIlse Brandt\t2\n"):  # fmt: skip
        assert found(run(console, text, "--sort", "oldest", name="names.csv")) == expected


def test_a_carriage_return_within_a_line_of_csv_is_a_space(console: Console) -> None:
    text = 'name,born\nMarta\rPellow,1970\n"Ilse Brandt\r\n\r\r\n'
    expected = {"Marta Pellow": ["The gate keepers"], "Ilse Brandt": ["'=SUM(A1)"]}
    assert found(run(console, text, name="names.csv")) == expected


def test_a_cell_in_quotes_may_run_over_lines(console: Console) -> None:
    text = 'name,born\n"Marta\nPellow",1970\nIlse Brandt,"at\nMarta, in\nJune"\nJosé Álvarez,5" tall\nMarta,6"\n'
    done = run(console, text, "--sort", "oldest", name="names.csv")
    assert found(done) == {"Marta Pellow": ["The gate keepers"], "Ilse Brandt": ["'=SUM(A1)"],
                           "José Álvarez": ["The gate keepers", "A meeting"],
                           "Marta": ["The gate keepers", "A meeting"]}  # fmt: skip
    assert list(dict.fromkeys(row["line"] for row in rows(done))) == ["2", "4", "7", "8"]
    opened = "".join(f"{n}\n" for n in range(50))
    listed = read_names(io.BufferedReader(io.BytesIO(f'"Marta\n{opened}Ilse Brandt\n'.encode())), as_csv=True)
    assert [name.line for name in listed] == list(range(1, 53))


def test_the_column_of_names_is_known_by_its_head(console: Console) -> None:
    expected = {"Pellow, Marta": ["The gate keepers"], "Ilse Brandt": ["'=SUM(A1)"]}
    for head in ("id;Person;born", "ID;NAME;born", "born;Full  Name;id", "ردیف;نام;born"):
        text = f"{head}\n1;Pellow, Marta;1970\n2\n3;Ilse Brandt\n"
        assert found(run(console, text, name="names.csv")) == expected
    assert found(run(console, "id,born\nIlse Brandt,1\n", name="names.csv")) == {"Ilse Brandt": ["'=SUM(A1)"]}


def test_lines_may_end_as_on_an_old_mac(console: Console) -> None:
    expected = {"Marta Pellow": ["The gate keepers"], "Ilse Brandt": ["'=SUM(A1)"]}
    for name in ("names.txt", "names.csv"):
        done = run(console, "Marta Pellow\rIlse Brandt\r", name=name)
        assert found(done) == expected and [row["line"] for row in rows(done)] == ["1", "2"]
    assert found(run(console, "Marta Pellow\rIlse Brandt\r".encode("utf-16"))) == expected


def test_a_persian_comma_parts_a_name_as_a_comma_does(console: Console) -> None:
    names = ["رضایی، علی‌اکبر", "رضایی؛ علی اکبر", "علی اکبر، رضایی"]
    assert found(run(console, "\n".join(names))) == {name: ["گزارش"] for name in names}


def test_a_name_is_found_among_the_authors_too(console: Console) -> None:
    for name in ("Nora Quill", "Quill, Nora", "نورا قلم"):
        assert found(run(console, name)) == {name: ["A meeting"]}


def test_a_wrong_line_is_told_and_the_rest_goes_on(console: Console) -> None:
    wrong = b"...\n" + b"x" * 30_000 + b"\n" + b"a " * 60 + b"\nMarta Pellow\n\xff\xfe\x00\n"
    done = run(console, wrong, code=3)
    assert found(done) == {"Marta Pellow": ["The gate keepers"]}
    said = done.err.splitlines()
    assert said[0] == "muniment: line 1 (...): there is no word in it"
    assert said[1].endswith(f"a line holds {MAX_LINE:,} bytes at most")
    assert said[2].endswith("it has more than 40 words")
    assert said[3].startswith("muniment: line 5 (")
    assert said[4].startswith("1 name read: 1 found, 0 not, 4 lines unreadable; ")
    many = run(console, b"...\n" * 500, code=3)
    assert len(many.err.splitlines()) == 21


def test_wrong_calls_are_refused(console: Console, tmp_path: Path) -> None:
    assert "No such file" in console("search", "--file", "nowhere.txt", code=2).err
    assert "directory" in console("search", "--file", ".", code=2).err
    for option in (["--ids"], ["--urls"], ["--facet", "year"], ["--offset", "1"], ["--collapse"], ["--explain"]):
        assert "do not go together" in run(console, "x", *option, code=2).err
    assert "is not closed" in run(console, "x", "(dam", code=2).err
    empty = run(console, "", code=1)
    assert (empty.lines, empty.err.partition(":")[0]) == ([",".join(HEAD)], "0 names read")


def test_names_come_from_standard_input_too_and_a_reader_may_stop(console: Console) -> None:
    done = console("search", "--file", "-", stdin=b"Marta Pellow\n")
    assert found(done) == {"Marta Pellow": ["The gate keepers"]}
    (console.cwd / "long.txt").write_text("Marta Pellow\n" * 3000)
    running = console.spawn("search", "--file", "long.txt")
    assert running.stdout is not None and running.stderr is not None
    assert running.stdout.readline() == (",".join(HEAD) + "\n").encode()
    running.stdout.close()
    assert running.wait(timeout=60) == 0
    assert b"Traceback" not in running.stderr.read()


def test_an_index_that_cannot_answer_is_no_list_without_matches(console: Console, tmp_path: Path) -> None:
    assert console.archive is not None
    shutil.copytree(console.archive, tmp_path / "copy")
    (tmp_path / "copy" / "index" / "current").write_text("tantivy-9\n")
    (tmp_path / "names.txt").write_text("Marta Pellow\n")
    assert Console(tmp_path / "copy", tmp_path)("search", "--file", "names.txt", code=4).out == ""


def test_a_list_is_read_as_a_stream() -> None:
    class Endless(io.RawIOBase):
        def readable(self) -> bool:
            return True

        def readinto(self, buffer: bytearray) -> int:  # type: ignore[override]  # the stub asks for any buffer
            line = b"Marta Pellow\n"
            size = len(buffer) // len(line) * len(line)
            buffer[:size] = line * (size // len(line))
            return size

    names = read_names(io.BufferedReader(Endless()))
    assert [next(names).line for _ in range(5000)][-1] == 5000


def test_what_was_withdrawn_cannot_be_looked_through_and_no_index_is_called_damaged(console: Console) -> None:
    assert "is:withdrawn can be asked" in run(console, "Sam\n", "is:withdrawn", code=2).err
    assert "is:withdrawn can be asked" in console("searches", "save", "gone", "is:withdrawn", code=2).err
