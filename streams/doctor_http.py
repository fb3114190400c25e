"""InfluxDB and Grafana, as ``envstream doctor`` looks at them."""

from __future__ import annotations

import email.utils
import time
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlencode

import msgspec
import urllib3

from schemas.measurements import SINK_PROBE
from streams.deadline import answer_within
from streams.doctor import FAIL, OK, WARN, Check, Finding, skew
from streams.influx import InfluxError, InfluxSettings
from streams.influx_admin import ADMIN_TOKEN

ANSWER_S = 4.0
_DAY_S = 86_400
_PROBE = f"SELECT * FROM {SINK_PROBE.name} LIMIT 1"  # noqa: S608  a name of schemas.measurements
_RUN_INIT = "运行 envstream init run envstream init"


class _Server:
    """Questions by HTTP, each answered in seconds or not at all."""

    def __init__(self, url: str, token: str = "") -> None:
        self.url, self._token = url.rstrip("/"), token
        self._pool = urllib3.PoolManager(retries=False, timeout=ANSWER_S)
        answer_within(self._pool, ANSWER_S)

    def get(self, path: str, **asked: str) -> tuple[int, Any, float | None]:
        """Status, JSON (None where it is none), and how far the server's clock is ahead, seconds.

        Raises:
            HTTPError: no answer.
        """
        return self._ask("GET", f"{path}?{urlencode(asked)}" if asked else path)

    def post(self, path: str, body: bytes, **asked: str) -> int:
        """Status.

        Raises:
            HTTPError: no answer.
        """
        return self._ask("POST", f"{path}?{urlencode(asked)}", body)[0]

    def _ask(self, method: str, path: str, body: bytes | None = None) -> tuple[int, Any, float | None]:
        headers = {"Authorization": f"Token {self._token}"} if self._token else {}
        begun = time.time()
        answer = self._pool.request(method, self.url + path, body=body, headers=headers)
        middle = (begun + time.time()) / 2
        try:
            found = msgspec.json.decode(answer.data)
        except msgspec.MsgspecError:
            found = None
        date = answer.headers.get("Date")
        ahead = email.utils.parsedate_to_datetime(date).timestamp() + 0.5 - middle if date else None
        return answer.status, found, ahead


def checks(env: Mapping[str, str]) -> list[tuple[str, str, Check]]:
    """Those of what the environment names."""
    url = env.get("ENVSTREAM_INFLUX_URL", "")
    found: list[tuple[str, str, Check]] = [("influxdb", url or "ENVSTREAM_INFLUX_URL", lambda: influxdb(env))]
    if at := env.get("ENVSTREAM_GRAFANA_URL"):
        found.append(("grafana", at, lambda: grafana(at)))
    return found


def influxdb(env: Mapping[str, str]) -> Iterator[Finding]:
    """Reachable, its clock, the token, both buckets with what they keep, and InfluxQL."""
    if not env.get("ENVSTREAM_INFLUX_URL"):
        cure = "设置后再检查 set it to have InfluxDB checked"
        yield Finding("influxdb", WARN, "ENVSTREAM_INFLUX_URL", "未设置，未检查", "not set, not looked at", cure)
        return
    admin = bool(env.get(ADMIN_TOKEN) or env.get(f"{ADMIN_TOKEN}_FILE"))
    try:
        settings = InfluxSettings.from_env(env, ADMIN_TOKEN if admin else "ENVSTREAM_INFLUX_TOKEN")
        server = _Server(settings.url, settings.secret())
    except InfluxError as error:
        yield Finding("influxdb", FAIL, env["ENVSTREAM_INFLUX_URL"], "设置有误", str(error), "改正环境变量 correct it")
        return
    try:
        status, health, ahead = server.get("/health")
    except (urllib3.exceptions.HTTPError, OSError):
        yield Finding(
            "influxdb", FAIL, settings.url, "无应答", "does not answer", "启动或改正地址 start it, or correct its URL"
        )
        return
    if status != 200 or not isinstance(health, dict) or health.get("status") != "pass":
        yield Finding(
            "influxdb", FAIL, settings.url, f"状态异常 {status}", f"is not well: {status}", "看其日志 see its log"
        )
        return
    yield Finding("influxdb", OK, settings.url, "应答", f"answers, {health.get('version', '?')}")
    if ahead is not None:
        yield skew(settings.url, ahead)
    yield from _buckets(server, settings)


def _buckets(server: _Server, settings: InfluxSettings) -> Iterator[Finding]:
    may_read = True
    for name, days in ((settings.bucket, 0), (settings.recent_bucket, settings.recent_days)):
        status, found, _ = server.get("/api/v2/buckets", org=settings.org, name=name)
        if status == 401:
            cure = "运行 envstream init --tokens，或改正令牌 run envstream init --tokens, or correct the token"
            yield Finding("token", FAIL, settings.url, "令牌无效", "the token is not accepted", cure)
            return
        there = (found or {}).get("buckets") or []
        if not there:
            # A token that may only write sees no bucket: ask as the sink does, with nothing to store.
            written = server.post("/api/v2/write", b"#", org=settings.org, bucket=name)
            if written in (204, 400):
                may_read = False
                yield Finding(
                    "bucket",
                    OK,
                    name,
                    "可写入（令牌只写，保留期看不到）",
                    "takes writes; this token may not look at it",
                )
            else:
                yield Finding(
                    "bucket",
                    FAIL,
                    name,
                    f"没有，或令牌无权 {written}",
                    "is not there, or not for this token",
                    _RUN_INIT,
                )
            continue
        kept = sum(rule.get("everySeconds", 0) for rule in there[0].get("retentionRules", [])) // _DAY_S
        zh, en = _kept(kept)
        if kept == days:
            yield Finding("bucket", OK, name, zh, en)
        else:
            should = _kept(days)
            yield Finding("bucket", FAIL, name, f"{zh}，应{should[0]}", f"{en}, not {should[1]}", _RUN_INIT)
    if may_read:
        for name in (settings.bucket, settings.recent_bucket):
            yield _influxql(server, name)


def _kept(days: int) -> tuple[str, str]:
    return (f"保留 {days} 天", f"kept {days} days") if days else ("永久保留", "kept for ever")


def _influxql(server: _Server, name: str) -> Finding:
    # SHOW MEASUREMENTS of a database that is not there answers as one of an empty one does (2.7.12, measured).
    status, found, _ = server.get("/query", db=name, q=_PROBE)
    results = (found or {}).get("results") or [{}]
    words = results[0].get("error") or (found or {}).get("error") or ""
    if status == 200 and not words:
        return Finding("influxql", OK, name, "应答", "answers")
    return Finding(
        "influxql", FAIL, name, f"看板查询失败 {status} {words}".rstrip(), "does not answer dashboards", _RUN_INIT
    )


def grafana(url: str) -> Iterator[Finding]:
    """Whether it answers and has its database."""
    try:
        status, health, ahead = _Server(url).get("/api/health")
    except (urllib3.exceptions.HTTPError, OSError):
        yield Finding(
            "grafana",
            FAIL,
            url,
            "无应答",
            "does not answer",
            "启动或改正 ENVSTREAM_GRAFANA_URL start it, or correct it",
        )
        return
    if status == 200 and isinstance(health, dict) and health.get("database") == "ok":
        yield Finding("grafana", OK, url, "应答", f"answers, {health.get('version', '?')}")
        if ahead is not None:
            yield skew(url, ahead)
    else:
        yield Finding("grafana", FAIL, url, f"状态异常 {status}", f"is not well: {status}", "看其日志 see its log")
