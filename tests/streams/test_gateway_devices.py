"""The gateway and its devices: dialogue, safety, units, editions, requests, the clock guard, the registry."""

from __future__ import annotations

import asyncio
import datetime as dt
import re
import ssl
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Producer

from schemas import registry, times, topics
from schemas.messages import HOUR_MISSING, Condition, encode
from streams import connection, hj212, part_metrics
from streams.clock import LIVE, WriterClock
from streams.device_secrets import DeviceSecrets
from streams.log_follower import LogFollower
from tests.streams.served import Served, found, line, rows, serve

STATION, OUTLET, OLD = "BJAIR2013000000000000001", "010000A8900016F000169DC0", "88888880000001"
KEY = bytes.fromhex("0123456789abcdeffedcba9876543210")
START = times.parse_stamp("20261122080000")
TEXT = f"""format = 1
[receive]
most_per_address = 20
idle_s = 60
[[group]]
id = "air"
[[group]]
id = "plant"
[[area]]
id = "a"
name = "a"
group = "air"
[[station]]
id = "station"
name = "s"
area = "a"
mn = "{STATION}"
valid_from = 2020-01-01
[[enterprise]]
id = "works"
name = "w"
industry = "power"
group = "plant"
[[outlet]]
id = "stack"
enterprise = "works"
name = "o"
mn = "{OUTLET}"
medium = "gas"
process = "coal_boiler"
ref_o2_pct = "6"
factors = ["SO2", "NOx", "PM", "O2", "flow"]
valid_from = 2020-01-01
[[outlet]]
id = "old-stack"
enterprise = "works"
name = "o2"
mn = "{OLD}"
medium = "gas"
process = "coal_boiler"
ref_o2_pct = "6"
factors = ["SO2", "NOx", "PM", "O2", "flow"]
valid_from = 2020-01-01
[[limit]]
outlet = ["stack", "old-stack"]
kind = "legal"
basis = "test"
averaging = "hour"
unit = "mg/m3"
most = {{ NOx = "50" }}
valid_from = 2020-01-01
"""


def district(more: str = "") -> registry.Registry:
    return registry.parse(TEXT + more, "test")


def live() -> WriterClock:
    """A live clock that stands at the hour of the packets."""
    return WriterClock(LIVE, wall_ms=lambda: (START + 3600) * 1000, since_boot_ms=lambda: 0)


def said(
    cn: str, content: str, *, mn: str = OUTLET, st: str = "31", qn: str = "20261122090000001", **more: Any
) -> bytes:
    return hj212.build(
        st=st, cn=cn, mn=mn, qn=qn, pw=more.pop("pw", "123456"), flag=more.pop("flag", 5), content=content, **more
    )


HOUR = (
    "DataTime=20261122080000;a21002-Min=44.0,a21002-Avg=50.0,a21002-ZsAvg=61.0,a21002-Cou=12.48,a21002-Flag=N;"
    "a19001-Avg=8.7"
)


def test_an_hour_of_a_stack_goes_to_the_plants_with_all_it_says(tmp_path: Path) -> None:
    async def use(served: Served) -> None:
        (answer,) = await served.say(said("2061", HOUR), answers=1)
        assert b"CN=9014" in answer

    records = serve(tmp_path, district(), use, clock=live())
    place = {r.partition for r in records if r.topic == topics.READINGS_EMISSION}
    assert place == {topics.partition_of("plant", 4)}
    hour = (START + 3600, "h")
    assert rows(records, topics.READINGS_EMISSION) == [
        ("stack", *hour, "NOx-Min", "a21002", "", 440, "1", "N", "_"),
        ("stack", *hour, "NOx", "a21002", "", 500, "1", "N", "_"),
        ("stack", *hour, "NOx-Zs", "a21002", "", 610, "1", "N", "_"),
        ("stack", *hour, "NOx-Cou", "a21002", "", 1248, "2", "N", "_"),
        ("stack", *hour, "O2", "a19001", "", 87, "1", "_", "_"),
    ]


