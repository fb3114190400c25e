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
    help="the district's registry (TOML); the twelve Beijing stations unless given",
)
bootstrap_option = click.option(
    "--bootstrap", envvar="ENVSTREAM_BOOTSTRAP", default="127.0.0.1:9092", show_default=True, help="Kafka, host:port"
)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="envstream")
def main() -> None:
    """环境监测数据流水线 · envstream: air, rivers and enterprises of a district, judged under dated standards."""


# ---- everything on the embedded default


@main.command()
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    default=DEFAULT_DATA,
    show_default=True,
    help="folder of journal, spool and logs",
)
@district_option
@click.option("--host", help="address loggers connect to; from the registry unless given")
@click.option(
    "--port", type=click.IntRange(0, 65535), help="port loggers connect to; from the registry unless given, 0 for any"
)
@click.option("--control-port", type=click.IntRange(0, 65535), help="loopback port on which a replay sets the clock")
@click.option("--once", is_flag=True, help="end when the replay is done, with a summary")
@click.option(
    "--replay", "files", multiple=True, type=click.Path(path_type=Path), help="hourly air CSV to replay; with --once"
)
@click.option("--json", "as_json", is_flag=True, help="the summary as JSON")
def up(
    data: Path,
    district: Path,
    host: str | None,
    port: int | None,
    control_port: int | None,
    once: bool,
    files: tuple[Path, ...],
    as_json: bool,
) -> None:
    r"""Everything on one machine: broker, gateway, worker, sink; Ctrl-C ends it, the next `up` goes on.

    \b
    envstream up                                     wait for loggers, or for a replay from another terminal
    envstream up --once --replay hours.csv.gz        run a file through the whole path and print a summary
    """
    if once != bool(files):
        fail("--once and --replay belong together: give both, or run `envstream replay FILE` beside `envstream up`")
    from streams.run import RunError, UpPlan, run_up

    registry = load_district(district)
    receive = registry.receive
    try:
        code = run_up(
            UpPlan(
                folder=data,
                district=district,
                registry=registry,
                host=host or receive.host,
                port=receive.port if port is None else port,
                control_port=receive.control_port if control_port is None else control_port,
                files=files,
                as_json=as_json,
            )
        )
    except RunError as error:
        fail(error)
    sys.exit(code)


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
@click.option("--journal", type=click.Path(path_type=Path), hidden=True)
@part_options
def gateway(
    bootstrap: str,
    district: Path,
    host: str | None,
    port: int | None,
    control_port: int | None,
    clock: str,
    journal: Path | None,
    leash: bool,
    log_level: str,
) -> None:
    """Receive loggers: HJ 212 over TCP into Kafka, answered when Kafka has it."""
    registry = load_district(district)
    begin_part(leash, log_level)
    import asyncio

    from streams.gateway_service import GatewayError, serve
    from streams.view import READER

    try:
        asyncio.run(
            serve(
                bootstrap=bootstrap,
                registry=registry,
                host=host or registry.receive.host,
                port=registry.receive.port if port is None else port,
                control_port=registry.receive.control_port if control_port is None else control_port,
                journal_folder=journal,
                clock=clock,
                ready=lambda told: ready(ready="gateway", **told),
                extra_readers=(READER,) if journal is not None else (),
            )
        )
    except GatewayError as error:
        fail(error)


@main.command()
@bootstrap_option
@click.option("--instance", help="static membership: a name of this worker that stays the same over restarts")
@click.option(
    "--session",
    type=click.FloatRange(3, 60),
    default=10.0,
    show_default=True,
    help="seconds until Kafka gives a dead worker's partitions to another",
)
@click.option("--embedded", is_flag=True, hidden=True)
@part_options
def worker(bootstrap: str, instance: str | None, session: float, embedded: bool, leash: bool, log_level: str) -> None:
    """Judge: Faust agents turn readings into cells, verdicts and the year so far."""
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
@click.option("--embedded", is_flag=True, hidden=True)
@part_options
def sink(bootstrap: str, spool: Path | None, epoch: str, embedded: bool, leash: bool, log_level: str) -> None:
    """Store: cells and verdicts into InfluxDB 2, or into files when it has none.

    InfluxDB is named by ENVSTREAM_INFLUX_URL, _ORG, _BUCKET and _TOKEN in the environment.
    """
    begin_part(leash, log_level)
    from streams.sink import run_sink
    from streams.target import SinkError

    try:
        target: Any
        if spool is not None:
            from streams.spool import Spool

            target = Spool(spool, epoch=epoch)
        elif os.environ.get("ENVSTREAM_INFLUX_URL"):
            from streams.influx import Influx, InfluxSettings

            target = Influx(InfluxSettings.from_env(os.environ))
        else:
            fail("sink: nowhere to write: set ENVSTREAM_INFLUX_URL and ENVSTREAM_INFLUX_TOKEN, or give --spool FOLDER")
        run_sink(bootstrap, target, stop=stop_event(), embedded=embedded, on_ready=lambda: ready(ready="sink"))
    except SinkError as error:
        fail(error)


