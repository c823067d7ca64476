"""What docker-machine says, to the letter, where scripts look for it: data, and the choice between the two wordings.

From its commands/commands.go, libmachine/host/host.go and libmachine/mcnerror, release 0.16.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from dataclasses import dataclass

from machine.errors import PreCheckFailed, PymachineError
from machine.program import DROP_IN, NAME, is_drop_in

NOT_RUNNING = "Host is not running"
CHECKING = "Error checking TLS connection"  # by env
CONNECTING = "Error running connection boilerplate"  # by config
NEW_ADDRESSES = "{} machines may have new IP addresses. You may need to re-run the `docker-machine env` command."
UP = "Docker is up and running!"
HOW_TO_CONNECT = (
    "To see how to connect your Docker Client to the Docker Engine running on this virtual machine, run: {} env {}"
)
NO_SWARM = "classic Swarm is gone; Swarm mode is in the engine: docker swarm init"
NOT_REMOVED = 'Error removing host "{}": {}'
NO_DRIVER = 'Driver "{}" not found. Do you have the plugin binary accessible in your PATH?'
REMOVING = "WARNING: This action will delete both local reference and remote instance."


@dataclass(frozen=True, slots=True)
class Verb:
    """How docker-machine speaks of something it does with a machine."""

    begins: str  # 'Starting "web"...'
    done: str  # 'Machine "web" was started.'; empty: it says nothing
    already: str  # the state in which it refuses: 'Machine "web" is already running.'; empty: it never does
    afterwards: str = ""


VERBS = {
    "start": Verb('Starting "{}"...', 'Machine "{}" was started.', "Running", NEW_ADDRESSES.format("Started")),
    "stop": Verb('Stopping "{}"...', 'Machine "{}" was stopped.', "Stopped"),
    "kill": Verb('Killing "{}"...', 'Machine "{}" was killed.', "Stopped"),
    "restart": Verb('Restarting "{}"...', "", "", NEW_ADDRESSES.format("Restarted")),
}

# By an error's slug; {} is the machine's name.
_ERRORS = {
    "machine-not-found": 'Docker machine "{}" does not exist. Use "docker-machine ls" to list machines. '
    'Use "docker-machine create" to add a new one.',
    "name-taken": 'Docker machine "{}" already exists',
    "invalid-name": "Error creating machine: Invalid hostname specified. Allowed hostname chars are: 0-9a-zA-Z . -",
}
# It says "Error: " before these, and nothing before the others.
_SAYS_ERROR = (
    "Expected no machine name",
    "Expected to get one",
    "Expected one machine name",
    "Unknown shell",
    "Cannot run SSH command",
    "Too many arguments",
    "No machine name specified",
)
_NO_NAME = 'Error: No machine name(s) specified and no "default" machine exists'
_UNKNOWN_DRIVER = re.compile(r'no driver "([^"]*)"')
_OUR_COMMAND = re.compile(rf"\b{NAME} (?=[a-z-])")


def worded(error: PymachineError) -> str:
    """An error's first line as docker-machine has it, where it has one; else our own."""
    if error.slug == "machine-not-found" and error.machine is None:
        return _NO_NAME
    if unknown := _UNKNOWN_DRIVER.fullmatch(error.message):
        return NO_DRIVER.format(unknown[1])
    words = _ERRORS.get(error.slug)
    if words is not None:
        return words.format(error.machine)
    return f"Error: {error.message}" if error.message.startswith(_SAYS_ERROR) else error.message


@contextlib.contextmanager
def pre_check() -> Iterator[None]:
    """Around a create: what its pre-check finds is worded as docker-machine has it, under its name."""
    try:
        yield
    except PreCheckFailed as error:
        if is_drop_in():
            error.message = f'Error with pre-create check: "{error.message}"'
        raise


def renamed(text: str) -> str:
    """A text that names commands of ours, for somebody who knows them by the other name."""
    return _OUR_COMMAND.sub(f"{DROP_IN} ", text)
