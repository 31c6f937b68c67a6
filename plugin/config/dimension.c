#include "config/dimension.h"

const char *dimension_name(enum dimension d) {
  static const char *const name[DIMENSION_COUNT] = {
      [DIMENSION_REMOTE_ADDRESS] = "remote-address",
      [DIMENSION_REMOTE_NETWORK] = "remote-network",
      [DIMENSION_REMOTE_PORT] = "remote-port",
      [DIMENSION_LOCAL_ADDRESS] = "local-address",
      [DIMENSION_LOCAL_PORT] = "local-port",
      [DIMENSION_INTERFACE] = "interface",
      [DIMENSION_UID] = "uid",
      [DIMENSION_CGROUP] = "cgroup",
      [DIMENSION_CONGESTION] = "congestion",
      [DIMENSION_DIRECTION] = "direction",
  };
  return name[d];
}
