"""Where everything that can be computed again is kept."""

import os
from pathlib import Path

import platformdirs

VARIABLE = "ASDBENCH_CACHE"


def cache_root() -> Path:
    """``$ASDBENCH_CACHE``, or the user's cache folder."""
    return Path(os.environ.get(VARIABLE) or platformdirs.user_cache_dir("asdbench", appauthor=False))
