"""The front door: the command line. Wires the rooms together, decides nothing.

Rooms are imported when their command runs, so that ``envstream --help`` answers at once.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn

import click

HERE = Path(__file__).resolve().parent
DEFAULT_DISTRICT = HERE / "districts" / "beijing.toml"
EXAMPLE_DISTRICT = HERE / "districts" / "example"
DESK = "127.0.0.1:8088"
DEFAULT_DATA = "envstream-data"
EXIT_USAGE = 2


def fail(text: object) -> NoReturn:
    """One line that says what and where, exit code 2."""
    click.echo(f"envstream: {text}", err=True)
    sys.exit(EXIT_USAGE)


def show(data: Any) -> None:
    """Data for programs, on stdout."""
    click.echo(json.dumps(data, ensure_ascii=False, indent=2))


def ready(**told: Any) -> None:
    """Tell a supervising parent, in one line on stdout."""
    click.echo(json.dumps(told))
    sys.stdout.flush()


def set_up_logging(level: str) -> None:
    """Times and levels on stderr; no message of ours contains a secret."""
    logging.basicConfig(
        level=level.upper(), stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s: %(message)s", force=True
    )


def part_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """What every long-running part takes."""
    command = click.option("--leash", is_flag=True, hidden=True, help="end when standard input closes")(command)
    return click.option(
        "--log-level", type=click.Choice(["debug", "info", "warning", "error"]), default="info", show_default=True
    )(command)


def begin_part(leash: bool, log_level: str) -> None:
    """Start of a long-running part."""
    set_up_logging(log_level)
    if leash:
        from streams.supervisor import leash as hold

        hold()


def stop_event() -> Any:
    """An event that SIGTERM and SIGINT set."""
    import signal
    import threading

    event = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: event.set())
    return event


def load_district(path: Path) -> Any:
    """A checked registry, or the end with all its errors."""
    from schemas.registry import RegistryError, load

    try:
        return load(path)
    except RegistryError as error:
        fail(error)


district_option = click.option(
    "--district",
    type=click.Path(path_type=Path),
    default=DEFAULT_DISTRICT,
    help="the district's registry, a TOML file or a folder with district.toml; twelve Beijing stations unless given",
)
example_district_option = click.option(
    "--district",
    type=click.Path(path_type=Path),
    default=EXAMPLE_DISTRICT,
    help="the district's registry; the example district unless given",
)
metrics_option = click.option(
    "--metrics", metavar="HOST:PORT", help="Prometheus finds /metrics there (docs/health.md); nowhere unless given"
)
bootstrap_option = click.option(
    "--bootstrap", envvar="ENVSTREAM_BOOTSTRAP", default="127.0.0.1:9092", show_default=True, help="Kafka, host:port"
)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="envstream")
def main() -> None:
    """环境监测数据流水线 · envstream: air, rivers and enterprises of a district, judged under dated standards."""


def ways_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Further ways into the log of a gateway, for those who do not speak HJ 212 (docs/ingest.md)."""
    command = click.option(
        "--ingest-folder", type=click.Path(path_type=Path), help="CSV files dropped into this folder are taken too"
    )(command)
    return click.option("--ingest-http", metavar="HOST:PORT", help="take readings as JSON by HTTP too, with a token")(
        command
    )


def ways_in(option: str, http: str | None, folder: Path | None, **more: Any) -> Any:
    """Which ways in, or the end with all that is wrong with the folder or the tokens."""
    from streams.ingest_tokens import TokensError, load
    from streams.ingest_ways import WaysPlan

    if folder is not None:
        from streams.ingest_folder import IngestFolderError, make

        try:
            make(folder)
        except IngestFolderError as error:
            fail(f"{option.replace('http', 'folder')} {error}")
    if http is None:
        return WaysPlan(folder=folder, option=option, **more)
    at = address(http, option, "")
    try:
        return WaysPlan(http=(at.host, at.port), tokens=load(), folder=folder, option=option, **more)
    except TokensError as error:
        fail(f"{option}: {error}")


# ---- everything on the embedded default


@main.command()
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    default=DEFAULT_DATA,
    show_default=True,
    help="folder of journal, spool and logs",
)
@click.option(
    "--district",
    type=click.Path(path_type=Path),
    help="the district's registry; the example district with --simulate, else the twelve Beijing stations",
)
@click.option("--host", help="address loggers connect to; from the registry unless given")
@click.option(
    "--port", type=click.IntRange(0, 65535), help="port loggers connect to; from the registry unless given, 0 for any"
)
@click.option("--control-port", type=click.IntRange(0, 65535), help="loopback port on which a replay sets the clock")
@click.option("--metrics", help="HOST:PORT on which Prometheus finds the gateway's /metrics")
@click.option(
    "--desk", "desk_at", metavar="HOST:PORT", help="where the duty desk is; 127.0.0.1:8088 unless given or --once"
)
@click.option("--no-people", is_flag=True, help="no desk, and nobody is told of alerts; as with --once")
@ways_options
@click.option("--once", is_flag=True, help="end when the replay or the simulation is done, with a summary")
@click.option(
    "--replay", "files", multiple=True, type=click.Path(path_type=Path), help="recorded data to replay; with --once"
)
@click.option("--simulate", "days", type=click.IntRange(1, 3660), help="days to simulate; with --once")
@click.option("--start", help="first simulated day, as 2026-03-02")
@click.option("--seed", type=int, help="of the simulation")
@click.option("--scenario", "scenarios", multiple=True, help="a scenario file or its name; may be repeated")
@click.option("--full", help="simulated days at full cadence: 3, or 2-4, or all")
@click.option("--json", "as_json", is_flag=True, help="the summary as JSON")
def up(
    data: Path,
    district: Path | None,
    host: str | None,
    port: int | None,
    control_port: int | None,
    metrics: str | None,
    desk_at: str | None,
    no_people: bool,
    ingest_http: str | None,
    ingest_folder: Path | None,
    once: bool,
    files: tuple[Path, ...],
    days: int | None,
    start: str | None,
    seed: int | None,
    scenarios: tuple[str, ...],
    full: str | None,
    as_json: bool,
) -> None:
    """Everything on one machine: broker, gateway, worker, sink, desk, notify; Ctrl-C ends it, the next `up` goes on.

    \b
    envstream up                                     wait for loggers, or for a replay from another terminal
    envstream up --once --replay hours.csv.gz        run a file through the whole path and print a summary
    envstream up --once --simulate 7                 the same with seven days of the example district
    """  # noqa: D301 - click looks for the character itself
    if once != bool(files or days) or (files and days):
        fail("--once goes with --replay FILE or with --simulate DAYS, one of them; without it replay beside `up`")
    options = {"--start": start, "--seed": seed, "--full": full}
    given = [part for name, value in options.items() if value is not None for part in (name, str(value))]
    given += [part for name in scenarios for part in ("--scenario", name)]
    if given and not days:
        fail(f"{given[0]} belongs to --simulate DAYS")
    from streams.run import RunError, UpPlan, check_file, run_up

    feed: list[str] = []
    if days:
        feed = ["simulate", "--days", str(days), "--step", "30", *given]  # seconds; half the time of ten
    elif files:
        feed = ["replay", *map(str, files)]
    district = district or (EXAMPLE_DISTRICT if days else DEFAULT_DISTRICT)
    registry = load_district(district)
    receive = registry.receive
    # refused here, before anything is started
    ways_in("--ingest-http", ingest_http, ingest_folder)
    if desk_at and no_people:
        fail("--desk and --no-people: leave one of them out")
    desk_at = desk_at or (None if once or no_people else DESK)
    can_listen({"--metrics": metrics, "--ingest-http": ingest_http, "--desk": desk_at})
    people, welcome = parts_for_people(data, registry, desk_at)
    try:
        for file in files:
            check_file(file)
        code = run_up(
            UpPlan(
                folder=data,
                district=district,
                registry=registry,
                host=host or receive.host,
                port=receive.port if port is None else port,
                control_port=receive.control_port if control_port is None else control_port,
                feed=tuple(feed),
                metrics=metrics,
                ingest_http=ingest_http,
                ingest_folder=ingest_folder,
                as_json=as_json,
                people=people,
                welcome=welcome,
            )
        )
    except RunError as error:
        fail(error)
    sys.exit(code)


def parts_for_people(data: Path, registry: Any, desk_at: str | None) -> tuple[dict[str, tuple[str, ...]], Any]:
    """Commands of the desk and of who tells people, and what is said of them when everything begins."""
    if desk_at is None:
        return {}, None
    tell: dict[str, tuple[str, ...]] = {"notify": ("notify",)} if registry.persons else {}
    first = max((p for p in registry.persons if "read" in p.rights), key=lambda p: len(p.rights), default=None)
    if first is None:
        return tell, lambda: ["no desk: nobody in this registry may use it (docs/registry.md: [[person]])"]
    tokens = Path(os.environ.get("ENVSTREAM_DESK_TOKENS", data / "desk-tokens.toml"))

    def welcome() -> list[str]:
        """A desk nobody can sign in to gets a token, shown once."""
        from desk.web.tokens import Tokens, TokensError, issue

        try:
            said = [] if Tokens(tokens) else [f"sign in as {first.name} with {issue(tokens, first.id)}"]
        except TokensError as error:
            fail(error)
        once = "that token is shown once; for others: envstream desk token PERSON"
        return [f"desk: http://{desk_at}", *(f"{text}; {once}" for text in said)]

    return {"desk": ("desk", "--listen", desk_at, "--tokens", str(tokens)), **tell}, welcome


# ---- one part, for production


@main.command(hidden=True)
@part_options
def broker(leash: bool, log_level: str) -> None:
    """The embedded broker, in a process of its own."""
    begin_part(leash, log_level)
    from streams import embedded_broker

    embedded_broker.run(stop_event(), lambda bootstrap: ready(ready="broker", bootstrap=bootstrap))


