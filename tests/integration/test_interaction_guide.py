"""The guide of `syncio.interaction`: its code runs, and prints what the page says."""

from __future__ import annotations

import contextlib
import io
import re
import shutil
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from syncio.interaction import Master, MasterConfig, RequestException, SlaveConfig
from tests.servers.process import free_port
from tests.unit.engineio.client.test_ways import CERTIFICATE

from .programs import programs_in, until

PAGE = (Path(__file__).parents[2] / "docs" / "interaction.md").read_text("utf-8")
SLAVE, MASTER, *PIECES = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


@pytest.fixture
def page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Page]:
    """The page's programs, in a folder with certificates, and with its first slave."""
    for name in ("this-host.pem", "authority.pem"):
        shutil.copy(CERTIFICATE, tmp_path / name)
    monkeypatch.chdir(tmp_path)
    page = Page()
    (tmp_path / "adder.py").write_text(page.here(SLAVE))
    with programs_in(tmp_path) as programs:
        programs.python("adder.py")
        yield page
        page.close()


class Page:
    """Runs pieces of the page, one after the other."""

    def __init__(self) -> None:
        self._names: dict[str, Any] = {}
        self._ports = {port: str(free_port()) for port in sorted(set(re.findall(r"\b723\d\b", PAGE)))}

    def here(self, text: str) -> str:
        """A text of the page, with ports that are free."""
        return re.sub(r"\b723\d\b", lambda found: self._ports[found[0]], text)

    def printed(self, code: str) -> list[str]:
        """Run a piece; the lines that it prints."""
        with contextlib.redirect_stdout(io.StringIO()) as out:
            exec(compile(self.here(code), "interaction.md", "exec"), self._names)
        return out.getvalue().splitlines()

    def told(self, code: str) -> list[str]:
        """The lines that it should print, of which the comments behind its `print` tell."""
        return re.findall(r"print\(.*\).*?  # (.*)$", self.here(code), re.MULTILINE)

    def connects(self) -> bool:
        """Whether the first slave listens by now."""
        with Master("127.0.0.1", 0, request_retries=0) as master:
            try:
                master.new_connection("adder", "127.0.0.1", int(self._ports["7236"])).connect()
            except RequestException:
                return False
        return True

    def begin(self) -> None:
        """From here on `master` runs and `slave` is connected."""
        self._names["master"].start()
        self._names["slave"].connect()

    def close(self) -> None:
        """End the master."""
        if "master" in self._names:
            self._names["master"].close()


def test_the_code_does_what_the_page_says(page: Page) -> None:
    """Every piece of Python on the page runs, in its order, and prints what stands behind it."""
    until(page.connects)
    assert page.printed(MASTER) == page.told(MASTER) == ["COMPLETED {'sum': 5}"]
    page.begin()
    told = [line for code in PIECES for line in page.told(code)]
    printed = [line for code in PIECES for line in page.printed(code)]
    assert printed == told
    assert len(told) == sum(code.count("print(") for code in PIECES) - 1  # one is not called


def test_the_table_is_the_configuration() -> None:
    """The page names every option of masters and slaves, and no other, with its default."""
    section = PAGE.partition("\n## Options\n")[2].partition("\n## ")[0]
    found: dict[str, Any] = {}
    for names, defaults in re.findall(r"^\| (`.*?) \| (.*?) \|", section, re.MULTILINE):
        values = re.findall(r"`(.*?)`", defaults)
        found |= dict(zip(re.findall(r"`(\w+)`", names), map(eval, values), strict=bool(values)))
        if not values:
            found |= dict.fromkeys(re.findall(r"`(\w+)`", names))
    for config in (MasterConfig, SlaveConfig):
        defaults = {field.name: field.default for field in fields(config) if field.name != "port"}
        assert defaults == {name: found[name] for name in defaults}
    assert set(found) == {field.name for config in (MasterConfig, SlaveConfig) for field in fields(config)}
