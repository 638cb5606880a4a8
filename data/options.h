// The `[data]` section: where documents come from and how they are split, sampled and read.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "config/schema.h"

namespace coterie::data {

/// A corpus made from nothing: topics, citing papers, several domains.
struct SynthOptions {
  std::int64_t domains = 4;
  std::int64_t documents = 300;
  std::int64_t topics = 24;
  std::int64_t citing_papers = 900;
  std::int64_t words = 40;
};

inline void describe(config::Visitor& v, SynthOptions& o) {
  v.field("domains", o.domains, "domains", {1, 64});
  v.field("documents", o.documents, "documents per domain", {16, 1000000});
  v.field("topics", o.topics, "topics per domain", {2, 10000});
  v.field("citing_papers", o.citing_papers, "papers per domain whose reference lists make the co-citations",
          {1, 10000000});
  v.field("words", o.words, "mean words per document", {8, 400});
}

/// Every format that `sources` may name, `a, b, c`.
[[nodiscard]] std::string source_formats();

struct DataOptions {
  std::string corpus = "corpora/corpus.h5";
  std::string root = ".";
  std::vector<std::string> sources;
  std::int64_t min_weight = 1;
  double validation_fraction = 0.15;
  double test_fraction = 0.20;
  std::int64_t batch_pairs = 64;
  std::int64_t window_pairs = 65536;
  std::int64_t read_ahead = 4;
  SynthOptions synth;
};

inline void describe(config::Visitor& v, DataOptions& o) {
  v.field("corpus", o.corpus, "the corpus file that `data build` and `data synth` write and every other command reads");
  v.field("root", o.root, "folder that holds the sources");
  v.field("sources", o.sources, "collections to read, FORMAT or FORMAT:PATH below the root: " + source_formats());
  v.field("min_weight", o.min_weight, "least co-citation weight of a training pair; the graph keeps all", {1, 1000000});
  v.field("validation_fraction", o.validation_fraction, "share of the documents kept for validation", {0.0, 0.9});
  v.field("test_fraction", o.test_fraction, "share of the documents kept for the test", {0.0, 0.9});
  v.field("batch_pairs", o.batch_pairs, "pairs in a global batch, over all ranks", {1, 1 << 20});
  v.field("window_pairs", o.window_pairs, "pairs that are planned into batches at a time", {1, 1 << 24});
  v.field("read_ahead", o.read_ahead, "batches that the loader's thread may be ahead", {1, 1024});
  v.section("synth", o.synth, "the corpus of `data synth`");
}

}  // namespace coterie::data
