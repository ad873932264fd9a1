"""Addresses of stores, without what nobody else may see.

Shown is what is allowed, not what is left when secrets are searched for: scheme, host, port and the name of what lies
there, where an address is of the plain form. Whatever is not stays hidden.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qsl, quote, quote_plus, unquote, unquote_plus, urlsplit

from asdbench.core.paths import user_path

HIDDEN = "***"
HIDDEN_ADDRESS = "<address hidden>"
_SCHEME = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.\-]{0,31}):(?P<slashes>/{0,2})")
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*:/\S*")
_PLACE = re.compile(
    r"//([^@/?#]*@)?(?P<where>(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._\-]*)(:[0-9]+)?)(?P<path>/[^?#]*)?([?#].*)?", re.DOTALL
)
_FILE = re.compile(
    r"(?P<start>sqlite(\+\w+)?:///|journal:(//)?)(?P<file>(?!file:|:memory:)[^?]+)(?P<query>\?.*)?", re.DOTALL
)
_PLAIN = re.compile(r"[\w.\-+~]+")
_FILES = ("sqlite", "file", "journal")
_TOKENS = ("databricks", "databricks-uc", "uc")  # where a token may stand in the place of the host
_WORDS = (*_TOKENS, "sqlite")  # what MLflow takes without "//" and in whose place nobody writes a secret
_DATABASES = re.compile("postgres(ql)?|cockroachdb|redshift|mysql|mariadb|mssql|oracle|db2|ibm_db_sa")
_SERVERS = re.compile("https?|s3a?|gs|gcs|az|abfss?|wasbs|hdfs|ftp|sftp|ssh|ray|redis|memory")
_SHORT = 4  # below it only whole words are hidden: a password "a" must not eat every letter a


def without_credentials(uri: str) -> str:
    """What may be shown of an address: scheme, host, port and base name; of a file its path, where that is a plain one.

    ``postgresql+psycopg://ann:s3cret@db:5432/x?sslmode=require`` becomes ``postgresql+psycopg://db:5432/x``; what does
    not parse becomes ``postgresql://***`` or, without a known scheme, ``<address hidden>``.
    """
    text = uri.strip()
    if text in ("", HIDDEN_ADDRESS, *_WORDS):
        return text
    found = _SCHEME.match(text)
    if found is None:
        # A word alone may be a token.
        return text if _is_plain_path(text) and text.startswith(("/", "./", "../", "~/")) else HIDDEN_ADDRESS
    scheme = found["scheme"].lower()
    kind = scheme.partition("+")[0]
    rest = text[found.end() :]
    if kind in _FILES:
        return text if _is_plain_path(rest) else _file(text, found[0], rest)
    if kind in _TOKENS:
        return f"{scheme}://{HIDDEN}"
    if not _DATABASES.fullmatch(kind) and not _SERVERS.fullmatch(kind):
        return f"{scheme}://{HIDDEN}" if found["slashes"] == "//" and scheme.isalpha() else HIDDEN_ADDRESS
    return f"{scheme}://{_place(text, scheme)}"


def scrubbed(text: str, *uris: str | None) -> str:
    """The text without the secrets of these addresses, and with every address in it cut as by without_credentials.

    All pieces of an address that are not shown are looked for, as they stand in it and decoded (``p%40ss`` and
    ``p@ss``): drivers take a piece of a misspelt one for a host or a port, and say so.
    """
    for uri in dict.fromkeys(uri for uri in uris if uri):
        shown = without_credentials(uri)
        for whole in sorted({uri, uri.strip(), unquote(uri)}, key=len, reverse=True):
            text = text.replace(whole, shown)
    secrets = {secret for uri in uris if uri for secret in _secrets(uri)}
    users = {_user(uri) for uri in uris if uri}
    for secret in sorted(secrets, key=len, reverse=True):
        alone = len(secret) < _SHORT or secret in users
        before, after = (r"(?<![A-Za-z0-9])", r"(?![A-Za-z0-9])") if alone else ("", "")
        text = re.sub(f"{before}{re.escape(secret)}{after}", HIDDEN, text, flags=re.IGNORECASE)
    return _ADDRESS.sub(lambda found: _cut(found[0]), text)


def file_address(uri: str) -> tuple[str, Path] | None:
    """The address of SQLite or of a journal with the whole path of its file, and the file; None where it names none.

    Raises:
        ValueError: a home folder (``~``) that is not known.
    """
    found = _FILE.fullmatch(uri)
    if found is None or not Path(found["file"]).name:
        return None
    file = user_path(found["file"]).absolute()
    return f"{found['start']}{file}{found['query'] or ''}", file


def page_address(uri: str) -> str:
    """The page of a server for a browser: its address with the whole path, without user, query and fragment."""
    parts = urlsplit(uri.strip())
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def is_login(path: str) -> bool:
    """Whether the path of a file reads ``user:password@host``: a file of that name would show the password."""
    return re.search(r":.*@", unquote(path)) is not None


def _cut(address: str) -> str:
    """An address within a text, whose last sign may belong to the sentence."""
    bare = address.rstrip(".,;:!?'\")>]}")
    return without_credentials(bare) + address[len(bare) :]


def _is_plain_path(text: str) -> bool:
    """Whether it is a path of a file that nobody takes for an address: no user, password or query in it."""
    return text == ":memory:" or re.fullmatch(r"[^@:?&;=#%\x00-\x1f]*", text) is not None


def _file(uri: str, start: str, rest: str) -> str:
    """A file whose path holds more than a path: without the query where that is all, else its base name."""
    path = rest.partition("?")[0]
    if _is_plain_path(path):
        return f"{start}{path}"
    name = path.rpartition("/")[2]
    return f"{start}{HIDDEN}/{name}" if "/" in path and _PLAIN.fullmatch(name) else f"{start}{HIDDEN}"


def _place(uri: str, scheme: str) -> str:
    """Host, port and base name; hidden where an address is not plain, so that it may hold part of a password."""
    found = _PLACE.fullmatch(uri, len(scheme) + 1)
    # Of "u:12/s3cret@host" the host seems to be u, its port 12 and the rest a path.
    if found is None or "@" in unquote(uri[found.end("where") :]):
        return HIDDEN
    above, _, name = (found["path"] or "").rstrip("/").rpartition("/")
    if name and not _PLAIN.fullmatch(name):
        name = HIDDEN
    more = "/..." if above.strip("/") else ""
    return f"{found['where']}{more}/{name}" if name else found["where"]


def _user(uri: str) -> str:
    """The user's name, often an ordinary word (postgres), which is part of others."""
    found = re.match(r"\s*[\w+.\-]*:/*([^:/@]*):", uri)
    return found[1] if found else ""


