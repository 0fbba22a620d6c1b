"""The Badgr API sandbox: a server of its own that knows only HTTP and its own store."""
