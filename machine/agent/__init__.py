"""The agent: what runs on a host. It makes the host as wanted (`converge`) and is the machine's TLS endpoint (`serve`).

It travels as one zipapp and runs as ``python3 -I -S agent.pyz`` on Python 3.8 and later, with the standard library and
h11 alone; it imports nothing else of `machine`. Nothing here is imported before it is needed: every module is compiled
anew in each process, because the zipapp carries no byte code.
"""
