"""The config floor reads ringmail.toml: every setting, its bounds and its default. Nothing else reads configuration."""
