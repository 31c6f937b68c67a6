"""A clean root: a minimal Debian of this machine's release in a folder."""

import os
import shutil
import stat
import subprocess

from live import check
from live.netns import enter, run

# A package manager and running programs leave files behind here.
ELSEWHERE = ("/dev", "/proc", "/run", "/sys", "/tmp", "/var/cache",
             "/var/lib/apt", "/var/lib/collectd", "/var/lib/dpkg", "/var/log",
             "/var/tmp", "/etc/ld.so.cache")
# The part of apt's configuration that says how it gets to the archive.
ACCESS = ("Acquire::http", "Acquire::https", "Acquire::Check", "Acquire::Retries")


def release():
    """This machine's, by its code name; None: it is no Debian."""
    try:
        with open("/etc/os-release", encoding="utf-8") as f:
            rows = dict(line.rstrip("\n").split("=", 1) for line in f
                        if "=" in line)
    except OSError:
        return None
    return rows.get("VERSION_CODENAME") if rows.get("ID") == "debian" else None


def archive(name):
    """The lines of a sources.list, as apt here has them."""
    out = run("apt-get", "indextargets", "--format",
              "$(CODENAME) $(RELEASE) $(REPO_URI) $(COMPONENT)",
              "Created-By: Packages", "Origin: Debian")
    rows = [line.split() for line in out.splitlines()]
    return ["deb %s %s %s" % (uri, suite, part)
            for code, suite, uri, part in rows if code.split("-")[0] == name]


def access():
    text = run("apt-config", "dump", "Acquire")
    return "".join(line + "\n" for line in text.splitlines()
                   if line.startswith(ACCESS))


class Root:
    def __init__(self, folder):
        self.folder = folder

    def __enter__(self):
        name = release()
        sources = archive(name) if name else []
        if not sources:
            check.skip("no clean root: apt knows of no archive of this "
                       "machine's Debian (%s)" % name)
        options = self.folder + ".conf"
        with open(options, "w", encoding="utf-8") as f:
            f.write(access())
        # Its mounts are gone with it, also if it is killed.
        made = subprocess.run(
            ["unshare", "--mount", "--pid", "--fork", "--kill-child",
             "mmdebstrap", "--quiet", "--mode", "root", "--variant", "minbase",
             "--aptopt", options, name, self.folder, *sources], check=False,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if made.returncode:
            check.skip("no clean root: mmdebstrap: " + made.stdout[-800:])
        for name in ("resolv.conf", "hosts"):
            shutil.copy("/etc/" + name, self.path("/etc/" + name))
        # As systemd makes it at the start.
        os.symlink("/proc/self/mounts", self.path("/etc/mtab"))
        # No daemon is started but by this test.
        self.write("/usr/sbin/policy-rc.d", "#!/bin/sh\nexit 101\n", 0o755)
        self.run("apt-get", "update", "-q")
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.folder, ignore_errors=True)

    def path(self, path):
        return self.folder + path

    def read(self, path):
        with open(self.path(path), encoding="utf-8") as f:
            return f.read()

    def write(self, path, text, mode=0o644):
        os.makedirs(os.path.dirname(self.path(path)), exist_ok=True)
        with open(self.path(path), "w", encoding="utf-8") as f:
            f.write(text)
        os.chmod(self.path(path), mode)

    def exists(self, path):
        return os.path.lexists(self.path(path))

    def command(self, *words, namespace=None, alone=False):
        """The words of a command in this root; `alone`: nothing that it started
        is left when it ends."""
        return [*(enter(namespace) if namespace else ()), "unshare", "--mount",
                *(("--pid", "--fork", "--kill-child") if alone else ()), "sh",
                "-c", 'mount -t proc proc "$0/proc" && mount -t sysfs -o ro '
                'sysfs "$0/sys" && exec chroot "$0" "$@"', self.folder, *words]

    def result(self, *words, **more):
        """Exit status and output."""
        done = subprocess.run(
            self.command(*words, alone=True, **more), check=False, text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, env={
                "PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C",
                "DEBIAN_FRONTEND": "noninteractive"})
        return done.returncode, done.stdout

    def run(self, *words):
        """Its output; it has to succeed."""
        code, out = self.result(*words)
        if code:
            raise RuntimeError("%s: %d: %s" % (" ".join(words), code,
                                               out[-2000:]))
        return out

    def apt(self, *words):
        return self.run("apt-get", "-yq", *words)

    def tree(self):
        """{path: (mode, owner, size or target)} of what is in it."""
        out = {}
        for folder, folders, names in os.walk(self.folder):
            here = folder[len(self.folder):]
            folders[:] = [n for n in folders if here + "/" + n not in ELSEWHERE]
            for path in (here + "/" + n for n in folders + names):
                st = os.lstat(self.path(path))
                if path not in ELSEWHERE:
                    out[path] = (oct(st.st_mode), st.st_uid, st.st_gid,
                                 os.readlink(self.path(path))
                                 if stat.S_ISLNK(st.st_mode) else
                                 st.st_size if stat.S_ISREG(st.st_mode) else 0)
        return out
