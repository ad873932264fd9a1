"""What must agree between the command and the nodes, and what had better."""

import hashlib
from functools import cache
from importlib import metadata
from pathlib import Path

import asdbench

PACKAGES = ("numpy", "scipy", "scikit-learn", "torch", "torchaudio", "timm", "pyod")  # they decide last digits


@cache
def own_code() -> str:
    """Asdbench's version and a digest of its modules."""
    total = hashlib.blake2b(digest_size=6)
    root = Path(asdbench.__file__).parent
    for path in sorted(root.rglob("*.py")):
        total.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return f"{asdbench.__version__} ({total.hexdigest()})"


def packages() -> dict[str, str]:
    """Versions of what computes."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "none"
    return found
