# CUDA, NCCL and the CUDA half of LibTorch, for COTERIE_CUDA. No find_package(Torch): its scripts ask for parts of the
# toolkit that nothing here uses. What is built starts, and computes on the CPU, where no driver is.

if(NOT DEFINED CMAKE_CUDA_ARCHITECTURES AND "$ENV{CUDAARCHS}" STREQUAL "")
  set(CMAKE_CUDA_ARCHITECTURES 80-real 90 CACHE STRING "GPUs to compile for: A100, and H100 and later")
endif()
enable_language(CUDA)
# CMake 3.25 does not know that nvcc has C++20, the standard of the project's targets.
if(NOT CMAKE_CUDA20_STANDARD_COMPILE_OPTION)
  set(CMAKE_CUDA20_STANDARD_COMPILE_OPTION "-std=c++20")
  set(CMAKE_CUDA20_EXTENSION_COMPILE_OPTION "-std=c++20")
endif()
find_package(CUDAToolkit 13 REQUIRED)
# The one runtime is the shared one that LibTorch loads, named below.
set(CMAKE_CUDA_RUNTIME_LIBRARY None)

if(NOT "${COTERIE_TORCH_LIB_DIR}" STREQUAL "${COTERIE_CUDA_TORCH_BEFORE}")
  foreach(name TORCH_CUDA C10_CUDA CUDART NCCL NCCL_INCLUDE)
    unset(COTERIE_${name} CACHE)
  endforeach()
  set(COTERIE_CUDA_TORCH_BEFORE "${COTERIE_TORCH_LIB_DIR}" CACHE INTERNAL "What the five above were found with")
endif()
# A wheel's NVIDIA libraries lie beside it; a LibTorch archive brings its own, except for NCCL's header.
set(nvidia "${COTERIE_TORCH_LIB_DIR}/../../nvidia")
set(cuda_places "${COTERIE_TORCH_LIB_DIR}" "${nvidia}/cu13/lib" "${nvidia}/nccl/lib")
find_library(COTERIE_TORCH_CUDA torch_cuda PATHS "${COTERIE_TORCH_LIB_DIR}" NO_DEFAULT_PATH REQUIRED)
find_library(COTERIE_C10_CUDA c10_cuda PATHS "${COTERIE_TORCH_LIB_DIR}" NO_DEFAULT_PATH REQUIRED)
# By their full names: the wheels have no development links, and whatever torch loads is the right one.
find_library(COTERIE_CUDART NAMES libcudart.so.13 PATHS ${cuda_places} NO_DEFAULT_PATH REQUIRED)
find_library(COTERIE_NCCL NAMES libnccl.so.2 PATHS ${cuda_places} NO_DEFAULT_PATH REQUIRED)
find_path(COTERIE_NCCL_INCLUDE nccl.h HINTS "${nvidia}/nccl/include" ${CUDAToolkit_INCLUDE_DIRS} REQUIRED)
file(STRINGS "${COTERIE_NCCL_INCLUDE}/nccl.h" nccl_lines REGEX "#define NCCL_(MAJOR|MINOR|PATCH) ")
string(REGEX REPLACE "[^;]*_(MAJOR|MINOR|PATCH) ([0-9]+)[^;]*" "\\2" nccl_numbers "${nccl_lines}")
list(JOIN nccl_numbers "." COTERIE_NCCL_VERSION)

# For C++ sources that speak to the GPU: headers and libraries. The linker would drop libtorch_cuda, whose kernels
# register themselves and are never named.
add_library(coterie_cuda INTERFACE)
target_include_directories(coterie_cuda SYSTEM INTERFACE ${CUDAToolkit_INCLUDE_DIRS} "${COTERIE_NCCL_INCLUDE}")
target_link_libraries(coterie_cuda INTERFACE coterie_torch
  "-Wl,--no-as-needed,${COTERIE_TORCH_CUDA},${COTERIE_C10_CUDA},--as-needed" "${COTERIE_NCCL}" "${COTERIE_CUDART}")

# All tests with the label gpu.
add_custom_target(coterie_gpu_tests)

# What the library of a CUDA target is compiled with: kernels in .cu files see neither torch nor its flags, so that nvcc
# takes seconds. Functions that are constexpr are compiled for both sides: the CPU's tests run the same ones.
function(coterie_use_nvcc target)
  target_include_directories(${target} PRIVATE "${PROJECT_SOURCE_DIR}" "${PROJECT_SOURCE_DIR}/src")
  target_compile_options(${target} PRIVATE --expt-relaxed-constexpr -Xcompiler=-Wall,-Wextra,-Wshadow
    $<$<BOOL:${COTERIE_WERROR}>:-Werror=all-warnings>)
endfunction()
