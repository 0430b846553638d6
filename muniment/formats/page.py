"""README.html of a proof: what it is, for people. Made of nothing but the rest of the proof, so that it can be made
again and compared: nobody signs it.
"""

from __future__ import annotations

import base64
import html
import json
import shlex
from collections.abc import Callable, Mapping, Sequence
from string import Template
from typing import TYPE_CHECKING

from muniment.formats.checkpoint import parse_checkpoint
from muniment.formats.leaf import Leaf
from muniment.formats.note import VerifierKey, format_vkey, split_note
from muniment.formats.spki import fingerprint
from muniment.formats.warc import parse_record

if TYPE_CHECKING:
    from muniment.formats.succession import Change
    from muniment.formats.timestamp import Stamped


def describe_proof(
    template: str,
    leaves: Mapping[int, Leaf],
    metadata: Callable[[int], bytes],
    note: str,
    key: VerifierKey,
    stamps: Sequence[Stamped],
    changes: Sequence[Change] = (),
) -> str:
    """The page. `leaves` are those of the proof in order of number, `metadata` gives the last record of the derivation
    of this number, `stamps` are in the order of the names of their files, `changes` of the keys in that of the log."""
    shown = [number for number, leaf in leaves.items() if leaf.type in ("capture", "revisit", "attempt")] or list(
        leaves
    )
    derived = {leaf.of: number for number, leaf in leaves.items() if leaf.type == "derivation"}  # the newest
    titles = {}
    for number in shown:
        leaf = leaves[number]
        derivation = derived.get(leaf.of if leaf.type == "revisit" else number)
        title = None if derivation is None else _title_in(metadata(derivation))
        titles[number] = title or leaf.uri or f"Entry {number}"
    items = "\n".join(_item(number, leaves[number], titles[number], len(shown) > 1) for number in shown)
    others = len(set(titles.values())) - 1
    heading = f"{titles[shown[0]]}, and {others} more" if others else titles[shown[0]]
    checkpoint = parse_checkpoint(split_note(note)[0])
    return Template(template).substitute(
        lines=_lines_from(note, key),
        title=html.escape(heading),
        origin=html.escape(key.name),
        items=items,
        vkey=html.escape(format_vkey(key.name, key.key)),
        argument=html.escape(shlex.quote(format_vkey(key.name, key.key))),
        fingerprint=fingerprint(key),
        size=checkpoint.size,
        root=base64.b64encode(checkpoint.root).decode(),
        number=shown[0],
        content_step=_content_step(shown[0], leaves),
        **_words_of_stamps(stamps),
        **_words_of_keys(changes),
    )


def _title_in(record: bytes) -> str | None:
    """The title that a derivation's metadata record states, if it does."""
    try:
        title = json.loads(parse_record(record).block)["title"]
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    return title.encode("utf-8", "replace").decode() if isinstance(title, str) else None


def _lines_from(note: str, key: VerifierKey) -> int:
    """The place of a key's signature line, counted from the end of the note: others may sign too."""
    begin = base64.b64encode(key.identity + b"\0\0").decode()[:5]
    lines = note.splitlines()[::-1]
    return next((i for i, line in enumerate(lines, 1) if line.rpartition(" ")[2].startswith(begin)), 1)


def _item(number: int, leaf: Leaf, title: str, many: bool) -> str:
    words = {
        "capture": "imported" if leaf.captured else "received",
        "revisit": f"received again, the same as entry {leaf.of}",
        "attempt": f"tried, and not received ({leaf.reason})",
    }
    facts = [
        ("Entry", f"{number}: {words.get(leaf.type, leaf.type)}"),
        ("Address", leaf.uri or ""),
        ("Time (the archive's clock)", f"{leaf.at[:10]} {leaf.at[11:19]} UTC"),
        ("Time that the imported record states", f"{leaf.date[:10]} {leaf.date[11:19]} UTC" if leaf.captured else ""),
        ("SHA-256 of the content", leaf.payload or ""),
    ]
    rows = "".join(
        f"<dt>{name}</dt><dd{' class=hash' if value == leaf.payload else ''}>{html.escape(value)}</dd>"
        for name, value in facts
        if value
    )
    heading = f'<h3 dir="auto">{html.escape(title)}</h3>' if many else ""
    return f"{heading}<dl>{rows}</dl>"


