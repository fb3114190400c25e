"""``envstream doctor``: is everything reachable, configured, on time. Looks, and changes nothing.

A check says what it found of one thing; one that cannot be made, because the thing is away or answers nonsense, is one
failed line. Each question has a time-out of seconds, so that the whole takes less than a minute with everything away.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

OK, WARN, FAIL = "ok", "warn", "fail"
STATE_ZH: Final = {OK: "正常", WARN: "注意", FAIL: "故障"}

LOW_FREE, NO_FREE = 0.10, 0.03
"""Share of a disk that is free: below the first it is told, below the second everything ends soon."""
OFF_CLOCK_S, WRONG_CLOCK_S = 3.0, 60.0
"""Seconds between two clocks that are told, and that make receipts wrong; HTTP tells whole seconds."""
_GIB = 1 << 30


@dataclass(frozen=True)
class Finding:
    """What a check found.

    Attributes:
        check: the thing, a word that stays the same: ``kafka``, ``topic``, ``lag``.
        state: ``ok``, ``warn`` or ``fail``.
        place: where it is.
        zh: what was found, in Chinese.
        en: the same in English.
        cure: what to do, Chinese and English; "" where nothing is.
    """

    check: str
    state: str
    place: str
    zh: str
    en: str
    cure: str = ""

    def line(self) -> str:
        """One line for a person."""
        cure = f"  → {self.cure}" if self.cure else ""
        return f"[{STATE_ZH[self.state]} {self.state}] {self.check} {self.place}: {self.zh} · {self.en}{cure}"


Check = Callable[[], Iterable[Finding]]


def examine(checks: Iterable[tuple[str, str, Check]]) -> Iterator[Finding]:
    """What checks find, each as soon as it is known.

    Args:
        checks: the word of a check, the place it looks at, and the check.
    """
    for name, place, check in checks:
        try:
            yield from check()
        except Exception as error:  # noqa: BLE001 - whatever it is, it is what is wrong there
            words = " ".join(str(error).split())[:300] or type(error).__name__
            yield Finding(
                name,
                FAIL,
                place,
                f"无法检查（{words}）",
                "cannot be checked",
                "看该部分的日志 look at the log of that part",
            )


def disk(folder: Path) -> Iterator[Finding]:
    """The free room of the disk a folder is on."""
    place = str(folder)
    if not folder.exists():
        yield Finding("disk", FAIL, place, "目录不存在", "no such folder", "改正 --data correct --data")
        return
    usage = shutil.disk_usage(folder)
    share = usage.free / usage.total
    state = FAIL if share < NO_FREE else WARN if share < LOW_FREE else OK
    size = f"{usage.free / _GIB:.1f} GiB ({share:.0%})"
    cure = "" if state == OK else "清理或扩容磁盘 free or add room"
    yield Finding("disk", state, place, f"剩余 {size}", f"{size} free", cure)


def skew(place: str, ahead_s: float) -> Finding:
    """The clock of a server against that of this machine; ``ahead_s`` seconds, positive when the server's is ahead."""
    off = abs(ahead_s)
    state = FAIL if off > WRONG_CLOCK_S else WARN if off > OFF_CLOCK_S else OK
    zh, en = ("快", "ahead") if ahead_s > 0 else ("慢", "behind")
    if state == OK:
        return Finding("clock", OK, place, "与本机时钟一致", "agrees with the clock of this machine")
    cure = "校准两机时钟（NTP） set both clocks by NTP"
    return Finding("clock", state, place, f"比本机{zh} {off:.0f} 秒", f"{off:.0f} s {en} of this machine", cure)
