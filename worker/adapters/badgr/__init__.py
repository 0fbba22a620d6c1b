"""The Badgr API, as a client."""
