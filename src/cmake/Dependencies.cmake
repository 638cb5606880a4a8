# Finds every library once and gives each an imported target.

set(MPI_DETERMINE_LIBRARY_VERSION TRUE)
find_package(MPI REQUIRED COMPONENTS C)
# "Open MPI v4.1.4, package: ...": the first part names library and version.
string(REGEX REPLACE ",.*" "" COTERIE_MPI_VERSION "${MPI_C_LIBRARY_VERSION_STRING}")
if(NOT COTERIE_MPI_VERSION)
  set(COTERIE_MPI_VERSION "standard ${MPI_C_VERSION}")
endif()
# Without it Open MPI's header drags in its C++ bindings, and linking fails.
target_compile_definitions(MPI::MPI_C INTERFACE OMPI_SKIP_MPICXX=1 MPICH_SKIP_MPICXX=1)
# More ranks than cores is legal in tests; unbound, or all ranks pile up on the first cores.
set(COTERIE_MPIEXEC_FLAGS --oversubscribe --bind-to none CACHE STRING "Flags of mpiexec in tests (Open MPI's)")

find_package(HDF5 REQUIRED COMPONENTS C)
find_package(OpenSSL REQUIRED COMPONENTS Crypto)
find_package(nlohmann_json 3.11 REQUIRED)
find_package(spdlog REQUIRED)
find_package(CLI11 REQUIRED)
find_package(tomlplusplus REQUIRED)
find_package(Threads REQUIRED)
find_package(OpenMP REQUIRED COMPONENTS CXX)
find_package(PkgConfig REQUIRED)
pkg_check_modules(utf8proc REQUIRED IMPORTED_TARGET libutf8proc)
if(COTERIE_TESTS)
  find_package(GTest REQUIRED)
endif()

# LibTorch without find_package(Torch): that of a CUDA wheel demands a CUDA toolkit even for a CPU program.
if(NOT "${COTERIE_TORCH}" STREQUAL "${COTERIE_TORCH_BEFORE}")
  unset(COTERIE_TORCH_CPU CACHE)
  unset(COTERIE_TORCH_C10 CACHE)
  unset(COTERIE_TORCH_INCLUDE CACHE)
  set(COTERIE_TORCH_BEFORE "${COTERIE_TORCH}" CACHE INTERNAL "What the three above were found with")
endif()
if(COTERIE_TORCH)  # a folder that was asked for is used or refused, never replaced by another
  set(torch_lib_places PATHS "${COTERIE_TORCH}/lib" NO_DEFAULT_PATH)
  set(torch_include_places PATHS "${COTERIE_TORCH}/include" NO_DEFAULT_PATH)
endif()
find_library(COTERIE_TORCH_CPU torch_cpu ${torch_lib_places} REQUIRED)
find_library(COTERIE_TORCH_C10 c10 ${torch_lib_places} REQUIRED)
find_path(COTERIE_TORCH_INCLUDE ATen/ATen.h ${torch_include_places} REQUIRED)
get_filename_component(COTERIE_TORCH_LIB_DIR "${COTERIE_TORCH_CPU}" DIRECTORY)
set(COTERIE_TORCH_VERSION unknown)
set(torch_version_header "${COTERIE_TORCH_INCLUDE}/torch/headeronly/version.h")
if(EXISTS "${torch_version_header}")
  file(STRINGS "${torch_version_header}" torch_version_lines REGEX "#define TORCH_VERSION_(MAJOR|MINOR|PATCH) ")
  string(REGEX REPLACE "[^;]*_(MAJOR|MINOR|PATCH) ([0-9]+)[^;]*" "\\2" torch_version_numbers "${torch_version_lines}")
  list(JOIN torch_version_numbers "." COTERIE_TORCH_VERSION)
endif()
if(NOT COTERIE_TORCH_VERSION MATCHES "^2\\.11\\.[0-9]+$")
  message(FATAL_ERROR "torch: version 2.11 is needed, got ${COTERIE_TORCH_VERSION} (${COTERIE_TORCH_INCLUDE})")
endif()

add_library(coterie_torch INTERFACE)
target_include_directories(coterie_torch SYSTEM INTERFACE
  "${COTERIE_TORCH_INCLUDE}" "${COTERIE_TORCH_INCLUDE}/torch/csrc/api/include")
target_compile_definitions(coterie_torch INTERFACE _GLIBCXX_USE_CXX11_ABI=1)
target_link_libraries(coterie_torch INTERFACE "${COTERIE_TORCH_CPU}" "${COTERIE_TORCH_C10}")
# OpenMP by flags, not by its imported target: that names the compiler's libgomp beside LibTorch's, and CMake warns.
target_compile_options(coterie_torch INTERFACE ${OpenMP_CXX_FLAGS})
target_link_options(coterie_torch INTERFACE ${OpenMP_CXX_FLAGS})

if(COTERIE_CUDA)
  include(Cuda)
endif()

set(torch_headers <ATen/ATen.h> <torch/csrc/autograd/custom_function.h> <torch/csrc/autograd/autograd.h>)
coterie_add_pch(coterie_pch LINKS coterie_torch HEADERS ${torch_headers})
