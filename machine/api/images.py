"""Images with engine and agent inside, from which machines are ready sooner: ``bake``, ``bake ls`` and ``bake rm``."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from machine.api.making import Making
from machine.driver import Baked, Driver, load_driver
from machine.errors import UsageError

if TYPE_CHECKING:
    from machine.operations.bake import Image, Images
    from machine.operations.createmany import Plan

__all__ = ["Baking", "Image", "Images", "Plan"]

BAKE_TIMEOUT = 1800.0  # seconds: a provider takes minutes to copy a disk
_NOTHING: Mapping[str, Any] = MappingProxyType({})


class Baking(Making):
    """See `machine.Client`."""

    def bake(
        self,
        name: str = "default",
        *,
        driver: str | None = None,
        options: Mapping[str, Any] = _NOTHING,
        engine: Mapping[str, Any] = _NOTHING,
    ) -> Baked:
        """Make an image with engine and agent inside, and no keys, from a temporary machine.

        One that was interrupted goes on when it is repeated; with nothing said but the name, as it was begun. Each of
        its three parts has the client's timeout; where none was said, 1800 s.

        Args:
            driver: who makes the host; None: as ``MACHINE_DRIVER`` or the configuration say.
            options, engine: of the temporary machine, as for `create`; of the engine only its origin is taken.

        Raises:
            UsageError: a name or an option that cannot be meant, or no driver.
            PreCheckFailed: its driver makes none, or can make none here.
            NameTaken: it was begun with other options, or a machine of yours has the temporary one's name.
            PymachineError: a step failed; what was made is recorded: `bake` goes on, and `rm` cleans up.
        """
        return self.bake_planned(self.bake_plan(name, driver=driver, options=options, engine=engine))

    def bake_plan(
        self,
        name: str,
        *,
        driver: str | Driver | None = None,
        options: Mapping[str, Any] = _NOTHING,
        engine: Mapping[str, Any] = _NOTHING,
    ) -> Plan:
        """The temporary machine that `bake` would make: as it is said, or as it was begun where nothing is said.

        Raises:
            UsageError, UnknownDriver, PreCheckFailed, NameTaken: as `bake`.
        """
        from machine.operations.account import kept_credentials
        from machine.operations.bake import begun, check_name, temporary
        from machine.operations.createmany import Plan
        from machine.operations.wanted import again, wanted

        check_name(name)
        there = begun(self._store, name)
        if there is not None and not (driver or options or engine):
            used = load_driver(there.spec.driver)
            this = again(there.spec, used, kept_credentials(self._store.files(there.name)))
            return Plan(this.spec, used, this.options, resumed=True)
        used = self.choose_provider(driver) if driver is None or isinstance(driver, str) else driver
        this = wanted(name, used, options, self._config(), engine=engine)
        return Plan(temporary(this.spec, name), used, this.options)

    def half_baked(self, name: str) -> bool:
        """Whether an image of this name was begun and not finished.

        Raises:
            UsageError: no image can be called so.
            NameTaken: a machine of yours has the temporary one's name.
        """
        from machine.operations.bake import begun, check_name

        check_name(name)
        return begun(self._store, name) is not None

    def bake_planned(self, plan: Plan) -> Baked:
        """Make the image of a plan.

        Raises:
            PreCheckFailed, NameTaken, PymachineError: as `bake`.
        """
        from machine.operations.bake import bake

        return bake(self._store, plan, self._settings(timeout=BAKE_TIMEOUT))

    def bake_ls(self) -> Images:
        """Every image of this store, in every account that it ever used: ``found``, the newest first, and ``silent``,
        a line for each provider that could not be asked.
        """
        from machine.operations.bake import images

        return images(self._store, load_driver)

    def bake_rm(self, image: Image) -> None:
        """Remove one of those that `bake_ls` found; already gone is success.

        Raises:
            PymachineError: it is still there, or part of it is: that part is an orphan, which `gc` finds.
        """
        from machine.operations.bake import unbake

        unbake(image, load_driver, self._settings())

    def choose_provider(self, driver: str | None) -> Driver:
        """The driver that a name means, as `choose`, where this computer itself is no choice.

        Raises:
            UsageError: none is said anywhere.
            UnknownDriver, PreCheckFailed: as `choose`.
        """
        from machine.compat.names import meant_driver
        from machine.driver import driver_names
        from machine.operations.wanted import default_driver

        meant = meant_driver(driver or default_driver(self._config()), driver_names())
        if meant.driver is None:
            raise UsageError("who makes the host is not said", hint="-d DRIVER: pymachine bake -d aws")
        return load_driver(meant.driver)
