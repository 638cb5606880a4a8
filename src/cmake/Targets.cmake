# The functions that every folder's CMakeLists.txt calls: a folder states its files, nothing else.

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_INSTALL_RPATH_USE_LINK_PATH ON)
if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "Build type" FORCE)
endif()
# Linking against libtorch is heavy: one link at a time.
set_property(GLOBAL PROPERTY JOB_POOLS link=1)
set(CMAKE_JOB_POOL_LINK link)

if(COTERIE_SANITIZE MATCHES "thread" AND COTERIE_SANITIZE MATCHES "address")
  message(FATAL_ERROR "COTERIE_SANITIZE: address and thread exclude each other, got '${COTERIE_SANITIZE}'")
endif()

# Standard, warnings, include roots and sanitizers, in one place: a precompiled header is valid only under equal flags.
add_library(coterie_flags INTERFACE)
target_compile_options(coterie_flags INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wnon-virtual-dtor
  $<$<BOOL:${COTERIE_WERROR}>:-Werror>)
target_include_directories(coterie_flags INTERFACE "${PROJECT_SOURCE_DIR}" "${PROJECT_SOURCE_DIR}/src")
if(CMAKE_BUILD_TYPE STREQUAL "Debug")
  target_compile_definitions(coterie_flags INTERFACE _GLIBCXX_ASSERTIONS)
endif()
if(COTERIE_SANITIZE)
  # With sanitizers GCC 12 takes what std::regex moves for uninitialised.
  target_compile_options(coterie_flags INTERFACE -fsanitize=${COTERIE_SANITIZE} -fno-sanitize-recover=all
    -fno-omit-frame-pointer $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized>)
  target_link_options(coterie_flags INTERFACE -fsanitize=${COTERIE_SANITIZE})
endif()

# coterie_add_library(name SOURCES ... DEPS ... [TORCH | CUDA]): the static library coterie_<name>, alias coterie::<name>.
function(coterie_add_library name)
  cmake_parse_arguments(PARSE_ARGV 1 L "TORCH;CUDA" "" "SOURCES;DEPS")
  if(L_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "coterie_add_library(${name}): unknown arguments ${L_UNPARSED_ARGUMENTS}")
  endif()
  add_library(coterie_${name} STATIC ${L_SOURCES})
  add_library(coterie::${name} ALIAS coterie_${name})
  if(L_CUDA)
    coterie_use_nvcc(coterie_${name})
    return()
  endif()
  target_link_libraries(coterie_${name} PUBLIC coterie_flags ${L_DEPS})
  if(L_TORCH)
    coterie_use_torch(coterie_${name})
  endif()
endfunction()

# coterie_add_pch(name LINKS ... HEADERS ...): headers that coterie_use_pch(target name) has precompiled, under equal flags.
function(coterie_add_pch name)
  cmake_parse_arguments(PARSE_ARGV 1 P "" "" "LINKS;HEADERS")
  if(NOT COTERIE_PCH)
    return()
  endif()
  # Not file(WRITE): that touches the file at every configure, and everything precompiled would be built again.
  file(CONFIGURE OUTPUT "${PROJECT_BINARY_DIR}/${name}.cpp" CONTENT "// Holds precompiled headers.\n")
  add_library(${name} OBJECT "${PROJECT_BINARY_DIR}/${name}.cpp")
  target_link_libraries(${name} PUBLIC coterie_flags ${P_LINKS})
  target_precompile_headers(${name} PRIVATE ${P_HEADERS})
endfunction()

function(coterie_use_pch target name)
  if(COTERIE_PCH)
    target_precompile_headers(${target} REUSE_FROM ${name})
  endif()
endfunction()

# Links the torch libraries.
function(coterie_use_torch target)
  target_link_libraries(${target} PUBLIC coterie_torch)
  coterie_use_pch(${target} coterie_pch)
endfunction()

