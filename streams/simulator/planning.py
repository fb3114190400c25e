"""From what a person asks for to a plan that can be carried out, or every reason why not."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from schemas import times
from schemas.registry import Registry
from streams import device_secrets
from streams.simulator import fitting
from streams.simulator import scenarios as files
from streams.simulator.devices import devices
from streams.simulator.simulate import folder_of
from streams.simulator.timeline import Plan

DEFAULT_START: Final = dt.date(2026, 4, 6)
"""A Monday under the limits of 2026, before the summer."""
ALL: Final = "all"
YEARS: Final = (1900, 2200)
"""Of a registry's dates."""


class PlanError(ValueError):
    """What was asked for cannot be simulated; the text has every reason, one a line."""


def plan_of(
    registry: Registry,
    district: Path,
    *,
    days: int,
    start: dt.date | None = None,
    seed: int = 1,
    scenarios: Sequence[str] = (),
    full: Sequence[str] = (),
    wall: bool = False,
) -> Plan:
    """The plan of a run, checked against the district.

    Args:
        registry: of the district.
        district: its file or folder, beside which its scenarios are.
        days: how many.
        start: first day; None for ``DEFAULT_START``, or today by the wall clock.
        seed: of chance.
        scenarios: files, or names of the district's, with ``@STRENGTH`` or without.
        full: days with instants and minutes: ``3``, ``2-4``, ``all``.
        wall: the run is by the wall clock.

    Raises:
        PlanError: days that are none, a wall clock with another start, scenarios that cannot be read or do not fit;
            with all reasons.
    """
    errors: list[str] = []
    today = times.civil(int(time.time())).date()
    if wall and start not in (None, today):
        errors.append(f"--start {start}: --speed 1 is the wall clock: leave one of them out")
    first = start or (today if wall else DEFAULT_START)
    last = first.toordinal() + days - 1
    if not dt.date(YEARS[0], 1, 2).toordinal() <= first.toordinal() <= last <= dt.date(YEARS[1], 12, 31).toordinal():
        errors.append(f"--start {first}: a run is within {YEARS[0]} to {YEARS[1]}, as the dates of a registry are")
        raise PlanError("\n".join(errors))
    in_full: set[int] = set()
    for text in full:
        found = _days(text, days)
        if found is None:
            errors.append(f"--full {text}: days of a run of {days}, written as 3, 2-4 or all")
        else:
            in_full.update(found)
    if not any(devices(registry, first)):
        errors.append(f"--start {first}: nobody of the registry speaks on that day: look at its valid_from")
    chosen: list[files.Scenario] = []
    for name in scenarios:  # one by one: a file that cannot be read hides nothing of the others
        try:
            chosen += files.load([name], folder_of(district))
        except files.ScenarioError as error:
            errors.append(str(error))
    try:
        fitting.check(chosen, registry, first, days)
    except files.ScenarioError as error:
        errors.append(str(error))
    try:
        secrets = device_secrets.load()
    except device_secrets.SecretsError as error:
        errors.append(str(error))
    if errors:
        raise PlanError("\n".join(errors))
    keys = {g.mn: key for g in registry.loggers if g.sm4 and (key := secrets.sm4_key(g.mn)) is not None}
    return Plan(first, days, seed, tuple(chosen), frozenset(in_full), keys, _passwords(registry, secrets))


def _days(text: str, days: int) -> range | None:
    if text == ALL:
        return range(1, days + 1)
    first, dash, last = text.partition("-")
    if not first.isdigit() or (dash and not last.isdigit()):
        return None
    found = range(int(first), int(last or first) + 1)
    return found if found and found[0] >= 1 and found[-1] <= days else None


def _passwords(registry: Registry, secrets: device_secrets.DeviceSecrets) -> dict[str, str]:
    return {g.mn: known for g in registry.loggers if (known := secrets.password(g.mn)) is not None}
