# SPDX-License-Identifier: Apache-2.0
# Toolchain of the compiler in PyPI's ziglang, for any target: cmake -DCMAKE_TOOLCHAIN_FILE=native/zig.cmake
# -DZIG=.../ziglang/zig -DZIG_TARGET=aarch64-linux-musl. native/test/cross.py calls it.
if(CMAKE_C_COMPILER_ID)  # read once more, after the platform's own rules
  set(CMAKE_SHARED_MODULE_CREATE_C_FLAGS -shared)  # zig 0.17 crashes on macOS' -bundle
  return()
endif()
set(CMAKE_TRY_COMPILE_PLATFORM_VARIABLES ZIG ZIG_TARGET)
set(CMAKE_TRY_COMPILE_TARGET_TYPE STATIC_LIBRARY)  # linked without optimisation, zig would build its runtime once more
if(ZIG_TARGET MATCHES "windows")
  set(CMAKE_SYSTEM_NAME Windows)
elseif(ZIG_TARGET MATCHES "macos")
  set(CMAKE_SYSTEM_NAME Darwin)
  set(CMAKE_INSTALL_NAME_TOOL ${CMAKE_COMMAND})  # asked for, not used: nothing is installed
  set(CMAKE_OSX_SYSROOT "")
  set(CMAKE_USER_MAKE_RULES_OVERRIDE ${CMAKE_CURRENT_LIST_FILE})
else()
  set(CMAKE_SYSTEM_NAME Linux)
endif()
string(REGEX MATCH "^[^-]+" CMAKE_SYSTEM_PROCESSOR ${ZIG_TARGET})
set(CMAKE_C_COMPILER ${ZIG} cc -target ${ZIG_TARGET})
