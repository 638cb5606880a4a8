# Finds every library once and gives each an imported target.

find_package(MPI REQUIRED COMPONENTS C)
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
find_library(COTERIE_TORCH_CPU torch_cpu HINTS "${COTERIE_TORCH}/lib" REQUIRED)
find_library(COTERIE_TORCH_C10 c10 HINTS "${COTERIE_TORCH}/lib" REQUIRED)
find_path(COTERIE_TORCH_INCLUDE ATen/ATen.h HINTS "${COTERIE_TORCH}/include" REQUIRED)
get_filename_component(COTERIE_TORCH_LIB_DIR "${COTERIE_TORCH_CPU}" DIRECTORY)
file(STRINGS "${COTERIE_TORCH_INCLUDE}/torch/headeronly/version.h" torch_version_line
  REGEX "#define TORCH_VERSION \"")
string(REGEX REPLACE ".*\"(.*)\".*" "\\1" COTERIE_TORCH_VERSION "${torch_version_line}")

add_library(coterie_torch INTERFACE)
target_include_directories(coterie_torch SYSTEM INTERFACE
  "${COTERIE_TORCH_INCLUDE}" "${COTERIE_TORCH_INCLUDE}/torch/csrc/api/include")
target_compile_definitions(coterie_torch INTERFACE _GLIBCXX_USE_CXX11_ABI=1)
target_link_libraries(coterie_torch INTERFACE "${COTERIE_TORCH_CPU}" "${COTERIE_TORCH_C10}" OpenMP::OpenMP_CXX)

if(COTERIE_PCH)
  file(WRITE "${CMAKE_BINARY_DIR}/pch.cpp" "// Holds the precompiled torch headers.\n")
  add_library(coterie_pch OBJECT "${CMAKE_BINARY_DIR}/pch.cpp")
  target_link_libraries(coterie_pch PUBLIC coterie_flags coterie_torch)
  target_precompile_headers(coterie_pch PRIVATE
    <ATen/ATen.h> <torch/csrc/autograd/custom_function.h> <torch/csrc/autograd/autograd.h>)
endif()
