"""What loggers in the field do wrong on the wire, on demand and always the same for the same seed.

Chances are drawn per logger, QN and number of the sending, never from a running generator: how long an answer took
changes nothing in what the next packet looks like.
"""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Callable, Coroutine
from dataclasses import dataclass

from streams import hj212

_LINE_END = b"\r\n"
_FALSE_HEADER = b"##0999"
_CHATTER = (b"+CSQ: 17,99\r\n", b"\xff\xfd\x18\xff\xfd ", b"\0" * 16, _FALSE_HEADER, b"##", b"login: ")
_MOST_OFF = 40


@dataclass(frozen=True)
class Misbehaviour:
    """How a logger misbehaves; the default is not at all.

    Attributes:
        seed: of all chances.
        chunk_bytes: write so many bytes at a time (1 and 7 find most mistakes of a framer); 0: whole packets.
        chunk_pause_s: wait so long between two such writes: a slow loris.
        glued: so many packets in one write without line ends, before their answers are awaited; 0: not glued.
        stars: ``**`` between checksum and line end.
        lower_case_crc: the checksum in lower case.
        wrong_crc: share of sendings whose checksum does not fit.
        wrong_len: share of sendings whose LEN is some bytes off.
        garbage: share of sendings with something before them that is no packet.
        cut: share of sendings that end in the middle, and the connection with them.
        deaf: never reads what the gateway says.
        impatient: repeats every packet so many times at once, although it has not timed out.
        second_connection: share of packets that go out on another connection too.
        silent_after: after so many packets it says nothing for ``silent_s``; the connection stays.
        silent_s: seconds of that silence; 0: never silent.
        clock_off_hours: QN and DataTime are so many hours wrong, until the platform sets the clock (CN 1012).
    """

    seed: int = 0
    chunk_bytes: int = 0
    chunk_pause_s: float = 0.0
    glued: int = 0
    stars: bool = False
    lower_case_crc: bool = False
    wrong_crc: float = 0.0
    wrong_len: float = 0.0
    garbage: float = 0.0
    cut: float = 0.0
    deaf: bool = False
    impatient: int = 0
    second_connection: float = 0.0
    silent_after: int = 0
    silent_s: float = 0.0
    clock_off_hours: int = 0

    def chance(self, mn: str, qn: str, sending: int) -> random.Random:
        """The chances of one sending (from 1) of a packet."""
        return random.Random(f"{self.seed}|{mn}|{qn}|{sending}")  # noqa: S311 - no secret

    def utter(self, packet: bytes, chance: random.Random) -> bytes:
        """The bytes of one sending of a whole packet with its line end."""
        body = packet.removesuffix(_LINE_END)
        length, segment, crc = int(body[2:6]), body[6:-4], body[-4:]
        before = b""
        if chance.random() < self.garbage:
            before = chance.choice((*_CHATTER, chance.randbytes(chance.randrange(1, 64))))
        if chance.random() < self.wrong_crc:
            crc = b"%04X" % (int(crc, 16) ^ chance.randrange(1, 0x1_0000))
        if chance.random() < self.wrong_len:
            length = min(max(0, length + chance.choice((-1, 1)) * chance.randrange(1, _MOST_OFF)), 9999)
        if self.lower_case_crc:
            crc = crc.lower()
        end = b"" if self.glued else _LINE_END
        return b"%b##%04d%b%b%b%b" % (before, length, segment, crc, b"**" if self.stars else b"", end)

    def chunks(self, data: bytes) -> list[bytes]:
        """The data as it is written."""
        size = self.chunk_bytes or len(data) or 1
        return [data[at : at + size] for at in range(0, len(data), size)]


class BadMouth:
    """Writes the packets of one misbehaving logger."""

    def __init__(
        self,
        mn: str,
        how: Misbehaviour,
        address: tuple[str, int],
        emit: Callable[[bytes], None],
        hang_up: Callable[[], None],
        heard: Callable[[object], None],
    ) -> None:
        """Set up.

        Args:
            mn: of the logger.
            how: what it does wrong.
            address: of the gateway, for a second connection.
            emit: writes bytes on the present connection.
            hang_up: ends it, what was written goes out first.
            heard: told what the gateway says on a second connection.
        """
        self.how = how
        self._mn, self._address, self._emit, self._hang_up, self._heard = mn, address, emit, hang_up, heard
        self._loop = asyncio.get_running_loop()
        self._chunks: deque[bytes | None] = deque()  # None: hang up
        self._tasks: set[asyncio.Task[None]] = set()
        self._speaking: asyncio.Task[None] | None = None
        self._packets = 0
        self._silent_until: float | None = None

    def is_silent(self) -> bool:
        """Whether it says nothing of its own at present."""
        return self._silent_until is not None and self._loop.time() < self._silent_until

    def say(self, packets: list[tuple[str, bytes, int]]) -> None:
        """Write packets: QN, bytes, and which sending of that packet this is, from 1."""
        data, cut = b"", False
        for qn, packet, sending in packets:
            chance = self.how.chance(self._mn, qn, sending)
            uttered = self.how.utter(packet, chance) * (1 + self.how.impatient)
            data += uttered
            if chance.random() < self.how.second_connection and sending == 1:
                self._begin(self._say_beside(packet))
            if chance.random() < self.how.cut:
                data, cut = data[: -chance.randrange(1, len(uttered))], True
                break
        self._packets += len(packets)
        if self.how.silent_s and self._silent_until is None and self._packets >= self.how.silent_after:
            self._silent_until = self._loop.time() + self.how.silent_s
        self._chunks.extend(self.how.chunks(data))
        if cut:
            self._chunks.append(None)
        if not self.how.chunk_pause_s:
            while self._chunks:
                self._utter(self._chunks.popleft())
        elif self._speaking is None or self._speaking.done():
            self._speaking = self._begin(self._speak_slowly())

    def lost(self) -> None:
        """The connection ended; what was not written is forgotten."""
        self._chunks.clear()

    def close(self) -> None:
        """Fall silent."""
        for task in self._tasks:
            task.cancel()

    def _begin(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def _utter(self, chunk: bytes | None) -> None:
        if chunk is None:
            self._hang_up()
        else:
            self._emit(chunk)

    async def _speak_slowly(self) -> None:
        while self._chunks:
            self._utter(self._chunks.popleft())
            await asyncio.sleep(self.how.chunk_pause_s)

    async def _say_beside(self, packet: bytes) -> None:
        """The packet on a connection of its own, which ends with the first thing that is said there."""
        try:
            reader, writer = await asyncio.open_connection(*self._address)
        except OSError:
            return  # it was too much
        framer = hj212.Framer()  # answers are not enciphered
        try:
            writer.write(packet)
            answered = False
            while not answered and (data := await reader.read(65_536)):
                for piece in framer.feed(data):
                    answered = True
                    self._heard(piece)
        except OSError:
            pass  # the gateway hung up
        finally:
            writer.close()
