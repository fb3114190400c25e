"""The steps of the Dockerfile, executed by hand in a clean folder: what no Docker engine is needed to see.

Each ``COPY`` honours ``.dockerignore``; each ``RUN`` of the build stage runs in a shell with an empty environment, its
absolute paths below the clean folder. The second stage takes what the first made; that its user is made and that the
entry point is found there needs an engine and is not seen here.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
PLACES = ("/src", "/wheels", "/opt/envstream")
TAKEN = [line[1:] for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").split("\n") if line[:1] == "!"]


def steps(stage: int) -> list[tuple[str, str]]:
    """Instruction and text of each step of a stage, continued lines joined."""
    joined = re.sub(r"\\\n\s*", " ", re.sub(r"^#.*\n", "", DOCKERFILE, flags=re.M))
    lines = re.split(r"^FROM .+\n", joined, flags=re.M)[stage].split("\n")
    return [(line.split(" ", 1)[0], line.split(" ", 1)[1]) for line in lines if line.strip()]


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that stands for the image's root after the build stage."""
    root = tmp_path_factory.mktemp("image")
    bin_ = root / "bin"
    bin_.mkdir()
    (bin_ / "python").symlink_to(sys.executable)
    (bin_ / "pip").write_text(f'#!/bin/sh\nexec {sys.executable} -m pip "$@"\n')
    (bin_ / "pip").chmod(0o755)
    kept = {k: v for k, v in os.environ.items() if k.startswith("PIP_") or k.lower().endswith("_proxy")}
    environment = {**kept, "PATH": f"{bin_}:/usr/bin:/bin", "HOME": str(root), "LANG": "C.UTF-8"}
    for file in ("/etc/pip.conf", "~/.config/pip/pip.conf", "~/.pip/pip.conf"):
        if (found := Path(file).expanduser()).exists():  # the mirror this machine uses, if it uses one
            environment.setdefault("PIP_CONFIG_FILE", str(found))
    where = root
    for word, text in steps(1):
        if word == "WORKDIR":
            where = Path(placed(text, root))
            where.mkdir(parents=True)
        elif word == "ENV":
            environment |= dict(re.findall(r"(\w+)=(\S+)", text))
        elif word == "COPY":
            *sources, target = text.split()
            for source in sources:
                assert source in TAKEN, f"{source} is not sent to the builder"
                to = where / target
                if (ROOT / source).is_dir():
                    shutil.copytree(ROOT / source, to, ignore=shutil.ignore_patterns("__pycache__", "*.pyc"))
                else:
                    shutil.copy(ROOT / source, to)
        else:
            assert word == "RUN", word
            done = subprocess.run(
                ["/bin/sh", "-ec", placed(text, root)], cwd=where, env=environment, capture_output=True, text=True,
                timeout=500, check=False,
            )  # fmt: skip
            assert done.returncode == 0, f"{text}\n{done.stderr[-2000:]}"
    return root


def placed(text: str, root: Path) -> str:
    for place in PLACES:
        text = re.sub(rf"(?<![\w/]){place}", f"{root}{place}", text)
    return text


def run(image: Path, *words: str, given: str = "") -> str:
    """What the program of the image says, without anything of this checkout."""
    done = subprocess.run(
        [image / "opt/envstream/bin/envstream", *words], cwd=image, env={"LANG": "C.UTF-8"}, input=given,
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_program_runs_and_has_its_tables_and_pages(image: Path) -> None:
    version = re.search(r'^version = "(.+)"', (ROOT / "pyproject.toml").read_text(), re.M)
    assert version is not None and version[1] in run(image, "--version")
    # HJ 633-2012: PM2.5 of 75 is an IAQI of 100
    packet = {"id": "a", "conc": {"SO2": 5, "NO2": 5, "CO": "0.5", "O3": 20, "PM10": 20, "PM2.5": 75}}
    said = json.loads(run(image, "rules", "aqi", "--edition", "2012", "--period", "daily", given=json.dumps(packet)))
    assert (said["aqi"], said["category"]) == (100, "良")
    packages = next((image / "opt/envstream/lib").glob("python3.*/site-packages"))
    for folder in ("schemas", "standards", "streams", "agents", "desk", "districts"):
        for path in (ROOT / folder).rglob("*"):
            if path.is_file() and "__pycache__" not in path.parts and path.name != "README.md":
                assert (packages / path.relative_to(ROOT)).is_file(), f"{path.relative_to(ROOT)} is not in the image"


def test_nothing_is_in_it_that_production_does_not_need(image: Path) -> None:
    packages = next((image / "opt/envstream/lib").glob("python3.*/site-packages"))
    there = {p.name.split("-")[0].lower() for p in packages.glob("*.dist-info")}
    assert "envstream" in there and "faust_streaming" in there
    assert not there & {"pytest", "hypothesis", "ruff", "mypy", "playwright", "import_linter", "pip", "setuptools"}
    assert not (packages / "tests").exists() and not (packages / "benchmarks").exists()
    size = sum(p.stat().st_size for p in (image / "opt/envstream").rglob("*") if p.is_file() and not p.is_symlink())
    print(f"the environment of the image: {size / 1e6:.0f} MB")
    assert size < 350e6


def test_the_second_stage_takes_only_the_environment() -> None:
    copies = [text for word, text in steps(2) if word == "COPY"]
    assert copies == ["--from=build /opt/envstream /opt/envstream"]
