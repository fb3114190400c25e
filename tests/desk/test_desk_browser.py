"""The desk in a real Chromium, over the real path: a shift from signing in to its hand-over."""

from __future__ import annotations

import asyncio
import re
import shutil
from collections.abc import Iterator

import msgspec
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from schemas.registry import parse
from streams.action_list import listed, of_journal
from tests.desk import scene
from tests.desk.running import Running, running, token_of
from tests.services.embedded import wait_for

pytestmark = pytest.mark.whole


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    where = shutil.which("chromium")
    if where is None:
        pytest.skip("SERVICE MISSING: chromium: `make services` installs it, with fonts for Chinese")
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=where, args=["--no-sandbox"])
        yield found
        found.close()


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp("desk") / "journal") as found:
        yield found


def sign_in(browser: Browser, desk: Running, person: str, **options: object) -> tuple[BrowserContext, Page]:
    """A window of a person; whatever it asks of another host, and whatever its console says, is a failure."""
    context = browser.new_context(base_url=desk.url, locale="zh-CN", **options)  # type: ignore[arg-type]
    strange: list[str] = []
    context.on("request", lambda request: strange.append(request.url) if not request.url.startswith(desk.url) else None)
    context.strange = strange  # type: ignore[attr-defined]
    page = context.new_page()
    page.on("pageerror", lambda error: strange.append(str(error)))
    page.on("console", lambda message: strange.append(message.text) if "Content Security" in message.text else None)
    page.goto("/")
    expect(page).to_have_url(re.compile("/sign-in$"))
    page.get_by_label("令牌").fill(token_of(person))
    page.get_by_role("button", name="登录").click()
    expect(page).to_have_url(f"{desk.url}/")
    return context, page


def test_a_shift(browser: Browser, desk: Running) -> None:
    context, page = sign_in(browser, desk, "guo")
    expect(page).to_have_title(re.compile(r"^\(5\) "))

    # an alert appears, without a reload
    page.evaluate("window.mark = 'same page'")
    desk.machine.say(scene.episode("ep-new", name="云栖焦化 1号焦炉烟囱", about="SO2", opened=scene.ms(0)))
    article = page.locator("#a-ep-new")
    expect(article).to_be_visible()
    expect(page).to_have_title(re.compile(r"^\(6\) "))
    expect(page.locator("#nav-open")).to_have_text("6")
    assert page.evaluate("window.mark") == "same page"

    # one click acknowledges; the answer came after the journal had it, and a second window hears of it
    other, beside = sign_in(browser, desk, "shen")
    article.get_by_role("button", name="确认").click()
    expect(page.get_by_role("status").filter(has_text="已写入日志")).to_be_visible()
    expect(page.locator("#a-ep-new").get_by_text("郭启明")).to_be_visible()
    expect(beside.locator("#a-ep-new").get_by_text("已确认")).to_be_visible()

    # what is being typed survives a change of the page
    page.locator("#a-ep-new").get_by_role("link", name="详情").click()
    page.get_by_label("说明").fill("已电话联系值长，脱硫泵故障")
    desk.machine.say(
        msgspec.structs.replace(desk.machine.episodes["ep-new"], level="red", rules=["over-limit", "suspect"])
    )
    expect(page.get_by_text("疑似异常").first).to_be_visible()
    expect(page.get_by_label("说明")).to_have_value("已电话联系值长，脱硫泵故障")
    expect(page.get_by_label("说明")).to_be_focused()
    page.get_by_role("button", name="记录").click()
    expect(page.locator(".history").get_by_text("已电话联系值长，脱硫泵故障")).to_be_visible()

    # closing needs a cause; what was typed is kept
    page.get_by_label("说明").fill("备用泵投运，数据恢复")
    page.get_by_role("button", name="关闭").click()
    expect(page.get_by_role("alert")).to_contain_text("没有写入")
    expect(page.get_by_label("说明")).to_have_value("备用泵投运，数据恢复")
    page.get_by_label("原因类别").select_option("treatment")
    page.get_by_role("button", name="关闭").click()
    expect(page.locator(".alert-head").get_by_text("已关闭")).to_be_visible()

    # the next officer takes the open list over
    beside.goto("/handover")
    beside.get_by_label("交班人").select_option("guo")
    beside.get_by_label("交接说明").fill("史回桥氨氮继续盯守")
    beside.get_by_role("button", name="接班").click()
    expect(beside.locator(".history").get_by_text("史回桥氨氮继续盯守")).to_be_visible()
    expect(beside.get_by_role("row").filter(has_text="史回桥 氨氮")).to_contain_text("申雨桐")

    # the calendar, in the colours of the verdicts
    page.goto("/air")
    aqi = scene.aqi_of(scene.dt.date(2026, 6, 10))
    day = page.locator(".calendar g", has=page.locator("title", has_text="2026-06-10"))
    expect(day.locator(".v")).to_have_text(str(aqi))
    colour = next(row[3] for row in scene.LEVELS if aqi is not None and aqi <= row[0])
    assert day.locator("rect").get_attribute("fill") == colour

    assert context.strange == [] and other.strange == []  # type: ignore[attr-defined]
    context.close()
    other.close()
    said = [
        (one["by"], one["what"], one["why"]) for one in listed(of_journal(desk.served.gateway.writer.journal.folder))
    ]
    assert said == [
        ("guo", "acknowledge", "确认收到，开始核实"),
        ("guo", "note", "已电话联系值长，脱硫泵故障"),
        ("guo", "close", "备用泵投运，数据恢复"),
        ("shen", "take-over", "史回桥氨氮继续盯守"),
    ]


