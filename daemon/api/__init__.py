"""The HTTP interface `/api/v1`, one file a resource."""
