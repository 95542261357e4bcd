"""The door: gather, decide, write and checkpoint in one transaction. Read `desk` first."""
