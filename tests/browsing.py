"""What tests of pages do in a browser."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def shown_rows(browser: Any) -> list[str]:
    rows = browser.find_elements("css selector", ".claims tbody tr")
    return [row.get_attribute("id") for row in rows if row.is_displayed()]


def open_page(browser: Any, path: Path, choice: str = "") -> None:
    browser.get("about:blank")
    browser.get(path.as_uri() + choice)
