"""A board in a real browser: sorting, filters, colours, a phone, and not one request."""

from contextlib import ExitStack
from pathlib import Path

import pytest
from browser import shown
from made_runs import made_run

from asdbench.leaderboard import add_run, make_pages, render

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def board(tmp_path_factory):
    root = tmp_path_factory.mktemp("board")
    others = {}
    for scorer, quality, seed in (("knn", 1.2, 0), ("knn", 1.2, 1), ("gmm", 0.6, 0), ("lof", 0.9, 0)):
        folder = made_run(root / "runs", scorer=scorer, quality=quality, seed=seed)
        add_run(folder, root / "boards", others=others)
    add_run(made_run(root / "runs", scorer="broken", failed=["valve"]), root / "boards", others=others)
    for scorer, quality in (("knn", 3.0), ("gmm", 1.5), ("lof", 0.0)):  # apart on enough machine types for a diagram
        folder = made_run(root / "runs", scorer=scorer, quality=quality, dataset="wide", machines=tuple("abcde"))
        add_run(folder, root / "boards", others=others)
    references = root / "boards" / "references"
    references.mkdir()
    text = (ROOT / "leaderboards" / "references" / "dcase2023-dev-dcase2023-baseline-mse.toml").read_text()
    (references / "x.toml").write_text(text)
    assert not render(root / "boards", make_pages(root / "boards", replicates=200)).problems
    return root / "boards"


@pytest.fixture
def visit(browser, board):
    """Opens a page, in place of the one before; at the end nothing else was requested, and nothing went wrong."""
    visits = []
    with ExitStack() as stack:

        def go(name="synthetic.html", width=1280, scheme="light"):
            visits.append(stack.enter_context(shown(browser, board / name, width, 800, dark=scheme == "dark")))
            return visits[-1].page

        yield go
    addresses = {(board / path.name).as_uri() for path in board.glob("*.html")}
    assert [one.complaints for one in visits] == [[]] * len(visits)
    assert {url for one in visits for url in one.requests} <= addresses, "those of the pages after it"


def column(page, number):
    """Texts of a column in the rows that are shown, from top to bottom."""
    script = """number => [...document.querySelectorAll("table.board > tbody")].filter(one => one.offsetParent)
        .map(one => one.rows[0].cells[number].innerText.trim())"""
    return page.evaluate(script, number)


def numbers(texts):
    return [float(text) for text in texts if text.replace(".", "").replace("-", "").isdigit()]


def head(page, name):
    return page.locator("tr.columns > th").filter(has=page.get_by_role("button", name=name, exact=True))


def index_of(page, name):
    return page.evaluate(
        "name => [...document.querySelectorAll('tr.columns > th')].findIndex(one => one.innerText.trim() == name)", name
    )


def test_columns_sort_by_click_and_by_key(visit):
    page = visit()
    assert head(page, "Score").get_attribute("aria-sort") == "descending"
    place = index_of(page, "Score")
    before = numbers([text.split()[0] for text in column(page, place)])
    assert before == sorted(before, reverse=True)
    head(page, "Score").get_by_role("button").focus()
    page.keyboard.press("Enter")
    assert head(page, "Score").get_attribute("aria-sort") == "ascending"
    texts = column(page, place)
    assert numbers([text.split()[0] for text in texts]) == sorted(before)
    assert texts[-1] == "no total", "what is missing stays below"
    head(page, "System").get_by_role("button").click()
    assert head(page, "Score").get_attribute("aria-sort") is None
    names = column(page, 1)
    assert names == sorted(names, key=str.lower)
    assert len(names) == 5


def test_rows_are_ordered_by_a_machine_type_which_then_stands_beside_the_score(visit):
    page = visit()
    place = index_of(page, "Score")
    chosen = lambda: [text.split("\n")[-1] for text in column(page, place)]  # noqa: E731
    page.select_option("#order", "valve")
    assert chosen()[-1] == "valve missing"
    values = numbers([text.removeprefix("valve ") for text in chosen()])
    assert len(values) == 4
    assert values == sorted(values, reverse=True)
    page.select_option("#order", "scoring, s")
    seconds = numbers([text.removeprefix("scoring, s ") for text in chosen()])
    assert seconds == sorted(seconds), "the cheapest first"
    head(page, "Score").get_by_role("button").click()
    assert page.locator("#order").input_value() == "Score"
    assert page.locator(".chosen").count() == 0


def test_systems_are_found(visit):
    page = visit()
    page.locator("#find").fill("mel gm")
    assert [name.split("\n")[0] for name in column(page, 1)] == ["raw-mel + gmm"]
    assert page.locator(".shown").inner_text() == "1 of 5 rows"
    page.locator("#find").fill("")
    assert len(column(page, 1)) == 5


def test_details_open_and_close(visit):
    page = visit()
    run_id = page.locator("tbody.entry").filter(has_text="raw-mel + knn").locator(".runs code").first
    assert not run_id.is_visible()
    opener = page.get_by_role("button", name="Details of raw-mel + knn")
    opener.click()
    assert opener.get_attribute("aria-expanded") == "true"
    assert run_id.is_visible()
    assert "raw-mel-knn-synthetic-s0-" in run_id.inner_text()
    opener.click()
    assert not run_id.is_visible()


def colours(page):
    return page.evaluate("[getComputedStyle(document.body).backgroundColor, getComputedStyle(document.body).color]")


def test_dark_and_light_follow_the_system_and_the_reader(visit):
    look = lambda page: (colours(page), page.evaluate(cell))  # noqa: E731
    cell = "getComputedStyle(document.querySelector('.board td')).backgroundColor"
    light = look(visit())
    page = visit(scheme="dark")
    assert colours(page) != light[0]
    page.get_by_role("button", name="Switch between light and dark colours").click()
    assert look(page) == light


