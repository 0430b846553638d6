"""What an interrupted rotation of keys left behind. To be asked by whoever holds the writer's lock."""

from __future__ import annotations

from pathlib import Path

from muniment.archive import recovery
from muniment.archive.config import Config, change_keys, parse_keys, read_config
from muniment.formats.note import signers_of


def settle(root: Path, config: Config) -> Config:
    """Finish a rotation that was interrupted, or forget one that did not get as far as the log."""
    if config.next_key is None:
        return config
    note = recovery.read_sound(root, config).last.note
    coming = parse_keys(config.next_key)
    took_over = len(signers_of(note, coming)) == len(coming)
    change_keys(root, (*config.vkeys, config.next_key) if took_over else config.vkeys, None)
    return read_config(root)
