"""What was measured, for the terminal and for docs/performance.md."""

from __future__ import annotations

import datetime as dt
import os
import platform
from collections import Counter
from collections.abc import Sequence

from benchmarks.alerts import storm as storms
from benchmarks.alerts.open_alerts import Shown
from benchmarks.alerts.path import OF_A_GROUP, OVER_PER_S, PACKETS_PER_S, Told
from benchmarks.alerts.storm import Storm
from benchmarks.report import filled, heading, line, percentile, write_section
from schemas import times
from schemas.alerts import REASONS

ALONE = 0.5
"""Load below which nothing else ran."""
BUREAU = {"guo": "duty officer", "wang": "chief", "zhao": "director"}

WHAT = """\
`python -m benchmarks alerts` (about four minutes, `make services` before it; `--only path`, `desk` or `storm` is one
part of it, `--docs` writes this section). Run on {date}: {machine}; {shared}, load {before:.1f} before it and
{after:.1f} at its end."""

PATH = """\
**From the packet over the limit to the robot that has the request.** Loggers over TCP, gateway, Apache Kafka, worker,
`envstream notify` with fake robots on the same machine: {background} packets/s of {sayers} loggers for {seconds} s, and
{over} hour packets over the limit between them, each of another outlet, of {groups} enterprises, {each} each: with the
sixth alert of a group within ten minutes they are told together, two minutes later and by design. Each is the first
notice of its own alert. Since the packet was sent, one clock; aim: p99 under two seconds."""

PATH_MORE = """\
Told: {told} of {over}. The officer of all enterprises hears {one_by_one} of them one by one; then the limit of
twenty an hour and person makes digests of the yellow ones (docs/notify.md). Most of the time is the notifier's: it
takes what Kafka has five times a second, and writes down that it sends before it does. Of the processor, by packet:
{cpu}."""

DESK = """\
**{open} open alerts on the desk.** {messages} messages on Kafka ({megabytes:.0f} MB: alerts, notices, deliveries), a
tick a second; a browser that signs in, and then {updates} new alerts one at a time, in no step with the desk."""

DESK_MORE = """\
A page shows fifty alerts, the worst first, so its size does not grow with their number. Changes within half a second
are one event. Starting and reading everything took {read:.1f} s of the processor, a change {change:.0f} ms with the
page drawn again."""

STORM = """\
**A storm.** {conditions} conditions of {outlets} outlets in {enterprises} enterprises begin within {within:.0f} s of
the log (all factors of all outlets over the limit), and nobody does anything for an hour. Judges and notifier without a
broker, on the time of the log; robots that refuse what comes too fast."""

STORM_MORE = """\
In the judges the minute took {cpu:.1f} s of a core, and {calm:.1f} s with the same packets below the limits: {each:.1f}
ms a condition with verdict, alert and notices; the longest block {slowest:.0f} ms. {messages} messages of alerts and
notices, {megabytes:.1f} MB. Notices by reason: {reasons}.
Each enterprise's contact got {least} to {most} requests, by what level its alerts have: red is repeated every ten
minutes while nobody answers, and does not mind the limit of persons. What is
not red waited {last:.0f} min at most, for the digest of a person's hour."""


def ms(values: Sequence[float], percent: int) -> str:
    """A percentile of seconds in milliseconds."""
    return f"{percentile(values, percent) * 1e3:,.0f} ms".replace(",", " ") if values else "-"


def spaced(number: int) -> str:
    """Thousands apart."""
    return f"{number:,}".replace(",", " ")


def _path_rows(told: Told) -> list[tuple[str, Sequence[float]]]:
    return [
        ("answered by the gateway (9014)", told.answered),
        ("its notice given to Kafka", told.noticed),
        ("the robot of the enterprise has the request", told.told),
        ("the robot of the duty officer has the request", told.duty),
    ]


