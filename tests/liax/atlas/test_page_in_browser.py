"""The atlas's page in a real browser, opened from a disk: it asks for nothing, sorts, searches, and fits a phone."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from liax.atlas.page import index_html
from liax.atlas.plots import plots
from tests.chromium import chromium
from tests.liax.atlas import made_up

DIRECTIONS = 12
PHONE, DESKTOP = {"width": 390, "height": 844}, {"width": 1280, "height": 900}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as found:
        yield found


@pytest.fixture(scope="module")
def address(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> str:
    shown = made_up.shown(people=8, directions=DIRECTIONS)
    file = tmp_path_factory.mktemp("atlas") / "index.html"
    file.write_bytes(index_html(shown, plots(shown)))
    return file.as_uri()


@pytest.fixture
def page(browser: Browser, address: str) -> Iterator[Page]:
    """The opened page; whatever it complains of or asks for fails the test."""
    found = browser.new_page(viewport=DESKTOP)
    trouble: list[str] = []
    found.on("console", lambda message: trouble.append(message.text))
    found.on("pageerror", lambda error: trouble.append(str(error)))
    asked: list[str] = []
    found.on("request", lambda request: asked.append(request.url))
    found.goto(address)
    yield found
    found.close()
    assert trouble == []
    assert [url for url in asked if not url.startswith(("data:image/", address))] == []


def listed(page: Page) -> list[int]:
    """The directions that can be seen, from the top."""
    seen = page.locator(".list.directions > details:visible").evaluate_all("all => all.map(one => one.dataset.index)")
    return [int(index) for index in seen]


def test_searching(page: Page) -> None:
    assert listed(page) == list(range(DIRECTIONS))
    page.fill("#search", "smile")
    assert {4, 5} <= set(listed(page)) < set(range(DIRECTIONS))
    page.fill("#search", "yaw smile")
    assert 5 in listed(page)
    assert 4 not in listed(page)
    page.fill("#search", "dead")
    assert listed(page) == list(made_up.DEAD)
    page.fill("#search", "no such thing")
    assert listed(page) == []
    assert page.inner_text("#shown") == f"0 of {DIRECTIONS}"
    page.fill("#search", "")
    page.uncheck("#dead")
    assert listed(page) == [one for one in range(DIRECTIONS) if one not in made_up.DEAD]


def test_sorting(page: Page) -> None:
    def values(name: str) -> list[float]:
        return page.locator(".list.directions > details").evaluate_all(
            f"all => all.map(one => one.dataset.{name}).filter(value => value !== '').map(Number)"
        )

    page.select_option("#sort", "slope")
    assert values("slope") == sorted(values("slope"), reverse=True)
    assert set(listed(page)[-3:]) == set(made_up.DEAD), "what has no value comes last"
    page.select_option("#sort", "detection")
    assert values("detection") == sorted(values("detection"))
    assert listed(page)[0] == made_up.BREAKING
    page.select_option("#sort", "index")
    assert listed(page) == list(range(DIRECTIONS))


def test_a_control_opens_with_its_chart_and_pictures(page: Page) -> None:
    row = page.locator("#control-yaw")
    assert not row.locator("figure").is_visible()
    row.locator("summary").click()
    pictures = row.locator("img")
    assert pictures.count() == 2
    for place in range(2):
        pictures.nth(place).scroll_into_view_if_needed()
        page.wait_for_function(
            "one => one.complete && one.naturalWidth > 100", arg=pictures.nth(place).element_handle()
        )


def test_a_control_leads_to_its_directions(page: Page) -> None:
    page.uncheck("#dead")
    page.fill("#search", "pitch")
    page.locator("#control-smile summary").click()
    page.locator("#control-smile a", has_text="direction 4").click()
    page.wait_for_function("document.querySelector('#direction-4').open")
    assert page.locator("#direction-4 figure").first.is_visible(), "even if the search had hidden it"


def test_every_picture_can_be_drawn(page: Page) -> None:
    page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
    page.evaluate("document.querySelectorAll('img').forEach(one => one.loading = 'eager')")
    broken = page.evaluate(
        "Promise.all([...document.images].map(one => one.decode().then(() => '', () => one.alt)))"
        ".then(all => all.filter(alt => alt))"
    )
    assert broken == []


def test_a_phone_scrolls_in_one_direction_only(page: Page) -> None:
    page.set_viewport_size(PHONE)
    page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    assert page.locator("#direction-0 > summary .name").is_visible()


def test_without_scripts_everything_is_there(browser: Browser, address: str) -> None:
    context = browser.new_context(java_script_enabled=False)
    found = context.new_page()
    found.goto(address)
    assert found.locator(".list.directions > details").count() == DIRECTIONS
    assert not found.locator("#tools").is_visible(), "what would do nothing is not offered"
    found.locator("#control-yaw summary").click()
    assert found.locator("#control-yaw figure").is_visible()
    context.close()


def test_the_file_is_of_a_size_that_can_be_sent(address: str) -> None:
    size_bytes = Path(address.removeprefix("file://")).stat().st_size
    assert size_bytes < DIRECTIONS * 150_000, "forty directions are a few MB"
