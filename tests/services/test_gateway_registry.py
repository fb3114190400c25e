"""A gateway started with another registry than the one in force says so: on a real Kafka, as a person starts it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from schemas import registry
from streams.admin import create_topics

ROOT = Path(__file__).parents[2]
DISTRICT = ROOT / "districts/beijing.toml"


def said_by_a_gateway(bootstrap: str, district: Path) -> str:
    """What it writes to stderr until it is ready and asked to end."""
    words = ["gateway", "--bootstrap", bootstrap, "--district", str(district), "--port", "0", "--control-port", "0"]
    command = [sys.executable, "-m", "envstream", *words]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as gateway:
        try:
            assert gateway.stdout is not None
            assert json.loads(gateway.stdout.readline())["ready"] == "gateway"
            gateway.terminate()
            _, said = gateway.communicate(timeout=30)
            assert gateway.returncode == 0, said
        finally:
            gateway.kill()
    return said


def test_another_registry_than_before_is_told(fresh: str, tmp_path: Path) -> None:
    create_topics(fresh, 1, 1)
    text = DISTRICT.read_text(encoding="utf-8")
    other = tmp_path / "other.toml"
    other.write_text(text.replace('"Dongsi"', '"Xisi"'), encoding="utf-8")
    assert "takes the place of" not in said_by_a_gateway(fresh, DISTRICT)
    assert "takes the place of" not in said_by_a_gateway(fresh, DISTRICT), "the same again"
    said = said_by_a_gateway(fresh, other)
    assert f"{registry.load(other).digest} of --district takes the place of {registry.load(DISTRICT).digest}" in said
