# The .rpm.
set(name collectd-tcpinfo)
set(licenses usr/share/licenses/${name})

package(rpm MODULE usr/lib64/collectd MODE ${executable}
        CONFIGURATION etc/collectd.d DOCUMENTS usr/share/doc/${name})
install(FILES ${PROJECT_SOURCE_DIR}/LICENSE DESTINATION ${licenses}
        COMPONENT rpm EXCLUDE_FROM_ALL)

set(CPACK_RPM_PACKAGE_NAME ${name})
set(CPACK_RPM_FILE_NAME RPM-DEFAULT)
set(CPACK_RPM_PACKAGE_SUMMARY "Health of TCP connections, for collectd")
set(CPACK_RPM_PACKAGE_DESCRIPTION "${CPACK_PACKAGE_DESCRIPTION}")
set(CPACK_RPM_PACKAGE_LICENSE MIT)
set(CPACK_RPM_PACKAGE_REQUIRES "collectd >= 5.12, collectd < 6")
set(CPACK_RPM_PACKAGE_AUTOPROV no) # no program links with the module
set(CPACK_RPM_CHANGELOG_FILE ${CMAKE_CURRENT_LIST_DIR}/changelog)
set(CPACK_RPM_POST_UNINSTALL_SCRIPT_FILE ${CMAKE_CURRENT_LIST_DIR}/postun)
set(CPACK_RPM_SPEC_MORE_DEFINE "%define _build_id_links none
%define packager ${TCPINFO_CONTACT}")
set(CPACK_RPM_USER_FILELIST "%config(noreplace) /etc/collectd.d/tcpinfo.conf"
                            "%license /${licenses}/LICENSE")
# Folders that belong to the system or to collectd.
set(CPACK_RPM_EXCLUDE_FROM_AUTO_FILELIST_ADDITION
    /etc/collectd.d /usr/lib64/collectd /usr/share/licenses /usr/share/man
    /usr/share/man/man1 /usr/share/man/man5)
