"""Real back ends, filled by the real collectd, and asked in their own words."""

import os
import sys

# The tests share what the live tests have: namespaces, traffic, collectd.
sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..",
                             "..", "live"))
