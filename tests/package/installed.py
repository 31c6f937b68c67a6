"""The .deb installed, used and removed with apt, on Debian's collectd with
Debian's configuration."""

import os
import re
import shutil
import time

import debian
import unit
from build import LINK
from debian import CONFIGURATION as CONF, MODULE, NAME
from live import check
from live.daemon import NOBODY
from live.wait import LIMIT
from unit import Unit

HERE = "/var/tmp"
EXTRA = "/etc/collectd/collectd.conf.d/00-test.conf"
RRD = "/var/lib/collectd/rrd/h/tcpinfo-all/count-connections.rrd"
REMOVED = CONF + ".removed"


def status(root):
    """As dpkg has it; None: it does not know the package."""
    code, out = root.result("dpkg-query", "-W", "-f", "${db:Status-Status}",
                            NAME)
    return None if code else out


def plan(root, *options):
    """The packages that apt would install."""
    out = root.apt("--simulate", *options, "install", HERE + "/this.deb")
    return {line.split()[1] for line in out.splitlines()
            if line.startswith("Inst ")}


def apt_brings_collectd(root):
    """Debian's, as it comes."""
    check.equal("apt brings what it needs", plan(
        root, "--no-install-recommends") & {NAME, "collectd-core", "libmnl0"},
        {NAME, "collectd-core", "libmnl0"})
    check.true("apt brings a configuration", "collectd" in plan(root))
    # Not all that the other plugins may use; libmnl0 is used by one that is on.
    root.apt("install", "--no-install-recommends", "collectd", "libmnl0")
    root.apt("satisfy", "--no-install-recommends", debian.field(
        root.path(HERE + "/this.deb"), "Depends"))
    root.write(EXTRA, unit.CONFIGURATION)
    root.run("sed", "-i", "s/^#Interval .*/Interval 0.5/",
             "/etc/collectd/collectd.conf")


def plugins_without_ours(root, namespace, expected=None):
    """The plugins that collectd has values of while this one is off. One that
    is late may have nothing while another one has read often: waits for the
    `expected` ones, or until many reads have brought no other one."""
    with Unit(root, namespace, plugin="users") as daemon:
        since, before = 0, None
        end = time.monotonic() + LIMIT
        while time.monotonic() < end and daemon.plugins() != expected:
            if daemon.plugins() != before:
                since, before = len(daemon.reads()), daemon.plugins()
            elif expected is None and len(daemon.reads()) > since + 20:
                break
            time.sleep(0.1)
        check.equal("exit status", daemon.end(), 0)
        check.true("no word of this plugin in the log",
                   "tcpinfo" not in daemon.log().replace(unit.FOLDER, ""))
        return daemon.plugins()


def enable(root):
    root.run("sed", "-i", "s/^#LoadPlugin tcpinfo$/LoadPlugin tcpinfo/", CONF)
    return root.read(CONF)


def tcpinfo_top_asks_the_daemon(root):
    """tcpinfo-top, if this project has one, asks the daemon that runs."""
    if root.exists(LINK[0]):
        code, out = root.result("tcpinfo-top", "--once", "--socket",
                                unit.SOCKET)
        check.true("tcpinfo-top", code == 0 and re.search(
            r"(?m)^\W*all\b", out), out)


def daemon_reports_as_each_user(root, there):
    for what, capabilities, identity in (
            ("root, as Debian's unit", unit.DEBIAN, None),
            ("root without capabilities, as collectd's own unit",
             unit.UPSTREAM, (0, 0)),
            ("nobody without capabilities", NOBODY, (65534, 0))):
        check.say("--- values: " + what)
        with Unit(root, there.namespace, capabilities) as daemon:
            there.reported(daemon)
            tcpinfo_top_asks_the_daemon(root)
            if identity:
                check.equal("user and capabilities", daemon.identity(),
                            identity)
            else:
                user, has = daemon.identity()
                check.true("root, with capabilities", user == 0 and has,
                           hex(has))
            check.equal("exit status", daemon.end(), 0)
        check.true("and in the files of Debian's own configuration",
                   root.exists(RRD))
        shutil.rmtree(root.path("/var/lib/collectd/rrd"))


