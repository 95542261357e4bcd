"""The pages people use: rendered on the server, readable without script."""
