"""Plugins of the whole test run; fixtures are in tests/conftest.py."""

pytest_plugins = ["tests.support.skips"]
