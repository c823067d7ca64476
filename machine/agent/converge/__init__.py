"""`converge`: make the host as wanted, and nothing more. `flow` is the order of things; each step looks first.

Every step can be repeated and interrupted at any line. What was done is not remembered but looked at (files, the
service's own report of what it runs); remembered, in state.json, is only what cannot be seen: whose host this is, and
what we added to it.
"""
