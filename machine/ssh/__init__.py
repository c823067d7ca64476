"""One connection to one host: connect, run, send. Paramiko lives only here, and is imported only when one is opened."""

import sys

# Paramiko imports `invoke` for one thing that is not used here (`Match exec` in its own reading of ssh_config) and does
# without it where it is missing; importing it takes as long as the rest of paramiko's own modules.
_without_invoke = "invoke" not in sys.modules
if _without_invoke:
    sys.modules["invoke"] = None  # type: ignore[assignment]
try:
    import paramiko  # noqa: F401
finally:
    if _without_invoke:
        del sys.modules["invoke"]
