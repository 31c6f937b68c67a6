"""Shared by the live tests: network namespaces, traffic, ss, collectd."""
