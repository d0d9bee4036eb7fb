# distal_install(): what `cmake --install build/release --prefix P` puts under P.
#   bin/distal, lib/libdistal.so            found from each other, wherever P is moved to
#   include/distal/room/file.h              cmake/public_headers.cmake
#   lib/cmake/distal/distalConfig.cmake     find_package(distal), target distal::distal
#   bin/distal_conformance                  the promises of the families, for methods in a plugin
# LibTorch and OpenVINO are looked for in P/lib/distal, then where this build found them. The
# component `bundle`, which is installed only by name, copies them to P/lib/distal: 500 MB, and P
# runs on another machine with the Debian packages.
include(CMakePackageConfigHelpers)
include(${CMAKE_CURRENT_LIST_DIR}/public_headers.cmake)

function(distal_install)
  cmake_path(GET TORCH_LIBRARY PARENT_PATH torch)
  set(run_path $ORIGIN/distal ${torch})
  if(OpenVINO_FOUND)
    get_target_property(openvino openvino::runtime IMPORTED_LOCATION_RELEASE)
    cmake_path(GET openvino PARENT_PATH openvino)
    list(APPEND run_path ${openvino})
  endif()
  set_target_properties(distal_library PROPERTIES INSTALL_RPATH "${run_path}")
  list(TRANSFORM run_path REPLACE "^.ORIGIN" "$ORIGIN/../lib")
  set_target_properties(distal PROPERTIES INSTALL_RPATH "$ORIGIN/../lib;${run_path}")

  target_include_directories(distal_library INTERFACE $<INSTALL_INTERFACE:include>)
  target_compile_features(distal_library INTERFACE cxx_std_20)
  install(TARGETS distal RUNTIME DESTINATION bin)
  install(TARGETS distal_library EXPORT distalTargets LIBRARY DESTINATION lib)
  foreach(header ${DISTAL_PUBLIC_HEADERS} ${DISTAL_PUBLIC_HEADERS_INCLUDED} ${DISTAL_SUITES}
          ${DISTAL_SUITES_INCLUDED})
    cmake_path(GET header PARENT_PATH room)
    set(folder ${PROJECT_SOURCE_DIR}/src)
    if(header STREQUAL base/abi.h)
      set(folder ${DISTAL_WRITTEN})
    endif()
    install(FILES ${folder}/distal/${header} DESTINATION include/distal/${room})
  endforeach()

  configure_package_config_file(cmake/distalConfig.cmake.in ${CMAKE_BINARY_DIR}/distalConfig.cmake
    INSTALL_DESTINATION lib/cmake/distal)
  write_basic_package_version_file(${CMAKE_BINARY_DIR}/distalConfigVersion.cmake
    COMPATIBILITY SameMinorVersion)
  install(FILES ${CMAKE_BINARY_DIR}/distalConfig.cmake ${CMAKE_BINARY_DIR}/distalConfigVersion.cmake
          DESTINATION lib/cmake/distal)
  install(EXPORT distalTargets NAMESPACE distal:: DESTINATION lib/cmake/distal)

  file(GLOB bundled ${torch}/libtorch.so ${torch}/libtorch_cpu.so ${torch}/libc10.so
       ${torch}/libgomp*.so*)
  if(OpenVINO_FOUND)
    file(GLOB engines ${openvino}/libopenvino.so* ${openvino}/libopenvino_intel_cpu_plugin.so
         ${openvino}/libopenvino_onnx_frontend.so* ${openvino}/libopenvino_ir_frontend.so*
         ${openvino}/libtbb*.so* ${openvino}/libhwloc.so*)
    list(APPEND bundled ${engines})
  endif()
  install(FILES ${bundled} DESTINATION lib/distal COMPONENT bundle EXCLUDE_FROM_ALL)
endfunction()
