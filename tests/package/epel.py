"""The .rpm: what it needs, what is in it; installed, used and removed in a
clean root of Debian, where its places are named in the configuration that EPEL's
collectd has."""

import os
import re
import shutil
import subprocess
import tempfile

import contents
import unit
from live import check
from live.netns import run
from unit import Unit

NAME = "collectd-tcpinfo"
MODULE = "/usr/lib64/collectd/tcpinfo.so"
CONFIGURATION = "/etc/collectd.d/tcpinfo.conf"
DOCUMENTS = "/usr/share/doc/" + NAME
LICENSE = "/usr/share/licenses/%s/LICENSE" % NAME
SAVED = "/etc/collectd.d/.tcpinfo.conf.rpmsave"
MAIN = "/etc/collectd.conf"
DATABASE = "/var/lib/rpm"
# EL 9 has this version.
GLIBC = (2, 34)


def query(rpm, *words):
    return run("rpm", "-qp", *words, rpm).split("\n")[:-1]


def needs(rpm):
    requires = query(rpm, "--requires")
    for need in ("collectd >= 5.12", "collectd < 6", "libmnl.so.0()(64bit)"):
        check.true("needs " + need, need in requires)
    versions = [tuple(map(int, v.split("."))) for v in re.findall(
        r"libc\.so\.6\(GLIBC_([\d.]+)\)", " ".join(requires))]
    check.true("needs no later glibc than EL 9 has", versions and
               max(versions) <= GLIBC, max(versions, default=None))


def look(rpm):
    needs(rpm)
    check.equal("configuration files", query(rpm, "--configfiles"),
                [CONFIGURATION])
    check.equal("licence", query(rpm, "--licensefiles"), [LICENSE])
    name, version = query(rpm, "--queryformat", "%{NAME}\n%{VERSION}-%{RELEASE}\n")
    check.equal("name", name, NAME)
    check.true("the changelog begins with this version",
               query(rpm, "--changelog")[0].endswith(" - " + version))
    with tempfile.TemporaryDirectory(dir=os.path.dirname(rpm)) as top:
        cpio = subprocess.run(["rpm2cpio", rpm], check=True,
                              stdout=subprocess.PIPE).stdout
        subprocess.run(["cpio", "-idm", "--quiet"], check=True, cwd=top,
                       input=cpio)
        contents.look(top, MODULE, 0o755, CONFIGURATION, DOCUMENTS, [LICENSE])


def rpm_in(root, *words):
    """Without dependencies: rpm knows none of Debian's packages."""
    return run("rpm", "--root", root.folder, "--dbpath", DATABASE,
               "--force-debian", "--nodeps", *words)


def prepare(root):
    """Makes what EPEL's collectd brings."""
    for folder in (MODULE, CONFIGURATION, LICENSE):
        folder = os.path.dirname(folder).replace("/" + NAME, "")
        os.makedirs(root.path(folder), exist_ok=True)
    root.write(MAIN, 'Interval 0.5\n%sPluginDir "%s"\nInclude "%s"\n' % (
        unit.CONFIGURATION, os.path.dirname(MODULE),
        os.path.dirname(CONFIGURATION)))


def use(root, rpm, there):
    check.say("--- the .rpm")
    prepare(root)
    before = root.tree()
    rpm_in(root, "-i", rpm)
    text = root.read(CONFIGURATION)
    root.write(CONFIGURATION, text.replace("\n#LoadPlugin tcpinfo\n",
                                           "\nLoadPlugin tcpinfo\n"))
    edited = root.read(CONFIGURATION)
    check.true("one line taken in", len(edited) == len(text) - 1)
    options = ("-C", MAIN)
    with Unit(root, there.namespace, unit.UPSTREAM, options) as daemon:
        there.reported(daemon)
        check.equal("exit status", daemon.end(), 0)
    rpm_in(root, "-U", "--replacepkgs", rpm)
    check.true("installed again: the edited configuration",
               root.read(CONFIGURATION) == edited)
    rpm_in(root, "-e", NAME)
    check.true("erased: the edited configuration, put aside",
               root.read(SAVED) == edited)
    check.equal("collectd -T", root.result("collectd", "-T", *options)[0], 0)
    os.unlink(root.path(SAVED))
    shutil.rmtree(root.path(DATABASE))
    after = root.tree()
    check.equal("files changed or left", sorted(
        p for p in {**before, **after} if before.get(p) != after.get(p)), [])
