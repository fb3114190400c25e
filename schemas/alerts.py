"""What the people are told: episodes, notices, deliveries, and the words they use.

An **episode** is one thing that is wrong, from its beginning to the end somebody wrote under it; the last message of
its id is the truth about it. A **notice** is something to tell somebody (the outbox), a **delivery** what became of
one attempt to tell one person by one channel. All ids are derived from what they are about, never random, so a
message that is published again after a crash is the same message.
"""

from __future__ import annotations

from typing import Final

import msgspec

VERSION = 1

LEVELS: Final = ("blue", "yellow", "orange", "red")
"""emission.md §6, rising. Blue is for the screen, nobody is told."""
LEVEL_ZH: Final = {"blue": "蓝色", "yellow": "黄色", "orange": "橙色", "red": "红色"}

OPEN, ACKNOWLEDGED, HANDLING = "open", "acknowledged", "handling"
RESOLVED, CLOSED, FALSE_ALARM, EXEMPT = "resolved", "closed", "false-alarm", "exempt"
STATES: Final = (OPEN, ACKNOWLEDGED, HANDLING, RESOLVED, CLOSED, FALSE_ALARM, EXEMPT)
STATE_ZH: Final = {
    OPEN: "待确认", ACKNOWLEDGED: "已确认", HANDLING: "处置中", RESOLVED: "已恢复", CLOSED: "已关闭",
    FALSE_ALARM: "误报", EXEMPT: "豁免",
}  # fmt: skip
ACTIVE: Final = (OPEN, ACKNOWLEDGED, HANDLING)
"""What is still wrong and somebody's; of one subject and factor there is at most one such episode."""
FINAL: Final = (CLOSED, FALSE_ALARM, EXEMPT)
"""Nothing is said of it any more."""

CAUSES: Final = ("production", "treatment", "instrument", "transmission", "weather", "other")
CAUSE_ZH: Final = {
    "production": "生产工况", "treatment": "治理设施", "instrument": "监测仪器", "transmission": "数据传输",
    "weather": "气象条件", "other": "其他",
}  # fmt: skip

FIRST, RAISED, ESCALATED, REMINDER = "first", "level-raised", "escalated", "reminder"
UNACKNOWLEDGED, AFTER_QUIET, SPREAD, RECOVERED, REOPENED = (
    "unacknowledged", "after-quiet", "spread", "recovered", "reopened",
)  # fmt: skip
REASONS: Final = (FIRST, RAISED, ESCALATED, REMINDER, UNACKNOWLEDGED, AFTER_QUIET, SPREAD, RECOVERED, REOPENED)
REASON_ZH: Final = {
    FIRST: "首次告警", RAISED: "级别升高", ESCALATED: "超时升级", REMINDER: "重复提醒",
    UNACKNOWLEDGED: "确认后超时未处置", AFTER_QUIET: "免打扰结束",
    SPREAD: "范围扩大", RECOVERED: "恢复正常", REOPENED: "再次发生",
}  # fmt: skip

ACKNOWLEDGE, HAND_BACK, HANDLE, NOTE, CLOSE, FALSE, TAKE_OVER = (
    "acknowledge", "hand-back", "handle", "note", "close", "false-alarm", "take-over",
)  # fmt: skip
ALERT_ACTIONS: Final = (ACKNOWLEDGE, HAND_BACK, HANDLE, NOTE, CLOSE, FALSE, TAKE_OVER)
"""Actions on episodes (:mod:`schemas.action_kinds`). They are events: none of them holds, replaces or is withdrawn.
``data["episode"]`` names the episode; a take-over is of the whole district and names nobody but who takes it."""


class Member(msgspec.Struct, omit_defaults=True):
    """A condition that belongs to an episode.

    ``since`` and ``until`` are epoch seconds of event time, ``open`` whether it goes on. ``suspect`` conditions name
    their check in ``rule`` ("R9"). ``words`` are what its condition said of itself, for people.
    """

    id: str
    rule: str
    subject: str
    name: str
    factor: str
    level: str
    since: int
    until: int
    open: bool
    words: dict[str, str] = msgspec.field(default_factory=dict)


