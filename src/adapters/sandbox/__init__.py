"""Adapters of the ports in ``domain.ports.sandbox``."""
