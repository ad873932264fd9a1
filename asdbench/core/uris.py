"""Addresses of stores, without what nobody else may see."""

import re
from collections.abc import Iterator
from urllib.parse import quote, quote_plus, unquote, unquote_plus

HIDDEN = "***"
# Names in a query, or in libpq's "key=value key=value", whose values are secrets.
_SECRET = re.compile(
    r"(?i)(?:pass(?:word|wd|phrase|file|code)?|pwd|secret|token|(?:api|access|account|private|ssl)?[_-]?key|auth"
    r"|credential|signature|sig|user(?:name)?|uid|login|session|odbc_connect)"
)
_ADDRESS = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.\-]*)://(?P<rest>\S*)")
_HOST = re.compile(r"(?:[\w.\-]*|\[[0-9A-Fa-f:.%]*\])(?::\d*)?(?:,[\w.\-:]*)*")
# Without credentials by nature: their path may hold "@" and "=".
_FILES = ("sqlite", "file", "journal")


def without_credentials(uri: str) -> str:
    """The address with its user, password and the secrets of its query left out; files and plain paths unchanged.

    ``postgresql+psycopg://ann:s3cret@db/x?sslmode=require&password=p`` becomes
    ``postgresql+psycopg://db/x?sslmode=require&password=***``.
    """
    scheme, separator, rest = uri.partition("://")
    if not separator or _is_file(scheme):
        return uri
    authority, tail = _split(rest)
    tail, hash_, fragment = tail.partition("#")
    path, mark, query = tail.partition("?")
    host = authority.rpartition("@")[2]
    if not _HOST.fullmatch(host) and ":" in host:  # "user:password" with the host forgotten
        host = f"{host.partition(':')[0]}:{HIDDEN}"
    pairs = (_without_value(pair) for pair in re.split("([&;])", query))
    return f"{scheme}://{host}{path}{mark}{''.join(pairs)}{hash_}{_without_values(fragment)}"


def scrubbed(text: str, *uris: str | None) -> str:
    """The text without the secrets of these addresses, and with every address in it cut as by without_credentials.

    A secret is found as it stands in the address and decoded (``p%40ss`` and ``p@ss``): messages of drivers hold both.
    """
    for secret in sorted({secret for uri in uris if uri for secret in _secrets(uri)}, key=len, reverse=True):
        # Of a short one only whole words: a password "a" must not eat every letter a.
        whole = r"(?<![A-Za-z0-9])" if len(secret) < 4 else ""
        text = re.sub(f"{whole}{re.escape(secret)}{whole.replace('(?<!', '(?!')}", HIDDEN, text)
    return _ADDRESS.sub(lambda found: without_credentials(found[0]), text)


def _is_file(scheme: str) -> bool:
    return scheme.partition("+")[0].lower() in _FILES


def _split(rest: str) -> tuple[str, str]:
    """The part that may hold credentials, and what follows.

    A password may hold "@", "/", "?" or "#" that its writer forgot to encode: where the address does not begin with a
    plain host, all up to the last "@" before its query is taken for credentials. "ann:12/s3cret@h" begins like a host
    and a port, so these are believed only where no "@" follows; rather too much is left out than too little.
    """
    first = re.match(r"[^/?#]*", rest)
    assert first is not None
    if _HOST.fullmatch(first[0]):
        before_query = re.split(r"[?][\w.\-]+=", rest, maxsplit=1)[0]
        if ":" not in first[0] or "@" not in before_query:
            return first[0], rest[first.end() :]
    query = next((found.start() for found in re.finditer(r"[?][\w.\-]+=", rest) if "@" in rest[: found.start()]), None)
    at = rest.rfind("@", 0, query)
    end = re.search(r"[/?#]", rest[at + 1 :])
    cut = len(rest) if end is None else at + 1 + end.start()
    return rest[:cut], rest[cut:]


def _without_value(pair: str) -> str:
    name, equals, _ = pair.partition("=")
    return f"{name}={HIDDEN}" if equals and _is_secret(name) else pair


def _without_values(text: str) -> str:
    return "".join(_without_value(pair) for pair in re.split("([&;])", text))


def _is_secret(name: str) -> bool:
    return _SECRET.search(unquote(name)) is not None


def _secrets(uri: str) -> Iterator[str]:
    """Every secret of an address, as written, decoded, and as libraries would encode it."""
    scheme, separator, rest = uri.partition("://")
    if not separator or _is_file(scheme):
        return
    authority, tail = _split(rest)
    found = []
    credentials, at, _ = authority.rpartition("@")
    if at:
        user, colon, password = credentials.partition(":")
        # The user's name alone is often an ordinary word ("postgres"); it goes with its address, not everywhere.
        found += [credentials, password] if colon else [user]
        # Of one that holds "@" or "/" as they are, a driver may take a piece for its host or path.
        found += [piece for piece in re.split("[@:/?#]", password) if piece != password]
    elif not _HOST.fullmatch(authority):
        found.append(authority.partition(":")[2])
    inner = unquote_plus(tail) if "odbc_connect" in tail.lower() else ""  # pairs within the value of a pair
    for pair in re.split("[?#&;]", f"{tail}&{inner}"):
        name, equals, value = pair.partition("=")
        if equals and _is_secret(name):
            found.append(value)
    for value in found:
        plain = (unquote(value), unquote_plus(value))
        yield from {one for one in (value, *plain, *map(quote, plain), *map(quote_plus, plain)) if one}
        yield from {quote(one, safe="") for one in plain if one}
