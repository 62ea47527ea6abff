"""Passwords: argon2id on a small executor of its own, so that sign-ins never hold up the loop.

At most ``MAX_WAITING`` checks wait; beyond that a sign-in is refused with "try again", which is
better than a queue of minutes.
"""

from __future__ import annotations

import asyncio
import secrets
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Final, TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from kernel.errors import CapacityError

THREADS_COUNT: Final = 2  # Each check holds 64 MiB for its ~50 ms.
MAX_WAITING: Final = 64
Result = TypeVar("Result")
GENERATED_BYTES: Final = 12  # 96 random bits, 16 characters.


class Passwords:
    """Hashes and checks passwords. Close it at the end of the process."""

    def __init__(self, hasher: PasswordHasher | None = None) -> None:
        """``hasher`` defaults to argon2id with the library's (RFC 9106) parameters."""
        self._hasher = hasher or PasswordHasher()
        self._executor = ThreadPoolExecutor(THREADS_COUNT, thread_name_prefix="argon2")
        self._waiting_count = 0
        self._decoy: str | None = None

    async def hash(self, password: str) -> str:
        """Hash a new password."""
        return await self._run(partial(self._hasher.hash, password))

    async def verify(self, password: str, password_hash: str | None) -> bool:
        """Tell whether the password is right; without a hash just as slowly, always ``False``.

        Raises:
            CapacityError: Too many sign-ins at once.
        """
        return await self._run(partial(self._verify_blocking, password, password_hash))

    def is_outdated(self, password_hash: str) -> bool:
        """Tell whether the hash was made with weaker parameters than today's."""
        return self._hasher.check_needs_rehash(password_hash)

    def close(self) -> None:
        self._executor.shutdown(wait=False, cancel_futures=True)

    def _verify_blocking(self, password: str, password_hash: str | None) -> bool:
        if password_hash is None:
            if self._decoy is None:
                self._decoy = self._hasher.hash(secrets.token_hex())
            password_hash, is_decoy = self._decoy, True
        else:
            is_decoy = False
        try:
            self._hasher.verify(password_hash, password)
        except (VerificationError, InvalidHashError):
            return False
        return not is_decoy

    async def _run(self, work: partial[Result]) -> Result:
        if self._waiting_count >= MAX_WAITING:
            raise CapacityError("too many sign-ins at once", retry_after_s=2)
        self._waiting_count += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._executor, work)
        finally:
            self._waiting_count -= 1


def generate_password() -> str:
    """Make a password to hand out."""
    return secrets.token_urlsafe(GENERATED_BYTES)
