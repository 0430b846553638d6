"""What the tests of stamps do to an archive: fill it, configure it, verify it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from muniment.archive.archive import Archive
from muniment.archive.config import read_config
from muniment.archive.verify import Finding, Request, Tally, Verification
from tests.authority import Authority
from tests.conftest import upload


def put(root: Path, *names: str, at: datetime | None = None) -> None:
    """Capture files, in one commit."""
    with Archive(root) as archive, archive.writer() as writer:
        for name in names:
            captured = replace(upload(f"{name}.txt", f"article {name}".encode()), captured_at=at or datetime.now(UTC))
            writer.add_capture(captured, [("articleKey", name)])
        writer.commit()


def configure(root: Path, *authorities: Authority | tuple[str, str, bytes], lines: str = "") -> None:
    """Name these authorities under [stamp], as tsa-0, tsa-1… or as they are called, in place of earlier ones."""
    config = root / "archive.toml"
    text = config.read_text(encoding="utf-8").partition("[stamp]")[0]
    (root / "authorities").mkdir(exist_ok=True)
    text += f"[stamp]\n{lines}\n"
    for i, authority in enumerate(authorities):
        named = (f"tsa-{i}", authority.url, authority.root_pem) if isinstance(authority, Authority) else authority
        name, url, pem = named
        (root / "authorities" / f"{name}.pem").write_bytes(pem)
        text += f'[[stamp.authorities]]\nname = "{name}"\nurl = "{url}"\nca = "authorities/{name}.pem"\n'
    config.write_text(text, encoding="utf-8")


def verify(root: Path, **asked: object) -> tuple[list[Finding], Tally]:
    verification = Verification(root, read_config(root), Request(**asked))  # type: ignore[arg-type]
    return list(verification.run()), verification.tally


def slugs(root: Path, **asked: object) -> list[str]:
    return [finding.finding for finding in verify(root, **asked)[0]]


def kept(root: Path) -> list[str]:
    return sorted(path.name for path in (root / "log" / "stamps").iterdir())
