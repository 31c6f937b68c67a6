"""The parts of tcpinfo-top. Data flow one way:

    unixsock -> cache -> health -> row -> table | document -> paper | screen
"""
