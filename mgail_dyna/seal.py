"""A checksum at the end of a file, which shows whether the file is as it was written.

HDF5 ignores what follows its own end, so a sealed HDF5 file is still one for every other program. The checksum is
compared before HDF5 reads anything.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

# Followed by the SHA-256 of everything before it, in hexadecimal digits, and a line break.
_START = b"\nsha256 "
_SIZE = len(_START) + 2 * hashlib.sha256().digest_size + 1


def seal(path: Path) -> None:
    """Appends the checksum of the file at `path`."""
    with path.open("rb+") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        file.seek(0, os.SEEK_END)
        file.write(_START + digest.encode() + b"\n")


def is_whole(path: Path) -> bool | None:
    """Whether a sealed file is as it was written; None if it does not end with a checksum."""
    with path.open("rb") as file:
        left = file.seek(0, os.SEEK_END) - _SIZE
        file.seek(max(left, 0))
        end, digest = file.read(), hashlib.sha256()
        if not end.startswith(_START):
            return None
        file.seek(0)
        while left > 0 and (chunk := file.read(min(left, 1 << 20))):
            digest.update(chunk)
            left -= len(chunk)
    return end == _START + digest.hexdigest().encode() + b"\n"