# coterie_add_test(name SOURCES ... DEPS ... [TORCH] [RANKS 1 2 4] [LABELS ...] [TIMEOUT s])
# Without RANKS: one process with gtest's main. With RANKS: once for each number of ranks, under mpiexec.
# What may take longest starts first, so that none runs alone at the end.
function(coterie_add_test name)
  cmake_parse_arguments(PARSE_ARGV 1 T "TORCH" "TIMEOUT" "SOURCES;DEPS;RANKS;LABELS")
  if(T_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "coterie_add_test(${name}): unknown arguments ${T_UNPARSED_ARGUMENTS}")
  endif()
  if(NOT T_TIMEOUT)
    set(T_TIMEOUT 120)
  endif()
  add_executable(${name} ${T_SOURCES})
  target_link_libraries(${name} PRIVATE coterie_test_flags ${T_DEPS})
  if(T_TORCH)
    target_link_libraries(${name} PRIVATE coterie_torch)
    coterie_use_pch(${name} coterie_test_torch_pch)
  else()
    coterie_use_pch(${name} coterie_test_pch)
  endif()
  set(environment
    "COTERIE_SOURCE_DIR=${PROJECT_SOURCE_DIR}" "COTERIE_BINARY=${PROJECT_BINARY_DIR}/coterie"
    "OMP_NUM_THREADS=1"
    "LSAN_OPTIONS=suppressions=${PROJECT_SOURCE_DIR}/src/cmake/leaks.supp:print_suppressions=0"
    "OMPI_ALLOW_RUN_AS_ROOT=1" "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1" "OMPI_MCA_mpi_yield_when_idle=1"
    "OMPI_MCA_btl_vader_single_copy_mechanism=none" "MPIEXEC=${MPIEXEC_EXECUTABLE}")
  if("gpu" IN_LIST T_LABELS)
    add_dependencies(coterie_gpu_tests ${name})
  endif()
  # Open MPI and libtorch leak on their own; what links neither is held to lose nothing.
  coterie_links(${name} coterie_torch torch)
  coterie_links(${name} MPI::MPI_C mpi)
  if(T_RANKS OR torch OR mpi)
    list(APPEND environment "ASAN_OPTIONS=detect_leaks=0")
  endif()
  if(NOT T_RANKS)
    target_link_libraries(${name} PRIVATE coterie_unit_main)
    add_test(NAME ${name} COMMAND ${name})
    set_tests_properties(${name} PROPERTIES TIMEOUT ${T_TIMEOUT} COST ${T_TIMEOUT} SKIP_RETURN_CODE 77
      LABELS "unit;${T_LABELS}" ENVIRONMENT "${environment}")
    return()
  endif()
  target_link_libraries(${name} PRIVATE coterie_mpi_main)
  foreach(n IN LISTS T_RANKS)
    add_test(NAME ${name}.n${n} COMMAND ${MPIEXEC_EXECUTABLE} ${MPIEXEC_NUMPROC_FLAG} ${n}
      ${COTERIE_MPIEXEC_FLAGS} $<TARGET_FILE:${name}>)
    set_tests_properties(${name}.n${n} PROPERTIES PROCESSORS ${n} TIMEOUT ${T_TIMEOUT} COST ${T_TIMEOUT}
      SKIP_RETURN_CODE 77 LABELS "mpi;${T_LABELS}" ENVIRONMENT "${environment}")
  endforeach()
endfunction()

function(coterie_print_summary)
  message(STATUS "coterie ${PROJECT_VERSION}: ${CMAKE_BUILD_TYPE}, ${CMAKE_CXX_COMPILER_ID} ${CMAKE_CXX_COMPILER_VERSION}")
  message(STATUS "  torch ${COTERIE_TORCH_VERSION} (${COTERIE_TORCH_LIB_DIR})")
  message(STATUS "  MPI ${MPI_C_VERSION}, HDF5 ${HDF5_VERSION}, sanitizers '${COTERIE_SANITIZE}', PCH ${COTERIE_PCH}")
  if(COTERIE_CUDA)
    message(STATUS "  CUDA ${CMAKE_CUDA_COMPILER_VERSION} for ${CMAKE_CUDA_ARCHITECTURES}, NCCL ${COTERIE_NCCL_VERSION}")
  endif()
endfunction()
