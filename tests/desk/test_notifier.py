"""The promise of the notifier: once, whatever dies when; caps kept by digesting; red not held back; nothing lost."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from desk.notify import service
from desk.notify.channel_secrets import Secrets
from desk.notify.notifier import DRILL, VIRTUAL
from desk.notify.reader import Begun
from desk.notify.requests import Outcome
from schemas.alerts import Delivery
from tests.desk.notifying import BEGIN_MS, TEXTS, Desk, Killed, LeapClock, MemoryLedger, MemoryWay, notice, people

MINUTE, HOUR = 60_000, 3_600_000
FAILED = Outcome(False, 500, "http-500", again=True)
REFUSED = Outcome(False, 200, "310000")
UNSURE = Outcome(False, code="no-answer", again=True, unsure=True)


def tries(test: Callable[[], Awaitable[None]]) -> Callable[[], None]:
    def run() -> None:
        asyncio.run(test())

    run.__name__, run.__doc__ = test.__name__, test.__doc__
    return run


def received(way: MemoryWay) -> Counter[tuple[str, str]]:
    """How often each number or robot got each notice."""
    return Counter((n.id, channel.secret) for _, channel, message in way.sent for n in message.notices)


# ---- what dies, and when


async def life(rows: list[Delivery], clock: LeapClock, dies_at: int, outcomes: list[Outcome]) -> tuple[bool, MemoryWay]:
    """One life of the process on what Kafka has (``rows``), killed at its ``dies_at``-th step; whether it died."""
    steps = 0

    async def step(*_: Any) -> None:
        nonlocal steps
        steps += 1
        if steps == dies_at:
            raise Killed

    ledger = MemoryLedger(rows=rows)
    way = MemoryWay(clock)
    way.outcomes["dingtalk"] = outcomes
    ledger.hook = step
    way.hook = step
    desk = Desk(rows=list(rows), clock=clock, ledger=ledger, way=way)
    try:
        for name in ("a", "b"):
            desk.notifier.take(notice(name, "guo", "wang", level="red"))
        await desk.run()
    except Killed:
        return True, way
    finally:
        ledger.hook = way.hook = None
        await desk.close()
    return False, way


@pytest.mark.parametrize("outcomes", [[], [FAILED], [REFUSED, FAILED, FAILED]])
def test_a_death_at_every_step_of_the_first_life(outcomes: list[Outcome]) -> None:
    deaths = twice = 0
    for dies_at in range(1, 200):

        async def lives(dies_at: int = dies_at) -> tuple[bool, Counter[tuple[str, str]], list[Delivery]]:
            rows: list[Delivery] = []
            clock = LeapClock()
            died, first = await life(rows, clock, dies_at, list(outcomes))
            _, second = await life(rows, clock, 0, [])
            return died, received(first) + received(second), rows

        died, got, rows = asyncio.run(lives())
        finals = Counter((r.notice, r.person) for r in rows if r.final)
        assert finals == {(n, p): 1 for n in ("a", "b") for p in ("guo", "wang")}, dies_at
        by_person = Counter()
        for (name, secret), count in got.items():
            by_person[name, "guo" if secret in ("DUTY", "SMS_GUO") else "wang"] += count
        assert set(by_person) == set(finals), dies_at
        for key, count in by_person.items():
            marked = [r for r in rows if (r.notice, r.person) == key and "may have gone out" in r.words]
            assert count <= 2, (dies_at, key)
            assert count == 1 or marked, (dies_at, key)
            twice += count == 2
        deaths += died
        if not died:
            break
    assert deaths > 10
    assert 0 < twice < deaths


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(1, 14), max_size=6), st.lists(st.sampled_from([FAILED, REFUSED, UNSURE]), max_size=3))
def test_any_number_of_deaths(deaths: list[int], outcomes: list[Outcome]) -> None:
    async def lives() -> tuple[Counter[tuple[str, str]], list[Delivery]]:
        rows: list[Delivery] = []
        clock = LeapClock()
        got: Counter[tuple[str, str]] = Counter()
        for dies_at in [*deaths, 0]:
            _, way = await life(rows, clock, dies_at, outcomes)
            got += received(way)
        return got, rows

    got, rows = asyncio.run(lives())
    finals = Counter((r.notice, r.person) for r in rows if r.final and r.notice in ("a", "b"))
    assert finals == {(n, p): 1 for n in ("a", "b") for p in ("guo", "wang")}
    for name in ("a", "b"):
        for secrets in (("DUTY", "SMS_GUO"), ("CHIEF", "SMS_WANG")):
            assert sum(got[name, secret] for secret in secrets) <= 2
    # nobody is left without it unless the rows say so, and then somebody else was told
    for row in rows:
        if row.state == "gave-up" and row.notice in ("a", "b"):
            assert "not sent a third time" in row.words


@tries
async def test_nothing_goes_out_before_kafka_has_the_row() -> None:
    desk = Desk()
    desk.ledger.away = asyncio.Event()
    desk.notifier.take(notice("n", "guo"))
    await desk.settle()
    assert desk.way.sent == []
    desk.ledger.away.set()
    await desk.run()
    assert desk.ledger.of("n", "guo") == ["dingtalk sending", "dingtalk sent"]
    await desk.close()


@tries
async def test_our_own_alarm_goes_out_while_kafka_is_away_and_is_written_afterwards() -> None:
    desk = Desk()
    desk.ledger.away = asyncio.Event()
    desk.notifier.take(notice("stuck", "guo"))
    await desk.settle()
    desk.notifier.raise_own(notice("pipe", "guo", "wang", level="red"))
    await desk.run()
    assert received(desk.way) == {("pipe", "DUTY"): 1, ("pipe", "CHIEF"): 1}
    assert desk.ledger.rows == []
    desk.ledger.away.set()
    await desk.run()
    assert [n.id for n in desk.ledger.notices] == ["pipe"]
    assert desk.ledger.finals() == {("pipe", "guo"): 1, ("pipe", "wang"): 1, ("stuck", "guo"): 1}
    await desk.close()


@tries
async def test_a_notice_that_is_published_again_is_the_same_notice() -> None:
    desk = Desk()
    for _ in range(3):
        desk.notifier.take(notice("n", "guo", "guo"))
    await desk.run()
    desk.notifier.take(notice("n", "guo"))
    await desk.run()
    assert received(desk.way) == {("n", "DUTY"): 1}
    again = Desk(rows=desk.ledger.rows)
    again.notifier.take(notice("n", "guo"))
    await again.run()
    assert again.way.sent == []
    assert again.ledger.rows == []
    await desk.close()
    await again.close()


# ---- rates


@tries
async def test_twenty_an_hour_then_a_digest_and_red_at_once() -> None:
    """One yellow notice a minute for three hours, and a red one every quarter of an hour."""
    desk = Desk()
    for minute in range(180):
        await desk.run(BEGIN_MS + minute * MINUTE)
        desk.notifier.take(notice(f"y{minute}", "guo", level="yellow", at=desk.clock.now))
        if minute % 15 == 14:
            desk.notifier.take(notice(f"r{minute}", "guo", level="red", at=desk.clock.now))
            await desk.settle()
            now = [[n.id for n in m.notices] for at, _, m in desk.way.sent if at == desk.clock.now]
            assert [f"r{minute}"] in now
    await desk.run()
    assert set(received(desk.way).values()) == {1}
    assert len(received(desk.way)) == 180 + 12
    calm = [at for at, _, message in desk.way.sent if message.notices[0].level != "red"]
    for begin in calm:  # those that may wait never make it more than twenty in any hour, red ones counted or not
        assert sum(begin <= at < begin + HOUR for at in calm) <= 20
    digests = [m for _, _, m in desk.way.sent if m.digest]
    assert digests
    assert all(m.title.startswith("告警摘要") for m in digests)
    assert {r.state for r in desk.ledger.rows if r.final} == {"sent", "digested"}
    await desk.close()


@tries
async def test_red_ones_that_do_not_end_keep_nothing_else_back() -> None:
    """A red one every two minutes for three hours; the notifier begins anew in the middle, and a yellow one comes."""
    first = Desk()
    reds = [notice(f"r{n}", "guo", level="red", at=BEGIN_MS + 2 * n * MINUTE) for n in range(90)]
    for red in reds[:45]:
        await first.run(red.at)
        first.notifier.take(red)
    first.notifier.take(notice("y0", "guo", level="yellow", at=first.clock.now))
    await first.settle()
    assert [n.id for n in first.way.sent[-1][2].notices] == ["y0"]
    second = Desk(rows=first.ledger.rows, known=reds[:45], clock=first.clock)
    for red in reds[45:]:
        await second.run(red.at)
        second.notifier.take(red)
        if red.id == "r60":
            second.notifier.take(notice("y1", "guo", level="yellow", at=red.at))
    await second.run()
    assert [at for at, _, m in second.way.sent if m.notices[0].id == "y1"] == [reds[60].at]
    await first.close()
    await second.close()


@pytest.mark.parametrize(("person", "most", "span"), [("guo", 20, MINUTE), ("wang", 20, MINUTE), ("zhao", 100, MINUTE)])
def test_a_storm_stays_within_what_the_robot_takes(person: str, most: int, span: int) -> None:
    async def run() -> None:
        desk = Desk(person_per_hour=10**6)
        for burst in range(5):
            for n in range(1_000):
                level = ("yellow", "orange", "red")[n % 3]
                desk.notifier.take(notice(f"{burst}-{n}", person, level=level, at=desk.clock.now))
            await desk.run(BEGIN_MS + (burst + 1) * 12_000)
        await desk.run()
        assert set(received(desk.way).values()) == {1}
        assert len(received(desk.way)) == 5_000
        times = [at for at, _, _ in desk.way.sent]
        for begin in times:
            assert sum(begin <= at < begin + span for at in times) <= most
        assert all(message.notices[0].level == "red" for _, _, message in desk.way.sent[: most - 1])
        assert desk.clock.now - BEGIN_MS < 3 * MINUTE
        await desk.close()

    asyncio.run(run())


@tries
async def test_feishu_gets_five_a_second() -> None:
    desk = Desk(person_per_hour=10**6)
    for n in range(12):
        desk.notifier.take(notice(f"n{n}", "zhao"))
    await desk.run()
    times = [at - BEGIN_MS for at, _, _ in desk.way.sent]
    assert times == [0] * 5 + [1_000] * 5 + [2_000] * 2
    await desk.close()


@tries
async def test_what_was_sent_before_a_restart_counts() -> None:
    first = Desk()
    for n in range(20):
        first.notifier.take(notice(f"n{n}", "guo", level="yellow"))
    await first.run()
    second = Desk(rows=first.ledger.rows, clock=first.clock)
    second.notifier.take(notice("late", "guo", level="yellow"))
    await second.run()
    ((at, _, _),) = second.way.sent
    assert at == BEGIN_MS + HOUR  # the twentieth of that hour is an hour old
    await first.close()
    await second.close()


@tries
async def test_two_persons_on_one_robot_are_one_message_that_mentions_both() -> None:
    desk = Desk()
    desk.notifier.take(notice("n", "guo", "shen"))
    await desk.run()
    ((_, channel, message),) = desk.way.sent
    assert channel.secret == "DUTY"
    assert message.phones == ("13800001111", "13800002222")
    assert desk.ledger.finals() == {("n", "guo"): 1, ("n", "shen"): 1}
    await desk.close()


@tries
async def test_a_channel_that_hangs_holds_nobody_else_up() -> None:
    desk = Desk()
    hanging = asyncio.Event()
    send = desk.way.send

    async def slow(channel: Any, message: Any, now_ms: int) -> Outcome:
        if channel.kind == "dingtalk":
            await hanging.wait()
        return await send(channel, message, now_ms)

    desk.way.send = slow
    desk.notifier.take(notice("n", "guo", "wang", "zhao"))
    for _ in range(50):
        await asyncio.sleep(0)
    assert sorted(c.kind for _, c, _ in desk.way.sent) == ["feishu", "wecom"]
    hanging.set()
    await desk.run()
    assert len(desk.way.sent) == 3
    await desk.close()


# ---- who is not told


@tries
async def test_old_notices_virtual_logs_and_drills() -> None:
    old = notice("old", "guo", at=BEGIN_MS - 12 * HOUR - 1)
    for mode, secrets, sent, words in (
        ("live", None, 0, "过时"),
        (VIRTUAL, None, 0, "虚拟时钟"),
        (DRILL, None, 1, ""),
        ("live", {}, 0, "过时"),
    ):
        desk = Desk(mode=mode, secrets=secrets)
        desk.notifier.take(old)
        await desk.run()
        assert len(desk.way.sent) == sent, mode
        last = desk.ledger.rows[-1]
        assert last.final and last.state == ("sent" if sent else "kept")
        assert last.words.startswith(words)
        await desk.close()
    just = Desk()
    just.notifier.take(notice("just", "guo", at=BEGIN_MS - 12 * HOUR))
    await just.run()
    assert len(just.way.sent) == 1
    await just.close()


@tries
async def test_what_a_journal_says_again_after_days_is_neither_told_nor_written_again() -> None:
    """The embedded default judges its whole journal at every start: old notices come again, also forgotten ones."""
    for mode, sent, rows in (("live", 1, 2), (VIRTUAL, 0, 1), (DRILL, 1, 2)):
        desk = Desk(mode=mode)
        desk.notifier.take(notice("n", "guo"))
        await desk.run()
        for _ in range(2):
            desk.clock.leap(desk.clock.now + 6 * 24 * HOUR)
            desk.notifier.forget()
            desk.notifier.take(notice("n", "guo"))
            await desk.run()
        assert (len(desk.way.sent), len(desk.ledger.rows)) == (sent, rows), mode
        assert list(desk.notifier.book) == ([] if mode == "live" else ["n"])
        await desk.close()


def test_nobody_is_left_untold_because_the_clock_of_a_new_log_is_not_known_yet(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The first packet makes a new log live; the notice of it may be heard before that."""

    async def run(kind: str) -> list[str]:
        ledger, way = MemoryLedger(), MemoryWay(LeapClock())
        monkeypatch.setattr(service, "Senders", lambda *_: way)
        it = service._Service(service.NotifyPlan("127.0.0.1:1"), Secrets(TEXTS), service._Metrics(), lambda: None)
        it.ledger = ledger
        it._begin(Begun(registry=people()))
        it._hear(notice("n", "guo", at=it.clock.now_ms()))
        await asyncio.sleep(0.05)
        assert ledger.rows == []
        it._hear(kind)
        async with asyncio.timeout(10):
            while not ledger.finals():
                await asyncio.sleep(0.01)
        await it.close()
        return ledger.of("n", "guo")

    assert asyncio.run(run("live")) == ["dingtalk sending", "dingtalk sent"]
    assert asyncio.run(run("virtual")) == ["kept"]


