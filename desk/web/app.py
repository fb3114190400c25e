"""The desk's web application: routes, who may do what, and the headers that keep a page to itself."""

from __future__ import annotations

import asyncio
import logging
import re
import ssl
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from aiohttp import web
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from desk.view import View
from desk.web import forms, pages, words
from desk.web.access import (
    COOKIE,
    LASTS_S,
    READ,
    RIGHT_OF,
    Pace,
    Session,
    Sessions,
    readers,
    rights_of,
    same_csrf,
    same_origin,
)
from desk.web.live import Live
from desk.web.tokens import Tokens, TokensError
from desk.web.writing import Desk, NotWritten, Way, errors_of
from schemas import alerts, times
from schemas.action_files import written
from schemas.actions import KINDS, Action
from schemas.registry import Registry

log = logging.getLogger("envstream.desk")

MOST_BODY_BYTES: Final = 64 * 1024
READ_S: Final = 15.0
SEEN_S: Final = 1.5
"""So long an answer waits for what it changed to come back from the log, before it shows the page without it."""
FRAGMENT: Final = "X-Desk-Fragment"
LANGUAGE_COOKIE: Final = "envstream_lang"
_HERE: Final = Path(__file__).parent
_LOCAL: Final = re.compile(r"/(?![/\\])[A-Za-z0-9/_.~%:|=&?+,-]*", re.ASCII)
_AHEAD_S: Final = 600

HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",  # with no-referrer a browser would hide the origin of our own forms
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}

DEFAULT_WHY: Final = {
    alerts.ACKNOWLEDGE: "确认收到，开始核实",
    alerts.HANDLE: "开始处置",
    alerts.HAND_BACK: "退回，请重新指派",
    alerts.FALSE: "判为误报",
}
"""What a click says by itself; a note, and the closing of an alert, need a person's own words."""

_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

VIEW: Final = web.AppKey("view", View)
LIVE: Final = web.AppKey("live", Live)
DESK: Final = web.AppKey("desk", Desk)
SESSIONS: Final = web.AppKey("sessions", Sessions)
TOKENS: Final = web.AppKey("tokens", Tokens)
PACE: Final = web.AppKey("pace", Pace)
PROXY: Final = web.AppKey("proxy", bool)
PAGES: Final = web.AppKey("pages", Environment)
_TASK: Final = web.AppKey("task", asyncio.Task[None])
SESSION: Final = web.RequestKey("session", Session)
RIGHTS: Final = web.RequestKey("rights", frozenset[str])


class _NoRegistry(Exception):
    """The log has not said yet whom it is about."""