@pytest.mark.parametrize("name", ["synthetic.html", "dcase2023-dev.html", "index.html"])
def test_on_a_phone_the_page_does_not_scroll_sideways_and_the_score_is_seen(visit, name):
    page = visit(name, width=375)
    assert page.evaluate("document.documentElement.scrollWidth") <= 375
    assert page.evaluate("document.body.scrollWidth") <= 375
    if name != "index.html":
        for part in ("name", "score", "interval"):
            box = page.locator(f"tbody.entry .{part}").first.bounding_box()
            assert box["x"] >= 0
            assert box["x"] + box["width"] <= 375


@pytest.mark.parametrize("width", [768, 1280])
def test_all_columns_are_seen_on_wider_screens_and_open_rows_in_print(visit, width):
    page = visit(width=width)
    box = page.locator(".scroll").first
    assert box.evaluate("box => box.scrollWidth <= box.clientWidth + 1")
    page.get_by_role("button", name="Details of raw-mel + gmm").click()
    page.emulate_media(media="print")
    assert page.locator("tbody.entry").filter(has_text="raw-mel + gmm").locator(".figures").first.is_visible()
    assert not page.locator("tbody.entry").filter(has_text="raw-mel + knn").locator(".figures").first.is_visible()
    assert not page.locator(".controls").is_visible()


def test_intervals_are_drawn_to_scale_with_the_level_of_chance(visit):
    page = visit()
    drawn = page.evaluate(
        """() => [...document.querySelectorAll("tbody.entry")].filter(one => one.querySelector(".bar")).map(one => {
            const box = (name) => one.querySelector(name).getBoundingClientRect();
            const [track, bar, dot, level] = [".track", ".bar", ".dot", ".level"].map(box);
            const score = Number(one.querySelector(".score").dataset.value);
            const [low, high] = one.querySelector(".range").innerText.split(" to ").map(Number);
            return { score, low, high, left: bar.left - track.left, right: bar.right - track.left,
                     dot: dot.left + dot.width / 2 - track.left, level: level.left - track.left, width: track.width };
        })"""
    )
    assert len(drawn) == 4
    first = drawn[0]
    unit = (first["right"] - first["left"]) / (first["high"] - first["low"])  # pixels a point
    for one in drawn:
        assert one["left"] <= one["dot"] <= one["right"]
        assert one["right"] - one["left"] == pytest.approx(unit * (one["high"] - one["low"]), abs=1.5)
        assert one["dot"] - one["left"] == pytest.approx(unit * (100 * one["score"] - one["low"]), abs=1.5)
        assert 0 <= one["level"] <= one["width"]
        assert one["level"] == first["level"]


def test_the_level_of_chance_is_one_line_from_the_first_row_to_the_last(visit):
    page = visit("dcase2023-dev.html")
    heights = page.evaluate(
        """() => [...document.querySelectorAll("tbody.entry > tr:first-child")].map(row =>
            [row, row.querySelector(".level")].map(one => one.getBoundingClientRect().height))"""
    )
    assert heights
    for row, line in heights:
        assert row - 1.5 <= line <= row


def test_a_board_of_published_rows_has_no_empty_columns(visit):
    page = visit("dcase2023-dev.html")
    assert page.locator(".published .tag").first.is_visible()
    assert page.locator(".rank").count() == 0
    cells = page.locator("table.board tbody.entry > tr:first-child").evaluate_all(
        "rows => rows.map(row => row.cells.length)"
    )
    heads = page.locator("tr.columns > th").count()
    assert set(cells) == {heads}
    assert not {"Rank", "Seeds", "Parameters"} & set(page.locator("tr.columns > th").all_inner_texts())
    assert heads == 3
    name = page.locator("tbody.published .system .name").first.bounding_box()
    tag = page.locator("tbody.published .system .tag").first.bounding_box()
    assert tag["y"] >= name["y"] + name["height"]
    phone = visit("dcase2023-dev.html", width=375)
    system, score = (phone.locator(f"tbody.published .{name}").first.bounding_box() for name in ("system", "score"))
    assert system["x"] + system["width"] <= score["x"] + 1


def test_critical_differences_are_drawn_to_scale_and_cut_nowhere(visit):
    for width in (375, 1280):
        page = visit("wide.html", width=width)
        drawn = page.locator("table.ranks tbody tr").evaluate_all(
            """rows => rows.map(row => [".drawn", ".dot"].map(one => row.querySelector(one).getBoundingClientRect()))
                .map(([box, dot]) => [(dot.left + dot.width / 2 - box.left) / box.width, box.right])"""
        )
        ranks = [float(text) for text in page.locator("table.ranks td.number").all_inner_texts()]
        assert len(ranks) == 3
        assert [place for place, _ in drawn] == pytest.approx([(rank - 1) / 2 for rank in ranks], abs=0.02)
        assert all(right <= width for _, right in drawn)


def test_without_scripts_it_is_a_plain_table_with_all_in_it(browser, board):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto((board / "synthetic.html").as_uri())
    assert page.locator("tbody.entry").count() == 5
    assert page.locator("tbody.entry .missing").first.is_visible()
    assert not page.locator(".controls").is_visible()
    assert page.locator(".more summary").first.is_visible()
    context.close()


def test_pages_of_the_project_open_without_a_fault(browser):
    for name in ("index.html", "synthetic.html", "dcase2025-dev.html"):
        with shown(browser, ROOT / "leaderboards" / name, 375, 800) as found:
            assert found.overflow_px == 0, name
            assert (found.complaints, found.requests) == ([], []), name
