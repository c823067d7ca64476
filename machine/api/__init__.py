"""pymachine for programs: `machine.Client`, and what it gives back. The commands use nothing else.

A method has the name of the command that does the same, and nothing here prints: events go to a callback, and what goes
wrong is raised, from one tree (`machine.errors`). Each part of the client is in a file of its own, and imports what it
uses when it is used: asking for an address is not to wait for an SSH library. ``docs/api.md`` has an example per use.
"""
