"""pymachine: any cloud account, hypervisor or box with SSH becomes a secured container host.

Importing this package imports nothing else: the command's start-up time is the user's.
"""
