"""What the live tests share: network namespaces, traffic, ss, collectd."""