def make_app(
    view: View, way: Way, tokens: Tokens, *, proxy: bool = False, sessions: Sessions | None = None
) -> web.Application:
    """The application.

    Args:
        view: what is shown; its ``heard`` is taken.
        way: into the log.
        tokens: who may sign in.
        proxy: a reverse proxy stands before it, and its ``X-Forwarded-*`` headers are believed.
        sessions: other than of these tokens, for tests.
    """
    app = web.Application(client_max_size=MOST_BODY_BYTES, middlewares=[_guard])
    app[VIEW], app[DESK], app[TOKENS], app[PROXY] = view, Desk(way), tokens, proxy
    app[SESSIONS], app[PACE] = sessions or Sessions(tokens), Pace()
    app[LIVE] = Live(view)
    view.heard = app[LIVE].heard
    app[PAGES] = Environment(
        loader=FileSystemLoader(_HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    app.add_routes(
        [
            web.get("/sign-in", sign_in_page),
            web.post("/sign-in", sign_in),
            web.post("/sign-out", sign_out),
            web.get("/health", health),
            web.get("/live", live),
            web.get("/", alerts_page),
            web.get("/alert", episode_page),
            web.post("/alert", act),
            web.get("/handover", handover_page),
            web.post("/handover", take_over),
            web.get("/air", air_page),
            web.get("/map", map_page),
            web.get("/rivers", rivers_page),
            web.get("/outlets", outlets_page),
            web.get("/duty", duty_page),
            web.get("/entered", entered_page),
            web.get("/withdraw", withdraw_page),
            web.post("/withdraw", withdraw),
            web.get("/enter", enter_index),
            web.get("/enter/{kind}", enter_page),
            web.post("/enter/{kind}", enter),
            web.static("/static", _HERE / "static"),
        ]
    )
    app.on_startup.append(_begin)
    app.on_shutdown.append(_hang_up)
    app.on_cleanup.append(_end)
    return app


async def _begin(app: web.Application) -> None:
    app[_TASK] = asyncio.create_task(app[LIVE].run())


async def _hang_up(app: web.Application) -> None:
    app[_TASK].cancel()
    app[LIVE].close()


async def _end(app: web.Application) -> None:
    await app[DESK].close()


# ---- what holds for every request

_OPEN_TO_ALL: Final = ("/sign-in", "/health", "/static/")


@web.middleware
async def _guard(request: web.Request, handler: _Handler) -> web.StreamResponse:
    """Who asks, from which page, and what an answer must say beside itself."""
    try:
        response = await _answer(request, handler)
    except web.HTTPException as error:
        response = _error(request, error.status, "") if error.status >= 400 else error
        for name in ("Retry-After", "Allow"):
            if name in error.headers:
                response.headers[name] = error.headers[name]
    except _NoRegistry:
        response = _error(
            request, 503, "日志中还没有登记表：请先启动网关 · no registry in the log yet: start the gateway"
        )
        response.headers["Retry-After"] = "5"
    except TokensError as error:
        log.error("%s", error)
        response = _error(request, 503, "令牌文件无法读取：请看日志 · the file of tokens cannot be read: see the log")
    if not response.prepared:
        response.headers.update(HEADERS)
        static = request.path.startswith("/static/")
        response.headers.setdefault("Cache-Control", "no-cache" if static else "no-store")
        if _secure(request):
            response.headers["Strict-Transport-Security"] = "max-age=31536000"
        if (lang := request.query.get("lang")) in words.LANGUAGES:
            response.set_cookie(
                LANGUAGE_COOKIE, lang, max_age=31_536_000, httponly=True, samesite="Strict", secure=_secure(request)
            )
    return response


async def _answer(request: web.Request, handler: _Handler) -> web.StreamResponse:
    if request.method == "POST" and not same_origin(request.headers.get("Origin"), _host(request)):
        log.warning("POST %s of another origin refused", request.path)
        return _error(request, 403, "请求不是从本页面发出的 · not from a page of this desk")
    if request.path.startswith(_OPEN_TO_ALL):
        return await handler(request)
    session = request.app[SESSIONS].of(request.cookies.get(COOKIE))
    if session is None:
        if request.method == "POST":
            return _error(
                request,
                401,
                "登录已过期：请在另一页登录，再返回重试，已填内容仍在"
                " · signed out: sign in on another page, go back, and send again",
            )
        if request.path == "/live" or FRAGMENT in request.headers:
            raise web.HTTPUnauthorized
        raise web.HTTPSeeOther("/sign-in" + (f"?next={_quoted(request.path_qs)}" if request.path_qs != "/" else ""))
    rights = rights_of(session.person, _registry(request))
    if READ not in rights:
        return _error(request, 403, "没有查看权限 · no right to read")
    request[SESSION], request[RIGHTS] = session, rights
    if request.method == "POST":
        if request.content_type != "application/x-www-form-urlencoded":
            raise web.HTTPUnsupportedMediaType
        said = await _said(request)
        if not same_csrf(session, said.get("csrf", "")):
            log.warning("POST %s without the word of its session refused", request.path)
            return _error(
                request, 403, "页面已过期：请返回刷新后重试 · this page is too old: go back, reload and send again"
            )
    return await handler(request)


async def _said(request: web.Request) -> dict[str, str]:
    """What a form says; read once."""
    try:
        async with asyncio.timeout(READ_S):
            said = await request.post()
    except TimeoutError:
        raise web.HTTPRequestTimeout from None
    except (LookupError, ValueError):  # of no charset, or not in it
        raise web.HTTPBadRequest from None
    return {key: value for key, value in said.items() if isinstance(value, str)}


def _quoted(path: str) -> str:
    return quote(path, safe="/")


def _host(request: web.Request) -> str:
    forwarded = request.headers.get("X-Forwarded-Host") if request.app[PROXY] else None
    return forwarded or request.host


def _secure(request: web.Request) -> bool:
    """TLS here, or said of a proxy: believing it can only make a cookie stricter."""
    return request.secure or request.headers.get("X-Forwarded-Proto", "").lower() == "https"


def _address(request: web.Request) -> str:
    if request.app[PROXY] and (forwarded := request.headers.get("X-Forwarded-For")):
        return forwarded.split(",")[-1].strip()
    return request.remote or ""


def _registry(request: web.Request) -> Registry:
    registry = request.app[VIEW].registry
    if registry is None:
        raise _NoRegistry
    return registry


def _lang(request: web.Request) -> str:
    for said in (request.query.get("lang"), request.cookies.get(LANGUAGE_COOKIE)):
        if said in words.LANGUAGES:
            return str(said)
    return "zh"


def _session(request: web.Request) -> Session:
    return request[SESSION]


def _right(request: web.Request, right: str) -> None:
    if right not in request[RIGHTS]:
        log.warning("%s may not %s", _session(request).person, right)
        raise web.HTTPForbidden


def _page(request: web.Request, name: str, status: int = 200, **shown: Any) -> web.Response:
    """Draw a page, or its changing part alone."""
    lang = _lang(request)
    view, session = request.app[VIEW], request.get(SESSION)
    registry = view.registry
    say = words.say_of(lang)
    person = registry.person(session.person) if session and registry else None
    text = (
        request.app[PAGES]
        .get_template(f"{name}.html")
        .render(
            layout="fragment.html" if FRAGMENT in request.headers else "layout.html",
            t=say,
            lang=lang,
            words=words,
            alerts=alerts,
            times=times,
            said=lambda table, word: say(*table.get(word, (word, word))),
            path=request.path,
            here=request.path_qs if request.method == "GET" else "/",
            person=person,
            rights=request.get(RIGHTS, frozenset()),
            csrf=session.csrf if session else "",
            at=view.now_s(),
            health=view.health(),
            state=request.app[LIVE].state(),
            district=registry,
            kinds=KINDS,
            may=pages.may,
            done=request.query.get("done", ""),
            **shown,
        )
    )
    return web.Response(text=text, content_type="text/html", status=status)


def _error(request: web.Request, status: int, why: str) -> web.StreamResponse:
    said = {
        400: "请求有误 · bad request",
        401: "请登录 · sign in", 403: "没有权限 · not allowed", 404: "没有这一页 · no such page",
        405: "不能这样请求 · not this way",
        408: "内容没有收完 · the form did not arrive in time", 413: "内容过大 · too large",
        415: "请用页面上的表单 · use the page's form",
        429: "请稍候再试 · too many attempts", 503: "暂不可用，请稍候 · not now, try again",
    }  # fmt: skip
    return _page(request, "error", status, code=status, why=why or said.get(status, "出错了 · something went wrong"))


# ---- signing in


async def sign_in_page(request: web.Request) -> web.StreamResponse:
    """The form for a token."""
    if request.app[SESSIONS].of(request.cookies.get(COOKIE)) is not None:
        raise web.HTTPSeeOther("/")
    return _page(request, "sign_in", error="", next=_next(request.query.get("next", "")))


def _next(said: str) -> str:
    """Where to go after signing in: a path of this desk, nowhere else."""
    return said if _LOCAL.fullmatch(said) and not said.startswith("/sign") else "/"


async def sign_in(request: web.Request) -> web.StreamResponse:
    """A token for a session."""
    pace, address = request.app[PACE], _address(request)
    if wait := pace.wait_s(address):
        response = _error(request, 429, f"请 {wait} 秒后再试 · wait {wait} seconds")
        response.headers["Retry-After"] = str(wait)
        return response
    if request.content_type != "application/x-www-form-urlencoded":
        raise web.HTTPUnsupportedMediaType
    said = await _said(request)
    who = {p.id for p in readers(_registry(request))}
    person = request.app[TOKENS].owner(said.get("token", "").strip(), sorted(who))
    to = _next(said.get("next", ""))
    if person is None:
        pace.failed(address)
        log.warning("sign-in from %s refused", address)
        say = words.say_of(_lang(request))
        error = say("令牌不对，或此人没有查看权限", "not a token of anybody who may read here")
        return _page(request, "sign_in", 403, error=error, next=to)
    log.info("%s signed in from %s", person, address)
    answer = web.Response(status=303, headers={"Location": to})
    answer.set_cookie(
        COOKIE,
        request.app[SESSIONS].make(person),
        max_age=LASTS_S,
        httponly=True,
        samesite="Strict",
        secure=_secure(request),
        path="/",
    )
    return answer


async def sign_out(request: web.Request) -> web.StreamResponse:
    """Forget the session."""
    answer = web.Response(status=303, headers={"Location": "/sign-in"})
    answer.del_cookie(COOKIE, path="/")
    return answer


# ---- how it is


async def health(request: web.Request) -> web.StreamResponse:
    """For a supervisor: 200 when what is shown is of now."""
    found = request.app[VIEW].health()
    good = found.caught_up and not found.bad
    return web.json_response({"status": "ok" if good else "late"}, status=200 if good else 503)


async def live(request: web.Request) -> web.StreamResponse:
    """Server-sent events."""
    left = _session(request).since + LASTS_S - time.time()

    def may() -> bool:  # a token or a right may be taken back meanwhile
        try:
            session = request.app[SESSIONS].of(request.cookies.get(COOKIE))
        except TokensError:
            return False
        return session is not None and READ in rights_of(session.person, _registry(request))

    return await request.app[LIVE].serve(request, asyncio.get_running_loop().time() + max(left, 0), may)


# ---- pages


def _say(request: web.Request) -> words.Say:
    return words.say_of(_lang(request))


async def alerts_page(request: web.Request) -> web.StreamResponse:
    """Open alerts."""
    return _page(request, "alerts", **pages.alerts_page(request.app[VIEW], _say(request), dict(request.query)))


def _episode(request: web.Request, name: str) -> alerts.Episode:
    found = request.app[VIEW].episode(name)
    if found is None:
        raise web.HTTPNotFound
    return found


async def episode_page(request: web.Request) -> web.StreamResponse:
    """One alert."""
    episode = _episode(request, request.query.get("id", ""))
    shown = pages.episode_page(request.app[VIEW], episode, _say(request))
    return _page(request, "episode", **shown, errors=[], typed={})


async def handover_page(request: web.Request) -> web.StreamResponse:
    """The shift."""
    return _page(request, "handover", **pages.handover_page(request.app[VIEW], _say(request)), errors=[], typed={})


async def air_page(request: web.Request) -> web.StreamResponse:
    """The calendar."""
    shown = pages.air_page(request.app[VIEW], _registry(request), _say(request), dict(request.query))
    return _page(request, "air", **shown)


async def map_page(request: web.Request) -> web.StreamResponse:
    """The district."""
    return _page(request, "map", **pages.map_page(request.app[VIEW], _registry(request), _say(request)))


async def rivers_page(request: web.Request) -> web.StreamResponse:
    """Sections."""
    return _page(request, "rivers", **pages.rivers_page(request.app[VIEW], _registry(request), _say(request)))


async def outlets_page(request: web.Request) -> web.StreamResponse:
    """Outlets."""
    return _page(request, "outlets", **pages.outlets_page(request.app[VIEW], _registry(request), _say(request)))


async def duty_page(request: web.Request) -> web.StreamResponse:
    """Who has the duty."""
    return _page(request, "duty", **pages.duty_page(request.app[VIEW], _registry(request), _say(request)))


async def entered_page(request: web.Request) -> web.StreamResponse:
    """What was decided."""
    shown = pages.entered_page(request.app[VIEW], _say(request), dict(request.query))
    return _page(request, "entered", **shown, right_of=RIGHT_OF)


# ---- acts


def _at(request: web.Request, said: Mapping[str, str]) -> int:
    """When the page was made, epoch seconds; now where that cannot be."""
    now_s, text = request.app[VIEW].now_s(), said.get("at", "")
    at = int(text) if text.isascii() and text.isdigit() and len(text) < 12 else now_s
    return at if now_s - LASTS_S <= at <= now_s + _AHEAD_S else now_s


async def _write(request: web.Request, action: Action) -> tuple[list[str], int]:
    """Have an action written; what is wrong otherwise, and the status of the page that says so."""
    view = request.app[VIEW]
    errors = errors_of(action, _registry(request), view.now_s() * 1000)
    if errors:
        return errors, 422
    try:
        name = await request.app[DESK].write(action, _registry(request))
    except NotWritten as error:
        return str(error).splitlines(), 503
    log.info("%s: %s %s %s", action.by, action.what, action.subject or "*", name)
    if action.what not in alerts.ALERT_ACTIONS:
        await _wait_for(request, lambda: pages.recent(view.actions(), name) is not None)
    return [], 200


async def act(request: web.Request) -> web.StreamResponse:
    """An action on an alert."""
    said, view = await _said(request), request.app[VIEW]
    what = said.get("what", "")
    if what not in alerts.ALERT_ACTIONS or what == alerts.TAKE_OVER:
        raise web.HTTPBadRequest
    _right(request, RIGHT_OF[what])
    episode = _episode(request, said.get("episode", ""))
    data = {}
    if what in (alerts.CLOSE, alerts.FALSE):
        data["cause"] = said.get("cause", "")
    if what == alerts.CLOSE:
        data["measure"] = said.get("measure", "")
    action = forms.on_episode(
        what,
        episode.subject,
        episode.id,
        episode.began,
        _at(request, said),
        by=_session(request).person,
        why=said.get("why", "") or DEFAULT_WHY.get(what, ""),
        data=data,
    )
    errors, status = await _write(request, action)
    if errors:
        shown = pages.episode_page(view, episode, _say(request))
        return _page(request, "episode", status, **shown, errors=errors, typed=said)
    await _wait_for(request, lambda: view.episode(episode.id) is not episode)
    back = "/" if said.get("back") == "list" else f"/alert?id={_quoted(episode.id)}"
    return _to(back, what)


async def _wait_for(request: web.Request, seen: Callable[[], bool]) -> None:
    """Wait a moment for the log to say it: then the next page shows it, also without a script."""
    until = time.monotonic() + SEEN_S
    while not seen() and (left := until - time.monotonic()) > 0:
        await request.app[LIVE].change(left)


def _to(path: str, done: str) -> web.StreamResponse:
    return web.Response(status=303, headers={"Location": f"{path}{'&' if '?' in path else '?'}done={done}"})


async def take_over(request: web.Request) -> web.StreamResponse:
    """The next shift."""
    _right(request, RIGHT_OF[alerts.TAKE_OVER])
    said, view = await _said(request), request.app[VIEW]
    say = _say(request)
    count = sum(view.counts().values())
    person = _session(request).person
    remark = said.get("why", "").strip()
    action = forms.take_over(
        _at(request, said), by=person, why=remark or f"交接班：接收 {count} 项未结告警", before=said.get("from", "")
    )
    errors, status = await _write(request, action)
    if not errors:
        return _to("/handover", alerts.TAKE_OVER)
    return _page(request, "handover", status, **pages.handover_page(view, say), errors=errors, typed=said)


async def enter_index(request: web.Request) -> web.StreamResponse:
    """What can be entered."""
    forms_of = [(KINDS[name], RIGHT_OF[name]) for name in forms.ENTERED if RIGHT_OF[name] in request[RIGHTS]]
    return _page(request, "enter", forms_of=forms_of)


def _form(request: web.Request, said: Mapping[str, str]) -> forms.Form:
    name = request.match_info["kind"]
    if name not in forms.ENTERED:
        raise web.HTTPNotFound
    _right(request, RIGHT_OF[name])
    return forms.form_of(name, said, _registry(request), _say(request))


async def enter_page(request: web.Request) -> web.StreamResponse:
    """A form."""
    return _page(request, "form", form=_form(request, dict(request.query)))


async def enter(request: web.Request) -> web.StreamResponse:
    """A filled form."""
    said = await _said(request)
    form = _form(request, said)
    if "again" in said:  # another subject was chosen, which has other factors
        return _page(request, "form", form=form)
    action = forms.action_of(form, said, _session(request).person)
    if action is None:
        return _page(request, "form", 422, form=form)
    errors, status = await _write(request, action)
    if not errors:
        return _to("/entered", action.what)
    forms.place_errors(form, errors)
    return _page(request, "form", status, form=form)


def _held(request: web.Request, name: str) -> Action:
    found = pages.recent(request.app[VIEW].actions(), name)
    if found is None or found.withdrawn or found.what not in forms.ENTERED:
        raise web.HTTPNotFound
    _right(request, RIGHT_OF[found.what])
    return found


async def withdraw_page(request: web.Request) -> web.StreamResponse:
    """Whether it shall no longer hold."""
    action = _held(request, request.query.get("id", ""))
    names = pages.place_names(_registry(request))
    return _page(request, "withdraw", action=action, names=names, period=written(action), errors=[], typed="")


async def withdraw(request: web.Request) -> web.StreamResponse:
    """It no longer holds."""
    said = await _said(request)
    action = _held(request, said.get("id", ""))
    ending = forms.withdrawal_of(action, _session(request).person, said.get("why", ""))
    errors, status = await _write(request, ending)
    if not errors:
        return _to("/entered", "withdraw")
    names = pages.place_names(_registry(request))
    return _page(
        request,
        "withdraw",
        status,
        action=action,
        names=names,
        period=written(action),
        errors=errors,
        typed=said.get("why", ""),
    )


def tls_of(cert: Path, key: Path) -> ssl.SSLContext:
    """A server's context of PEM files.

    Raises:
        OSError: they cannot be read.
        ssl.SSLError: they do not fit.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    return context
