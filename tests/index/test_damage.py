"""A damaged index says so, and how it is mended; it never answers wrongly, and never ends the process."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable
from pathlib import Path

import index_examples as examples
import pytest

from muniment.errors import IndexBehind, MunimentError
from muniment.index import sound
from muniment.index.engine import Engine, open_engine
from muniment.index.facets import FACETS
from muniment.index.query import AnyOf, Everything, Term

ENGINES = ("tantivy", "whoosh")
TREES = [examples.tree(random.Random(seed)) for seed in range(6)]
OWN = ("state", "sound", "meta.json")  # changed with each commit, and not listed


@pytest.fixture(params=ENGINES)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def made(name: str, tmp_path: Path) -> Path:
    path = tmp_path / "index"
    with open_engine(name, path, create=True) as index:
        for start in (0, 40):
            index.add(examples.documents(80, 1)[start : start + 40])
            index.commit(start + 1)
    time.sleep(0.02)  # a file system's clock ticks every few milliseconds: a change within a tick is not seen
    return path


def answers(index: Engine) -> list[object]:
    found: list[object] = [index.count(), list(index.numbers(Everything()))]
    for tree in TREES:
        found += [index.search(tree, facets=FACETS), list(index.stream(tree))]
    return found


def written_once(path: Path) -> list[Path]:
    listed = [line.split(" ")[0] for line in (path / "sound").read_text().splitlines()]
    return [path / file for file in listed]


def flipped(content: bytes, rng: random.Random) -> bytes:
    at = rng.randrange(len(content))
    return content[:at] + bytes([content[at] ^ 1 << rng.randrange(8)]) + content[at + 1 :]


def cut(content: bytes, rng: random.Random) -> bytes:
    return content[: rng.randrange(len(content))]


def zeroed(content: bytes, rng: random.Random) -> bytes:
    at = rng.randrange(len(content))
    return content[:at] + bytes(byte ^ 0xFF for byte in content[at : at + 64]) + content[at + 64 :]


@pytest.mark.parametrize("damage", [flipped, cut, zeroed])
def test_every_change_of_a_file_is_seen(name: str, made: Path, damage: Callable[[bytes, random.Random], bytes]) -> None:
    rng = random.Random(4)
    with open_engine(name, made) as index:
        expected = answers(index)
    files = written_once(made)
    assert {file.suffix for file in files} >= (
        {".seg", ".toc"} if name == "whoosh" else {".term", ".idx", ".pos", ".fast"}
    )
    for file in files:
        content = file.read_bytes()
        file.write_bytes(damage(content, rng))
        with pytest.raises(IndexBehind, match="muniment reindex"):
            open_engine(name, made)
        file.write_bytes(content)
    with open_engine(name, made) as index:
        assert answers(index) == expected


def test_a_file_that_is_gone_or_empty_is_missed(name: str, made: Path) -> None:
    for file in [*written_once(made), *(made / other for other in OWN if (made / other).exists())]:
        content = file.read_bytes()
        for remove in (lambda: file.unlink(), lambda: file.write_bytes(b"")):  # noqa: B023 - called at once
            remove()
            try:
                with open_engine(name, made) as index:
                    answers(index)
                    assert file.name in OWN and (file.name == "sound" or not index.state().current), file.name
            except IndexBehind as e:
                assert "muniment reindex" in str(e)
            file.write_bytes(content)


def test_an_empty_folder_is_no_index(name: str, tmp_path: Path) -> None:
    with pytest.raises(IndexBehind, match="reindex"):
        open_engine(name, tmp_path)


def test_what_is_damaged_behind_the_back_of_the_list_is_told_all_the_same(name: str, made: Path) -> None:
    """Times of change can be set; then the engine itself has to stumble, and says the same."""
    stumbled = 0
    for file in written_once(made):
        content, times = file.read_bytes(), file.stat()
        file.write_bytes(bytes(len(content)))
        os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))
        try:
            with open_engine(name, made) as index:
                answers(index)
        except IndexBehind as e:
            assert "muniment reindex" in str(e) and "\n" not in str(e)
            stumbled += 1
        file.write_bytes(content)
    assert stumbled == len(written_once(made))


def test_a_copied_index_is_read_once_and_then_known(made: Path) -> None:
    if not (made / "meta.json").exists():
        pytest.skip("an index of Whoosh is not opened where it was not made")
    copy = made.with_name("copy")
    copy.mkdir()
    for file in made.iterdir():
        (copy / file.name).write_bytes(file.read_bytes())
        os.utime(copy / file.name, (1, 1))
    with open_engine("tantivy", made) as one, open_engine("tantivy", copy) as other:
        assert answers(one) == answers(other)
    known = {line.split(" ")[0]: line.split(" ")[2] for line in (copy / "sound").read_text().splitlines()}
    assert known and set(known.values()) == {"1000000000"}
    assert (made / "sound").read_text() != (copy / "sound").read_text()


def test_the_list_is_short_and_of_the_files_that_are_there(made: Path) -> None:
    for file in written_once(made):
        assert file.is_file()
    sound.check(made)
    (made / "sound").write_bytes(b"nonsense\n../x 1 2 3\n\xff")
    sound.check(made)


def overwrite(file: Path, content: bytes) -> None:
    """In place: to cut a file that an engine has mapped into memory would end the process."""
    with file.open("r+b") as opened:
        opened.write(content)


def test_an_error_that_is_no_damage_is_not_told_as_damage(made: Path, name: str) -> None:
    wrong = AnyOf("number", ("a", "b"))  # type: ignore[arg-type]  # what a fault of ours might hand over
    with open_engine(name, made) as index:
        with pytest.raises(ValueError, match="'a'"):
            index.search(wrong)
        assert index.search(Everything()).total == 80
        biggest = max(written_once(made), key=lambda file: file.stat().st_size)
        content, times = biggest.read_bytes(), biggest.stat()
        overwrite(biggest, content[:-9] + bytes(9))
        os.utime(biggest, ns=(times.st_atime_ns, times.st_mtime_ns))
        with pytest.raises(IndexBehind, match=rf"damaged \({biggest.name}\): run `muniment reindex`"):
            index.search(wrong)


def test_a_panic_on_sound_files_is_an_internal_error_and_on_damaged_ones_damage(made: Path) -> None:
    class PanicException(BaseException):  # named as Rust's is, which is nowhere to import
        pass

    with pytest.raises(MunimentError, match=r"internal error.*out of range") as e, sound.telling_damage(made):
        raise PanicException("index\nout of range")
    assert type(e.value) is MunimentError and "\n" not in str(e.value)
    file = written_once(made)[0]
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(IndexBehind, match="muniment reindex"), sound.telling_damage(made):
        raise PanicException("index out of range")


def test_a_writer_tells_damage_and_writes_nothing(made: Path, name: str) -> None:
    with open_engine(name, made) as index:
        state = index.state()
        for file in written_once(made):
            content, times = file.read_bytes(), file.stat()
            overwrite(file, bytes(len(content)))
            with pytest.raises(IndexBehind, match="muniment reindex"):
                index.add(examples.documents(3, 1))
                index.commit(3)
            overwrite(file, content)
            os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))
    with open_engine(name, made) as index:
        assert index.state() == state
        assert index.count() == 80


def test_damage_that_a_writer_stumbles_over_is_told(made: Path, name: str) -> None:
    """Both read their segments when they merge them."""
    index = open_engine(name, made)
    index.add(examples.documents(3, 1))
    for file in written_once(made):
        overwrite(file, bytes(file.stat().st_size))
    with pytest.raises(IndexBehind, match="muniment reindex"), index:
        index.commit(3)
        with open_engine(name, made) as again:
            answers(again)
    with pytest.raises(IndexBehind, match="muniment reindex"):
        open_engine(name, made)


def test_every_answer_of_a_damaged_index_is_that_it_is_damaged(made: Path, name: str) -> None:
    asked: list[Callable[[Engine], object]] = [
        lambda index: index.facets(Everything(), FACETS),
        lambda index: index.frequencies("text", ["word", "river"]),
        lambda index: index.vocabulary("text", "", 5),
        lambda index: [index.weights(Term("text", word), 3) for word in ("word", "river")],
        answers,
    ]
    with open_engine(name, made) as index:
        expected = [ask(index) for ask in asked]
    for file in written_once(made):
        content, times = file.read_bytes(), file.stat()
        for wrong in (bytes(len(content)), content[: len(content) // 2]):
            file.write_bytes(wrong)
            os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))
            for ask, right in zip(asked, expected, strict=True):
                try:
                    with open_engine(name, made) as index, sound.telling_damage(made, ValueError):
                        assert ask(index) == right or len(wrong) == len(content), file.name
                except IndexBehind as e:
                    assert "muniment reindex" in str(e)
        file.write_bytes(content)
        os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))
