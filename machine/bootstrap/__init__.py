"""The operator's half of the agent: build the zipapp, stream it over one SSH channel, speak its JSON lines."""
