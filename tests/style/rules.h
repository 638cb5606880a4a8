// The rules of layering and form, as functions from a source text to what is wrong with it.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace coterie::test {

/// A source file, named by its path from the root of the project.
struct Source {
  std::string path;
  std::string text;
};

/// The library a path belongs to: `dist` of `dist/mesh.h`, `model` of `src/model/encoder.cpp`, `tests` of anything
/// below `tests`.
[[nodiscard]] std::string layer_of(std::string_view path);

/// Includes that point against the arrows, or that are not written from a root.
[[nodiscard]] std::vector<std::string> layering_problems(const Source& source);

/// Headers of torch, MPI, NCCL, CUDA, HDF5 and toml++ outside the folders that own them.
[[nodiscard]] std::vector<std::string> ownership_problems(const Source& source);

/// Conditional compilation on features.
[[nodiscard]] std::vector<std::string> feature_problems(const Source& source);

/// First line, length of the file, length of the lines.
[[nodiscard]] std::vector<std::string> form_problems(const Source& source);

/// Every C++ and CUDA source below the folders, in the order of their paths.
[[nodiscard]] std::vector<Source> sources_below(const std::filesystem::path& root,
                                                const std::vector<std::string>& folders);

}  // namespace coterie::test
