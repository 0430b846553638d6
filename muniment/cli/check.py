"""`muniment check`"""

from __future__ import annotations

import base64
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from muniment.cli.common import PATH, common_options, counted, echo, json_option, one_line, print_json
from muniment.errors import IntegrityError, UsageError

if TYPE_CHECKING:
    from muniment.formats.examine import Examination


@click.command()
@click.argument("file", type=PATH, metavar="FILE.zip")
@click.option("--key", "keys", multiple=True, metavar="VKEY",
              help="This key has to have signed, or to lead to the one that did; of several, one.")  # fmt: skip
@click.option("--ca", "roots", multiple=True, type=PATH, metavar="FILE",
              help="Time stamps have to lead to these root certificates (PEM).")  # fmt: skip
@json_option
@common_options
@click.pass_context
def check(
    ctx: click.Context, file: str, keys: tuple[str, ...], roots: tuple[str, ...], as_json: bool, quiet: bool
) -> None:
    """Check a proof that `muniment prove` made, without its archive.

    Prints a line a finding and ends with exit code 10 where there is one. The steps are those of verify.sh.
    """
    from muniment.archive.authorities import read_certificates
    from muniment.archive.proofs import written
    from muniment.formats.evidence import Files
    from muniment.formats.examine import Examination, Finding
    from muniment.formats.note import parse_vkey

    try:
        trusted = [parse_vkey(key) for key in keys]
    except ValueError as e:
        raise UsageError(f"--key: {e}") from e
    certificates = [read_certificates(Path(path)) for path in roots]
    findings = 0
    try:
        with Path(file).open("rb") as source:
            examination = Examination(Files(source), written(), trusted, certificates)
            for finding in examination.run():
                findings += 1
                _print_finding(finding, as_json)
    except OSError as e:
        raise UsageError(f"cannot read {file}: {e.strerror}") from e
    except ValueError as e:  # from the zip itself
        _print_finding(Finding("zip", file, str(e)), as_json)
        ctx.exit(IntegrityError.exit_code)
    if as_json:
        print_json(_summary(examination, findings))
    elif not quiet:
        _print_summary(examination, findings, bool(certificates))
    ctx.exit(IntegrityError.exit_code if findings else 0)


def _print_finding(finding: Any, as_json: bool) -> None:
    if as_json:
        print_json({"finding": finding.finding, "file": finding.file, "detail": finding.detail})
    else:
        slug = click.style(finding.finding, fg="red")
        echo(f"{slug} {one_line(finding.file)}: {one_line(finding.detail)}")


def _summary(examination: Examination, findings: int) -> dict[str, Any]:
    from muniment.formats.note import format_vkey
    from muniment.formats.spki import fingerprint

    checkpoint, key, followed = examination.checkpoint, examination.key, examination.followed or None
    return {
        "findings": findings,
        "origin": checkpoint and checkpoint.origin,
        "log_size": checkpoint and checkpoint.size,
        "root": checkpoint and base64.b64encode(checkpoint.root).decode(),
        "key": key and format_vkey(key.name, key.key),
        "fingerprint": key and fingerprint(key),
        "unknown_signers": examination.unknown,
        "key_changes": [
            {
                "leaf": change.number,
                "before": format_vkey(change.before.name, change.before.key),
                "key": format_vkey(change.key.name, change.key.key),
                "vouched": change.is_vouched,
                "compromised_since": change.since,
                "reason": change.reason,
            }
            for change in examination.changes
        ],
        "followed": followed and format_vkey(followed[0].before.name, followed[0].before.key),
        "stamps": [
            {"time": f"{stamp.time:%Y-%m-%dT%H:%M:%SZ}", "authority": stamp.authority, "root": stamp.root}
            for stamp in examination.stamps
        ],
        "leaves": [
            {"leaf": number, "type": leaf.type, "uri": leaf.uri, "at": leaf.at, "payload": leaf.payload}
            for number, leaf in examination.leaves.items()
        ],
    }


def _print_summary(examination: Examination, findings: int, roots_known: bool) -> None:
    said = _summary(examination, findings)
    for leaf in said["leaves"]:
        if leaf["type"] in ("capture", "revisit", "attempt"):
            payload = f"  sha256:{leaf['payload']}" if leaf["payload"] else ""
            echo(f"#{leaf['leaf']}  {leaf['at']}  {leaf['type']}  {one_line(leaf['uri'] or '')}{payload}")
    if said["key"]:
        known = "compare it with the one that the archive published elsewhere"
        if examination.key in examination.keys:
            known = "which you named"
        elif followed := said["followed"]:
            leaves = ", ".join(f"#{change.number}" for change in examination.followed)
            known = f"which followed {one_line(followed)}, which you named, by the key leaf {leaves}"
        echo(f"signed    {one_line(said['key'])}, SHA-256 {said['fingerprint']}: {known}")
    for change, facts in zip(examination.changes, said["key_changes"], strict=True):
        echo(f"before    {one_line(facts['before'])}: {one_line(change.told)}")
    for name in said["unknown_signers"]:
        echo(f"unknown   also signed by {one_line(name)}, whose key is not known here: that says nothing")
    for stamp in said["stamps"]:
        known = "which you trust" if roots_known else "compare it with the one that the authority publishes"
        echo(f"stamped   {stamp['time']} by {one_line(stamp['authority'])}, root {stamp['root']}: {known}")
    if not said["stamps"]:
        echo("stamped   by nobody: when it existed rests on the word of the holder of the key")
    leaves = counted(len(said["leaves"]), "leaf", "leaves")
    echo(f"{leaves}, {counted(findings, 'finding') if findings else 'no findings'}")
