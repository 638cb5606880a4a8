#include "cli/configuration.h"

#include <array>
#include <ctime>
#include <iostream>
#include <thread>

#include "base/build_info.h"
#include "base/error.h"
#include "base/file_ops.h"
#include "base/machine.h"
#include "config/config.h"

namespace coterie::cli {
namespace {

config::Tree tree_of(const std::string& file, const CommandLine& line) {
  return file.empty() ? config::compose(line.settings) : config::compose(file, line.settings);
}

std::string date_text() {
  const std::time_t now = std::time(nullptr);
  std::tm utc{};
  ::gmtime_r(&now, &utc);
  std::array<char, 32> text{};
  std::strftime(text.data(), text.size(), "%Y-%m-%d %H:%M:%S UTC", &utc);
  return text.data();
}

}  // namespace

Configuration configure(const std::string& file, const CommandLine& line) {
  const config::Tree tree = tree_of(file, line);
  const auto options = config::read<train::RunOptions>(tree);
  return {options, config::print(options, tree)};
}

bool print_and_exit(const std::string& file, const CommandLine& line) {
  if (line.help_config) std::cout << config::help<train::RunOptions>();
  if (line.print_config) std::cout << configure(file, line).text;
  return line.help_config || line.print_config;
}

std::string version_text() {
  const BuildInfo& build = build_info();
  return str("coterie ", build.version, "\ncommit ", build.commit, build.dirty ? " (with local changes)" : "",
             "\nbuild ", build.build_type, ", preset ", build.preset, ", sanitizers ", build.sanitizers, "\ncompiler ",
             build.compiler, "\ntorch ", build.torch, "\nmpi ", build.mpi, "\nhdf5 ", build.hdf5, "\n");
}

std::string provenance(const CommandLine& line, int ranks) {
  const BuildInfo& build = build_info();
  return str("# command: ", line.text, "\n# coterie ", build.version, ", commit ", build.commit,
             build.dirty ? " with local changes" : "", ", ", build.build_type, ", preset ", build.preset,
             "\n# compiler ", build.compiler, ", torch ", build.torch, ", mpi ", build.mpi, ", hdf5 ", build.hdf5,
             "\n# ", ranks, ranks == 1 ? " rank on " : " ranks, the first on ", host_name(), " with ",
             std::thread::hardware_concurrency(), " cores (", machine_text(), "), ", date_text(), "\n");
}

void expect_json_writable(const std::string& path) {
  if (!path.empty()) expect_writable(path);
}

void write_json(const std::string& path, const std::string& json) {
  if (path.empty()) return;
  // The file may be standard output, too.
  std::cout.flush();
  write_file_atomically(*real_file_ops(), path, json + "\n");
}

}  // namespace coterie::cli
