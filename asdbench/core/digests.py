"""Digests that address caches and runs, and seeds derived from them."""

import hashlib
import json
import os
from pathlib import Path
from typing import Any

AT_ONCE = 2**20  # bytes of a file that is read in one piece


def digest(value: Any, length: int = 16) -> str:
    """Hexadecimal digest of a JSON-like value; equal values give equal digests on every machine."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()[:length]


def file_digest(path: Path) -> str:
    """Digest of a file's bytes (128 bits, hexadecimal)."""
    with path.open("rb", buffering=0) as file:
        if os.fstat(file.fileno()).st_size <= AT_ONCE:
            return hashlib.blake2b(file.readall(), digest_size=16).hexdigest()
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()


def derive_seed(base: int, *names: object) -> int:
    """Seed in [0, 2^31) from the base seed and names (component, machine ...).

    Hashing, not counting, so adding a machine or a component changes no other one's seed.
    """
    text = "\x1f".join([str(base), *map(str, names)])
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little") % 2**31
