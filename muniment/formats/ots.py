"""OpenTimestamps proofs (.ots): a calendar's promise, and the way from a digest to Bitcoin's blocks. Pure.

The library that reads and writes them, `opentimestamps`, is LGPL and an extra of muniment's: it is imported here alone,
when it is asked for. A calendar answers a digest at once with a promise (a pending attestation); hours later it has the
way to a block. Whether that block is Bitcoin's only a node can tell, so nothing here says that a proof holds.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from muniment.errors import UsageError

if TYPE_CHECKING:
    from opentimestamps.core.timestamp import Timestamp

MAX_OTS = 1 << 16  # bytes


class Promise(NamedTuple):
    """What a calendar will have the way to a block for: its address, and the commitment to ask for."""

    url: str
    commitment: bytes


class Proof(NamedTuple):
    """What a proof claims: the Bitcoin blocks that it leads to, and what is only promised."""

    blocks: Sequence[int]
    promises: Sequence[Promise]


def is_available() -> bool:
    """Whether the library is there."""
    from importlib.util import find_spec

    return find_spec("opentimestamps") is not None


def require() -> None:
    """Raises UsageError where the library is missing."""
    if not is_available():
        raise UsageError("OpenTimestamps needs a library: pip install 'muniment[opentimestamps]'")


def make_proof(data: bytes, answer: bytes) -> bytes:
    """The proof over the SHA-256 of `data`, of what a calendar answered to that digest. Raises ValueError."""
    return _write(_parse_answer(answer, hashlib.sha256(data).digest()))


def complete(proof: bytes, data: bytes, answers: Sequence[tuple[Promise, bytes]]) -> bytes:
    """The proof with what calendars answered to its promises. Raises ValueError."""
    timestamp = _read(proof, data)
    for promise, answer in answers:
        _node(timestamp, promise.commitment).merge(_parse_answer(answer, promise.commitment))
    return _write(timestamp)


def read_proof(proof: bytes, data: bytes) -> Proof:
    """What a proof over `data` claims. Raises ValueError where it is over other data, or none."""
    from opentimestamps.core.notary import BitcoinBlockHeaderAttestation, PendingAttestation

    found = list(_read(proof, data).all_attestations())
    blocks = {said.height for _, said in found if isinstance(said, BitcoinBlockHeaderAttestation)}
    promises = {Promise(said.uri, message) for message, said in found if isinstance(said, PendingAttestation)}
    return Proof(sorted(blocks), sorted(promises))


def _read(proof: bytes, data: bytes) -> Timestamp:
    from opentimestamps.core.op import OpSHA256
    from opentimestamps.core.serialize import BytesDeserializationContext, DeserializationError
    from opentimestamps.core.timestamp import DetachedTimestampFile

    if len(proof) > MAX_OTS:
        raise ValueError(f"it is over {MAX_OTS:,} bytes")
    try:
        file = DetachedTimestampFile.deserialize(BytesDeserializationContext(proof))
    except (DeserializationError, ValueError, TypeError) as e:
        raise ValueError("it is no OpenTimestamps proof that can be read") from e
    if file.file_hash_op != OpSHA256() or file.file_digest != hashlib.sha256(data).digest():
        raise ValueError("it is over other data")
    return file.timestamp


def _parse_answer(answer: bytes, message: bytes) -> Timestamp:
    from opentimestamps.core.serialize import BytesDeserializationContext, DeserializationError
    from opentimestamps.core.timestamp import Timestamp

    context = BytesDeserializationContext(answer[: MAX_OTS + 1])
    try:
        timestamp = Timestamp.deserialize(context, message)
        context.assert_eof()
    except (DeserializationError, ValueError, TypeError) as e:
        raise ValueError("the calendar's answer cannot be read") from e
    return timestamp


def _node(timestamp: Timestamp, message: bytes) -> Timestamp:
    """Where in a proof this message stands."""
    waiting = [timestamp]
    while waiting:
        node = waiting.pop()
        if node.msg == message:
            return node
        waiting += node.ops.values()
    raise ValueError("the calendar's answer belongs to another proof")


def _write(timestamp: Timestamp) -> bytes:
    from opentimestamps.core.op import OpSHA256
    from opentimestamps.core.serialize import BytesSerializationContext
    from opentimestamps.core.timestamp import DetachedTimestampFile

    context = BytesSerializationContext()
    DetachedTimestampFile(OpSHA256(), timestamp).serialize(context)
    written: bytes = context.getbytes()
    if len(written) > MAX_OTS:
        raise ValueError(f"the proof is over {MAX_OTS:,} bytes")
    return written
