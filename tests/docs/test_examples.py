"""The documents' examples, run as they stand; and nothing that a command, a code or a format has is left unnamed.

Every block fenced as `console` in README.md and docs/*.md is run, document by document, in one shell in a folder of its
own. A line that begins with `$ ` is a command, the lines below it are what it prints, on stdout and stderr together.
In what it prints, `…` stands for any text within a line, and a line of `…` for any lines.

What the folder holds and what the comments before some blocks do is told in CONTRIBUTING.md.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import get_args

import click
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from demo.site import Site
from muniment import errors
from muniment.cli import cli
from muniment.formats.leaf import Leaf, LeafType
from muniment.index.facets import FACETS
from muniment.search.language import FIELDS
from tests.authority import Authority

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
TOOLS = ("unzip", "xxd", "openssl")
WITH_EXAMPLES = [path for path in DOCUMENTS if "```console" in path.read_text(encoding="utf-8")]
_BLOCK = re.compile(r"(?:^<!-- example: ([^\n]+) -->\n)?^```console\n(.*?)^```$", re.M | re.S)
_MARK = "\x1e"  # stands around the exit code, after what each command prints

# What a comment such as `<!-- example: the second edition -->` does before the block that follows it.
_STEPS = {
    "the papers": 'cp -R "$FILLED" archive',
    "the second edition": "\"$PYTHON\" -c \"import urllib.request as r; r.urlopen('$SITE/__edition/2', b'').read()\"",
    "a flipped bit": "flip copy",
    "a flipped bit in the archive": "cp -R archive backup && flip archive",
    "an authority": """cp "$AUTHORITY/root.pem" example-root.pem && cp "$AUTHORITY/authority.toml" authority.toml""",
}
# The addresses of the papers lead to the demonstration's site on loopback, whatever the example says; there the authority
# is, too.
_PREAMBLE = """
muniment() {
  case "$1 $3" in
    'add '*) shift; command muniment add $NETWORK "$@" ;;
    '--archive feed' | '--archive sitemap' | '--archive crawl') command muniment "$@" $NETWORK ;;
    'jobs '*) if [ "$2" = add ]; then command muniment "$@" $NETWORK; else command muniment "$@"; fi ;;
    '--archive stamp') command muniment "$@" --allow-private ;;
    *) command muniment "$@" ;;
  esac
}
flip() {
  "$PYTHON" -c "
import pathlib
path = sorted(pathlib.Path('$1/warc').glob('*/*.gz'))[0]
data = bytearray(path.read_bytes())
data[len(data) // 2] ^= 1
path.write_bytes(data)"
}
"""


@dataclass(frozen=True, slots=True)
class Example:
    """A command, the lines that the document shows below it, and what is to be done before it."""

    command: str
    shown: str
    before: str | None = None


def examples(document: str) -> list[Example]:
    """The examples of a document, in order."""
    found = []
    for step, block in _BLOCK.findall(document):
        commands = re.split(r"^\$ ", block, flags=re.M)
        assert not commands[0], f"a console block begins with a command, not {commands[0]!r}"
        for i, text in enumerate(commands[1:]):
            command, _, shown = text.partition("\n")
            found.append(Example(command, shown.rstrip("\n"), step if step and i == 0 else None))
    return found


def is_shown(printed: str, shown: str) -> bool:
    """Whether the document's lines, with their `…`, say what was printed."""
    pattern = ""
    for line in shown.split("\n"):
        if line.strip() == "…":
            pattern += r"(?:[^\n]*\n)*?"
        else:
            pattern += ".*?".join(map(re.escape, line.rstrip().split("…"))) + "\n"
    lines = [line.rstrip() for line in printed.rstrip("\n").split("\n")]
    return re.fullmatch(pattern, "\n".join(lines) + "\n") is not None


def prepare(folder: Path, site: Site) -> None:
    """The files that every example finds in its folder."""
    shutil.copytree(ROOT / "demo" / "uploads", folder / "uploads")
    urls = [*site.urls(), site.moved_url, site.gone_url, site.disallowed_url]
    (folder / "papers.txt").write_text("\n".join(urls) + "\n")


def environment(site: Site, filled: Path | str, authority: Path | str = "") -> dict[str, str]:
    to_loopback = " ".join(f"--resolve {host}:127.0.0.1:{site.port}" for host in site.hosts)
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("MUNIMENT_", "PYTHON"))}
    return {
        **kept,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "NETWORK": f"--allow-private {to_loopback}",
        "SITE": f"http://127.0.0.1:{site.port}",
        "PYTHON": sys.executable,
        "FILLED": str(filled),
        "AUTHORITY": str(authority),
        "LC_ALL": "C.UTF-8",
    }