@main.command()
@bootstrap_option
@district_option
@click.option("--host", help="address loggers connect to; from the registry unless given")
@click.option("--port", type=click.IntRange(0, 65535), help="their port; from the registry unless given")
@click.option("--control-port", type=click.IntRange(0, 65535), help="loopback port of the control connection")
@click.option(
    "--clock", type=click.Choice(["live", "virtual", "auto"]), default="live", show_default=True, help="of a new log"
)
@metrics_option
@ways_options
@click.option("--journal", type=click.Path(path_type=Path), hidden=True)
@click.option("--waits-for-desk", is_flag=True, hidden=True)
@part_options
def gateway(
    bootstrap: str,
    district: Path,
    host: str | None,
    port: int | None,
    control_port: int | None,
    clock: str,
    metrics: str | None,
    ingest_http: str | None,
    ingest_folder: Path | None,
    journal: Path | None,
    waits_for_desk: bool,
    leash: bool,
    log_level: str,
) -> None:
    """Receive loggers: HJ 212 over TCP into Kafka, answered when Kafka has it.

    Passwords and SM4 keys of loggers come from ENVSTREAM_PW_<MN>, ENVSTREAM_SM4_<MN>, or the TOML file that
    ENVSTREAM_SECRETS names (tables [password] and [sm4]).
    """
    registry = load_district(district)
    can_listen({"--metrics": metrics})
    begin_part(leash, log_level)
    import asyncio

    from streams.gateway_service import GatewayError, GatewayPlan, serve
    from streams.view import READER

    readers: list[tuple[str, tuple[str, ...]]] = [READER]
    if waits_for_desk:
        from desk.view import READER as DESK_READER

        readers.append(DESK_READER)
    plan = GatewayPlan(
        bootstrap=bootstrap,
        registry=registry,
        secrets=device_secrets(),
        host=host or registry.receive.host,
        port=registry.receive.port if port is None else port,
        control_port=registry.receive.control_port if control_port is None else control_port,
        journal_folder=journal,
        clock=clock,
        extra_readers=tuple(readers) if journal is not None else (),
        metrics=metrics_at(metrics),
        ingest=ways_in("--ingest-http", ingest_http, ingest_folder),
    )
    try:
        asyncio.run(serve(plan, lambda told: ready(ready="gateway", **told)))
    except GatewayError as error:
        fail(error)


@main.command()
@bootstrap_option
@district_option
@click.option("--http", metavar="HOST:PORT", help="POST /v1/readings is taken here, with a token")
@click.option("--cert", type=click.Path(path_type=Path), help="PEM certificate: HTTPS instead of HTTP")
@click.option("--key", type=click.Path(path_type=Path), help="its PEM key")
@click.option("--topic", is_flag=True, help="read the Kafka topic ingest")
@click.option("--folder", type=click.Path(path_type=Path), help="take CSV files dropped into this folder")
@metrics_option
@part_options
def ingest(
    bootstrap: str,
    district: Path,
    http: str | None,
    cert: Path | None,
    key: Path | None,
    topic: bool,
    folder: Path | None,
    metrics: str | None,
    leash: bool,
    log_level: str,
) -> None:
    """Take readings of those who do not speak HJ 212: JSON by HTTP or from Kafka, CSV files from a folder.

    Tokens of HTTP come from ENVSTREAM_INGEST_TOKEN_<NAME>, or the TOML file that ENVSTREAM_INGEST_TOKENS names
    (table [token]). Beside an embedded broker it is the gateway that takes them: envstream up --ingest-http.
    """
    if not (http or topic or folder):
        fail("ingest: no way in: give --http HOST:PORT, --topic or --folder DIR")
    if (cert is None) != (key is None) or (cert and not http):
        fail("ingest: --cert and --key belong together, and to --http")
    registry = load_district(district)
    can_listen({"--metrics": metrics})
    begin_part(leash, log_level)
    import asyncio

    from streams.ingest_service import IngestPlan, IngestServiceError, serve

    plan = IngestPlan(
        bootstrap=bootstrap,
        registry=registry,
        ways=ways_in("--http", http, folder, topic=topic, tls=(cert, key) if cert else None),
        metrics=metrics_at(metrics),
    )
    try:
        asyncio.run(serve(plan, lambda told: ready(ready="ingest", **told)))
    except IngestServiceError as error:
        fail(error)


def device_secrets() -> Any:
    """Passwords and keys of loggers from the environment, or the end with all errors."""
    from streams.device_secrets import SecretsError, load

    try:
        return load()
    except SecretsError as error:
        fail(error)


@main.command()
@bootstrap_option
@click.option("--instance", help="static membership: a name of this worker that stays the same over restarts")
@click.option(
    "--session",
    type=click.FloatRange(3, 90),
    default=10.0,
    show_default=True,
    help="seconds until Kafka gives a dead worker's partitions to another",
)
@metrics_option
@click.option(
    "--watchdog",
    type=click.FloatRange(0),
    default=120.0,
    show_default=True,
    metavar="SECONDS",
    help="end with exit code 75 when nothing is taken for so long although messages wait; 0: never",
)
@click.option("--embedded", is_flag=True, hidden=True)
@part_options
def worker(
    bootstrap: str,
    instance: str | None,
    session: float,
    metrics: str | None,
    watchdog: float,
    embedded: bool,
    leash: bool,
    log_level: str,
) -> None:
    """Judge: Faust agents turn readings into cells, verdicts and the year so far."""
    can_listen({"--metrics": metrics})
    begin_part(leash, log_level)
    from agents.worker import WorkerError, run_worker

    try:
        code = run_worker(
            bootstrap=bootstrap,
            instance=instance,
            session_s=session,
            embedded=embedded,
            log_level=log_level,
            on_ready=lambda: ready(ready="worker"),
            metrics=metrics_at(metrics),
            watchdog_s=watchdog,
        )
    except WorkerError as error:
        fail(error)
    sys.exit(code)


@main.command()
@bootstrap_option
@click.option(
    "--spool", type=click.Path(path_type=Path), help="write line protocol into this folder instead of InfluxDB"
)
@click.option("--epoch", default="kafka", hidden=True)
@click.option("--readings/--no-readings", default=True, show_default=True, help="readings too, for some weeks")
@metrics_option
@click.option("--embedded", is_flag=True, hidden=True)
@part_options
def sink(
    bootstrap: str,
    spool: Path | None,
    epoch: str,
    readings: bool,
    metrics: str | None,
    embedded: bool,
    leash: bool,
    log_level: str,
) -> None:
    """Store: what is judged and told into InfluxDB 2, or into files when there is none.

    InfluxDB is named by ENVSTREAM_INFLUX_URL, _ORG, _BUCKET, _RECENT_DAYS and _TOKEN or _TOKEN_FILE in the
    environment. Readings, dead letters and the health of the parts go into a bucket of their own, which keeps them
    _RECENT_DAYS days; not into files.
    """
    can_listen({"--metrics": metrics})
    begin_part(leash, log_level)
    from schemas import topics
    from streams.health import telling
    from streams.offsets import Offsets
    from streams.ports import PortBusy
    from streams.sink import SinkStats, run_sink
    from streams.sink_metrics import sink_registry
    from streams.target import SinkError

    try:
        target: Any
        recent: tuple[str, ...] = ()
        if spool is not None:
            from streams.spool import Spool

            target = Spool(spool, epoch=epoch)
        elif os.environ.get("ENVSTREAM_INFLUX_URL"):
            from streams.influx import Influx, InfluxSettings

            target = Influx(InfluxSettings.from_env(os.environ))
            recent = tuple(name for name in topics.SUNK_RECENT if readings or name not in topics.READINGS)
        else:
            fail("sink: nowhere to write: set ENVSTREAM_INFLUX_URL and ENVSTREAM_INFLUX_TOKEN, or give --spool FOLDER")
        stats = SinkStats()
        kafka = None if embedded else bootstrap
        with telling("sink", sink_registry(stats, Offsets(bootstrap)), metrics=metrics_at(metrics), bootstrap=kafka):
            run_sink(
                bootstrap,
                target,
                stop=stop_event(),
                embedded=embedded,
                on_ready=lambda: ready(ready="sink"),
                stats=stats,
                recent=recent,
            )
    except (SinkError, PortBusy) as error:
        fail(error)


@main.command()
@bootstrap_option
@click.option("--embedded", is_flag=True, hidden=True)
@click.option("--control", help="HOST:PORT of the gateway's control connection, with --embedded", hidden=True)
@click.option(
    "--secrets", type=click.Path(path_type=Path), help="TOML file of the channels' secrets, readable by its owner only"
)
@click.option("--robots", metavar="URL", help="a drill: fakes at this address get every request, no provider does")
@metrics_option
@part_options
def notify(
    bootstrap: str,
    embedded: bool,
    control: str | None,
    secrets: Path | None,
    robots: str | None,
    metrics: str | None,
    leash: bool,
    log_level: str,
) -> None:
    """Tell people: notices by DingTalk, WeCom, Feishu, webhook, SMS and mail; one of it for a district.

    Secrets of channels come from ENVSTREAM_SECRET_<NAME>, or the TOML file of --secrets (table [secret]); <NAME> is
    what the registry says (docs/notify.md). Nobody is told from a virtual log, but with --robots.
    """
    if embedded != bool(control):
        fail("notify: --embedded and --control belong together")
    if robots is not None and not robots.startswith(("http://", "https://")):
        fail(f"--robots {robots}: write it as http://HOST:PORT")
    can_listen({"--metrics": metrics})
    begin_part(leash, log_level)
    import asyncio

    from desk.notify.service import NotifyError, NotifyPlan, serve

    control_at = address(control, "--control", "") if control else None
    plan = NotifyPlan(
        bootstrap=bootstrap,
        control=(control_at.host, control_at.port) if control_at is not None else None,
        secrets_file=secrets,
        robots=(robots or "").rstrip("/"),
        metrics=metrics_at(metrics),
    )
    try:
        asyncio.run(serve(plan, lambda told: ready(ready="notify", **told)))
    except NotifyError as error:
        fail(error)


