"""``envstream hj212``: shapes, round trip, refusals."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.hj212 import tool
from tests.streams.hj212_pieces import DOMAIN, KEY, LINE_END, ROOT, corpus, needs_corpus, row

MN = "010000A8900016F000169DC0"


def decoded(
    data: bytes, keys: dict[str, bytes] | None = None, mode: Any = "hj212", size: int = 64
) -> list[dict[str, Any]]:
    """What decode says of the bytes in chunks."""
    return list(tool.decode((data[i : i + size] for i in range(0, len(data), size)), keys or {}, mode))


def encoded(*objects: Any, keys: dict[str, bytes] | None = None, crc: Any = "hj212") -> bytes:
    """What encode makes of the objects."""
    lines = [json.dumps(each, ensure_ascii=False).encode() + b"\n" for each in objects]
    return b"".join(tool.encode(lines, keys or {}, crc))


@needs_corpus
def test_the_expected_parse_of_the_domain() -> None:
    expected = json.loads(re.findall(r"```json\n(.*?)```", DOMAIN.read_text(encoding="utf-8"), re.DOTALL)[0])
    (packet,) = (packet for source, *_, packet in corpus() if "NOx above ultra-low" in source)
    (told,) = decoded(packet)
    assert told.items() >= expected.items()
    assert list(told["head"].items()) == list(expected["head"].items())
    assert told.items() >= {"ok": True, "version": "2017", "crc": "5780", "sealed": False}.items()


@needs_corpus
def test_every_row_of_the_corpus_has_its_verdict_and_survives_a_round_trip() -> None:
    for number, (_, _, verdict, packet) in enumerate(corpus(), 1):
        told = decoded(packet + LINE_END)
        assert [each["ok"] for each in told] == ([True, True] if "glued" in verdict else [verdict.startswith("valid")])
        if not told[0]["ok"]:
            assert told[0].keys() >= {"reason", "bytes"}, number
            assert told[0]["bytes"].encode("latin-1") == packet
            continue
        again = decoded(encoded(*told))
        for before, after in zip(told, again, strict=True):
            assert {k: before[k] for k in ("head", "meta", "data")} == {k: after[k] for k in ("head", "meta", "data")}


@needs_corpus
def test_sealed_rows_need_their_key() -> None:
    for number in (5, 6):
        (told,) = decoded(row(number))
        assert (told["ok"], told["mn"], told["reason"]) == (False, MN, f"sealed: there is no key of {MN}")
        (told,) = decoded(row(number), tool.keys_of([f"{MN}={KEY.hex()}"]))
        (plain,) = decoded(row(number - 2))
        assert told == {**plain, "sealed": True}
        again = encoded(told, keys={MN: KEY})
        assert decoded(again, {MN: KEY}) == [told]


@needs_corpus
def test_modbus() -> None:
    (packet,) = (packet for source, *_, packet in corpus() if "Modbus" in source)
    (told,) = decoded(packet)
    assert not told["ok"]
    assert "crc_mode" in told["reason"]
    (told,) = decoded(packet, mode="either")
    assert (told["ok"], told["crc"], told["crc_mode"]) == (True, "6FCE", "modbus")
    assert encoded(told, crc="modbus") == packet + LINE_END


def test_a_factor_said_twice_keeps_both() -> None:
    segment = b"CN=2011;MN=M1;CP=&&a21-Rtd=1;a21-Rtd=2;a21-Rtd=3&&"
    (told,) = decoded(tool.frame(segment))
    assert told["data"] == {"a21": {"Rtd": "1"}}
    assert told["repeated"] == [{"a21": {"Rtd": "2"}}, {"a21": {"Rtd": "3"}}]
    assert encoded(told) == tool.frame(segment)


def test_no_packet_inside_is_told() -> None:
    (told,) = decoded(tool.frame(b"hello"))
    assert told == {"ok": False, "reason": "no CP=&&…&& in the segment", "bytes": "##0005hello" + told["bytes"][-4:]}


TEXTS = st.text(st.characters(exclude_characters=";,&=#\r\n", exclude_categories=["Cs", "Z", "C"]), max_size=8)
VALUES = st.text(st.characters(exclude_characters=";,&#\r\n", exclude_categories=["Cs", "Z", "C"]), max_size=12)
NAMES = TEXTS.filter(lambda name: name and name != "CP")
PLAIN_NAMES = NAMES.map(lambda name: name.replace("-", "_"))
ASCII_VALUES = st.text(
    st.characters(codec="ascii", exclude_characters=";,&#\r\n", exclude_categories=["Z", "C"]), max_size=12
)
PACKETS = st.fixed_dictionaries(
    {
        "head": st.fixed_dictionaries(
            {"MN": ASCII_VALUES.filter(bool), "CN": st.sampled_from(["2011", "2061", "9014", "3020"])},
            optional={
                "QN": ASCII_VALUES, "ST": ASCII_VALUES, "PW": ASCII_VALUES, "Flag": st.integers(0, 255).map(str),
                "PNUM": ASCII_VALUES, "PNO": ASCII_VALUES, "RF": st.just("1"),
            },
        ),
        "meta": st.dictionaries(PLAIN_NAMES, VALUES, max_size=3),
        "data": st.dictionaries(NAMES, st.dictionaries(PLAIN_NAMES, VALUES, min_size=1, max_size=4), max_size=4),
    }
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(PACKETS, st.booleans(), st.sampled_from(["hj212", "modbus"]))
def test_decode_of_encode_is_what_was_given(given_packet: dict[str, Any], sealed: bool, crc: str) -> None:
    keys = {given_packet["head"]["MN"]: KEY} if sealed else {}
    (told,) = decoded(encoded(given_packet, keys=keys, crc=crc), keys, crc)
    assert told["ok"], told
    told["head"].pop("flag")
    assert {k: told[k] for k in ("head", "meta", "data")} == given_packet
    assert "unread" not in told


def test_flag_as_a_number_will_do() -> None:
    assert b";Flag=5;" in encoded({"head": {"MN": "M1", "CN": "2011", "flag": 5}})
    assert b";Flag=9;" in encoded({"head": {"MN": "M1", "CN": "2011", "flag": 5, "Flag": "9"}})


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"not json", "line 1: not JSON"),
        (b"\xff\xfe", "line 1: not JSON"),
        (b"[" * 100_000, "line 1: not JSON"),
        (b"[]", "line 1: no packet"),
        (b'{"ok": false, "reason": "x", "bytes": "x"}', "line 1: no packet"),
        (b'{"head": {"MN": "M1"}}', "line 1: head has no CN"),
        (b'{"head": {"MN": 1, "CN": "2011"}}', "line 1: MN: write the value as a text"),
        (
            b'{"head": {"MN": "M1", "CN": "2011"}, "data": {"a": {"Rtd": 1.5}}}',
            "line 1: Rtd: write the value as a text",
        ),
        (b'{"head": {"MN": "M1", "CN": "2011"}, "data": {"a": "1.5"}}', "line 1: a: write its values as an object"),
        (b'{"head": {"MN": "M1", "CN": "2011"}, "data": [1]}', "line 1: data must be an object"),
        (b'{"head": {"MN": "M1", "CN": "2011"}, "meta": {"a": "1;2"}}', "line 1: a = '1;2': HJ 212 uses"),
        (b'{"head": {"MN": "M1", "CN": "2011"}, "meta": {"a": " 1"}}', "line 1: a = ' 1': HJ 212 uses"),
        (b'{"head": {"MN": "M1", "CN": "2011"}, "meta": {"a-b": "1"}}', "line 1: meta: 'a-b' cannot be a name"),
        (b'{"head": {"MN": "M1", "CN": "2011", "CP": "1"}}', "line 1: head: 'CP' cannot be a name"),
        (b'{"head": {"MN": "M1", "CN": "2011"}, "meta": {"a": "\\ud800"}}', "line 1: "),
        (b'{"head": {"MN": "M1", "CN": "2011"}, "meta": {"a": "' + b"1" * 10_000 + b'"}}', "line 1: segment of"),
        (b" " * 1_000_001, "line 1: longer than"),
    ],
)
def test_what_cannot_be_encoded(line: bytes, reason: str) -> None:
    with pytest.raises(tool.ToolError) as caught:
        list(tool.encode([line], {}, "hj212"))
    assert str(caught.value).startswith(reason)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["", "M1", "M1=", "M1=12", "=" + "0" * 32, "M1=" + "0" * 31 + "g", "M1=" + "0" * 34])
def test_keys_that_are_none(text: str) -> None:
    with pytest.raises(tool.ToolError, match="MN=HEX"):
        tool.keys_of([text])


# --- the command ---------------------------------------------------------------------------------


def run(*words: str, data: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    """The command as a person starts it."""
    return subprocess.run(
        [sys.executable, "-m", "envstream", "hj212", *words], input=data, capture_output=True, cwd=ROOT, timeout=60
    )


def test_command_round_trip() -> None:
    line = {
        "head": {"QN": "1", "ST": "31", "CN": "2011", "MN": "M1", "Flag": "9"},
        "meta": {"DataTime": "20261122100000"},
    }
    key = f"M1={KEY.hex()}"
    packet = run("encode", "--key", key, data=json.dumps(line).encode())
    assert (packet.returncode, packet.stderr) == (0, b"")
    told = run("decode", "--key", key, data=packet.stdout)
    assert (told.returncode, told.stderr) == (0, b"")
    found = json.loads(told.stdout)
    assert (found["meta"], found["sealed"]) == (line["meta"], True)


def test_command_crc() -> None:
    assert run("crc", data=b"123456789").stdout == b"2F80\n"
    assert run("crc", "--modbus", data=b"123456789").stdout == b"4B37\n"
    assert run("crc").stdout == b"FFFF\n"


@pytest.mark.parametrize(
    "words", [("decode", "--key", "M1=secret0"), ("encode", "--key", "x"), ("encode",), ("decode", "--crc-mode", "x")]
)
def test_mistakes_are_one_line_and_exit_2(words: tuple[str, ...]) -> None:
    done = run(*words, data=b"{}\n")
    assert done.returncode == 2
    assert b"Traceback" not in done.stderr
    assert b"secret0" not in done.stderr
    assert done.stdout == b""


@pytest.mark.parametrize("words", [("decode",), ("encode",)])
def test_a_reader_that_leaves_is_no_traceback(words: tuple[str, ...]) -> None:
    line = json.dumps({"head": {"CN": "2011", "MN": "M1"}}).encode() + b"\n"
    data = line * 20_000 if words == ("encode",) else tool.frame(b"CN=2011;MN=M1;CP=&&&&") * 20_000
    process = subprocess.Popen(
        [sys.executable, "-m", "envstream", "hj212", *words],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT,
    )  # fmt: skip
    assert process.stdin
    assert process.stdout
    assert process.stderr
    process.stdin.write(data[:4000])
    process.stdin.flush()
    process.stdout.readline()
    process.stdout.close()
    try:
        process.stdin.write(data[4000:])
        process.stdin.close()
    except BrokenPipeError:
        pass
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait(timeout=60) == 1
