"""`serve`: the machine's TLS endpoint, in front of the engine. One epoll loop, no thread; see `loop`.

Reading order: `server` accepts, `connection` is one client from handshake to end, `peer` says who it is, `relay` speaks
its HTTP, `tunnel` takes over when a connection is hijacked, `local` answers what is asked of the agent itself.
"""