@main.command()
@bootstrap_option
@click.option("--partitions", type=click.IntRange(1, 1000), default=4, show_default=True)
@click.option("--replication", type=click.IntRange(1, 10), default=1, show_default=True)
@click.option(
    "--tokens",
    type=click.Path(path_type=Path),
    help="folder for InfluxDB's tokens: sink.token may only write, grafana.token only read",
)
def init(bootstrap: str, partitions: int, replication: int, tokens: Path | None) -> None:
    """Create what production needs: Kafka's topics, and when ENVSTREAM_INFLUX_URL is set InfluxDB's buckets and tokens.

    ENVSTREAM_INFLUX_ADMIN_TOKEN or _ADMIN_TOKEN_FILE has a token that may do everything in the organisation; no other
    part needs it. Running it again mends what differs and makes nothing twice.
    """
    set_up_logging("warning")
    from streams.admin import AdminError, initialise

    try:
        for line in initialise(bootstrap, partitions, replication, os.environ, tokens):
            click.echo(line)
    except AdminError as error:
        fail(error)


@main.command()
@bootstrap_option
@click.option("--control", metavar="HOST:PORT", help="of `envstream up`: its gateway is asked instead of Kafka")
@click.option("--district", type=click.Path(path_type=Path), help="the registry that must be in force")
@click.option("--data", type=click.Path(path_type=Path), help="a folder on a disk that needs room")
@click.option("--json", "as_json", is_flag=True, help="as JSON")
def doctor(bootstrap: str, control: str | None, district: Path | None, data: Path | None, as_json: bool) -> None:
    """体检: is everything reachable, configured, on time. Looks and changes nothing; exit code 1 when something failed.

    InfluxDB is looked at where ENVSTREAM_INFLUX_URL says it is, with ENVSTREAM_INFLUX_ADMIN_TOKEN or _TOKEN (or their
    _FILE), Grafana where ENVSTREAM_GRAFANA_URL says. What is found and what to do: docs/health.md.
    """
    import itertools

    from streams import doctor as found_by
    from streams import doctor_http, doctor_kafka, doctor_up

    at = address(control, "--control", "") if control else None
    registry = load_district(district) if district is not None else None
    if at is not None:
        checks: Any = doctor_up.checks((at.host, at.port), data)
    else:
        checks = itertools.chain(doctor_kafka.checks(bootstrap, registry), doctor_http.checks(os.environ))
    if data is not None:
        checks = itertools.chain(checks, [("disk", str(data), lambda: found_by.disk(data))])
    findings = []
    for finding in found_by.examine(checks):
        findings.append(finding)
        if not as_json:
            click.echo(finding.line())
    failed = sum(finding.state == found_by.FAIL for finding in findings)
    warned = sum(finding.state == found_by.WARN for finding in findings)
    if as_json:
        keys = ("check", "state", "place", "zh", "en", "cure")
        show({"failed": failed, "warned": warned, "findings": [{k: getattr(f, k) for k in keys} for f in findings]})
    else:
        click.echo(f"故障 failed {failed}, 注意 warnings {warned}, 共 of {len(findings)}", err=True)
    sys.exit(1 if failed else 0)


# ---- the duty desk


tokens_option = click.option(
    "--tokens",
    type=click.Path(path_type=Path),
    envvar="ENVSTREAM_DESK_TOKENS",
    default="desk-tokens.toml",
    show_default=True,
    help="file of the tokens' hashes, readable by its owner only",
)


@main.group("desk", invoke_without_command=True)
@bootstrap_option
@click.option("--control", metavar="HOST:PORT", help="gateway's control connection: what is decided is written by it")
@click.option("--listen", metavar="HOST:PORT", default="127.0.0.1:8088", show_default=True, help="where pages are")
@tokens_option
@click.option("--cert", type=click.Path(path_type=Path), help="PEM certificate: HTTPS instead of HTTP")
@click.option("--key", type=click.Path(path_type=Path), help="its PEM key")
@click.option("--proxy", is_flag=True, help="a reverse proxy stands before it: believe its X-Forwarded headers")
@metrics_option
@click.option("--embedded", is_flag=True, hidden=True)
@part_options
@click.pass_context
def desk_group(
    context: click.Context,
    bootstrap: str,
    control: str | None,
    listen: str,
    tokens: Path,
    cert: Path | None,
    key: Path | None,
    proxy: bool,
    metrics: str | None,
    embedded: bool,
    leash: bool,
    log_level: str,
) -> None:
    """值班台 The duty desk: open alerts, hand-over, calendar, map, outlets, and what people enter (docs/desk.md).

    \b
    envstream desk token guo                         a token for a person of the registry, shown once
    envstream desk --bootstrap kafka:9092            pages at http://127.0.0.1:8088; a live log on Kafka
    envstream desk --control 127.0.0.1:9213          what is decided is written by the gateway: any log
    """  # noqa: D301 - click looks for the character itself
    if context.invoked_subcommand is not None:
        return
    if (cert is None) != (key is None):
        fail("desk: --cert and --key belong together")
    at = address(listen, "--listen", "")
    through = address(control, "--control", "") if control else None
    can_listen({"--metrics": metrics})
    begin_part(leash, log_level)
    import asyncio

    from desk.web.service import DeskError, DeskPlan, serve

    plan = DeskPlan(
        bootstrap=bootstrap,
        listen=(at.host, at.port),
        tokens=tokens,
        control=(through.host, through.port) if through is not None else None,
        tls=(cert, key) if cert is not None and key is not None else None,
        proxy=proxy,
        embedded=embedded,
        metrics=metrics_at(metrics),
    )
    try:
        asyncio.run(serve(plan, lambda told: ready(ready="desk", **told)))
    except DeskError as error:
        fail(error)


@desk_group.command("token")
@click.argument("person")
@tokens_option
@district_option
@click.option("--revoke", is_flag=True, help="收回: the person can sign in no more, and is signed out")
def desk_token(person: str, tokens: Path, district: Path, revoke: bool) -> None:
    """登录令牌: make a token for PERSON (an id of the registry) and show it once; the last one no longer counts.

    Only a hash is kept. A running desk takes it without a restart.
    """
    from desk.web.tokens import TokensError, issue
    from desk.web.tokens import revoke as forget

    try:
        if revoke:
            click.echo(f"{person}: 令牌已收回 revoked" if forget(tokens, person) else f"{person}: 没有令牌 had none")
            return
        known = {p.id: p for p in load_district(district).persons}
        if person not in known:
            fail(f"desk token: no person {person!r} in {district}: write an id of its [[person]], give --district")
        if "read" not in known[person].rights:
            fail(f"desk token: {person} has no right to read the desk: see rights of [[person]] in docs/registry.md")
        click.echo(issue(tokens, person))
        click.echo(f"envstream: token of {known[person].name}; it is shown once, {tokens} keeps its hash", err=True)
    except TokensError as error:
        fail(error)


# ---- a person asks a running gateway


control_option = click.option(
    "--control", help="HOST:PORT of the gateway's control connection; from the registry unless given"
)


def ask_gateway(control: str | None, district: Path, operation: dict[str, Any]) -> dict[str, Any]:
    """One operation of the control connection, or the end with what it says."""
    from streams.ask import AskError, ask

    try:
        return ask(*gateway_at(control, district), operation)
    except AskError as error:
        fail(error)


def gateway_at(control: str | None, district: Path) -> tuple[str, int]:
    """Where a gateway's control connection is: as given, else as the registry says."""
    if control:
        found = address(control, "--control", "")
        return found.host, found.port
    return "127.0.0.1", load_district(district).receive.control_port


@main.group("registry")
def registry_group() -> None:
    """The district's registry: check it, put it into the log."""


@registry_group.command("check")
@click.argument("file", type=click.Path(path_type=Path))
def registry_check(file: Path) -> None:
    """Check a registry and say what it holds, or every error at once."""
    registry = load_district(file)
    click.echo(f"{registry.name} {registry.name_en} ({registry.digest})")
    for name in ("groups", "areas", "stations", "sections", "reaches", "enterprises", "outlets", "limits", "loggers"):
        click.echo(f"{name:12} {len(getattr(registry, name))}")


@registry_group.command("apply")
@click.argument("file", type=click.Path(path_type=Path))
@control_option
def registry_apply(file: Path, control: str | None) -> None:
    """Put a checked registry into the log of a running gateway; nothing is restarted.

    It holds for everything behind it in the log; verdicts of before keep the registry they were made under.
    """
    registry = load_district(file)
    reply = ask_gateway(control, file, {"op": "registry", "text": registry.text, "place": str(file)})
    click.echo(f"registry {reply['digest']} " + ("is in the log" if reply["changed"] else "was in force already"))


@main.group()
def loggers() -> None:
    """The loggers of a running gateway: who is there, and what they are asked for."""


@loggers.command("list")
@control_option
@district_option
@click.option("--json", "as_json", is_flag=True, help="as JSON, with everything known")
def loggers_list(control: str | None, district: Path, as_json: bool) -> None:
    """Every logger that spoke since the gateway started."""
    found = ask_gateway(control, district, {"op": "loggers"})["loggers"]
    if as_json:
        show(found)
        return
    click.echo(f"{'MN':26}{'source':20}{'edition':9}{'peer':23}{'packets':>9}{'clock s':>9}{'lost':>6}  request")
    for one in found:
        drift = "" if one["drift_ms"] is None else f"{one['drift_ms'] / 1000:+.1f}"
        click.echo(
            f"{one['mn']:26}{one['source']:20}{one['edition']:9}{one['peer'] or 'off-line':23}{one['packets']:9}"
            f"{drift:>9}{one['lost_realtime']:6}  {one['asked'] or one['last_request'] or ''}"
        )


