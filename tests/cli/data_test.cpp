// Building a corpus from files, and every malformed input: refused with file and line, no corpus left.
#include "data/corpus.h"
#include "tests/cli/workspace.h"

namespace coterie::test {
namespace {

using testing::HasSubstr;

class DataCommand : public Workspace {
 protected:
  /// Replaces a line of a source file, counted from 1.
  void replace_line(const std::string& file, int number, const std::string& line) {
    std::istringstream lines(read("source/" + file));
    std::string changed;
    std::string old;
    for (int i = 1; std::getline(lines, old); ++i) changed += (i == number ? line : old) + "\n";
    write("source/" + file, changed);
  }
};

TEST_F(DataCommand, build_writes_a_corpus_and_a_table) {
  const Outcome outcome = coterie({"data", "build", "run.toml"});

  EXPECT_EQ(outcome.code, 0) << outcome;
  for (const char* word : {"biology", "physics", "train", "validation", "test", "wrote corpora/tiny.h5"})
    EXPECT_THAT(outcome.out, HasSubstr(word));
  const data::Corpus corpus(root() / "corpora/tiny.h5");
  EXPECT_EQ(corpus.documents(), 2 * (kTrainDocuments + 2 * kHeldOutDocuments));
  EXPECT_EQ(corpus.positives(data::Split::train).size(), 2U * (kTrainDocuments - 1));
  EXPECT_EQ(corpus.negatives(data::Split::test).size(), 2U * (kHeldOutDocuments - 1));
  EXPECT_THAT(corpus.domains(), testing::ElementsAre("biology", "physics"));
}

TEST_F(DataCommand, build_twice_writes_the_same_bytes) {
  build_corpus();
  const std::string first = read("corpora/tiny.h5");

  build_corpus();

  EXPECT_TRUE(read("corpora/tiny.h5") == first);
}

TEST_F(DataCommand, synth_needs_no_source) {
  const Outcome outcome = coterie({"data", "synth", "run.toml", "data.synth.domains=2", "data.synth.documents=20",
                                   "data.synth.topics=3", "data.synth.citing_papers=40", "data.synth.words=8"});

  EXPECT_EQ(outcome.code, 0) << outcome;
  EXPECT_EQ(data::Corpus(root() / "corpora/tiny.h5").documents(), 40);
}

TEST_F(DataCommand, inspect_describes_a_corpus) {
  build_corpus();

  const Outcome outcome = coterie({"data", "inspect", "corpora/tiny.h5"});

  EXPECT_EQ(outcome.code, 0) << outcome;
  for (const char* word : {"biology", "physics"}) EXPECT_THAT(outcome.out, HasSubstr(word));
}

TEST_F(DataCommand, a_source_that_is_not_there_is_74) {
  expect_refused({"data", "build", "run.toml", R"(data.sources=["plain:absent"])"}, Exit::io,
                 {"absent/documents.jsonl"});
}

TEST_F(DataCommand, an_unknown_format_is_64_and_lists_the_known) {
  expect_refused({"data", "build", "run.toml", R"(data.sources=["excel:source"])"}, Exit::config,
                 {"excel", "plain", "cisi"});
}

TEST_F(DataCommand, no_source_is_64) {
  expect_refused({"data", "build", "run.toml", "data.sources=[]"}, Exit::config, {"data.sources"});
}

TEST_F(DataCommand, one_domain_from_two_sources_is_65) {
  expect_refused({"data", "build", "run.toml", R"(data.sources=["plain:source", "plain:source"])"}, Exit::data,
                 {"'biology' twice"});
}

struct BadLine {
  const char* file;
  int number;
  const char* line;
  const char* said;
};

TEST_F(DataCommand, a_malformed_line_is_65_with_file_and_line_and_leaves_no_corpus) {
  const BadLine bad[] = {
      {"documents.jsonl", 3, "{\"id\": ", "documents.jsonl:3"},
      {"documents.jsonl", 4, "[]", "documents.jsonl:4"},
      {"documents.jsonl", 5, R"({"id": "x"})", "text"},
      {"documents.jsonl", 6, R"({"id": "x", "text": "  "})", "must not be empty"},
      {"documents.jsonl", 7, R"({"id": "biology0", "text": "a"})", "first in line 1"},
      {"documents.jsonl", 8, R"({"id": "x", "text": "a", "domain": "a b"})", "a domain must be"},
      {"documents.jsonl", 9, R"({"id": "x", "text": "a", "split": "dev"})", "'split' must be"},
      {"documents.jsonl", 10, "{\"id\": \"x\", \"text\": \"\xff\"}", "documents.jsonl:10"},
      {"pairs.jsonl", 2, "not json", "pairs.jsonl:2"},
      {"pairs.jsonl", 3, R"({"a": "biology0"})", "'b'"},
      {"pairs.jsonl", 4, R"({"a": "biology0", "b": "nobody"})", "nobody"},
      {"pairs.jsonl", 5, R"({"a": "biology0", "b": "biology0"})", "two documents"},
      {"pairs.jsonl", 6, R"({"a": "biology1", "b": "biology0"})", "first in line 1"},
      {"pairs.jsonl", 7, R"({"a": "biology0", "b": "biology9", "weight": 0})", "weight"},
      {"pairs.jsonl", 8, R"({"a": "biology0", "b": "biology9", "weight": 1.5})", "weight"},
  };
  for (const BadLine& each : bad) {
    write_tiny_collection(root() / "source");
    replace_line(each.file, each.number, each.line);
    SCOPED_TRACE(each.line);
    expect_refused({"data", "build", "run.toml"}, Exit::data, {str(each.file, ":", each.number), each.said});
  }
  EXPECT_FALSE(exists("corpora"));
}

TEST_F(DataCommand, a_failed_build_leaves_the_corpus_that_was_there) {
  build_corpus();
  const std::string before = read("corpora/tiny.h5");
  replace_line("pairs.jsonl", 2, "not json");

  expect_refused({"data", "build", "run.toml"}, Exit::data, {"pairs.jsonl:2"});

  EXPECT_TRUE(read("corpora/tiny.h5") == before);
}

TEST_F(DataCommand, a_folder_that_cannot_be_made_is_74) {
  write("corpora", "a file in its place");

  expect_refused({"data", "build", "run.toml"}, Exit::io, {"corpora"});
}

TEST_F(DataCommand, a_corrupt_corpus_is_65) {
  build_corpus();
  const std::string whole = read("corpora/tiny.h5");
  for (const std::size_t size : {std::size_t{0}, std::size_t{100}, whole.size() / 2, whole.size() - 1}) {
    write("corpora/tiny.h5", whole.substr(0, size));
    SCOPED_TRACE(size);
    expect_refused({"data", "inspect", "corpora/tiny.h5"}, Exit::data, {"corpora/tiny.h5"});
    expect_refused({"train", "run.toml"}, Exit::data, {"corpora/tiny.h5"});
  }
  write("corpora/tiny.h5", "this is no HDF5 file");
  expect_refused({"eval", "hf", "run.toml"}, Exit::data, {"corpora/tiny.h5"});
}

TEST_F(DataCommand, a_corpus_of_another_tokenizer_is_65) {
  build_corpus();
  std::string vocabulary = read("hf/vocab.txt");
  vocabulary.replace(vocabulary.find("graph"), 5, "grape");
  write("hf/vocab.txt", vocabulary);

  expect_refused({"train", "run.toml"}, Exit::data, {"another tokenizer", "corpora/tiny.h5"});
  expect_refused({"eval", "hf", "run.toml"}, Exit::data, {"another tokenizer", "corpora/tiny.h5"});
  expect_refused({"embed", "hf", "corpora/tiny.h5", "out.npy"}, Exit::data, {"another tokenizer", "corpora/tiny.h5"});
}

TEST_F(DataCommand, a_tokenizer_larger_than_the_model_is_65) {
  write("hf/vocab.txt", read("hf/vocab.txt") + "surplus\n");

  expect_refused({"data", "build", "run.toml"}, Exit::data, {"at most vocab_size (40) ids, got 41"});
}

}  // namespace
}  // namespace coterie::test
