"""What changes machines that exist: ``start stop kill restart provision upgrade regenerate-certs resize allow rm``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, overload

from machine.api.choosing import Labels, Names
from machine.api.opened import Opened
from machine.api.outcome import Outcomes
from machine.errors import UsageError
from machine.model import Machine

if TYPE_CHECKING:
    from machine.bootstrap.session import Upgraded


class Changing(Opened):
    """One machine by its name, or many by a choice: see `machine.Client`."""

    @overload
    def start(self, names: str | Machine) -> Machine: ...

    @overload
    def start(
        self,
        names: Names | None = None,
        *,
        fleet: str | None = None,
        group: str | None = None,
        labels: Labels | None = None,
    ) -> Outcomes[Machine]: ...

    def start(
        self,
        names: str | Machine | Names | None = None,
        *,
        fleet: str | None = None,
        group: str | None = None,
        labels: Labels | None = None,
    ) -> Machine | Outcomes[Machine]:
        """Bring machines to Running, each with a verified endpoint; already running is success.

        Raises:
            DriverError: the driver cannot start anything.
            PymachineError: a step failed; `start` again goes on.
        """
        from machine.operations.lifecycle import start

        def action(machine: Machine) -> Machine:
            return start(self._store, machine, self._driver_of(machine), self._settings())

        return self._each(names, action, fleet, group, labels)

    @overload
    def stop(self, names: str | Machine) -> Machine: ...

    @overload
    def stop(
        self,
        names: Names | None = None,
        *,
        fleet: str | None = None,
        group: str | None = None,
        labels: Labels | None = None,
    ) -> Outcomes[Machine]: ...

    def stop(
        self,
        names: str | Machine | Names | None = None,
        *,
        fleet: str | None = None,
        group: str | None = None,
        labels: Labels | None = None,
    ) -> Machine | Outcomes[Machine]:
        """Shut machines down in order; already stopped is success.

        Raises:
            DriverError: the driver cannot stop anything.
            PymachineError: it did not stop.
        """
        from machine.operations.lifecycle import stop

        def action(machine: Machine) -> Machine:
            return stop(self._store, machine, self._driver_of(machine), self._settings())

        return self._each(names, action, fleet, group, labels)

    @overload
    def kill(self, names: str | Machine) -> Machine: ...

    @overload
    def kill(
        self,
        names: Names | None = None,
        *,
        fleet: str | None = None,
        group: str | None = None,
        labels: Labels | None = None,
    ) -> Outcomes[Machine]: ...

    def kill(
        self,
        names: str | Machine | Names | None = None,
        *,
        fleet: str | None = None,
        group: str | None = None,
        labels: Labels | None = None,
    ) -> Machine | Outcomes[Machine]:
        """Stop machines at once, as a power cut would.

        Raises:
            DriverError, PymachineError: as `stop`.
        """
        from machine.operations.lifecycle import stop

        def action(machine: Machine) -> Machine:
            return stop(self._store, machine, self._driver_of(machine), self._settings(), at_once=True)

        return self._each(names, action, fleet, group, labels)

    @overload
    def restart(self, names: str | Machine) -> Machine: ...

    @overload
    def restart(
        self,
        names: Names | None = None,
        *,
        fleet: str | None = None,
        group: str | None = None,
        labels: Labels | None = None,
    ) -> Outcomes[Machine]: ...

    def restart(
        self,
        names: str | Machine | Names | None = None,
        *,
        fleet: str | None = None,
        group: str | None = None,
        labels: Labels | None = None,
    ) -> Machine | Outcomes[Machine]:
        """Restart the hosts of machines, by the driver or, where only the host itself can do it, from inside.

        Raises:
            DriverError: neither can.
            PymachineError: a step failed; `restart` again goes on.
        """
        from machine.operations.lifecycle import restart

        def action(machine: Machine) -> Machine:
            return restart(self._store, machine, self._driver_of(machine), self._settings())

        return self._each(names, action, fleet, group, labels)

    @overload
    def provision(self, names: str | Machine, *, take_port: bool = False) -> Machine: ...

    @overload
    def provision(
        self,
        names: Names | None = None,
        *,
        fleet: str | None = None,
        group: str | None = None,
        labels: Labels | None = None,
        take_port: bool = False,
    ) -> Outcomes[Machine]: ...

    def provision(
        self,
        names: str | Machine | Names | None = None,
        *,
        fleet: str | None = None,
        group: str | None = None,
        labels: Labels | None = None,
        take_port: bool = False,
    ) -> Machine | Outcomes[Machine]:
        """Make hosts as wanted once more: agent, certificate, engine settings. What is as wanted is left alone.

        Args:
            take_port: where the engine has a TLS endpoint of its own at our port, let it leave that, and take it.

        Raises:
            ConsentNeeded: an engine would have to be changed and restarted, and `ask_consent` did not agree.
            DriverError: there is no host.
            NotRunning: it is recorded as stopped.
            PymachineError: a step failed; `provision` again goes on.
        """
        from machine.operations.lifecycle import provision

        def action(machine: Machine) -> Machine:
            driver = self._driver_of(machine)
            return provision(self._store, machine, driver, self._settings(), take_port=take_port)

        return self._each(names, action, fleet, group, labels)

    @overload
    def upgrade(self, names: str | Machine) -> Upgraded: ...

    @overload
    def upgrade(
        self,
        names: Names | None = None,
        *,
        fleet: str | None = None,
        group: str | None = None,
        labels: Labels | None = None,
    ) -> Outcomes[Upgraded]: ...

    def upgrade(
        self,
        names: str | Machine | Names | None = None,
        *,
        fleet: str | None = None,
        group: str | None = None,
        labels: Labels | None = None,
    ) -> Upgraded | Outcomes[Upgraded]:
        """Upgrade engines to the newest version that their hosts' package sources have; a stopped machine is started.

        Containers stop while their engine restarts, unless its live-restore is on.

        Returns:
            Which version became which: ``before``, ``after``, ``changed``.

        Raises:
            DriverError: there is no host.
            PymachineError: a step failed; `upgrade` again goes on.
        """
        from machine.operations.upgrade import upgrade

        def action(machine: Machine) -> Upgraded:
            return upgrade(self._store, machine, self._driver_of(machine), self._settings())[1]

        return self._each(names, action, fleet, group, labels)

    @overload
    def regenerate_certs(self, names: str | Machine, *, client_certs: bool = False) -> Machine: ...

    @overload
    def regenerate_certs(
        self,
        names: Names | None = None,
        *,
        fleet: str | None = None,
        group: str | None = None,
        labels: Labels | None = None,
        client_certs: bool = False,
    ) -> Outcomes[Machine]: ...

    def regenerate_certs(
        self,
        names: str | Machine | Names | None = None,
        *,
        fleet: str | None = None,
        group: str | None = None,
        labels: Labels | None = None,
        client_certs: bool = False,
    ) -> Machine | Outcomes[Machine]:
        """Give machines new server certificates; neither the engine nor the agent is restarted.

        Args:
            client_certs: make new client certificates, too: an engine's clients must read them anew.

        Raises:
            DriverError: the endpoint is somebody else's.
            NotRunning: it is recorded as stopped.
            PymachineError: a step failed; doing it again goes on.
        """
        from machine.operations.certificates import regenerate

        def action(machine: Machine) -> Machine:
            driver = self._driver_of(machine)
            return regenerate(self._store, machine, driver, self._settings(), client=client_certs)

        return self._each(names, action, fleet, group, labels)

    @overload
    def allow(self, names: str | Machine, *, networks: Sequence[str] = ()) -> list[str]: ...

    @overload
    def allow(
        self,
        names: Names | None = None,
        *,
        fleet: str | None = None,
        group: str | None = None,
        labels: Labels | None = None,
        networks: Sequence[str] = (),
    ) -> Outcomes[list[str]]: ...

    def allow(
        self,
        names: str | Machine | Names | None = None,
        *,
        fleet: str | None = None,
        group: str | None = None,
        labels: Labels | None = None,
        networks: Sequence[str] = (),
    ) -> list[str] | Outcomes[list[str]]:
        """Let networks reach the SSH and the endpoint of machines whose firewall is the provider's.

        Who was let in before still is.

        Args:
            networks: ``203.0.113.7``, ``203.0.113.0/24``; none: the address that this computer has now.

        Returns:
            The networks that are let in by this.

        Raises:
            UsageError: one that is no network.
            DriverError: the driver has no say in that.
            NotRunning: it has no instance yet.
        """
        import ipaddress

        from machine.operations.allow import allow

        for network in networks:
            try:
                ipaddress.ip_network(network)
            except ValueError as error:
                raise UsageError(f"{network!r} is not a network such as 203.0.113.0/24 ({error})") from error

        def action(machine: Machine) -> list[str]:
            return allow(self._store, machine, self._driver_of(machine), self._settings(), networks=networks)

        return self._each(names, action, fleet, group, labels)

    def resize(self, name: str | Machine, changes: Mapping[str, Any]) -> Machine:
        """Change what a stopped machine runs on; `start` brings it back.

        Args:
            changes: options of its driver, of those that it can change: ``{"instance_type": "t3.large"}``.

        Raises:
            UsageError: none, or one that cannot be changed.
            DriverError: it is not stopped, or the driver cannot resize.
        """
        from machine.operations.resize import resize

        def action(machine: Machine) -> Machine:
            return resize(self._store, machine, self._driver_of(machine), self._settings(), changes=changes)

        return self.for_each(name, action)

    @overload
    def rm(self, names: str | Machine, *, force: bool = False, keep_agent: bool = False) -> bool: ...

    @overload
    def rm(
        self,
        names: Names | None = None,
        *,
        fleet: str | None = None,
        group: str | None = None,
        labels: Labels | None = None,
        force: bool = False,
        keep_agent: bool = False,
    ) -> Outcomes[bool]: ...

    def rm(
        self,
        names: str | Machine | Names | None = None,
        *,
        fleet: str | None = None,
        group: str | None = None,
        labels: Labels | None = None,
        force: bool = False,
        keep_agent: bool = False,
    ) -> bool | Outcomes[bool]:
        """Remove machines, with everything that was made for them. Nobody is asked.

        Args:
            force: also when the host or the provider does not answer; what may be left is recorded for `gc`.
            keep_agent: leave the agent on a host that stays (generic).

        Returns:
            True: everything is gone. False: ``force`` has left something.

        Raises:
            PymachineError: something could not be removed; the record is kept, and says what still exists.
        """
        from machine.operations.absent import any_driver_of, driver_of
        from machine.operations.remove import remove

        find = any_driver_of if force else driver_of

        def action(machine: Machine) -> bool:
            driver = find(self._store, machine)
            return remove(self._store, machine, driver, self._settings(), force=force, keep_agent=keep_agent)

        return self._each(names, action, fleet, group, labels)