@loggers.command("backfill")
@click.argument("source")
@click.option("--from", "begin", required=True, help="start of the first hour, as 2026-11-22T08:00 (Beijing)")
@click.option("--to", "end", required=True, help="start of the last hour, inclusive")
@click.option("--minutes", is_flag=True, help="minutes instead of hours")
@control_option
@district_option
def loggers_backfill(source: str, begin: str, end: str, minutes: bool, control: str | None, district: Path) -> None:
    """Ask the logger of SOURCE (its id or MN) for hours it owes; sent when it is connected."""
    from schemas import times

    span = {}
    for name, text in (("--from", begin), ("--to", end)):
        try:
            span[name] = times.parse_text(text)
        except ValueError as error:
            fail(f"{name} {text}: {error}: write it as 2026-11-22T08:00")
    if span["--to"] < span["--from"]:
        fail(f"--to {end} is before --from {begin}")
    reply = ask_gateway(
        control,
        district,
        {
            "op": "backfill",
            "source": source,
            "cn": "2051" if minutes else "2061",
            "begin_s": span["--from"],
            "end_s": span["--to"],
        },
    )
    click.echo(f"{reply['hours']} hours more are to be asked of the logger of {source}; see envstream loggers list")


@loggers.command("command")
@click.argument("source")
@click.argument("cn")
@control_option
@district_option
def loggers_command(source: str, cn: str, control: str | None, district: Path) -> None:
    """Send the remote command CN to the logger of SOURCE; the registry must enable it for that logger."""
    ask_gateway(control, district, {"op": "command", "source": source, "cn": cn})
    click.echo(f"CN {cn} goes to the logger of {source}; see envstream loggers list")


@main.command("clock")
@click.option("--confirm", is_flag=True, help="believe the wall clock after a jump, and go on")
@control_option
@district_option
def clock_command(confirm: bool, control: str | None, district: Path) -> None:
    """What time a gateway's log has, and whether it waits because the wall clock leapt ahead."""
    reply = ask_gateway(control, district, {"op": "confirm", "confirm": confirm})
    from schemas import times

    click.echo(f"log {reply['log'] or 'empty'}, now {times.text(reply['now'] // 1000)}")
    if reply["held"]:
        minutes = reply["jump_ms"] / 60_000
        cure = "confirmed: going on" if confirm else "nothing is taken: set it back, or say --confirm"
        click.echo(f"the wall clock leapt {minutes:.0f} minutes ahead; {cure}")


# ---- what people decide


@main.group()
def action() -> None:
    """人工记录 What people decide: dust days, corrections, published values, marks (docs/actions.md).

    Each is a message of the log, with who decided it, when and why; what was concluded is concluded again. Saying one
    again changes nothing; of two on the same matter the later holds; --withdraw ends one.
    """


def into_the_log(command: Callable[..., Any]) -> Callable[..., Any]:
    """Which log actions are put into."""
    command = district_option(command)
    command = click.option("--bootstrap", help="Kafka, host:port: straight into a live log there, without a gateway")(
        command
    )
    return control_option(command)


def decided(command: Callable[..., Any]) -> Callable[..., Any]:
    """What every single action takes."""
    command = click.option("--withdraw", is_flag=True, help="撤回: it no longer holds")(command)
    command = click.option("--why", required=True, help="原因: why, or the document it stands on")(command)
    command = click.option("--by", required=True, help="操作人: who decides it")(command)
    return into_the_log(command)


source_option = click.option("--source", default="", help="依据: the document, such as a number of a notice")


@action.command("dust-day")
@click.argument("area")
@click.argument("first", metavar="DAY")
@click.argument("last", metavar="[LAST]", default="")
@source_option
@decided
def action_dust_day(source: str, **words: Any) -> None:
    """沙尘日: DAY (to LAST, inclusive) is a confirmed dust day of AREA.

    \b
    envstream action dust-day luan 2026-03-12 --by 张三 --why "总站 2026-03-13 通报"
    """  # noqa: D301 - click looks for the character itself
    give_one("dust-day", words.pop("area"), {"source": source}, **words)


@action.command("plan-exception")
@click.argument("area")
@click.argument("first", metavar="DAY")
@click.argument("last", metavar="[LAST]", default="")
@click.option("--not-monitored", default="", help="pollutants outside the monitoring plan, joined by comma")
@click.option("--clean", default="", help="yes: in three years of data never primary on a polluted day; or no")
@source_option
@decided
def action_plan_exception(not_monitored: str, clean: str, source: str, **words: Any) -> None:
    """监测计划例外: from DAY to LAST, inclusive, the plan of AREA (or of a station) leaves pollutants out."""
    data = {"not_monitored": not_monitored, "clean": clean, "source": source}
    give_one("plan-exception", words.pop("area"), data, **words)


@action.command("correct")
@click.argument("station")
@click.argument("first", metavar="FROM")
@click.argument("last", metavar="TO")
@click.argument("values", metavar="[FACTOR=VALUE]...", nargs=-1)
@decided
def action_correct(values: tuple[str, ...], **words: Any) -> None:
    """数据审核更正: audited values of the hours of STATION that end after FROM and up to TO.

    VALUE is the audited value in the published unit (one hour only), invalid, or valid: the value that was sent stands
    although it was flagged. --withdraw without factors ends the correction of all.

    \b
    envstream action correct air-luhua 2026-03-12T09:00 2026-03-12T10:00 PM2.5=23 SO2=invalid --by 李四 --why 审核
    """  # noqa: D301 - click looks for the character itself
    give_one("correction", words.pop("station"), pairs(values), **words)


@action.command("publish")
@click.argument("area")
@click.argument("first", metavar="DAY")
@click.argument("values", metavar="KEY=VALUE...", nargs=-1)
@decided
def action_publish(values: tuple[str, ...], **words: Any) -> None:
    """省级公布值: what the province published of a DAY of AREA.

    KEY is aqi (a number or NA), primary, level, category, SO2, NO2, CO, O3, PM10, PM2.5, dust (keep or deduct), source.

    \b
    envstream action publish luan 2026-03-12 aqi=85 primary=PM2.5 PM2.5=63 --by 王五 --why "省站日报"
    """  # noqa: D301 - click looks for the character itself
    give_one("published", words.pop("area"), pairs(values), last="", **words)


@action.command("mark")
@click.argument("outlet")
@click.argument("first", metavar="FROM")
@click.argument("last", metavar="TO")
@click.argument("mark")
@source_option
@decided
def action_mark(mark: str, source: str, **words: Any) -> None:
    """企业标记: OUTLET was in the state MARK from FROM to TO.

    MARK is a name such as 启炉, 停运 or CEMS维护, or START, SHUTDOWN, MAINT and so on.
    """
    give_one("mark", words.pop("outlet"), {"mark": mark, "source": source}, **words)


@action.command("maintenance")
@click.argument("subject")
@click.argument("first", metavar="FROM")
@click.argument("last", metavar="TO")
@source_option
@decided
def action_maintenance(subject: str, source: str, **words: Any) -> None:
    """检修计划: SUBJECT (a station, section, outlet or enterprise) is under maintenance from FROM to TO."""
    give_one("maintenance", subject, {"source": source}, **words)


@action.command("file")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--withdraw", is_flag=True, help="撤回: all of the file no longer hold")
@into_the_log
def action_file(file: Path, withdraw: bool, control: str | None, bootstrap: str | None, district: Path) -> None:
    """Actions of a TOML or CSV FILE, of any kind: all of them, or none and every error with its line."""
    from schemas.action_files import ActionsError, read_file

    try:
        placed = read_file(file)
    except ActionsError as error:
        fail(error)
    if withdraw:
        for _, each in placed:
            each.withdrawn = True
    give(placed, control, bootstrap, district)


def pairs(words: tuple[str, ...]) -> dict[str, str]:
    """``KEY=VALUE`` words, or the end."""
    found: dict[str, str] = {}
    for word in words:
        key, equals, value = word.partition("=")
        if not (key and equals and value):
            fail(f"{word}: write it as KEY=VALUE, such as PM2.5=23")
        if key in found:
            fail(f"{word}: {key} stands twice")
        found[key] = value
    return found


def give_one(
    what: str,
    subject: str,
    data: dict[str, str],
    *,
    first: str,
    last: str,
    by: str,
    why: str,
    withdraw: bool,
    control: str | None,
    bootstrap: str | None,
    district: Path,
) -> None:
    """Put one action into the log, or end with all that is wrong with it."""
    from schemas.action_files import ActionsError, Placed, period
    from schemas.actions import draft

    try:
        begin, end = period(first, last)
    except ActionsError as error:
        fail(f"{what}: {error}")
    give(
        [Placed("", draft(what, subject, begin, end, by=by, why=why, data=data, withdrawn=withdraw))],
        control,
        bootstrap,
        district,
    )


def give(placed: list[Any], control: str | None, bootstrap: str | None, district: Path) -> None:
    """Put actions into the log, by the gateway's control connection or into Kafka; a line for each, with its id."""
    if control and bootstrap:
        fail("--control and --bootstrap are two ways into a log: give one of them")
    from schemas.action_files import written

    if bootstrap:
        from streams.action_writer import ActionWriterError, write

        try:
            ids = [each.id for each in write(bootstrap, placed)]
        except ActionWriterError as error:
            fail(error)
    else:
        from streams.ask import AskError, ask_actions

        try:
            ids = ask_actions(*gateway_at(control, district), placed)
        except AskError as error:
            fail(error)
    for name, (_, each) in zip(ids, placed, strict=True):
        state = "withdrawn" if each.withdrawn else "in the log"
        click.echo(f"{name}  {each.what} {each.subject} {written(each)}: {state}")


