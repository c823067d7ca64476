"""Restarting a host that has no provider: it is asked over SSH, and has done so when it has another boot id."""

from __future__ import annotations

from machine.driver import Driver
from machine.errors import BootstrapFailed, DeadlineExceeded, HostUnreachable
from machine.model import Machine
from machine.operations.hostconnection import connect_to_host
from machine.operations.operation import Operation

_BOOT_ID = "cat /proc/sys/kernel/random/boot_id"
# In the background and a moment later, so that the answer still arrives.
_REBOOT = "sh -c '(sleep 0.2; systemctl reboot) >/dev/null 2>&1 </dev/null &'"


def reboot_host(op: Operation, machine: Machine, driver: Driver) -> None:
    """Reboot the host and wait until it is back.

    Raises:
        BootstrapFailed: it may not be rebooted by this account.
        DeadlineExceeded: it did not come back; ``cause`` is what was last seen.
    """
    with op.step("reboot") as step:
        connection = connect_to_host(op, step, machine, driver.capabilities, patient=False)
        before = connection.run(_BOOT_ID, op.deadline).stdout.decode("ascii", "replace").strip()
        sudo = "" if connection.user == "root" else "sudo -n "
        op.fence()
        asked = connection.run(sudo + _REBOOT, op.deadline)
        if asked.exit_status != 0:
            raise BootstrapFailed(
                "the host refuses to reboot",
                code="sudo",
                cause=asked.stderr.decode("utf-8", "replace").strip()[-300:] or None,
                hint="the account needs root, or sudo without a password",
            )
        step.progress("the host goes down")
        connection.close()

    with op.step("return") as step:

        def back() -> None:
            with connect_to_host(op, step, machine, driver.capabilities, patient=False) as fresh:
                now = fresh.run(_BOOT_ID, op.deadline).stdout.decode("ascii", "replace").strip()
            if not now or now == before:
                raise HostUnreachable("the host has not gone down yet", layer="port")

        def retryable(error: Exception) -> bool:
            return isinstance(error, HostUnreachable)

        try:
            op.deadline.retry(back, retryable=retryable, first=0.1, longest=1.0)
        except HostUnreachable as error:
            raise DeadlineExceeded("the host did not come back", cause=str(error)) from error
        step.summary = "the host is back"
