import pytest
from browser import shown, until

from asdbench.report import write_report


@pytest.fixture(scope="module")
def report(make_run_in, clips_of, tmp_path_factory):
    names = ["fan", "a-machine-type-of-a-very-long-name-without-any-space-in-it", "pump", "valve"]
    rows = {(name, "00"): clips_of(each=8, seed=number) for number, name in enumerate(names)}
    folder = make_run_in(tmp_path_factory.mktemp("report"), rows)
    return write_report(folder)


@pytest.mark.parametrize(("width", "dark"), [(1280, True), (375, False)])
def test_a_browser_has_nothing_to_complain_about(browser, report, width, dark):
    with shown(browser, report, width, dark=dark) as found:
        page = found.page
        for part in page.query_selector_all("details"):
            part.evaluate("part => { part.open = true; }")
        assert found.overflow_px == 0
        paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert (sum(map(int, paper[4:-1].split(","))) < 200) == dark
        curve = page.locator("svg path[style*='--series-1']").first
        assert curve.evaluate("path => getComputedStyle(path).stroke") == (
            "rgb(111, 192, 217)" if dark else "rgb(15, 100, 127)"
        )
        assert found.complaints == []
        assert found.requests == []


def test_on_a_phone_what_is_cut_fades_and_names_stay_whole(browser, report):
    with shown(browser, report, 375) as found:
        page = found.page
        for place in ("nav", "#overview .scroll"):
            box = page.locator(place)
            until(page, f"document.querySelector('{place}').classList.contains('more-right')")
            assert "gradient" in box.evaluate("box => getComputedStyle(box).maskImage")
            box.evaluate("box => { box.scrollLeft = box.scrollWidth; }")
            until(page, f"!document.querySelector('{place}').classList.contains('more-right')")
        lines = page.locator("table.overview .name").evaluate_all(
            "names => names.map(one => [one.innerText, one.getClientRects()[0].height])"
        )
        heights = dict(lines)
        assert heights["fan"] == heights["pump"] == heights["valve"] == min(heights.values())
        assert found.complaints == []


def test_a_link_opens_its_machine_type(browser, report):
    with shown(browser, report) as found:
        part = found.page.locator("details#machine-3")
        assert part.get_attribute("open") is None
        found.page.locator("nav a", has_text="pump").click()
        until(found.page, "document.getElementById('machine-3').open")
        assert part.locator("svg").first.is_visible()
        assert found.complaints == []


def test_sound_may_be_played_and_nothing_is_fetched_for_it(browser, real_run, tmp_path):
    path = write_report(real_run, to=tmp_path / "r.html", audio=True, worst=1, embedding_map="none", machines=["fan"])
    with shown(browser, path) as found:
        found.page.evaluate("document.querySelectorAll('details').forEach(part => { part.open = true; })")
        seconds = found.page.locator("audio").first.evaluate(
            "audio => new Promise((done, fail) => { audio.onloadedmetadata = () => done(audio.duration); "
            "audio.onerror = () => fail(audio.error.message); audio.preload = 'auto'; audio.load(); })"
        )
        assert seconds == pytest.approx(1.0, abs=0.01)
        assert found.requests == []
        assert found.complaints == []
