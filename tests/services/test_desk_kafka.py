"""The desk on a real Kafka, in a process of its own beside a gateway: what is answered is in the log."""

from __future__ import annotations

import http.cookiejar
import json
import os
import re
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator

import pytest
from confluent_kafka import Producer

from schemas import blocks, topics
from schemas.alerts import Episode
from schemas.messages import encode
from streams.admin import create_topics
from tests.e2e import system
from tests.services.embedded import wait_for
from tests.services.fixtures import free_port
from tests.services.test_actions_kafka import DISTRICT, PARTITIONS, live, messages

pytestmark = pytest.mark.needs_kafka
__all__ = ["live"]

TOKEN = "token-of-guo-0123456789"


class Page:
    """A browser without a screen."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self._open = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar())
        )

    def get(self, path: str) -> tuple[int, str]:
        return self._ask(urllib.request.Request(self.url + path))

    def post(self, path: str, **data: str) -> tuple[int, str]:
        request = urllib.request.Request(self.url + path, urllib.parse.urlencode(data).encode())
        request.add_header("Origin", self.url)
        return self._ask(request)

    def _ask(self, request: urllib.request.Request) -> tuple[int, str]:
        try:
            with self._open.open(request, timeout=60) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()


@pytest.fixture
def desk(live: tuple[str, str]) -> Iterator[tuple[str, Page]]:
    bootstrap, _ = live
    words = ("desk", "--bootstrap", bootstrap, "--listen", f"127.0.0.1:{free_port()}", "--tokens", "none.toml")
    environment = {**os.environ, "ENVSTREAM_DESK_TOKEN_GUO": TOKEN}
    command = [sys.executable, "-m", "envstream", *words]
    with subprocess.Popen(command, cwd=system.ROOT, stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout is not None
        page = Page(json.loads(process.stdout.readline())["port"])
        wait_for(lambda: page.get("/health")[0] == 200, 60)
        yield bootstrap, page
        process.terminate()
        assert process.wait(20) == 0


def test_an_acknowledgement_is_in_the_log_when_it_is_answered(desk: tuple[str, Page]) -> None:
    bootstrap, page = desk
    status, text = page.post("/sign-in", token=TOKEN)
    assert status == 200
    assert "郭启明" in text
    home = topics.partition_of("lanfeng-steel", PARTITIONS)
    episode = Episode(
        "ep",
        "lanfeng-steel",
        "emission",
        "lanfeng-sinter-head",
        "1号烧结机头",
        "NOx",
        1_700_000_000,
        "red",
        "open",
        1,
        1,
    )
    producer = Producer({"bootstrap.servers": bootstrap})
    producer.produce(topics.EPISODES, encode(episode), b"ep", partition=home)
    producer.flush(20)
    wait_for(lambda: page.get("/alert?id=ep")[0] == 200, 20)
    _, text = page.get("/alert?id=ep")
    said = {name: found[1] for name in ("csrf", "at") if (found := re.search(rf'name="{name}" value="([^"]+)"', text))}
    for _ in range(2):  # a double click
        status, _ = page.post("/alert", what="acknowledge", episode="ep", **said)
        assert status == 200
        (action,) = messages(bootstrap, topics.ACTIONS, home)
        assert isinstance(action, blocks.Action)
        assert (action.what, action.by, action.data) == ("acknowledge", "guo", {"episode": "ep"})
        stands = [m for m in messages(bootstrap, topics.READINGS_EMISSION, home) if isinstance(m, blocks.Action)]
        assert stands == [action]
    assert page.post("/alert", what="acknowledge", episode="ep", csrf="x")[0] == 403


def test_a_desk_before_its_gateway_says_so(fresh: str) -> None:
    create_topics(fresh, PARTITIONS, 1)
    words = ("desk", "--bootstrap", fresh, "--listen", f"127.0.0.1:{free_port()}", "--tokens", "none.toml")
    environment = {**os.environ, "ENVSTREAM_DESK_TOKEN_GUO": TOKEN}
    command = [sys.executable, "-m", "envstream", *words, "--log-level", "error"]
    with subprocess.Popen(command, cwd=system.ROOT, stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout is not None
        page = Page(json.loads(process.stdout.readline())["port"])
        status, text = page.post("/sign-in", token=TOKEN)
        assert status == 503
        assert "start the gateway" in text
        process.terminate()
        assert process.wait(20) == 0
    assert DISTRICT.exists()