def test_who_may_only_read_sees_no_button_and_is_refused(browser: Browser, desk: Running) -> None:
    registry = desk.view.registry
    assert registry is not None
    text = registry.text.replace('id = "shen"\n', 'id = "shen"\nrights = ["read"]\n')
    asyncio.run_coroutine_threadsafe(desk.served.gateway.intake.apply(parse(text, "test")), desk.loop).result(10)
    wait_for(lambda: desk.view.registry is not registry)
    context, page = sign_in(browser, desk, "shen")
    expect(page.locator("#a-ep-nox")).to_be_visible()
    assert page.get_by_role("button", name="确认").count() == 0
    page.goto("/alert?id=ep-nox")
    assert page.get_by_role("button", name="记录").count() == 0
    answered = page.evaluate(
        """async () => {
            const csrf = document.querySelector('input[name=csrf]').value;
            const body = new URLSearchParams({csrf, what: 'acknowledge', episode: 'ep-nox', at: '1'});
            return (await fetch('/alert', {method: 'POST', body})).status;
        }"""
    )
    assert answered == 403
    page.goto("/enter/dust-day")
    expect(page.get_by_role("heading", name="403")).to_be_visible()
    context.close()


def test_everything_works_without_a_script(browser: Browser, desk: Running) -> None:
    context, page = sign_in(browser, desk, "wang-chief", java_script_enabled=False)
    page.goto("/alert?id=ep-silent")
    page.get_by_label("说明").fill("运维已到场")
    page.get_by_role("button", name="记录").click()
    expect(page.locator(".history").get_by_text("运维已到场")).to_be_visible()
    page.goto("/enter/dust-day")
    page.get_by_label("对象").select_option("example")
    page.get_by_label("起").fill("2026-11-28")
    page.get_by_label("原因或文号").fill("总站 2026-11-29 通报")
    page.get_by_role("button", name="写入").click()
    expect(page.get_by_role("row").filter(has_text="总站 2026-11-29 通报")).to_contain_text("沙尘日")
    context.close()


def test_a_script_in_a_name_stays_text(browser: Browser, desk: Running) -> None:
    evil = "<script>window.evil = 1</script><img src=x onerror='window.evil = 1'>"
    desk.machine.say(scene.episode("ep-evil", name=evil, about="SO2", opened=scene.ms(1)))
    context, page = sign_in(browser, desk, "guo")
    expect(page.locator("#a-ep-evil")).to_contain_text("<script>window.evil = 1</script>")
    page.goto("/alert?id=ep-evil")
    expect(page.get_by_role("heading", name="<script>")).to_be_visible()
    assert page.evaluate("window.evil") is None
    desk.machine.say(msgspec.structs.replace(desk.machine.episodes["ep-evil"], state="false-alarm", closed=scene.ms(0)))
    context.close()


def test_by_keyboard_alone(browser: Browser, desk: Running) -> None:
    desk.machine.say(scene.episode("ep-keys", name="键盘", about="SO2", level="red", opened=scene.ms(600)))
    context, page = sign_in(browser, desk, "guo")
    expect(page.locator("#a-ep-keys")).to_be_visible()
    for _ in range(60):
        page.keyboard.press("Tab")
        if (
            page.evaluate("document.activeElement.closest('#a-ep-keys') && document.activeElement.value")
            == "acknowledge"
        ):
            break
    page.keyboard.press("Enter")
    expect(page.locator("#a-ep-keys").get_by_text("已确认")).to_be_visible()
    context.close()


def test_on_a_phone_nothing_is_wider_than_the_screen(browser: Browser, desk: Running) -> None:
    context, page = sign_in(browser, desk, "guo", viewport={"width": 375, "height": 740})
    for path in ("/", "/alert?id=ep-nox", "/handover", "/air", "/map", "/rivers", "/outlets", "/duty", "/entered"):
        page.goto(path)
        assert page.evaluate("document.documentElement.scrollWidth") <= 375, path
    context.close()
