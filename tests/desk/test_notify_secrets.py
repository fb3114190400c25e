"""Where secrets come from, and that nothing shows them."""

from __future__ import annotations

from pathlib import Path

import pytest

from desk.notify import channel_secrets
from desk.notify.channel_secrets import Secrets, SecretsError, load
from desk.notify.service import with_stand_ins
from schemas import registry
from tests.desk.notifying import people

HIDDEN = "hidden-4711"


def file(tmp_path: Path, text: str, mode: int = 0o600) -> Path:
    path = tmp_path / "secrets.toml"
    path.write_text(text, encoding="utf-8")
    path.chmod(mode)
    return path


def test_environment_over_file(tmp_path: Path) -> None:
    path = file(tmp_path, '[secret]\nDUTY = "of-the-file"\nCHIEF = "key"\n[sms]\nfolder = "/sms"\n')
    found = load(path, {"ENVSTREAM_SECRET_DUTY": "token SECx", "ENVSTREAM_SMS_TEMPLATE": "T1"})
    assert found.words("DUTY") == ("token", "SECx")
    assert found.words("CHIEF") == ("key",)
    assert found.sms == {"folder": "/sms", "template": "T1"}
    assert load(None, {"ENVSTREAM_SECRETS_NOTIFY": str(path)}).words("DUTY") == ("of-the-file",)
    assert not load(None, {})


@pytest.mark.parametrize(
    ("text", "mode", "environment", "said"),
    [
        (f'[secret]\nDUTY = "{HIDDEN}"\n', 0o644, {}, "others may read it: chmod 600"),
        (f"[secret]\nDUTY = {HIDDEN}\n", 0o600, {}, "not a TOML text"),
        (f'[token]\nDUTY = "{HIDDEN}"\n', 0o600, {}, "a table [secret]"),
        ("[secret]\nDUTY = 4711\n", 0o600, {}, "secret.DUTY must be a text in quotes"),
        (f'[sms]\nadress = "{HIDDEN}"\n', 0o600, {}, "sms.adress: one of url, token, folder, template"),
        ("", 0o600, {"ENVSTREAM_SECRET_duty": HIDDEN}, "secret 'duty': a name has A-Z"),
        ("", 0o600, {"ENVSTREAM_SECRET_DUTY": f"{HIDDEN}\nx"}, "secret DUTY: write one line"),
        ("", 0o600, {"ENVSTREAM_SMS_TOKEN": HIDDEN}, "sms: give a url"),
    ],
)
def test_what_is_wrong_is_named_and_not_shown(
    tmp_path: Path, text: str, mode: int, environment: dict[str, str], said: str
) -> None:
    with pytest.raises(SecretsError) as refused:
        load(file(tmp_path, text, mode), environment)
    assert said in str(refused.value)
    assert HIDDEN not in str(refused.value)


def test_no_word_of_a_provider_repeats_a_secret() -> None:
    secrets = Secrets({"A": "https://x.cn/robot/send?access_token=abcd4711+/ SECxyz", "B": "mailto://u:pass9876@x.cn"})
    said = secrets.scrub("bad token abcd4711+/ or abcd4711%2B%2F, SECxyz, pass9876\nX\x07", 500)
    assert said == "bad token *** or ***, ***, *** X "
    assert "abcd" not in repr(secrets)
    assert secrets.scrub("send too fast, robot") == "send too fast, robot"


def test_the_names_of_what_is_missing() -> None:
    lines = Secrets({"DUTY": "x"}).missing(people().persons)
    assert len(lines) == 8
    assert lines[0] == "guo (郭启明): sms SMS_GUO is not set: ENVSTREAM_SECRET_SMS_GUO"


def test_a_drill_has_a_secret_for_everybody_of_the_example() -> None:
    example = registry.load(Path(__file__).resolve().parents[2] / "districts" / "example")
    given = Secrets({"DUTY_ROBOT": "real SECreal"})
    drill = with_stand_ins(given, example)
    assert drill.missing(example.persons) == []
    assert drill.words("DUTY_ROBOT") == ("real", "SECreal")
    assert all(channel_secrets.is_phone(drill.phone(p)) for p in example.persons if p.role == "officer")
