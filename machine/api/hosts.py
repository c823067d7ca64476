"""What goes to a machine's host over SSH: ``run ssh scp mount tunnel``."""

from __future__ import annotations

import contextlib
import shlex
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, overload

from machine.api.choosing import Labels, Names, one
from machine.api.opened import Opened, outcomes_of
from machine.api.outcome import Outcomes
from machine.deadline import Deadline
from machine.errors import PymachineError, UsageError
from machine.model import Machine

if TYPE_CHECKING:
    from machine.operations.copying import Place
    from machine.operations.run import Ran
    from machine.operations.sshoptions import SshHost
    from machine.ssh.connection import Connection
    from machine.ssh.forward import Forward

OnOutput = Callable[[Machine, str], None]
"""``on_output(machine, text)``: what a command prints, as it comes; called from many threads."""


class Ssh:
    """An open, verified connection to a machine's host, for as many commands as wanted."""

    def __init__(self, connection: Connection, seconds: float, opened: Hosts) -> None:
        self._connection = connection
        self._seconds = seconds
        self._opened = opened

    @property
    def user(self) -> str:
        """Who is logged in."""
        return self._connection.user

    def run(self, command: str, *, sudo: bool = False, stdin: bytes = b"", timeout: float | None = None) -> Ran:
        """Run a shell command to its end.

        Args:
            sudo: as root.
            timeout: seconds; None: the client's.

        Raises:
            HostUnreachable: the connection was lost.
            DeadlineExceeded, Cancelled.
        """
        from machine.operations.run import Ran

        line = f"sudo -n sh -c {shlex.quote(command)}" if sudo else command
        deadline = Deadline(timeout or self._seconds, cancellation=self._opened.cancellation.child())
        done = self._connection.run(line, deadline, stdin)
        return Ran(done.exit_status, done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace"))


class Hosts(Opened):
    """Every connection is to the machine's own pinned host key, with its own key: see `machine.Client`."""

    @overload
    def run(
        self,
        command: str,
        names: str | Machine,
        *,
        sudo: bool = False,
        stdin: bytes = b"",
        on_output: OnOutput | None = None,
    ) -> Ran: ...

    @overload
    def run(
        self,
        command: str,
        names: Names | None = None,
        *,
        fleet: str | None = None,
        group: str | None = None,
        labels: Labels | None = None,
        sudo: bool = False,
        stdin: bytes = b"",
        on_output: OnOutput | None = None,
    ) -> Outcomes[Ran]: ...

    def run(
        self,
        command: str,
        names: str | Machine | Names | None = None,
        *,
        fleet: str | None = None,
        group: str | None = None,
        labels: Labels | None = None,
        sudo: bool = False,
        stdin: bytes = b"",
        on_output: OnOutput | None = None,
    ) -> Ran | Outcomes[Ran]:
        """Run a shell command on the hosts of machines, side by side, each over one connection.

        Args:
            command: for the login shell of the user that logs in.
            sudo: as root, by ``sh``.
            stdin: what it reads, on every host.
            on_output: called with what it prints on stdout, as it comes.

        Returns:
            Its ``status`` (exit code; -1: the host gave none), ``stdout`` and the last 64 kB of ``stderr``. A command
            that exits with another code than 0 has run: that is no error here.

        Raises:
            HostUnreachable, HostKeyRejected, LoginRefused, NotRunning: it could not be run.
        """
        from machine.operations.run import run

        machines = self._meant(names, fleet, group, labels)
        say = on_output or (lambda _machine, _text: None)
        workers, settings = self._workers, self._settings()
        came = run(self._store, machines, command, settings, sudo=sudo, stdin=stdin, say=say, workers=workers)
        outcomes = outcomes_of(came)
        return outcomes[0].result if isinstance(names, str | Machine) else outcomes

    @contextlib.contextmanager
    def ssh(self, name: str | Machine) -> Iterator[Ssh]:
        """A connection to a machine's host, open inside the context, for more commands than one.

        Raises:
            NotRunning: it has no host yet.
            HostUnreachable, HostKeyRejected, LoginRefused, DriverError.
        """
        from machine.errors import DriverError
        from machine.operations.hostconnection import open_connection
        from machine.operations.lifecycle import instance_of

        machine = one(self._store, name)
        instance_of(machine)
        driver, settings = self._driver_of(machine), self._settings()
        if not machine.has_host:
            raise DriverError(f"the driver {driver.name} has no host to log in to", machine=machine.name)
        deadline = Deadline(settings.timeout, cancellation=settings.cancellation.child())
        with open_connection(
            self._store, machine, driver.capabilities, deadline, ask_passphrase=settings.ask_passphrase
        ) as connection:
            yield Ssh(connection, settings.timeout, self)

    def ssh_command(self, name: str | Machine, arguments: Sequence[str] = ()) -> list[str]:
        """The words by which this computer's own ssh logs in to a machine's host: for ``subprocess``, or a terminal.

        Args:
            arguments: what follows the host: a command, or nothing for a shell.

        Raises:
            NotRunning: it does not run.
            DriverError: there never was a host to log in to.
        """
        host = self._ssh_host(name)
        line = ["ssh", *(part for key, value in host.options for part in ("-o", f"{key}={value}"))]
        if host.identity_file:
            line += ["-i", host.identity_file]
        if host.port is not None:
            line += ["-p", str(host.port)]
        return [*line, f"{host.user}@{host.host}" if host.user else host.host, *arguments]

    def scp(
        self,
        source: str,
        target: str,
        *,
        recursive: bool = False,
        delta: bool = False,
        quiet: bool = False,
        on_terminal: bool = False,
    ) -> int:
        """Copy files to, from or between machines, by this computer's own scp or rsync.

        Args:
            source, target: ``[[USER@]MACHINE:]PATH``; without a machine, or of localhost, it is on this computer.
            recursive: directories, with all that is in them.
            delta: by rsync: only what differs is sent.
            quiet: no progress is shown.
            on_terminal: the program has this process's own terminal, and its exit code is returned.

        Returns:
            The exit code; 0 unless ``on_terminal``.

        Raises:
            UsageError: the program is not there, or rsync would have to copy between two machines.
            MachineNotFound, NotRunning, DriverError: there is no such host.
            PymachineError: nothing was copied, or not all; ``cause`` is what the program said.
        """
        from machine.operations.copying import copy

        ends = self.place(source), self.place(target)
        run = _program(f"{source} is not copied to {target}", on_terminal)
        quiet = quiet or not on_terminal
        return copy(*ends, self._ssh_host, recursive=recursive, delta=delta, quiet=quiet, run=run)

    def scp_all(
        self,
        source: str,
        target: str,
        names: Names | None = None,
        *,
        fleet: str | None = None,
        group: str | None = None,
        labels: Labels | None = None,
        recursive: bool = False,
        delta: bool = False,
    ) -> Outcomes[None]:
        """Copy the same to many machines, or from many, side by side.

        Args:
            source, target: one of them begins with a colon, ``:PATH``: it is on each of the machines. What comes from
                many lies in a directory for each, below the target.

        Raises:
            UsageError: neither is on the machines, or both are.
        """
        from machine.operations.copying import of_each
        from machine.operations.many import for_each

        ends = of_each(source, target)
        machines = self._meant(names, fleet, group, labels)

        def copy_one(machine: Machine) -> None:
            self.scp(*ends(machine.name), recursive=recursive, delta=delta)

        return outcomes_of(for_each(machines, copy_one, workers=self._workers))

    @staticmethod
    def place(text: str) -> Place:
        """``[[USER@]MACHINE:]PATH`` in its parts; ``localhost:PATH`` is on this computer."""
        from machine.operations.copying import parse_place

        return parse_place(text)

    def mount(self, place: str | Place, mountpoint: str | None = None, *, on_terminal: bool = False) -> int:
        """Mount a directory of a host on this computer, by its sshfs.

        Args:
            place: ``[USER@]MACHINE:PATH``.
            mountpoint: None: the same path here.
            on_terminal: as `scp`.

        Raises:
            UsageError: there is no sshfs on this computer, or no machine was said.
            MachineNotFound, NotRunning, DriverError: there is no such host.
            PymachineError: it is not mounted; ``cause`` is what the program said.
        """
        from machine.operations.copying import mount

        end = self.place(place) if isinstance(place, str) else place
        if end.machine is None:
            raise UsageError(f"{place!r} names no machine", hint="MACHINE:PATH")
        run = _program(f"{end.machine}:{end.path} is not mounted", on_terminal)
        return mount(self._ssh_host(end.machine), end.user, end.path, mountpoint or end.path, run=run)

    def unmount(self, mountpoint: str, *, on_terminal: bool = False) -> int:
        """Unmount what `mount` mounted.

        Raises:
            UsageError: this computer has no fusermount.
            PymachineError: it is still mounted; ``cause`` is what the program said.
        """
        from machine.operations.copying import unmount

        run = _program(f"{mountpoint} is still mounted", on_terminal)
        return unmount(mountpoint, run=run)

    @contextlib.contextmanager
    def tunnel(self, name: str | Machine, *, port: int | None = None) -> Iterator[Forward]:
        """A port of this computer that ends at a machine's endpoint, over SSH, inside the context.

        Args:
            port: 0: any free one; None: the one that `url` names, where there is no other way to the endpoint.

        Returns:
            Its ``local_port``, and whether it is still ``alive``: one that is lost is not opened again.

        Raises:
            DriverError: there is no host to go through.
            NotRunning: the machine has no endpoint yet.
            UsageError: the port is taken.
            HostUnreachable, HostKeyRejected, LoginRefused.
        """
        from machine.operations.tunnel import tunnel

        machine = one(self._store, name)
        driver = self._driver_of(machine)
        with tunnel(self._store, machine, driver, self._settings(), local_port=port) as forward:
            yield forward

    def _ssh_host(self, name: str | Machine) -> SshHost:
        from machine.operations.sshoptions import ssh_host

        machine = one(self._store, name)
        return ssh_host(machine, self._store.files(machine.name).directory)


def _program(failed: str, on_terminal: bool) -> Callable[[Sequence[str]], int]:
    """How a program of this computer is run.

    Args:
        failed: what is raised where it has no terminal to say it on, and fails.
    """
    from machine.operations.copying import run_on_terminal, run_silently

    if on_terminal:
        return run_on_terminal

    def run(line: Sequence[str]) -> int:
        code, said = run_silently(line)
        if code:
            raise PymachineError(failed, cause=said or f"exit code {code}")
        return code

    return run
