"""``envstream hj212``: the wire from the command line, stdin to stdout, in constant memory.

A packet is one JSON object: ``head`` has the header fields as sent and ``flag`` as a number, ``meta`` the items without
a factor, ``data`` per code ``{suffix: text}``. A factor that is said twice has its further readings in ``repeated``.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from streams.hj212 import sm4
from streams.hj212.crc import text_of_chunks
from streams.hj212.framing import Crc, CrcMode, Device, Frame, Framer, Piece, Sealed
from streams.hj212.packet import HEADER_NAMES, Packet, PacketError, parse
from streams.hj212.writing import frame

LONGEST_LINE = 1_000_000
"""Of JSON; so that input without a line end stays bounded."""


class ToolError(ValueError):
    """What the user gave cannot be used; one line: the place, what is wrong, the cure."""


def keys_of(texts: Iterable[str]) -> dict[str, bytes]:
    """SM4 keys by MN, of texts ``MN=HEX``.

    Raises:
        ToolError: another form.
    """
    keys = {}
    for text in texts:
        mn, equals, digits = text.partition("=")
        if not equals:  # perhaps a key alone: it is not said again
            raise ToolError(f"--key without an MN: write it as MN=HEX, {2 * sm4.KEY_BYTES} hex digits")
        try:
            keys[mn] = bytes.fromhex(digits)
        except ValueError:
            keys[mn] = b""
        if not mn or len(keys[mn]) != sm4.KEY_BYTES:
            raise ToolError(f"--key {mn}=…: write it as MN=HEX, {2 * sm4.KEY_BYTES} hex digits")
    return keys


def decode(chunks: Iterable[bytes], keys: Mapping[str, bytes], crc_mode: CrcMode) -> Iterator[dict[str, Any]]:
    """A JSON object for each packet and each rejected piece of a stream of bytes."""
    framer = Framer(lambda mn: Device(crc_mode, keys.get(mn)))
    for chunk in chunks:
        yield from map(_told, framer.feed(chunk))
    yield from map(_told, framer.flush())


def _told(piece: Piece) -> dict[str, Any]:
    reason = "" if isinstance(piece, Frame) else piece.reason
    if isinstance(piece, Frame):
        try:
            return _packet(piece, parse(piece))
        except PacketError as error:
            reason = str(error)
    told = {"ok": False, "reason": reason, "bytes": piece.raw.decode("latin-1")}
    return {**told, "mn": piece.mn} if isinstance(piece, Sealed) else told


def _packet(framed: Frame, packet: Packet) -> dict[str, Any]:
    data: dict[str, dict[str, str]] = {}
    repeated: list[dict[str, dict[str, str]]] = []
    for code, values in packet.readings:
        if code in data:
            repeated.append({code: values})
        else:
            data[code] = values
    return {
        "ok": True,
        "version": packet.version,
        "head": {**packet.header, "flag": packet.flag},
        "meta": packet.meta,
        "data": data,
        **({"repeated": repeated} if repeated else {}),
        **({"unread": packet.unread} if packet.unread else {}),
        "crc": framed.raw[-4:].decode(),
        "crc_mode": packet.crc,
        "length_in": framed.length_in,
        "sealed": packet.sealed,
    }


def encode(lines: Iterable[bytes], keys: Mapping[str, bytes], crc: Crc) -> Iterator[bytes]:
    """A packet for each JSON line of the form that :func:`decode` gives; other keys are ignored.

    Packets of an MN with a key are enciphered where SM4 applies to the command.

    Raises:
        ToolError: a line that is no such object, or that would not be read back as it is.
    """
    for number, line in enumerate(lines, 1):
        if len(line) > LONGEST_LINE:
            raise ToolError(f"line {number}: longer than {LONGEST_LINE} bytes, which no packet needs")
        if line.strip():
            try:
                yield _encoded(_object(line), keys, crc)
            except ValueError as error:
                raise ToolError(f"line {number}: {error}") from None


def _object(line: bytes) -> dict[str, Any]:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        raise ValueError("not JSON: write one object a line") from None
    if not isinstance(found, dict) or not isinstance(found.get("head"), dict):
        raise ValueError('no packet: write {"head": {"MN": …, "CN": …}, "meta": {…}, "data": {code: {suffix: text}}}')
    return found


def _encoded(given: dict[str, Any], keys: Mapping[str, bytes], crc: Crc) -> bytes:
    head = dict(given["head"])
    flag = head.pop("flag", None)
    if flag is not None:
        head.setdefault("Flag", str(flag))
    for name in ("MN", "CN"):
        if not head.get(name):
            raise ValueError(f"head has no {name}")
    names = [name for name in HEADER_NAMES if name in head] + [name for name in head if name not in HEADER_NAMES]
    header = [f"{_name(name, 'head')}={_value(name, head[name])}" for name in names]
    items = [f"{_name(name, 'meta', dash=False)}={_value(name, text)}" for name, text in _pairs(given, "meta")]
    readings = [*_pairs(given, "data")]
    for more in given.get("repeated") or []:
        readings += _pairs({"repeated": more}, "repeated")
    items += [_reading(code, values) for code, values in readings]
    segment = f"{';'.join(header)};CP=&&{';'.join(filter(None, items))}&&".encode()
    return frame(segment, crc, keys.get(head["MN"]) if sm4.applies(head["CN"]) else None)


def _pairs(given: dict[str, Any], key: str) -> Iterable[tuple[str, Any]]:
    found = given.get(key) or {}
    if not isinstance(found, dict):
        raise ValueError(f"{key} must be an object")
    return found.items()


def _reading(code: str, values: Any) -> str:
    if not isinstance(values, dict):
        raise ValueError(f"{code}: write its values as an object of suffix and text")
    return ",".join([f"{_name(code, 'data')}-{_name(s, code, dash=False)}={_value(s, v)}" for s, v in values.items()])


def _name(name: str, where: str, *, dash: bool = True) -> str:
    if name != name.strip() or not set(";,&=#\r\n").isdisjoint(name) or (not dash and "-" in name) or name == "CP":
        raise ValueError(f"{where}: {name!r} cannot be a name in HJ 212")
    return name


def _value(name: str, text: Any) -> str:
    if not isinstance(text, str):
        raise ValueError(f"{name}: write the value as a text, with the decimals it is to have")
    if text != text.strip() or not set(";,&#\r\n").isdisjoint(text):
        raise ValueError(f"{name} = {text!r}: HJ 212 uses ; , & # itself and drops blanks around a value")
    return text


def checksum(chunks: Iterable[bytes], modbus: bool) -> str:
    """Four hex digits over all the bytes."""
    return text_of_chunks(chunks, modbus).decode()
