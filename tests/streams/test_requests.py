"""Requests to loggers: 9011, data, 9012; time-outs, retries, and who is asked when."""

from __future__ import annotations

import datetime as dt
import itertools

import pytest

from schemas import times
from schemas.registry import Logger, Source
from streams import hj212
from streams.requests import ATTEMPTS, LONGEST_HOURS, MOST_HOURS, WHILE_RUNNING_S, Request, Requests
from streams.source_index import Origin

MN = "010000A8900016F000169DC0"
OVER_TIME_S, RE_COUNT = 10, 3
ORIGIN = Origin(
    Source("o", "emission", "g", MN, "o", dt.date(2020, 1, 1), None),
    Logger(MN, over_time_s=OVER_TIME_S, re_count=RE_COUNT),
)
H = times.HOUR_S
EIGHT = times.parse_stamp("20261122080000")


class Line:
    """The line to one logger."""

    def __init__(self) -> None:
        self.sent: list[Request] = []
        self.connected = True
        self.requests = Requests(self.write, self.send)
        self._written: Request | None = None

    def write(self, request: Request) -> bytes:
        request.qn = f"2026112213000000{len(self.sent)}"
        self._written = request
        return b"request"

    def send(self, mn: str, data: bytes) -> bool:
        if self.connected and self._written is not None:
            self.sent.append(self._written)
        return self.connected

    def check(self, now: float) -> None:
        self.requests.check(now, lambda mn: ORIGIN)

    def hear(self, cn: str, content: str, now: float, qn: str | None = None) -> None:
        framer = hj212.Framer()
        qn = self.sent[-1].qn if qn is None else qn
        (piece,) = framer.feed(hj212.build(st="91", cn=cn, mn=MN, qn=qn, pw="1", flag=4, content=content))
        assert isinstance(piece, hj212.Frame)
        self.requests.heard(hj212.parse(piece), now)

    def asked(self) -> list[tuple[int | None, int | None]]:
        return [(r.begin_s, r.end_s) for r in self.sent]


def test_asked_heard_sent_done() -> None:
    line = Line()
    assert line.requests.want(MN, "2061", EIGHT, EIGHT + 4 * H) == 5
    line.check(0)
    assert line.asked() == [(EIGHT, EIGHT + 4 * H)]
    line.hear("9011", "QnRtn=1", 1)
    for n in range(5):
        line.hear("2061", "DataTime=20261122080000", 2, qn=f"2026112213000100{n}")
    assert line.requests.waiting == 1
    line.hear("9012", "ExeRtn=1", 3)
    assert (line.requests.waiting, line.requests.outcomes) == (0, {"done": 1})
    assert "5 packets" in line.requests.last[MN]


def test_without_9011_the_same_request_again_as_often_as_the_norm_says() -> None:
    line = Line()
    line.requests.want(MN, "2061", EIGHT, EIGHT)
    for second in range(200):
        line.check(float(second))
    # each attempt: once, and ReCount times again; OverTime apart
    assert len(line.sent) == ATTEMPTS * (1 + RE_COUNT)
    assert line.requests.outcomes == {"no 9011": 1}
    assert line.requests.waiting == 0


def test_newest_first_and_one_at_a_time() -> None:
    line = Line()
    line.requests.want(MN, "2061", EIGHT, EIGHT)
    line.requests.want(MN, "2061", EIGHT + 3 * H, EIGHT + 3 * H)
    line.check(0)
    line.check(1)
    assert line.asked() == [(EIGHT + 3 * H, EIGHT + 3 * H)]
    line.hear("9012", "ExeRtn=100", 2)
    line.check(3)
    assert line.asked()[1:] == [(EIGHT, EIGHT)]
    assert line.requests.outcomes == {"no data": 1}


def test_data_extend_the_patience_and_silence_ends_it() -> None:
    line = Line()
    line.requests.want(MN, "2061", EIGHT, EIGHT)
    line.check(0)
    line.hear("9011", "QnRtn=1", 1)
    line.hear("2061", "DataTime=20261122080000", 50, qn="1")
    line.check(50 + WHILE_RUNNING_S)
    assert len(line.sent) == 1
    line.check(50 + WHILE_RUNNING_S + 1)
    assert len(line.sent) == 2, "asked anew"


