// corpus.h5: what is written comes back, and nothing else is ever believed.
#include "data/corpus.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <sstream>

#include "base/error.h"
#include "base/file_ops.h"
#include "tests/data/corpus_fixture.h"

namespace coterie::data {
namespace {

std::vector<std::int32_t> tokens_of(const Corpus& corpus, std::uint32_t document, std::int64_t max_length) {
  std::vector<std::int32_t> tokens;
  corpus.read_tokens(document, max_length, tokens);
  return tokens;
}

// Everything that a corpus says, as one text.
std::string dump(const Corpus& corpus) {
  std::ostringstream out;
  out << corpus.tokenizer() << ' ' << corpus.vocabulary() << '\n';
  for (const std::string& domain : corpus.domains()) out << domain << '\n';
  for (std::uint32_t i = 0; i < corpus.documents(); ++i) {
    out << corpus.id(i) << '|' << corpus.text(i) << '|' << corpus.domain(i) << '|' << name_of(corpus.split(i)) << '|'
        << corpus.text_class(i) << '|';
    for (const std::int32_t id : tokens_of(corpus, i, 1 << 20)) out << id << ' ';
    for (std::size_t k = 0; k < corpus.partners(i).size(); ++k)
      out << '|' << corpus.partners(i)[k] << '*' << corpus.partner_weights(i)[k];
    out << '\n';
  }
  for (int split = 0; split < kSplits; ++split) {
    for (const Pair& pair : corpus.positives(static_cast<Split>(split)))
      out << '+' << pair.a << ',' << pair.b << ',' << pair.weight;
    for (const Pair& pair : corpus.negatives(static_cast<Split>(split)))
      out << '-' << pair.a << ',' << pair.b << ',' << pair.weight;
    out << '\n';
  }
  return out.str();
}

void expect_equal(const Corpus& corpus, const CorpusContent& content) {
  ASSERT_EQ(corpus.documents(), static_cast<std::int64_t>(content.ids.size()));
  EXPECT_EQ(corpus.domains(), content.domains);
  EXPECT_EQ(corpus.tokenizer(), content.tokenizer);
  EXPECT_EQ(corpus.vocabulary(), content.vocabulary);
  for (std::uint32_t i = 0; i < content.ids.size(); ++i) {
    EXPECT_EQ(corpus.id(i), content.ids[i]);
    EXPECT_EQ(corpus.text(i), content.texts[i]);
    EXPECT_EQ(corpus.domain(i), content.domain[i]);
    EXPECT_EQ(corpus.split(i), content.split[i]);
    EXPECT_EQ(corpus.length(i), static_cast<std::int64_t>(content.tokens[i].size()));
    EXPECT_EQ(tokens_of(corpus, i, 1 << 20), content.tokens[i]);
    const auto first = std::find(content.texts.begin(), content.texts.end(), content.texts[i]);
    EXPECT_EQ(corpus.text_class(i), first - content.texts.begin());
  }
  for (int split = 0; split < kSplits; ++split) {
    EXPECT_EQ(corpus.positives(static_cast<Split>(split)), content.positives[split]);
    EXPECT_EQ(corpus.negatives(static_cast<Split>(split)), content.negatives[split]);
  }
}

TEST(Corpus, gives_back_what_was_written) {
  const TemporaryFolder folder;
  const CorpusContent content = small_content();
  ASSERT_FALSE(content.positives[0].empty());
  ASSERT_FALSE(content.negatives[2].empty());

  write_corpus(folder / "corpus.h5", content);

  expect_equal(Corpus(folder / "corpus.h5"), content);
}

TEST(Corpus, holds_the_graph_in_both_directions) {
  const TemporaryFolder folder;
  const CorpusContent content = small_content();
  write_corpus(folder / "corpus.h5", content);
  const Corpus corpus(folder / "corpus.h5");

  std::vector<Pair> found;
  for (std::uint32_t a = 0; a < corpus.documents(); ++a) {
    for (std::size_t k = 0; k < corpus.partners(a).size(); ++k) {
      const std::uint32_t b = corpus.partners(a)[k];
      EXPECT_TRUE(corpus.co_cited(a, b));
      EXPECT_TRUE(corpus.co_cited(b, a));
      if (a < b) found.push_back({a, b, corpus.partner_weights(a)[k]});
    }
  }

  EXPECT_EQ(found, content.graph);
  EXPECT_FALSE(corpus.co_cited(0, 59));  // another domain
}

TEST(Corpus, keeps_ids_of_a_vocabulary_beyond_16_bits) {
  const TemporaryFolder folder;
  CorpusContent content = small_content();
  content.vocabulary = 250002;
  content.tokens[3] = {101, 250001, 65536, 102};

  write_corpus(folder / "corpus.h5", content);

  expect_equal(Corpus(folder / "corpus.h5"), content);
}

TEST(Corpus, keeps_the_largest_id_of_16_bits) {
  const TemporaryFolder folder;
  CorpusContent content = small_content();
  content.vocabulary = 65536;
  content.tokens[3] = {101, 65535, 102};

  write_corpus(folder / "corpus.h5", content);

  EXPECT_EQ(tokens_of(Corpus(folder / "corpus.h5"), 3, 8), content.tokens[3]);
}

TEST(Corpus, may_have_no_pairs) {
  const TemporaryFolder folder;
  CorpusContent content = small_content();
  content.graph.clear();
  for (auto& pairs : content.positives) pairs.clear();
  for (auto& pairs : content.negatives) pairs.clear();

  write_corpus(folder / "corpus.h5", content);

  expect_equal(Corpus(folder / "corpus.h5"), content);
}

// More rows than one chunk (64 Ki) of token ids and of text holds.
TEST(Corpus, reads_documents_across_chunks) {
  const TemporaryFolder folder;
  CorpusContent content = small_content();
  for (std::size_t i = 0; i < content.tokens.size(); ++i) {
    content.texts[i].append(5000, static_cast<char>('a' + i % 26));
    content.tokens[i].insert(content.tokens[i].begin() + 1, 3000 + i, static_cast<std::int32_t>(i));
  }

  write_corpus(folder / "corpus.h5", content);

  expect_equal(Corpus(folder / "corpus.h5"), content);
}

TEST(Corpus, stores_pairs_in_ascending_order) {
  const TemporaryFolder folder;
  const CorpusContent content = small_content();
  CorpusContent reversed = content;
  for (auto* pairs : {&reversed.graph, &reversed.positives[0], &reversed.negatives[1]})
    std::reverse(pairs->begin(), pairs->end());

  write_corpus(folder / "corpus.h5", reversed);

  expect_equal(Corpus(folder / "corpus.h5"), content);
}

TEST(Corpus, cuts_a_long_document_before_its_last_id) {
  const TemporaryFolder folder;
  CorpusContent content = small_content();
  content.tokens[5] = {101, 1, 2, 3, 4, 102};
  write_corpus(folder / "corpus.h5", content);
  const Corpus corpus(folder / "corpus.h5");

  EXPECT_EQ(tokens_of(corpus, 5, 6), (std::vector<std::int32_t>{101, 1, 2, 3, 4, 102}));
  EXPECT_EQ(tokens_of(corpus, 5, 4), (std::vector<std::int32_t>{101, 1, 2, 102}));
  EXPECT_EQ(tokens_of(corpus, 5, 2), (std::vector<std::int32_t>{101, 102}));
  EXPECT_THROW(tokens_of(corpus, 5, 1), ShapeError);
}

TEST(Corpus, writes_equal_files_for_equal_content) {
  const TemporaryFolder folder;
  write_corpus(folder / "one.h5", small_content());
  write_corpus(folder / "two.h5", small_content());

  EXPECT_EQ(read_file(folder / "one.h5"), read_file(folder / "two.h5"));
}

TEST(CorpusWriter, replaces_a_corpus_and_leaves_nothing_beside_it) {
  const TemporaryFolder folder;
  write_corpus(folder / "corpus.h5", small_content(60, 6, 1));
  const CorpusContent content = small_content(70, 6, 2);

  write_corpus(folder / "corpus.h5", content);

  expect_equal(Corpus(folder / "corpus.h5"), content);
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder.path()), {}), 1);
}

