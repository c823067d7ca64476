"""The limit of `ls --recorded`: read a store's machines with sqlite3, format a line for each, print. No pymachine.

It prints to stderr how many seconds that took, the interpreter's own start not included.
"""

import sqlite3
import sys
import time

begun = time.perf_counter()
db = sqlite3.connect(f"file:{sys.argv[1]}?mode=ro", uri=True)
rows = db.execute("SELECT name, driver, state, state_at, url, engine, error FROM machines ORDER BY name").fetchall()
now = time.time()
lines = [
    f"{name:<16} {driver:<10} {state} ({now - at:.0f}s ago)   {url or '':<28} {engine or '':<18} {error or ''}\n"
    for name, driver, state, at, url, engine, error in rows
]
sys.stdout.write("".join(lines))
sys.stdout.flush()
sys.stderr.write(f"{time.perf_counter() - begun}")
