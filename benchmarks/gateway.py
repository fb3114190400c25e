"""The gateway alone: reading and packing without sockets, then loggers over loopback TCP with a broker and a journal.

Run: ``python -m benchmarks.gateway``; ``--profile`` prints where the reading and packing goes instead.

Over TCP nobody judges, so the pacing by the readers of the embedded broker is off; everything else is as in
``envstream up``: a packet is answered when the journal is synced and the broker has acknowledged. Latency at the rate
of real districts, through all parts, is ``benchmarks.wire_latency``.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.report import (
    DISTRICT,
    ROOT,
    SAMPLE,
    cpu_seconds,
    heading,
    line,
    median_seconds,
    peak_mib,
    percentile,
    profile,
)
from benchmarks.wire import textbook
from schemas import hj212_codes, times
from schemas.registry import Registry, load, parse
from streams import hj212
from streams.air_csv import read_air_csv
from streams.clock import LIVE, VIRTUAL, WriterClock
from streams.connection import Connection
from streams.gateway import Gateway
from streams.journal import Journal, Record
from streams.voices import Voices
from streams.writer import Writer

PACKETS = 6_000
BATCHES = (1, 12, 100, 500)
LOGGERS = (1, 12, 100)
FLAT_OUT_S = 5.0
WARM_UP_S = 1.0
NAMED = "BENCH{:019d}"


def packets_of_sample(registry: Registry) -> list[bytes]:
    """The first packets of the sample, as its loggers send them."""
    rows = read_air_csv(SAMPLE)
    voices = Voices(registry)
    found = []
    for row in range(PACKETS):
        end = int(rows.end[row])
        voice = voices.of(rows.stations[rows.station[row]], times.date_of(times.day_of(end)))
        readings = voice.readings([texts[row] for texts in rows.texts])
        found.append(hj212.hour_packet(f"{times.stamp(end)}{row % 1000:03d}", voice.mn, "123456", end - 3600, readings))
    return found


# ---- without sockets and broker


class _Nowhere:
    """A writer that appends to nothing."""

    name, partitions, journal = "gw", 4, None

    async def append(self, records: list[Record], *, wait: bool = True, keep: bool = True) -> None:
        """Forget them."""


class _Transport(asyncio.Transport):
    """A logger's side that does not listen."""

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return ("127.0.0.1", 1)

    def is_closing(self) -> bool:
        return False

    def write(self, data: Any) -> None:
        pass


async def _through(registry: Registry, packets: list[bytes], batch: int) -> None:
    clock = WriterClock(VIRTUAL, 1_451_606_400_000)
    gateway = Gateway(_Nowhere(), registry, clock)  # type: ignore[arg-type]
    connection = Connection(gateway)
    connection.connection_made(_Transport())
    for at in range(0, len(packets), batch):
        for packet in packets[at : at + batch]:
            connection.data_received(packet)
        await gateway.intake._write_all()


def plain(packets: list[bytes]) -> int:
    """What one would write first: checksum byte by byte, split, and a JSON message for each reading."""
    size = 0
    codes = {code: factor for factor, code in hj212_codes.AIR_CODES.items()}
    for packet in packets:
        found = textbook(packet)
        fields, start = found.pop("head"), found.pop("DataTime")["DataTime"]
        for code, items in found.items():
            message = {
                "mn": fields["MN"],
                "qn": fields["QN"],
                "time": start,
                "factor": codes[code],
                "value": items.get(f"{code}-Avg"),
                "flag": items[f"{code}-Flag"],
            }
            size += len(json.dumps(message))
    return size


def without_sockets(registry: Registry, packets: list[bytes]) -> None:
    """Framing, checksum, parsing, blocks, evidence and answers; the packets of one write at a time."""
    line("packets, bytes of one", f"{len(packets):,}", f"{sum(map(len, packets)) // len(packets)}")
    by_hand = median_seconds(lambda: plain(packets), 3)
    line("plain: a JSON message per reading", f"{len(packets) / by_hand:8,.0f} packets/s")
    for batch in BATCHES:
        seconds = median_seconds(lambda batch=batch: asyncio.run(_through(registry, packets, batch)), 3)
        line(
            f"gateway, {batch} packets to a write",
            f"{len(packets) / seconds:8,.0f} packets/s",
            f"{seconds / len(packets) * 1e6:5.0f} µs a packet",
            f"{by_hand / seconds:4.1f} x plain",
        )


# ---- over TCP, with a broker and a journal


def many_stations(count: int) -> str:
    """A registry of so many loggers."""
    head = DISTRICT.read_text(encoding="utf-8").partition("[[station]]")[0]
    return head + "".join(
        f'[[station]]\nid = "s{n}"\nname = "s{n}"\narea = "beijing"\n'
        f'mn = "{NAMED.format(n)}"\nvalid_from = 2013-01-01\n\n'
        for n in range(count)
    )


