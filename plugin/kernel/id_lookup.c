#include "kernel/id_lookup.h"

#include "kernel/proc_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <mntent.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include <linux/magic.h>

/* --- devices -------------------------------------------------------------- */

/* For a name that no device has, SIOCGIFINDEX, and so if_nametoindex(3), runs
 * modprobe if the process may load modules (linux: net/core/dev_ioctl.c,
 * dev_load()). SO_BINDTODEVICE only looks the name up (linux: net/core/sock.c,
 * sock_setbindtodevice()), and neither waits for changes of other devices, as
 * RTM_GETLINK does. */
enum id_lookup id_lookup_device(const char *name, uint64_t *id) {
  struct ifreq request = {.ifr_ifindex = 0};
  size_t length = strlen(name);
  if (length >= sizeof(request.ifr_name))
    return ID_ABSENT;
  memcpy(request.ifr_name, name, length);
  int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0)
    return ID_FAILED;
  /* Before Linux 5.7 a process without CAP_NET_RAW may not bind; it cannot load
   * modules either. */
  int status =
      setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, name, (socklen_t)length);
  if (status == 0 || errno == EPERM)
    status = ioctl(fd, SIOCGIFINDEX, &request);
  bool absent = status != 0 && errno == ENODEV;
  close(fd);
  if (status == 0)
    *id = (uint64_t)request.ifr_ifindex;
  return status == 0 ? ID_FOUND : absent ? ID_ABSENT : ID_FAILED;
}

/* --- cgroups -------------------------------------------------------------- */

static bool is_cgroup2(const char *path) {
  struct statfs fs;
  return statfs(path, &fs) == 0 && fs.f_type == CGROUP2_SUPER_MAGIC;
}

/* The id of a cgroup is the inode number of its folder (linux:
 * kernel/cgroup/cgroup.c, cgroup_id()). */
enum id_lookup id_lookup_cgroup(const char *path, uint64_t *id) {
  struct statfs fs;
  struct stat st;
  if (statfs(path, &fs) != 0 || stat(path, &st) != 0)
    return errno == ENOENT || errno == ENOTDIR || errno == ENODEV ? ID_ABSENT
                                                                  : ID_FAILED;
  if (fs.f_type != CGROUP2_SUPER_MAGIC || !S_ISDIR(st.st_mode))
    return ID_ABSENT;
  *id = st.st_ino;
  return ID_FOUND;
}

static void cgroup_mount(char path[PATH_MAX]) {
  strcpy(path, "/sys/fs/cgroup");
  FILE *mounts = setmntent("/proc/self/mounts", "r");
  if (mounts == NULL)
    return;
  const struct mntent *m = getmntent(mounts);
  while (m != NULL && strcmp(m->mnt_type, "cgroup2") != 0)
    m = getmntent(mounts);
  if (m != NULL && strlen(m->mnt_dir) < PATH_MAX)
    strcpy(path, m->mnt_dir);
  endmntent(mounts);
}

/* True if the path, or else the nearest folder above it that exists, is in a
 * cgroup2 file system. */
static bool leads_to_cgroup2(const char *text) {
  char path[PATH_MAX];
  struct stat st;
  if (snprintf(path, sizeof(path), "%s", text) >= (int)sizeof(path))
    return false;
  while (stat(path, &st) != 0) {
    char *slash = strrchr(path, '/');
    if (slash == NULL || slash == path)
      return false;
    *slash = '\0';
  }
  return is_cgroup2(path);
}

char *id_lookup_path(const char *text) {
  char mount[PATH_MAX], *path;
  cgroup_mount(mount);
  size_t length = strlen(mount);
  bool within = strncmp(text, mount, length) == 0 &&
                (text[length] == '/' || text[length] == '\0');
  if (text[0] == '/' && (within || leads_to_cgroup2(text)))
    return strdup(text);
  text += strspn(text, "/");
  return asprintf(&path, "%s/%s", mount, text) >= 0 ? path : NULL;
}

/* --- ports ---------------------------------------------------------------- */

enum id_lookup id_lookup_local_ports(const char *name, uint64_t *id) {
  (void)name;
  unsigned low, high;
  char *text = NULL;
  int fd = proc_file_open(NULL, "sys/net/ipv4/ip_local_port_range");
  if (fd < 0)
    return ID_FAILED;
  bool known = proc_file_read(fd, &text) >= 0 &&
               sscanf(text, "%u %u", &low, &high) == 2 && low <= high &&
               high <= UINT16_MAX;
  close(fd);
  free(text);
  if (known)
    *id = (uint64_t)low << 16 | high;
  return known ? ID_FOUND : ID_FAILED;
}

enum id_lookup id_lookup_service(const char *name, uint64_t *id) {
  enum { SIZE_FIRST = 1024, SIZE_MAX_TRIED = 1 << 20 };
  struct servent entry, *found = NULL;
  char *buffer = NULL;
  int code = ERANGE;
  for (size_t size = SIZE_FIRST; code == ERANGE && size <= SIZE_MAX_TRIED;
       size *= 2) {
    free(buffer);
    buffer = malloc(size);
    if (buffer == NULL)
      return ID_FAILED;
    code = getservbyname_r(name, "tcp", &entry, buffer, size, &found);
  }
  uint16_t port = 0;
  if (code == 0 && found != NULL)
    port = ntohs((uint16_t)found->s_port);
  free(buffer);
  if (port != 0)
    *id = port;
  return port != 0 ? ID_FOUND : code == 0 ? ID_ABSENT : ID_FAILED;
}
