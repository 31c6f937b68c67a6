"""The reason why nothing can be shown: a line of text and an exit code."""

NO_OUTPUT = 1 # the output cannot be written
NO_ANSWER = 3 # collectd does not answer
NO_VALUES = 4 # collectd has no values of the plugin tcpinfo
NO_SUCH = 5   # no such group or host


class Problem(Exception):
    def __init__(self, code, text):
        super().__init__(text)
        self.code = code
