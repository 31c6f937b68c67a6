"""The parts of tcpinfo-top. Data flow one way:

    unixsock -> cache -> health -> table | document -> paper | screen
"""
