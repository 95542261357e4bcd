"""Connectors talk to providers: they fetch and receive, verify and read, and know nothing of our database."""
