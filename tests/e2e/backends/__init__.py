"""Real backends that store the values of the real collectd, and are queried in
their own query languages."""

import os
import sys

# For the package `live`: network namespaces, traffic, collectd.
sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..",
                             "..", "live"))
