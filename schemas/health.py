"""What running parts say of themselves: numbers with a name, a unit and a meaning, written down once.

Each part serves its numbers as Prometheus metrics; some of them it also says in the log every half minute, so that
the bureau's wall shows the pipeline beside the air without another server.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import msgspec

VERSION = 1

PARTS: Final = ("gateway", "ingest", "worker", "sink", "notify", "desk")
PART_ZH: Final = {
    "gateway": "接收网关", "ingest": "数据接入", "worker": "评价计算", "sink": "入库", "notify": "告警推送",
    "desk": "值班台",
}  # fmt: skip

NOTHING_IN_PARTICULAR = "-"
"""``about`` of a number that concerns no topic or channel."""


@dataclass(frozen=True)
class Number:
    """A number of a part: the Prometheus metric it is, its unit, Chinese name, and what it means.

    Samples of the metric that differ only in labels other than ``about`` are summed, or, where ``worst`` is set, the
    largest counts.
    """

    metric: str
    unit: str
    zh: str
    text: str
    about: str = ""  # label that becomes the tag ``about``
    worst: bool = False


HEALTH: Final[dict[str, Number]] = {
    "lag": Number("envstream_lag", "messages", "积压", "messages of a topic the part has not taken yet", "topic"),
    "tick_age": Number(
        "envstream_tick_age_seconds", "s", "时钟滞后", "wall clock minus the log's now", "topic", worst=True
    ),
    "received": Number("envstream_packets_total", "packets", "收到报文", "arrivals in the log since the part started"),
    "waiting": Number("envstream_waiting", "packets", "待写入报文", "arrivals not yet in the log"),
    "judged": Number("envstream_judged_total", "messages", "已评价", "messages judged since the start", "topic"),
    "checkpoint": Number(
        "envstream_checkpoint_seconds", "s", "检查点用时", "length of the last checkpoint", "topic", worst=True
    ),
    "stored": Number("envstream_sink_lines_total", "lines", "已入库", "lines stored since the part started"),
    "dead": Number("envstream_dead_total", "letters", "死信", "dead letters written since the part started"),
    "store_waits": Number(
        "envstream_sink_waits_total", "count", "等待存储", "times the store was busy since the part started"
    ),
    "told": Number("envstream_deliveries_total", "deliveries", "推送", "attempts by their outcome", "outcome"),
    "memory": Number("process_resident_memory_bytes", "bytes", "内存", "resident memory of the process"),
    "cpu": Number("process_cpu_seconds_total", "s", "处理器时间", "CPU time since the part started"),
    "up_since": Number("process_start_time_seconds", "s", "启动时刻", "when the process started, epoch seconds"),
}
"""By name, the tag ``name`` of the measurement ``pipeline``."""


class Sample(msgspec.Struct, array_like=True):
    """One number: a name of :data:`HEALTH`, what it is about, and its value."""

    name: str
    about: str
    value: float


class Health(msgspec.Struct, tag_field="kind", tag="health"):
    """What one running part says of itself at ``at`` (epoch ms, wall clock).

    ``instance`` tells running copies of a part apart and stays the same over a restart.
    """

    part: str
    instance: str
    at: int
    samples: list[Sample]
    v: int = VERSION
