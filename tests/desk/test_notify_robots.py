"""Real requests to fakes that misbehave: the notice reaches somebody, once, the rows say how, and show no secret."""

from __future__ import annotations

import asyncio
import io
import logging
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import quote

import aiohttp
import msgspec
import pytest

from desk.notify import limits as table
from desk.notify import senders, texts
from desk.notify.channel_secrets import Secrets
from desk.notify.senders import Senders, SmsFolder, quiet_libraries
from schemas.registry import Channel
from tests.desk.notifying import BEGIN_MS, TEXTS, Desk, LeapClock, notice
from tests.desk.robots import Robots, ding_sign

SECRETS = {w for text in TEXTS.values() for w in text.split() if "/" not in w} | {
    *("hook-token-1618", "mail-password-9876", "sms-token-5555")
}


senders._apprise("json://127.0.0.1:1/", "", "")  # it loads its hundred plugins the first time


@asynccontextmanager
async def drill(**changes: Any) -> AsyncIterator[tuple[Desk, Robots]]:
    """A notifier with real senders, fakes, and everything anybody wrote into a log."""
    clock = LeapClock()
    robots = await Robots(clock.now_ms).start()
    robots.secrets = {
        "ding-token-4711": "SECding-secret-0815",
        "feishu-token-2718": "feishu-secret-3141",
        "hook-token-1618": "hook-secret-1414",
    }
    said = io.StringIO()
    handler = logging.StreamHandler(said)
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    desk = Desk(clock=clock, robots=robots.url, **changes)
    try:
        yield desk, robots
        everything = said.getvalue() + repr(desk.ledger.rows) + msgspec.json.encode(desk.ledger.rows).decode()
        everything += repr(desk.secrets) + repr(desk.notifier) + repr(desk.way)
        for secret in SECRETS:
            for form in (secret, quote(secret, safe="")):
                assert form not in everything, form
    finally:
        root.removeHandler(handler)
        root.setLevel(level)
        await desk.close()
        await robots.stop()


def tries(test: Callable[[], Awaitable[None]]) -> Callable[[], None]:
    def run() -> None:
        asyncio.run(test())

    run.__name__ = test.__name__
    run.__doc__ = test.__doc__
    return run


@tries
async def test_every_channel_takes_what_we_send() -> None:
    async with drill() as (desk, robots):
        desk.notifier.take(notice("n", "guo", "wang", "zhao", "tech", level="red"))
        await desk.run()
        assert sorted(t.kind for t in robots.accepted()) == ["dingtalk", "feishu", "webhook", "wecom"]
        assert all("n" in t.text for t in robots.taken)
        assert desk.ledger.of("n", "guo") == ["dingtalk sending", "dingtalk sent"]
        rows = [r for r in desk.ledger.rows if r.state == "sent"]
        assert all(r.status == 200 and r.code == "0" and re.fullmatch("[0-9a-f]{64}", r.body) for r in rows)


# what the robot does; how many requests the robot accepted; how the rows of guo go on; whether guo got an SMS
FIVE = ["dingtalk sending", "dingtalk failed"]
SMS = ["sms sending", "sms sent"]


@pytest.mark.parametrize(
    ("script", "rows", "accepted"),
    [
        (["slow"], ["dingtalk sending", "dingtalk sent"], ["dingtalk"]),
        (["500"], [*FIVE, "dingtalk sending", "dingtalk sent"], ["dingtalk"]),
        (["500", "busy"], [*FIVE, *FIVE, "dingtalk sending", "dingtalk sent"], ["dingtalk"]),
        (["500", "500", "500"], [*FIVE, *FIVE, *FIVE, *SMS], ["sms"]),
        (["html", "130101"], [*FIVE, *FIVE, "dingtalk sending", "dingtalk sent"], ["dingtalk"]),
        (["310000"], [*FIVE, *SMS], ["sms"]),
        (["300005"], [*FIVE, *SMS], ["sms"]),
        (["redirect"], [*FIVE, *SMS], ["sms"]),
        (["drop"], [*FIVE, *SMS], ["sms"]),  # nobody can know that it was not taken
    ],
)
def test_a_robot_that_misbehaves(script: list[str], rows: list[str], accepted: list[str]) -> None:
    async def run() -> None:
        async with drill() as (desk, robots):
            robots.script("dingtalk", *script)
            desk.notifier.take(notice("n", "guo"))
            await desk.run()
            assert desk.ledger.of("n", "guo") == rows
            assert [t.kind for t in robots.accepted()] == accepted
            assert desk.ledger.finals() == {("n", "guo"): 1}

    asyncio.run(run())


