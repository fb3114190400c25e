"""The alarm no log can raise: that there is none. Ticks of a live log stop, or Kafka does."""

from __future__ import annotations

from desk.notify.limits import Limits
from schemas import times
from schemas.alerts import FIRST, RECOVERED, Notice, Recipient
from schemas.registry import Registry

KIND = "pipeline"
_ASLEEP_MS = 30_000
"""Between two looks: then it was this machine that stood still, and what it did not hear in that time says nothing."""


class PipelineWatch:
    """Watches ticks by the wall clock. Instants are epoch milliseconds."""

    def __init__(self, limits: Limits, now_ms: int) -> None:
        self._limits = limits
        self._heard_ms = self._looked_ms = now_ms
        self._open = ""
        self._ticked = False

    @property
    def heard_ms(self) -> int:
        """When a tick was last heard; before the first one, when listening began."""
        return self._heard_ms

    def tick(self, now_ms: int) -> None:
        """A tick was heard."""
        self._heard_ms = max(self._heard_ms, now_ms)
        self._ticked = True

    def see(self, notice: Notice) -> None:
        """An earlier notice of this alarm, from the log: whether it was ever over."""
        if notice.kind == KIND and notice.episode.startswith(f"{KIND}|"):
            self._open = notice.episode if notice.reason == FIRST else ""

    def look(self, now_ms: int, registry: Registry | None, *, live: bool, kafka: bool) -> Notice | None:
        """What is to be told now.

        Args:
            now_ms: wall clock.
            registry: the one last seen.
            live: whether the log is; of a virtual one nothing is ever said.
            kafka: whether it answers.
        """
        if now_ms - self._looked_ms > _ASLEEP_MS:
            self._heard_ms = min(self._heard_ms + now_ms - self._looked_ms, now_ms)
        self._looked_ms = now_ms
        ticked, self._ticked = self._ticked, False
        if not live or registry is None:
            return None
        if self._open and ticked:
            episode, self._open = self._open, ""
            return self._notice(episode, RECOVERED, now_ms, registry, kafka)
        if not self._open and now_ms - self._heard_ms >= self._limits.silent_s * 1000:
            self._open = f"{KIND}|{self._heard_ms}"
            return self._notice(self._open, FIRST, now_ms, registry, kafka)
        return None

    def _notice(self, episode: str, reason: str, now_ms: int, registry: Registry, kafka: bool) -> Notice:
        now_s = now_ms // 1000
        to: dict[str, Recipient] = {}
        for role, as_what in (("officer", "duty"), ("chief", "chief")):
            duty = registry.roster.on_duty(role, now_s)
            for person in duty.persons:
                to.setdefault(person, Recipient(person, as_what, duty.hole and role == "officer"))
        since_s = int(episode.rpartition("|")[2]) // 1000
        since = times.text(since_s)
        if reason == RECOVERED:
            title, short = "监测流水线恢复正常", f"监测流水线已恢复，中断自{since[5:16]}"
            text = f"自 {since} 起的中断已结束，数据按断点补入。"
            english = (
                f"The pipeline is back; it was silent since {since}. What was missed is taken up where it stopped."
            )
        else:
            cause, why = ("写入端（网关）没有时间信号", "the writer (gateway) sends no ticks")
            if not kafka:
                cause, why = "Kafka 无应答", "Kafka does not answer"
            title, short = "监测流水线中断", f"监测流水线中断，自{since[5:16]}无信号"
            text = f"{registry.name}：自 {since} 起没有收到时间信号：{cause}。期间不判定、不告警，请立即检查服务器。"
            english = f"No tick since {since}: {why}. Nothing is judged meanwhile: look at the server now."
        level = self._limits.pipeline_level
        return Notice(
            f"{episode}|{reason}|{now_ms}", episode, "", KIND, reason, level, now_ms, list(to.values()),
            title, text, english, short,
        )  # fmt: skip
