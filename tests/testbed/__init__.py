"""Real hosts for tests, made on this computer by the nspawn driver, and what tests compare before and after.

host       make_host: a booted Debian system that pymachine has not touched inside
snapshot   what a host's file system is like, to compare
leftovers  what of pymachine is on this computer
fixtures   all of it for pytest
"""
