"""Where machines are remembered. Deliberately empty: the hot path imports ``machine.store.location`` through it."""
