"""Who trusts whom: the store's CA, the certificates it signs, SSH keys. Pure functions over bytes, no files."""
