"""`muniment verify`"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from muniment.cli.common import (
    PATH,
    common_options,
    counted,
    echo,
    find_archive,
    json_option,
    note,
    one_line,
    print_json,
)
from muniment.cli.numbers import NUMBER, Count, Share
from muniment.cli.progress import end_progress, progress_line
from muniment.errors import IntegrityError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from muniment.archive.config import Config
    from muniment.archive.verify import Finding, Request, Tally
    from muniment.archive.verify.sample import Sample
    from muniment.rederiving import Rederived


@click.command()
@click.argument("numbers", nargs=-1, type=NUMBER, metavar="[N...]")
@click.option("--fast", is_flag=True, help="Compare the compressed bytes with the catalog only; nothing is inflated.")
@click.option("--checkpoint", "checkpoints", multiple=True, type=PATH, metavar="FILE",
              help="A checkpoint kept elsewhere (- for standard input); it has to be part of this log.")  # fmt: skip
@click.option("--key", "keys", multiple=True, metavar="VKEY", help="Trust this public key, not archive.toml's.")
@click.option("--ca", "cas", multiple=True, type=PATH, metavar="FILE",
              help="Trust time stamps by the root certificates in FILE (PEM), not archive.toml's.")  # fmt: skip
@click.option("--witness", "witnesses", multiple=True, metavar="VKEY",
              help="Trust the cosignatures of this key, not of archive.toml's witnesses.")  # fmt: skip
@click.option("--sample", type=Share(), metavar="SHARE",
              help="Read this part of the records (5%, or a number of leaves), another one each time.")  # fmt: skip
@click.option("--rederive", is_flag=True, help="Clean each capture again too, and compare the texts.")
@click.option("--processes", type=Count(1, 64), default=0, show_default="one a core", metavar="N",
              help="Check the records in that many processes.")  # fmt: skip
@json_option
@common_options
@click.pass_context
def verify(
    ctx: click.Context,
    numbers: tuple[int, ...],
    fast: bool,
    checkpoints: tuple[str, ...],
    keys: tuple[str, ...],
    cas: tuple[str, ...],
    witnesses: tuple[str, ...],
    sample: tuple[float, int] | None,
    rederive: bool,
    processes: int,
    as_json: bool,
    quiet: bool,
) -> None:
    """Check that everything is there and as it was signed; N narrows the check of the records to these snapshots.

    Prints a line a finding and ends with exit code 10 where there is one.
    """
    import gc
    from itertools import chain

    from muniment.archive.authorities import read_certificates
    from muniment.archive.config import read_config
    from muniment.archive.verify import Request, Verification

    gc.set_threshold(50_000)  # a row and a leaf for each record, and no cycle among them

    if sample and (numbers or fast):
        raise UsageError("--sample reads records of its own choice, whole: leave out N and --fast")
    root = find_archive(ctx)
    config = read_config(root)
    taken = _take_sample(root, config, sample) if sample else None
    request = Request(
        fast=fast,
        numbers=_with_derivations(root, numbers),
        checkpoints=dict(_read_note(path, config.origin) for path in checkpoints),
        keys=_parse_keys(keys, "--key"),
        roots=[read_certificates(Path(ca)) for ca in cas],
        witnesses=_parse_keys(witnesses, "--witness"),
        ranges=taken.ranges if taken else (),
        processes=processes,
        progress=progress_line("verifying", quiet or as_json),
    )
    verification = Verification(root, config, request, taken.note if taken else lambda part: None)
    rederived = _rederived() if rederive else None
    again = _rederive(root, request, rederived, verification.tally) if rederived else ()
    for finding in chain(verification.run(), again):
        try:
            _print_finding(finding, as_json)
        except BrokenPipeError:  # nobody reads on: the exit code still has to be true
            sys.stdout = Path(os.devnull).open("w")  # noqa: SIM115 - for the rest of the process
    if taken:
        taken.finish()
    for why, count in sorted(rederived.others.items()) if rederived else ():
        verification.tally.notices.append(f"{counted(count, 'text')} not compared: {why}")
    if rederived:
        verification.tally.notices.append(f"{counted(rederived.compared, 'text')} cleaned again and compared")
    _print_tally(verification.tally, request, as_json, quiet, taken.state() if taken else None)
    ctx.exit(IntegrityError.exit_code if verification.tally.findings else 0)


def _with_derivations(root: Path, numbers: tuple[int, ...]) -> list[int]:
    """The leaves to check: each snapshot with what was derived from it. Raises UsageError for an unknown number."""
    if not numbers:
        return []
    from muniment.archive.archive import Archive

    wanted = []
    with Archive(root) as archive:
        for number in numbers:
            if not 0 <= number < archive.size:
                raise UsageError(f"#{number} is not in the log, which ends with #{archive.size - 1}")
            snapshot = archive.catalog.snapshot(number)
            wanted.append(number)
            if snapshot is not None and snapshot.derivation is not None:
                wanted += [snapshot.number, snapshot.derivation]
    return wanted


def _read_note(path: str, origin: str) -> tuple[str, str]:
    """A checkpoint that the caller brings, with its name. Raises UsageError where it is none, or another log's: who
    signed it and whether it belongs to the log is for verify to find."""
    from muniment.formats.checkpoint import parse_checkpoint
    from muniment.formats.note import split_note

    name = "standard input" if path == "-" else one_line(path)
    try:
        note = (sys.stdin.buffer.read() if path == "-" else Path(path).read_bytes()).decode()
        found = parse_checkpoint(split_note(note)[0]).origin
    except OSError as e:
        raise UsageError(f"cannot read the checkpoint {name}: {e.strerror}") from e
    except ValueError as e:
        raise UsageError(f"{name} is no checkpoint: bring what `muniment checkpoint` printed") from e
    if found != origin:
        raise UsageError(f"{name} is a checkpoint of {one_line(found)}, and this archive is {origin}")
    return name, note


def _parse_keys(keys: tuple[str, ...], option: str) -> Any:
    from muniment.formats.note import parse_vkey

    try:
        return [parse_vkey(key) for key in keys]
    except ValueError as e:
        raise UsageError(f"{option}: {e}") from e


def _rederived() -> Rederived:
    from muniment.rederiving import Rederived

    return Rederived()


def _rederive(root: Path, request: Request, told: Rederived, tally: Tally) -> Iterator[Finding]:
    from muniment.archive.archive import Archive
    from muniment.rederiving import rederive

    try:
        with Archive(root) as archive:
            numbers, processes = request.numbers, request.processes or None
            for finding in rederive(archive, told, numbers=numbers, processes=processes, progress=request.progress):
                tally.findings += 1
                yield finding
    except IntegrityError as e:
        told.others[f"the archive cannot be opened ({e})"] += 1


def _take_sample(root: Path, config: Config, sample: tuple[float, int]) -> Sample | None:
    from datetime import UTC, datetime

    from muniment.archive.recovery import read_sound
    from muniment.archive.verify.sample import Sample

    share, leaves = sample
    try:
        size = read_sound(root, config).checkpoint.size
    except IntegrityError:
        note("the log is damaged, so everything is read")
        return None
    return Sample(root, size, share or None, leaves or None, datetime.now(UTC))


def _print_finding(finding: Finding, as_json: bool) -> None:
    if as_json:
        print_json(
            {
                "finding": finding.finding,
                "snapshot": finding.snapshot,
                "file": finding.file,
                "offset": finding.offset,
                "detail": finding.detail,
                "expected": finding.expected,
            }
        )
        return
    where = " ".join(
        part
        for part in (
            f"#{finding.snapshot}" if finding.snapshot is not None else "",
            one_line(finding.file or ""),
            f"byte {finding.offset}" if finding.offset is not None else "",
        )
        if part
    )
    end_progress()
    wanted = f" (expected {finding.expected})" if finding.expected else ""
    echo(f"{click.style(finding.finding, fg='red')} {where}{': ' if where else ''}{one_line(finding.detail)}{wanted}")


def _print_tally(
    tally: Tally, request: Request, as_json: bool, quiet: bool, cycle: Mapping[str, Any] | None = None
) -> None:
    if as_json:
        import base64

        print_json(
            {
                "snapshots": tally.snapshots,
                "records": tally.records,
                "bytes": tally.size,
                "findings": tally.findings,
                "anchored_up_to": tally.anchored_up_to,
                "anchors": [anchor._asdict() for anchor in tally.anchors],
                "unanchored": tally.unanchored,
                "withdrawn": sorted(tally.withdrawn),
                "notices": tally.notices,
                **({"cycle": cycle} if cycle else {}),
                "log_size": tally.log_size,
                "root": base64.b64encode(tally.root).decode(),
            }
        )
        return
    end_progress()
    found = counted(tally.findings, "finding") if tally.findings else "no findings"
    looked = f"{counted(tally.snapshots, 'snapshot')}, {counted(tally.records, 'record')}, {tally.size:,} bytes"
    for notice in tally.notices:
        note(f"note: {notice}", quiet=quiet)
    for number, leaf in sorted(tally.withdrawn.items()):
        note(f"note: #{number} was withdrawn by #{leaf}", quiet=quiet)
    note(
        f"{found}: {looked}{' (fast)' if request.fast else ''}; log of {tally.log_size:,}, {_anchored(tally)}",
        quiet=quiet,
    )
    if cycle:
        note(_cycle_line(cycle), quiet=quiet)


def _anchored(tally: Tally) -> str:
    """What outside parties hold in place, and what lies past it."""
    advice = "keep what `muniment checkpoint` prints where others can vouch for it, or see `muniment stamp`"
    if not tally.anchors:
        return f"anchored by nobody outside: {advice}"
    last = max(anchor.size for anchor in tally.anchors)
    anchors = [anchor for anchor in tally.anchors if anchor.size == last]
    first = min(anchors, key=lambda anchor: (anchor.time is None, anchor.time or ""))
    parties = len({anchor.by for anchor in anchors})
    words = f"anchored up to #{last - 1} by {one_line(first.by)}{f' at {first.time}' if first.time else ''}"
    words += f" ({parties} parties)" if parties > 1 else ""
    if tally.unanchored:
        words += f"; #{last} to #{tally.log_size - 1} are held in place by nobody outside yet"
    return words


def _cycle_line(cycle: Mapping[str, Any]) -> str:
    line = f"cycle: {cycle['part']} of {cycle['parts']} parts, begun {cycle['begun'][:10]}"
    if cycle["everything_within_days"]:
        line += f"; everything was read within {counted(cycle['everything_within_days'], 'day')}"
    if cycle["again"]:
        line += f"; {counted(len(cycle['again']), 'leaf', 'leaves')} with findings will be read again each time"
    return line