def _content_step(number: int, leaves: Mapping[int, Leaf]) -> str:
    """How the content is cut out of the first record shown, or of the one that it repeats."""
    if leaves[number].type == "revisit":
        number = leaves[number].of or 0
    leaf = leaves.get(number)
    if leaf is None or leaf.type != "capture":
        return ""
    cut = """sed "1,/^$(printf '\\r')$/d\""""
    heads = [f"LC_ALL=C {cut} leaves/{number}/record-1.warc"]
    words = "what the archive put before it"
    hints = ""
    if leaf.status is not None:
        heads.append(f"LC_ALL=C {cut}")
        words += " and the server's head"
        hints = (
            " Not so where that head says <code>Transfer-Encoding: chunked</code>: the chunks have to be joined first."
            " Where it says <code>Content-Encoding: gzip</code>, <code>gunzip &lt; ../content</code> opens it."
        )
    command = html.escape(" | ".join([*heads, "head -c -4"]), quote=False)
    return (
        f"<li>The content alone is the record without {words}, and without the last two empty lines:\n"
        f"<pre>{command} &gt; ../content\nsha256sum ../content</pre>\n"
        f"The digest is the one that stands above as SHA-256 of the content of entry {number}.{hints}</li>"
    )


def _words_of_keys(changes: Sequence[Change]) -> dict[str, str]:
    """What goes into the page's lines where keys came before: nothing else may change where there were none."""
    if not changes:
        return {"earlier_keys": "", "key_step": "", "key_files": ""}
    rows = "".join(
        "<dt>An earlier key</dt>"
        f'<dd class="hash">{html.escape(format_vkey(change.before.name, change.before.key))}</dd>'
        f"<dt>How it ended</dt><dd>{html.escape(change.told)}</dd>\n"
        for change in reversed(changes)
    )
    step = (
        "<li>If the key that you know is an older one: each <code>keys/N.json</code> names the key that signs from"
        " entry N on, and is in the log by <code>keys/N.tlog-proof</code>, as above. The checkpoint stands below the"
        " first empty line of that, and is signed by the new key and by the one before it, the first of which is"
        " <code>keys/first.vkey</code>. Where the key before did not sign, or the entry states a <code>size</code> of N"
        " or less (from there on somebody else may have had the key before), nothing leads from it to the new"
        " one.</li>\n"
    )
    files = (
        "<tr><td><code>keys/N.json</code>, <code>keys/N.tlog-proof</code></td><td>the entry that brought another key"
        " in, and that it is in the log</td></tr>\n"
        "<tr><td><code>keys/first.vkey</code></td><td>the key before the first of these entries</td></tr>\n"
    )
    return {"earlier_keys": rows, "key_step": step, "key_files": files}


def _words_of_stamps(stamps: Sequence[Stamped]) -> dict[str, str]:
    if not stamps:
        return {
            "proves": "",
            "stamps": "<dt>Time stamp</dt><dd>none</dd>",
            "limits": "When it was received: without a time stamp from outside the times rest on the archive's word.",
            "stamp_step": "",
        }
    rows = "".join(
        f"<dt>Time stamp</dt><dd>{stamp.time:%Y-%m-%d %H:%M:%S} UTC, by {html.escape(stamp.authority)}</dd>"
        f'<dt>SHA-256 of its root certificate</dt><dd class="hash">{stamp.root}</dd>'
        for stamp in stamps
    )
    first = min(stamps, key=lambda stamp: stamp.time)
    existed = f"{first.time:%Y-%m-%d} at {first.time:%H:%M:%S} UTC"
    authority = html.escape(first.authority)
    proves = (
        f"<li>All of this existed on {existed}: {authority} says so, where the stamp's root certificate (below) is the"
        " one that this authority publishes.</li>"
    )
    step = (
        "<li>The checkpoint existed at the time of the stamp. For each file in <code>stamps/</code> that ends in"
        " <code>.tsr</code>, with the time that the first command shows in place of TIME:\n"
        "<pre>openssl ts -reply -in stamps/NAME.tsr -text\n"
        "openssl ts -verify -data checkpoint -in stamps/NAME.tsr -CAfile stamps/NAME.pem"
        " -untrusted stamps/NAME.pem -attime $(date -u -d 'TIME' +%s)</pre>\n"
        "The root certificate, of which the SHA-256 stands above, came with the proof: compare it with the one that the"
        " authority publishes, or take that one for <code>-CAfile</code>. The script takes it with"
        " <code>-c FILE</code>; with several stamps FILE holds the root certificates of all of them, one after the"
        " other.</li>"
    )
    limits = "How much earlier than the time stamp it was received: the earlier times rest on the archive's word."
    return {"proves": proves, "stamps": rows, "limits": limits, "stamp_step": step}
