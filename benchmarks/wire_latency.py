"""Loggers on the whole system: how long from packet to 9014, and what an idle connection costs the gateway.

Run: ``python -m benchmarks.wire_latency``. ``envstream up`` runs as a user runs it, with worker and sink; a packet is
answered when the journal is synced and the broker has acknowledged. The loggers are one process beside it.
"""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

import psutil

from benchmarks.report import heading, line, percentile
from streams.logger_client import Address, Timing
from tests.e2e import system
from tests.e2e.loggers import Crowd, district

IDLE = (1_000, 2_000)
STEADY = ((50, 50), (500, 500))  # loggers, packets per second of all of them
STEADY_S = 15.0
SETTLE_S = 2.0
TIMING = Timing(over_time_s=10.0, re_count=3, patience_s=60.0)


def rss_kib(pid: int) -> float:
    """Resident memory of a process, KiB."""
    return psutil.Process(pid).memory_info().rss / 1024


async def idle(port: int, pid: int) -> None:
    """Connect loggers that say one packet and then nothing."""
    nothing = rss_kib(pid)
    line("gateway without connections", f"{nothing / 1024:.1f} MiB")
    crowd = Crowd(max(IDLE), Address("127.0.0.1", port), TIMING)
    try:
        begun = 0
        for count in IDLE:
            await crowd.open(begun, count)
            await asyncio.sleep(SETTLE_S)
            silent = rss_kib(pid)
            for number in range(begun, count):
                crowd.say(number, crowd.next_s)
            await crowd.finish()
            await asyncio.sleep(SETTLE_S)
            spoken = rss_kib(pid)
            line(
                f"{count:,} idle connections",
                f"{spoken / 1024:.1f} MiB",
                f"{(spoken - nothing) / count:.1f} KiB each",
                f"(before the last {count - begun:,} said their first packet: {silent / 1024:.1f} MiB)",
            )
            begun = count
    finally:
        crowd.close()
    await asyncio.sleep(SETTLE_S)
    line("all gone again", f"{rss_kib(pid) / 1024:.1f} MiB")


async def steady(port: int, pid: int, loggers: int, packets_per_s: int) -> None:
    """Packets evenly from many loggers: how long until each is answered."""
    crowd = Crowd(loggers, Address("127.0.0.1", port), TIMING)
    try:
        await crowd.open()
        cpu = sum(psutil.Process(pid).cpu_times()[:2])
        await crowd.talk(STEADY_S, packets_per_s)
        cpu = sum(psutil.Process(pid).cpu_times()[:2]) - cpu
        await crowd.finish()
    finally:
        crowd.close()
    waits = crowd.waits
    line(
        f"{loggers} loggers, {packets_per_s} packets/s for {STEADY_S:.0f} s",
        f"p50 {percentile(waits, 50) * 1e3:.1f} ms",
        f"p99 {percentile(waits, 99) * 1e3:.1f} ms",
        f"longest {max(waits) * 1e3:.0f} ms",
        f"gateway {cpu / len(waits) * 1e6:.0f} µs CPU a packet",
        f"loggers {crowd.cpu_share:.0%} of a core, at worst {crowd.worst_lag_s * 1e3:.0f} ms late",
    )


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory(prefix="envstream-bench-") as name:
        folder = Path(name)
        registry = folder / "wire.toml"
        registry.write_text(district(max(IDLE)), encoding="utf-8")
        with system.up(folder / "data", "--district", str(registry)) as running:
            port, pid = running.told()["port"], running.pid("gateway")
            heading("packet to 9014, the whole system on the embedded broker")
            for loggers, packets_per_s in STEADY:
                asyncio.run(steady(port, pid, loggers, packets_per_s))
            heading("memory of idle connections (resident memory of the gateway)")
            asyncio.run(idle(port, pid))


if __name__ == "__main__":
    main()
