"""Readings by HTTP: real sockets, a real journal, the embedded broker."""

from __future__ import annotations

import asyncio
import datetime as dt
import gzip
import json
import ssl
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from schemas import topics
from streams import ingest_http, ingest_tokens, journal
from streams.clock import LIVE, WriterClock
from streams.ingest import Ingest
from streams.ingest_tokens import Tokens, TokensError
from streams.ingest_ways import Ways, WaysError, WaysPlan
from tests.streams.test_ingest import START, Use, message, serve

TOKEN = "t0ken-of-the-platform"
PLAN = WaysPlan(http=("127.0.0.1", 0), tokens=Tokens({"platform": TOKEN, "other": "another-long-token"}))
ALLOWED = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
LINES = ALLOWED | {"Content-Type": "application/x-ndjson"}


async def post(
    ports: dict[str, Any], body: bytes | list[Any] | dict[str, Any], headers: dict[str, str] | None = None, **more: Any
) -> tuple[int, dict[str, Any], Any]:
    """Status, answer and headers of a POST."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    scheme = "https" if "ssl" in more else "http"
    async with aiohttp.ClientSession() as session:
        url = f"{scheme}://127.0.0.1:{ports['http_port']}/v1/readings"
        async with session.post(url, data=data, headers=ALLOWED if headers is None else headers, **more) as answer:
            return answer.status, json.loads(await answer.read()), answer.headers


def served(folder: Path, use: Use, plan: WaysPlan = PLAN, **more: Any) -> list[journal.Record]:
    return serve(folder, plan, use, **more)


def raws(records: list[journal.Record]) -> list[str]:
    """Everything kept as evidence."""
    return [raw for r in records if r.topic == topics.PACKETS for raw in json.loads(r.value)["raw"]]


def dead(records: list[journal.Record]) -> list[str]:
    """Reasons of dead letters."""
    return [json.loads(r.value)["reason"] for r in records if r.topic == topics.DEAD]


def test_one_a_list_and_lines(tmp_path: Path) -> None:
    hours = [message(start=f"2026-11-22T0{h}:00", values={"SO2": h}) for h in range(6)]

    async def use(door: Ingest, ports: dict[str, Any]) -> None:
        status, answer, _ = await post(ports, hours[0])
        assert (status, answer) == (200, {"accepted": 1, "rejected_total": 0, "rejected": []})
        status, answer, _ = await post(ports, [hours[1], message(source="Mars"), hours[2], [], message(v=3)])
        assert (status, answer["accepted"]) == (200, 2)
        assert [(r["index"], r["reason"].partition(":")[0]) for r in answer["rejected"]] == [
            (1, "unlisted"), (3, "field"), (4, "field"),
        ]  # fmt: skip
        lines = b"\xef\xbb\xbf" + json.dumps(hours[3]).encode() + b"\r\n\n{bad\n" + json.dumps(hours[4]).encode()
        status, answer, _ = await post(ports, lines, LINES)
        assert (status, answer["accepted"]) == (200, 2)
        assert [(r["index"], r["reason"][:8]) for r in answer["rejected"]] == [(1, "not JSON")]
        assert (await post(ports, []))[:2] == (200, {"accepted": 0, "rejected_total": 0, "rejected": []})
        packed = gzip.compress(json.dumps(hours[5]).encode())
        assert (await post(ports, packed, ALLOWED | {"Content-Encoding": "gzip"}))[0] == 200

    records = served(tmp_path, use)
    kept = raws(records)
    assert {raw for raw in kept if raw.startswith('{"v": 1') and "Mars" not in raw} == {json.dumps(h) for h in hours}
    assert kept.count("{bad") == 1 and kept.count("[]") == 1
    assert len(dead(records)) == 4


def test_answered_only_when_the_log_has_it(tmp_path: Path) -> None:
    async def use(door: Ingest, ports: dict[str, Any]) -> None:
        real, gate = door.intake.writer.append, asyncio.Event()

        async def slow(records: list[journal.Record], **options: Any) -> None:
            await gate.wait()
            await real(records, **options)

        door.intake.writer.append = slow  # type: ignore[method-assign]
        asked = asyncio.create_task(post(ports, message()))
        done, _ = await asyncio.wait([asked], timeout=0.5)
        assert not done
        gate.set()
        assert (await asked)[0] == 200

    assert len(raws(served(tmp_path, use))) == 1


def test_kafka_away_means_later_and_what_waits_is_not_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ingest_http, "ACKNOWLEDGE_S", 0.2)

    async def use(door: Ingest, ports: dict[str, Any]) -> None:
        real, gate = door.intake.writer.append, asyncio.Event()

        async def slow(records: list[journal.Record], **options: Any) -> None:
            await gate.wait()
            await real(records, **options)

        door.intake.writer.append = slow  # type: ignore[method-assign]
        status, answer, headers = await post(ports, message())
        assert status == 503 and int(headers["Retry-After"]) > 0 and "again" in answer["error"]
        door.intake.full = True
        assert (await post(ports, message(source="full")))[0] == 503
        door.intake.full = False
        gate.set()
        while door.intake.waiting or (await post(ports, message()))[0] != 200:
            await asyncio.sleep(0.05)

    kept = raws(served(tmp_path, use))
    assert len(kept) >= 2 and not any("full" in raw for raw in kept)


def test_nothing_is_taken_while_the_wall_clock_is_not_believed(tmp_path: Path) -> None:
    wall = [(START + 7200) * 1000]
    clock = WriterClock(LIVE, wall_ms=lambda: wall[0], since_boot_ms=lambda: 0)

    async def use(door: Ingest, ports: dict[str, Any]) -> None:
        async with aiohttp.ClientSession() as session:
            url = f"http://127.0.0.1:{ports['http_port']}/health"
            async with session.get(url) as answer:
                assert (answer.status, await answer.json()) == (200, {"status": "ok"})
            wall[0] += 3_600_000
            assert (await post(ports, message()))[0] == 503
            async with session.get(url) as answer:
                assert answer.status == 503 and "clock" in (await answer.json())["status"]
        clock.confirm()
        assert (await post(ports, message()))[0] == 200

    assert len(raws(served(tmp_path, use, clock=clock))) == 1


def test_who_may_not(tmp_path: Path) -> None:
    async def use(door: Ingest, ports: dict[str, Any]) -> None:
        for said in (None, TOKEN, f"Basic {TOKEN}", "Bearer", "Bearer ", f"Bearer {TOKEN}x", f"Bearer {TOKEN[:-1]}"):
            headers = {"Content-Type": "application/json"} | ({"Authorization": said} if said else {})
            status, answer, told = await post(ports, message(), headers)
            assert status == 401 and told["WWW-Authenticate"] == "Bearer", said
            assert TOKEN not in json.dumps(answer)
        status, _, _ = await post(ports, message(), ALLOWED | {"Authorization": "bearer another-long-token"})
        assert status == 200

    assert len(raws(served(tmp_path, use))) == 1


def test_what_is_no_json_is_refused_and_kept(tmp_path: Path) -> None:
    async def use(door: Ingest, ports: dict[str, Any]) -> None:
        bodies = (b"SO2=12", b'"text"', json.dumps(message()).encode() * 2, b"[1", b"\xff")
        for body in bodies:
            status, answer, _ = await post(ports, body)
            assert status == 400 and "JSON" in answer["error"], body
        assert (await post(ports, b""))[0] == 400
        assert (await post(ports, b"not gzip", ALLOWED | {"Content-Encoding": "gzip"}))[0] == 400
        for kind in ("text/csv", "application/octet-stream", "text/json"):
            assert (await post(ports, message(), ALLOWED | {"Content-Type": kind}))[0] == 415
        assert (await post(ports, b" " * (ingest_http.MOST_BODY_BYTES + 1)))[0] == 413
        bomb = gzip.compress(b" " * (50 * ingest_http.MOST_BODY_BYTES))
        assert (await post(ports, bomb, ALLOWED | {"Content-Encoding": "gzip"}))[0] == 413
        assert (await post(ports, message()))[0] == 200

    records = served(tmp_path, use)
    assert raws(records)[:5] == ["SO2=12", '"text"', json.dumps(message()) * 2, "[1", "\xff"]
    assert len(dead(records)) == 5


def test_a_slow_body_and_too_many_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ingest_http, "READ_S", 2.0)
    monkeypatch.setattr(ingest_http, "MOST_AT_ONCE", 1)
    head = (
        f"POST /v1/readings HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {TOKEN}\r\nContent-Type: application/json\r\n"
    )

    async def use(door: Ingest, ports: dict[str, Any]) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", ports["http_port"])
        writer.write(head.encode() + b"Content-Length: 100\r\n\r\n{")
        await writer.drain()
        await asyncio.sleep(0.1)
        assert (await post(ports, message()))[0] == 503  # the one place is taken
        assert b"408" in await asyncio.wait_for(reader.readline(), 10)
        writer.close()
        assert (await post(ports, message()))[0] == 200
        # a head that never ends
        reader, writer = await asyncio.open_connection("127.0.0.1", ports["http_port"])
        writer.write(head.encode())
        assert await asyncio.wait_for(reader.read(), 10) == b""
        writer.close()

    assert len(raws(served(tmp_path, use))) == 1


def test_as_many_readings_as_a_request_may_have_are_taken_whole(tmp_path: Path) -> None:
    count = 5_000

    async def use(door: Ingest, ports: dict[str, Any]) -> None:
        one = b'{"v":1,"source":"school","period":"realtime","start":"2026-11-22T%02d:%02d:%02d","values":{"SO2":1}}'
        body = b"\n".join(one % (n // 3600, n // 60 % 60, n % 60) for n in range(count))
        status, answer, _ = await post(ports, body, LINES)
        assert (status, answer) == (200, {"accepted": count, "rejected_total": 0, "rejected": []})

    assert len(set(raws(served(tmp_path, use)))) == count


def test_more_readings_than_that_are_refused_at_once_and_the_next_request_is_taken(tmp_path: Path) -> None:
    async def use(door: Ingest, ports: dict[str, Any]) -> None:
        for body, headers in (
            (b"[" + b"0," * 499_999 + b"0]", ALLOWED),
            (b"[" + b"0," * 5_000 + b"0]", ALLOWED),
            (b"0\n\n" * 5_001, LINES),
            (b" \r\nx" * 200_000, LINES),
        ):
            status, answer, _ = await post(ports, body, headers)
            assert status == 413 and "5000" in answer["error"] and "200" in answer["error"]
        assert (await post(ports, message()))[0] == 200

    assert raws(served(tmp_path, use)) == [json.dumps(message())]


def test_an_answer_lists_the_first_hundred_and_counts_all(tmp_path: Path) -> None:
    async def use(door: Ingest, ports: dict[str, Any]) -> None:
        status, answer, _ = await post(ports, [message(), *[0] * 4_999])
        assert (status, answer["accepted"], answer["rejected_total"]) == (200, 1, 4_999)
        assert [each["index"] for each in answer["rejected"]] == list(range(1, 101))

    assert len(raws(served(tmp_path, use))) == 5_000


def test_a_reading_with_too_many_values_costs_itself(tmp_path: Path) -> None:
    many = [message(values={f"x{n}": n for n in range(count)}) for count in (200, 201, 3_000)]

    async def use(door: Ingest, ports: dict[str, Any]) -> None:
        status, answer, _ = await post(ports, many)
        assert (status, answer["accepted"]) == (200, 1)
        assert [each["index"] for each in answer["rejected"]] == [1, 2]
        assert all(each["reason"].startswith("size: a reading has at most 200") for each in answer["rejected"])

    assert len(dead(served(tmp_path, use))) == 2


def test_others_have_their_turn_while_a_request_is_taken_apart(tmp_path: Path) -> None:
    body = json.dumps([message(values={f"x{n}": n for n in range(200)})] * 100).encode()

    async def use(door: Ingest, ports: dict[str, Any]) -> None:
        turns, seen = 0, []
        real = door.message

        def counted(raw: bytes, peer: str) -> Any:
            seen.append((turns, len(raw)))
            return real(raw, peer)

        door.message = counted  # type: ignore[method-assign]

        async def others() -> None:
            nonlocal turns
            while True:
                await asyncio.sleep(0)
                turns += 1

        task = asyncio.create_task(others())
        for sent in (body, b"[" + b"0," * 999 + b"0]"):
            await post(ports, sent)
        task.cancel()
        portions: dict[int, list[int]] = {}
        for turn, size in seen:
            portions.setdefault(turn, []).append(size)
        assert sum(map(len, portions.values())) == 1_100
        assert all(len(sizes) <= 100 and sum(sizes) <= 32 * 1024 for sizes in portions.values())

    served(tmp_path, use)


def certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(dt.datetime(2020, 1, 1, tzinfo=dt.UTC))
        .not_valid_after(dt.datetime(2120, 1, 1, tzinfo=dt.UTC))
        .sign(key, hashes.SHA256())
    )
    cert_file, key_file = folder / "cert.pem", folder / "key.pem"
    cert_file.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    key_file.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return cert_file, key_file


def test_tls(tmp_path: Path) -> None:
    cert, key = certificate(tmp_path)

    async def use(door: Ingest, ports: dict[str, Any]) -> None:
        trusting = ssl.create_default_context(cafile=str(cert))
        trusting.check_hostname = False
        assert (await post(ports, message(), ssl=trusting))[0] == 200
        with pytest.raises(aiohttp.ClientError):
            await post(ports, message())

    served(tmp_path, use, WaysPlan(http=PLAN.http, tokens=PLAN.tokens, tls=(cert, key)))
    with pytest.raises(WaysError, match=r"--cert .*nowhere"):
        Ways(WaysPlan(http=PLAN.http, tokens=PLAN.tokens, tls=(tmp_path / "nowhere", key)))


def test_http_without_a_port_is_refused() -> None:
    ways = Ways(PLAN)
    assert ways._socket is not None
    taken = ways._socket.getsockname()[1]
    with pytest.raises(WaysError, match=rf"port {taken} .*--http"):
        Ways(WaysPlan(http=("127.0.0.1", taken), tokens=PLAN.tokens))
    ways._socket.close()


# ---- tokens


def test_tokens_from_the_environment_and_a_file(tmp_path: Path) -> None:
    path = tmp_path / "tokens.toml"
    path.write_text('[token]\nplatform = "from-the-file-0001"\nbureau = "from-the-file-0002"\n')
    path.chmod(0o600)
    tokens = ingest_tokens.load(
        {"ENVSTREAM_INGEST_TOKENS": str(path), "ENVSTREAM_INGEST_TOKEN_platform": "from-environment-1"}
    )
    assert len(tokens) == 2
    said = ("from-environment-1", "from-the-file-0002", "from-the-file-0001", "", "\udcff")
    assert [tokens.owner(s) for s in said] == ["platform", "bureau", None, None, None]
    assert "from" not in repr(tokens)
    with pytest.raises(TokensError, match="nobody has a token: set ENVSTREAM_INGEST_TOKEN_<NAME>"):
        ingest_tokens.load({})


def test_wrong_tokens_are_all_named_and_none_is_shown(tmp_path: Path) -> None:
    path = tmp_path / "tokens.toml"
    path.write_text('[token]\na = "secret-short"\nb = 7\n"c d" = "secret-long-enough-1"\ne = "secret-long-enough-1"\n')
    path.chmod(0o644)
    with pytest.raises(TokensError) as refused:
        ingest_tokens.load({"ENVSTREAM_INGEST_TOKENS": str(path)})
    text = str(refused.value)
    for part in ("chmod 600", "token of a", "token.b", "'c d'", "one token for both"):
        assert part in text
    assert "secret" not in text
    for content in ("[token", "x = 1", "[token]\n[more]\n"):
        path.write_text(content)
        path.chmod(0o600)
        with pytest.raises(TokensError, match="token"):
            ingest_tokens.load({"ENVSTREAM_INGEST_TOKENS": str(path)})
    with pytest.raises(TokensError, match="nowhere"):
        ingest_tokens.load({"ENVSTREAM_INGEST_TOKENS": str(tmp_path / "nowhere")})
