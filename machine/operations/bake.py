"""``bake``: an image with engine and agent, made of a temporary machine that is a machine of the store like another.

So nothing of it can be lost: it is created, and it is removed, as every machine is. While the image is not finished it
belongs to that machine, by the token of its create, and goes with it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass, field

from machine.bootstrap import session
from machine.bootstrap.stub import command as bootstrap_command
from machine.driver import Baked, BakingDriver, Driver
from machine.errors import NameTaken, PreCheckFailed, PymachineError, UsageError
from machine.model import EngineSpec, Machine, Spec, State
from machine.operations.account import Account, account_of, sign_in
from machine.operations.converge import host_events, wanted_document
from machine.operations.create import create
from machine.operations.createmany import Plan
from machine.operations.gc import Collector, accounts
from machine.operations.hostconnection import connect_to_host
from machine.operations.lifecycle import finished
from machine.operations.operation import BAKES, Operation, Settings, command_to_go_on
from machine.operations.remove import remove
from machine.store.store import Store

# Among the sources of a spec, which say where each part of it was said: its name was said by us. A machine that
# somebody called the same by hand is never taken for a temporary one, which is cleaned and removed.
_MARK = ("name", "bake")


@dataclass(frozen=True, slots=True)
class Image:
    """A baked image, and whose account it is in."""

    baked: Baked
    account: Account


@dataclass(frozen=True, slots=True)
class Images:
    """All that were found, and who could not be asked."""

    found: list[Image] = field(default_factory=list)  # the newest first
    silent: list[str] = field(default_factory=list)


def temporary(spec: Spec, name: str) -> Spec:
    """The machine that an image of this name is made of.

    How an engine is set is each machine's own affair: of what was said for it only its origin is taken.
    """
    engine = spec.engine
    plain = EngineSpec(
        source=engine.source, version=engine.version, repository=engine.repository, repository_key=engine.repository_key
    )
    sources = {**spec.sources, _MARK[0]: _MARK[1]}
    return dataclasses.replace(spec, name=BAKES + name, engine=plain, sources=sources)


def begun(store: Store, name: str) -> Machine | None:
    """The temporary machine of an image that was begun and not finished.

    Raises:
        NameTaken: there is a machine of this name that is somebody's.
    """
    found = store.machines.find(BAKES + name)
    if found is not None and found.spec.sources.get(_MARK[0]) != _MARK[1]:
        raise NameTaken(
            f'"{found.name}" is the name of a machine of yours, and would be that of the temporary one',
            machine=found.name,
            hint="choose another name for the image",
        )
    return found


def bake(store: Store, plan: Plan, settings: Settings) -> Baked:
    """Make an image, or go on with one that was begun.

    Args:
        plan: of the temporary machine; its spec is from `temporary`.

    Raises:
        PreCheckFailed: its driver makes none.
        NameTaken: it was begun with other options.
        PymachineError: a step failed; what was made is recorded, ``bake`` again goes on and ``remove`` cleans up.
    """
    name, driver = plan.name.removeprefix(BAKES), plan.driver
    baking = _baking(driver)
    found = begun(store, name)
    if found is not None and not store.history.may_resume_create(found):
        store.journal.check_same_options(plan.spec)
        sign_in(driver, account_of(store, found))
        made = _made_of(store, found, baking)
        if made is not None or _is_spoiled(store, found):
            remove(store, found, driver, settings)
            if made is not None:
                return made
            found = None
    if found is None or store.history.may_resume_create(found):
        try:
            found = create(store, plan.spec, driver, plan.options, settings, keep=plan.keep)
        except PymachineError as error:  # to go on with this create alone would not make an image
            command = command_to_go_on("create", plan.name)
            error.hint = error.hint and error.hint.replace(command, command_to_go_on("bake", plan.name))
            raise
    made = _image(store, found, driver, baking, name, settings)
    remove(store, store.machines.get(found.name), driver, settings)
    return made


def images(store: Store, load: Callable[[str], Driver]) -> Images:
    """Every image of this store, in every account that it ever used."""
    result = Images()
    known: set[tuple[str, str]] = set()
    for name, account in accounts(store, store.orphans.all()):
        try:
            driver = load(name)
            if not isinstance(driver, BakingDriver):
                continue
            sign_in(driver, account)
            for each in driver.baked(store.id):
                if (each.driver, each.id) not in known:  # two accounts may be one, by two names
                    known.add((each.driver, each.id))
                    result.found.append(Image(each, account))
        except PymachineError as error:
            result.silent.append(f"{name}: {error}")
    result.found.sort(key=lambda each: each.baked.made_at, reverse=True)
    return result


def unbake(image: Image, load: Callable[[str], Driver], settings: Settings) -> None:
    """Remove an image; already gone is success.

    Raises:
        PymachineError: it is still there, or part of it is: that part is an orphan, which ``gc`` finds.
    """
    driver = load(image.baked.driver)
    sign_in(driver, image.account)
    _baking(driver).unbake(image.baked.id, Collector(settings))


def check_name(name: str) -> None:
    """
    Raises:
        UsageError: an image cannot be called so.
    """
    from machine.model import valid_name

    if not valid_name(BAKES + name):
        raise UsageError(
            f"an image cannot be called {name!r}",
            hint=f"letters, digits, '-' and '.', at most {63 - len(BAKES)}",
        )


def _baking(driver: Driver) -> BakingDriver:
    if not isinstance(driver, BakingDriver):
        raise PreCheckFailed(f"the driver {driver.name} makes no images", hint="it is for drivers of clouds: -d aws")
    return driver


def _made_of(store: Store, machine: Machine, driver: BakingDriver) -> Baked | None:
    """The finished image of a machine: of an attempt that was cut off before the machine was removed."""
    _, token, _ = store.journal.recorded_instance(machine)
    return next((each for each in driver.baked(store.id) if each.token == token), None)


def _is_spoiled(store: Store, machine: Machine) -> bool:
    """Whether a machine is good for nothing but to be removed.

    That was begun; or its cleaning was, and is not known to have ended: nobody can log in any more to find out. An
    image of a host that is clean perhaps is worth less than the minute that another machine takes.
    """
    timeline = store.history.timeline(machine)
    cleanings = [(operation, step) for operation in timeline for step in operation["Steps"] if step["Name"] == "clean"]
    last = timeline[-1]
    if last["Operation"] == "remove" or not cleanings:
        return bool(last["Operation"] == "remove")
    operation, step = cleanings[-1]
    return bool(operation is not last or step["Status"] != "done")


def _image(
    store: Store, machine: Machine, driver: Driver, baking: BakingDriver, name: str, settings: Settings
) -> Baked:
    instance = finished(store, machine)
    _, token, _ = store.journal.recorded_instance(machine)
    entry = store.journal.begin(machine, "bake")
    with Operation(store, entry, machine.name, "bake", settings) as op:
        if not store.journal.step_done(entry, "clean"):
            with op.step("connect") as step:
                connection = connect_to_host(op, step, machine, driver.capabilities, patient=False)
            with op.step("clean") as step:
                sudo = connection.user != "root"
                wanted = wanted_document(op, machine, connection.user)
                op.fence()
                with connection.open(bootstrap_command(sudo), op.deadline) as channel:
                    session.scrub(channel, wanted, emit=host_events(op, step), sudo=sudo)
                step.summary = "the agent and the engine stay; keys, identity and logs are gone"
        with op.step("instance") as step:
            store.journal.record_state(entry, State.STOPPING)
            driver.stop(instance, step)
        with op.step("image") as step:
            made = baking.bake(instance, name, token, step)
            step.result["image"] = made.id
            step.summary = made.id
        op.finish(State.STOPPED)
    return made