@tries
async def test_a_robot_that_takes_it_and_never_answers() -> None:
    """The one way to be told twice without a crash: by another channel, and the row says that it may be."""
    async with drill() as (desk, robots):
        robots.script("dingtalk", "!never")
        desk.notifier.take(notice("n", "guo"))
        await desk.run()
        assert [t.kind for t in robots.accepted()] == ["dingtalk", "sms"]
        assert desk.ledger.of("n", "guo") == [*FIVE, *SMS]
        failed, sent = desk.ledger.rows[1], desk.ledger.rows[-1]
        assert failed.code == "no-answer"
        assert "may have gone out" in sent.words


@tries
async def test_a_person_with_one_channel_that_never_answers_is_asked_twice_and_the_chief_is_told() -> None:
    async with drill() as (desk, robots):
        robots.script("feishu", "!never")
        begin = desk.clock.now
        desk.notifier.take(notice("n", "zhao"))
        await desk.run()
        assert [t.kind for t in robots.accepted()] == ["feishu", "feishu", "wecom"]
        assert desk.ledger.of("n", "zhao") == ["feishu sending", "feishu failed"] * 2 + ["gave-up"]
        assert desk.clock.now - begin == 120_000
        assert robots.accepted("wecom")[0].text.startswith("未能通知赵立新：")


