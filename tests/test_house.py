"""The house keeps its promises: light front door, one direction, documents whose commands work, no traces."""

from __future__ import annotations

import ast
import importlib
import re
import shutil
import subprocess
import sys
from pathlib import Path

import click
import pytest

ROOT = Path(__file__).resolve().parents[1]
ROOMS = ("schemas", "standards", "streams", "agents", "desk")


@pytest.mark.parametrize("words", [["--help"], ["up", "--help"], ["replay", "--help"], ["assess", "air", "--help"]])
def test_help_imports_no_heavy_library(words: list[str]) -> None:
    program = (
        "import sys, runpy\n"
        f"sys.argv = ['envstream', *{words!r}]\n"
        "try:\n    runpy.run_module('envstream', run_name='__main__')\n"
        "except SystemExit as end:\n    assert not end.code\n"
        "heavy = {'numpy', 'faust', 'confluent_kafka', 'influxdb_client', 'aiohttp'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "Usage: " in done.stdout


def test_rooms_keep_their_direction() -> None:
    done = subprocess.run([str(Path(sys.executable).parent / "lint-imports")], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_nothing_imports_the_front_door() -> None:
    for room in ROOMS:
        for path in (ROOT / room).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
                if isinstance(node, ast.ImportFrom):
                    names = [node.module or ""]
                assert "envstream" not in names, path


def test_agents_and_standards_read_no_clock() -> None:
    clocks = {"time", "monotonic", "now", "today", "utcnow", "time_ns", "perf_counter"}
    for path in [*(ROOT / "standards").rglob("*.py"), *(ROOT / "agents").rglob("*.py")]:
        if path.name == "worker.py":  # waits for the broker; judges nothing
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in clocks:
                owner = ast.unparse(node.func.value)
                assert owner.split(".")[-1] not in ("time", "datetime", "date", "dt"), f"{path}: {ast.unparse(node)}"


def tracked() -> list[Path]:
    """Files of the repository."""
    if shutil.which("git") is None:
        pytest.skip("no git here to list the files")
    done = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        pytest.skip("not a git checkout")
    return [ROOT / name for name in done.stdout.splitlines()]


def test_no_file_names_a_machine_or_a_registry_host() -> None:
    traces = re.compile(rb"/root/|/work/|/home/\w+/|index-url=|pypi\.org|registry\.npmjs|deb\.debian")
    for path in tracked():
        if path.is_file() and path != Path(__file__) and path.suffix not in (".gz", ".png"):
            found = traces.search(path.read_bytes())
            assert found is None, f"{path}: {found.group() if found else ''}"


DOCUMENTS = ["README.md", "README.zh-CN.md", *sorted(str(p.relative_to(ROOT)) for p in ROOT.glob("docs/*.md"))]
FRONT_DOOR: click.Group = importlib.import_module("envstream").main


def commands_in(text: str) -> list[str]:
    """What is said of the front door: lines of code blocks and code within a line, without the program's own name.

    In Compose the program is the image's entry point: there its words follow the service.
    """
    text = re.sub(r"\\\n\s*", " ", text)  # lines that go on
    said = re.findall(r"^(?: {4}|(?=envstream ))(.+)$", text, re.MULTILINE)
    said += [" ".join(code.split()) for code in re.findall(r"`([^`]+)`", re.sub(r"^```.*$", "", text, flags=re.M))]
    found = []
    for line in said:
        words = re.search(r"(?:^|[\s/])envstream ([a-z].*)|compose run (?:--\S+ )*init (.+)", line.split(" #")[0])
        bare = re.match(r"[a-z0-9-]+ --[a-z]", line)  # `worker --instance`, of a part
        if words is not None:
            found.append(words[1] or words[2])
        elif bare is not None and line.split()[0] in FRONT_DOOR.list_commands(click.Context(FRONT_DOOR)):
            found.append(line)
    return found


def fault_of(said: str) -> str | None:
    """The first word that the front door does not know: a command, or an option of it."""
    command: click.Command = FRONT_DOOR
    words = said.replace("[", " ").replace("]", " ").split()
    while isinstance(command, click.Group) and words and re.fullmatch(r"[a-z0-9][a-z0-9-]*", words[0]):
        inner = command.get_command(click.Context(command), words[0])
        if inner is None:
            return words[0]
        command, words = inner, words[1:]
    options = command.get_params(click.Context(command))
    known = {name for option in options for name in (*option.opts, *option.secondary_opts)}
    return next((word for word in words if re.match(r"--?[a-z]", word) and word.split("=")[0] not in known), None)


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_command_of_a_document_exists_and_has_its_options(name: str) -> None:
    said = commands_in((ROOT / name).read_text(encoding="utf-8"))
    faults = [f"envstream {line}: {fault}" for line in said if (fault := fault_of(line)) is not None]
    assert not faults, name
    if name.startswith("README") or name in ("docs/operations.md", "docs/health.md", "docs/dead-letters.md"):
        assert len(said) > 5, "and they were found"


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("    .venv/bin/envstream sink --bootstrap kafka:9092 --reading\n", "--reading"),
        ("see `envstream\ndead retri ID`", "retri"),
        ("```sh\nenvstream desk --listen 1:2 \\\n  --port 3\n```", "--port"),
        ("    docker compose run --rm --no-deps init doctor --boot x  # so\n", "--boot"),
        ("`worker --metric 127.0.0.1:9402`", "--metric"),
    ],
)
def test_a_command_that_does_not_exist_is_found(text: str, fault: str) -> None:
    assert [fault_of(line) for line in commands_in(text)] == [fault]


@pytest.mark.parametrize("name", ["README.md", "README.zh-CN.md"])
def test_every_make_target_of_the_readme_exists(name: str) -> None:
    targets = set(re.findall(r"^\s*make ([a-z]+)", (ROOT / name).read_text(encoding="utf-8"), re.MULTILINE))
    assert {"demo", "test"} <= targets
    makefile = (ROOT / "Makefile").read_text()
    for target in targets:
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), f"{name}: make {target}"