@action.command("list")
@click.option("--data", type=click.Path(path_type=Path), help=f"folder of `envstream up`; {DEFAULT_DATA} unless given")
@click.option("--bootstrap", help="Kafka, host:port, instead of a folder")
@click.option("--what", help="of one kind, such as dust-day")
@click.option("--subject", help="of one area, station, section, outlet or enterprise")
@click.option("--json", "as_json", is_flag=True, help="as JSON, with everything known")
def action_list(data: Path | None, bootstrap: str | None, what: str | None, subject: str | None, as_json: bool) -> None:
    """Everything people decided: when, who, what, why, and whether it still holds."""
    if data is not None and bootstrap:
        fail("--data and --bootstrap are two places of a log: give one of them")
    from schemas.blocks import BlockError
    from streams.action_list import line, listed, of_journal

    try:
        if bootstrap:
            from streams.action_writer import ActionWriterError, read

            try:
                records = read(bootstrap)
            except ActionWriterError as error:
                fail(error)
        else:
            folder = (data or Path(DEFAULT_DATA)) / "journal"
            if not folder.is_dir():
                fail(f"{folder}: no journal of envstream up: give its folder with --data, or Kafka with --bootstrap")
            records = of_journal(folder)
        found = listed(records)
    except BlockError as error:
        fail(f"actions: {error}")
    found = [one for one in found if what in (None, one["what"]) and subject in (None, one["subject"])]
    if as_json:
        show(found)
        return
    for one in found:
        click.echo(line(one))


# ---- what could not be used


@main.group("dead")
def dead_group() -> None:
    """死信 Dead letters: what could not be used, and another try (docs/dead-letters.md)."""


def of_a_broker(command: Callable[..., Any]) -> Callable[..., Any]:
    """Kafka, or the broker of a running ``envstream up``."""
    command = click.option(
        "--data", type=click.Path(path_type=Path), help="folder of a running `envstream up`, instead of Kafka"
    )(command)
    return bootstrap_option(command)


def broker_of(bootstrap: str, data: Path | None) -> str:
    """Address of the broker meant, or the end."""
    if data is None:
        return bootstrap
    try:
        return str(json.loads((data / "up.json").read_text())["bootstrap"])
    except (OSError, ValueError, KeyError):
        fail(f"{data}: no envstream up runs there: give its folder with --data, or Kafka with --bootstrap")


def waiting_letters(bootstrap: str) -> list[Any]:
    """All dead letters that wait, or the end."""
    from streams.dead_list import DeadListError, read

    try:
        return read(bootstrap)
    except DeadListError as error:
        fail(error)


@dead_group.command("list")
@of_a_broker
@click.option("--since", help="received since then, as 2026-11-22T08:00 (Beijing)")
@click.option("--from", "source", help="a topic such as cells, or gateway, ingest, file")
@click.option("--reason", help="with these words in their reason")
@click.option("--limit", type=click.IntRange(1), default=50, show_default=True, help="rows shown; all are counted")
@click.option("--json", "as_json", is_flag=True, help="as JSON, with everything known")
def dead_list(
    bootstrap: str,
    data: Path | None,
    since: str | None,
    source: str | None,
    reason: str | None,
    limit: int,
    as_json: bool,
) -> None:
    """列出死信: what waits, each letter once, newest last, and how many for each reason.

    \b
    envstream dead list --bootstrap kafka:9092 --from verdicts --since 2026-11-22T08:00
    envstream dead list --data .run/example --reason "field type"
    """  # noqa: D301 - click looks for the character itself
    from schemas import times
    from streams.dead_list import as_json as told
    from streams.dead_list import chosen, summary, table

    try:
        since_ms = times.parse_text(since) * 1000 if since else None
    except ValueError as error:
        fail(f"--since {since}: {error}: write it as 2026-11-22T08:00")
    letters = chosen(waiting_letters(broker_of(bootstrap, data)), since_ms=since_ms, source=source, reason=reason)
    if as_json:
        show({"count": len(letters), "summary": summary(letters), "letters": [told(x) for x in letters[-limit:]]})
    else:
        click.echo(table(letters, limit))


@dead_group.command("retry")
@click.argument("ids", nargs=-1)
@click.option("--all", "every", is_flag=True, help="every letter that has a retry")
@of_a_broker
@click.option("--json", "as_json", is_flag=True, help="as JSON")
def dead_retry(ids: tuple[str, ...], every: bool, bootstrap: str, data: Path | None, as_json: bool) -> None:
    """重试: write the current message of a letter's key into InfluxDB, never the old bytes.

    InfluxDB is named by the environment as for the sink. A letter that has no retry says what else can be done.

    \b
    envstream dead retry cells/2/4711/0 --bootstrap kafka:9092
    envstream dead retry --all --data .run/example
    """  # noqa: D301 - click looks for the character itself
    if every == bool(ids):
        fail("dead retry: name letters by their ids as `envstream dead list` shows them, or give --all, one of them")
    set_up_logging("error")
    from streams.dead_list import DeadListError
    from streams.dead_retry import SETTLED, key_of, retry
    from streams.influx import Influx, InfluxSettings
    from streams.target import SinkError

    at = broker_of(bootstrap, data)
    letters = {letter.dead.id: letter for letter in waiting_letters(at)}
    if unknown := [name for name in ids if name not in letters]:
        fail(f"no letter waits under {', '.join(unknown)}: see `envstream dead list`")
    asked = [letters[name] for name in ids] if ids else [x for x in letters.values() if key_of(x) is not None]
    try:
        target = Influx(InfluxSettings.from_env(os.environ))
        try:
            outcomes = retry(at, asked, target)
        finally:
            target.close()
    except (DeadListError, SinkError) as error:
        fail(error)
    if as_json:
        show([one.as_json() for one in outcomes])
    else:
        for one in outcomes:
            click.echo(one.line())
    if every and len(letters) > len(asked):
        click.echo(f"envstream: {len(letters) - len(asked)} letters have no retry; name one to read its cure", err=True)
    sys.exit(0 if all(one.state in SETTLED for one in outcomes) else 1)


# ---- recorded data


@main.command()
@click.argument("files", nargs=-1, required=True)
@click.option("--to", "target", required=True, help="hj212://HOST:PORT of a gateway, or a file: write a recording")
@click.option("--control", help="HOST:PORT of its control connection; the port after the gateway's unless given")
@click.option("--live", is_flag=True, help="send by the wall clock, without a control connection")
@district_option
@click.option("--speed", default="max", show_default=True, help="times real time, or max")
@click.option("--json", "as_json", is_flag=True, help="the report as JSON")
def replay(
    files: tuple[str, ...], target: str, control: str | None, live: bool, district: Path, speed: str, as_json: bool
) -> None:
    """Recorded data as live traffic: one logger per station, over TCP, waiting for every answer.

    FILES are hourly air CSV, recordings, or the evidence of a system: a --data folder of `up`, kafka://HOST:PORT.

    \b
    envstream replay hours.csv.gz --to hj212://127.0.0.1:9212
    envstream replay kafka://broker:9092 --to evidence.jsonl.gz     the packets of a production system, as a recording
    envstream replay evidence.jsonl.gz --district districts/example --to hj212://127.0.0.1:9212
    """  # noqa: D301 - click looks for the character itself
    set_up_logging("warning")
    registry = load_district(district)
    import asyncio

    from streams.air_csv import AirFileError
    from streams.player import RecordingError, ReplayError, ReplayPlan, record
    from streams.player import replay as play

    to_file = is_file(target)
    plan = ReplayPlan(
        files=files,
        registry=registry,
        to=address("127.0.0.1:1" if to_file else target, "--to", "" if to_file else "hj212://"),
        control=address(control, "--control", "") if control else None,
        live=live,
        speed=times_real(speed),
    )
    try:
        if to_file:
            report: dict[str, Any] = {"to": target, "packets": record(plan, Path(target))}
        else:
            with progress_bar("重放 replay") as progress:
                report = asyncio.run(play(plan, progress)).as_dict()
    except KeyboardInterrupt:
        sys.exit(130)
    except (AirFileError, RecordingError, ReplayError) as error:
        fail(error)
    show_report(report, as_json)


def is_file(target: str) -> bool:
    """Whether ``--to`` names a file; a scheme nobody knows is no name of one."""
    if "://" in target and not target.startswith("hj212://"):
        fail(f"--to {target}: write it as hj212://HOST:PORT, or name a file")
    return not target.startswith("hj212://")


def show_report(report: dict[str, Any], as_json: bool) -> None:
    """What a replay or a simulation did."""
    if as_json:
        show(report)
        return
    for name, value in report.items():
        if name == "truth":
            continue
        if isinstance(value, (dict, list)):
            pairs = value.items() if isinstance(value, dict) else ((each, "") for each in value)
            value = ", ".join(f"{key} {count}".strip() for key, count in pairs) or "-"
        click.echo(f"{name.replace('_', ' '):16} {value}")


@main.command()
@example_district_option
@click.option("--days", type=click.IntRange(1, 3660), default=7, show_default=True)
@click.option(
    "--start", type=click.DateTime(["%Y-%m-%d"]), help="first day; 2026-04-06 unless given, with --speed 1 today"
)
@click.option("--seed", type=int, default=1, show_default=True, help="of everything that is chance")
@click.option(
    "--scenario",
    "names",
    multiple=True,
    metavar="FILE[@STRENGTH]",
    help="what happens: a TOML file, or one of the district's scenarios by name; may be repeated",
)
@click.option(
    "--full", multiple=True, metavar="DAY", help="a day with instants and minutes: 3, 2-4 or all; may be repeated"
)
@click.option("--to", "target", help="FILE of a recording (.gz by its name), hj212://HOST:PORT, or kafka")
@click.option("--control", help="HOST:PORT of the gateway's control connection; from the registry unless given")
@bootstrap_option
@click.option("--speed", default="max", show_default=True, help="max, 1 (the wall clock), or times real time")
@click.option(
    "--step",
    type=click.IntRange(1, 600),
    default=10,
    show_default=True,
    help="virtual seconds sent under one setting of the gateway's clock; larger is faster",
)
@click.option("--truth", is_flag=True, help="list what must be concluded; without --to, only that")
@click.option("--json", "as_json", is_flag=True, help="the report as JSON, with the truth")
def simulate(
    district: Path,
    days: int,
    start: Any,
    seed: int,
    names: tuple[str, ...],
    full: tuple[str, ...],
    target: str | None,
    control: str | None,
    bootstrap: str,
    speed: str,
    step: int,
    truth: bool,
    as_json: bool,
) -> None:
    """A whole district that behaves, or misbehaves on demand: the same seed says the same bytes.

    \b
    envstream simulate --days 30 --to /dev/null                          how fast it is
    envstream simulate --full 3 --scenario episode --to week.jsonl.gz    a recording, for `envstream replay`
    envstream simulate --scenario exceedance@0.99 --to hj212://127.0.0.1:9212   just below the limit
    envstream simulate --speed 1 --full all --to hj212://127.0.0.1:9212  as on the wall clock, from now on
    """  # noqa: D301 - click looks for the character itself
    set_up_logging("warning")
    from streams.player import RecordingError, ReplayError
    from streams.simulator.planning import PlanError, plan_of
    from streams.simulator.simulate import Kafka, Simulation, run, truth_of

    registry = load_district(district)
    try:
        plan = plan_of(
            registry,
            district,
            days=days,
            start=None if start is None else start.date(),
            seed=seed,
            scenarios=names,
            full=full,
            wall=speed == "1",
        )
        if target is None:
            if not truth:
                fail("simulate: nowhere to send it: give --to FILE, hj212://HOST:PORT or kafka; or say --truth alone")
            told = truth_of(plan)
            show(told) if as_json else show_truth(plan)
            return
        if target == "kafka":
            to: Any = Kafka(bootstrap, district)
        else:
            to = Path(target) if is_file(target) else address(target, "--to", "hj212://")
        simulation = Simulation(
            registry=registry,
            plan=plan,
            to=to,
            control=address(control, "--control", "") if control else None,
            speed=times_real(speed),
            wall=speed == "1" and not isinstance(to, Path),
            step_ms=step * 1000,
        )
        with progress_bar("仿真 simulate", "hours") as progress:
            report = run(simulation, progress)
    except KeyboardInterrupt:
        sys.exit(130)
    except (PlanError, RecordingError, ReplayError) as error:
        fail(error)
    show_report(report, as_json)
    if truth and not as_json:
        show_truth(plan)


