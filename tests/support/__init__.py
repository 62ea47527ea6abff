"""Helpers that several test suites share: waiting, ports, real servers."""
