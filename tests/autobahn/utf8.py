"""Octet sequences that are, or are not, UTF-8 (RFC 3629), in the groups 6.5 to 6.23.

Written as octets and not made by a codec: a codec is what they test.
"""

from __future__ import annotations

__all__ = ["GROUPS"]

KOSME = bytes.fromhex("ceba e1bdb9 cf83 cebc ceb5")
_BOUNDARIES = {2, 5, 7, 9, 11}

_MISSING_LAST = [
    "c0", "e080", "f08080", "f8808080", "fc80808080", "df", "efbf", "f7bfbf", "fbbfbfbf", "fdbfbfbfbf",
]  # fmt: skip


def _sequences(valid: bool, *octets: str) -> list[tuple[bool, bytes]]:
    return [(valid, bytes.fromhex(one)) for one in octets]


def _lonely(first: int, last: int) -> str:
    """Every start octet of a length, each with a blank behind it."""
    return "".join(f"{octet:02x}20" for octet in range(first, last + 1))


def _noncharacters() -> list[str]:
    """U+FFFE and U+FFFF of each plane: no characters, but well-formed."""
    planes: list[tuple[int, tuple[int, ...]]] = [(0xF0, (0x9F, 0xAF, 0xBF))]
    planes += [(first, (0x8F, 0x9F, 0xAF, 0xBF)) for first in (0xF1, 0xF2, 0xF3)]
    planes += [(0xF4, (0x8F,))]
    return ["efbfbe", "efbfbf"] + [
        f"{first:02x}{second:02x}bf{last}" for first, seconds in planes for second in seconds for last in ("be", "bf")
    ]


GROUPS: dict[str, list[tuple[bool, bytes]]] = {
    # Text with characters of one to four octets.
    "6.5": [
        (True, b"hello\x24world"),
        (True, b"hello\xc2\xa2world"),
        (True, b"hello\xe2\x82\xacworld"),
        (True, b"hello\xf0\xa4\xad\xa2world"),
        (True, KOSME),
    ],
    # Every beginning of such a text.
    "6.6": [(size in _BOUNDARIES, KOSME[:size]) for size in range(1, len(KOSME) + 1)],
    # First code point of one to four octets, then of five and six.
    "6.7": _sequences(True, "00", "c280", "e0a080", "f0908080"),
    "6.8": _sequences(False, "f888808080", "fc8480808080"),
    # Last code point of one to four octets, then beyond Unicode.
    "6.9": _sequences(True, "7f", "dfbf", "efbfbf", "f48fbfbf"),
    "6.10": _sequences(False, "f7bfbfbf", "fbbfbfbfbf", "fdbfbfbfbfbf"),
    # Around the surrogates and around the end of Unicode.
    "6.11": _sequences(True, "ed9fbf", "ee8080", "efbfbd", "f48fbfbf") + _sequences(False, "f4908080"),
    # Continuation octets with nothing in front of them.
    "6.12": _sequences(
        False, "80", "bf", "80bf", "80bf80", "80bf80bf", "80bf80bf80", "80bf80bf80bf", bytes(range(0x80, 0xC0)).hex()
    ),
    # Start octets with nothing behind them.
    "6.13": _sequences(
        False, _lonely(0xC0, 0xDF), _lonely(0xE0, 0xEF), _lonely(0xF0, 0xF7), _lonely(0xF8, 0xFB), _lonely(0xFC, 0xFD)
    ),
    # The last continuation octet is missing: one by one, then all in a row.
    "6.14": _sequences(False, *_MISSING_LAST),
    "6.15": _sequences(False, "".join(_MISSING_LAST)),
    # Octets that UTF-8 does not have.
    "6.16": _sequences(False, "fe", "ff", "fefeffff"),
    # The same character in more octets than it needs: a slash, the last of each length, NUL.
    "6.17": _sequences(False, "c0af", "e080af", "f08080af", "f8808080af", "fc80808080af"),
    "6.18": _sequences(False, "c1bf", "e09fbf", "f08fbfbf", "f887bfbfbf", "fc83bfbfbfbf"),
    "6.19": _sequences(False, "c080", "e08080", "f0808080", "f880808080", "fc8080808080"),
    # Surrogates, alone and in pairs.
    "6.20": _sequences(False, "eda080", "edadbf", "edae80", "edafbf", "edb080", "edbe80", "edbfbf"),
    "6.21": _sequences(
        False, "eda080edb080", "eda080edbfbf", "edadbfedb080", "edadbfedbfbf", "edae80edb080", "edae80edbfbf",
        "edafbfedb080", "edafbfedbfbf",
    ),
    "6.22": _sequences(True, *_noncharacters()),
    # The specials of U+FFF9 to U+FFFF.
    "6.23": _sequences(True, *(f"efbf{last:02x}" for last in range(0xB9, 0xC0))),
}  # fmt: skip
