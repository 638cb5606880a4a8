# The library coterie::build_info, which knows the commit and the versions of this build.
#
# Included by the root file it defines the target. Run as a script (cmake -DSOURCE=... -DHEADER=... -P) at every build
# it writes the header with the commit, and only if that changed: one small source is compiled, its users are linked.

if(CMAKE_SCRIPT_MODE_FILE)
  set(commit unknown)
  set(dirty false)
  find_program(GIT git)
  # Unpacked inside somebody else's checkout, an archive of the sources would show that one's commit.
  if(GIT AND EXISTS "${SOURCE}/.git")
    execute_process(COMMAND "${GIT}" rev-parse --verify HEAD WORKING_DIRECTORY "${SOURCE}"
      OUTPUT_VARIABLE head RESULT_VARIABLE code OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
    if(code EQUAL 0)
      set(commit "${head}")
      execute_process(COMMAND "${GIT}" --no-optional-locks status --porcelain --untracked-files=no
        WORKING_DIRECTORY "${SOURCE}" OUTPUT_VARIABLE changes ERROR_QUIET)
      if(changes)
        set(dirty true)
      endif()
    endif()
  endif()
  file(CONFIGURE OUTPUT "${HEADER}" @ONLY CONTENT [[
// The commit of this build; written by src/cmake/Version.cmake.
#pragma once

namespace coterie {

inline constexpr char kCommit[] = "@commit@";
inline constexpr bool kDirty = @dirty@;

}  // namespace coterie
]])
  return()
endif()

set(generated "${PROJECT_BINARY_DIR}/generated")
if(COTERIE_SANITIZE)
  set(COTERIE_SANITIZERS "${COTERIE_SANITIZE}")
else()
  set(COTERIE_SANITIZERS none)
endif()
configure_file("${PROJECT_SOURCE_DIR}/src/base/build_info.cpp.in" "${generated}/build_info.cpp" @ONLY)
add_custom_target(coterie_commit
  COMMAND "${CMAKE_COMMAND}" "-DSOURCE=${PROJECT_SOURCE_DIR}" "-DHEADER=${generated}/commit.h"
    -P "${CMAKE_CURRENT_LIST_FILE}"
  BYPRODUCTS "${generated}/commit.h"
  COMMENT "Looking up the commit" VERBATIM)
coterie_add_library(build_info SOURCES "${generated}/build_info.cpp")
target_include_directories(coterie_build_info PRIVATE "${generated}")
add_dependencies(coterie_build_info coterie_commit)
