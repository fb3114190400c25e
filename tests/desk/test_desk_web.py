"""The desk's pages over HTTP: who gets in, what each right allows, and that nothing of a page runs or leaks."""

from __future__ import annotations

import asyncio
import functools
import html
import logging
import re
import time
from collections.abc import Awaitable, Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiohttp import ClientResponse
from aiohttp.test_utils import TestClient, TestServer

from desk.view import View
from desk.web.access import COOKIE, LASTS_S, MOST_FAILED, RIGHT_OF, Sessions
from desk.web.app import make_app
from desk.web.tokens import Tokens, issue, revoke
from desk.web.writing import NotWritten
from schemas import blocks, topics
from schemas.actions import KINDS, Action, identity
from schemas.registry import parse
from tests.desk import scene
from tests.desk.running import token_of, tokens

PAGES = ("/", "/alert?id=ep-nox", "/handover", "/air", "/map", "/rivers", "/outlets", "/duty", "/entered")
FORMS = tuple(f"/enter/{name}" for name in KINDS if RIGHT_OF[name] in ("mark", "correct"))


class Way:
    """A way into the log that keeps what it gets."""

    def __init__(self) -> None:
        self.got: list[Action] = []
        self.refuses = ""
        self.gate: asyncio.Event | None = None

    async def put(self, action: Action) -> None:
        if self.gate is not None:
            await self.gate.wait()
        if self.refuses:
            raise NotWritten(self.refuses)
        self.got.append(action)

    async def close(self) -> None:
        pass


