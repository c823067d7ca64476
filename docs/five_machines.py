"""Five machines, a container on each, and away again: python five_machines.py busybox.tar"""

import sys

import docker
import machine

with machine.Client() as client:
    made = client.create_many("five", 5)
    try:
        for each in made.raise_first().results:
            engine = docker.from_env(environment=client.env(each))
            engine.api.import_image_from_file(sys.argv[1], repository="busybox")
            print(each.name, "says", engine.containers.run("busybox", ["echo", "hello"], remove=True).decode().strip())
    finally:
        client.rm(["five-*"]).raise_first()