def show_truth(plan: Any) -> None:
    """What must be concluded from a plan, a line each."""
    for scenario in plan.scenarios:
        click.echo(f"{scenario.title} {scenario.title_en} ({scenario.name}, × {scenario.strength})")
        for each in scenario.truth(plan.start_s, plan.full):
            click.echo(f"  {each}")


def address(text: str, option: str, scheme: str) -> Any:
    """HOST:PORT after a scheme, or the end."""
    from streams.player import Address

    host, colon, port = text.removeprefix(scheme).rpartition(":")
    number = int(port) if port.isascii() and port.isdigit() and len(port) < 6 else 0
    if not text.startswith(scheme) or not colon or not host or not 0 < number < 65_536:
        fail(f"{option} {text}: write it as {scheme}HOST:PORT")
    return Address(host.strip("[]"), number)


def metrics_at(text: str | None) -> tuple[str, int] | None:
    """Where ``/metrics`` is served."""
    if text is None:
        return None
    found = address(text, "--metrics", "")
    return found.host, found.port


def can_listen(options: dict[str, str | None]) -> None:
    """The end, if one of these HOST:PORT cannot be listened on; all of them at once, each beside the others."""
    from streams.ports import PortBusy, listen_on

    with contextlib.ExitStack() as held:
        for option, text in options.items():
            if text is None:
                continue
            at = address(text, option, "")
            try:
                held.enter_context(listen_on(at.host, at.port, option))
            except PortBusy as error:
                fail(f"{option} {text}: {error}")
            except UnicodeError:
                fail(f"{option} {text}: no such host: write it as HOST:PORT")


def times_real(speed: str) -> float | None:
    """A factor of real time; None for max."""
    if speed == "max":
        return None
    try:
        factor = float(speed)
    except ValueError:
        factor = 0.0
    if not 0 < factor < 1e9:
        fail(f"--speed {speed}: a factor of real time such as 3600, or max")
    return factor


@contextlib.contextmanager
def progress_bar(label: str, unit: str = "rows") -> Iterator[Callable[[int, int], None]]:
    """A progress bar on stderr, told what is done and what there is (0: nobody knows)."""
    if not sys.stderr.isatty():  # a log, not a person watching: a line every tenth
        told = 0

        def line(done: int, total: int) -> None:
            nonlocal told
            if total and done * 10 // total > told:
                told = done * 10 // total
                click.echo(f"{label}: {told * 10} % of {total} {unit}", err=True)

        yield line
        return
    with click.progressbar(length=1, label=label, file=sys.stderr, show_pos=True) as bar:

        def progress(done: int, total: int) -> None:
            bar.length = total or done
            if done == total or done - bar.pos >= total / 200:
                bar.update(done - bar.pos)

        yield progress


@main.command("demo-data")
@example_district_option
@click.option("--years", type=click.IntRange(1, 5), default=1, show_default=True, help="to simulate")
@click.option("--days", type=click.IntRange(8, 1830), help="to simulate instead of years")
@click.option("--until", type=click.DateTime(["%Y-%m-%d"]), help="last whole day; yesterday unless given")
@click.option("--seed", type=int, default=1, show_default=True, help="of chance")
@click.option("--influx", is_flag=True, help="into the InfluxDB of the environment; its buckets are made")
@click.option("--spool", type=click.Path(path_type=Path), help="into files of line protocol in this folder")
def demo_data_command(
    district: Path, years: int, days: int | None, until: Any, seed: int, influx: bool, spool: Path | None
) -> None:
    """A simulated year to look at dashboards with: judged by the agents, the last seven days with every reading.

    It breaks off on the day after its last whole one: at this hour where that is today. It goes past Kafka, and
    ENVSTREAM_INFLUX_URL, _TOKEN, _ORG and _BUCKET name the InfluxDB; give it a bucket of its own.

    \b
    envstream demo-data --years 1 --influx
    envstream demo-data --days 60 --until 2026-06-30 --spool demo
    """  # noqa: D301 - click looks for the character itself
    if influx == (spool is not None):
        fail("demo-data: give --influx or --spool FOLDER, one of them")
    set_up_logging("error")
    import datetime as dt
    import time

    import msgspec

    from agents import demo_data
    from desk.notify import on_log_time
    from schemas import times, topics
    from streams.simulator.planning import PlanError
    from streams.target import SinkError

    now = times.civil(int(time.time()))
    last = until.date() if until else now.date() - dt.timedelta(days=1)
    breaks_off = demo_data.BREAKS_OFF_H if until else max(demo_data.BREAKS_OFF_H, now.hour)
    registry = load_district(district)
    try:
        to: Any = spool
        if influx:
            from streams import influx_admin
            from streams.influx import InfluxSettings

            to = InfluxSettings.from_env(os.environ)
            influx_admin.prepare(to, None)
        demo = demo_data.Demo(district, last, days or 365 * years, to, seed=seed, breaks_off_h=breaks_off)
        begun = time.monotonic()
        made = demo_data.run(demo)
        told = on_log_time.deliveries(made.notices, registry)
        lines = demo_data.store_messages(demo, topics.DELIVERIES, map(msgspec.json.encode, told))
    except (demo_data.DemoError, PlanError, SinkError) as error:
        fail(error)
    show(
        {
            "from": str(demo.start), "until": str(last), "lines": made.lines + lines, "messages": made.messages,
            "notices": len(made.notices), "deliveries": len(told), "seconds": round(time.monotonic() - begun),
            "peak_mib_of_a_process": round(made.peak_mib),
        }
    )  # fmt: skip


# ---- reports, and whether the agents are right


@main.group()
def export() -> None:
    """报表 Reports of what was judged, as CSV for a spreadsheet or as JSON."""


def from_a_log(command: Callable[..., Any]) -> Callable[..., Any]:
    """Where a report takes its verdicts from, and how it comes out."""
    command = click.option("--json", "as_json", is_flag=True, help="as JSON")(command)
    command = click.option("--to", "target", type=click.Path(path_type=Path), help="a file; stdout unless given")(
        command
    )
    command = click.option("--bootstrap", help="Kafka, host:port: its topic verdicts, instead of a folder")(command)
    return click.option(
        "--data", type=click.Path(path_type=Path), help=f"folder of `envstream up`; {DEFAULT_DATA} unless given"
    )(command)


@export.command("air")
@click.argument("date", type=click.DateTime(["%Y-%m-%d"]))
@click.option("--hour", type=click.IntRange(1, 24), help="of that day by its end, 1 to 24: the hourly report")
@from_a_log
def export_air_command(date: Any, hour: int | None, **where: Any) -> None:
    """日报、小时报: districts, townships and stations of a DATE, as HJ 633-2026 has them (Tables 4 and 5).

    \b
    envstream export air 2026-03-12 --data .run/example > 2026-03-12.csv
    envstream export air 2026-03-12 --hour 8 --bootstrap kafka:9092 --json
    """  # noqa: D301 - click looks for the character itself
    from agents.export_air import report

    export_rows(lambda log: report(log, date.date(), hour), **where)


@export.command("differences")
@click.argument("month", metavar="YYYY-MM")
@from_a_log
def export_differences_command(month: str, **where: Any) -> None:
    """与省级公布值的差异: each published day of a month beside ours, and why they differ.

    \b
    envstream export differences 2026-03 --data .run/example
    """  # noqa: D301 - click looks for the character itself
    from agents.export_air import differences, month_of

    try:
        month = month_of(month)
    except ValueError:
        fail(f"{month}: no month: write it as 2026-03")
    export_rows(lambda log: differences(log, month), **where)


def export_rows(
    make: Callable[[Any], Any], data: Path | None, bootstrap: str | None, target: Path | None, as_json: bool
) -> None:
    """Rows made of the verdicts of a log, on stdout or in a file."""
    if data is not None and bootstrap:
        fail("--data and --bootstrap are two places of a log: give one of them")
    from agents.export_air import ExportError, as_csv
    from agents.verdict_log import VerdictLogError, of_journal, of_kafka

    try:
        rows = make(of_kafka(bootstrap) if bootstrap else of_journal(data or Path(DEFAULT_DATA)))
    except (ExportError, VerdictLogError) as error:
        fail(error)
    text = json.dumps(rows, ensure_ascii=False, indent=2) + "\n" if as_json else as_csv(rows)
    if target is None:
        click.echo(text.encode(), nl=False)  # UTF-8 whatever the locale says
        return
    try:
        target.write_bytes(text.encode())
    except OSError as error:
        fail(f"{target}: {error.strerror}: give a file that can be written with --to")


