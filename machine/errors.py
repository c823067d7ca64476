"""One tree of exceptions: what went wrong, where, why, and what to do next.

A subclass exists where the *user* can do something different about it, and its ``exit_code`` is what the
command exits with (``docs/exit-codes.md``). ``str(error)`` is one line; the CLI adds ``cause`` and ``hint`` below it.
"""

from __future__ import annotations

from collections.abc import Sequence


class PymachineError(Exception):
    """Anything pymachine raises on purpose.

    Args:
        message: one line, in the user's words.
        machine: the machine it happened to, when there is one.
        step: the step of the operation it happened in, when there is one.
        cause: what the layer below said, when that helps.
        hint: the next command or change, ready to be typed.
    """

    slug = "error"
    exit_code = 1

    def __init__(
        self,
        message: str,
        *,
        machine: str | None = None,
        step: str | None = None,
        cause: str | None = None,
        hint: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.machine = machine
        self.step = step
        self.cause = cause
        self.hint = hint
        self.log: str | None = None  # the file with everything that was said, when there is one

    def located(self, *, machine: str | None = None, step: str | None = None) -> PymachineError:
        """Fill in where it happened, unless a layer closer to the fault already did."""
        self.machine = self.machine or machine
        self.step = self.step or step
        return self


class UsageError(PymachineError):
    """The command line or a value on it cannot be meant."""

    slug = "usage"


class InvalidName(UsageError):
    """A machine cannot have this name."""

    slug = "invalid-name"


class NameTaken(UsageError):
    """A machine of this name, ignoring case, is already in the store."""

    slug = "name-taken"


class MachineNotFound(UsageError):
    """No machine of this name is in the store."""

    slug = "machine-not-found"


class UnknownDriver(UsageError):
    """No driver of this name is installed."""

    slug = "unknown-driver"


class FleetFileError(UsageError):
    """A fleet file cannot be meant: ``problems`` has a line for each reason, with file, line and column."""

    slug = "fleet-file"

    def __init__(self, message: str, *, problems: Sequence[str] = (), **where: str | None) -> None:
        super().__init__(message, **where)
        self.problems = tuple(problems)


class PreCheckFailed(PymachineError):
    """Found before anything was made: credentials, quota, a missing tool, an option that cannot work here."""

    slug = "pre-check"
    exit_code = 3


class Cancelled(PymachineError):
    """The operator stopped it (Ctrl-C, SIGTERM)."""

    slug = "cancelled"
    exit_code = 130


class OperationInProgress(PymachineError):
    """Another process is changing this machine."""

    slug = "operation-in-progress"


class DeadlineExceeded(PymachineError):
    """A wait used up its time; ``cause`` names what was last seen."""

    slug = "deadline"


class StoreError(PymachineError):
    """The store cannot be read or written."""

    slug = "store"


class StoreTooNew(StoreError):
    """The store was written by a newer pymachine."""

    slug = "store-too-new"


class DriverError(PymachineError):
    """A provider did not do what was asked."""

    slug = "driver"


class InstanceGone(DriverError):
    """The provider says that the instance no longer exists (never concluded from silence)."""

    slug = "instance-gone"


class HostUnreachable(PymachineError):
    """No SSH connection: ``layer`` says how far it came (name, route, port, protocol)."""

    slug = "host-unreachable"

    def __init__(self, message: str, *, layer: str, **where: str | None) -> None:
        super().__init__(message, **where)
        self.layer = layer


class HostKeyRejected(PymachineError):
    """The host's SSH key is not the one that is pinned, or is not known and the policy is strict."""

    slug = "host-key"


class LoginRefused(PymachineError):
    """The host answered and did not accept the user or the key."""

    slug = "login"


class BootstrapFailed(PymachineError):
    """The agent could not be brought to the host, or could not make it as wanted; ``code`` is the agent's own."""

    slug = "bootstrap"

    def __init__(self, message: str, *, code: str, **where: str | None) -> None:
        super().__init__(message, **where)
        self.code = code


class ConsentNeeded(PymachineError):
    """Something of the user's own must change for this, and nobody said yes; nothing was changed."""

    slug = "consent"


class EndpointUnverified(PymachineError):
    """The machine's TLS endpoint does not answer as it must: ``layer`` says how far it came."""

    slug = "endpoint"

    def __init__(self, message: str, *, layer: str, **where: str | None) -> None:
        super().__init__(message, **where)
        self.layer = layer


class NotRunning(PymachineError):
    """The machine is recorded as stopped, and what was asked needs it running."""

    slug = "not-running"


class NotBegun(PymachineError):
    """Of many machines this one's turn did not come: the message says for what."""

    slug = "not-begun"
