"""systemctl as converge uses it: remembers in one file, reports as the agent's service would. ROOT VERSION CODE …

Started some hundred times by the tests, in a bare Python: it imports little.
"""

import json
import os
import sys
import time

sys.path.insert(0, os.path.abspath(os.path.join(__file__, "../../..")))

from machine.agent.identity_digest import identity_digest

SOCKET, SERVICE = "pymachine-agent.socket", "pymachine-agent.service"
WANTS = {SOCKET: "sockets.target.wants", SERVICE: "multi-user.target.wants"}

root, version, docker = sys.argv[1], sys.argv[2], int(sys.argv[3])
arguments = [argument for argument in sys.argv[4:] if argument not in ("-q", "--now")]
units, memory = f"{root}/etc/systemd/system", f"{root}/systemd.json"


def read(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()


def changed_at(name: str) -> int:
    path = f"{units}/{name}"
    return os.stat(path).st_mtime_ns if os.path.exists(path) else 0


def status() -> str:
    """What the service says when it starts or reloads: what is on disk now."""
    own = f"{root}/var/lib/pymachine-agent"
    owner = json.loads(read(f"{own}/state.json"))["owner"]
    identity = identity_digest(read(f"{own}/cert.pem"), read(f"{own}/ca.pem"), owner["store"], owner["machine"])
    unit = read(f"{units}/{SERVICE}").decode().partition("--unit=")[2].split()[0]
    agent = os.path.basename(os.readlink(f"{own}/current"))
    return f"agent {agent[:16]} identity {identity[:16]} unit {unit}"


def show(name: str) -> None:
    fresh = state["loaded"].get(name, 0) == changed_at(name)
    sys.stdout.write(f"Id={name}\nActiveState={'active' if state['active'].get(name) else 'inactive'}\n")
    sys.stdout.write(f"NeedDaemonReload={'no' if fresh else 'yes'}\n")
    sys.stdout.write(f"StatusText={state['status'] if name == SERVICE else ''}\n\n")


def restarted_engine() -> int:
    """It reads its configuration: one with "nonsense" in it will not do; a port that is not in it is left."""
    daemon_json = f"{root}/etc/docker/daemon.json"
    said = read(daemon_json) if os.path.exists(daemon_json) else b""
    if b"nonsense" in said:
        return 1
    holder = f"{root}/dockerd.pid"
    if os.path.exists(holder) and b"tcp://" not in said:
        pid = int(read(holder))
        os.kill(pid, 9)
        # As systemd does, wait for its end: until then the kernel may not have taken its sockets away.
        while os.path.exists(f"/proc/{pid}") and read(f"/proc/{pid}/stat").rpartition(b")")[2].split()[0] != b"Z":
            time.sleep(0.002)
        os.unlink(holder)
    return 0


state = {"active": {}, "loaded": {}, "status": "", "calls": []}
if os.path.exists(memory):
    state = json.loads(read(memory))
state["calls"].append(arguments)
verb, names, code = arguments[0], arguments[1:], 0
if verb == "--version":
    sys.stdout.write(f"systemd {version} (fake)\n")
elif verb == "show":
    for name in names[2:]:
        show(name)
elif verb == "daemon-reload":
    state["loaded"] = {name: changed_at(name) for name in WANTS}
elif verb in ("enable", "disable"):
    for name in names:
        link = f"{units}/{WANTS[name]}/{name}"
        if os.path.islink(link):
            os.unlink(link)
        if verb == "enable":
            os.makedirs(os.path.dirname(link), exist_ok=True)
            os.symlink(f"../{name}", link)
        else:
            state["active"][name] = False
elif verb == "stop":
    for name in names:
        state["active"][name] = False
elif verb in ("start", "restart", "reload"):
    for name in names:
        if name == "docker.service":
            code = docker if verb == "start" else restarted_engine()
            continue
        state["loaded"].setdefault(name, changed_at(name))  # a unit never heard of is read when it is started
        state["active"][name] = True
        if name == SERVICE:
            state["status"] = status()
with open(memory, "w") as file:
    json.dump(state, file)
sys.exit(code)
