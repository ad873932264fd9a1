"""Names of folders and files that can be printed, written to UTF-8 files and told apart."""

import unicodedata
from collections.abc import Iterable, Mapping
from pathlib import Path

from asdbench.core.errors import DataError

# Control characters, half characters (bytes that are no UTF-8), separators of lines, and marks that are not seen.
_REFUSED = {"Cc", "Cs", "Zl", "Zp", "Cf"}
_JOINERS = "\u200c\u200d"  # Persian, Indian scripts and emoji need them
WHY = "the name is not UTF-8, or holds control characters or invisible marks; rename it"


def is_plain(name: str) -> bool:
    """Whether a name can be printed as it is."""
    return name.isprintable() or not any(map(_refused, name))


def shown(name: str) -> str:
    r"""The name with what cannot be printed in another form: ``f\\xe4n``."""
    return name if name.isprintable() else "".join(_escaped(one) if _refused(one) else one for one in name)


def same_name(stem: str) -> str:
    """Equal for names without ending that some file system, or some reader of score files, takes for one."""
    return unicodedata.normalize("NFC", stem).casefold()


def require_plain(root: Path, folders: Mapping[str, Iterable[Path]]) -> None:
    """Refuse a data set in which folders have names that cannot be printed.

    Raises:
        DataError: there are such names; all of them are listed.
    """
    places = [root, *(place for places in folders.values() for place in places)]
    bad = dict.fromkeys(shown(str(place)) for place in places if not is_plain(str(place)))
    if bad:
        raise DataError(
            "Folders whose names are not UTF-8, or hold control characters or invisible marks:",
            bad,
            "Rename them; names of Latin-1 are made UTF-8 by: convmv -f latin1 -t utf8 -r --notest DIR",
        )


def _refused(one: str) -> bool:
    return unicodedata.category(one) in _REFUSED and one not in _JOINERS


def _escaped(one: str) -> str:
    if "\udc80" <= one <= "\udcff":  # a byte that Python could not decode
        return f"\\x{ord(one) - 0xDC00:02x}"
    return one.encode("unicode_escape").decode()
