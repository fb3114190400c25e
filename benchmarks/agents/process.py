"""A contestant's process, looked at from outside: when it is ready, its CPU seconds, its memory, its end."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Mapping
from pathlib import Path

import psutil

from benchmarks.agents.told import READY
from benchmarks.report import ROOT

PREPARE_S = 60


class Ended(RuntimeError):
    """A contestant ended by itself; the text has its last words."""


class Running:
    """Commands one after the other, the last of which stays. Its stdout says when it is ready."""

    def __init__(self, commands: list[list[str]], env: Mapping[str, str], log: Path) -> None:
        self._log = log
        whole = {**os.environ, **env}
        with log.open("ab") as file:
            for command in commands[:-1]:
                subprocess.run(command, cwd=ROOT, env=whole, stdout=file, stderr=file, timeout=PREPARE_S, check=True)
            self.process = subprocess.Popen(
                commands[-1], cwd=ROOT, env=whole, stdout=subprocess.PIPE, stderr=file, start_new_session=True
            )
        self.ready_at: float | None = None
        self.ready_cpu = 0.0
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if self.ready_at is None and READY in line.decode(errors="replace"):  # Faust's spinner ends no line
                self.ready_cpu = self.cpu()
                self.ready_at = time.monotonic()

    def _tree(self) -> list[psutil.Process]:
        try:
            process = psutil.Process(self.process.pid)
            return [process, *process.children(recursive=True)]
        except psutil.Error:
            return []

    def cpu(self) -> float:
        """CPU seconds of the tree so far, with those of children that have ended."""
        found = 0.0
        for process in self._tree():
            with contextlib.suppress(psutil.Error):
                times = process.cpu_times()
                found += times.user + times.system + times.children_user + times.children_system
        return found

    def memory_mib(self) -> float:
        """Resident memory of the tree now."""
        found = 0
        for process in self._tree():
            with contextlib.suppress(psutil.Error):
                found += process.memory_info().rss
        return found / 2**20

    def check(self) -> None:
        """Nothing when it still runs.

        Raises:
            Ended: it does not.
        """
        if self.process.poll() is not None:
            lines = self._log.read_text(errors="replace").strip().splitlines()
            words = next((line for line in lines if "Error: " in line or " ERROR " in line), "".join(lines[-1:]))
            raise Ended(f"ended with {self.process.returncode}: {words[:200]}")

    def kill(self) -> None:
        """SIGKILL to the whole tree, which is a session of its own."""
        self._signal(signal.SIGKILL)
        self.process.wait()

    def end(self) -> None:
        """SIGTERM, and after a while SIGKILL."""
        self._signal(signal.SIGTERM)
        try:
            self.process.wait(8)
        except subprocess.TimeoutExpired:
            self.kill()

    def _signal(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, number)
