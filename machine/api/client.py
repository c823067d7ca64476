"""All parts of the client together."""

from __future__ import annotations

from machine.api.changing import Changing
from machine.api.drivers import Drivers
from machine.api.fleets import Fleets
from machine.api.hosts import Hosts
from machine.api.images import Baking
from machine.api.keeping import Keeping
from machine.api.looking import Looking


class Client(Baking, Changing, Looking, Hosts, Keeping, Drivers, Fleets):
    """A store of machines, opened for a program. Close it, or use it as a context manager; threads may share it.

    A method has the name of the command that does the same. Where that takes names, one name (or `Machine`) is one
    machine: its result is returned, or its error raised. A list of names and patterns, a fleet, a group or labels
    choose many: they are worked on side by side, and `Outcomes` say what came of each.

    Nothing is printed and nobody is asked. Every error is a `PymachineError`, with ``machine``, ``step``, ``cause``,
    ``hint`` and ``log`` (a file) as far as they are known; what a callback raises is passed on as it is.

    Args:
        directory: of the store; None: that of the commands (``PYMACHINE_HOME``, else the user's data directory).
        on_event: called with every `Event` of an operation.
        timeout: seconds for each operation; None: the configuration's for `create`, else 900.
        parallel: so many machines at once; None: 32.
        ask_consent: called when the engine on a host must be changed and restarted; None: nobody agrees.
        ask_passphrase: called with the path of a private key that has one; None: such a key is left out.
        cancellation: what stops all that is under way, at the next safe point; None: a new one, in `cancellation`.
        views: keep the files that programs written for docker-machine read; a store that has them keeps them anyway.

    Raises:
        StoreError: the store cannot be opened.
        UsageError: the directory is docker-machine's own, or a value cannot be meant.
    """
