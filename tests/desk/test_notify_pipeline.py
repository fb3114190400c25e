"""The alarm that the log itself cannot raise."""

from __future__ import annotations

from desk.notify.pipeline import PipelineWatch
from schemas import registry
from schemas.alerts import Notice, Recipient
from schemas.registry import Registry
from tests.desk.notifying import BEGIN_MS, REGISTRY, limits, people

SHIFT = """
[[shift]]
id = "day"
name = "白班"
from = "08:30"
to = "08:30"
persons = ["shen"]
valid_from = 2026-01-01
[[shift]]
id = "lead"
name = "带班"
role = "chief"
from = "08:30"
to = "08:30"
persons = ["wang"]
valid_from = 2026-01-01
"""
ROSTER = registry.parse(REGISTRY + SHIFT, "people.toml")


def walk(
    watch: PipelineWatch, begin_s: int, end_s: int, ticks: tuple[int, int] = (0, 0), *, live: bool = True,
    kafka: bool = True, people: Registry | None = ROSTER,
) -> list[tuple[int, Notice]]:  # fmt: skip
    """Look every five seconds; ticks come each second from and to before these seconds."""
    told = []
    for second in range(begin_s, end_s):
        if ticks[0] <= second < ticks[1]:
            watch.tick(BEGIN_MS + second * 1000)
        if second % 5 == 0:
            found = watch.look(BEGIN_MS + second * 1000, people, live=live, kafka=kafka)
            if found is not None:
                told.append((second, found))
    return told


def test_two_minutes_without_a_tick_and_back_again() -> None:
    watch = PipelineWatch(limits(), BEGIN_MS)
    assert walk(watch, 0, 300, (0, 300)) == []
    ((second, first),) = walk(watch, 300, 1_000)
    assert second == 420  # the last tick was that of 299, a look before it was too early by a second
    assert (first.kind, first.reason, first.level) == ("pipeline", "first", "red")
    assert first.to == [Recipient("shen", "duty"), Recipient("wang", "chief")]
    assert "没有时间信号" in first.text
    assert len(first.short) <= 35
    ((second, back),) = walk(watch, 1_000, 1_200, (1_003, 1_200))
    assert second == 1_005
    assert (back.reason, back.episode) == ("recovered", first.episode)
    assert back.id != first.id
    ((second, again),) = walk(watch, 1_200, 1_400)
    assert again.episode != first.episode


def test_a_writer_that_was_dead_before_we_began() -> None:
    assert [s for s, _ in walk(PipelineWatch(limits(), BEGIN_MS), 0, 600)] == [120]


def test_kafka_gone_says_so_and_the_registry_last_seen_is_used() -> None:
    ((_, first),) = walk(PipelineWatch(limits(), BEGIN_MS), 0, 600, kafka=False)
    assert "Kafka 无应答" in first.text
    assert walk(PipelineWatch(limits(), BEGIN_MS), 0, 600, people=None) == []


def test_never_in_a_virtual_log() -> None:
    assert walk(PipelineWatch(limits(), BEGIN_MS), 0, 10_000, live=False) == []


def test_a_machine_that_slept_heard_nothing_and_says_nothing() -> None:
    watch = PipelineWatch(limits(), BEGIN_MS)
    assert walk(watch, 0, 60, (0, 60)) == []
    hour = 3_600
    assert walk(watch, hour, hour + 600, (hour + 1, hour + 600)) == []


def test_after_a_restart_the_recovery_is_told() -> None:
    ((_, first),) = walk(PipelineWatch(limits(), BEGIN_MS), 0, 200)
    later = PipelineWatch(limits(), BEGIN_MS + 200_000)
    later.see(first)
    ((_, back),) = walk(later, 200, 300, (210, 300))
    assert (back.reason, back.episode) == ("recovered", first.episode)
    over = PipelineWatch(limits(), BEGIN_MS + 300_000)
    over.see(first)
    over.see(back)
    assert walk(over, 300, 400, (300, 400)) == []


def test_without_shifts_all_officers_and_the_chief() -> None:
    ((_, first),) = walk(PipelineWatch(limits(), BEGIN_MS), 0, 200, people=people())
    assert [r.person for r in first.to] == ["guo", "shen", "wang"]
