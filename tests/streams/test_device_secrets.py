"""Keys and passwords of loggers: where they come from, and that they are never shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from schemas import registry
from streams.device_secrets import DeviceSecrets, SecretsError, load

KEY = "0123456789abcdeffedcba9876543210"
DISTRICT = """format = 1
[[group]]
id = "g"
[[area]]
id = "a"
name = "a"
group = "g"
[[station]]
id = "s"
name = "s"
area = "a"
mn = "MN1"
valid_from = 2020-01-01
[[logger]]
mn = "MN1"
password = true
sm4 = true
edition = 2025
"""


def file(folder: Path, text: str, mode: int = 0o600) -> dict[str, str]:
    path = folder / "secrets.toml"
    path.write_text(text, encoding="utf-8")
    path.chmod(mode)
    return {"ENVSTREAM_SECRETS": str(path)}


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    found = load(
        {**file(tmp_path, f'[sm4]\nMN1 = "{KEY}"\n[password]\nMN1 = "file"\nMN2 = "two"'), "ENVSTREAM_PW_MN1": "env"}
    )
    assert found.sm4_key("MN1") == bytes.fromhex(KEY)
    assert found.password_fits("MN1", "env") and not found.password_fits("MN1", "file")
    assert found.password_fits("MN2", "two")
    assert not found.password_fits("MN3", ""), "no password is known: nothing fits"
    assert found.sm4_key("MN2") is None


@pytest.mark.parametrize(
    ("text", "mode", "says"),
    [
        ('[sm4]\nMN1 = "SECRET-not-hex"', 0o600, "SM4 key of MN1: not 32 hex digits"),
        ("[password]\nMN1 = SECRET", 0o600, "not a TOML text"),
        ("[passwords]\nMN1 = 'SECRET'", 0o600, "passwords is not known here"),
        ("[password]\nMN1 = 7", 0o600, "password.MN1 must be a text"),
        ("[password]\nMN1 = 'SECRET'", 0o644, "chmod 600"),
    ],
)
def test_what_is_wrong_is_named_and_no_value_shown(text: str, mode: int, says: str, tmp_path: Path) -> None:
    with pytest.raises(SecretsError) as error:
        load(file(tmp_path, text, mode))
    assert says in str(error.value)
    assert "SECRET" not in str(error.value).replace("ENVSTREAM_SECRETS", "")


def test_nothing_shows_a_secret() -> None:
    secrets = DeviceSecrets({"MN1": bytes.fromhex(KEY)}, {"MN1": "PASS"})
    assert KEY not in repr(secrets) and "PASS" not in f"{secrets}{secrets!r}"


def test_a_registry_that_wants_passwords_must_get_them() -> None:
    wanting = registry.parse(DISTRICT, "test")
    with pytest.raises(SecretsError, match="no password for MN1"):
        DeviceSecrets().check(wanting)
    assert DeviceSecrets(passwords={"MN1": "x"}).check(wanting) == [
        "no SM4 key for MN1: its encrypted packets are kept and not judged"
    ]