@pytest.fixture(autouse=True)
def _no_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing here comes back from a log, so no answer waits for it."""
    monkeypatch.setattr("desk.web.app.SEEN_S", 0.01)


@functools.cache
def told() -> tuple[scene.Message, ...]:
    return tuple(scene.everything())


@functools.cache
def district_of(text: str) -> scene.Message:
    return scene.message(parse(text, "changed"))


def filled(change: Callable[[str], str] = lambda text: text) -> View:
    """A view of the scene, of a registry that may be changed."""
    view = View()
    for topic, key, value in told():
        view.see(topic, key or b"", value)
    topic, key, value = district_of(change(scene.registry().text))
    view.see(topic, key or b"", value)
    view.caught_up = True
    return view


FILLED = filled()


class Browser:
    """A client with its cookies, which says where its requests come from."""

    def __init__(self, client: TestClient[Any, Any]) -> None:
        self.client = client
        self.origin: str | None = f"http://{client.server.host}:{client.server.port}"
        self.csrf = ""

    async def get(self, path: str, **options: Any) -> ClientResponse:
        return await self.client.get(path, allow_redirects=False, **options)

    async def post(self, path: str, **data: str) -> ClientResponse:
        headers = {"Origin": self.origin} if self.origin is not None else {}
        return await self.client.post(path, data={"csrf": self.csrf, **data}, headers=headers, allow_redirects=False)

    async def sign_in(self, person: str, token: str | None = None, **more: str) -> ClientResponse:
        answer = await self.post("/sign-in", token=token or token_of(person), **more)
        if answer.status == 303:
            text = await (await self.get("/duty")).text()
            found = re.search(r'name="csrf" value="([^"]+)"', text)
            assert found is not None
            self.csrf = found[1]
        return answer


def ask(
    use: Callable[[Browser], Awaitable[None]],
    *,
    view: View = FILLED,
    way: Way | None = None,
    known: Tokens | None = None,
    now: Callable[[], float] | None = None,
    proxy: bool = False,
) -> Way:
    """Run ``use(browser)`` against a desk; the way it wrote by."""
    way = way or Way()

    async def main() -> None:
        known_ = known or tokens()
        app = make_app(view, way, known_, proxy=proxy, sessions=Sessions(known_, now) if now is not None else None)
        async with TestClient(TestServer(app)) as client:
            await use(Browser(client))

    asyncio.run(main())
    return way


# ---- getting in


def test_nobody_gets_in_without_a_token() -> None:
    async def use(browser: Browser) -> None:
        for path in (*PAGES, *FORMS, "/enter", "/withdraw?id=x"):
            answer = await browser.get(path)
            assert answer.status == 303, path
            assert answer.headers["Location"].startswith("/sign-in")
        assert (await browser.get("/live")).status == 401
        for path in ("/alert", "/handover", "/enter/mark", "/withdraw", "/sign-out"):
            assert (await browser.post(path)).status == 401, path
        for token in ("", "no", token_of("guo")[:-1], token_of("guo") + "x", "é" * 40):
            assert (await browser.post("/sign-in", token=token)).status in (403, 429)

    assert ask(use).got == []


def test_the_cookie_is_for_this_host_alone_and_secure_behind_tls() -> None:
    async def use(browser: Browser) -> None:
        plain = (await browser.sign_in("guo")).headers["Set-Cookie"]
        assert {"HttpOnly", "SameSite=Strict", "Path=/"} <= set(plain.split("; "))
        assert "Secure" not in plain
        headers = {"Origin": browser.origin or "", "X-Forwarded-Proto": "https"}
        answer = await browser.client.post(
            "/sign-in", data={"token": token_of("guo")}, headers=headers, allow_redirects=False
        )
        assert "Secure" in answer.headers["Set-Cookie"].split("; ")
        assert answer.headers["Strict-Transport-Security"]

    ask(use)


def test_a_session_ends_after_a_shift() -> None:
    clock = [1_000_000_000.0]

    async def use(browser: Browser) -> None:
        await browser.sign_in("guo")
        clock[0] += LASTS_S - 1
        assert (await browser.get("/")).status == 200
        clock[0] += 2
        assert (await browser.get("/")).status == 303
        assert (await browser.post("/alert", what="acknowledge", episode="ep-nox")).status == 401

    assert ask(use, now=lambda: clock[0]).got == []


def test_a_changed_cookie_is_no_session() -> None:
    async def use(browser: Browser) -> None:
        await browser.sign_in("guo")
        jar = browser.client.session.cookie_jar
        cookie = next(c.value for c in jar if c.key == COOKIE)
        assert "guo" not in cookie
        for wrong in (cookie[:-2] + "AA", cookie[5:], "", "ü"):
            jar.clear()
            answer = await browser.get("/", headers={"Cookie": f"{COOKIE}={wrong}"})
            assert answer.status == 303

    ask(use)


def test_tokens_of_a_file_come_and_go_while_the_desk_runs(tmp_path: Path) -> None:
    file = tmp_path / "tokens.toml"
    first = issue(file, "guo")
    assert first not in file.read_text()
    assert file.stat().st_mode & 0o077 == 0
    known = Tokens(file, {})

    async def use(browser: Browser) -> None:
        assert (await browser.sign_in("guo", first)).status == 303
        second = issue(file, "guo")  # the first one counts no more, and neither does its session
        assert (await browser.get("/")).status == 303
        assert (await browser.sign_in("guo", first)).status == 403
        assert (await browser.sign_in("guo", second)).status == 303
        assert (await browser.get("/")).status == 200
        shen = issue(file, "shen")  # of somebody else: nobody is signed out
        assert (await browser.get("/")).status == 200
        assert revoke(file, "guo")
        assert (await browser.get("/")).status == 303
        assert (await browser.sign_in("shen", shen)).status == 303

    ask(use, known=known)
    again = Tokens(file, {})  # a restart signs nobody out, and a second desk knows the same sessions
    assert again.session_key == known.session_key


def test_who_is_of_an_enterprise_or_not_in_the_registry_has_no_way_in(tmp_path: Path) -> None:
    file = tmp_path / "tokens.toml"
    given = [issue(file, person) for person in ("lanfeng-contact", "nobody-known")]

    async def use(browser: Browser) -> None:
        for token in given:
            assert (await browser.post("/sign-in", token=token)).status == 403

    ask(use, known=Tokens(file, {}))


def test_guessing_is_slowed_down(caplog: pytest.LogCaptureFixture) -> None:
    async def use(browser: Browser) -> None:
        for _ in range(MOST_FAILED):
            assert (await browser.post("/sign-in", token="wrong-wrong-wrong-wrong")).status == 403
        answer = await browser.post("/sign-in", token=token_of("guo"))  # even the right one
        assert answer.status == 429
        assert 0 < int(answer.headers["Retry-After"]) <= 61

    with caplog.at_level(logging.DEBUG):
        ask(use)
    assert "wrong-wrong" not in caplog.text


def test_no_token_and_no_cookie_enters_a_log(caplog: pytest.LogCaptureFixture) -> None:
    cookies: list[str] = []

    async def use(browser: Browser) -> None:
        await browser.sign_in("guo")
        cookies.extend(c.value for c in browser.client.session.cookie_jar)
        await browser.post("/alert", what="acknowledge", episode="ep-nox")
        await browser.post("/alert", what="close", episode="ep-nox")

    with caplog.at_level(logging.DEBUG):
        ask(use)
    assert cookies
    for secret in (token_of("guo"), *cookies):
        assert secret not in caplog.text
    assert "guo" in caplog.text  # who did what does


@pytest.mark.parametrize(
    ("said", "goes"),
    [
        ("/alert?id=ep-nox", "/alert?id=ep-nox"),
        ("//evil.example/", "/"),
        ("https://evil.example/", "/"),
        ("/\\evil.example", "/"),
        ("/%0d%0aSet-Cookie:x=1\r\nX: y", "/"),
        ("javascript:alert(1)", "/"),
        ("/sign-in", "/"),
    ],
)
def test_after_signing_in_one_stays_here(said: str, goes: str) -> None:
    async def use(browser: Browser) -> None:
        assert (await browser.sign_in("guo", next=said)).headers["Location"] == goes

    ask(use)


# ---- what rights allow

DEFAULTS = {
    "from": "2026-11-01", "to": "2026-11-02", "why": "依据", "subject": "example",
}  # fmt: skip
FILLED_FORMS: dict[str, dict[str, str]] = {
    "dust-day": {},
    "plan-exception": {"not_monitored": "SO2", "clean": "yes"},
    "correction": {"subject": "air-luhua", "from": "2026-11-01T09:00", "to": "2026-11-01T10:00", "PM2.5": "23"},
    "published": {"to": "", "aqi": "85"},
    "mark": {"subject": "lanfeng-sinter-head", "mark": "停运"},
    "maintenance": {"subject": "air-luhua"},
    "order": {"subject": "lanfeng-sinter-head", "factor": "NOx", "limit": "35", "unit": "mg/m3", "averaging": "hour"},
    "lab": {"subject": "shiliang", "from": "2026-10", "to": "", "TP": "0.12"},
    "qc": {"subject": "air-luhua", "result": "passed"},
}


@pytest.mark.parametrize("kind", FILLED_FORMS)
@pytest.mark.parametrize("right", ["mark", "correct", "act"])
def test_each_form_needs_its_right(kind: str, right: str) -> None:
    view = filled(lambda text: text.replace('id = "guo"\n', f'id = "guo"\nrights = ["read", "{right}"]\n'))

    async def use(browser: Browser) -> None:
        await browser.sign_in("guo")
        there = await (await browser.get("/enter")).text()
        shown = await browser.get(f"/enter/{kind}")
        answer = await browser.post(f"/enter/{kind}", **{**DEFAULTS, **FILLED_FORMS[kind]})
        if right == RIGHT_OF[kind]:
            assert f'href="/enter/{kind}"' in there
            assert shown.status == 200
            assert answer.status == 303, await answer.text()
        else:
            assert f'href="/enter/{kind}"' not in there
            assert (shown.status, answer.status) == (403, 403)

    written = ask(use, view=view).got
    assert [(a.what, a.by) for a in written] == ([(kind, "guo")] if right == RIGHT_OF[kind] else [])


def test_every_kind_of_action_has_a_right_and_every_form_is_tried_here() -> None:
    assert set(RIGHT_OF) == set(KINDS)
    assert set(FILLED_FORMS) == {kind for kind, right in RIGHT_OF.items() if right != "act"}


@pytest.mark.parametrize("what", ["acknowledge", "hand-back", "handle", "note", "close", "false-alarm"])
def test_alerts_need_the_right_to_act(what: str) -> None:
    view = filled(lambda text: text.replace('id = "guo"\n', 'id = "guo"\nrights = ["read", "mark", "correct"]\n'))
    said = {"what": what, "episode": "ep-so2", "why": "说明", "cause": "treatment", "measure": "换泵"}

    async def refused(browser: Browser) -> None:
        await browser.sign_in("guo")
        assert 'name="what"' not in await (await browser.get("/alert?id=ep-so2")).text()
        assert 'name="what"' not in await (await browser.get("/")).text()
        assert (await browser.post("/alert", **said)).status == 403
        assert (await browser.post("/handover", why="x")).status == 403

    async def allowed(browser: Browser) -> None:
        await browser.sign_in("guo")
        assert (
            f'value="{what}"'
            in await (await browser.get("/alert?id=ep-" + ("nox" if what == "acknowledge" else "so2"))).text()
        )
        assert (await browser.post("/alert", **said)).status == 303

    assert ask(refused, view=view).got == []
    (action,) = ask(allowed).got
    assert (action.what, action.by, action.subject) == (what, "guo", "lanfeng-sinter-tail")
    assert action.data["episode"] == "ep-so2"
    episode = FILLED.episode("ep-so2")
    assert episode is not None
    assert action.begin == episode.began < action.end


def test_only_who_has_an_alert_is_offered_to_hand_it_back() -> None:
    async def use(browser: Browser) -> None:
        await browser.sign_in("shen")
        assert 'value="hand-back"' not in await (await browser.get("/alert?id=ep-so2")).text()

    ask(use)


# ---- forged requests


def test_a_form_of_another_page_is_refused() -> None:
    async def use(browser: Browser) -> None:
        await browser.sign_in("guo")
        good, csrf = browser.origin, browser.csrf
        said = {"what": "acknowledge", "episode": "ep-nox"}
        for origin in ("https://evil.example", "null", None, "http://", f"{good}.evil.example", "http://[bad"):
            browser.origin = origin
            assert (await browser.post("/alert", **said)).status == 403, origin
        browser.origin = good
        for word in ("", "x", csrf[:-1]):
            browser.csrf = word
            assert (await browser.post("/alert", **said)).status == 403, word
        browser.csrf = csrf
        assert (await browser.get("/alert?id=ep-nox&what=acknowledge")).status == 200
        assert (await browser.client.put("/alert", headers={"Origin": good or ""})).status == 405
        answer = await browser.client.post("/alert", json={"csrf": csrf, **said}, headers={"Origin": good or ""})
        assert answer.status == 415
        assert (await browser.post("/alert", why="x" * 100_000, **said)).status == 413
        for kind, body in (("charset=none", b"a=b"), ("charset=utf-8", b"csrf=%ff"), ("charset=utf-16", b"a")):
            headers = {"Origin": good or "", "Content-Type": f"application/x-www-form-urlencoded; {kind}"}
            assert (await browser.client.post("/alert", data=body, headers=headers)).status in (400, 403), kind
        assert (await browser.post("/alert", what="delete", episode="ep-nox")).status == 400
        assert (await browser.post("/alert", what="acknowledge", episode="ep-none")).status == 404

    assert ask(use).got == []


def test_behind_a_proxy_the_browser_speaks_to_its_host() -> None:
    async def use(browser: Browser) -> None:
        headers = {"Origin": "https://desk.example", "X-Forwarded-Host": "desk.example", "X-Forwarded-For": "10.0.0.9"}
        data = {"token": token_of("guo")}
        answer = await browser.client.post("/sign-in", data=data, headers=headers, allow_redirects=False)
        assert answer.status == (303 if proxy else 403)

    for proxy in (True, False):
        ask(use, proxy=proxy)


# ---- writing


def test_the_answer_comes_after_the_log_has_it() -> None:
    way = Way()

    async def use(browser: Browser) -> None:
        await browser.sign_in("guo")
        way.gate = asyncio.Event()
        waiting = asyncio.create_task(browser.post("/alert", what="note", episode="ep-nox", why="已到场"))
        done, _ = await asyncio.wait([waiting], timeout=0.3)
        assert not done
        way.gate.set()
        assert (await waiting).status == 303

    assert [a.why for a in ask(use, way=way).got] == ["已到场"]


def test_a_double_click_is_one_action() -> None:
    async def use(browser: Browser) -> None:
        await browser.sign_in("guo")
        at = str(scene.NOW_S)
        clicks = [browser.post("/alert", what="acknowledge", episode="ep-nox", at=at) for _ in range(3)]
        assert [a.status for a in await asyncio.gather(*clicks)] == [303] * 3
        await browser.post("/alert", what="note", episode="ep-nox", why="一", at=at)
        await browser.post("/alert", what="note", episode="ep-nox", why="二", at=at)

    written = ask(use).got
    assert [(a.what, a.why) for a in written[1:]] == [("note", "一"), ("note", "二")]
    assert len(written) == len({identity(a) for a in written}) == 3


@pytest.mark.parametrize("at", ["", "x", "-5", "99999999999999999999", str(scene.NOW_S + 10**6), "1"])
def test_the_time_of_a_page_is_believed_within_a_shift(at: str) -> None:
    async def use(browser: Browser) -> None:
        await browser.sign_in("guo")
        await browser.post("/alert", what="acknowledge", episode="ep-nox", at=at)

    (action,) = ask(use).got
    assert action.end == scene.NOW_S


def test_when_it_is_not_written_the_words_are_kept_and_the_next_try_writes() -> None:
    way = Way()

    async def use(browser: Browser) -> None:
        await browser.sign_in("wang-chief")
        way.refuses = "Kafka 不在"
        answer = await browser.post("/alert", what="note", episode="ep-nox", why="脱硫泵 <停>", measure="m")
        text = await answer.text()
        assert answer.status == 503
        assert "Kafka 不在" in text
        assert "脱硫泵 &lt;停&gt;</textarea>" in text
        answer = await browser.post("/handover", why="接班说明", **{"from": "shen"})
        assert answer.status == 503
        assert "接班说明</textarea>" in await answer.text()
        answer = await browser.post("/enter/mark", **{**DEFAULTS, **FILLED_FORMS["mark"], "why": "原因甲"})
        text = await answer.text()
        assert answer.status == 503
        assert "原因甲</textarea>" in text
        assert 'value="停运" selected' in text
        assert way.got == []
        way.refuses = ""
        assert (await browser.post("/alert", what="note", episode="ep-nox", why="脱硫泵 <停>")).status == 303

    assert [a.why for a in ask(use, way=way).got] == ["脱硫泵 <停>"]


def test_errors_stand_beside_their_fields() -> None:
    async def use(browser: Browser) -> None:
        await browser.sign_in("wang-chief")
        answer = await browser.post(
            "/enter/published", subject="example", why="", aqi="900", level="2", category="优", **{"from": "2026-11-01"}
        )
        text = await answer.text()
        assert answer.status == 422
        wrong = {m[1]: html.unescape(m[2]) for m in re.finditer(r'<p class="error" id="e-([^"]+)">([^<]+)', text)}
        assert wrong["aqi"].startswith("aqi = 900: must be a whole number")
        assert wrong["why"].startswith("why is missing")
        assert wrong["category"] == "category = 优: level 2 is 良"
        assert 'name="aqi" type="text" value="900"' in text
        answer = await browser.post("/enter/dust-day", subject="example", why="x", **{"from": "2027-01-01"})
        assert "has not begun" in await answer.text()
        answer = await browser.post("/enter/mark", subject="lanfeng-sinter-head", mark="停运", why="x")
        assert "from is missing" in await answer.text()

    assert ask(use).got == []


def test_a_chosen_subject_has_its_own_factors() -> None:
    async def use(browser: Browser) -> None:
        await browser.sign_in("wang-chief")
        text = await (await browser.post("/enter/correction", again="1", subject="air-luhua", why="原因乙")).text()
        assert 'name="PM2.5"' in text
        assert 'name="NH3N"' not in text
        assert "原因乙</textarea>" in text
        text = await (await browser.post("/enter/correction", again="1", subject="shiliang")).text()
        assert 'name="NH3N"' in text
        assert 'name="PM2.5"' not in text

    ask(use)


def test_what_was_entered_is_withdrawn() -> None:
    held = next(a for a in FILLED.actions() if a.what == "dust-day")

    async def use(browser: Browser) -> None:
        await browser.sign_in("guo")  # who may not enter may not withdraw
        assert f"/withdraw?id={held.id}" not in await (await browser.get("/entered")).text()
        assert (await browser.get(f"/withdraw?id={held.id}")).status == 403
        assert (await browser.post("/withdraw", id=held.id, why="复核")).status == 403
        await browser.sign_in("wang-chief")
        assert f"/withdraw?id={held.id}" in await (await browser.get("/entered")).text()
        assert (await browser.get(f"/withdraw?id={held.id}")).status == 200
        assert (await browser.post("/withdraw", id=held.id, why="")).status == 422
        assert (await browser.post("/withdraw", id=held.id, why="复核后取消")).status == 303
        assert (await browser.post("/withdraw", id="none", why="x")).status == 404

    (action,) = ask(use).got
    assert (action.what, action.subject, action.begin, action.end) == (held.what, held.subject, held.begin, held.end)
    assert action.withdrawn
    assert (action.by, action.why) == ("wang-chief", "复核后取消")


# ---- pages


class Parts(HTMLParser):
    """What a page would load or run."""

    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []
        self.inline: list[str] = []
        self.tags: list[str] = []
        self._script = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        said = dict(attrs)
        self.tags.append(tag)
        self.links += [value for name, value in attrs if name in ("src", "href", "action", "xlink:href") and value]
        self.inline += [name for name in said if name.startswith("on") or name == "style"]
        self._script = tag == "script"
        if tag == "style":
            self.inline.append(tag)

    def handle_endtag(self, tag: str) -> None:
        self._script = False

    def handle_data(self, data: str) -> None:
        if self._script and data.strip():
            self.inline.append(data)


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_no_page_loads_or_runs_anything_but_our_own_files(lang: str) -> None:
    async def use(browser: Browser) -> None:
        await browser.sign_in("wang-chief")
        for path in (*PAGES, *FORMS, "/enter", "/no-such-page"):
            answer = await browser.get(path, headers={"Cookie": f"envstream_lang={lang}"})
            assert answer.status == (404 if path == "/no-such-page" else 200), path
            assert "default-src 'self'" in answer.headers["Content-Security-Policy"]
            assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
            assert answer.headers["Cache-Control"] == "no-store"
            parts = Parts()
            parts.feed(await answer.text())
            assert parts.inline == [], path
            assert parts.links
            assert all(link.startswith(("/", "?", "#")) and not link.startswith("//") for link in parts.links), path
            assert parts.tags.count("h1") == 1, path
            text = await answer.text()
            assert f'<html lang="{"zh-CN" if lang == "zh" else "en"}">' in text
            links = re.findall(r'<a href="/handover"[^>]*>([^<]+)', text)
            assert links[:1] == (["交接班"] if lang == "zh" else ["Hand-over"])

    ask(use)


def test_the_switch_of_language_is_kept() -> None:
    async def use(browser: Browser) -> None:
        await browser.sign_in("guo")
        assert "Acknowledge" in await (await browser.get("/?lang=en")).text()
        assert "Acknowledge" in await (await browser.get("/")).text()
        assert "Acknowledge" not in await (await browser.get("/?lang=zh")).text()
        assert "Acknowledge" not in await (await browser.get("/?lang=xx")).text()

    ask(use)


EVIL = "<script>alert(1)</script>\\\"'><img src=x onerror=alert(2)>"


def test_a_script_in_any_name_stays_text() -> None:
    """Names of the registry, texts of people, words of a provider: in the pages, and in their drawings."""

    def evil(text: str) -> str:
        return re.sub(r'(?m)^name = "[^"]*"$', f'name = "{EVIL}"', text)

    view = filled(evil)
    said = EVIL.replace("\\", "")
    episode = scene.episode(
        "ep-<b>", name=said, about=said, holder=said, rules=[said], muted=said, level="red", state="acknowledged",
        history=[scene.Entry(scene.ms(1), said, said, said)],
        members=[scene.Member("m", *[said] * 5, 1, 2, True, dict.fromkeys(("title", "value", "unit"), said))],
    )  # fmt: skip
    notice = scene.notice("n-x", "ep-<b>", said, said, 1, [scene.Recipient(said, said)], said)
    for each in (episode, notice, scene.delivery(notice, said, said, 1, "failed", 1, code=said, words=said)):
        topic, key, value = scene.of(each)
        view.see(topic, key or b"", value)
    action = blocks.Action(
        "gw", "x1", "mark", "g", "lanfeng-sinter-head", 1, 2, said, said, {"mark": said, said: said}, 5
    )
    view.see(topics.ACTIONS, b"k", blocks.encode(action))

    async def use(browser: Browser) -> None:
        await browser.sign_in("wang-chief")
        assert (await browser.get("/alert?id=ep-%3Cb%3E")).status == 200
        for path in (
            *PAGES,
            "/alert?id=ep-%3Cb%3E",
            *FORMS,
            f"/air?area={EVIL}",
            f"/?level={EVIL}",
            f"/entered?done={EVIL}",
        ):
            text = await (await browser.get(path)).text()
            parts = Parts()
            parts.feed(text)
            assert parts.inline == [], path
            assert "img" not in parts.tags, path
            assert parts.tags.count("script") == 1, path
        text = await (await browser.get("/map")).text()
        assert html.escape(said) in text.replace("&#34;", "&quot;").replace("&#39;", "&#x27;")
        answer = await browser.post("/enter/mark", subject=said, mark=said, why=said, **{"from": said, "to": said})
        parts = Parts()
        parts.feed(await answer.text())
        assert answer.status == 422
        assert "img" not in parts.tags

    ask(use, view=view)


def test_an_empty_log_has_pages_too() -> None:
    view = View()
    topic, key, value = scene.message(scene.registry())
    view.see(topic, key or b"", value)

    async def use(browser: Browser) -> None:
        await browser.sign_in("wang-chief")
        for path in (*PAGES, *FORMS, "/enter"):
            assert (await browser.get(path)).status == (404 if path.startswith("/alert") else 200), path

    ask(use, view=view)

    async def too_early(browser: Browser) -> None:
        assert (await browser.post("/sign-in", token=token_of("guo"))).status == 503
        assert (await browser.get("/health")).status == 503

    ask(too_early, view=View())


def test_ten_thousand_open_alerts_are_pages_of_fifty() -> None:
    view = filled()
    for n in range(10_000):
        topic, key, value = scene.of(scene.episode(f"ep-{n:05}", subject=f"s{n}", opened=scene.ms(n / 100)))
        view.see(topic, key or b"", value)

    async def use(browser: Browser) -> None:
        await browser.sign_in("guo")
        first = await (await browser.get("/")).text()
        assert first.count("<article") == 50
        assert len(first) < 200_000
        seen: set[str] = set()
        pages = int(re.search(r"1 / (\d+)", first)[1])  # type: ignore[index]
        for page in (1, 2, pages):
            seen |= set(re.findall(r'<article[^>]*id="a-([^"]+)"', await (await browser.get(f"/?page={page}")).text()))
        assert len(seen) == 100 + (10_000 + 6) % 50
        for strange in ("/?page=99999999999", "/?page=²", f"/?page={'9' * 5_000}", "/air?year=²"):
            assert (await browser.get(strange)).status == 200

    ask(use, view=view)


# ---- as it happens


def test_an_open_page_is_told_what_changed() -> None:
    view = filled()

    async def use(browser: Browser) -> None:
        await browser.sign_in("guo")
        line = await browser.client.get("/live")
        assert line.content_type == "text/event-stream"

        async def event() -> Any:
            while True:
                said = await asyncio.wait_for(line.content.readline(), 10)
                if said.startswith(b"data: "):
                    return msgspec.json.decode(said[6:])

        assert (await event())["open"] == 5
        topic, key, value = scene.of(scene.episode("ep-x"))
        view.see(topic, key or b"", value)
        view.heard({"alerts"})
        said = await event()
        assert said["changed"] == ["alerts"]
        assert said["open"] == 6
        assert "ep-x" in said["red"]
        part = await (await browser.get("/", headers={"X-Desk-Fragment": "1"})).text()
        assert "a-ep-x" in part
        assert "<html" not in part
        line.close()

    ask(use, view=view)


def test_the_line_ends_with_the_session() -> None:
    clock = [0.0]

    async def use(browser: Browser) -> None:
        clock[0] = time.time() - LASTS_S + 1
        await browser.sign_in("guo")
        line = await browser.client.get("/live")
        await asyncio.wait_for(line.content.read(), 10)  # to its end

    ask(use, now=lambda: clock[0])


def test_the_line_ends_when_the_token_is_taken_back(tmp_path: Path) -> None:
    file = tmp_path / "tokens.toml"
    token, view = issue(file, "guo"), filled()

    async def use(browser: Browser) -> None:
        await browser.sign_in("guo", token)
        line = await browser.client.get("/live")
        assert (await line.content.readline()).startswith(b"retry")
        assert revoke(file, "guo")
        view.heard({"alerts"})
        left = await asyncio.wait_for(line.content.read(), 10)  # to its end
        assert left.count(b"data: ") == 1  # that of the beginning

    ask(use, view=view, known=Tokens(file, {}))
