"""Kafka, its topics, the log in it and its readers, as ``envstream doctor`` looks at them."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec
from confluent_kafka import KafkaException, Message, TopicPartition
from confluent_kafka.admin import ConfigResource, ResourceType

from schemas import blocks, topics
from schemas.health import PART_ZH, PARTS, Health
from schemas.registry import Registry
from streams import by_hand
from streams.clock import LIVE
from streams.doctor import FAIL, OFF_CLOCK_S, OK, WARN, Check, Finding
from streams.offsets import Offsets, OffsetsError, Place

ANSWER_S = 4.0
LATE_S, STUCK_S = 120.0, 900.0
"""Age of what waits: of a tick, of a message a reader has not taken. A live log has a tick every second."""
SILENT_S = 120.0
"""A part says something every half minute."""
HEARD_MS: Final = 600_000
"""How far back parts are listened to: one that was ended on purpose is forgotten after this."""
_TAIL = 20
_MOST_LETTERS = 10_000  # that are read, which takes a second
_DAY_MS = 86_400_000
_RUN_INIT = "运行 envstream init run envstream init"
_GROUPS: Final = (
    (topics.AGENTS_GROUP, "worker", topics.JUDGED),
    (topics.SINK_GROUP, "sink", (*topics.SUNK, *topics.SUNK_RECENT)),
    (topics.INGEST_GROUP, "ingest", (topics.INGEST,)),
)


def checks(bootstrap: str, district: Registry | None) -> Iterator[tuple[str, str, Check]]:
    """Those of a Kafka; once it does not answer, nothing behind it is asked."""
    kafka = _Kafka(bootstrap, district)
    yield "kafka", bootstrap, kafka.reachable
    if kafka.partitions:
        yield "topic", bootstrap, kafka.shape
        yield "log", bootstrap, kafka.log
        yield "tick", bootstrap, kafka.ticks
        for group, part, names in _GROUPS:
            yield "lag", group, lambda g=group, p=part, n=names: kafka.group(g, p, n)  # type: ignore[misc]
        yield "part", topics.HEALTH, kafka.parts
        yield "dead", topics.DEAD, kafka.dead


class _Kafka:
    def __init__(self, bootstrap: str, district: Registry | None) -> None:
        self.bootstrap, self.district = bootstrap, district
        self.offsets = Offsets(bootstrap, answer_s=ANSWER_S)
        self.partitions: dict[str, int] = {}
        self.kind = ""

    def places(self, *names: str) -> list[Place]:
        return [(name, number) for name in names for number in range(self.partitions.get(name, 0))]

    def reachable(self) -> Iterator[Finding]:
        """Whether it answers, and every partition has a leader."""
        try:
            there = self.offsets.admin.list_topics(timeout=ANSWER_S)
        except KafkaException as error:
            words = error.args[0].str()
            cure = "启动 Kafka 或改正 --bootstrap start Kafka, or correct --bootstrap"
            yield Finding("kafka", FAIL, self.bootstrap, f"无应答（{words}）", "does not answer", cure)
            return
        self.partitions = {name: len(t.partitions) for name, t in there.topics.items() if t.error is None}
        yield Finding(
            "kafka", OK, self.bootstrap, f"应答，{len(there.brokers)} 个节点", f"answers, {len(there.brokers)} brokers"
        )
        orphans = [
            f"{name}/{number}"
            for name, topic in there.topics.items()
            for number, part in topic.partitions.items()
            if part.leader < 0
        ]
        if orphans:
            words = ", ".join(orphans[:5])
            yield Finding("kafka", FAIL, words, "分区没有主节点", "no leader", "检查 Kafka 节点 look at the brokers")
        self.partitions = self.partitions or {"": 0}

    def shape(self) -> Iterator[Finding]:
        """Whether every topic is there, with the partitions and settings of schemas.topics."""
        missing = [topic.name for topic in topics.TOPICS if topic.name not in self.partitions]
        for name in missing:
            yield Finding("topic", FAIL, name, "主题不存在", "is not there", _RUN_INIT)
        there = [topic for topic in topics.TOPICS if topic.name not in missing]
        if not there:
            return
        counts = {topic.name: self.partitions[topic.name] for topic in there}
        most = max(counts.values(), key=list(counts.values()).count)
        for name, count in counts.items():
            if count != most:
                cure = "分区数建立后不可改，见文档 it is fixed: see docs/health.md"
                yield Finding(
                    "topic",
                    FAIL,
                    name,
                    f"{count} 个分区，其他主题 {most} 个",
                    f"{count} partitions, others {most}",
                    cure,
                )
        wrong = list(self._settings(there))
        yield from wrong
        if not missing and not wrong and set(counts.values()) == {most}:
            yield Finding(
                "topic", OK, self.bootstrap, f"{len(there)} 个主题，各 {most} 个分区，设置正确",
                f"{len(there)} topics of {most} partitions, as they must be",
            )  # fmt: skip

    def _settings(self, there: list[topics.Topic]) -> Iterator[Finding]:
        asked = [ConfigResource(ResourceType.TOPIC, topic.name) for topic in there]
        wanted = {topic.name: topic.config() for topic in there}
        for resource, future in self.offsets.admin.describe_configs(asked, request_timeout=ANSWER_S).items():
            now = future.result(ANSWER_S + 1)
            for key, value in wanted[resource.name].items():
                has = now[key].value if key in now else None
                if has != value:
                    yield Finding(
                        "topic", WARN, resource.name, f"{key} 为 {has}，应为 {value}", f"{key} differs", _RUN_INIT
                    )

    # ---- the log

    def log(self) -> Iterator[Finding]:
        """Its clock, and the registry in force."""
        digest, name = "", ""
        for message in self.read(dict.fromkeys(self.places(topics.REGISTRY), 0)):
            if message.key() == topics.CLOCK_KEY:
                self.kind = (message.value() or b"").decode()
            elif message.key() == topics.REGISTRY_KEY:
                version = msgspec.json.decode(message.value() or b"", type=blocks.RegistryVersion)
                digest, name = version.digest, version.writer
        if not digest:
            cure = "启动 envstream gateway start envstream gateway"
            yield Finding("log", WARN, self.bootstrap, "日志为空，没有区县配置", "empty: no registry yet", cure)
            return
        clock = {LIVE: "实时"}.get(self.kind, "回放")
        yield Finding(
            "log",
            OK,
            self.bootstrap,
            f"{clock}日志，区县配置 {digest}",
            f"{self.kind} log, registry {digest} by {name}",
        )
        if self.district is not None and self.district.digest != digest:
            cure = "envstream registry apply FILE"
            words = f"文件为 {self.district.digest}，生效的是 {digest}"
            yield Finding("registry", FAIL, self.district.name, words, "the file is not what is in force", cure)

    def ticks(self) -> Iterator[Finding]:
        """How old the newest message of each partition of readings is, by its own time."""
        places = self.places(*topics.READINGS)
        spans = self.offsets.spans(places)
        starts = {place: max(span.low, span.high - _TAIL) for place, span in spans.items() if span.high > span.low}
        newest: dict[Place, int] = {}
        future_s = 0.0
        for message in self.read(starts):
            place = (message.topic() or "", message.partition() or 0)
            newest[place] = max(newest.get(place, 0), _time_of(message.value() or b""))
            future_s = max(future_s, message.timestamp()[1] / 1000 - time.time())
        if not newest:
            yield Finding(
                "tick", WARN, "readings-*", "没有数据", "nothing there yet", "启动 envstream gateway start the gateway"
            )
            return
        if future_s > OFF_CLOCK_S:
            cure = "校准两机时钟（NTP） set both clocks by NTP"
            yield Finding(
                "clock", WARN, "readings-*", f"比本机快 {future_s:.0f} 秒", f"writer {future_s:.0f} s ahead", cure
            )
        for topic in topics.READINGS:
            ages = {number: time.time() - at / 1000 for (name, number), at in newest.items() if name == topic}
            if not ages:
                continue
            worst = max(ages, key=lambda number: ages[number])
            age = ages[worst]
            if self.kind != LIVE:
                yield Finding("tick", OK, topic, "回放日志，不看时间", "not a live log: any age is right")
            elif age > LATE_S:
                cure = "看网关是否运行 is the gateway running?"
                yield Finding(
                    "tick", FAIL, f"{topic}/{worst}", f"已 {age:.0f} 秒没有时间信号", f"no tick for {age:.0f} s", cure
                )
            else:
                yield Finding("tick", OK, topic, f"最旧 {max(age, 0):.0f} 秒前", f"oldest tick {max(age, 0):.0f} s ago")

    # ---- readers

    def group(self, group: str, part: str, names: tuple[str, ...]) -> Iterator[Finding]:
        """Members and lag of a consumer group, and how long the oldest message waits."""
        committed = self.offsets.committed(group, self.places(*names))
        described = self.offsets.admin.describe_consumer_groups([group], request_timeout=ANSWER_S)[group]
        members = len(_result(described).members)
        zh = PART_ZH[part]
        if not members:
            if part == "ingest" and not committed:
                return  # a way in that this district does not use
            state = WARN if part == "ingest" else FAIL
            yield Finding("group", state, group, f"{zh}没有运行", "has no member", f"启动 envstream {part} start it")
        read = [name for name in names if any(place[0] == name for place in committed)]
        spans = self.offsets.spans(self.places(*read)) if read else {}
        behind = {
            place: max(committed.get(place, span.low), span.low)
            for place, span in spans.items()
            if span.high > max(committed.get(place, span.low), span.low)
        }
        waiting = sum(spans[place].high - at for place, at in behind.items())
        oldest = [m.timestamp()[1] for m in self.read(behind, one_each=True)]
        waits = max(0.0, time.time() - min(oldest) / 1000) if oldest else 0.0
        state = FAIL if waits > STUCK_S else WARN if waits > LATE_S else OK
        cure = "" if state == OK else f"看 {part} 的日志与资源 look at the log and the load of {part}"
        words = f"积压 {waiting} 条" + (f"，最早 {waits:.0f} 秒前" if waiting else "")
        yield Finding(
            "lag", state, group, words, f"{waiting} messages wait" + (f", {waits:.0f} s" if waiting else ""), cure
        )

    def parts(self) -> Iterator[Finding]:
        """What the parts said of themselves: who fell silent, and how far those without a group are."""
        now = time.time() * 1000
        since = self.offsets.since(self.places(topics.HEALTH), int(now - HEARD_MS))
        last: dict[tuple[str, str], Health] = {}
        for message in self.read({place: at for place, at in since.items() if at >= 0}):
            said = msgspec.json.decode(message.value() or b"", type=Health)
            last[said.part, said.instance] = said
        for part, instance in sorted(last, key=lambda key: (PARTS.index(key[0]) if key[0] in PARTS else 99, key)):
            said = last[part, instance]
            age = max(0.0, (now - said.at) / 1000)
            zh, place = PART_ZH.get(part, part), f"{part} {instance}"
            if age > SILENT_S:
                cure = f"看 {part} 是否运行、是否停住 is it running, or does it hang?"
                yield Finding("part", WARN, place, f"{zh}已 {age:.0f} 秒没有消息", f"silent for {age:.0f} s", cure)
                continue
            lag = sum(sample.value for sample in said.samples if sample.name == "lag")
            yield Finding(
                "part", OK, place, f"{zh} {age:.0f} 秒前有消息，积压 {lag:.0f}", f"spoke {age:.0f} s ago, lag {lag:.0f}"
            )
        if missing := {"gateway", "worker", "sink"} - {part for part, _ in last}:
            names = ", ".join(sorted(missing))
            yield Finding(
                "part", WARN, names, "十分钟内没有消息", "silent for ten minutes", f"启动 start: envstream {names}"
            )

    def dead(self) -> Iterator[Finding]:
        """Dead letters of the last day that wait; of very many, how many records there are."""
        places = self.places(topics.DEAD)
        ends = self.offsets.ends(places)
        since = self.offsets.since(places, int(time.time() * 1000) - _DAY_MS)
        starts = {place: at for place, at in since.items() if at >= 0 and place in ends}
        count = sum(ends[place] - at for place, at in starts.items())
        if count <= _MOST_LETTERS:
            letters = [msgspec.json.decode(message.value() or b"", type=_Letter) for message in self.read(starts)]
            count = sum({letter.id: not letter.retried for letter in letters}.values())
        state, cure = (WARN, "envstream dead list") if count else (OK, "")
        yield Finding("dead", state, topics.DEAD, f"一天内死信 {count} 封", f"{count} letters in a day", cure)

    def read(self, starts: Mapping[Place, int], *, one_each: bool = False) -> list[Message]:
        """Messages from these offsets to where the partitions end now, or only the first of each.

        Raises:
            OffsetsError: they do not come in time.
        """
        ends = self.offsets.ends(starts) if starts else {}
        left = {place for place, at in starts.items() if at < ends.get(place, 0)}
        found: list[Message] = []
        if not left:
            return found
        consumer = by_hand.consumer(self.bootstrap, "envstream-doctor", more={"enable.partition.eof": True})
        try:
            consumer.assign([TopicPartition(*place, starts[place]) for place in left])
            until = time.monotonic() + ANSWER_S * 2
            while left:
                if time.monotonic() > until:
                    raise OffsetsError(f"{min(left)[0]}: not read in {ANSWER_S * 2:.0f} s")
                for message in consumer.consume(500, 0.2):
                    place = (message.topic() or "", message.partition() or 0)
                    if message.error() is not None:  # the end: compaction, or a marker, took the last offsets
                        left.discard(place)
                    elif place in left:
                        found.append(message)
                        if one_each or (message.offset() or 0) + 1 >= ends[place]:
                            left.discard(place)
        finally:
            consumer.close()
        return found


class _Letter(msgspec.Struct):
    id: str = ""
    retried: int = 0


class _Time(msgspec.Struct):
    now: int = 0
    received: int | list[int] = 0


def _time_of(value: bytes) -> int:
    """The instant a message of readings says it is, epoch ms; 0 where it says none."""
    try:
        said = msgspec.json.decode(value, type=_Time)
    except msgspec.MsgspecError:
        return 0
    received = said.received if isinstance(said.received, int) else max(said.received, default=0)
    return max(said.now, received)


def _result(future: Any) -> Any:
    try:
        return future.result(ANSWER_S + 1)
    except KafkaException as error:
        raise OffsetsError(error.args[0].str()) from None
