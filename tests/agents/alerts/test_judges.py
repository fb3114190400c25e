"""Alerts as a part of a judge: a log with actions, killed at random moments, cut and ticked otherwise."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from schemas import alerts, blocks, topics
from schemas.actions import draft, identity
from schemas.messages import encode
from tests.agents import crashes, emission_log
from tests.agents.emission_log import START, TOPIC, EmissionJudge, block, hour, registry, tick

PEOPLE = """
[[person]]
id = "guo"
name = "郭"
role = "officer"
channels = [{ kind = "sms", secret = "A" }]
quiet = [{ from = "22:00", to = "07:00", up_to = "yellow" }]
[[person]]
id = "wang"
name = "王"
role = "chief"
channels = [{ kind = "sms", secret = "B" }]
[[person]]
id = "zhao"
name = "赵"
role = "director"
channels = [{ kind = "sms", secret = "C" }]
[[person]]
id = "han"
name = "韩"
role = "enterprise"
enterprise = "plant"
channels = [{ kind = "sms", secret = "D" }]
"""
TEXT = emission_log.REGISTRY.replace('industry = "power"', 'industry = "power"\ncontact = "han"') + PEOPLE
H1 = START + 10 * 3600
COMPARED = (topics.CONDITIONS, topics.EPISODES, topics.NOTICES)


class Log(emission_log.Log):
    """A log of the boiler with people."""

    def __init__(self, *messages: bytes) -> None:
        super().__init__(*messages, text=TEXT)

    @property
    def episodes(self) -> dict[str, dict[str, Any]]:
        """The last message of every episode."""
        return {o.key.decode(): json.loads(o.value) for o in self.outputs if o.topic == topics.EPISODES}

    @property
    def notices(self) -> list[dict[str, Any]]:
        """Every notice."""
        return [json.loads(o.value) for o in self.outputs if o.topic == topics.NOTICES]

    def told(self, about: str) -> list[tuple[str, str, str]]:
        """Reason, level and people of the notices about something."""
        found = [n for n in self.notices if n["episode"].split("|")[2] == about]
        return [(n["reason"], n["level"], " ".join(r["person"] for r in n["to"])) for n in found]


def act(what: str, by: str, episode: str, received_s: int, **data: str) -> bytes:
    """An action on an episode."""
    subject = "" if what == alerts.TAKE_OVER else episode.split("|")[1]
    named = {} if what == alerts.TAKE_OVER else {"episode": episode}
    found = draft(what, subject, START, received_s, by=by, why="说明", data={**named, **data})
    found.group, found.writer, found.received = "plant", "desk", received_s * 1000
    found.id = identity(found)
    return blocks.encode(found)


def test_an_exceedance_of_an_outlet_from_its_first_hour_to_its_end() -> None:
    log = Log(block([hour(H1, "45", zs="51.0")]))
    (episode,) = [e for e in log.episodes.values() if e["about"] == "NOx"]
    assert (episode["name"], episode["kind"], episode["level"], episode["began"]) == (
        "热电 锅炉", "emission", "yellow", H1 - 3600,
    )  # fmt: skip
    log.take(tick(H1 + 40 * 60))
    log.take(act("acknowledge", "guo", episode["id"], H1 + 42 * 60), act("handle", "guo", episode["id"], H1 + 43 * 60))
    log.packets([hour(H1 + 3600, "45", zs="52.0"), hour(H1 + 7200, "40", zs="40.0"), hour(H1 + 10800, "30", zs="30.0")])
    log.take(tick(H1 + 4 * 3600))
    assert log.told("NOx") == [
        ("first", "yellow", "guo han"),
        ("escalated", "yellow", "guo wang"),
        ("level-raised", "orange", "guo han wang"),
        ("recovered", "orange", "guo han wang"),
    ]
    assert log.notices[0]["at"] == (H1 + 60) * 1000
    log.take(act("close", "guo", episode["id"], H1 + 5 * 3600, cause="treatment", measure="更换喷淋泵"))
    episode = log.episodes[episode["id"]]
    assert (episode["state"], episode["cause"], episode["acknowledged_by"]) == ("closed", "treatment", "guo")
    assert not log.judge.actions.names()  # actions on alerts are events, not decisions that hold


def test_a_silent_plant_is_one_alert_of_the_enterprise() -> None:
    log = Log()
    log.packets([hour(H1), emission_log.water(H1, "20", "100")])
    log.take(tick(H1 + 12 * 3600))
    (silence,) = [e for e in log.episodes.values() if e["about"] == "silence"]
    assert (silence["subject"], {m["subject"] for m in silence["members"]}) == ("plant", {"boiler", "sewage"})
    assert log.told("silence")[0][0] == "first"


def test_maintenance_of_the_enterprise_mutes_its_silence_until_it_ends() -> None:
    log = Log(block([hour(H1), emission_log.water(H1, "20", "100")]))
    begin, end = H1, H1 + 8 * 3600
    log.take(emission_log.action("maintenance", "plant", begin, end, (H1 + 600) * 1000))
    log.take(tick(end - 1))
    (silence,) = [e for e in log.episodes.values() if e["about"] == "silence"]
    assert (log.told("silence"), silence["muted"]) == ([], "maintenance")
    log.take(tick(end))
    assert log.told("silence") == [("first", "red", "guo han wang zhao")]


def story(seed: int) -> list[bytes]:
    """Two days of a boiler that goes up and down and falls silent, and people who do whatever they like."""
    chance = random.Random(seed)
    messages: list[tuple[int, bytes]] = []
    level = 40.0
    for n in range(48):
        end = H1 + n * 3600
        level = min(90.0, max(20.0, level + chance.uniform(-15, 17)))
        if chance.random() < 0.85:
            after = chance.choice((30, 60, 900, 5000))
            mark = chance.choice((blocks.PLAIN,) * 9 + (blocks.BACKFILLED,))
            packet = hour(end, f"{level:.1f}", zs=f"{level:.1f}", so2=f"{level * 0.7:.1f}", after_s=after, mark=mark)
            messages.append((packet.received, block([packet], n)))
        if chance.random() < 0.5:
            at = end + chance.randrange(3600)
            messages.append((at * 1000, tick(at)))
    calm = run([m for _, m in sorted(messages, key=lambda m: m[0])])
    names = sorted({name for name, _ in calm["opened"]})
    for n, name in enumerate(chance.choices(names, k=25)):
        at = chance.randrange(H1, H1 + 48 * 3600)
        what = chance.choice(alerts.ALERT_ACTIONS)
        more = {"cause": "production"} if what == "close" else {}
        messages.append((at * 1000, act(what, chance.choice(("guo", "wang")), name, at + n % 2, **more)))
    if chance.random() < 0.5:
        at = chance.randrange(H1, H1 + 48 * 3600)
        messages.append((at * 1000, emission_log.action("maintenance", "boiler", at, at + 20_000, at * 1000)))
    return [message for _, message in sorted(messages, key=lambda m: m[0])]


def run(messages: list[bytes]) -> dict[str, Any]:
    """What a judge says of a log: episodes, notices by id, and which episodes were opened."""
    judge = EmissionJudge(0)
    outputs = [o for n, m in enumerate([registry(TEXT), *messages]) for o in judge.take(m, f"{TOPIC}/0/{n}")]
    found: dict[str, Any] = {"episodes": {}, "notices": {}, "opened": []}
    for one in outputs:
        if one.topic == topics.EPISODES:
            found["opened"].append((one.key.decode(), one.value))
            found["episodes"][one.key] = one.value
        elif one.topic == topics.NOTICES:
            name = json.loads(one.value)["id"]
            assert found["notices"].setdefault(name, one.value) == one.value
    return found


@pytest.mark.parametrize("seed", range(6))
def test_kills_change_no_episode_and_no_notice(seed: int) -> None:
    messages = story(seed)
    calm = run(messages)
    assert len(calm["notices"]) > 5
    said: dict[str, bytes] = {}

    class Recording(EmissionJudge):
        def publish(self, topic: str, key: bytes, message: Any) -> None:
            super().publish(topic, key, message)
            if topic == topics.NOTICES and not self.quiet:
                value = encode(message)
                assert said.setdefault(message.id, value) == value  # said again after a kill it is the same

    got = crashes.crashed(Recording, TOPIC, [registry(TEXT), *messages], random.Random(seed), COMPARED)
    assert got[topics.EPISODES] == calm["episodes"]
    assert set(said) == set(calm["notices"])


@pytest.mark.parametrize("seed", range(3))
def test_ticks_change_no_episode_and_no_notice(seed: int) -> None:
    messages = story(seed)
    calm = run(messages)
    ticked: list[bytes] = []
    now = 0
    for message in messages:
        found = blocks.decode(message)
        to = found.now if isinstance(found, blocks.Tick) else 0
        to = found.received[0] if isinstance(found, blocks.Block) else to
        to = found.received if isinstance(found, blocks.Action) else to
        if now:
            ticked += [blocks.encode(blocks.Tick("gw", at)) for at in range(now + 97_000, to, 97_000)]
        ticked.append(message)
        now = max(now, to)
    other = run(ticked)
    assert (other["episodes"], other["notices"]) == (calm["episodes"], calm["notices"])


@pytest.mark.parametrize("seed", range(3))
def test_an_acknowledgement_while_the_agent_restarts_counts_once(seed: int) -> None:
    log = Log(block([hour(H1, "45", zs="51.0")]))
    (name,) = [name for name, e in log.episodes.items() if e["about"] == "NOx"]
    both = [act("acknowledge", by, name, H1 + 600) for by in ("guo", "wang")]
    messages = [registry(TEXT), block([hour(H1, "45", zs="51.0")]), *both, *both, tick(H1 + 3600)]
    got = crashes.crashed(EmissionJudge, TOPIC, messages, random.Random(seed), COMPARED)
    episode = json.loads(got[topics.EPISODES][name.encode()])
    assert (episode["state"], episode["holder"]) == ("acknowledged", "guo")
    assert [(e["what"], e["by"]) for e in episode["history"] if e.get("by")] == [
        ("acknowledge", "guo"), ("acknowledge", "wang"),
    ]  # fmt: skip


def test_what_is_due_between_two_packets_of_a_block_has_its_own_instant() -> None:
    """The judge takes a block at once; the reminders of its first packet were due before its second came."""
    first = hour(H1, "80", zs="90.0", after_s=240)
    second = emission_log.replace(emission_log.water(H1, "20", "100"), received=(H1 + 25 * 60) * 1000)
    whole, cut = Log(block([first, second])), Log(block([first]), tick(H1 + 800), block([second], 1))
    assert whole.notices == cut.notices
    assert [(n["reason"], n["at"] // 1000 - H1) for n in whole.notices] == [
        ("first", 240), ("reminder", 840), ("reminder", 1440),
    ]  # fmt: skip


def test_what_a_timer_finds_out_is_known_since_then() -> None:
    """Minutes stopped at 10:20, their hour is judged at 11:05: nobody is late at 11:05 already."""
    log = Log()
    log.packets(emission_log.minutes(H1, 46, NOx="80", O2="6", flow="100"))
    log.take(tick(H1 + 301))
    assert [(n["reason"], n["at"] // 1000 - H1) for n in log.notices] == [("first", 300)]