def test_three_editions_say_the_same(tmp_path: Path) -> None:
    async def use(served: Served) -> None:
        old = hj212.build(st="31", cn="2061", mn=OUTLET, pw="123456", content="DataTime=20261122080000;03-Avg=50.0")
        assert await served.say(old, answers=0) == []
        content = "DataTime=20261122080000;a21002-Avg=50.0"
        assert b"Flag=4;" in (await served.say(said("2061", content), answers=1))[0]
        assert b"Flag=8;" in (await served.say(said("2061", content, flag=9, rf=True), answers=1))[0]

    found_rows = rows(serve(tmp_path, district(), use, clock=live()), topics.READINGS_EMISSION)
    assert {(*row[:4], *row[5:8]) for row in found_rows} == {("stack", START + 3600, "h", "NOx", "", 500, "1")}
    assert [(row[4], row[9]) for row in found_rows] == [("03", "_"), ("a21002", "_"), ("a21002", "R")]


def test_units_and_scales_of_a_device(tmp_path: Path) -> None:
    more = f"""[[logger]]
mn = "{OUTLET}"
units = {{ flow = "m3/h", SO2 = "ug/m3" }}
scale = {{ O2 = "0.1" }}
"""

    async def use(served: Served) -> None:
        content = "DataTime=20261122080000;a00000-Avg=316812.3;a21026-Avg=35000;a19001-Avg=87;a21002-Avg=50"
        await served.say(said("2061", content), answers=1)

    found_rows = rows(serve(tmp_path, district(more), use, clock=live()), topics.READINGS_EMISSION)
    # m3/h to m3/s is no move of the point: the unit stands beside the value; ug/m3 and tenths are moves
    assert [(r[3], r[5], r[6], r[7]) for r in found_rows] == [
        ("flow", "m3/h", 3168123, "1"), ("SO2", "", 35000, "3"), ("O2", "", 87, "1"), ("NOx", "", 50, "0"),
    ]  # fmt: skip


def test_minutes_days_instants_and_states_have_their_ends(tmp_path: Path) -> None:
    async def use(served: Served) -> None:
        at = "DataTime=20261122080000;a21002-Avg=50.0"
        await served.say(said("2051", at), answers=1)
        await served.say(said("2011", at.replace("Avg", "Rtd")), answers=1)
        await served.say(said("2031", "DataTime=20261121000000;a21002-Avg=50.0"), answers=1)
        await served.say(said("2021", "DataTime=20261122080000;SB1-RS=1"), answers=1)

    found_rows = rows(serve(tmp_path, district(), use, clock=live()), topics.READINGS_EMISSION)
    midnight = times.parse_stamp("20261122000000")
    assert [row[1:4] for row in found_rows] == [
        (START + 600, "m", "NOx"), (START, "r", "NOx"), (midnight, "d", "NOx"), (START, "s", "SB1-RS"),
    ]  # fmt: skip


@pytest.mark.parametrize("cn", ["9015", "1013"])
def test_notices_are_answered_by_9013(cn: str, tmp_path: Path) -> None:
    async def use(served: Served) -> None:
        (answer,) = await served.say(said(cn, "PolId=a"), answers=1)
        assert b"QN=20261122090000001;ST=91;CN=9013" in answer
        assert await served.say(said(cn, "", flag=4), answers=0) == []

    records = serve(tmp_path, district(), use, clock=live())
    assert [v for e in found(records, topics.PACKETS) for v in e["verdict"]] == ["dialogue"] * 2
    assert not found(records, topics.DEAD)


def test_what_nobody_judges_is_kept_and_a_vendors_command_not_answered(tmp_path: Path) -> None:
    async def use(served: Served) -> None:
        await served.say(said("9021", ""), answers=0)
        await served.say(said("2081", "RestartTime=20261122080000"), answers=1)

    records = serve(tmp_path, district(), use, clock=live())
    assert [v for e in found(records, topics.PACKETS) for v in e["verdict"]] == ["kept"] * 2
    assert not found(records, topics.DEAD)


