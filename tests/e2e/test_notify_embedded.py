"""Notify beside the embedded broker: what was told is in the journal, and survives the broker and the notifier."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from streams import journal
from tests.desk.notifying import notice
from tests.desk.robots import in_a_thread
from tests.e2e import system
from tests.e2e.notifying import Notify, deliveries, finals, tell
from tests.services.embedded import wait_for

pytestmark = pytest.mark.whole


def test_what_was_told_is_not_told_again_after_everything_died(tmp_path: Path) -> None:
    now = time.time_ns() // 1_000_000
    notices = [notice(f"n{n}", "guo", "wang-chief", level="red", at=now) for n in range(5)]
    district = str(system.ROOT / "districts" / "example")
    with in_a_thread() as robots, system.up(tmp_path / "data", "--district", district) as up:
        robots.secrets["DUTY_ROBOT"] = "SEC-DUTY_ROBOT"

        def start() -> Notify:
            told = up.told()
            control = f"127.0.0.1:{told['control_port']}"
            words = ("--embedded", "--bootstrap", told["bootstrap"], "--control", control, "--robots", robots.url)
            return Notify(tmp_path, *words)

        notify = start()
        tell(up.told()["bootstrap"], notices[:3])
        wait_for(lambda: len(robots.accepted()) == 6, 30)
        wait_for(lambda: len(finals(deliveries(up.told()["bootstrap"], 0.5))) == 6, 30)
        notify.kill()
        tell(up.told()["bootstrap"], notices[3:4])
        notify = start()
        wait_for(lambda: len(robots.accepted()) == 8, 30)
        wait_for(lambda: len(finals(deliveries(up.told()["bootstrap"], 0.5))) == 8, 30)
        notify.kill()
        up.kill("broker")
        time.sleep(1.0)
        wait_for(lambda: Path(up.folder / "up.json").exists(), 60)
        notify = start()
        before = {(n.id, r.person): 1 for n in notices[:4] for r in n.to}
        wait_for(lambda: finals(deliveries(up.told()["bootstrap"], 1.0)) == before, 30)
        tell(up.told()["bootstrap"], notices)  # the judge says all of it again, after a rebuild
        wait_for(lambda: len(robots.accepted()) == 10, 30)
        time.sleep(1.0)
        notify.end()
        assert len(robots.taken) == 10
        assert {t.kind for t in robots.taken} == {"dingtalk", "wecom"}
    told = [record for record in journal.read(tmp_path / "data" / "journal") if record.topic == "deliveries"]
    assert len(told) == 20  # sending and sent, of five notices to two persons
