"""Digests of a document, for letters that want one beside it: ``{document.sha256.hex}`` in a template. Pure functions."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Iterable, Mapping

HASHES = ("md5", "sha1", "sha256", "sha384", "sha512")
_ENCODINGS: Mapping[str, Callable[[bytes], str]] = {
    "hex": bytes.hex,
    "HEX": lambda digest: digest.hex().upper(),
    "base64": lambda digest: base64.b64encode(digest).decode("ascii"),
}
SIZE = "document.size"
"""The document's length in bytes."""
NAMES: frozenset[str] = frozenset({SIZE, *(f"document.{one}.{way}" for one in HASHES for way in _ENCODINGS)})
"""What a template of ``send`` may name."""
LISTED = f"{{{SIZE}}}, {{document.HASH.ENCODING}} with HASH {', '.join(HASHES)} and ENCODING {', '.join(_ENCODINGS)}"


def values(names: Iterable[str], content: bytes) -> dict[str, str]:
    """The values of those of ``names`` that are about the document, of its bytes as they are sent."""
    found: dict[str, str] = {}
    for name in NAMES.intersection(names):
        _, what, *encoding = name.split(".")
        if encoding:
            digest = hashlib.new(what, content, usedforsecurity=False).digest()
            found[name] = _ENCODINGS[encoding[0]](digest)
        else:
            found[name] = str(len(content))
    return found
