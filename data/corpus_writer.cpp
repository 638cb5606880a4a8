// Writing corpus.h5, whole or not at all.
#include <algorithm>
#include <cstddef>
#include <string_view>
#include <tuple>
#include <utility>

#include "base/error.h"
#include "base/file_ops.h"
#include "base/utf8.h"
#include "data/corpus.h"
#include "data/corpus_tables.h"
#include "data/hdf5.h"

namespace coterie::data {
namespace {

void check_sizes(const std::string& where, const CorpusContent& content) {
  const std::size_t documents = content.ids.size();
  const std::pair<const char*, std::size_t> sizes[] = {{"texts", content.texts.size()},
                                                       {"domain numbers", content.domain.size()},
                                                       {"splits", content.split.size()},
                                                       {"token lists", content.tokens.size()}};
  COTERIE_CHECK(DataError, content.expert.empty() || content.expert.size() == documents, "corpus: '", where,
                "': expected ", documents, " experts, one per id, or none, got ", content.expert.size());
  for (const auto& [name, size] : sizes)
    COTERIE_CHECK(DataError, size == documents, "corpus: '", where, "': expected ", documents, " ", name,
                  ", one per id, got ", size);
}

template <class Items>
std::vector<std::uint64_t> offsets_of(const std::vector<Items>& items) {
  std::vector<std::uint64_t> offsets = {0};
  offsets.reserve(items.size() + 1);
  for (const Items& item : items) offsets.push_back(offsets.back() + item.size());
  return offsets;
}

// Both directions of every pair, row by row. Pairs in ascending order leave each row ascending: the partners below a
// document come from pairs that stand before those with its partners above.
void build_graph(const std::vector<Pair>& pairs, const std::string& where, CorpusTables& tables) {
  const std::size_t documents = tables.ids.size();
  std::vector<std::uint64_t>& offsets = tables.partner_offsets;
  offsets.assign(documents + 1, 0);
  for (const Pair& pair : pairs) {
    COTERIE_CHECK(DataError, pair.a < pair.b && pair.b < documents, "corpus: '", where,
                  "': graph pairs must be a < b < ", documents, ", got (", pair.a, ", ", pair.b, ")");
    ++offsets[pair.a + std::size_t{1}];
    ++offsets[pair.b + std::size_t{1}];
  }
  for (std::size_t i = 0; i < documents; ++i) offsets[i + 1] += offsets[i];
  std::vector<std::uint64_t> next(offsets.begin(), offsets.end() - 1);
  tables.partners.resize(2 * pairs.size());
  tables.partner_weights.resize(2 * pairs.size());
  const auto put = [&](std::uint32_t from, std::uint32_t to, std::uint32_t weight) {
    const std::uint64_t at = next[from]++;
    tables.partners[at] = to;
    tables.partner_weights[at] = weight;
  };
  for (const Pair& pair : pairs) {
    put(pair.a, pair.b, pair.weight);
    put(pair.b, pair.a, pair.weight);
  }
}

std::vector<Pair> in_order(std::vector<Pair> pairs) {
  std::sort(pairs.begin(), pairs.end(),
            [](const Pair& x, const Pair& y) { return std::tie(x.a, x.b) < std::tie(y.a, y.b); });
  return pairs;
}

CorpusTables tables_of(const std::string& where, const CorpusContent& content) {
  check_sizes(where, content);
  CorpusTables tables;
  tables.domains = content.domains;
  tables.ids = content.ids;
  tables.domain = content.domain;
  tables.split = content.split;
  for (const std::int32_t expert : content.expert) {
    COTERIE_CHECK(DataError, expert >= -1 && expert < kMostNamedExperts, "corpus: '", where,
                  "': experts must be -1 or below ", kMostNamedExperts, ", got ", expert);
    tables.expert.push_back(expert < 0 ? kNoExpert : static_cast<std::uint16_t>(expert));
  }
  tables.text_class = text_classes(content.texts);
  tables.text_offsets = offsets_of(content.texts);
  tables.token_offsets = offsets_of(content.tokens);
  build_graph(in_order(content.graph), where, tables);
  for (int i = 0; i < kSplits; ++i) {
    tables.positives[i] = in_order(content.positives[i]);
    tables.negatives[i] = in_order(content.negatives[i]);
  }
  tables.tokenizer = content.tokenizer;
  tables.vocabulary = static_cast<std::uint64_t>(content.vocabulary);
  return tables;
}

std::vector<std::uint8_t> bytes_of(const std::vector<std::string>& texts) {
  std::vector<std::uint8_t> bytes;
  for (const std::string& text : texts) bytes.insert(bytes.end(), text.begin(), text.end());
  return bytes;
}

void write_names(H5Writer& file, const std::string& group, const std::vector<std::string>& names) {
  file.group(group);
  file.array<std::uint64_t>(group + "/offsets", offsets_of(names));
  file.array<std::uint8_t>(group + "/bytes", bytes_of(names));
}

template <class Number>
void write_tokens(H5Writer& file, const std::string& where, const CorpusContent& content) {
  std::vector<Number> ids;
  for (std::size_t i = 0; i < content.tokens.size(); ++i) {
    for (const std::int32_t id : content.tokens[i]) {
      COTERIE_CHECK(DataError, id >= 0 && id < content.vocabulary, "corpus: '", where, "': token ids of ",
                    content.ids[i], " must be in 0..", content.vocabulary - 1, ", got ", id);
      ids.push_back(static_cast<Number>(id));
    }
  }
  file.array<Number>("/tokens/ids", ids);
}

void write_pairs(H5Writer& file, const std::string& name, const std::vector<Pair>& pairs) {
  std::vector<std::uint32_t> numbers;
  numbers.reserve(3 * pairs.size());
  for (const Pair& pair : pairs) numbers.insert(numbers.end(), {pair.a, pair.b, pair.weight});
  file.array<std::uint32_t>(name, numbers, 3);
}

std::vector<std::byte> file_of(const fs::path& path, const CorpusContent& content, const CorpusTables& tables) {
  H5Writer file(path);
  file.text("format", kCorpusFormat);
  file.number("version", kCorpusVersion);
  file.text("tokenizer", tables.tokenizer);
  file.number("vocabulary", tables.vocabulary);
  write_names(file, "/domains", tables.domains);
  write_names(file, "/ids", tables.ids);
  file.group("/documents");
  file.array<std::uint16_t>("/documents/domain", tables.domain);
  std::vector<std::uint8_t> splits;
  for (const Split split : tables.split) splits.push_back(static_cast<std::uint8_t>(split));
  file.array<std::uint8_t>("/documents/split", splits);
  if (!tables.expert.empty()) file.array<std::uint16_t>("/documents/expert", tables.expert);
  file.array<std::uint32_t>("/documents/text_class", tables.text_class);
  file.group("/texts");
  file.array<std::uint64_t>("/texts/offsets", tables.text_offsets);
  file.array<std::uint8_t>("/texts/bytes", bytes_of(content.texts), 1, H5Storage::compressed);
  file.group("/tokens");
  file.array<std::uint64_t>("/tokens/offsets", tables.token_offsets);
  if (tables.vocabulary <= kMaxNarrowVocabulary)
    write_tokens<std::uint16_t>(file, path.string(), content);
  else
    write_tokens<std::uint32_t>(file, path.string(), content);
  file.group("/graph");
  file.array<std::uint64_t>("/graph/offsets", tables.partner_offsets);
  file.array<std::uint32_t>("/graph/partners", tables.partners);
  file.array<std::uint32_t>("/graph/weights", tables.partner_weights);
  for (const char* group : {"/pairs", "/pairs/positives", "/pairs/negatives"}) file.group(group);
  for (int i = 0; i < kSplits; ++i) {
    write_pairs(file, pairs_name("positives", static_cast<Split>(i)), tables.positives[i]);
    write_pairs(file, pairs_name("negatives", static_cast<Split>(i)), tables.negatives[i]);
  }
  return file.finish();
}

}  // namespace

void write_corpus(const fs::path& path, const CorpusContent& content) { write_corpus(*real_file_ops(), path, content); }

void write_corpus(FileOps& ops, const fs::path& path, const CorpusContent& content) {
  const CorpusTables tables = tables_of(path.string(), content);
  validate(tables, path.string(), tables.text_offsets.back(), tables.token_offsets.back());
  for (std::size_t i = 0; i < content.texts.size(); ++i)
    COTERIE_CHECK(DataError, is_utf8(content.texts[i]), "corpus: '", path.string(), "': the text of ", content.ids[i],
                  " must be UTF-8");
  const std::vector<std::byte> bytes = file_of(path, content, tables);
  write_file_atomically(ops, path, std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
}

}  // namespace coterie::data
