"""Randomness of the system."""

from __future__ import annotations

import random
import secrets


class SystemChance:
    """Ids from the system's randomness, jitter from a generator seeded with it."""

    _ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # 32 letters that are not taken for others

    def __init__(self) -> None:
        self._random = random.Random(secrets.token_bytes(16))

    def run_id(self) -> str:
        return "r_" + "".join([self._ALPHABET[byte & 31] for byte in secrets.token_bytes(10)])

    def jitter(self) -> float:
        return self._random.random()
