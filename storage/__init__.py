"""The storage floor talks to PostgreSQL: one module a table group, statements beside the functions that run them."""
