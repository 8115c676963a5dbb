"""The README names every file, and no file that is not there."""

import re

from tests.conftest import ROOT

FOLDERS = ("liax", "pipelines", "jobs", "infra", "benchmarks")


def test_every_file_has_its_line() -> None:
    found = {
        str(path.relative_to(ROOT))
        for folder in FOLDERS
        for path in (ROOT / folder).rglob("*")
        if (path.suffix in (".py", ".sh", ".yaml", ".html") or path.name == "Dockerfile") and path.name != "__init__.py"
    }
    readme = (ROOT / "README.md").read_text()
    named = set(re.findall(rf"^\| `((?:{'|'.join(FOLDERS)})/[\w/.-]+)` \| \S", readme, flags=re.MULTILINE))
    assert found, "no source files?"
    assert sorted(found - named) == [], "files without a line in the README"
    assert sorted(named - found) == [], "lines of the README whose file is gone"
