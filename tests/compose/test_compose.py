"""The compose file and the image, as far as no Docker engine is needed: pinned, complete, closed."""

from __future__ import annotations

import importlib
import json
import re
from pathlib import Path
from typing import Any

import click
import jsonschema
import pytest
import yaml

from streams import offsets

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
COMPOSE: dict[str, Any] = yaml.safe_load(TEXT)
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
EXAMPLE = (ROOT / ".env.example").read_text(encoding="utf-8")
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
OURS = {name: s for name, s in SERVICES.items() if s["image"].startswith("envstream:")}
_VARIABLE = re.compile(r"\$\{(\w+)(?::?[-?]([^}]*))?\}")


def test_it_is_what_the_compose_specification_allows() -> None:
    """Against the specification's own schema (compose-spec/compose-go v2.9.1, Apache-2.0, beside this file)."""
    schema = json.loads((ROOT / "tests/compose/compose-spec.json").read_text(encoding="utf-8"))
    validator = jsonschema.validators.validator_for(schema)(schema)
    faults = [f"{'/'.join(map(str, e.absolute_path))}: {e.message[:200]}" for e in validator.iter_errors(COMPOSE)]
    assert not faults
    wrong = COMPOSE | {"services": {"kafka": SERVICES["kafka"] | {"memlimit": "1g"}}}
    assert list(validator.iter_errors(wrong)), "and it finds a word that Compose does not have"


def filled(text: str) -> str:
    """A value with the defaults of its variables."""
    return _VARIABLE.sub(lambda found: found[2] or "", text)


def test_it_has_the_parts_of_the_design() -> None:
    assert set(SERVICES) == {
        "kafka",
        "influxdb",
        "grafana",
        "init",
        "gateway",
        "worker",
        "sink",
        "ingest",
        "notify",
        "desk",
        "simulator",
    }
    assert "version" not in COMPOSE, "no version key: Compose ignores it and warns"


@pytest.mark.parametrize(
    "image", [*(s["image"] for s in SERVICES.values()), *re.findall(r"^FROM (\S+)", DOCKERFILE, re.M)]
)
def test_every_image_is_pinned_to_a_full_version(image: str) -> None:
    name, _, tag = image.partition(":")
    assert re.match(r"\d+\.\d+\.\d+", tag), f"{name}: pin a full version, not {tag!r}"


def test_the_image_is_of_this_version() -> None:
    version = re.search(r'^version = "(.+)"', (ROOT / "pyproject.toml").read_text(), re.M)
    assert version is not None
    assert {s["image"] for s in OURS.values()} == {f"envstream:{version[1]}"}


def mounts() -> list[tuple[str, str]]:
    return [(name, v) for name, s in SERVICES.items() for v in s.get("volumes", [])]


@pytest.mark.parametrize(("name", "mount"), mounts())
def test_a_mounted_path_exists_and_is_read_only_or_is_a_named_volume(name: str, mount: str) -> None:
    source, _target, *mode = filled(mount).split(":")
    if source in COMPOSE["volumes"]:
        return
    assert source.startswith("./") and (ROOT / source).exists(), f"{name} mounts {source}, which is not there"
    assert mode == ["ro"]


def test_every_named_volume_is_used() -> None:
    assert set(COMPOSE["volumes"]) == {v.split(":")[0] for _, v in mounts() if not v.startswith((".", "$"))}


@pytest.mark.parametrize(
    ("name", "other", "condition"),
    [(n, o, c["condition"]) for n, s in SERVICES.items() for o, c in s.get("depends_on", {}).items()],
)
def test_a_condition_can_become_true(name: str, other: str, condition: str) -> None:
    if condition == "service_healthy":
        assert SERVICES[other]["healthcheck"]["test"][0] in ("CMD", "CMD-SHELL")
    else:
        assert condition == "service_completed_successfully" and SERVICES[other]["restart"] == "no"


