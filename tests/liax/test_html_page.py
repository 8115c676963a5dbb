"""Pages that need no other file."""

from html.parser import HTMLParser

from liax.html_page import image, number, page, svg, table, tiles, words

HOSTILE = "<script>alert(1)</script> & '\""


class Tags(HTMLParser):
    """Collects the tags of a page with what they are given."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def test_numbers_keep_their_digits() -> None:
    assert [number(value) for value in (1_234_567, 1_234_567.4, 0.25, 12)] == ["1,234,567", "1,234,567", "0.25", "12"]


def test_what_is_given_is_text() -> None:
    body = [tiles({HOSTILE: HOSTILE}), table([HOSTILE], [[HOSTILE, 1.5]]), image(b"x", HOSTILE)]
    found = Tags(page(HOSTILE, body).decode()).found
    names = [name for name, _ in found]
    assert "script" not in names
    assert names.count("td") == 2
    (picture,) = [given for name, given in found if name == "img"]
    assert picture["alt"] == HOSTILE
    assert picture["src"] == "data:image/jpeg;base64,eA=="


def test_a_page_has_its_own_style_and_script() -> None:
    text = page("t", ["<p>x"], "p { color: red }", "run()").decode()
    assert "p { color: red }</style>" in text
    assert "<script>run()</script>" in text
    assert "width=device-width" in text, "a phone shows it at its own width"


def test_small_things() -> None:
    assert words("mouth_open") == "mouth open"
    assert svg(2, 3, ["<g/>", "<g/>"]) == "<svg width=2 height=3 viewBox='0 0 2 3' role=img><g/><g/></svg>"
    assert table([], [["a"]]) == "<table><tr><td>a</table>"