async def serve(bootstrap: str, folder: Path) -> None:
    """A gateway in a process of its own; tells its port."""
    registry = parse(many_stations(max(LOGGERS)), "benchmark")
    writer = Writer(bootstrap, name="gw", journal=Journal(folder / "journal"))
    if writer._pacer is not None:
        writer._pacer.close()
        writer._pacer = None
    gateway = Gateway(writer, registry, WriterClock(LIVE))
    server = await asyncio.get_running_loop().create_server(lambda: Connection(gateway), "127.0.0.1", 0)
    print(json.dumps({"port": server.sockets[0].getsockname()[1]}), flush=True)
    await gateway.intake.run()


class _Logger(asyncio.Protocol):
    """Sends a packet, waits for its answer, and sends the next one: at once, or when told."""

    def __init__(self, number: int, again: bool) -> None:
        self.mn, self.again = NAMED.format(number), again
        self.waits: list[float] = []
        self.sent = 0
        self.begun = 0.0
        self.buffer = b""
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def send(self) -> None:
        """The next packet: an hour of six readings."""
        hour = 1_446_307_200 + self.sent % 8760 * 3600
        qn = f"{times.stamp(hour)}{self.sent % 1000:03d}"
        readings = {"SO2": "9", "NO2": "104", "CO": "1.9", "O3": "7", "PM10": "132", "PM2.5": "83"}
        data = hj212.hour_packet(qn, self.mn, "123456", hour, readings)
        self.sent += 1
        self.begun = time.perf_counter()
        assert self.transport is not None
        self.transport.write(data)

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        if not self.buffer.endswith(b"\r\n"):
            return
        assert b"CN=9014" in self.buffer
        self.buffer = b""
        self.waits.append(time.perf_counter() - self.begun)
        if self.again:
            self.send()


async def _loggers(port: int, count: int, again: bool) -> list[_Logger]:
    loop = asyncio.get_running_loop()
    found = [_Logger(number, again) for number in range(count)]
    for each in found:
        await loop.create_connection(lambda each=each: each, "127.0.0.1", port)
    return found


async def flat_out(port: int, count: int, pid: int) -> None:
    """Loggers that send as soon as they are answered."""
    loggers = await _loggers(port, count, again=True)
    for each in loggers:
        each.send()
    await asyncio.sleep(WARM_UP_S)
    for each in loggers:
        each.waits.clear()
    cpu, begun = cpu_seconds(pid), time.perf_counter()
    await asyncio.sleep(FLAT_OUT_S)
    waits = [wait for each in loggers for wait in each.waits]
    seconds, cpu = time.perf_counter() - begun, cpu_seconds(pid) - cpu
    for each in loggers:
        each.again = False
    await asyncio.sleep(0.2)
    _close(loggers)
    line(
        f"{count} loggers, each waiting for its answer",
        f"{len(waits) / seconds:8,.0f} packets/s",
        f"p50 {percentile(waits, 50) * 1e3:5.1f} ms",
        f"p99 {percentile(waits, 99) * 1e3:5.1f} ms",
        f"{cpu / max(len(waits), 1) * 1e6:4.0f} µs CPU a packet",
    )


def _close(loggers: list[_Logger]) -> None:
    for each in loggers:
        if each.transport is not None:
            each.transport.close()


def told(process: subprocess.Popen[str]) -> dict[str, Any]:
    """The line a part says when it is ready."""
    assert process.stdout is not None
    text = process.stdout.readline()
    if not text:
        sys.exit("gateway: a part did not start")
    return dict(json.loads(text))


def over_tcp() -> None:
    """Broker and gateway as processes, loggers here."""
    parts: list[subprocess.Popen[str]] = []

    def part(*words: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", *words], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        parts.append(process)
        return process

    with tempfile.TemporaryDirectory(prefix="envstream-bench-") as folder:
        try:
            bootstrap = told(part("envstream", "broker"))["bootstrap"]
            gateway = part("benchmarks.gateway", "serve", bootstrap, folder)
            port = told(gateway)["port"]
            disk(Path(folder))
            for count in LOGGERS:
                asyncio.run(flat_out(port, count, gateway.pid))
            line("gateway", f"{peak_mib(gateway.pid):.0f} MiB peak")
        finally:
            for process in reversed(parts):
                process.send_signal(signal.SIGKILL)
                process.wait()


def disk(folder: Path) -> None:
    """How long the disk takes to sync a block: nothing is answered sooner."""
    with open(folder / "probe", "wb", buffering=0) as file:

        def sync() -> None:
            file.write(b"x" * 4096)
            os.fdatasync(file.fileno())

        line("the disk alone: 4 KiB written and synced", f"{median_seconds(sync, 101) * 1e3:.2f} ms (median)")


def main(words: list[str]) -> None:
    """Measure and print."""
    if words[:1] == ["serve"]:
        asyncio.run(serve(words[1], Path(words[2])))
        return
    registry = load(DISTRICT)
    packets = packets_of_sample(registry)
    if "--profile" in words:
        profile(lambda: asyncio.run(_through(registry, packets, 12)))
        return
    heading("framing, checksum, parsing, packing; no sockets, no broker")
    without_sockets(registry, packets)
    heading("loopback TCP, embedded broker, synced journal")
    over_tcp()


if __name__ == "__main__":
    main(sys.argv[1:])