@main.group()
def check() -> None:
    """Hold what the agents conclude against what must be concluded; no broker needed."""


@check.command("scenarios")
@example_district_option
@click.option(
    "--scenario",
    "names",
    multiple=True,
    metavar="FILE[@STRENGTH]",
    help="one of them, at one strength or at all edges of its truths; all that agents can judge unless given",
)
@click.option(
    "--kind", "kinds", multiple=True, help="of sources: air, water, emission; all that are judged unless given"
)
@click.option("--seed", type=int, help="of chance; that of a week without natural dust unless given")
@click.option("--write", type=click.Path(path_type=Path), help="put the table into this document, between its markers")
@click.option("--json", "as_json", is_flag=True, help="as JSON")
def check_scenarios_command(
    district: Path,
    names: tuple[str, ...],
    kinds: tuple[str, ...],
    seed: int | None,
    write: Path | None,
    as_json: bool,
) -> None:
    """Seven simulated days of every scenario against its truth: no miss, no false alarm; exit code 1 otherwise.

    \b
    envstream check scenarios --scenario episode
    envstream check scenarios --kind air --write docs/scenarios-air.md
    """  # noqa: D301 - click looks for the character itself
    set_up_logging("error")
    from agents import scenario_sweep
    from streams.simulator.planning import PlanError
    from streams.simulator.scenarios import ScenarioError

    registry = load_district(district)
    try:
        wanted = names or scenario_sweep.judged_scenarios(registry, district, kinds)
        before = write.read_text(encoding="utf-8") if write is not None else ""
        with progress_bar("情景 scenarios", "scenarios") as progress:
            results = scenario_sweep.sweep(district, registry, wanted, seed=seed, progress=progress)
        table = scenario_sweep.table(results)
        if write is not None:
            write.write_text(scenario_sweep.put_into(before, table), encoding="utf-8")
    except OSError as error:
        fail(f"{write}: {error.strerror}")
    except (PlanError, ScenarioError, scenario_sweep.SweepError) as error:
        fail(error)
    show(scenario_sweep.as_dicts(results)) if as_json else click.echo(table, nl=False)
    sys.exit(0 if results and all(result.ok for result in results) else 1)


@check.command("rules")
@example_district_option
@click.option("--days", type=click.IntRange(1, 366), default=30, show_default=True, help="quiet days of every seed")
@click.option("--seeds", default="1,2,3,4,5", show_default=True, help="of chance, with commas between")
@click.option(
    "--full-days",
    type=click.IntRange(0, 366),
    default=3,
    show_default=True,
    help="how many of them, the last, have minutes",
)
@click.option("--enterprise", "enterprises", multiple=True, help="quiet days of these alone; all unless given")
@click.option("--keep", type=click.Path(path_type=Path), help="a folder of finished runs: broken off, it goes on there")
@click.option("--write", type=click.Path(path_type=Path), help="put the tables into this document, between its markers")
@click.option("--json", "as_json", is_flag=True, help="as JSON")
def check_rules_command(
    district: Path,
    days: int,
    seeds: str,
    full_days: int,
    enterprises: tuple[str, ...],
    keep: Path | None,
    write: Path | None,
    as_json: bool,
) -> None:
    """How often each rule of facility supervision speaks on quiet days; exit code 1 if a hard rule gives an alarm.

    \b
    envstream check rules --days 30 --seeds 1,2,3,4,5
    envstream check rules --enterprise mingzhang-power --write docs/rules-facility.md
    """  # noqa: D301 - click looks for the character itself
    set_up_logging("error")
    from agents import rule_rates
    from streams.simulator.planning import PlanError
    from streams.simulator.scenarios import ScenarioError

    registry = load_district(district)
    try:
        chosen = tuple(dict.fromkeys(int(seed) for seed in seeds.split(",")))
    except ValueError:
        fail(f"--seeds {seeds}: whole numbers with commas between, such as 1,2,3")
    try:
        before = write.read_text(encoding="utf-8") if write is not None else ""
        if write is not None:
            rule_rates.put_into(before, "")  # the document has a place, before an hour is spent
        with progress_bar("规则 rules", "runs") as progress:
            found = rule_rates.count(
                district,
                registry,
                days=days,
                seeds=chosen,
                full_days=full_days,
                enterprises=enterprises,
                keep=keep,
                progress=progress,
            )
        table = rule_rates.table(found)
        if write is not None:
            write.write_text(rule_rates.put_into(before, table), encoding="utf-8")
    except OSError as error:
        fail(f"{error.filename or write}: {error.strerror}")
    except (PlanError, ScenarioError, rule_rates.RatesError) as error:
        fail(error)
    show(rule_rates.as_dict(found)) if as_json else click.echo(table, nl=False)
    sys.exit(0 if found.ok else 1)


@check.command("week")
@example_district_option
@click.option("--days", type=click.IntRange(1, 60), default=7, show_default=True, help="to simulate")
@click.option("--seed", type=int, default=1, show_default=True, help="of chance")
@click.option("--scenario", "scenarios", multiple=True, help="a file or its name; all of the district unless given")
@click.option("--full", default="all", show_default=True, help="days at full cadence: 3, or 2-4, or all")
@click.option("--write", type=click.Path(path_type=Path), help="put the tables into this document, between its markers")
def check_week_command(
    district: Path, days: int, seed: int, scenarios: tuple[str, ...], full: str, write: Path | None
) -> None:
    """A week of the simulated district with its officers: alerts, notices per person, time to acknowledge.

    \b
    envstream check week
    envstream check week --days 3 --scenario exceedance --scenario silent
    """  # noqa: D301 - click looks for the character itself
    set_up_logging("error")
    from agents import alert_week
    from streams.simulator.planning import PlanError, plan_of
    from streams.simulator.simulate import folder_of

    registry = load_district(district)
    names = scenarios or tuple(sorted(path.stem for path in folder_of(district).glob("*.toml")))
    try:
        before = write.read_text(encoding="utf-8") if write is not None else ""
        if write is not None:
            alert_week.put_into(before, "")  # the document has a place, before minutes are spent
        plan = plan_of(registry, district, days=days, seed=seed, scenarios=names, full=(full,))
        table = alert_week.table(alert_week.run_week(registry, plan)) + "\n"
        if write is not None:
            write.write_text(alert_week.put_into(before, table), encoding="utf-8")
    except OSError as error:
        fail(f"{error.filename or write}: {error.strerror}")
    except (PlanError, alert_week.WeekError) as error:
        fail(error)
    click.echo(table, nl=False)


# ---- the law, without a broker


@main.group()
def assess() -> None:
    """Judge files under any edition; no broker needed."""


POLLUTANTS = ("SO2", "NO2", "CO", "O3", "PM10", "PM2.5")  # of HJ 633; here so that --help imports nothing


def air_switches(command: Callable[..., Any]) -> Callable[..., Any]:
    """The switches of the air law that files and single records share; docs/law-air.md argues the defaults."""
    command = click.option(
        "--incomplete",
        type=click.Choice(["above_100", "from_the_rest", "all_six"]),
        default="above_100",
        show_default=True,
        help="when a pollutant is missing: only above 100, always from the rest, or never",
    )(command)
    command = click.option("--o3-daily-uses-1h", is_flag=True, help="2012: ozone's largest hour is a daily indicator")(
        command
    )
    return click.option(
        "--not-monitored-blocks", is_flag=True, help="a pollutant outside the plan blocks the AQI like a missing one"
    )(command)


@assess.command("air")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--edition", type=click.Choice(["auto", "2012", "2026", "2031"]), default="auto", show_default=True)
@click.option(
    "--label", type=click.Choice(["start", "end"]), help="how the time column names an hour; else by its name"
)
@click.option("--station", "stations", multiple=True, help="a station of the area; all of the files unless given")
@click.option("--not-monitored", multiple=True, type=click.Choice(POLLUTANTS), help="outside the monitoring plan")
@click.option("--grade", type=click.Choice(["1", "2"]), default="2", show_default=True, help="class of the area")
@click.option("--round-station-daily", is_flag=True, help="round station days before the area mean")
@click.option("--dust-day", "dust_days", multiple=True, type=click.DateTime(["%Y-%m-%d"]), help="a confirmed dust day")
@click.option("--ratio-dust", type=click.Choice(["keep", "deduct"]), default="keep", show_default=True)
@click.option("--dust-days-do-not-count", is_flag=True, help="deducted days do not count for the validity minima")
@air_switches
@click.option("--days", "as_days", is_flag=True, help="one line per day instead of per year")
@click.option("--json", "as_json", is_flag=True, help="as JSON")
def assess_air_command(
    files: tuple[Path, ...],
    edition: str,
    label: str | None,
    stations: tuple[str, ...],
    not_monitored: tuple[str, ...],
    dust_days: tuple[Any, ...],
    ratio_dust: str,
    as_days: bool,
    as_json: bool,
    **chosen: Any,
) -> None:
    """Good-air days of hourly CSV under any edition."""
    from agents import assess_air
    from streams.air_csv import AirFileError

    options: Any = {"label": label, "stations": stations or None}
    judging: Any = {"switches": _switches(**chosen), "plan_not_monitored": not_monitored}
    any_edition: Any = edition
    any_dust: Any = ratio_dust
    try:
        if as_days:
            area = assess_air.read_area(files, **options)
            days = assess_air.day_table(assess_air.judge_area(area, any_edition, **judging))
            if as_json:
                show(days)
            else:
                for day in days:
                    click.echo(_day_line(day))
            _say_refused(len(area.rejected), area.rejected, area.flagged, area.flags)
            return
        result = assess_air.assess_air(
            files,
            edition=any_edition,
            dust_days=[day.date() for day in dust_days],
            ratio_dust=any_dust,
            **options,
            **judging,
        )
    except (AirFileError, LookupError, ValueError) as error:
        fail(error)
    if as_json:
        show(result)
    else:
        from streams.summary import years_table

        click.echo(years_table(result["years"]))
        _say_refused(result["rejected"], result["rejected_lines"], result["flagged"], result["flagged_values"])


