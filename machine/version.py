"""The version of this distribution; its own file, so that the build and the start-up path read nothing else."""

VERSION = "0.1.0"
