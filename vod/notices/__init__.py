"""Notices 组工动态: the weekly bulletin of the centre."""