def test_every_variable_is_in_the_example_and_none_there_is_idle() -> None:
    used = {v for v, _ in _VARIABLE.findall(TEXT)}
    offered = set(re.findall(r"^(\w+)=", EXAMPLE, re.M))
    assert used == offered
    for name, default in _VARIABLE.findall(TEXT):
        given = re.search(rf"^{name}=(.*)$", EXAMPLE, re.M)
        assert given is not None
        if not default.startswith("fill in"):
            assert given[1] == default, f"{name}: the example and the default differ"


def test_every_variable_given_to_our_parts_is_one_the_program_reads() -> None:
    sources = [ROOT / "envstream.py", *(ROOT / "streams").rglob("*.py"), *(ROOT / "agents").rglob("*.py")]
    read = set(re.findall(r"ENVSTREAM_[A-Z_]*[A-Z]", "".join(p.read_text(encoding="utf-8") for p in sources)))
    # from_env builds these names
    known = read | {f"ENVSTREAM_INFLUX_{name}" for name in ("BUCKET", "ORG", "RECENT_DAYS", "TOKEN_FILE")}
    for name, service in OURS.items():
        assert set(service.get("environment", {})) <= known, name
    for name, service in SERVICES.items():
        for file in service.get("env_file", []):
            assert f"{file['path']}" in (ROOT / ".gitignore").read_text(encoding="utf-8").split(), f"{name}: a secret"
    provisioning = "".join(p.read_text(encoding="utf-8") for p in (ROOT / "grafana/provisioning").rglob("*.yaml"))
    assert set(re.findall(r"\$(ENVSTREAM_\w+)", provisioning)) <= set(SERVICES["grafana"]["environment"])


def test_secrets_come_from_the_environment_only() -> None:
    for name, service in SERVICES.items():
        for key, value in service.get("environment", {}).items():
            if re.search(r"(TOKEN|PASSWORD)$", key):
                assert re.fullmatch(r"\$\{\w+:\?fill in .*\}", str(value)), f"{name}: {key}"
        assert "TOKEN" not in str(service.get("command", "")) and "PASSWORD" not in str(service.get("command", ""))
    for name, value in re.findall(r"^(\w+)=(.*)$", EXAMPLE, re.M):
        assert not (re.search(r"TOKEN|PASSWORD", name) and value), f"{name} must be empty in the example"


def test_each_part_has_the_token_it_needs_and_no_other() -> None:
    """The administrator's is init's alone; the sink writes, Grafana reads, each from a file that init made."""
    admin = {n for n, s in SERVICES.items() if "ENVSTREAM_INFLUX_ADMIN_TOKEN" in str(s.get("environment"))}
    assert admin == {"init", "influxdb"}
    made = {n: [v for v in s.get("volumes", []) if v.startswith("tokens:")] for n, s in SERVICES.items()}
    assert {n: v for n, v in made.items() if v} == {
        "init": ["tokens:/run/envstream"],
        "sink": ["tokens:/run/envstream:ro"],
        "grafana": ["tokens:/run/envstream:ro"],
    }
    folder = SERVICES["init"]["command"][-1]
    assert SERVICES["sink"]["environment"]["ENVSTREAM_INFLUX_TOKEN_FILE"] == f"{folder}/sink.token"
    sources = (ROOT / "grafana/provisioning/datasources/influxdb.yaml").read_text(encoding="utf-8")
    assert set(re.findall(r"\$__file\{(.+?)\}", sources)) == {f"{folder}/grafana.token"}
    assert f"-o envstream {folder}" in DOCKERFILE, "a fresh volume gets the owner of the folder in the image"


