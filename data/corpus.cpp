// Reading corpus.h5: the tables into memory, checked; texts and token ids on demand.
#include "data/corpus.h"

#include <algorithm>
#include <optional>

#include "base/error.h"
#include "data/corpus_tables.h"
#include "data/hdf5.h"
#include "data/unicode.h"

namespace coterie::data {
namespace {

// The texts of `offsets` and `bytes` below a group, for example the ids of the documents.
std::vector<std::string> read_names(const H5Reader& file, const std::string& group) {
  const auto offsets = file.array<std::uint64_t>(group + "/offsets").read();
  const auto array = file.array<std::uint8_t>(group + "/bytes");
  const auto bytes = array.read();
  const bool fits = !offsets.empty() && offsets.front() == 0 && offsets.back() == bytes.size() &&
                    std::is_sorted(offsets.begin(), offsets.end());
  COTERIE_CHECK(DataError, fits, "corpus: ", file.where(group + "/offsets"), " must hold ascending offsets from 0 to ",
                bytes.size(), ", got ", offsets.size(), " offsets up to ", offsets.empty() ? 0 : offsets.back());
  std::vector<std::string> names;
  names.reserve(offsets.size() - 1);
  for (std::size_t i = 0; i + 1 < offsets.size(); ++i)
    names.emplace_back(bytes.begin() + static_cast<std::ptrdiff_t>(offsets[i]),
                       bytes.begin() + static_cast<std::ptrdiff_t>(offsets[i + 1]));
  return names;
}

std::vector<Pair> read_pairs(const H5Reader& file, const std::string& name) {
  const auto numbers = file.array<std::uint32_t>(name, 3).read();
  std::vector<Pair> pairs(numbers.size() / 3);
  for (std::size_t i = 0; i < pairs.size(); ++i) pairs[i] = {numbers[3 * i], numbers[3 * i + 1], numbers[3 * i + 2]};
  return pairs;
}

void check_format(const H5Reader& file) {
  const std::string format = file.text("format");
  COTERIE_CHECK(DataError, format == kCorpusFormat, "corpus: ", file.where("attribute format"), " must be '",
                kCorpusFormat, "', got '", format, "'");
  const std::uint64_t version = file.number("version");
  COTERIE_CHECK(DataError, version == kCorpusVersion, "corpus: ", file.where("attribute version"), " must be ",
                kCorpusVersion, ", got ", version, ": build the corpus again with this program");
}

CorpusTables read_tables(const H5Reader& file) {
  check_format(file);
  CorpusTables tables;
  tables.domains = read_names(file, "/domains");
  tables.ids = read_names(file, "/ids");
  tables.domain = file.array<std::uint16_t>("/documents/domain").read();
  for (const std::uint8_t split : file.array<std::uint8_t>("/documents/split").read())
    tables.split.push_back(static_cast<Split>(split));
  if (file.has("/documents/expert")) tables.expert = file.array<std::uint16_t>("/documents/expert").read();
  tables.text_class = file.array<std::uint32_t>("/documents/text_class").read();
  tables.text_offsets = file.array<std::uint64_t>("/texts/offsets").read();
  tables.token_offsets = file.array<std::uint64_t>("/tokens/offsets").read();
  tables.partner_offsets = file.array<std::uint64_t>("/graph/offsets").read();
  tables.partners = file.array<std::uint32_t>("/graph/partners").read();
  tables.partner_weights = file.array<std::uint32_t>("/graph/weights").read();
  for (int i = 0; i < kSplits; ++i) {
    tables.positives[i] = read_pairs(file, pairs_name("positives", static_cast<Split>(i)));
    tables.negatives[i] = read_pairs(file, pairs_name("negatives", static_cast<Split>(i)));
  }
  tables.tokenizer = file.text("tokenizer");
  tables.vocabulary = file.number("vocabulary");
  return tables;
}

}  // namespace

struct Corpus::State {
  explicit State(const std::filesystem::path& from)
      : path(from),
        file(from),
        tables(read_tables(file)),
        texts(file.array<std::uint8_t>("/texts/bytes", 1, H5Storage::compressed)) {
    if (tables.vocabulary <= kMaxNarrowVocabulary)
      narrow_tokens = file.array<std::uint16_t>("/tokens/ids");
    else
      wide_tokens = file.array<std::uint32_t>("/tokens/ids");
    const std::uint64_t tokens = narrow_tokens ? narrow_tokens->rows() : wide_tokens->rows();
    validate(tables, path.string(), texts.rows(), tokens);
  }

  std::filesystem::path path;
  H5Reader file;
  CorpusTables tables;
  H5Array<std::uint8_t> texts;
  std::optional<H5Array<std::uint16_t>> narrow_tokens;  // exactly one of the two
  std::optional<H5Array<std::uint32_t>> wide_tokens;

