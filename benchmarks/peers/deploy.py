"""pyinfra's share: a file, a unit, daemon-reload and restart, wait for the port. Run by pyinfra, not by us."""

# mypy: disable-error-code="import-not-found"

from pyinfra import host
from pyinfra.operations import files, server, systemd

files.put(name="file", src=host.data.payload, dest="/opt/peer/server.py", mode="644")
files.put(name="unit", src=host.data.unit, dest="/etc/systemd/system/peer.service", mode="644")
systemd.service(name="service", service="peer", running=True, restarted=True, enabled=True, daemon_reload=True)
wait = f"for n in $(seq 500); do : </dev/tcp/127.0.0.1/{host.data.port} && exit; sleep 0.02; done; exit 1"
server.shell(name="port", commands=[f"bash -c '{wait}' 2>/dev/null"])
