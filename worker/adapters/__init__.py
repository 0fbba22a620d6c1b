"""Everything that touches the outside: databases, queues, providers, shared limits."""
