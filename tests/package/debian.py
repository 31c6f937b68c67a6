"""The .deb as it lies there: lintian, what it needs, what is in it."""

import os
import re
import shutil
import subprocess
import tempfile

import contents
from live import check
from live.netns import run

NAME = "collectd-plugin-tcpinfo"
MODULE = "/usr/lib/collectd/tcpinfo.so"
CONFIGURATION = "/etc/collectd/collectd.conf.d/tcpinfo.conf"
DOCUMENTS = "/usr/share/doc/" + NAME


def field(deb, name):
    return run("dpkg-deb", "-f", deb, name).strip()


def lintian(deb):
    done = subprocess.run(
        ["lintian", "--fail-on", "error,warning", "--show-overrides", deb],
        check=False, text=True, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE)
    check.equal("lintian: errors, warnings, overrides",
                (done.returncode, done.stdout), (0, ""))


def needs(deb):
    check.equal("name", field(deb, "Package"), NAME)
    depends = field(deb, "Depends").split(", ")
    for need in (r"collectd-core \(>= 5\.12\)", r"collectd-core \(<< 6\)",
                 r"libc6 \(>= .*\)", r"libmnl0 \(>= .*\)"):
        check.true("needs " + need,
                   any(re.fullmatch(need, d) for d in depends))
    check.equal("recommends", field(deb, "Recommends"), "collectd")


def look(deb):
    lintian(deb)
    needs(deb)
    with tempfile.TemporaryDirectory(dir=os.path.dirname(deb)) as top:
        run("dpkg-deb", "-R", deb, top)
        control = os.path.join(top, "DEBIAN")
        check.equal("conffiles", contents.read(
            os.path.join(control, "conffiles")), CONFIGURATION + "\n")
        check.equal("control files", sorted(os.listdir(control)),
                    ["conffiles", "control", "md5sums", "postinst", "postrm",
                     "preinst"])
        shutil.rmtree(control)
        contents.look(top, MODULE, 0o644, CONFIGURATION,
                      DOCUMENTS, [DOCUMENTS + "/changelog.gz",
                                  DOCUMENTS + "/copyright"])
        check.true("the changelog begins with this version", contents.read(
            top + DOCUMENTS + "/changelog.gz").startswith(
                "%s (%s) " % (NAME, field(deb, "Version"))))


def newer(deb, folder):
    """Path of the same package as a later version, with a comment more in its
    configuration."""
    with tempfile.TemporaryDirectory(dir=folder) as top:
        run("dpkg-deb", "-R", deb, top)
        control = os.path.join(top, "DEBIAN", "control")
        text = contents.read(control)
        with open(control, "w", encoding="utf-8") as f:
            f.write(re.sub(r"(?m)^Version: (.*)$", r"Version: \1+later", text))
        with open(top + CONFIGURATION, "a", encoding="utf-8") as f:
            f.write("# Of a later version.\n")
        out = os.path.join(folder, "later.deb")
        run("dpkg-deb", "--root-owner-group", "-b", top, out)
    return out
