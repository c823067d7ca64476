"""One connection to one host: connect, run, send. Paramiko lives only here, and is imported only when one is opened."""
