/* The dimensions of `By`. */
#ifndef TCPINFO_CONFIG_DIMENSION_H
#define TCPINFO_CONFIG_DIMENSION_H

enum dimension {
  DIMENSION_REMOTE_ADDRESS,
  DIMENSION_REMOTE_NETWORK,
  DIMENSION_REMOTE_PORT,
  DIMENSION_LOCAL_ADDRESS,
  DIMENSION_LOCAL_PORT,
  DIMENSION_INTERFACE,
  DIMENSION_UID,
  DIMENSION_CGROUP,
  DIMENSION_CONGESTION,
  DIMENSION_DIRECTION,
  DIMENSION_COUNT,
};

/* As written in the configuration: "remote-address" ... */
const char *dimension_name(enum dimension d);

#endif
