"""`make demo`: the main job on real input, as a user would do it. Every line that begins with `$` is run as shown.

A small news site is served on loopback, captured over HTTP, searched, captured again after one article was quietly
edited, verified; then one byte of a copy is flipped, and verify names what it touched.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from demo.site import Site

HERE = Path(__file__).resolve().parent
WORK = HERE.parent / ".demo"
ARCHIVE = WORK / "archive"


def main() -> None:
    begun = time.monotonic()
    shutil.rmtree(WORK, ignore_errors=True)
    WORK.mkdir()
    os.environ["XDG_CONFIG_HOME"] = str(WORK / "config")
    os.environ["MUNIMENT_ARCHIVE"] = str(ARCHIVE)
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    with Site() as site:
        capture(site)
        edited = site.edited_url()
        upload()
        search()
        versions(site, edited)
        verify()
    say(f"done in {time.monotonic() - begun:.0f} seconds. The archive is in {ARCHIVE.relative_to(Path.cwd())}:")
    print(f"  MUNIMENT_ARCHIVE={ARCHIVE} {Path(sys.executable).parent / 'muniment'} search dam")


def capture(site: Site) -> None:
    say("1. An archive and its key pair")
    run("muniment init .demo/archive --origin demo.example/log")
    say(f"2. Capture {len(site.urls())} articles from {len(site.hosts)} news sites, over HTTP on loopback")
    Path(WORK / "urls.txt").write_text("\n".join([*site.urls(), site.moved_url, site.gone_url, site.disallowed_url]))
    run(f"muniment add --from .demo/urls.txt {network(site)}", expect=3, shorten=6)
    print("  (the last two are meant to fail: one page is gone, robots.txt asks to leave the other alone)")


def upload() -> None:
    say("3. Upload a messy text and a folder")
    run("muniment add demo/uploads/messy-article.txt demo/uploads/folder --tag upload")


def search() -> None:
    say("4. Search, with facets over everything that matches")
    run("muniment search dam --limit 3 --facet source,year,language")
    run("muniment search '\"record house\" before:2020' --limit 3")
    run("muniment search کتابخانه --limit 2")
    run("muniment search zeppelin", expect=1)
    run("muniment search '\"unbalanced'", expect=2)


def versions(site: Site, edited: str) -> None:
    say("5. One article is quietly edited on its site; capture it again")
    site.publish_second_edition()
    run(f"muniment add {edited} {site.urls()[-1]} {network(site)}")
    run(f"muniment history {edited}")
    say("   What the second edition left out is still found")
    run("muniment search '\"warned in writing\"'")


def verify() -> None:
    say("6. Verify everything")
    run("muniment verify")
    say("7. Flip one byte in a copy of the archive; verify names it")
    copy = WORK / "copy"
    shutil.copytree(ARCHIVE, copy)
    number = json.loads(output("muniment search zoning OR dam --json --limit 1"))["hits"][0]["snapshot"]
    record = json.loads(output(f"muniment show {number} --json"))["records"][0]
    flipped = record["offset"] + record["length"] // 2
    with (copy / record["file"]).open("r+b") as file:
        file.seek(flipped)
        byte = file.read(1)[0]
        file.seek(flipped)
        file.write(bytes([byte ^ 1]))
    print(f"  (flipped one bit of byte {flipped} of {record['file']}, which holds snapshot #{number})")
    run("muniment --archive .demo/copy verify", expect=10)


def network(site: Site) -> str:
    """Several host names on one loopback port."""
    return "--allow-private " + " ".join(f"--resolve {host}:127.0.0.1:{site.port}" for host in site.hosts)


def say(text: str) -> None:
    print(f"\n{text}", flush=True)


def run(command: str, *, expect: int = 0, shorten: int | None = None) -> None:
    shown = (
        command if len(command) < 200 else command[: command.find("--resolve")] + "--resolve HOST:127.0.0.1:PORT ..."
    )
    print(f"\n$ {shown}", flush=True)
    done = subprocess.run(shlex.split(command), capture_output=True, text=True, cwd=HERE.parent, encoding="utf-8")
    lines = done.stdout.splitlines()
    if shorten and len(lines) > 2 * shorten:
        lines = [*lines[:shorten], f"  ... {len(lines) - 2 * shorten} more ...", *lines[-shorten:]]
    for line in [*lines, *done.stderr.splitlines()]:
        print(f"  {line}", flush=True)
    if done.returncode != expect:
        sys.exit(f"demo: `{command}` ended with {done.returncode}, not {expect}")


def output(command: str) -> str:
    return subprocess.run(
        shlex.split(command), capture_output=True, check=True, cwd=HERE.parent, encoding="utf-8"
    ).stdout


if __name__ == "__main__":
    main()