@main.command()
@bootstrap_option
@click.option("--partitions", type=click.IntRange(1, 1000), default=4, show_default=True)
@click.option("--replication", type=click.IntRange(1, 10), default=1, show_default=True)
def init(bootstrap: str, partitions: int, replication: int) -> None:
    """Create what production needs: Kafka's topics, and the InfluxDB bucket when its URL is set."""
    set_up_logging("warning")
    from streams.admin import AdminError, initialise

    try:
        for line in initialise(bootstrap, partitions, replication, os.environ):
            click.echo(line)
    except AdminError as error:
        fail(error)


# ---- recorded data


@main.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--to", "target", required=True, help="hj212://HOST:PORT of a gateway")
@click.option("--control", help="HOST:PORT of its control connection; the port after the gateway's unless given")
@click.option("--live", is_flag=True, help="send by the wall clock, without a control connection")
@district_option
@click.option("--speed", default="max", show_default=True, help="times real time, or max")
@click.option("--json", "as_json", is_flag=True, help="the report as JSON")
def replay(
    files: tuple[Path, ...], target: str, control: str | None, live: bool, district: Path, speed: str, as_json: bool
) -> None:
    """Recorded hours as live traffic: one logger per station, over TCP, waiting for every answer."""
    set_up_logging("warning")
    registry = load_district(district)
    import asyncio

    from streams.air_csv import AirFileError
    from streams.player import ReplayError, ReplayPlan
    from streams.player import replay as play

    plan = ReplayPlan(
        files=files,
        registry=registry,
        to=address(target, "--to", "hj212://"),
        control=address(control, "--control", "") if control else None,
        live=live,
        speed=times_real(speed),
    )
    try:
        with progress_bar("重放 replay") as progress:
            report = asyncio.run(play(plan, progress)).as_dict()
    except KeyboardInterrupt:
        sys.exit(130)
    except (AirFileError, ReplayError) as error:
        fail(error)
    if as_json:
        show(report)
    else:
        for name, value in report.items():
            click.echo(f"{name.replace('_', ' '):16} {value}")


def address(text: str, option: str, scheme: str) -> Any:
    """HOST:PORT after a scheme, or the end."""
    from streams.player import Address

    host, colon, port = text.removeprefix(scheme).rpartition(":")
    if not text.startswith(scheme) or not colon or not host or not port.isdigit() or not 0 < int(port) < 65_536:
        fail(f"{option} {text}: write it as {scheme}HOST:PORT")
    return Address(host.strip("[]"), int(port))


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
def progress_bar(label: str) -> Iterator[Callable[[int, int], None]]:
    """A progress bar on stderr, told what is done and what there is."""
    if not sys.stderr.isatty():  # a log, not a person watching: a line every tenth
        told = 0

        def line(done: int, total: int) -> None:
            nonlocal told
            if done * 10 // total > told:
                told = done * 10 // total
                click.echo(f"{label}: {told * 10} % of {total} rows", err=True)

        yield line
        return
    with click.progressbar(length=1, label=label, file=sys.stderr, show_pos=True) as bar:

        def progress(done: int, total: int) -> None:
            bar.length = total
            if done == total or done - bar.pos >= total / 200:
                bar.update(done - bar.pos)

        yield progress


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
    r"""Class, rating and main indicators of a water sample.

    \b
    echo '{"id":"1","body":"river","target":3,"items":{"pH":"7.8","DO":"6.1","NH3N":"1.2"}}' | envstream rules water
    """
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
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)


if __name__ == "__main__":
    main()
