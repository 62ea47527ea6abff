"""HTTP around the capabilities: application keys, middlewares, pages of lists, OpenAPI."""
