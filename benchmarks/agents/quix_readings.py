"""Quix Streams with a message per reading, keyed by station; the open hour of a station is its state.

Set here: ``commit_interval`` one second (default five) so that a crash repeats as little as with the others; static
membership, so that a restart need not wait for the dead member; the changelog topic on, as by default.
"""

from __future__ import annotations

from quixstreams import Application, State

from benchmarks.agents import arithmetic, told


def application() -> Application:
    """The settings of both ways."""
    return Application(
        broker_address=told.BOOTSTRAP,
        consumer_group=told.GROUP,
        auto_offset_reset="earliest",
        commit_interval=told.COMMIT_S,
        state_dir=told.FOLDER,
        consumer_extra_config={"session.timeout.ms": told.SESSION_S * 1000, "group.instance.id": "bench"},
        loglevel="WARNING",
    )


def take(reading: dict, state: State) -> list[bytes]:
    """Add a reading to its hour; what is published because an hour is over."""
    told.ready()
    hour = arithmetic.hour_of(reading["end"])
    kept = state.get("hour")
    out = []
    if kept is None or kept[0] != hour:
        if kept is not None:
            out.append(arithmetic.published(reading["source"], *kept))
        kept = [hour, [0] * arithmetic.SIX, [0] * arithmetic.SIX]
    value = arithmetic.thousandths(reading["value"], reading["places"], reading["flag"])
    if value is not None:
        f = arithmetic.FACTORS[reading["factor"]]
        kept[1][f] += value
        kept[2][f] += 1
    state.set("hour", kept)
    return out


def main() -> None:
    """Run until killed."""
    app = application()
    readings = app.topic(told.INPUT, value_deserializer="json")
    hours = app.topic(told.OUTPUT, value_serializer="bytes")
    app.dataframe(readings).apply(take, stateful=True, expand=True).to_topic(hours)
    app.run()


if __name__ == "__main__":
    main()