def _secrets(uri: str) -> Iterator[str]:
    """Every piece of an address that is not shown: as written, decoded, and as libraries would encode it."""
    text, shown = uri.strip(), without_credentials(uri)
    if shown == text:
        return
    found = _SCHEME.match(text)
    rest = text[found.end() :] if found and shown != HIDDEN_ADDRESS else text
    if found and found["scheme"].partition("+")[0].lower() in _FILES and _is_plain_path(rest.partition("?")[0]):
        rest = rest.partition("?")[2]
    query, credentials = rest.partition("?")[2], rest.rpartition("@")[0]
    pieces = {rest, unquote_plus(rest), query, credentials, credentials.partition(":")[2], credentials.lstrip("/")}
    for signs in (r"[/?#@&;]+", r"[/?#@&;:=]+", r"[/?#@&;:=,\s]+"):
        pieces |= {piece for text in (rest, unquote_plus(rest)) for piece in re.split(signs, text)}
    # Names of options ("password", "sslmode") are no secrets, their values are.
    names = {name for name, value in parse_qsl(query.replace(";", "&"), keep_blank_values=True) if value}
    allowed = {*re.split(r"[/:]+", shown), *re.split("/+", shown), shown.partition("://")[2], *names}
    allowed |= {name.lower() for name in names}
    for piece in pieces - allowed:
        forms = {piece, repr(piece)[1:-1], unquote(piece), unquote_plus(piece)}
        forms |= {encode(form) for form in forms for encode in (quote, quote_plus)}
        yield from (form for form in forms if form.strip("/*. ") and form not in allowed)
