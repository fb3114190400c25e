"""What one writes first: a Faust agent with a message per reading and Tables that are added to.

Sums and counts per station, factor and hour; the first reading of the next hour publishes the one before. Faust's
defaults but for a session of ten seconds, as all have here (with its own sixty the restart takes fifty longer).
"""

from __future__ import annotations

import faust

from benchmarks.agents import arithmetic, told
from schemas.registry import AIR_FACTORS


class Reading(faust.Record, serializer="json"):
    """One reading."""

    source: str
    factor: str
    end: int
    value: int | None
    places: int
    flag: str


app = faust.App(
    told.GROUP,
    broker=f"kafka://{told.BOOTSTRAP}",
    datadir=str(told.FOLDER),
    topic_partitions=4,  # as the readings have
    broker_session_timeout=told.SESSION_S,
    consumer_auto_offset_reset="earliest",
)
readings = app.topic(told.INPUT, value_type=Reading)
hours = app.topic(told.OUTPUT, value_serializer="raw")
open_hour = app.Table("open-hour", default=int)
sums = app.Table("sums", default=int)
counts = app.Table("counts", default=int)


@app.agent(readings)
async def hour_means(stream):
    """Add up; when a new hour begins, publish the old one."""
    async for reading in stream:
        told.ready()
        hour = arithmetic.hour_of(reading.end)
        if open_hour[reading.source] != hour:
            if open_hour[reading.source]:
                await publish(reading.source, open_hour[reading.source])
            open_hour[reading.source] = hour
        value = arithmetic.thousandths(reading.value, reading.places, reading.flag)
        if value is not None:
            key = f"{reading.source}|{reading.factor}|{hour}"
            sums[key] += value
            counts[key] += 1


async def publish(source: str, hour: int) -> None:
    """The hour of a station, and its rows are gone."""
    keys = [f"{source}|{factor}|{hour}" for factor in AIR_FACTORS]
    message = arithmetic.published(source, hour, [sums[key] for key in keys], [counts[key] for key in keys])
    for key in keys:
        sums.pop(key, None)
        counts.pop(key, None)
    await hours.send(key=source, value=message)


if __name__ == "__main__":
    app.main()
