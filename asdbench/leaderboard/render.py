"""All pages of a board folder: made from its records, written, or compared with what is written."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from asdbench.core.errors import AsdbenchError, UsageError, did_you_mean
from asdbench.core.files import write_text
from asdbench.leaderboard import transfer_page
from asdbench.leaderboard.board_page import MARKER, board_pages
from asdbench.leaderboard.boards import make_boards, slug_of
from asdbench.leaderboard.index import index_html, index_markdown, overview
from asdbench.leaderboard.references import read_references
from asdbench.leaderboard.row_details import card_links
from asdbench.leaderboard.store import clear_board_errors, read_entries
from asdbench.leaderboard.table import Table, make_table
from asdbench.leaderboard.transfer import of_board, side_of, transfers
from asdbench.protocols.resampling import REPLICATES


@dataclass
class Pages:
    """The pages of a board folder as its records give them."""

    # by file name; of the boards that were asked for, and where all are what stands above them
    texts: dict[str, str] = field(default_factory=dict)
    # names of pages of boards that were not asked for, or that cannot be rendered; they are not stale
    untouched: set[str] = field(default_factory=set)
    # a line for each entry, published result or board that cannot be used
    problems: list[str] = field(default_factory=list)


@dataclass
class Rendered:
    """What rendering did: names of pages written anew, left as they were, and removed; and what went wrong."""

    written: list[str] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def make_pages(
    board_dir: Path,
    only: str | None = None,
    replicates: int = REPLICATES,
    on_board: Callable[[str], None] = lambda _: None,
) -> Pages:
    """Every page of the boards below ``board_dir``; what cannot be used is named and does not hide the rest.

    Args:
        board_dir: holds results/ and references/.
        only: the name of one board, whose pages alone are made.
        replicates: resampled test sets.
        on_board: is given each board's name as it is begun.

    Raises:
        RequirementError: there is no such folder.
        UsageError: no board of that name.
    """
    entries = read_entries(board_dir)
    references = read_references(board_dir)
    boards, broken = make_boards(entries.entries, references.references)
    names = sorted([*boards, *broken])
    if only is not None and only not in names:
        hint = did_you_mean(only, names)
        raise UsageError(f"No board '{only}' in {board_dir}.{hint} There are: {', '.join(names) or 'none'}.")
    pages = Pages(problems=[*entries.problems, *references.problems])
    tables: dict[str, Table] = {}
    for name, board in boards.items():
        if only in (None, name):
            try:
                on_board(name)
                tables[name] = make_table(board, replicates)
            except AsdbenchError as error:
                broken[name] = f"{name} is not rendered: {error}"
    sides = [side_of(board, tables.get(name)) for name, board in boards.items() if name not in broken]
    found = transfers(sides)
    links = card_links(board_dir)
    for name, table in tables.items():
        texts = board_pages(table, of_board(name, found), links)
        pages.texts |= dict(zip(_page_names(name), texts, strict=True))
    pages.untouched |= {page for name in boards if name not in tables for page in _page_names(name)}
    transfer_names = (f"{transfer_page.SLUG}.md", f"{transfer_page.SLUG}.html")
    if found and only is None:  # of one board alone what is significant on the others is not known
        texts = transfer_page.transfer_pages(sides, found, at_home=True)
        pages.texts |= dict(zip(transfer_names, texts, strict=True))
    elif found:
        pages.untouched |= {*transfer_names}
    for name, problem in broken.items():
        pages.untouched |= {*_page_names(name)}
        if only in (None, name):
            pages.problems.append(problem)
    if only is None:
        documented = (board_dir / ".." / "docs" / "explanation" / "thresholds.md").is_file()
        content = overview(tables, transfers=bool(found), documented=documented)
        pages.texts |= {"index.md": index_markdown(content), "index.html": index_html(content)}
    else:  # it says what all boards say together
        pages.untouched |= {"index.md", "index.html"}
    return pages


def render(board_dir: Path, pages: Pages) -> Rendered:
    """Write the pages and remove those of boards that are no more; a page that cannot be written does not stop others.

    Raises:
        UsageError: nothing at all can be written there.
        DiskFullError: the disk is full.
    """
    done = Rendered(problems=list(pages.problems))
    failed: list[AsdbenchError] = []
    for name, text in sorted(pages.texts.items()):
        path = board_dir / name
        if _content(path) == text:
            done.unchanged.append(name)
            continue
        try:
            with clear_board_errors(board_dir):
                if path.is_dir():
                    raise UsageError(f"Cannot write {path}: it is a folder.")
                write_text(path, text)
            done.written.append(name)
        except UsageError as error:
            failed.append(error)
    if failed and not done.written and not done.unchanged:
        raise failed[0]
    done.problems += [str(error).splitlines()[0] for error in failed]
    for path in _stale(board_dir, pages):
        try:
            path.unlink()
            done.removed.append(path.name)
        except OSError as error:
            done.problems.append(f"{path} is of no board any more, but cannot be removed: {error.strerror or error}.")
    return done


def check(board_dir: Path, pages: Pages) -> list[str]:
    """A line for each page that is missing, stale, or not what the records give, and for all that cannot be used."""
    problems = list(pages.problems)
    for name, text in sorted(pages.texts.items()):
        path = board_dir / name
        if not path.exists():
            problems.append(f"{path} is missing.")
        elif _content(path) != text:
            problems.append(f"{path} does not match its records.")
    return problems + [f"{path} is of no board any more." for path in _stale(board_dir, pages)]


def _page_names(board: str) -> tuple[str, str]:
    return f"{slug_of(board)}.md", f"{slug_of(board)}.html"


def _stale(board_dir: Path, pages: Pages) -> Iterator[Path]:
    """Pages of ours, by their marker, that no board has; nobody else's file is touched."""
    for path in sorted([*board_dir.glob("*.md"), *board_dir.glob("*.html")]):
        known = path.name in pages.texts or path.name in pages.untouched
        if not known and path.is_file() and MARKER in (_content(path) or "")[:400]:
            yield path


def _content(path: Path) -> str | None:
    try:
        return path.read_bytes().decode()
    except (OSError, UnicodeDecodeError):
        return None