def show_path(told: Told) -> None:
    """Print the first part."""
    heading("packet over the limit to the robot that has the request")
    line(f"{PACKETS_PER_S} packets/s for {told.seconds} s", f"{told.over} over the limit", f"{told.lost} not told")
    for what, values in _path_rows(told):
        line(what, f"p50 {ms(values, 50)}", f"p99 {ms(values, 99)}", f"longest {ms(values, 100)}", f"of {len(values)}")
    line("CPU a packet", _cpu(told))
    line("the loggers were late at most", f"{told.lag_s * 1e3:.0f} ms")


def _cpu(told: Told) -> str:
    count = told.packets + told.over
    return ", ".join(f"{name} {spent / count * 1e3:.1f} ms" for name, spent in told.cpu.items())


def _desk_rows(shown: Shown) -> list[tuple[str, Sequence[float]]]:
    return [
        (f"the page of alerts, {shown.page_bytes / 1000:.0f} kB", shown.page_s),
        (f"its changing part, {shown.fragment_bytes / 1000:.0f} kB", shown.fragment_s),
        ("new alert: the event is at the page", shown.event_s),
        ("new alert: the page has its part drawn again", shown.drawn_s),
    ]


def show_desk(shown: Shown) -> None:
    """Print the second part."""
    heading(f"{shown.open:,} open alerts on the desk")
    line("start of the desk to a page with all", f"{shown.ready_s:.1f} s", f"{shown.read_cpu_s:.1f} s CPU")
    for what, values in _desk_rows(shown):
        line(what, f"p50 {ms(values, 50)}", f"p99 {ms(values, 99)}", f"of {len(values)}")
    line("an event", f"{shown.event_bytes:,} bytes at most")
    line("memory", f"{shown.memory_mib:.0f} MiB peak")
    line("CPU a change", f"{shown.cpu_s * 1e3:.0f} ms")


def requests_of(found: Storm) -> dict[str, list[int]]:
    """Notices and accepted requests by person; of enterprises all in one."""
    heard = Counter(r.person for n in found.notices for r in n.to)
    robots = {"guo": "DUTY", "wang": "CHIEF", "zhao": "BOSS"}
    return {who: [heard[who], found.requests[robot]] for who, robot in robots.items()}


def of_enterprises(found: Storm) -> list[int]:
    """Accepted requests of each enterprise's robot."""
    return [count for token, count in found.requests.items() if token.startswith("ROBOT_")]


def states(found: Storm) -> str:
    """Final deliveries by state."""
    return ", ".join(f"{spaced(n)} {state}" for state, n in Counter(r.state for r in found.rows if r.final).items())


def reasons(found: Storm) -> str:
    """Notices by reason."""
    told = Counter(n.reason for n in found.notices)
    return ", ".join(f"{told[reason]} {reason}" for reason in REASONS if told[reason])


def show_storm(found: Storm) -> None:
    """Print the third part."""
    heading("a storm")
    line("conditions", spaced(found.conditions), f"within {found.within_s:.0f} s")
    parts = sum(bool(e.parent) for e in found.episodes.values())
    line("episodes", spaced(len(found.episodes)), f"{spaced(parts)} of them parts of others")
    line("notices", spaced(len(found.notices)), reasons(found))
    for who, (heard, asked) in requests_of(found).items():
        line(f"{BUREAU[who]}: notices, requests", str(heard), str(asked))
    contacts = of_enterprises(found)
    line("contacts of enterprises: requests", f"{min(contacts)} to {max(contacts)} each", f"{sum(contacts)} in all")
    line("refused by robots as too fast", str(found.refused))
    line("final deliveries", states(found))
    line("lost: conditions, parts, notices", str(len(found.missing)), *found.missing[:3])
    line("notices and persons without one final delivery", str(len(found.loose)), *found.loose[:3])
    line("CPU in the judges, the minute", f"{found.cpu_s:.1f} s", f"{found.calm_s:.1f} s with nothing over the limit")
    line("longest block", f"{found.slowest_ms:.0f} ms")
    line("CPU of notifier and fakes", f"{found.notify_cpu_s:.1f} s")
    line("messages of alerts and notices", spaced(found.messages), f"{found.megabytes:.1f} MB")


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    return "\n".join(lines + [f"| {' | '.join(row)} |" for row in rows])


