"""Why there is nothing to show; one line for people, one exit code for
programs."""

NO_OUTPUT = 1 # could be written
NO_ANSWER = 3 # from collectd
NO_VALUES = 4 # of the plugin tcpinfo
NO_SUCH = 5   # group or host


class Problem(Exception):
    def __init__(self, code, text):
        super().__init__(text)
        self.code = code