def broken_configuration_is_refused(root):
    """collectd's exit status with a mistake in the file."""
    check.say("--- a broken configuration")
    good = root.read(CONF)
    os.mkdir(root.path(unit.FOLDER))
    root.write(CONF, good + "<Plugin tcpinfo>\nNoSuchOption 1\n</Plugin>\n")
    check.equal("collectd -T", root.result("collectd", "-T")[0], 1)
    check.equal("collectd", root.result(
        "timeout", str(LIMIT), "collectd", "-f")[0], 1)
    lines = [line for line in root.read(unit.FOLDER + "/log").splitlines()
             if "tcpinfo: " in line]
    check.true("and says why", lines and all(
        "NoSuchOption" in line and "legal is" in line for line in lines),
        lines[:1])
    # collectd goes on without a file that it cannot parse, and says so.
    root.write(CONF, good + "<Plugin tcpinfo>\n")
    code, out = root.result("collectd", "-T")
    check.true("collectd -T, syntax", code == 0 and
               "Parse error in file `%s'" % CONF in out, out.splitlines()[:1])
    root.write(CONF, good)
    check.equal("collectd -T, as it was", root.result("collectd", "-T")[0], 0)


def upgrade_keeps_the_edited_file(root, there, edited):
    """The edited file stays; the daemon goes on meanwhile."""
    check.say("--- installed again, and as a later version")
    root.apt("install", "--reinstall", HERE + "/this.deb")
    check.true("again: the edited configuration", root.read(CONF) == edited)
    with Unit(root, there.namespace) as daemon:
        there.reported(daemon)
        out = root.apt("-o", "Dpkg::Options::=--force-confold", "install",
                       HERE + "/later.deb")
        check.true("says that collectd has the module before",
                   "until it is restarted" in out)
        check.true("the daemon reads on",
                   daemon.read_after(time.time())[0] > 0)
        check.equal("exit status", daemon.end(), 0)
    check.true("later: the edited configuration", root.read(CONF) == edited)
    check.true("later: its own beside it",
               root.exists(CONF + ".dpkg-dist"))
    with Unit(root, there.namespace) as daemon:
        there.reported(daemon)


def nothing_is_left(root, before):
    check.true("dpkg knows no more of it",
               status(root) in (None, "not-installed"), status(root))
    after = root.tree()
    check.equal("files changed or left", sorted(
        p for p in {**before, **after} if before.get(p) != after.get(p)), [])


def removal_leaves_collectd_as_before(root, there, edited, plugins, before):
    check.say("--- removed")
    root.apt("remove", NAME)
    check.equal("module, configuration, configuration put aside",
                [root.exists(p) for p in (MODULE, CONF, REMOVED)],
                [False, False, True])
    check.equal("collectd is as before", plugins_without_ours(
        root, there.namespace, plugins), plugins)
    root.apt("install", HERE + "/later.deb")
    check.equal("installed again: the edited configuration",
                (root.read(CONF) == edited, root.exists(REMOVED)),
                (True, False))
    check.say("--- purged")
    root.apt("purge", NAME)
    nothing_is_left(root, before)


def unedited_file_is_replaced(root, before):
    """A file that nobody edited is replaced; removed first, purged then."""
    check.say("--- not edited")
    root.apt("install", HERE + "/this.deb")
    root.apt("install", HERE + "/later.deb")
    check.true("the later version's configuration",
               root.read(CONF).endswith("# Of a later version.\n"))
    root.apt("remove", NAME)
    root.apt("purge", NAME)
    nothing_is_left(root, before)


def whole(root, deb, there):
    shutil.copy(deb, root.path(HERE + "/this.deb"))
    shutil.copy(debian.newer(deb, os.path.dirname(deb)),
                root.path(HERE + "/later.deb"))
    check.say("--- Debian's collectd, before")
    apt_brings_collectd(root)
    before = root.tree()
    plugins = plugins_without_ours(root, there.namespace)
    check.true("its plugins", "load" in plugins and "tcpinfo" not in plugins,
               " ".join(plugins))
    check.say("--- installed")
    root.apt("install", HERE + "/this.deb")
    check.equal("status", status(root), "installed")
    check.true("the module", root.exists(MODULE))
    check.equal("collectd is as before", plugins_without_ours(
        root, there.namespace, plugins), plugins)
    edited = enable(root)
    daemon_reports_as_each_user(root, there)
    broken_configuration_is_refused(root)
    upgrade_keeps_the_edited_file(root, there, edited)
    removal_leaves_collectd_as_before(root, there, edited, plugins, before)
    unedited_file_is_replaced(root, before)
