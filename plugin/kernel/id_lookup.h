/* The numbers of things that the configuration names: network devices, cgroups,
 * services, the range of local ports. name_lookup.h finds names by numbers.
 *
 * Each look-up writes to `id` only if it returns ID_FOUND. All but that of a
 * service read what the kernel has in memory, and may be made in a read. */
#ifndef TCPINFO_KERNEL_ID_LOOKUP_H
#define TCPINFO_KERNEL_ID_LOOKUP_H

#include <stdint.h>

enum id_lookup {
  ID_FOUND,
  ID_ABSENT, /* nothing has the name */
  ID_FAILED, /* not known: the look-up itself failed */
};

typedef enum id_lookup id_lookup_fn(const char *name, uint64_t *id);

/* The index of a network device in the caller's network namespace. */
id_lookup_fn id_lookup_device;

/* The id of the cgroup v2 with that folder, a path from id_lookup_path(). */
id_lookup_fn id_lookup_cgroup;

/* The lowest port of net.ipv4.ip_local_port_range times 65536 plus the highest
 * one. `name` is not looked at. */
id_lookup_fn id_lookup_local_ports;

/* The port of a TCP service, 1 to 65535. May ask other hosts, so it is not to
 * be called from a read. ID_ABSENT: all sources were asked, none has it. */
id_lookup_fn id_lookup_service;

/* Returns the folder of the cgroup that `text` names, as ss(8) takes it: the
 * folder itself, or its path within the first cgroup2 file system that is
 * mounted (at /sys/fs/cgroup if there is none yet). Neither needs to exist. To
 * be called at the start: reads /proc/self/mounts and follows the path. The
 * caller frees it; NULL: out of memory. */
char *id_lookup_path(const char *text);

#endif
