"""The notifier: every notice to each of its persons once, by the first channel that takes it, all of it written down.

Reads no topic and makes no request by itself: notices come by :meth:`Notifier.take`, rows go to a :class:`Ledger`,
requests to a :class:`Way`, time is a :class:`~desk.notify.clock.Clock`.

The promise: nothing is sent before Kafka has the row ``sending``, and nothing that has a final row is sent again. So a
notice reaches a person once. What may go out twice, never more often, is a request whose end nobody knows: the process
died between sending and writing the outcome, or the answer did not come in time. It is sent once more, and the row
says so.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Coroutine, Iterable, Sequence
from typing import Protocol

from desk.notify import texts
from desk.notify.book import Book
from desk.notify.channel_secrets import Secrets
from desk.notify.clock import Clock
from desk.notify.lanes import Bundle, Job, Lane
from desk.notify.limits import Limits
from desk.notify.rates import Window
from desk.notify.requests import Outcome
from desk.notify.texts import RED
from schemas.alerts import DIGESTED, FAILED, GAVE_UP, KEPT, SENDING, SENT, Delivery, Notice, Recipient
from schemas.registry import Channel, Person, Registry

log = logging.getLogger("envstream.notify")

LIVE, VIRTUAL, DRILL = "live", "virtual", "drill"
_UNREACHED = "|unreached|"
_HOUR_MS = 3_600_000
_SHORT = 35
_ROWS_AT_ONCE = 500

ONCE_MORE = "上次发送结果未知，再发一次 sent once more: the last one may have gone out"
UNKNOWN = "两次发送结果未知，不再发送 two sendings without a known end: not sent a third time"
OLD, NO_CHANNELS = "过时，仅存档 too old to tell", "未配置渠道 no channel has its secret"
UNREAL = "虚拟时钟，仅存档 a virtual log: nobody is told"
NOBODY = "登记册中无此人 no such person in the registry"
ALL_FAILED = "全部渠道失败 every channel failed"


class Ledger(Protocol):
    """Where rows are written down."""

    async def append(self, deliveries: Sequence[Delivery], notices: Sequence[Notice] = ()) -> None:
        """Return when the broker has acknowledged all of them; waits for it as long as it takes."""
        ...


class Way(Protocol):
    """How a message goes out."""

    async def send(self, channel: Channel, message: texts.Message, now_ms: int) -> Outcome:
        """Send; raises nothing, and shows no secret."""
        ...


class Notifier:
    """Keeps the promise of this module for the notices it is given."""

    def __init__(
        self,
        way: Way,
        ledger: Ledger,
        secrets: Secrets,
        limits: Limits,
        clock: Clock,
        registry: Registry,
        *,
        mode: str = LIVE,
        told: Callable[[Delivery], None] = lambda row: None,
    ) -> None:
        """Make one; :meth:`begin` starts it.

        Args:
            way: sends.
            ledger: writes.
            secrets: of channels.
            limits: the table.
            clock: time.
            registry: in force; another one is set by assigning it.
            mode: live, virtual (nobody is told) or drill (a virtual log whose notices go to fakes, however old).
            told: called with each row, for metrics.
        """
        self.mode = mode
        self.book = Book()
        self.registry = registry
        self.failure: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.requests_in_flight = 0
        self._way, self._ledger, self._secrets = way, ledger, secrets
        self._limits, self._clock, self._told = limits, clock, told
        self._lanes: dict[tuple[str, str, bool], Lane] = {}
        self._windows: dict[tuple[str, str], tuple[Window, ...]] = {}
        self._caps: dict[str, Window] = {}
        self._jobs: dict[tuple[str, str], Job] = {}
        self._later: asyncio.Queue[tuple[list[Delivery], list[Notice]]] = asyncio.Queue()
        self._tasks: set[asyncio.Task[None]] = set()
        self._stopping = False

    @property
    def waiting(self) -> int:
        """Notices and persons that are not done."""
        return len(self._jobs)

    def begin(self, rows: Iterable[Delivery], notices: Iterable[Notice] = ()) -> None:
        """Start with what was written before; of ``notices`` the red ones do not count for their persons."""
        now = self._clock.now_ms()
        red = {notice.id for notice in notices if notice.level == RED}
        counted: set[tuple[str, str, str]] = set()
        for row in rows:
            self.book.see(row)
            if row.notice in red and row.state in (SENT, DIGESTED):
                continue
            once = (row.person, row.state, row.digest or row.id)
            if once not in counted and now - row.at < _HOUR_MS:
                counted.add(once)
                self._count_again(row)
        self._writing = self._start(self._write_later())

    def _count_again(self, row: Delivery) -> None:
        if row.state in (SENT, DIGESTED):
            self._cap(row.person).note(row.at)
        elif row.state == SENDING and (person := self.registry.person(row.person)) is not None:
            for channel in person.channels:
                if channel.kind == row.channel:
                    for window in self._windows_of(channel):
                        window.note(row.at)

    # ---- taking

    def take(self, notice: Notice, *, logged: bool = True) -> None:
        """Tell its persons, unless they were told. May be called again with the same notice.

        With ``logged=False`` rows are written afterwards.
        """
        for recipient in {r.person: r for r in notice.to}.values():
            self._take(notice, recipient, logged)

    def raise_own(self, notice: Notice) -> None:
        """Tell what was found out here, also while Kafka is away: notice and rows are written when it is back."""
        self._later.put_nowait(([], [notice]))
        self.take(notice, logged=False)

    def _take(self, notice: Notice, recipient: Recipient, logged: bool) -> None:
        key = (notice.id, recipient.person)
        told = self.book.of(*key)
        if key in self._jobs or self._is_forgotten(notice):
            return
        if told.final:
            if told.gave_up:  # the process may have ended before the chief was told of it
                self._tell_chief(notice, recipient.person, logged)
            return
        person = self.registry.person(recipient.person)
        channels = tuple(c for c in person.channels if self._secrets.can(c)) if person is not None else ()
        job = Job(notice, recipient.person, channels, attempt=told.attempts, unsure=len(told.unsure), logged=logged)
        kept = self._kept(notice, person, channels)
        if kept:
            self._write([self._row(job, KEPT, words=kept, final=True)])
        elif person is None or not channels:
            self._give_up(job, NOBODY if person is None else NO_CHANNELS)
        elif job.unsure >= self._limits.unsure_most:
            self._give_up(job, UNKNOWN)
        else:
            job.again = ONCE_MORE if job.unsure else ""
            self._jobs[key] = job
            self._lane(job.channel, logged).put(job)

    def _kept(self, notice: Notice, person: Person | None, channels: tuple[Channel, ...]) -> str:
        """Why nobody is told, or ""."""
        if self.mode == VIRTUAL:
            return UNREAL
        if self.mode == LIVE and self._clock.now_ms() - notice.at > self._limits.stale_h * _HOUR_MS:
            return OLD
        unset = person is not None and not channels and person.role == "enterprise"
        return NO_CHANNELS if unset or not self._secrets else ""

    def forget(self) -> None:
        """Of a live log what is so old that it is not asked for again; of others any notice may come again."""
        if self.mode == LIVE:
            self.book.forget(self._clock.now_ms() - self._limits.forget_ms)

    def _is_forgotten(self, notice: Notice) -> bool:
        """Said again while a journal is judged anew: what became of it may be forgotten, and is not written again."""
        return self.mode == LIVE and self._clock.now_ms() - notice.at > self._limits.forget_ms

    # ---- lanes

    def _windows_of(self, channel: Channel) -> tuple[Window, ...]:
        key = (channel.kind, channel.secret)
        found = self._windows.get(key)
        if found is None:
            windows = self._limits.kinds[channel.kind].windows
            found = self._windows[key] = tuple(Window(most, span_s * 1000) for most, span_s in windows)
        return found

    def _cap(self, person: str) -> Window:
        return self._caps.setdefault(person, Window(self._limits.person_per_hour, _HOUR_MS))

    def _lane(self, channel: Channel, logged: bool) -> Lane:
        key = (channel.kind, channel.secret, logged)
        lane = self._lanes.get(key)
        if lane is None:
            lane = self._lanes[key] = Lane(channel, self._windows_of(channel))
            self._start(self._run(lane))
        return lane

    async def _run(self, lane: Lane) -> None:
        while not self._stopping:
            lane.changed.clear()
            bundle, look_ms = lane.next(self._clock.now_ms(), self._cap)
            if bundle is not None:
                await self._send(lane, bundle)
            else:
                await self._clock.wait(lane.changed, look_ms)

    async def _send(self, lane: Lane, bundle: Bundle) -> None:
        logged = bundle.jobs[0].logged
        message = self._message(lane.channel, bundle)
        for job in bundle.jobs:
            job.attempt += 1
            job.tries += 1
        rows = [self._row(j, SENDING, words=j.again, digest=message.digest) for j in bundle.jobs]
        await self._written(rows, logged)
        self.requests_in_flight += 1
        try:
            outcome = await self._way.send(lane.channel, message, self._clock.now_ms())
        finally:
            self.requests_in_flight -= 1
        if not outcome.ok:
            at, said = lane.channel, f"{outcome.status or ''} {outcome.code} {outcome.words}"
            log.warning("%s %s, %d notices: %s", at.kind, at.secret, len(bundle.notices), said.strip())
        lane.note(self._clock.now_ms())  # the provider saw it before the answer came, not after
        await self._written(self._after(bundle, message, outcome), logged)
        for job in bundle.jobs:
            if not job.over:
                self._lane(job.channel, job.logged).put(job)
                continue
            del self._jobs[job.key]
            if not outcome.ok:
                self._tell_chief(job.notice, job.person, job.logged)

    def _message(self, channel: Channel, bundle: Bundle) -> texts.Message:
        persons = [p for p in map(self.registry.person, dict.fromkeys(j.person for j in bundle.jobs)) if p is not None]
        phones = [phone for p in persons if (phone := self._secrets.phone(p))] if channel.kind != "sms" else []
        notices = bundle.notices
        return texts.one(notices[0], phones) if len(notices) == 1 else texts.digest(notices, phones)

    def _after(self, bundle: Bundle, message: texts.Message, outcome: Outcome) -> list[Delivery]:
        """The rows of an outcome; jobs move on to where they are tried next, or are over."""
        now = self._clock.now_ms()
        rows = []
        for job in bundle.jobs:
            if outcome.ok:
                state = DIGESTED if message.digest else SENT
                job.over = True
                rows.append(self._row(job, state, outcome, words=job.again, digest=message.digest, final=True))
            else:
                rows.append(self._row(job, FAILED, outcome, words=job.again, digest=message.digest))
                job.over = not self._move_on(job, outcome, now)
                if job.over:
                    words = UNKNOWN if job.unsure >= self._limits.unsure_most else ALL_FAILED
                    rows.append(self._row(job, GAVE_UP, words=words, final=True, channel=""))
        if outcome.ok:
            # red, which nobody can hold back, must not use up what others may be told of
            for person in {job.person for job in bundle.jobs if job.notice.level != RED}:
                self._cap(person).note(now)
        return rows

    def _move_on(self, job: Job, outcome: Outcome, now_ms: int) -> bool:
        """Where a job goes after a failure; False when there is nothing left.

        The same channel after a pause, if that may help. Then, or at once, the next one. When all have failed, one
        last attempt by the first whose failure may have passed. What may have gone out is not repeated on a channel
        that hangs while there is another.
        """
        limits = self._limits
        job.again = ""
        if outcome.unsure:
            job.unsure += 1
            job.again = ONCE_MORE
            if job.unsure >= limits.unsure_most:
                return False
        if outcome.again and job.channel not in job.soft:
            job.soft.append(job.channel)
        if job.last_round:
            return False
        if outcome.again and not outcome.unsure and job.tries < limits.attempts:
            job.at_ms = now_ms + round(limits.back_off_s[job.tries - 1] * 1000)
        elif job.place + 1 < len(job.channels):
            job.place, job.tries, job.at_ms = job.place + 1, 0, now_ms
        elif job.soft:
            job.last_round, job.place, job.tries = True, job.channels.index(job.soft[0]), 0
            job.at_ms = now_ms + round(limits.back_off_s[-1] * 1000)
        else:
            return False
        return True

    # ---- nobody reached

    def _give_up(self, job: Job, words: str) -> None:
        self._jobs.pop(job.key, None)
        self._write([self._row(job, GAVE_UP, words=words, final=True)])
        self._tell_chief(job.notice, job.person, job.logged)

    def _tell_chief(self, notice: Notice, person: str, logged: bool) -> None:
        """Once, unless the chief is the one who could not be told; and nobody is told of a chief that was not."""
        name = f"{notice.id}{_UNREACHED}{person}"
        if _UNREACHED in notice.id or self.book.done(name):
            return
        chiefs = self.registry.roster.on_duty("chief", self._clock.now_ms() // 1000).persons
        if person in chiefs or not chiefs:
            return
        found = self.registry.person(person)
        who = found.name if found is not None else person
        to = [Recipient(chief, "chief") for chief in chiefs]
        self.take(
            Notice(
                name, notice.episode, notice.group, notice.kind, notice.reason, notice.level, notice.at, to,
                f"未能通知{who}：{notice.title}", notice.text, f"{person} could not be reached. {notice.text_en}",
                texts.cut_chars(f"未能通知{who}：{notice.short}", _SHORT),
            ),
            logged=logged,
        )  # fmt: skip

    # ---- rows

    def _row(
        self,
        job: Job,
        state: str,
        outcome: Outcome | None = None,
        *,
        words: str = "",
        digest: str = "",
        final: bool = False,
        channel: str | None = None,
    ) -> Delivery:
        notice = job.notice
        if channel is None:
            channel = job.channel.kind if state in (SENDING, SENT, FAILED, DIGESTED) else ""
        said = "; ".join(part for part in (words, outcome.words if outcome is not None else "") if part)
        return Delivery(
            id=f"{notice.id}|{job.person}|{channel}|{job.attempt}|{state}",
            notice=notice.id, episode=notice.episode, group=notice.group, person=job.person, channel=channel,
            attempt=job.attempt, state=state, at=self._clock.now_ms(), status=outcome.status if outcome else 0,
            code=outcome.code if outcome else "", words=said, body=outcome.body if outcome else "", digest=digest,
            final=final,
        )  # fmt: skip

    async def _written(self, rows: list[Delivery], logged: bool) -> None:
        if logged:
            await self._ledger.append(rows)
            self._saw(rows)
        else:
            self._write(rows)

    def _write(self, rows: list[Delivery]) -> None:
        """Without waiting for it; after a crash it is found out again."""
        self._saw(rows)
        self._later.put_nowait((rows, []))

    def _saw(self, rows: list[Delivery]) -> None:
        for row in rows:
            self.book.see(row)
            self._told(row)

    async def _write_later(self) -> None:
        while True:
            rows, notices = await self._later.get()
            taken = 1
            while not self._later.empty() and len(rows) < _ROWS_AT_ONCE:
                more, others = self._later.get_nowait()
                rows, notices, taken = rows + more, notices + others, taken + 1
            await self._ledger.append(rows, notices)
            for _ in range(taken):
                self._later.task_done()

    # ---- tasks

    def _start(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None and not self.failure.done():
            self.failure.set_exception(task.exception())  # type: ignore[arg-type]

    async def close(self, patience_s: float = 0.0) -> None:
        """Stop: what is on its way may end for so long; what is left of it is found out at the next start."""
        self._stopping = True
        for lane in self._lanes.values():
            lane.changed.set()
        running = [task for task in self._tasks if task is not self._writing]
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(patience_s):
                await asyncio.gather(*(asyncio.shield(task) for task in running), return_exceptions=True)
                await self._later.join()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self.failure.done() and not self.failure.cancelled():
            self.failure.exception()
        self.failure.cancel()