// Fails the rename, after the new file was written.
class FailingOps final : public FileOps {
 public:
  std::unique_ptr<OutputFile> create(const fs::path& path) override { return real_->create(path); }
  std::unique_ptr<OutputFile> append(const fs::path& path) override { return real_->append(path); }
  void make_directory(const fs::path& path) override { real_->make_directory(path); }
  void sync_directory(const fs::path& path) override { real_->sync_directory(path); }
  void rename(const fs::path&, const fs::path& to) override { throw IoError(str("file: cannot rename to ", to)); }
  void remove_all(const fs::path& path) override { real_->remove_all(path); }

 private:
  std::shared_ptr<FileOps> real_ = real_file_ops();
};

TEST(CorpusWriter, keeps_the_old_corpus_when_the_rename_fails) {
  const TemporaryFolder folder;
  const CorpusContent content = small_content();
  write_corpus(folder / "corpus.h5", content);
  FailingOps ops;

  EXPECT_THROW(write_corpus(ops, folder / "corpus.h5", small_content(70, 6, 2)), IoError);

  expect_equal(Corpus(folder / "corpus.h5"), content);
}

// Writes a corpus where files may have at most 8 KiB; 0 if that failed as it should.
int write_on_a_full_disk(const std::filesystem::path& path) {
  std::signal(SIGXFSZ, SIG_IGN);
  const rlimit limit{8192, 8192};
  if (::setrlimit(RLIMIT_FSIZE, &limit) != 0) return 1;
  try {
    write_corpus(path, small_content(70, 6, 2));
    return 2;
  } catch (const IoError& error) {
    return std::string(error.what()).find(".tmp-corpus.h5-") == std::string::npos ? 3 : 0;
  }
}