def test_a_resend_in_flight_joins_the_pending_one(tmp_path: Path) -> None:
    async def use(served: Served) -> None:
        real, gate = served.gateway.writer.append, asyncio.Event()

        async def slow(records: list[Any], **options: Any) -> None:
            await gate.wait()
            await real(records, **options)

        served.gateway.writer.append = slow  # type: ignore[method-assign]
        reader, writer = await served.connect()
        writer.write(said("2061", HOUR) * 3)
        await asyncio.sleep(0.1)
        other_reader, other = await served.connect()
        other.write(said("2061", HOUR))
        await asyncio.sleep(0.1)
        gate.set()
        # one answer, where it was said last
        assert b"CN=9014" in await line(other_reader)
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(reader.read(1), 0.1)
        # afterwards it is a packet like any other: its 9014 may have been lost
        writer.write(said("2061", HOUR))
        assert b"CN=9014" in await line(reader)
        writer.close()
        other.close()

    records = serve(tmp_path, district(), use, clock=live())
    assert sum(len(e["raw"]) for e in found(records, topics.PACKETS)) == 2


def test_a_password_that_is_wrong(tmp_path: Path) -> None:
    more = f'[[logger]]\nmn = "{OUTLET}"\npassword = true\n'

    async def use(served: Served) -> None:
        await served.say(said("2061", HOUR, pw="wrong1"), answers=0)
        await served.say(said("2061", HOUR, pw="right1"), answers=1)

    records = serve(tmp_path, district(more), use, clock=live(), secrets=DeviceSecrets(passwords={OUTLET: "right1"}))
    assert [v for e in found(records, topics.PACKETS) for v in e["verdict"]] == ["password", "ok"]
    (letter,) = found(records, topics.DEAD)
    assert OUTLET in letter["reason"] and "right1" not in letter["reason"]
    assert len(rows(records, topics.READINGS_EMISSION)) == 5


def test_a_sealed_packet_is_opened_and_one_without_key_is_evidence(tmp_path: Path) -> None:
    more = "".join(f'[[logger]]\nmn = "{mn}"\nsm4 = true\nedition = 2025\n' for mn in (OUTLET, STATION))
    content = HOUR.encode()

    def seal(data: bytes) -> bytes:
        from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

        at = data.index(content)
        whole = len(content) // 16 * 16
        box = Cipher(algorithms.SM4(KEY), modes.ECB()).encryptor()
        return data[:at] + box.update(content[:whole]) + data[at + whole :]

    async def use(served: Served) -> None:
        (answer,) = await served.say(seal(said("2061", HOUR, flag=9)), answers=1)
        assert b"CN=9014" in answer and b"Flag=8" in answer
        # nobody gave the station's key; the good packet behind it survives
        await served.say(seal(said("2061", HOUR, mn=STATION, flag=9)) + said("2061", HOUR), answers=1)

    records = serve(tmp_path, district(more), use, clock=live(), secrets=DeviceSecrets({OUTLET: KEY}))
    assert len(rows(records, topics.READINGS_EMISSION)) == 10
    verdicts = [v for e in found(records, topics.PACKETS) for v in e["verdict"]]
    assert sorted(v.partition(":")[0] for v in verdicts) == ["ok", "ok", "sealed"]


# ---- safety


async def ended(reader: asyncio.StreamReader) -> bool:
    """Whether the gateway ended the connection."""
    try:
        return await asyncio.wait_for(reader.read(), 5) == b""
    except ConnectionError:
        return True


def test_an_address_has_so_many_connections_and_no_more(tmp_path: Path) -> None:
    async def use(served: Served) -> None:
        open_ones = [await served.connect() for _ in range(20)]
        reader, _ = await served.connect()
        assert await ended(reader)
        open_ones[0][1].close()
        await asyncio.sleep(0.1)
        assert len(await served.say(said("2061", HOUR), answers=1)) == 1

    serve(tmp_path, district(), use, clock=live())


