"""The first page: what is live, what comes, what can be watched again."""
