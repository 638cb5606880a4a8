// An options struct with every type of field, and a folder of config files, for the tests of the config.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <limits>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/str.h"
#include "config/config.h"
#include "tests/harness/temporary_folder.h"

namespace coterie::test {

enum class Score { softmax, sigmoid };

struct AuxOptions {
  double balance = 0.01;

  bool operator==(const AuxOptions&) const = default;
};

inline void describe(config::Visitor& v, AuxOptions& o) {
  v.field("balance", o.balance, "weight of the balance loss", {0.0, std::numeric_limits<double>::infinity()});
}

struct ExpertsOptions {
  std::int64_t num_experts = 8;
  std::int64_t top_k = 2;
  Score score = Score::softmax;
  std::vector<std::string> layers = {"all"};
  AuxOptions aux;

  bool operator==(const ExpertsOptions&) const = default;
};

// The nested struct comes first on purpose: TOML wants the keys of a table before its sub-tables.
inline void describe(config::Visitor& v, ExpertsOptions& o) {
  v.section("aux", o.aux, "auxiliary losses");
  v.field("num_experts", o.num_experts, "experts in the layer, E", {1, 4096});
  v.field("top_k", o.top_k, "experts per token, K", {1, 64});
  v.choice("score", o.score, std::to_array<std::string_view>({"softmax", "sigmoid"}), "gate non-linearity");
  v.field("layers", o.layers, "layers that get experts");
}

struct OptimOptions {
  double lr = 2e-5;
  double momentum = 0.9;
  bool foreach = false;

  bool operator==(const OptimOptions&) const = default;
};

inline void describe(config::Visitor& v, OptimOptions& o) {
  v.field("lr", o.lr, "learning rate");
  v.field("momentum", o.momentum, "first moment", {0.0, 1.0});
  v.field("foreach", o.foreach, "all tensors at once");
}

struct RootOptions {
  std::string run = "run";
  std::int64_t seed = 7;
  ExpertsOptions experts;
  OptimOptions optim;

  bool operator==(const RootOptions&) const = default;
};

inline void describe(config::Visitor& v, RootOptions& o) {
  v.section("experts", o.experts, "experts and their router");
  v.field("run", o.run, "name of the run");
  v.field("seed", o.seed, "seed of everything random", {.min = 0});
  v.section("optim", o.optim, "optimizer");
}

inline void validate(const RootOptions& o, config::Problems& problems) {
  if (o.experts.top_k > o.experts.num_experts)
    problems.add("experts.top_k", str("must be at most experts.num_experts (", o.experts.num_experts, ")"));
}

/// A folder of config files that goes away with the test; the test runs inside it, so origins are short.
class ConfigTest : public testing::Test {
 protected:
  ConfigTest() : before_(std::filesystem::current_path()) { std::filesystem::current_path(folder_.path()); }
  ~ConfigTest() override { std::filesystem::current_path(before_); }

  static void write(const std::filesystem::path& path, const std::string& text) {
    if (path.has_parent_path()) std::filesystem::create_directories(path.parent_path());
    std::ofstream(path, std::ios::binary) << text;
  }

  static RootOptions read(const std::string& file, const std::vector<std::string>& arguments = {}) {
    return config::read<RootOptions>(config::compose(file, arguments));
  }

  /// The message of the ConfigError that reading throws; empty if it throws none.
  static std::string message(const std::string& file, const std::vector<std::string>& arguments = {}) {
    try {
      read(file, arguments);
    } catch (const ConfigError& error) {
      EXPECT_EQ(error.code(), Exit::config);
      return error.what();
    }
    return {};
  }

  /// The same for arguments without a file.
  static std::string message_of(const std::vector<std::string>& arguments) {
    try {
      static_cast<void>(config::read<RootOptions>(config::compose(arguments)));
    } catch (const ConfigError& error) {
      return error.what();
    }
    return {};
  }

 private:
  std::filesystem::path before_;
  TemporaryFolder folder_;
};

}  // namespace coterie::test
