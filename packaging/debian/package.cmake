# The .deb. Its version has no Debian revision: it is a native package, made from
# the project's own source.
set(name collectd-plugin-tcpinfo)
set(documents usr/share/doc/${name})
set(scripts ${CMAKE_CURRENT_LIST_DIR})

package(deb MODULE usr/lib/collectd MODE ${readable} DOCUMENTS ${documents}
        CONFIGURATION etc/collectd/collectd.conf.d)
install(FILES ${here}/changelog.gz DESTINATION ${documents}
        COMPONENT deb EXCLUDE_FROM_ALL)
install(FILES ${PROJECT_SOURCE_DIR}/LICENSE RENAME copyright
        DESTINATION ${documents} COMPONENT deb EXCLUDE_FROM_ALL)

set(CPACK_DEBIAN_PACKAGE_NAME ${name})
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION utils)
set(CPACK_DEBIAN_PACKAGE_DEPENDS
    "collectd-core (>= 5.12), collectd-core (<< 6)")
if(EXISTS ${top})
  string(APPEND CPACK_DEBIAN_PACKAGE_DEPENDS ", python3:any")
endif()
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
# collectd-core contains no configuration; collectd does.
set(CPACK_DEBIAN_PACKAGE_RECOMMENDS collectd)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA
    ${scripts}/conffiles ${scripts}/preinst ${scripts}/postinst
    ${scripts}/postrm)