class Entry(msgspec.Struct, omit_defaults=True):
    """A line of an episode's history: what happened at ``at`` (epoch ms by the log), and who did it ("" the system)."""

    at: int
    what: str  # opened, level-raised, escalated, reminder, acknowledge, note, … : reasons, actions, states
    by: str = ""
    text: str = ""
    level: str = ""


class Episode(msgspec.Struct):
    """An alert as it stands. Its key in ``episodes`` is its id.

    ``about`` is the factor, or the rule where it has none, or "silence". ``began`` is event time (epoch seconds),
    ``opened``, ``acknowledged``, ``resolved`` and ``closed`` are instants of the log (epoch ms, 0 never). ``holder``
    has it now. ``parent`` is the episode this one is a part of: then nobody is told of it by itself. ``muted`` says
    why nobody is told ("maintenance"). ``told`` are all persons a notice went to.
    """

    id: str
    group: str
    kind: str  # air, water, emission, pipeline
    subject: str
    name: str
    about: str
    began: int
    level: str
    state: str
    opened: int
    updated: int
    rules: list[str] = msgspec.field(default_factory=list)
    members: list[Member] = msgspec.field(default_factory=list)
    history: list[Entry] = msgspec.field(default_factory=list)
    holder: str = ""
    acknowledged: int = 0
    acknowledged_by: str = ""
    resolved: int = 0
    closed: int = 0
    cause: str = ""
    parent: str = ""
    children: list[str] = msgspec.field(default_factory=list)
    follows: str = ""  # the episode of the same subject that somebody closed while this still went on
    muted: str = ""
    told: list[str] = msgspec.field(default_factory=list)
    registry: str = ""
    v: int = VERSION


class Recipient(msgspec.Struct, omit_defaults=True):
    """Who is told, and as what: duty, chief, director, enterprise, holder; ``hole``: nobody had the duty."""

    person: str
    role: str
    hole: bool = False


class Notice(msgspec.Struct):
    """Something to tell somebody. Its key is the episode's id, its own id names episode, reason and instant.

    ``title`` and ``text`` are Chinese, ``text_en`` English; ``short`` fits into a parameter of an SMS template (at
    most 35 characters).
    """

    id: str
    episode: str
    group: str
    kind: str
    reason: str
    level: str
    at: int  # epoch ms by the log
    to: list[Recipient]
    title: str
    text: str
    text_en: str
    short: str
    v: int = VERSION


SENDING, SENT, FAILED, DIGESTED, GAVE_UP, KEPT = "sending", "sent", "failed", "digested", "gave-up", "kept"
DELIVERY_ZH: Final = {
    SENDING: "发送中", SENT: "已送达", FAILED: "失败", DIGESTED: "并入摘要", GAVE_UP: "全部渠道失败",
    KEPT: "仅存档（虚拟时钟或未配置渠道）",
}  # fmt: skip


class Delivery(msgspec.Struct):
    """One attempt to tell one person of one notice. Its key in ``deliveries`` is the notice's id.

    ``sending`` is written before the request, so that whoever starts again after a crash knows what may have gone
    out. ``code`` is the provider's own (``errcode``), ``words`` its text, without anything secret. ``digest`` names
    the request that carried several notices at once. ``final``: nothing more is tried for this person.
    """

    id: str  # notice|person|channel|attempt|state
    notice: str
    episode: str
    group: str
    person: str
    channel: str  # dingtalk, wecom, feishu, webhook, sms, mail, …
    attempt: int
    state: str
    at: int  # epoch ms by the wall clock
    status: int = 0
    code: str = ""
    words: str = ""
    body: str = ""  # SHA-256 of the request's body
    digest: str = ""
    final: bool = False
    v: int = VERSION
