"""``agent.pyz serve``: read the options, become nobody if we are not yet, and serve."""

from __future__ import annotations

import gc
import hashlib
import os
import sys

from machine.agent.serve import systemd
from machine.agent.serve.identity import Source, Unusable
from machine.agent.serve.log import ERROR, log
from machine.agent.serve.server import Server, bind

_OPTIONS = {
    "--directory": "/var/lib/pymachine-agent",  # certificate, CA, state.json
    "--key": "",  # the private key; else what systemd hands us, else the directory's
    "--engine": "/run/docker.sock",
    "--listen": "",  # HOST:PORT; else the sockets systemd hands us
    "--unit": "-",  # what the unit file says of itself
    "--drop-to-group": "",  # started as root: become nobody, in this group
}
_NOBODY = 65534


def serve(arguments: list[str]) -> int:
    """Serve until told to stop; the exit code."""
    options = dict(_OPTIONS)
    for argument in arguments:
        name, equals, value = argument.partition("=")
        if name not in options or not equals:
            sys.stderr.write(f"serve: unknown option {argument}; known: {' '.join(_OPTIONS)}\n")
            return 64
        options[name] = value
    key = options["--key"]
    if not key:
        held = os.environ.get("CREDENTIALS_DIRECTORY")
        key = os.path.join(held or options["--directory"], "key.pem")
    source = Source(options["--directory"], key)
    try:
        if options["--drop-to-group"]:
            source.keep_key()
            _become_nobody(int(options["--drop-to-group"]))
            source.unlock_key()
        listeners = bind(options["--listen"]) if options["--listen"] else systemd.listeners()
        if not listeners:
            sys.stderr.write("serve: no socket from systemd, and no --listen=HOST:PORT\n")
            return 64
        server = Server(source, listeners, options["--engine"], _own_digest(), options["--unit"])
    except (OSError, Unusable) as error:
        log(ERROR, f"cannot serve: {error}")
        return 1
    if not sys.stderr.isatty():
        os.set_blocking(2, False)  # a stuck journal must not stop the loop
    gc.collect()
    gc.freeze()  # what start-up made lives as long as we do
    server.run()
    return 0


def _become_nobody(group: int) -> None:
    os.setgroups([])
    os.setresgid(group, group, group)
    os.setresuid(_NOBODY, _NOBODY, _NOBODY)


def _own_digest() -> str:
    """SHA-256 of the zipapp that is running; "" when it is not one."""
    try:
        with open(sys.argv[0], "rb") as file:
            return hashlib.sha256(file.read()).hexdigest()
    except OSError:
        return ""
