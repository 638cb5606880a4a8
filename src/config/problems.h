// What is wrong with a config, collected so that everything is reported at once.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace coterie::config {

/// Collects problems. `validate(const Options&, Problems&)` beside an options struct adds those across fields.
class Problems {
 public:
  /// Adds a problem that belongs to no single key.
  void add(std::string text);

  /// Adds `<key> is <value>, <must> (<origin>)`; a key that already has a problem keeps only its first.
  ///
  /// @param key   a dotted key of the options, for example `experts.top_k`
  /// @param must  what was expected: `must be at most experts.num_experts (8)`
  /// @throws ShapeError if no such key was read: a bug of the caller
  void add(std::string_view key, std::string_view must);

  /// Makes a key known to `add`.
  void record(const std::string& key, std::string value, std::string origin);

  /// @throws ConfigError listing all problems, if there are any
  void throw_if_any() const;

 private:
  struct Read {
    std::string value;
    std::string origin;
    bool wrong = false;
  };

  std::map<std::string, Read, std::less<>> read_;
  std::vector<std::string> problems_;
};

}  // namespace coterie::config
