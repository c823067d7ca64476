"""systemctl as converge uses it: remembers in one file, and reports as the agent's service would. ROOT VERSION CODE …"""

import json
import os
import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[3]))

from machine.agent.identity_digest import identity_digest

SOCKET, SERVICE = "pymachine-agent.socket", "pymachine-agent.service"
WANTS = {SOCKET: "sockets.target.wants", SERVICE: "multi-user.target.wants"}

root, version, docker = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
arguments = [argument for argument in sys.argv[4:] if argument not in ("-q", "--now")]
units, memory = root / "etc/systemd/system", root / "systemd.json"


def changed_at(name: str) -> int:
    return (units / name).stat().st_mtime_ns if (units / name).exists() else 0


def status() -> str:
    """What the service says when it starts or reloads: what is on disk now."""
    own = root / "var/lib/pymachine-agent"
    owner = json.loads((own / "state.json").read_text())["owner"]
    pems = (own / "cert.pem").read_bytes(), (own / "ca.pem").read_bytes()
    identity = identity_digest(*pems, owner["store"], owner["machine"])
    unit = re.search(r"--unit=(\w+)", (units / SERVICE).read_text())
    agent = Path(os.readlink(own / "current")).name
    return f"agent {agent[:16]} identity {identity[:16]} unit {unit[1] if unit else ''}"


def show(name: str) -> None:
    fresh = state["loaded"].get(name, 0) == changed_at(name)
    print(f"Id={name}\nActiveState={'active' if state['active'].get(name) else 'inactive'}")
    print(f"NeedDaemonReload={'no' if fresh else 'yes'}\nStatusText={state['status'] if name == SERVICE else ''}\n")


state = {"active": {}, "loaded": {}, "status": "", "calls": []}
if memory.exists():
    state = json.loads(memory.read_text())
state["calls"].append(arguments)
verb, names, code = arguments[0], arguments[1:], 0
if verb == "--version":
    print(f"systemd {version} (fake)")
elif verb == "show":
    for name in names[2:]:
        show(name)
elif verb == "daemon-reload":
    state["loaded"] = {name: changed_at(name) for name in WANTS}
elif verb in ("enable", "disable"):
    for name in names:
        link = units / WANTS[name] / name
        link.unlink(missing_ok=True)
        if verb == "enable":
            link.parent.mkdir(exist_ok=True)
            link.symlink_to(f"../{name}")
        else:
            state["active"][name] = False
elif verb == "stop":
    for name in names:
        state["active"][name] = False
elif verb in ("start", "restart", "reload"):
    for name in names:
        if name == "docker.service":
            code = docker
            continue
        state["active"][name] = True
        if name == SERVICE:
            state["status"] = status()
memory.write_text(json.dumps(state))
sys.exit(code)
