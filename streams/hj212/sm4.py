"""SM4 as HJ 212-2025 uses it (emission.md §1.10): ECB over whole blocks of the content, a shorter tail stays plain.

LEN and checksum are those of the plain segment, so a receiver without the key can still tell where a packet ends.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers import Cipher
    from cryptography.hazmat.primitives.ciphers.modes import ECB

BLOCK = 16
KEY_BYTES = 16

_SEALED_CN = frozenset({"1014", "3020"})
_PRINTABLE = bytes(range(0x20, 0x7F))
_CONTROLS = bytes([*range(0x20), 0x7F])


def applies(cn: str) -> bool:
    """Whether the content of this command is enciphered: 2000 to 2999, 1014 and 3020."""
    return (len(cn) == 4 and cn[0] == "2") or cn in _SEALED_CN


def whole_blocks(length: int) -> int:
    """How many bytes of a content of that length are enciphered."""
    return length - length % BLOCK


def encipher(content: bytes, key: bytes) -> bytes:
    """Content as it goes on the wire, of the same length.

    Raises:
        ValueError: the key is not of 16 bytes.
    """
    whole = whole_blocks(len(content))
    return _cipher(key).encryptor().update(content[:whole]) + content[whole:]


def decipher(content: bytes, key: bytes) -> bytes:
    """Content as it was before :func:`encipher`, or noise where the key is another.

    Raises:
        ValueError: the key is not of 16 bytes.
    """
    whole = whole_blocks(len(content))
    return _cipher(key).decryptor().update(content[:whole]) + content[whole:]


def is_text(content: bytes) -> bool:
    """Whether a content is what devices write, a few damaged bytes allowed, and not a cipher's noise.

    Three quarters of what HJ 212 says is ASCII; of noise it is three eighths. What is neither is a text in Chinese.
    """
    whole = content[: whole_blocks(len(content))]  # the tail is plain in any case
    if len(whole.translate(None, _PRINTABLE)) * 4 <= len(whole):
        return True
    if len(content.translate(None, _CONTROLS)) < len(content):
        return False
    for encoding in ("utf-8", "gb18030"):
        try:
            content.decode(encoding)
        except UnicodeDecodeError:
            continue
        return True
    return False


@functools.lru_cache(maxsize=4096)
def _cipher(key: bytes) -> Cipher[ECB]:
    # Imported with the first key: a district without 2025 devices needs none of it.
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

    if len(key) != KEY_BYTES:
        raise ValueError(f"an SM4 key has {KEY_BYTES} bytes, this one {len(key)}")
    return Cipher(algorithms.SM4(key), modes.ECB())  # noqa: S305 - the norm says ECB