def test_who_never_finishes_a_packet_is_let_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "PARTIAL_S", 0.2)
    whole = said("2061", HOUR)

    async def use(served: Served) -> None:
        reader, writer = await served.connect()
        try:
            for byte in whole[:60] * 20:  # a byte now and then, and never a packet
                writer.write(bytes([byte]))
                await asyncio.sleep(0.01)
        except ConnectionError:
            pass
        assert await ended(reader)
        # one that is only slow gets its answer
        reader, writer = await served.connect()
        writer.write(whole[:50])
        await asyncio.sleep(0.05)
        writer.write(whole[50:])
        assert b"CN=9014" in await line(reader)

    records = serve(tmp_path, district(), use, clock=live())
    assert any("cut off" in v for e in found(records, topics.PACKETS) for v in e["verdict"])


def test_junk_strangers_and_idlers_are_let_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "STRANGER_S", 0.2)

    async def use(served: Served) -> None:
        reader, writer = await served.connect()
        writer.write(b"x" * (2 * connection.MOST_JUNK_BYTES))
        assert await ended(reader)
        reader, _ = await served.connect()
        assert await ended(reader)  # said nothing
        reader, writer = await served.connect()
        writer.write(said("2061", HOUR))
        await line(reader)
        (known,) = served.gateway.connections
        loop = asyncio.get_running_loop()
        known.check(loop.time() + 59, 60.0)
        assert known.transport is not None and not known.transport.is_closing()
        known.check(loop.time() + 61, 60.0)
        assert await ended(reader)

    serve(tmp_path, district(), use, clock=live())


def test_a_metrics_page_names_what_a_person_on_call_asks(tmp_path: Path) -> None:
    async def use(served: Served) -> None:
        await served.say(said("2061", HOUR), answers=1)
        await served.say(b"##0004oopsFFFF\r\n", answers=0)
        await served.say(said("2061", HOUR, mn="NOBODY"), answers=0)
        port = part_metrics.serve(served.gateway.metrics.registry, "127.0.0.1", 0)

        def page() -> str:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as reply:
                return str(reply.read().decode())

        text = await asyncio.get_running_loop().run_in_executor(None, page)
        values = dict(re.findall(r"^(envstream_\S+) (\S+)$", text, re.M))
        assert values['envstream_packets_total{verdict="ok"}'] == "1.0"
        assert values['envstream_packets_total{verdict="crc"}'] == "1.0"
        assert values['envstream_packets_total{verdict="unlisted"}'] == "1.0"
        assert values['envstream_answers_total{cn="9014"}'] == "1.0"
        assert values["envstream_acknowledged_seconds_count"] == "3.0"
        assert values["envstream_sources"] == "3.0"
        assert "NOBODY" not in text, "labels must not grow with what strangers send"

    serve(tmp_path, district(), use, clock=live())


# ---- clock, requests, registry


