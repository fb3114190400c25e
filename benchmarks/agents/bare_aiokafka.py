"""As little as one can do: aiokafka's ``getmany``, msgspec, slots in numpy, the hour mean; state in memory only.

It commits once a second and knows nothing after a crash but its offsets: the floor of what the data costs in Python.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from benchmarks.agents import arithmetic, told
from schemas import blocks


async def run() -> None:
    """Take blocks until killed."""
    consumer = AIOKafkaConsumer(
        told.INPUT,
        bootstrap_servers=told.BOOTSTRAP,
        group_id=told.GROUP,
        group_instance_id="bench",
        session_timeout_ms=told.SESSION_S * 1000,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
    )
    producer = AIOKafkaProducer(bootstrap_servers=told.BOOTSTRAP)
    open_hours: dict[int, arithmetic.SlottedHour] = defaultdict(arithmetic.SlottedHour)
    await consumer.start()
    await producer.start()
    committed = time.monotonic()
    while True:
        found = await consumer.getmany(timeout_ms=100)
        for at, messages in found.items():
            told.ready()
            for message in messages:
                block = blocks.decode(message.value)
                if isinstance(block, blocks.Block):
                    for key, hour in open_hours[at.partition].take(block):
                        await producer.send(told.OUTPUT, hour, key.encode())
        if time.monotonic() - committed > told.COMMIT_S:
            await producer.flush()
            await consumer.commit()
            committed = time.monotonic()


if __name__ == "__main__":
    asyncio.run(run())