  // Appends ids [first, first + count), each checked against the vocabulary.
  template <class Number>
  void append(const H5Array<Number>& array, std::uint64_t first, std::uint64_t count,
              std::vector<std::int32_t>& out) const {
    std::vector<Number> ids(count);
    array.read(first, count, ids);
    for (const Number id : ids) {
      COTERIE_CHECK(DataError, id < tables.vocabulary, "corpus: ", array.where(),
                    " must hold ids below the vocabulary (", tables.vocabulary, "), got ", id, " between ", first,
                    " and ", first + count);
      out.push_back(static_cast<std::int32_t>(id));
    }
  }
};

Corpus::Corpus(const std::filesystem::path& path) {
  if (!std::filesystem::exists(path))
    throw IoError(str("corpus: there is no file '", path.string(), "'; `coterie data build` makes it (data.corpus)"));
  state_ = std::make_unique<State>(path);
}
Corpus::Corpus(Corpus&&) noexcept = default;
Corpus& Corpus::operator=(Corpus&&) noexcept = default;
Corpus::~Corpus() = default;

const std::filesystem::path& Corpus::path() const { return state_->path; }
std::int64_t Corpus::documents() const { return static_cast<std::int64_t>(state_->tables.ids.size()); }
const std::vector<std::string>& Corpus::domains() const { return state_->tables.domains; }
std::int32_t Corpus::domain(std::uint32_t document) const { return state_->tables.domain.at(document); }
Split Corpus::split(std::uint32_t document) const { return state_->tables.split.at(document); }
bool Corpus::names_experts() const { return !state_->tables.expert.empty(); }
std::int32_t Corpus::expert(std::uint32_t document) const {
  const std::uint16_t expert = state_->tables.expert.at(document);
  return expert == kNoExpert ? -1 : expert;
}

std::int64_t Corpus::length(std::uint32_t document) const {
  const auto& offsets = state_->tables.token_offsets;
  return static_cast<std::int64_t>(offsets.at(std::size_t{document} + 1) - offsets.at(document));
}

std::uint32_t Corpus::text_class(std::uint32_t document) const { return state_->tables.text_class.at(document); }
const std::string& Corpus::id(std::uint32_t document) const { return state_->tables.ids.at(document); }

std::string Corpus::text(std::uint32_t document) const {
  const std::uint64_t first = state_->tables.text_offsets.at(document);
  const std::uint64_t count = state_->tables.text_offsets.at(std::size_t{document} + 1) - first;
  std::vector<std::uint8_t> bytes(count);
  state_->texts.read(first, count, bytes);
  std::string text(bytes.begin(), bytes.end());
  COTERIE_CHECK(DataError, is_utf8(text), "corpus: ", state_->texts.where(),
                " must hold UTF-8, got other bytes in document ", id(document));
  return text;
}

const std::string& Corpus::tokenizer() const { return state_->tables.tokenizer; }
std::int64_t Corpus::vocabulary() const { return static_cast<std::int64_t>(state_->tables.vocabulary); }

const std::vector<Pair>& Corpus::positives(Split split) const {
  return state_->tables.positives[static_cast<int>(split)];
}
const std::vector<Pair>& Corpus::negatives(Split split) const {
  return state_->tables.negatives[static_cast<int>(split)];
}

bool Corpus::co_cited(std::uint32_t a, std::uint32_t b) const {
  const auto found = partners(a);
  return std::binary_search(found.begin(), found.end(), b);
}

std::span<const std::uint32_t> Corpus::partners(std::uint32_t document) const {
  const std::uint64_t first = state_->tables.partner_offsets.at(document);
  const std::uint64_t last = state_->tables.partner_offsets.at(std::size_t{document} + 1);
  return std::span(state_->tables.partners).subspan(first, last - first);
}

std::span<const std::uint32_t> Corpus::partner_weights(std::uint32_t document) const {
  const std::uint64_t first = state_->tables.partner_offsets.at(document);
  return std::span(state_->tables.partner_weights).subspan(first, partners(document).size());
}

void Corpus::read_tokens(std::uint32_t document, std::int64_t max_length, std::vector<std::int32_t>& out) const {
  COTERIE_CHECK(ShapeError, max_length >= 2, "corpus: max_length must leave room for [CLS] and [SEP], got ",
                max_length);
  const std::uint64_t first = state_->tables.token_offsets.at(document);
  const std::uint64_t last = state_->tables.token_offsets.at(std::size_t{document} + 1);
  const auto append = [&](std::uint64_t from, std::uint64_t count) {
    if (state_->narrow_tokens)
      state_->append(*state_->narrow_tokens, from, count, out);
    else
      state_->append(*state_->wide_tokens, from, count, out);
  };
  if (length(document) <= max_length) {
    append(first, last - first);
    return;
  }
  append(first, static_cast<std::uint64_t>(max_length) - 1);
  append(last - 1, 1);
}

}  // namespace coterie::data
