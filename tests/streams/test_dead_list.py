"""Dead letters as people see them: where they are from, what can be done, a table a terminal cannot be harmed by."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from schemas import topics
from schemas.messages import Dead, encode
from streams import dead_list, dead_retry
from streams.dead_list import DeadListError, Letter
from streams.target import BadLine, Batch
from tests.e2e import system
from tests.services.embedded import Broker

BEGIN_MS = 1_795_305_600_000  # 2026-11-22 08:00 Beijing time


@pytest.fixture
def broker() -> Iterator[Broker]:
    made = Broker()
    yield made
    made.close()


def letter(
    name: str, place: str, reason: str = "because", text: str = "text", at: int = 0, key: str = "", retried: int = 0
) -> Letter:
    return Letter(Dead(name, place, reason, text, BEGIN_MS + at, key, retried), 0)


@pytest.mark.parametrize(
    ("of", "source", "has_retry", "cure"),
    [
        (letter("cells/2/7/3", "cells/2/7", key="k"), "cells", True, ""),
        (letter("verdicts/2/7", "verdicts/2/7", key="k"), "verdicts", True, ""),
        (letter("episodes/0/1/0", "episodes/0/1", key="e"), "episodes", True, ""),
        (letter("cells/2/7/3", "cells/2/7"), "cells", False, "no key"),
        (letter("deliveries/0/1/0", "deliveries/0/1", key="n"), "deliveries", False, "only a panel"),
        (letter("readings-air/0/1/4", "readings-air/0/1"), "readings-air", False, "only a panel"),
        (letter("readings-air/0/1", "readings-air/0/1"), "readings-air", False, "a program that reads its format"),
        (letter("gw-a:7", "gateway 10.0.0.9:4711"), "gateway", False, "loggers backfill"),
        (letter("in-a:7", "ingest http 10.0.0.9"), "ingest", False, "post it again"),
        (letter("ingest 3.csv:5", "ingest 3.csv:5"), "file", False, "replay the file"),
        (letter("hours.csv.gz:17", "hours.csv.gz:17"), "file", False, "replay the file"),
    ],
)
def test_where_a_letter_is_from_and_what_can_be_done(of: Letter, source: str, has_retry: bool, cure: str) -> None:
    assert of.source == source
    assert (dead_retry.key_of(of) is not None) == has_retry
    if not has_retry:
        assert cure in dead_retry.cure(of)


def test_each_letter_once_and_what_was_retried_not_at_all_unless_it_died_again(broker: Broker) -> None:
    def say(one: Letter, partition: int = 0) -> None:
        broker.send([(topics.DEAD, one.dead.id.encode(), encode(one.dead))], partition)

    a, b, c = (letter(f"cells/0/{n}/0", f"cells/0/{n}", at=-n, key="k") for n in range(3))
    for one in (a, a, b, c, c):
        say(one)
    say(letter("gw-a:1", "gateway x", at=60_000), 3)
    say(letter(b.dead.id, b.dead.place, at=-1, key="k", retried=BEGIN_MS))
    say(letter(c.dead.id, c.dead.place, at=-2, key="k", retried=BEGIN_MS))
    say(c)  # the sink read it again, and it was refused again
    found = dead_list.read(broker.bootstrap)
    assert [x.dead.id for x in found] == ["cells/0/2/0", "cells/0/0/0", "gw-a:1"], "newest last"
    assert [x.partition for x in found] == [0, 0, 3]
    assert [x.dead.id for x in dead_list.chosen(found, since_ms=BEGIN_MS)] == ["cells/0/0/0", "gw-a:1"]
    assert [x.dead.id for x in dead_list.chosen(found, source="gateway", reason="BECAUSE")] == ["gw-a:1"]
    broker.send([(topics.DEAD, b"x", b'{"id":"x","place":"","reason":"","text":"","received":1,"v":2}')])
    with pytest.raises(DeadListError, match="format 2"):
        dead_list.read(broker.bootstrap)


def test_more_letters_than_a_producer_holds_are_settled(broker: Broker) -> None:
    dead_retry.write_down(broker.bootstrap, [letter(f"cells/0/{n}", f"cells/0/{n}", key="k") for n in range(150_000)])


def test_letters_kafka_refuses_to_settle_are_told(broker: Broker) -> None:
    nowhere = Letter(letter("cells/0/1", "cells/0/1", key="k").dead, 99)
    with pytest.raises(DeadListError, match=r"1 of 2 letters .*did not acknowledge"):
        dead_retry.write_down(broker.bootstrap, [letter("cells/0/2", "cells/0/2", key="k"), nowhere])


class Nothing:
    """A store nobody may write into."""

    def position(self, topic: str, partition: int) -> int | None:
        return None

    def write(self, batch: Batch, stop: threading.Event) -> list[BadLine]:
        assert not batch.lines
        return []

    def close(self) -> None:
        pass


def test_a_message_the_embedded_broker_dropped_is_not_settled(broker: Broker) -> None:
    broker.send([(topics.CELLS, b"k", b"refused")])
    broker.send([(topics.CELLS, b"other", b"x" * 100_000) for _ in range(80)])
    broker.send([(topics.CELLS, b"gone", None)], 1)
    one, gone = letter("cells/0/0/0", "cells/0/0", key="k"), letter("cells/1/0/0", "cells/1/0", key="gone")
    first, second = dead_retry.retry(broker.bootstrap, [one, gone], Nothing())
    assert first.state == dead_retry.NEVER and "no longer kept" in first.words
    assert second.state == dead_retry.GONE


def test_the_table_is_short_and_harmless() -> None:
    conflict = '422 failure: partial write: field type conflict: input field "flag" on measurement "air_hour" dropped='
    text = "站点一\n\x1b[2J".encode().decode("latin-1")
    many = [letter(f"cells/0/{n}/0", f"cells/0/{n}", f"{conflict}{n}", text, n * 1000, "k") for n in range(30)]
    many.append(letter("gw-a:9", "gateway x", "unlisted: MN X1 is in no registry", "中文", 60_000))
    lines = dead_list.table(many, 3).splitlines()
    assert lines[0].split() == ["时间", "when", "来自", "from", "编号", "id", "原因", "reason", "内容", "text"]
    assert len(lines) == 1 + 3 + 2 + 2 and lines[3].startswith("2026-11-22 08:01") and lines[3].endswith("中文")
    assert "站点一 [2J" in lines[1] and "\x1b" not in "".join(lines)
    assert "31" in lines[5] and lines[6].split()[:2] == ["30", "cells:"] and "field type conflict" in lines[6]
    assert lines[7].split() == ["1", "gateway:", "unlisted"]


def test_beside_a_running_up(broker: Broker, tmp_path: Path) -> None:
    one = letter("cells/0/1/0", "cells/0/1", key="k")
    broker.send([(topics.DEAD, b"x", encode(one.dead))])
    (tmp_path / "up.json").write_text(json.dumps({"bootstrap": broker.bootstrap}))
    told = json.loads(system.run("dead", "list", "--data", tmp_path, "--json").stdout)
    assert (told["count"], told["letters"][0]["id"], told["letters"][0]["time"][:16]) == (
        1, "cells/0/1/0", "2026-11-22 08:00",
    )  # fmt: skip
    assert "no envstream up runs there" in system.run("dead", "list", "--data", tmp_path / "x", code=2).stderr
    assert "one of them" in system.run("dead", "retry", "--data", tmp_path, code=2).stderr
    assert "write it as" in system.run("dead", "list", "--since", "soon", code=2).stderr
