"""The daemon floor runs everything: the command, the daemon's loops, HTTP, the pages. Here objects meet."""
