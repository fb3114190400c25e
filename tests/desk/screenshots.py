"""Pictures of the desk for the documentation: ``make screenshots``. The log is the scene of the tests."""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from tests.desk.running import Running, running, token_of

WHERE = Path(__file__).resolve().parents[2] / "docs" / "screenshots"
MOST_BYTES = 200_000
WIDE, PHONE = (1280, 820), (390, 780)
PICTURES = (
    ("alerts", "/", WIDE),
    ("alert", "/alert?id=ep-nox", WIDE),
    ("handover", "/handover", WIDE),
    ("air", "/air", WIDE),
    ("map", "/map", WIDE),
    ("rivers", "/rivers", WIDE),
    ("outlets", "/outlets", WIDE),
    ("duty", "/duty", WIDE),
    ("form", "/enter/mark", WIDE),
    ("phone", "/", PHONE),
    ("english", "/?lang=en", WIDE),
)


def take(browser: Browser, desk: Running) -> None:
    """All of them."""
    context = browser.new_context(base_url=desk.url, locale="zh-CN", timezone_id="Asia/Shanghai")
    page = context.new_page()
    page.goto("/")
    page.get_by_label("令牌").fill(token_of("wang-chief"))
    page.get_by_role("button", name="登录").click()
    page.wait_for_url(f"{desk.url}/")
    for name, path, (width, height) in PICTURES:
        page.set_viewport_size({"width": width, "height": height})
        page.goto(path)
        page.wait_for_timeout(300)
        file = WHERE / f"desk-{name}.png"
        page.screenshot(path=file)
        assert file.stat().st_size < MOST_BYTES, file
        print(file)
    context.close()


def main() -> None:
    """Take them."""
    where = shutil.which("chromium")
    if where is None:
        sys.exit("no chromium here: make services installs it, with fonts for Chinese")
    WHERE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, running(Path(folder) / "journal") as desk, sync_playwright() as pw:
        browser = pw.chromium.launch(executable_path=where, args=["--no-sandbox", "--lang=zh-CN"])
        take(browser, desk)
        browser.close()


if __name__ == "__main__":
    main()
