// A small corpus made from nothing, and a folder that goes away, for the tests of this folder.
#pragma once

#include <unistd.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "base/random.h"
#include "base/str.h"
#include "data/corpus.h"

namespace coterie::data {

/// A new folder, removed with everything in it at the end of its scope.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "coterie-XXXXXX").string();
    path_ = ::mkdtemp(name.data());
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }
  [[nodiscard]] std::filesystem::path operator/(const std::string& name) const { return path_ / name; }

 private:
  std::filesystem::path path_;
};

/// Documents of two domains, 60 % for training; `partners` random pairs per document, some of them with hubs; lengths
/// 2 to 40; every seventh document has the text of the one before the last.
inline CorpusContent small_content(std::uint32_t documents = 60, std::uint32_t partners = 6, std::uint64_t seed = 1) {
  CorpusContent content;
  content.domains = {"alpha", "beta"};
  content.tokenizer = "test-tokenizer";
  content.vocabulary = 1000;
  const RandomKey key{seed};
  for (std::uint32_t i = 0; i < documents; ++i) {
    content.domain.push_back(i < documents / 2 ? 0 : 1);
    content.ids.push_back(str(content.domains[content.domain[i]], ":", i));
    content.texts.push_back(i % 7 == 6 ? content.texts[i - 2] : str("Text of document ", i, ", \u00e4."));
    content.split.push_back(i % 5 == 3 ? Split::validation : i % 5 == 4 ? Split::test : Split::train);
    std::vector<std::int32_t> tokens = {101};
    const std::uint64_t length = random_below(key.derive("length"), i, 39);
    for (std::uint64_t t = 0; t < length; ++t)
      tokens.push_back(static_cast<std::int32_t>(random_below(key.derive(i), t, 1000)));
    tokens.push_back(102);
    content.tokens.push_back(tokens);
  }
  const std::uint32_t half = documents / 2;
  for (std::uint32_t a = 0; a < documents; ++a) {
    for (std::uint32_t b = a + 1; b < documents; ++b) {
      if (content.domain[a] != content.domain[b]) continue;
      const std::uint64_t index = std::uint64_t{a} * documents + b;
      const bool hub = a % half == 0 && random_below(key.derive("hub"), index, 2) == 0;
      if (!hub && random_below(key.derive("pair"), index, half) >= partners) continue;
      const auto weight = static_cast<std::uint32_t>(1 + random_below(key.derive("weight"), index, 3));
      content.graph.push_back({a, b, weight});
      if (content.split[a] == content.split[b])
        content.positives[static_cast<int>(content.split[a])].push_back({a, b, weight});
    }
  }
  for (const Split split : {Split::validation, Split::test}) {
    auto& negatives = content.negatives[static_cast<int>(split)];
    for (std::uint32_t a = 0; a < documents && negatives.size() < 5; ++a)
      for (std::uint32_t b = a + 1; b < documents && negatives.size() < 5; ++b) {
        bool cited = false;
        for (const Pair& pair : content.graph) cited = cited || (pair.a == a && pair.b == b);
        if (!cited && content.split[a] == split && content.split[b] == split) negatives.push_back({a, b, 0});
      }
  }
  return content;
}

}  // namespace coterie::data