TEST(CorpusWriter, keeps_the_old_corpus_when_the_disk_is_full) {
  const TemporaryFolder folder;
  const CorpusContent content = small_content();
  write_corpus(folder / "corpus.h5", content);

  EXPECT_EXIT(std::exit(write_on_a_full_disk(folder / "corpus.h5")), testing::ExitedWithCode(0), "");

  expect_equal(Corpus(folder / "corpus.h5"), content);
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder.path()), {}), 1);
}

TEST(CorpusWriter, names_a_folder_that_is_absent) {
  const TemporaryFolder folder;
  try {
    write_corpus(folder / "absent/corpus.h5", small_content());
    FAIL() << "no error";
  } catch (const IoError& error) {
    EXPECT_THAT(error.what(), testing::HasSubstr("absent/.tmp-corpus.h5-"));
  }
}

// A socket: even root may not open it as a file.
TEST(CorpusReader, passes_on_why_the_system_does_not_open_it) {
  const TemporaryFolder folder;
  const std::filesystem::path path = folder / "corpus.h5";
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  ASSERT_LT(path.string().size(), sizeof address.sun_path);
  path.string().copy(address.sun_path, sizeof address.sun_path - 1);
  const int fd = ::socket(AF_UNIX, SOCK_STREAM, 0);
  ASSERT_EQ(::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  ::close(fd);

  try {
    const Corpus corpus(path);
    FAIL() << "no error";
  } catch (const IoError& error) {
    EXPECT_THAT(error.what(), testing::HasSubstr("corpus.h5': No such device or address (6)"));
  }
}

struct BadContent {
  const char* name;
  void (*spoil)(CorpusContent&);
  const char* message;
};

void PrintTo(const BadContent& bad, std::ostream* out) { *out << bad.name; }

class BadContents : public testing::TestWithParam<BadContent> {};

TEST_P(BadContents, are_refused_and_leave_no_file) {
  const TemporaryFolder folder;
  CorpusContent content = small_content();
  GetParam().spoil(content);

  try {
    write_corpus(folder / "corpus.h5", content);
    FAIL() << "no error";
  } catch (const DataError& error) {
    EXPECT_THAT(error.what(), testing::HasSubstr("corpus.h5"));
    EXPECT_THAT(error.what(), testing::HasSubstr(GetParam().message));
  }
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

INSTANTIATE_TEST_SUITE_P(
    Writer, BadContents,
    testing::Values(
        BadContent{"texts", [](CorpusContent& c) { c.texts.pop_back(); }, "expected 60 texts, one per id, got 59"},
        BadContent{"tokens", [](CorpusContent& c) { c.tokens.pop_back(); }, "60 token lists, one per id, got 59"},
        BadContent{"twice", [](CorpusContent& c) { c.ids[1] = c.ids[0]; }, "got 'alpha:0' twice"},
        BadContent{"empty_id", [](CorpusContent& c) { c.ids[1].clear(); }, "got ''"},
        BadContent{"domain", [](CorpusContent& c) { c.domain[7] = 2; }, "numbers below 2, got 2 at 7"},
        BadContent{"no_domain", [](CorpusContent& c) { c.domains.clear(); }, "1 to 65535 domains, got 0"},
        BadContent{"utf8", [](CorpusContent& c) { c.texts[4].push_back(static_cast<char>(0xff)); },
                   "the text of alpha:4 must be UTF-8"},
        BadContent{"short", [](CorpusContent& c) { c.tokens[0] = {101}; }, "/tokens/offsets"},
        BadContent{"id",
                   [](CorpusContent& c) {
                     c.tokens[2] = {101, 1000, 102};
                   },
                   "must be in 0..999, got 1000"},
        BadContent{"negative_id",
                   [](CorpusContent& c) {
                     c.tokens[2] = {101, -1, 102};
                   },
                   "must be in 0..999, got -1"},
        BadContent{"vocabulary", [](CorpusContent& c) { c.vocabulary = 0; }, "attribute vocabulary"},
        BadContent{"graph_order", [](CorpusContent& c) { std::swap(c.graph[0].a, c.graph[0].b); }, "a < b < 60"},
        BadContent{"graph_range",
                   [](CorpusContent& c) {
                     c.graph.push_back({1, 60, 1});
                   },
                   "got (1, 60)"},
        BadContent{"graph_twice", [](CorpusContent& c) { c.graph.push_back(c.graph[0]); }, "/graph/partners"},
        BadContent{"graph_weight", [](CorpusContent& c) { c.graph[0].weight = 0; }, "/graph/weights"},
        BadContent{"across",
                   [](CorpusContent& c) {
                     c.positives[0] = {{0, 3, 1}};
                   },
                   "got alpha:0 in train with alpha:3 in validation"},
        BadContent{"positive_zero",
                   [](CorpusContent& c) {
                     c.positives[0] = {{0, 1, 0}};
                   },
                   "weights >= 1, got 0"},
        BadContent{"negative_one", [](CorpusContent& c) { c.negatives[1][0].weight = 1; }, "weights 0, got 1"},
        BadContent{"pair_twice", [](CorpusContent& c) { c.negatives[1].push_back(c.negatives[1][0]); }, "each once"}),
    [](const auto& instance) { return std::string(instance.param.name); });

std::string damaged(std::string bytes, std::size_t bit) {
  bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ (1 << (bit % 8)));
  return bytes;
}

// True if the bytes, as a file, are refused with an error that names it; false if they give exactly `expected`.
testing::AssertionResult refused_or_equal(const std::filesystem::path& path, const std::string& bytes,
                                          const std::string& expected, bool& refused) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
  try {
    const std::string found = dump(Corpus(path));
    refused = false;
    if (found == expected) return testing::AssertionSuccess();
    return testing::AssertionFailure() << "silently different data";
  } catch (const DataError& error) {
    refused = true;
    if (std::string(error.what()).find(path.filename().string()) != std::string::npos)
      return testing::AssertionSuccess();
    return testing::AssertionFailure() << "does not name the file: " << error.what();
  }
}