@pytest.mark.parametrize(
    ("code", "outcome"),
    [("3", "PW wrong"), ("8", "CN wrong"), ("77", "QnRtn of its own"), ("\x1b[2J", "QnRtn of its own")],
)
def test_a_refusal_is_named_and_not_asked_again(code: str, outcome: str) -> None:
    line = Line()
    line.requests.want(MN, "2061", EIGHT, EIGHT)
    line.check(0)
    line.hear("9011", f"QnRtn={code}", 1)
    line.check(100)
    assert (len(line.sent), line.requests.outcomes) == (1, {outcome: 1})
    assert line.requests.last[MN].isprintable()


def test_another_qn_is_another_conversation() -> None:
    line = Line()
    line.requests.want(MN, "2061", EIGHT, EIGHT)
    line.check(0)
    line.hear("9012", "ExeRtn=1", 1, qn="20200101000000000")
    assert line.requests.waiting == 1


def test_who_is_not_connected_is_asked_when_he_is() -> None:
    line = Line()
    line.connected = False
    line.requests.want(MN, "2061", EIGHT, EIGHT)
    line.check(0)
    line.check(1e6)
    assert line.sent == []
    line.connected = True
    line.check(1e6 + 1)
    assert len(line.sent) == 1
    line.requests.lost(MN)
    line.check(1e6 + 2)
    assert len(line.sent) == 2, "asked again on the next connection"


@pytest.mark.parametrize(("cn", "last"), [("2061", 0), ("2051", H - 60)])
def test_long_ranges_are_asked_in_pieces_that_cover_them(cn: str, last: int) -> None:
    line = Line()
    hours = 61
    assert line.requests.want(MN, cn, EIGHT, EIGHT + (hours - 1) * H) == hours
    assert line.requests.want(MN, cn, EIGHT, EIGHT + (hours - 1) * H) == 0, "already waiting"
    for n in range(hours):
        line.check(n)
        if line.requests.waiting:
            line.hear("9012", "ExeRtn=1", n)
    asked = [set(range(r.begin_s or 0, (r.end_s or 0) + 1, H)) for r in line.sent]
    assert sum(map(len, asked)) == hours and len(set().union(*asked)) == hours
    assert all(len(a) <= LONGEST_HOURS[cn] for a in asked)
    assert all(((r.end_s or 0) - (r.begin_s or 0)) % H == last for r in line.sent)
    assert all(min(a) > max(b) for a, b in itertools.pairwise(asked))


def test_what_came_by_itself_is_not_asked_for_and_what_is_asked_not_twice() -> None:
    line = Line()
    line.requests.want(MN, "2061", EIGHT, EIGHT + 29 * H)
    line.requests.unwant(MN, "2061", EIGHT, EIGHT + 28 * H)
    line.check(0)
    assert line.asked() == [(EIGHT + 29 * H, EIGHT + 29 * H)]
    assert line.requests.want(MN, "2061", EIGHT + 29 * H, EIGHT + 30 * H) == 1, "one of them is on its way"


def test_memory_is_bounded_and_the_newest_stay() -> None:
    line = Line()
    line.connected = False
    end = EIGHT + 400 * 365 * 24 * H
    assert line.requests.want(MN, "2061", EIGHT, end) == MOST_HOURS
    for n in range(10):
        line.requests.want(MN, "2061", end + 2 * (n + 1) * H, end + 2 * (n + 1) * H)
    assert line.requests.waiting == MOST_HOURS
    line.connected = True
    line.check(0)
    assert line.asked() == [(end + 20 * H, end + 20 * H)]


def test_a_clock_is_set_once_however_often_it_is_asked_for_and_before_the_hours() -> None:
    line = Line()
    line.requests.want(MN, "2061", EIGHT, EIGHT + 149 * H)
    for _ in range(120):
        line.requests.command(MN, "1012")
    line.check(0)
    line.hear("9012", "ExeRtn=1", 1)
    line.check(2)
    assert [r.cn for r in line.sent] == ["1012", "2061"]
    assert line.requests.waiting == 150 - LONGEST_HOURS["2061"] + 1