@tries
async def test_the_pauses_are_five_and_thirty_seconds_then_the_next_channel_and_a_last_one_after_two_minutes() -> None:
    async with drill() as (desk, robots):
        begin = desk.clock.now
        robots.script("dingtalk", "500", "500", "500", "ok")
        robots.script("sms", "500", "500", "500")
        desk.notifier.take(notice("n", "guo"))
        await desk.run()
        at = [(r.at - begin) // 1000 for r in desk.ledger.rows if r.state == "sending"]
        assert at == [0, 5, 35, 35, 40, 70, 190]
        assert desk.ledger.rows[-1].state == "sent"
        assert [r.attempt for r in desk.ledger.rows if r.state == "sending"] == [1, 2, 3, 4, 5, 6, 7]
        assert len({r.id for r in desk.ledger.rows}) == len(desk.ledger.rows)


@tries
async def test_when_all_fail_the_chief_is_told_once_and_nobody_of_a_chief_who_cannot_be_told() -> None:
    async with drill() as (desk, robots):
        robots.script("dingtalk", "!310000")
        robots.script("sms", "!500")
        desk.notifier.take(notice("n", "guo"))
        await desk.run()
        assert desk.ledger.of("n", "guo")[-1] == "gave-up"
        (told,) = robots.accepted("wecom")
        assert told.text.startswith("未能通知郭启明：")
        robots.script("wecom", "!93000")
        desk.notifier.take(notice("m", "wang", "guo"))
        await desk.run()
        assert desk.ledger.of("m", "wang")[-1] == "gave-up"
        assert desk.ledger.of("m", "guo")[-1] == "gave-up"
        unreached = [r for r in desk.ledger.rows if r.notice.startswith("m|") and r.final]
        assert [(r.notice, r.person, r.state) for r in unreached] == [("m|unreached|guo", "wang", "gave-up")]


@tries
async def test_a_clock_that_is_wrong_is_refused_and_the_next_channel_takes_it() -> None:
    async with drill() as (desk, robots):
        robots.now_ms = lambda: desk.clock.now + 3_700_000
        desk.notifier.take(notice("n", "guo", "zhao"))
        await desk.run()
        assert desk.ledger.of("n", "guo") == [*FIVE, *SMS]
        assert {r.code for r in desk.ledger.rows if r.state == "failed"} >= {"310000", "19021"}


@tries
async def test_the_fake_refuses_a_sign_that_is_encoded_twice() -> None:
    robots = await Robots().start()
    robots.secrets["tok"] = "SEC000test"
    try:
        stamp = str(robots.now_ms())
        once = quote(ding_sign("SEC000test", stamp), safe="")
        said = {"msgtype": "text", "text": {"content": "x"}, "at": {"atMobiles": [], "isAtAll": False}}
        async with aiohttp.ClientSession() as session:
            from yarl import URL

            for sign, code in ((once, 0), (quote(once, safe=""), 310000)):
                url = URL(f"{robots.url}/robot/send?access_token=tok&timestamp={stamp}&sign={sign}", encoded=True)
                async with session.post(url, json=said) as answer:
                    assert (await answer.json())["errcode"] == code
    finally:
        await robots.stop()


@tries
async def test_an_oversize_text_goes_out_cut() -> None:
    async with drill() as (desk, robots):
        desk.notifier.take(notice("n", "guo", "wang", "zhao", text="超标" * 20_000))
        await desk.run()
        assert sorted(t.kind for t in robots.accepted()) == ["dingtalk", "feishu", "wecom"]


@tries
async def test_no_robot_gets_more_a_minute_than_it_takes_and_nothing_is_lost() -> None:
    async with drill(person_per_hour=1_000_000) as (desk, robots):
        for n in range(300):
            desk.notifier.take(notice(f"n{n}", "guo", level="yellow"))
        await desk.run()
        assert desk.ledger.finals() == {(f"n{n}", "guo"): 1 for n in range(300)}
        assert len(robots.taken) == len(robots.accepted()) == 20
        digest = robots.accepted()[-1]
        assert digest.text.startswith("告警摘要：共281条（黄色281）")
        assert len({r.digest for r in desk.ledger.rows if r.state == "digested"}) == 1
        assert len([r for r in desk.ledger.rows if r.state == "sent"]) == 19


@tries
async def test_by_apprise_the_rest() -> None:
    async with drill() as (desk, robots):
        robots.script("webhook", "!500")
        desk.notifier.take(notice("n", "tech"))
        await desk.run()
        (mail,) = robots.accepted("apprise")
        assert "一中 PM2.5 超标 n" in mail.text
        assert desk.ledger.of("n", "tech")[-2:] == ["mail sending", "mail sent"]
        robots.script("apprise", "!500")
        robots.script("wecom", "ok")
        desk.notifier.take(notice("m", "tech"))
        await desk.run()
        assert desk.ledger.of("m", "tech")[-1] == "gave-up"


@tries
async def test_nobody_there_at_all() -> None:
    async with drill() as (desk, robots):
        await robots.stop()
        desk.notifier.take(notice("n", "guo", "tech"))
        await desk.run()
        codes = {r.code for r in desk.ledger.rows if r.state == "failed"}
        assert codes == {"no-connection", "apprise"}
        assert desk.ledger.of("n", "guo")[-1] == "gave-up"


@pytest.mark.parametrize("kind", ["dingtalk", "wecom", "feishu", "webhook", "mail"])
def test_a_secret_that_no_library_can_read_as_an_address_is_a_failure_and_not_a_death(kind: str) -> None:
    way = Senders(Secrets({"BAD": "https://[robot/token-4711 SEC"}), table.read())
    said = texts.one(notice("n", "guo"))
    outcome = asyncio.run(way.send(Channel(kind=kind, secret="BAD"), said, BEGIN_MS))
    assert not outcome.ok and not outcome.again
    assert "4711" not in repr(outcome)


@tries
async def test_sms_by_a_folder() -> None:
    import json
    import tempfile
    from pathlib import Path

    with tempfile.TemporaryDirectory() as folder:
        gateway = SmsFolder(Path(folder))
        assert (await gateway.send(["13800001111"], "T1", {"level": "红色", "text": "超标"})).ok
        (file,) = Path(folder).iterdir()
        assert json.loads(file.read_text()) == {
            "phones": ["13800001111"], "template": "T1", "params": {"level": "红色", "text": "超标"}
        }  # fmt: skip
        assert file.stat().st_mode & 0o077 == 0
        refused = await SmsFolder(Path(folder) / "gone").send(["1"], "", {})
        assert not refused.ok and refused.again


def test_no_library_tells_its_addresses(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    quiet_libraries()
    assert senders._apprise("json://127.0.0.1:1/hidden-4711", "t", "b") is False
    assert senders._apprise("nonsense://hidden-4711", "t", "b") is None
    assert "hidden" not in caplog.text
