"""The zipapp's ``__main__``: take the compiled code that lies beside it, where it is whole and this Python's.

An archive ``SHA256.pyz`` may have a ``SHA256.MAGIC.pyc.zip`` beside it: its modules, compiled for the Pythons whose
bytecode has that magic number, which saves half the time that a start takes. The file begins with the SHA-256 of the
rest; what is damaged, missing or another Python's is done without. So nothing of ours is imported before that is known.
"""

from __future__ import annotations

import os
import sys
from _frozen_importlib_external import MAGIC_NUMBER  # `importlib.util` has it too, and takes 1 ms
from hashlib import sha256


def compiled_path(archive: str) -> str:
    """Where the compiled code of an archive lies, for this Python."""
    return f"{archive[: -len('.pyz')]}.{MAGIC_NUMBER.hex()}.pyc.zip"


def intact(path: str) -> bytes | None:
    """The file, when it is there and whole."""
    try:
        with open(path, "rb") as file:
            data = file.read()
    except OSError:
        return None
    return data if data[:32] == sha256(data[32:]).digest() else None


if __name__ == "__main__":
    compiled = compiled_path(os.path.realpath(sys.argv[0]))
    if intact(compiled):
        sys.path.insert(0, compiled)
    from machine.agent.__main__ import main

    sys.exit(main(sys.argv[1:]))
