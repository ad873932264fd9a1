"""Where what can be computed again is kept."""

import os
from pathlib import Path

CACHE_VARIABLE = "ASDBENCH_CACHE"


def cache_root() -> Path:
    """``$ASDBENCH_CACHE``, or the user's cache folder."""
    import platformdirs

    return Path(os.environ.get(CACHE_VARIABLE) or platformdirs.user_cache_dir("asdbench", appauthor=False))