@tries
async def test_persons_without_a_channel_or_without_a_name() -> None:
    desk = Desk()
    desk.notifier.take(notice("n", "mute", "nobody", "guo"))
    await desk.run()
    assert desk.ledger.of("n", "mute") == ["gave-up"]
    assert desk.ledger.of("n", "nobody") == ["gave-up"]
    told = [m.title for _, c, m in desk.way.sent if c.secret == "CHIEF"]
    assert sorted(t.split("：")[0] for t in told) == ["未能通知nobody", "未能通知无渠道"]
    await desk.close()
    bare = Desk(secrets={})
    bare.notifier.take(notice("n", "guo"))
    await bare.run()
    assert bare.ledger.of("n", "guo") == ["kept"]
    await bare.close()


@tries
async def test_a_channel_without_its_secret_is_passed_over() -> None:
    desk = Desk(secrets={name: text for name, text in TEXTS.items() if name != "DUTY"})
    desk.notifier.take(notice("n", "guo"))
    await desk.run()
    assert desk.ledger.of("n", "guo") == ["sms sending", "sms sent"]
    await desk.close()


@tries
async def test_after_a_death_between_giving_up_and_the_chief_he_is_told_once() -> None:
    ledger = MemoryLedger()

    async def die(when: str, rows: Sequence[Delivery]) -> None:
        if when == "after" and any(r.state == "gave-up" for r in rows):
            raise Killed

    first = Desk(ledger=ledger)
    ledger.hook = die
    first.way.outcomes = {"dingtalk": [REFUSED], "sms": [REFUSED]}
    first.notifier.take(notice("n", "guo"))
    with pytest.raises(Killed):
        await first.run()
    await first.close()
    ledger.hook = None
    for expected in (1, 0):
        again = Desk(rows=list(ledger.rows), ledger=ledger, clock=first.clock)
        again.notifier.take(notice("n", "guo"))
        await again.run()
        assert [c.secret for _, c, _ in again.way.sent] == ["CHIEF"] * expected
        await again.close()


@tries
async def test_a_stop_lets_what_is_on_its_way_end() -> None:
    desk = Desk()
    answered = asyncio.Event()

    async def wait(when: str) -> None:
        if when == "after":
            await answered.wait()

    desk.way.hook = wait
    desk.notifier.take(notice("n", "guo"))
    desk.notifier.take(notice("m", "guo"))
    for _ in range(20):
        await asyncio.sleep(0)
    stopping = asyncio.create_task(desk.notifier.close(5.0))
    await asyncio.sleep(0.01)
    answered.set()
    await stopping
    assert len(desk.way.sent) == 1  # and the other one is the next life's
    assert [r.state for r in desk.ledger.rows] == ["sending", "sent"]