def test_only_what_a_person_or_a_logger_needs_is_published_and_on_loopback_first() -> None:
    published = {name: [filled(p) for p in s["ports"]] for name, s in SERVICES.items() if "ports" in s}
    assert published == {
        "grafana": ["127.0.0.1:3000:3000"],
        "gateway": ["127.0.0.1:9212:9212"],
        "ingest": ["127.0.0.1:9220:9220"],
        "desk": ["127.0.0.1:8088:8088"],
    }


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_is_limited_and_comes_back(name: str) -> None:
    service = SERVICES[name]
    assert service["restart"] == ("no" if name == "init" else "unless-stopped")
    assert "no-new-privileges:true" in service["security_opt"] and service["stop_grace_period"]
    assert re.fullmatch(r"\d+[mg]", service["mem_limit"])
    assert service["logging"]["options"]["max-size"]


@pytest.mark.parametrize("name", OURS)
def test_our_parts_run_without_rights(name: str) -> None:
    service = OURS[name]
    assert service["read_only"] is True and service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["stop_grace_period"] == "30s"


@pytest.mark.parametrize("name", OURS)
def test_a_command_is_one_the_program_understands(name: str) -> None:
    """Parsed by the front door itself, without running it."""
    main = importlib.import_module("envstream").main
    words = [filled(str(w)) for w in OURS[name]["command"]]
    command = main.get_command(click.Context(main), words[0])
    assert command is not None, f"no command {words[0]}"
    # The folder of the district is where the volume puts it; here it is where the volume takes it from.
    words = [str(ROOT / "districts/example") if word == "/district" else word for word in words]
    context = command.make_context(words[0], words[1:], resilient_parsing=False)
    if name == "simulator":
        port = SERVICES["gateway"]["command"][SERVICES["gateway"]["command"].index("--port") + 1]
        assert context.params["target"] == f"hj212://gateway:{port}"
    else:
        assert context.params["bootstrap"] == "kafka:29092"


@pytest.mark.parametrize("name", [n for n, s in OURS.items() if "9400/metrics" in str(s.get("healthcheck"))])
def test_a_part_that_is_asked_for_its_numbers_serves_them(name: str) -> None:
    command = OURS[name]["command"]
    assert command[command.index("--metrics") + 1] == "0.0.0.0:9400"


def test_a_part_is_well_while_kafka_is_away() -> None:
    waits = re.search(r"timeout=(\d+)", SERVICES["worker"]["healthcheck"]["test"][-1])
    assert waits is not None and float(waits[1]) > offsets.ANSWER_S


def test_every_part_that_stays_says_whether_it_is_well() -> None:
    assert {n for n, s in SERVICES.items() if "healthcheck" not in s} == {"init", "simulator"}


def test_the_kafka_of_the_compose_file_is_the_one_the_tests_run() -> None:
    version = re.search(r"^V=\$\{KAFKA_VERSION:-(.+?)\}", (ROOT / "tests/services/kafka.sh").read_text(), re.M)
    influx = re.search(r"^VER=v(.+)$", (ROOT / "tests/services/influxdb.sh").read_text(), re.M)
    assert version is not None and influx is not None
    assert SERVICES["kafka"]["image"] == f"apache/kafka:{version[1]}"
    assert SERVICES["influxdb"]["image"] == f"influxdb:{influx[1]}"


def test_the_image_is_built_from_the_lock_and_runs_as_nobody_special() -> None:
    assert DOCKERFILE.count("\nFROM ") + DOCKERFILE.startswith("FROM ") == 2, "multi-stage"
    assert "--require-hashes" in DOCKERFILE and "-r requirements.lock" in DOCKERFILE
    assert DOCKERFILE.rindex("USER envstream") > DOCKERFILE.rindex("FROM "), "not root at the end"
    ignore = (ROOT / ".dockerignore").read_text(encoding="utf-8").split("\n")
    assert "*" in ignore
    build_stage = DOCKERFILE.split("\nFROM ")[1]
    for line in re.findall(r"^COPY (?!--from)(.+)$", build_stage, re.M):
        for source in line.split()[:-1]:
            assert f"!{source}" in ignore, f"{source} is copied but ignored"
            assert (ROOT / source).exists(), f"{source} is copied but not there"
