"""The packages made as the README says, in a folder of their own; and what a
plain installation still is."""

import glob
import os
import subprocess

from live import check
from live.netns import run

LINK = ("/usr/bin/tcpinfo-top", "../share/tcpinfo/tcpinfo-top")
TOP = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))


def packages(folder):
    """Paths of the .deb and the .rpm."""
    build = os.path.join(folder, "build")
    run("cmake", "-S", TOP, "-B", build, "-DBUILD_TESTING=OFF")
    run("cmake", "--build", build, "--parallel", str(os.cpu_count()))
    out = []
    for generator, kind in (("DEB", "deb"), ("RPM", "rpm")):
        # A package is open to all, whoever makes it.
        run("cpack", "-G", generator, cwd=build, umask=0o077)
        made = glob.glob(os.path.join(build, "*." + kind))
        check.equal("cpack -G %s makes one package" % generator, len(made), 1)
        out += made
    check.say(*map(os.path.basename, out))
    other = subprocess.run(["cpack", "-G", "TGZ"], cwd=build, text=True,
                           check=False, stdout=subprocess.PIPE,
                           stderr=subprocess.STDOUT)
    check.true("another generator is refused", other.returncode != 0 and
               "legal is DEB or RPM" in " ".join(other.stdout.split()))
    return out


def files(top):
    """Paths of files and links below."""
    return sorted(os.path.join(folder, name)[len(top):]
                  for folder, _, names in os.walk(top) for name in names
                  if not folder.endswith("__pycache__"))


def plain_install(folder):
    there = os.path.join(folder, "plain")
    run("cmake", "--install", os.path.join(folder, "build"),
        env=dict(os.environ, DESTDIR=there))
    usr = "/usr/local"
    check.equal("a plain installation", files(there), sorted([
        "/usr/lib/collectd/tcpinfo.so",
        usr + "/bin/tcpinfo-top",
        usr + "/share/doc/tcpinfo/examples/tcpinfo.conf",
        usr + "/share/man/man1/tcpinfo-top.1",
        usr + "/share/man/man5/collectd-tcpinfo.5",
        usr + "/share/tcpinfo/tcpinfo-top",
        *(usr + "/share/tcpinfo/tcpinfo_top" + path for path in
          files(os.path.join(TOP, "contrib", "tcpinfo_top")))]))


def expected(documents):
    """The files of both packages: {path: path in this project}, but for LINK."""
    out = {"/usr/share/man/man5/collectd-tcpinfo.5.gz": "doc/collectd-tcpinfo.5"}
    for here, there in (("conf", documents + "/examples"),
                        ("contrib/dashboards",
                         documents + "/examples/dashboards"),
                        ("contrib/tcpinfo_top",
                         "/usr/share/tcpinfo/tcpinfo_top")):
        for path in files(os.path.join(TOP, here)):
            if not path.startswith("/generate/"): # how the dashboards are made
                out[there + path] = here + path
    for here, there in (("tcpinfo-top", "/usr/share/tcpinfo/tcpinfo-top"),
                        ("tcpinfo-top.1",
                         "/usr/share/man/man1/tcpinfo-top.1.gz")):
        out[there] = "contrib/" + here
    return out