def test_while_the_clock_is_not_believed_nothing_is_taken(tmp_path: Path) -> None:
    wall = [(START + 3600) * 1000]
    clock = WriterClock(LIVE, wall_ms=lambda: wall[0], since_boot_ms=lambda: 0)

    async def use(served: Served) -> None:
        reader, writer = await served.connect()
        writer.write(said("2061", HOUR))
        await line(reader)
        wall[0] += 86_400_000
        writer.write(said("2061", HOUR, qn="20261122090000002"))
        with pytest.raises(asyncio.TimeoutError):
            await line(reader, 1.0)
        reply = await served.ask(op="confirm")
        assert reply["held"] and reply["jump_ms"] == 86_400_000
        wall[0] -= 86_400_000  # set right again: what waited is taken, at the right time
        assert b"QN=20261122090000002" in await line(reader)
        wall[0] += 3_600_000
        writer.write(said("2061", HOUR, qn="20261122090000003"))
        with pytest.raises(asyncio.TimeoutError):
            await line(reader, 0.7)
        _, other = await served.connect()
        other.write(said("2061", HOUR, qn="20261122090000004"))
        other.close()  # it does not wait; what it said is taken all the same
        await asyncio.sleep(0.1)
        await served.ask(op="confirm", confirm=True)
        assert b"QN=20261122090000003" in await line(reader)

    records = serve(tmp_path, district(), use, clock=clock)
    received = [r for e in found(records, topics.PACKETS) for r in e["received"]]
    assert [(r // 1000 - START) // 3600 for r in received] == [1, 1, 2, 2]


def test_missing_hours_are_asked_for_and_arrive(tmp_path: Path) -> None:
    async def use(served: Served) -> None:
        reader, writer = await served.connect()
        writer.write(said("2061", HOUR))
        await line(reader)
        reply = await served.ask(op="backfill", source="stack", cn="2061", begin_s=START - 7200, end_s=START - 3600)
        assert reply == {"ok": True, "hours": 2}
        request = (await line(reader)).decode()
        assert "ST=31;CN=2061;PW=123456;" in request and "BeginTime=20261122060000" in request
        assert "EndTime=20261122070000" in request
        qn = request.partition("QN=")[2][:17]
        writer.write(said("9011", "QnRtn=1", st="91", qn=qn, flag=4))
        for n, hour in enumerate(("06", "07")):
            writer.write(said("2061", HOUR.replace("1122080000", f"1122{hour}0000"), qn=f"2026112209010000{n}"))
            assert b"CN=9014" in await line(reader)
        writer.write(said("9012", "ExeRtn=1", st="91", qn=qn, flag=4))
        await asyncio.sleep(0.2)
        (logger,) = (await served.ask(op="loggers"))["loggers"]
        assert logger["last_request"].endswith("done, 2 packets") and logger["asked"] is None
        refused = await served.ask(op="backfill", source="nobody", cn="2061", begin_s=START, end_s=START)
        assert not refused["ok"] and "nobody is no source" in refused["error"]

    found_rows = rows(serve(tmp_path, district(), use, clock=live()), topics.READINGS_EMISSION)
    assert {row[1] for row in found_rows} == {START + 3600, START, START - 3600}


def test_hours_owed_are_read_from_the_log(tmp_path: Path) -> None:
    def owed(state: str, hour: int) -> bytes:
        at = START + hour * 3600  # end of the only hour
        return encode(Condition(f"c{hour}", state, HOUR_MISSING, "plant", "stack", "", at, at, "test", until=at))

    async def use(served: Served) -> None:
        gateway, loop = served.gateway, asyncio.get_running_loop()
        follower = LogFollower(gateway.writer.bootstrap, 4, loop, gateway.follow, None)
        producer = Producer({"bootstrap.servers": gateway.writer.bootstrap})
        for state, hour in (("began", -3), ("began", -1), ("ended", -3)):
            producer.produce(topics.CONDITIONS, owed(state, hour), partition=1)
        producer.produce(topics.CONDITIONS, b"of another version", partition=1)
        await loop.run_in_executor(None, producer.flush, 10)
        for _ in range(100):
            await asyncio.sleep(0.05)
            if gateway.requests.waiting == 1:
                break
        reader, writer = await served.connect()
        writer.write(said("2061", HOUR))
        await line(reader)
        request = await line(reader)
        # the hour that ends at 07:00 begins at 06:00; the one that came meanwhile is not asked for
        assert b"BeginTime=20261122060000" in request and b"EndTime=20261122060000" in request
        await loop.run_in_executor(None, follower.close)
        writer.close()

    serve(tmp_path, district(), use, clock=live())


def test_a_clock_is_set_only_where_the_registry_says_so(tmp_path: Path) -> None:
    async def use(served: Served) -> None:
        for mn, allowed in ((OUTLET, True), (OLD, False)):
            reader, writer = await served.connect()
            writer.write(said("1013", "", mn=mn))
            assert b"CN=9013" in await line(reader)
            if allowed:
                request = await line(reader)
                assert b"CN=1012" in request and b"SystemTime=20261122090000" in request
            else:
                with pytest.raises(asyncio.TimeoutError):
                    await line(reader, 0.8)
        reply = await served.ask(op="command", source="old-stack", cn="1012")
        assert not reply["ok"] and "commands" in reply["error"]
        assert not (await served.ask(op="command", source="stack", cn="3011"))["ok"]

    more = f'[[logger]]\nmn = "{OUTLET}"\ncommands = [1012]\n'
    serve(tmp_path, district(more), use, clock=live())


def test_another_registry_holds_from_its_place_in_the_log(tmp_path: Path) -> None:
    new = "NEW0000000000000000000001"[:24]
    more = f"""[[station]]
id = "added"
name = "n"
area = "a"
mn = "{new}"
valid_from = 2020-01-01
"""
    air = "DataTime=20261122080000;a21026-Avg=9"

    async def use(served: Served) -> None:
        await served.say(said("2061", air, mn=new, st="22"), answers=0)
        assert not (await served.ask(op="registry", text="format = 1\nnonsense = 1", place="bad.toml"))["ok"]
        reply = await served.ask(op="registry", text=TEXT + more, place="district.toml")
        assert reply["ok"] and reply["changed"]
        assert not (await served.ask(op="registry", text=TEXT + more, place="district.toml"))["changed"]
        await served.say(said("2061", air, mn=new, st="22", qn="20261122090000002"), answers=1)

    records = serve(tmp_path, district(), use, clock=live())
    order = [
        (r.topic, b'"kind":"registry"' in r.value)
        for r in records
        if r.topic in (topics.PACKETS, topics.READINGS_AIR) and r.partition in (0, topics.partition_of("air", 4))
    ]
    assert order.index((topics.READINGS_AIR, True)) < order.index((topics.READINGS_AIR, False))
    assert [row[0] for row in rows(records, topics.READINGS_AIR)] == ["added"]


def test_split_packets_lost_values_and_clocks_are_counted(tmp_path: Path) -> None:
    async def use(served: Served) -> None:
        for n, part in enumerate((1, 3)):
            data = said("2061", HOUR, flag=7, pnum=3, pno=part, qn=f"2026112209000000{n}")
            assert len(await served.say(data, answers=1)) == 1
        for n, second in enumerate((0, 60, 240)):  # 08:00, 08:01, 08:04: two instants never came
            at = times.stamp(START + second)
            qn = f"{times.stamp(START + 3600 + 480 + second)}{n:03d}"
            await served.say(said("2011", f"DataTime={at};a21002-Rtd=50", qn=qn), answers=1)
        (session,) = served.gateway.sessions.values()
        assert session.lost_realtime == 2
        assert session.overdue((START + 3600) * 1000 + 60_001) == 1 and session.incomplete == 1
        (logger,) = (await served.ask(op="loggers"))["loggers"]
        assert logger["drift_ms"] == 480_000, "the median of five: eight minutes ahead"

    serve(tmp_path, district(), use, clock=live())


def test_loggers_that_can_do_tls(tmp_path: Path) -> None:
    from streams.gateway_service import GatewayError, GatewayPlan, _listen

    certificate(tmp_path)
    receive = f'port = 9212\n[receive.tls]\nport = 9214\ncert = "{tmp_path}/c.pem"\nkey = "{tmp_path}/k.pem"\n'
    more = TEXT.replace("most_per_address = 20\nidle_s = 60\n", receive)
    plan = GatewayPlan("", registry.parse(more, "test"), DeviceSecrets(), "127.0.0.1", 0, 0)
    ports = _listen(plan)
    for each in (ports.loggers, ports.control, ports.tls):
        assert each is not None
        each.close()

    async def use(served: Served) -> None:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(
            lambda: connection.Connection(served.gateway), "127.0.0.1", 0, ssl=ports.context
        )
        trusting = ssl.create_default_context(cafile=str(tmp_path / "c.pem"))
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", server.sockets[0].getsockname()[1], ssl=trusting, server_hostname="localhost"
        )
        writer.write(said("2061", HOUR))
        assert b"CN=9014" in await line(reader)
        writer.close()
        server.close()

    serve(tmp_path / "log", district(), use, clock=live())
    (tmp_path / "k.pem").write_text("nothing")
    with pytest.raises(GatewayError, match=r"k\.pem"):
        _listen(plan)


def certificate(folder: Path) -> None:
    """A self-signed certificate of localhost."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    (folder / "c.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (folder / "k.pem").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
