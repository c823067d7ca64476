"""By hand: a pool of paramiko connections that run what pymachine runs on the hosts, with nothing of it around.

``hand.py FILE`` reads what to send from FILE (`benchmarks.fleet` writes it): per host one connection with a pinned
key, one channel, all that is known beforehand on stdin at once, and the one answer that the host must be given: its
certificate. No store, no journal, no names, no look at the endpoint.
"""

from __future__ import annotations

import base64
import json
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import paramiko

from machine.deadline import Deadline
from machine.ssh.socket import connect
from machine.trust.certificates import Authority, KeyPair, load_authority, sign_server


def main() -> int:
    """The command line."""
    with open(sys.argv[1]) as file:
        given = json.load(file)
    key = paramiko.Ed25519Key.from_private_key_file(given["key"])
    authority = load_authority(KeyPair(given["ca"].encode(), given["ca_key"].encode()))
    with ThreadPoolExecutor(given["workers"]) as pool:
        done = list(pool.map(lambda host: bootstrap(host, given, key, authority), given["hosts"]))
    for name, problem in done:
        if problem:
            print(f"{name}: {problem}", file=sys.stderr)
    return int(any(problem for _, problem in done))


def bootstrap(
    host: dict[str, Any], given: dict[str, Any], key: paramiko.PKey, authority: Authority
) -> tuple[str, str | None]:
    """One host; what went wrong, if anything did."""
    transport = paramiko.Transport(connect(host["address"], 22, Deadline(30)))
    try:
        options = transport.get_security_options()
        options.key_types = tuple(each for each in options.key_types if each == host["key_type"])
        transport.start_client(timeout=30)
        shown = transport.get_remote_server_key()
        if (shown.get_name(), shown.get_base64()) != (host["key_type"], host["key_data"]):
            return host["name"], "another host key"
        transport.auth_publickey("root", key)
        channel = transport.open_session()
        channel.exec_command(given["command"])
        document = json.dumps(host["document"]).encode() + b"\n"
        channel.sendall(base64.b64decode(given["stdin"]) + document)
        for line in channel.makefile("r"):
            said = json.loads(line)
            if "error" in said:
                return host["name"], json.dumps(said["error"])
            if said.get("need") == "certificate":
                signed = sign_server(
                    authority, said["public_key"].encode(), store=host["document"]["store"], machine=host["name"],
                    names=host["names"],
                )  # fmt: skip
                answer = {"certificate": signed.decode(), "ca": given["ca"], "names": host["names"]}
                channel.sendall(json.dumps(answer).encode() + b"\n")
            if "result" in said:
                return host["name"], None
        return host["name"], "it said no result"
    finally:
        transport.sock.shutdown(2)
        transport.close()


if __name__ == "__main__":
    sys.exit(main())
