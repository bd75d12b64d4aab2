"""Training and running the network: the only package that knows skorch."""
