# cpack reads this file for each generator; it selects the component to pack.
if(CPACK_GENERATOR STREQUAL "DEB")
  set(component deb)
elseif(CPACK_GENERATOR STREQUAL "RPM")
  set(component rpm)
else()
  message(FATAL_ERROR "No paths for cpack -G ${CPACK_GENERATOR}: "
                      "legal is DEB or RPM")
endif()
list(GET CPACK_INSTALL_CMAKE_PROJECTS 0 build)
set(CPACK_INSTALL_CMAKE_PROJECTS ${build} tcpinfo ${component} /)
