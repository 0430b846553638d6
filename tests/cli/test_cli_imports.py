"""What a command loads: the start of a search is most of its time, and every module costs some of it."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from cli_console import Stock, environment

HEAVY = {
    "asyncio", "importlib.metadata", "rich", "pydantic", "trafilatura", "lxml", "bs4", "cryptography", "ssl", "h11",
    "numpy", "concurrent.futures", "logging", "socket", "subprocess", "http.client", "email", "tomllib", "charset_normalizer",
}  # fmt: skip
LOADED = """
import json, sys
from muniment.cli import run
code = run(sys.argv[1:])
print(json.dumps([code, sorted(sys.modules)]), file=sys.stderr)
"""


def loaded(stock: Stock, *arguments: str) -> set[str]:
    ran = subprocess.run(
        [sys.executable, "-c", LOADED, *arguments],
        capture_output=True,
        timeout=60,
        env=environment(stock.console.archive),
    )
    code, modules = json.loads(ran.stderr.splitlines()[-1])
    assert code == 0
    return set(modules)


@pytest.mark.parametrize(
    "query", [["harbour"], ['"harbour wall"', "OR", "dam*"], ["harbour", "after:2008", "--json"], ["harbour", "--csv"]]
)
def test_a_search_loads_nothing_that_it_does_not_need(stock: Stock, query: list[str]) -> None:
    modules = loaded(stock, "search", *query)
    assert not modules & HEAVY
    assert not {
        name for name in modules if name.startswith(("muniment.ingest", "muniment.adding", "muniment.archive.w"))
    }


def test_show_and_history_load_no_extractor_and_no_network(stock: Stock) -> None:
    assert not loaded(stock, "show", "1") & {"trafilatura", "lxml", "ssl", "cryptography", "asyncio", "tantivy"}
    assert not loaded(stock, "history", "1") & {"trafilatura", "lxml", "ssl", "cryptography", "asyncio", "tantivy"}


def test_help_loads_no_part_of_muniment_but_the_command_line(stock: Stock) -> None:
    modules = loaded(stock, "--help")
    assert {name for name in modules if name.partition(".")[0] == "muniment"} == {
        "muniment",
        "muniment.cli",
        "muniment.errors",
    }
    assert not modules & HEAVY
    assert not modules & {"sqlite3", "tantivy"}
