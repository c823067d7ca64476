"""pymachine: any cloud account, hypervisor or box with SSH becomes a secured container host.

Importing this package imports nothing else: the command's start-up time is the user's. What is public comes when it is
asked for: ``machine.Client`` and what it gives back (``docs/api.md``).
"""

TYPE_CHECKING = False  # typing's own would import typing
if TYPE_CHECKING:
    from machine import errors
    from machine.api.client import Client
    from machine.api.fleets import FleetFile
    from machine.api.hosts import Ssh
    from machine.api.looking import DockerConfig
    from machine.api.outcome import Outcome, Outcomes
    from machine.bootstrap.session import EngineChange, Upgraded
    from machine.deadline import Cancellation
    from machine.errors import PymachineError
    from machine.model import EngineSpec, Event, Machine, State
    from machine.operations.observe import Seen
    from machine.operations.run import Ran
else:
    _FROM = {
        "Client": "api.client",
        "FleetFile": "api.fleets",
        "Ssh": "api.hosts",
        "DockerConfig": "api.looking",
        "Outcome": "api.outcome",
        "Outcomes": "api.outcome",
        "EngineChange": "bootstrap.session",
        "Upgraded": "bootstrap.session",
        "Cancellation": "deadline",
        "PymachineError": "errors",
        "EngineSpec": "model",
        "Event": "model",
        "Machine": "model",
        "State": "model",
        "Seen": "operations.observe",
        "Ran": "operations.run",
    }

    def __getattr__(name):
        import importlib

        if name == "errors":
            return importlib.import_module("machine.errors")
        if name not in _FROM:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        found = globals()[name] = getattr(importlib.import_module("machine." + _FROM[name]), name)
        return found

    def __dir__():
        return sorted({*globals(), *_FROM, "errors"})


__all__ = [
    "Cancellation",
    "Client",
    "DockerConfig",
    "EngineChange",
    "EngineSpec",
    "Event",
    "FleetFile",
    "Machine",
    "Outcome",
    "Outcomes",
    "PymachineError",
    "Ran",
    "Seen",
    "Ssh",
    "State",
    "Upgraded",
    "errors",
]
