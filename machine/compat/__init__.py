"""What people and programs know from docker-machine: its templates, its shape of a host, its words for states."""