def _switches(
    incomplete: str,
    o3_daily_uses_1h: bool,
    not_monitored_blocks: bool,
    grade: str = "2",
    round_station_daily: bool = False,
    dust_days_do_not_count: bool = False,
) -> Any:
    from standards import air

    values: Any = {
        "incomplete": incomplete,
        "o3_daily_uses_1h": o3_daily_uses_1h,
        "unmonitored_clean": not not_monitored_blocks,
        "grade": int(grade),
        "round_station_daily": round_station_daily,
        "dust_days_count": not dust_days_do_not_count,
    }
    return air.Switches(**values)


def _say_refused(rejected: int, lines: Any, flagged: dict[str, int], values: Any) -> None:
    """What took no part, on stderr: nothing is silently dropped."""
    if rejected:
        click.echo(f"拒收 rejected lines: {rejected}", err=True)
        for line in list(lines)[:5]:
            click.echo(f"  {line['file']}:{line['line']}: {line['reason']}", err=True)
    if flagged:
        click.echo("剔除 values that take no part: " + ", ".join(f"{k} {n}" for k, n in flagged.items()), err=True)
        for value in list(values)[:5]:
            where = f"{value['file']}:{value['line']} {value['station']} {value['pollutant']} = {value['value']}"
            click.echo(f"  {where}: {value['reason']} ({value['rule']})", err=True)


def _day_line(day: dict[str, Any]) -> str:
    aqi = "NA" if day["aqi"] is None else str(day["aqi"])
    return f"{day['date']}  AQI {aqi:>3}  {day['category'] or 'NA'}  {'、'.join(day['primary'])}"


@assess.command("water")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--body", "bodies", multiple=True, metavar="SECTION=lake|river", help="body of a section; may be repeated"
)
@click.option(
    "--bodies", "bodies_file", type=click.Path(path_type=Path), help="TOML file of [[section]] name, body, target"
)
@click.option("--default-body", type=click.Choice(["river", "lake"]), default="river", show_default=True)
@click.option("--round", "rounding", type=click.Choice(["assessment"]), help="round by the assessment rules first")
@click.option("--ph-decimals", type=click.Choice(["ph_1", "ph_2"]), help="decimals of pH in assessment rounding")
@click.option("--edition", help="force an edition of GB 3838")
@click.option("--json", "as_json", is_flag=True, help="as JSON")
def assess_water_command(
    files: tuple[Path, ...],
    bodies: tuple[str, ...],
    bodies_file: Path | None,
    default_body: str,
    rounding: str | None,
    ph_decimals: str | None,
    edition: str | None,
    as_json: bool,
) -> None:
    """Class of every row of section CSV, and agreement with a published class if the file has one."""
    from agents.assess_water import assess_water, report
    from streams.water_csv import WaterFileError, bodies_from

    try:
        configured = bodies_from(bodies_file) if bodies_file is not None else {}
        result = assess_water(
            files,
            bodies={name: each.body for name, each in configured.items()} | dict(_body(text) for text in bodies),
            targets={name: each.target for name, each in configured.items() if each.target is not None},
            default_body=default_body,
            rounding=rounding,
            edition=edition,
            ph_decimals=ph_decimals or "",
        )
    except (WaterFileError, LookupError, ValueError) as error:
        fail(error)
    if as_json:
        show(result)
    else:
        click.echo(report(result))


def _body(text: str) -> tuple[str, str]:
    section, equals, body = text.rpartition("=")
    if not equals or body not in ("lake", "river"):
        fail(f"--body {text}: write it as SECTION=lake or SECTION=river")
    return section, body


@main.group()
def rules() -> None:
    """One verdict per JSON line, stdin to stdout."""


@rules.command("aqi")
@click.option("--edition", type=click.Choice(["2012", "2026", "2031"]), default="2026", show_default=True)
@click.option("--period", type=click.Choice(["daily", "hourly"]), default="daily", show_default=True)
@air_switches
def rules_aqi_command(edition: str, period: str, **chosen: Any) -> None:
    r"""IAQI, AQI, level and primary pollutants of concentrations.

    
    echo '{"id":"1","conc":{"SO2":"8","NO2":"30","CO":"0.7","O3":"100","PM10":"51","PM2.5":"36"}}' |
        envstream rules aqi --edition 2026 --period daily
    """
    from standards.air.lines import rules_aqi

    any_period: Any = period
    answer(rules_aqi(stdin_lines(), edition, any_period, switches=_switches(**chosen)))


@rules.command("water")
@click.option("--round", "rounding", type=click.Choice(["assessment"]), help="round by the assessment rules first")
@click.option("--items", type=click.Choice(["basic_21", "five"]), default="basic_21", help="which items take part")
@click.option("--edition", help="force an edition of GB 3838 (or GB/T 14848)")
@click.option("--date", type=click.DateTime(["%Y-%m-%d"]), help="of lines that have none; picks the edition")
@click.option("--ph-decimals", type=click.Choice(["ph_1", "ph_2"]), help="decimals of pH in assessment rounding")
@click.option("--oxygen-saturation", is_flag=True, help="class I of DO also by 90 % saturation")
@click.option("--negative-is-limit", is_flag=True, help="a negative value means below that detection limit")
def rules_water_command(
    rounding: str | None,
    items: str,
    edition: str | None,
    date: Any,
    ph_decimals: str | None,
    oxygen_saturation: bool,
    negative_is_limit: bool,
) -> None:
    """Class, rating and main indicators of a water sample.

    \b
    echo '{"id":"1","body":"river","target":3,"items":{"pH":"7.8","DO":"6.1","NH3N":"1.2"}}' | envstream rules water
    """  # noqa: D301 - click looks for the character itself
    from standards.water.verdicts import rules_water

    try:
        answer(
            rules_water(
                stdin_lines(),
                rounding=rounding,
                item_set_name=items,
                edition=edition,
                date=date.date() if date is not None else None,
                ph_decimals=ph_decimals or "",
                oxygen_saturation=oxygen_saturation,
                negative_is_limit=negative_is_limit,
            )
        )
    except (LookupError, ValueError) as error:
        fail(error)


@rules.command("emission")
@click.option("--date", type=click.DateTime(["%Y-%m-%d"]), help="of lines that have none; picks the editions")
def rules_emission_command(date: Any) -> None:
    r"""Verdict of an hour or a day of an outlet against its limits.

    
    echo '{"id":1,"o2":"8.7","ref_o2":6,"items":{"NOx":{"avg":50,"zs":"61.0"}},"limits":{"NOx":50}}' |
        envstream rules emission
    """
    from standards.emission.verdicts import rules_emission

    answer(rules_emission(stdin_lines(), date=date.date() if date is not None else None))


@main.group("hj212")
def hj212_group() -> None:
    """The wire of loggers, stdin to stdout; nothing is sent anywhere."""


sm4_keys_option = click.option("--key", "keys", multiple=True, metavar="MN=HEX", help="SM4 key of a logger of 2025")


@hj212_group.command("decode")
@sm4_keys_option
@click.option(
    "--crc-mode",
    type=click.Choice(["hj212", "modbus", "either"]),
    default="hj212",
    show_default=True,
    help="the checksum",
)
def hj212_decode_command(keys: tuple[str, ...], crc_mode: str) -> None:
    """Any bytes in, one JSON object per packet or rejected piece out."""
    from streams.hj212 import tool

    any_mode: Any = crc_mode
    try:
        answer(tool.decode(stdin_chunks(), tool.keys_of(keys), any_mode))
    except tool.ToolError as error:
        fail(error)


@hj212_group.command("encode")
@sm4_keys_option
@click.option(
    "--crc-mode", type=click.Choice(["hj212", "modbus"]), default="hj212", show_default=True, help="the checksum"
)
def hj212_encode_command(keys: tuple[str, ...], crc_mode: str) -> None:
    """JSON lines as decode gives them in, packets out.

    \b
    echo '{"head":{"ST":"31","CN":"2011","MN":"M1","Flag":"5"},"data":{"a21026":{"Rtd":"3.5"}}}' |
        envstream hj212 encode
    """  # noqa: D301 - click looks for the character itself
    from streams.hj212 import tool

    any_mode: Any = crc_mode
    try:
        lines = iter(lambda: sys.stdin.buffer.readline(tool.LONGEST_LINE + 1), b"")
        for packet in tool.encode(lines, tool.keys_of(keys), any_mode):
            click.echo(packet, nl=False)
    except tool.ToolError as error:
        fail(error)
    except BrokenPipeError:
        reader_has_gone()


@hj212_group.command("crc")
@click.option("--modbus", is_flag=True, help="the checksum of Modbus, which some loggers send in its place")
def hj212_crc_command(modbus: bool) -> None:
    """The checksum of a segment, byte for byte as it stands on stdin: use printf, echo adds a line end."""
    from streams.hj212 import tool

    click.echo(tool.checksum(stdin_chunks(), modbus))


def stdin_chunks() -> Iterator[bytes]:
    """Bytes of standard input as they come."""
    return iter(lambda: os.read(sys.stdin.fileno(), 65_536), b"")


def stdin_lines() -> Iterator[str]:
    """Lines of standard input, UTF-8 whatever the locale says."""
    for line in sys.stdin.buffer:
        yield line.decode("utf-8", errors="replace")


def answer(lines: Iterator[dict[str, Any]]) -> None:
    """JSON lines on stdout, each as soon as it is there; a reader that has gone ends it quietly."""
    try:
        for line in lines:
            click.echo(json.dumps(line, ensure_ascii=False))
    except BrokenPipeError:
        reader_has_gone()


def reader_has_gone() -> NoReturn:
    """The end, without a word: what is still to be flushed goes nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(1)


if __name__ == "__main__":
    main()
