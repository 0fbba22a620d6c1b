"""The event queue: one port, several brokers."""
