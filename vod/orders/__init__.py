"""Orders 点单: what members and branches ask for, until it is delivered and rated."""
