"""Sizes of files for people."""


def in_words(size: int) -> str:
    """A number of bytes, in powers of ten."""
    for unit, number in (("TB", 10**12), ("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if size >= number:
            return f"{size / number:.{1 if size < 100 * number else 0}f} {unit}"
    return f"{size} bytes"