def _times(rows: Sequence[tuple[str, Sequence[float]]]) -> list[tuple[str, ...]]:
    return [(what, ms(v, 50), ms(v, 99), ms(v, 100)) for what, v in rows]


def write(told: Told, shown: Shown, found: Storm, before: float, after: float) -> None:
    """Write the section anew."""
    contacts = of_enterprises(found)
    parts = sum(bool(e.parent) for e in found.episodes.values())
    storm_rows = [
        ("conditions that began", spaced(found.conditions)),
        ("alerts in `episodes`", f"{spaced(len(found.episodes))}, {spaced(parts)} of them parts of another"),
        (
            "conditions, parts of a whole, notices without their alert; alerts nobody was told of",
            str(len(found.missing)),
        ),
        ("notices in the hour", spaced(len(found.notices))),
        *((f"the {BUREAU[w]}: notices, requests", f"{h}, {a}") for w, (h, a) in requests_of(found).items()),
        ("requests to the contact of an enterprise", f"{min(contacts)} to {max(contacts)}"),
        ("requests that robots refused as too fast", str(found.refused)),
        ("final deliveries, one for each notice and person", states(found)),
        ("notices and persons without one", str(len(found.loose))),
    ]
    cores = len(os.sched_getaffinity(0))
    text = [
        "## Telling people",
        filled(
            WHAT,
            date=dt.datetime.now(times.BEIJING).date().isoformat(),
            machine=f"{cores} cores ({platform.machine()}), Python {platform.python_version()}",
            shared="alone on them" if before < ALONE else "shared with other work",
            before=before,
            after=after,
        ),
        filled(
            PATH, background=PACKETS_PER_S, sayers=50, seconds=told.seconds, over=told.over,
            groups=-(-told.seconds * OVER_PER_S // OF_A_GROUP), each=OF_A_GROUP,
        ),
        _table(("since the packet was sent", "p50", "p99", "longest"), _times(_path_rows(told))),
        filled(
            PATH_MORE, told=told.over - told.lost, over=told.over, one_by_one=len(told.duty), cpu=_cpu(told)
        ),
        filled(
            DESK, open=spaced(shown.open), messages=spaced(shown.messages), megabytes=shown.megabytes,
            updates=len(shown.event_s),
        ),
        _table(
            ("", "p50", "p99", "longest"),
            [
                *_times(_desk_rows(shown)),
                ("start of the desk to a page with all", f"{shown.ready_s:.1f} s", "", ""),
                ("peak memory of the desk", f"{shown.memory_mib:.0f} MiB", "", ""),
                ("an event, at most", f"{shown.event_bytes / 1000:.0f} kB", "", ""),
            ],
        ),
        filled(DESK_MORE, read=shown.read_cpu_s, change=shown.cpu_s * 1e3),
        filled(
            STORM, conditions=spaced(found.conditions), outlets=spaced(storms.ENTERPRISES * storms.OUTLETS),
            enterprises=storms.ENTERPRISES, within=found.within_s,
        ),
        _table(("", ""), storm_rows),
        filled(
            STORM_MORE, cpu=found.cpu_s, calm=found.calm_s, each=(found.cpu_s - found.calm_s) / found.conditions * 1e3,
            slowest=found.slowest_ms, messages=spaced(found.messages), megabytes=found.megabytes,
            reasons=reasons(found), conditions=spaced(found.conditions), least=min(contacts), most=max(contacts),
            last=found.last_told_s / 60,
        ),
    ]  # fmt: skip
    write_section("alerts", "\n\n".join(text))