def run(commands: list[Example], folder: Path, variables: dict[str, str]) -> list[str]:
    """What each command prints."""
    script = [_PREAMBLE]
    for example in commands:
        if example.before is not None:
            script.append(_STEPS[example.before])
        script.append(f"{example.command}\ncode=$?; printf '{_MARK}'; (exit $code)")
    done = subprocess.run(
        ["/bin/sh", "-c", "\n".join(script)],
        cwd=folder, env=variables, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        encoding="utf-8", timeout=300,
    )  # fmt: skip
    printed = done.stdout.split(_MARK)
    assert len(printed) == len(commands) + 1, f"the shell stopped: {printed[-1]}"
    return printed[:-1]


@lru_cache(1)
def filled_archive(base: Path) -> Path:
    """An archive of the papers and the uploads, made once."""
    folder = base / "filled"
    folder.mkdir()
    commands = ("init archive --origin example.org/archive", "--archive archive add --from papers.txt $NETWORK",
                "--archive archive add uploads --tag upload")  # fmt: skip
    with Site() as site:
        prepare(folder, site)
        run([Example(f"muniment {command}", "") for command in commands], folder, environment(site, ""))
    return folder / "archive"


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return filled_archive(tmp_path_factory.getbasetemp())


@pytest.fixture
def site() -> Iterator[Site]:
    with Site() as running:
        yield running


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with the root certificate of a running time stamp authority, and its lines for archive.toml."""
    folder = tmp_path_factory.mktemp("authority")
    with Authority(folder / "private", name="Example TSA") as running:
        (folder / "root.pem").write_bytes(running.root_pem)
        lines = [
            "[[stamp.authorities]]",
            'name = "example"',
            f'url = "{running.url}"',
            'ca = "authorities/example.pem"',
        ]
        (folder / "authority.toml").write_text("\n".join(lines) + "\n")
        yield folder


@pytest.mark.parametrize("document", WITH_EXAMPLES, ids=lambda path: path.name)
def test_the_examples_print_what_the_document_shows(
    document: Path, tmp_path: Path, site: Site, filled: Path, authority: Path
) -> None:
    if document.name == "evidence.md" and (lacking := [tool for tool in TOOLS if shutil.which(tool) is None]):
        pytest.skip(f"a proof is checked with public tools, and {', '.join(lacking)} is not installed")
    prepare(tmp_path, site)
    commands = examples(document.read_text(encoding="utf-8"))
    printed = run(commands, tmp_path, environment(site, filled, authority))
    for example, output in zip(commands, printed, strict=True):
        shown = f"{document.name} shows:\n{example.shown}\n\nprinted:\n{output}"
        assert is_shown(output, example.shown), f"$ {example.command}\n\n{shown}"


def test_an_ellipsis_stands_for_text_within_a_line_and_alone_for_lines() -> None:
    assert is_shown("#1 stored a\n#2 stored b\nend\n", "#1 … a\n…\nend")
    assert is_shown("one\n", "one\n…")
    assert not is_shown("#1 stored a\n#2 stored b\n", "#1 … a")
    assert not is_shown("#1 stored a\n", "#1 … b\n…")


# ---- nothing is left unnamed


def text_of(name: str) -> str:
    return (ROOT / "docs" / name).read_text(encoding="utf-8")


def sections(name: str) -> dict[str, str]:
    """The text below each heading of the second level, by heading."""
    parts = re.split(r"^## (.+)\n", text_of(name), flags=re.M)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def commands() -> list[tuple[str, click.Command]]:
    context = click.Context(cli)
    found = [(name, cli.get_command(context, name)) for name in cli.list_commands(context)]
    return [(name, command) for name, command in found if command is not None]


def options(command: click.Command) -> set[str]:
    """The options of a command, and of its subcommands."""
    below = [options(child) for child in command.commands.values()] if isinstance(command, click.Group) else []
    own = {name for parameter in command.params if isinstance(parameter, click.Option) for name in parameter.opts}
    return own.union(*below)


@pytest.mark.parametrize(("name", "command"), commands(), ids=[name for name, _ in commands()])
def test_the_command_line_page_names_every_option_of_a_command(name: str, command: click.Command) -> None:
    described = sections("cli.md")
    section = described[name] + described["Every command"]
    assert [option for option in sorted(options(command)) if f"`{option}" not in section] == []


def test_the_command_line_page_names_no_option_that_is_not_there() -> None:
    known = options(cli).union({"--help", "-h"}, *(options(command) for _, command in commands()))
    named = re.findall(r"(?<![\w-])`?(--[a-z][a-z-]+)", text_of("cli.md"))
    assert sorted(set(named) - known) == []


def error_classes(root: type[errors.MunimentError]) -> Iterator[type[errors.MunimentError]]:
    yield root
    for child in root.__subclasses__():
        yield from error_classes(child)


def test_the_table_of_exit_codes_holds_every_code() -> None:
    listed = {int(code) for code in re.findall(r"^\| (\d+) \|", sections("cli.md")["Exit codes"], re.M)}
    told = {int(code) for code in re.findall(r"[:;]\s(\d+) ", cli.epilog or "")}
    assert listed == told
    assert {error.exit_code for error in error_classes(errors.MunimentError)} <= listed


def test_the_format_page_explains_every_finding_of_verify_and_no_other() -> None:
    modules = sorted((ROOT / "muniment" / "archive" / "verify").glob("*.py"))
    source = "".join(path.read_text(encoding="utf-8") for path in [*modules, ROOT / "muniment" / "rederiving.py"])
    findings = set(re.findall(r'\b[Ff]inding\(\s*"([a-z-]+)"|slug(?:, problem)? = "([a-z-]+)"', source))
    findings = {slug for pair in findings for slug in pair if slug}
    listed = re.findall(r"^\| `([a-z-]+)` \|", sections("format.md")["Findings of verify"], re.M)
    assert findings == set(listed)


def test_the_format_page_explains_every_leaf_type_and_field() -> None:
    section = sections("format.md")["Leaves"]
    named = set(re.findall(r"`([a-z]+)`", section))
    assert {*get_args(LeafType), *Leaf._fields} - named == set()


def test_the_search_page_names_every_field_and_facet() -> None:
    page = text_of("search.md")
    assert [name for name in FIELDS if f"`{name}:" not in page] == []
    assert [name for name in FACETS if f"`{name}`" not in page] == []


def test_the_reasons_why_a_target_failed_are_all_listed() -> None:
    used = set()
    for path in (ROOT / "muniment" / "ingest").rglob("*.py"):
        used |= set(re.findall(r'\b(?:FetchError|UploadError)\(\s*"([a-z-]+)"', path.read_text(encoding="utf-8")))
    listed = re.findall(r"^\| `([a-z-]+)` \|", sections("cli.md")["Why a target failed"], re.M)
    assert used - set(listed) == set()


def test_the_cleaning_page_names_every_problem_and_every_reason_for_dropping() -> None:
    page = text_of("cleaning.md")
    source = "".join(
        (ROOT / "muniment" / "ingest" / name).read_text(encoding="utf-8") for name in ("decode.py", "clean/__init__.py")
    )
    problems = re.findall(r"^    ([a-z]+-[a-z-]+|empty|unsupported)(?:: .*?)?  +\S", source, re.M)
    reasons = re.split(r",\s+", source.partition("`Dropped.reason` is one of: ")[2].partition(".")[0])
    assert len(problems) > 8
    assert len(reasons) > 8
    assert [slug for slug in problems + reasons if f"`{slug}" not in page] == []


def test_the_architecture_page_names_every_module() -> None:
    page = text_of("architecture.md")
    modules = [path for path in (ROOT / "muniment").rglob("*.py") if not path.name.startswith("__")]
    assert sorted(str(path.relative_to(ROOT)) for path in modules if path.name not in page) == []


@pytest.mark.parametrize("document", [*DOCUMENTS, ROOT / "CONTRIBUTING.md"], ids=lambda path: path.name)
def test_the_links_between_documents_lead_somewhere(document: Path) -> None:
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", document.read_text(encoding="utf-8")):
        assert (document.parent / target).exists(), target
