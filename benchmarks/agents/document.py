"""The section of docs/performance.md, between its marks."""

from __future__ import annotations

import datetime as dt
import os

from benchmarks.agents.plan import FEW, MANY, Plan
from benchmarks.agents.table import Row, markdown, ratio
from benchmarks.report import filled, write_section
from schemas import times

WHAT = """\
`python -m benchmarks agents` (ten to sixteen minutes, `--quick` two to four; `--docs` writes this section): minute
values of air stations, six factors each, become hour means: at least 45 valid minutes, rounded half-even to
thousandths, published as JSON. All read data of one generator from the same Apache Kafka with four partitions, one
process each, and their hour means are compared with means that whole numbers and fractions give. Run on {date}:
{machine}; {versions}."""

HOW = """\
Rates are of the seconds of the processor that a contestant's process used, threads of its libraries with it, from the
first message in hand to the last hour published; by the clock is what {cores} cores made of it, shared with the broker
{shared}. Ratios are to the first row. Medians of {straight} runs, of memory {memory}; wrong hour means are the most of
any run. Memory is what {many:,} stations take beyond {few}, reckoned for a thousand: of those on blocks with a whole
hour of minutes, because slots grow with them, of the others with three minutes."""

WHO = """\
* **Faust, Tables, += 1** is what one writes first: a message per reading, two Tables that are added to. Faust's
  defaults, but for a session of ten seconds, which all have; with its own of sixty it stays away fifty seconds longer.
  Its changelog topics are made before, as it sometimes takes those it has just made for topics without partitions.
* **Quix Streams**: commits every second, static membership, changelog topics on, at least once. State is the open
  hour of a station; its own tumbling windows took 1.8 times as much of the processor. On blocks: one row a partition.
* **Bytewax**: batches of 10 000 messages or 20 blocks, `flat_map_batch` and `stateful_batch`, a snapshot every second.
  It joins no group, so after a kill it waits for nobody, and no second worker takes over.
* **bare aiokafka**: blocks into numpy slots and nothing else; its state dies with it. How much is wrong after a kill
  depends on where its last commit lay.
* **envstream worker** keeps every minute of every packet, so that late, repeated and corrected ones come out right, and
  it judges as well: AQI of area hours and days, revisions, the year. It makes a checkpoint every quarter of a second.
  The peers keep sums, which a repeated or corrected packet makes wrong, and stop at the mean. Its time after a kill
  ends with the first checkpoint in Kafka, up to a quarter of a second after the first block."""


def write(rows: list[Row], rounds: Plan, *, machine: str, versions: str, alone: bool) -> None:
    """Write the section anew, at the end of the document when it is not there yet.

    Raises:
        ValueError: only one of the marks is there.
    """
    date = dt.datetime.now(times.BEIJING).date().isoformat()
    parts = [
        "## Beside other frameworks",
        _filled(WHAT, date=date, machine=machine, versions=versions),
        markdown(rows),
        _filled(
            HOW,
            shared="alone" if alone else "and with other work",
            cores=len(os.sched_getaffinity(0)),
            straight=rounds.straight,
            memory=rounds.memory,
            many=MANY.stations,
            few=FEW.stations,
        ),
        WHO,
        *_gains(rows),
    ]
    write_section("agents", "\n\n".join(parts))


def _filled(text: str, **words: object) -> str:
    return filled(text, **words).replace("1,000", "1 000")


def _gains(rows: list[Row]) -> list[str]:
    """What blocks are worth, as far as it was measured."""
    of = {row.name: row.per_core for row in rows}
    gains = [
        f"{name} {ratio(of.get(f'{name}, blocks'), of.get(f'{name}, a message per reading'))}"
        for name in ("Quix Streams", "Bytewax")
        if of.get(f"{name}, blocks") and of.get(f"{name}, a message per reading")
    ]
    said = f"Blocks (500 packets to a message) matter more than the framework: they make {' and '.join(gains)} as fast."
    return [said] if gains else []
