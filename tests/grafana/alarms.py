"""A day's alerts in every level and state, and what became of telling people of them."""

from __future__ import annotations

from schemas import alerts, times, topics
from schemas.alerts import Episode
from schemas.messages import encode
from tests.services import samples_told

MINUTE = 60_000


def episodes(day: int) -> list[Episode]:
    """Six alerts of a day: two of them over, one taken, three that nobody has."""
    at = times.day_start(day) * 1000 + 600 * MINUTE  # 10:00

    def one(number: int, **changes: object) -> Episode:
        return samples_told.episode(at + number * MINUTE, 100 + number, **changes)

    plant = {"group": "lanfeng-steel", "subject": "lanfeng-steel", "name": "蓝风钢铁", "about": "silence"}
    river = {"group": "zhuozhang", "subject": "shiliang", "name": "石梁", "about": "water-level", "kind": "water"}
    return [
        one(1, level="red", about="SO2"),
        one(2, level="orange", state=alerts.ACKNOWLEDGED, acknowledged=at + 14 * MINUTE, holder="li-duty", about="PM"),
        one(
            3, level="yellow", state=alerts.CLOSED, acknowledged=at + 33 * MINUTE, resolved=at + 93 * MINUTE,
            closed=at + 120 * MINUTE, cause="instrument", rules=["over-limit"],
        ),
        one(4, level="blue", about="early", told=[]),
        one(5, level="yellow", rules=["hour-missing", "offline"], **plant),
        one(6, level="orange", state=alerts.RESOLVED, resolved=at + 66 * MINUTE, rules=["water-level"], **river),
    ]  # fmt: skip


def made(day: int) -> list[tuple[str, bytes]]:
    """``(topic, message)`` of them, and of what was sent: one arrived, one failed, one person got nothing at all."""
    at = times.day_start(day) * 1000 + 601 * MINUTE
    sent = [
        samples_told.delivery(at, alerts.SENT, id="n2|li-duty|dingtalk|1|sent"),
        samples_told.delivery(
            at, alerts.FAILED, id="n2|wang|wecom|1|failed", person="wang", channel="wecom", code="45009",
            words="api freq out of limit", status=200,
        ),
        samples_told.delivery(at, alerts.GAVE_UP, id="n2|wang|sms|2|gave-up", person="wang", channel="sms", status=0),
    ]  # fmt: skip
    return [
        *((topics.EPISODES, encode(episode)) for episode in episodes(day)),
        *((topics.DELIVERIES, encode(delivery)) for delivery in sent),
    ]
