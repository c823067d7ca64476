"""What `make bench` measures: each case beside its limit or its peer, in the same run, in turns.

A bar is a ratio to something that this very computer does at the same time, so that it means the same on a slow
machine, and on one that others use too. `docs/benchmarks.md` says what each row means.

__main__   the command line and the table
row        one row of the table, and when it is over its bar
timing     medians of things done in turns
lab        the host, the store and the clients that the cases share; all of it is removed at the end
hosts      many hosts for the cases about fleets
usage      what a command takes while it runs
creation, startup, endpoint, agent, fleet, scale    the cases
peers, bare.sh, read_and_format, simulation    what they run
"""
