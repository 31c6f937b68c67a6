"""The modules of tcpinfo-top. Data flow in one direction:

    unixsock -> cache -> health -> row -> table -> text_output | screen
                                   row -> json_output
"""
