"""Docker's own package repositories, and the one key whose signature is believed: data, and nothing else.

The fingerprint is the one Docker publishes on docs.docker.com/engine/install; it has been the same since 2017.
"""

from __future__ import annotations

_DOCKER = "9DC858229FC7DD38854AE2D88D81803C0EBFCD88"

# The distribution's ID in /etc/os-release -> where its packages are, and the fingerprint of the key.
DOCKER = {
    "debian": ("https://download.docker.com/linux/debian", _DOCKER),
    "ubuntu": ("https://download.docker.com/linux/ubuntu", _DOCKER),
}
KEY_NAME = "gpg"  # the key's file, below the repository
COMPONENT = "stable"
PACKAGE = "docker-ce"
KEYRING = "/etc/apt/keyrings/pymachine-docker.gpg"  # where we write it, and which source believes it
SOURCE = "/etc/apt/sources.list.d/pymachine-docker.sources"
CLIENT = "docker-ce-cli"  # kept at the engine's version where the repository has it