TEST(CorpusDamage, every_truncation_is_refused) {
  const TemporaryFolder folder;
  write_corpus(folder / "good.h5", small_content());
  const std::string bytes = read_file(folder / "good.h5");

  for (std::size_t i = 0; i < 200; ++i) {
    const std::size_t size = i < 100 ? i : random_below({7}, i, bytes.size());
    bool refused = false;
    EXPECT_TRUE(refused_or_equal(folder / "bad.h5", bytes.substr(0, size), "", refused)) << "cut to " << size;
    EXPECT_TRUE(refused) << "cut to " << size;
  }
}

TEST(CorpusDamage, a_flipped_bit_never_changes_the_data_in_silence) {
  const TemporaryFolder folder;
  write_corpus(folder / "good.h5", small_content());
  const std::string bytes = read_file(folder / "good.h5");
  const std::string expected = dump(Corpus(folder / "good.h5"));
  int refusals = 0;

  for (std::size_t i = 0; i < 600; ++i) {
    const std::size_t range = i < 200 ? std::min<std::size_t>(bytes.size(), 8192) : bytes.size();
    const std::size_t bit = random_below({9}, i, 8 * range);
    bool refused = false;
    EXPECT_TRUE(refused_or_equal(folder / "bad.h5", damaged(bytes, bit), expected, refused)) << "bit " << bit;
    refusals += refused ? 1 : 0;
  }

  EXPECT_GT(refusals, 200);  // the rest fell into bytes that hold nothing
}

}  // namespace
}  // namespace coterie::data
