"""The simulated district through the whole path: what came in, and what the air came to."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.e2e import system

pytestmark = pytest.mark.whole


def test_seven_simulated_days_with_an_episode(tmp_path: Path) -> None:
    done = system.run(
        "up", "--once", "--json", "--data", tmp_path / "data", "--port", "0", "--control-port", "0",
        "--simulate", "7", "--scenario", "episode", "--scenario", "silent",
    )  # fmt: skip
    summary = json.loads(done.stdout)
    report, account, kinds = summary["replay"], summary["accounting"], summary["taken_in"]
    assert account["balanced"] and account["dead"] == 0 and summary["restarts"] == []
    assert account["in"] == report["packets"] == report["answered"]
    # eight stations and eight sections, an hour packet each; nothing of any kind of source is lost
    assert (kinds["air"]["sources"], kinds["air"]["hours"]) == (8, 8 * 7 * 24)
    assert account["stored"] + account["duplicates"] == sum(kinds[kind]["hours"] for kind in kinds)
    assert account["duplicates"] == 0
    assert (kinds["water"]["sources"], kinds["water"]["hours"]) == (8, 8 * 7 * 24)
    emission = kinds["emission"]["hours"] + kinds["emission"]["days"]
    assert emission == report["by_kind"]["outlet"] + report["by_kind"]["meters"]
    assert summary["backfilled"] > 0, "the silent logger sends what it owes with RF=1"
    # what the scenario's own file says must be concluded, written from the norm
    (truth,) = [t for t in report["truth"] if t["kind"] == "air_day"]
    days = {
        key: fields
        for key, fields in system.verdicts(tmp_path / "data").items()
        if key.startswith("air_day,") and "area=example," in key and "edition=2026" in key and "dust=keep" in key
    }
    expected = truth["expected"]
    polluted = [fields for fields in days.values() if f'category="{expected["category"]}"' in fields]
    assert len(polluted) == 2, "two days of the episode"
    assert all('primary="PM2.5"' in fields and "good=false" in fields for fields in polluted)
