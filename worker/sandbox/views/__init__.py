"""What stands at each path of the sandbox."""
