// Added words: their ids, their rows, the tokenizer files that know them, and what is refused.
#include "model/vocabulary_extension.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "model/sentence_encoder.h"
#include "model/tokenizer_files.h"
#include "tests/harness/temporary_folder.h"
#include "tests/harness/tiny_model.h"
#include "tests/model/files.h"

namespace coterie::model {
namespace {

using test::data_error;
using testing::HasSubstr;

constexpr const char* kRows = "embeddings.word_embeddings.weight";
// Of the vocabulary that the fixture writes.
constexpr std::int32_t kGraph = 7;
constexpr std::int32_t kStar = 9;
constexpr std::int32_t kPluralEnd = 11;
constexpr std::int32_t kGeneEnd = 12;

class Vocabulary : public testing::Test {
 protected:
  Vocabulary() {
    test::write_tiny_checkpoint(folder());
    vocabulary_ = {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", ".",     ",",
                   "graph", "cell",  "star",  "gene",  "##s",    "##gene"};
    for (char letter = 'a'; vocabulary_.size() < 40; ++letter) vocabulary_.emplace_back(1, letter);
    vocabulary_.back() = "##x";  // behind 'z': 26 letters and this one
    write_vocabulary(vocabulary_.size());
  }

  // The first `count` tokens.
  void write_vocabulary(std::size_t count) const {
    std::string text;
    for (std::size_t i = 0; i < count; ++i) text += vocabulary_[i] + "\n";
    test::write_text(folder() / "vocab.txt", text);
  }
  void write_tokenizer_json() const {
    nlohmann::ordered_json vocab = nlohmann::ordered_json::object();
    for (std::size_t i = 0; i < vocabulary_.size(); ++i) vocab[vocabulary_[i]] = i;
    const nlohmann::ordered_json document = {
        {"version", "1.0"},
        {"normalizer",
         {{"type", "BertNormalizer"}, {"clean_text", true}, {"handle_chinese_chars", true}, {"lowercase", true}}},
        {"pre_tokenizer", {{"type", "BertPreTokenizer"}}},
        {"post_processor", {{"type", "BertProcessing"}, {"sep", {"[SEP]", 3}}, {"cls", {"[CLS]", 2}}}},
        {"model",
         {{"type", "WordPiece"},
          {"unk_token", "[UNK]"},
          {"continuing_subword_prefix", "##"},
          {"max_input_chars_per_word", 100},
          {"vocab", vocab}}}};
    test::write_text(folder() / "tokenizer.json", document.dump());
  }
  fs::path words(const std::string& text) const {
    test::write_text(temporary_.path() / "words.txt", text);
    return temporary_.path() / "words.txt";
  }
  [[nodiscard]] fs::path folder() const { return temporary_.path() / "hf"; }
  [[nodiscard]] std::string refusal(const std::string& text) const {
    const fs::path path = words(text);
    return data_error([&] { (void)read_extension(path, folder()); });
  }

  std::vector<std::string> vocabulary_;
  test::TemporaryFolder temporary_;
};

TEST_F(Vocabulary, gets_an_id_behind_the_others_for_each_word) {
  const ModelSource source = ModelSource::open(folder(), words("graphs\n\nstargene\n"));

  EXPECT_EQ(source.spec.bert.vocab_size, 42);
  EXPECT_EQ(source.tokenizer().vocabulary_size(), 42);
  EXPECT_EQ(source.tokenizer().encode("Graphs, star stargene."),
            (std::vector<std::int32_t>{2, 40, 6, kStar, 41, 5, 3}));
}

TEST_F(Vocabulary, has_rows_that_are_the_means_of_the_pieces) {
  const ModelSource source = ModelSource::open(folder(), words("graphs\nstargene\nunheardof\n"));

  const at::Tensor before_VD = ModelSource::open(folder()).read({}).at(kRows);
  const at::Tensor rows_VD = source.read({}).at(kRows);
  const auto mean = [&](std::int32_t first, std::int32_t second) { return (before_VD[first] + before_VD[second]) / 2; };

  ASSERT_EQ(rows_VD.size(0), 43);
  EXPECT_TRUE(rows_VD.narrow(0, 0, 40).equal(before_VD));
  // Two additions and one division of floats below 4.
  EXPECT_LE((rows_VD[40] - mean(kGraph, kPluralEnd)).abs().max().item<float>(), 1e-6F);
  EXPECT_LE((rows_VD[41] - mean(kStar, kGeneEnd)).abs().max().item<float>(), 1e-6F);
  EXPECT_TRUE(rows_VD[42].equal(before_VD[1])) << "a word without pieces is [UNK]";
}

TEST_F(Vocabulary, takes_rows_that_the_tokenizer_left_free_first) {
  write_vocabulary(39);

  const ModelSource source = ModelSource::open(folder(), words("graphs\nstargene\n"));

  EXPECT_EQ(source.tokenizer().encode("graphs stargene"), (std::vector<std::int32_t>{2, 39, 40, 3}));
  EXPECT_EQ(source.spec.bert.vocab_size, 41);
  const at::Tensor before_VD = ModelSource::open(folder()).read({}).at(kRows);
  const at::Tensor expected = (before_VD[kGraph] + before_VD[kPluralEnd]) / 2;
  EXPECT_LE((source.read({}).at(kRows)[39] - expected).abs().max().item<float>(), 1e-6F);
}

// Whoever reads the files has the tokenizer that the model was trained with.
TEST_F(Vocabulary, is_in_the_tokenizer_files) {
  for (const bool json : {false, true}) {
    if (json) write_tokenizer_json();
    const ModelSource source = ModelSource::open(folder(), words("graphs\nstargene\n"));

    const auto files = source.tokenizer_files();

    EXPECT_EQ(files.contains("tokenizer.json"), json);
    for (const auto& [name, content] : files) test::write_text(temporary_.path() / "copy" / name, content);
    const data::Tokenizer copy = data::Tokenizer::from_directory(temporary_.path() / "copy");
    EXPECT_EQ(copy.fingerprint(), source.tokenizer().fingerprint());
    EXPECT_NE(copy.fingerprint(), ModelSource::open(folder()).tokenizer().fingerprint());
    EXPECT_THAT(files.at("vocab.txt"), testing::EndsWith("\n##x\ngraphs\nstargene\n"));
  }
}

TEST_F(Vocabulary, without_a_file_is_the_checkpoints) {
  const ModelSource source = ModelSource::open(ModelOptions{.checkpoint = folder().string()});

  EXPECT_TRUE(source.extension.empty());
  EXPECT_EQ(source.spec, ModelSource::open(folder()).spec);
  EXPECT_EQ(source.tokenizer_files(), read_tokenizer_files(folder()));
}

TEST_F(Vocabulary, refuses_words_that_text_cannot_give_naming_the_line) {
  EXPECT_THAT(refusal("graphs\nstar\n"), HasSubstr("must be new, the tokenizer knows 'star'"));
  EXPECT_THAT(refusal("graphs\nstar\n"), HasSubstr("words.txt:2"));
  EXPECT_THAT(refusal("graphs\n graphs\n"), HasSubstr("given once, got 'graphs' again"));
  for (const char* word : {"two words", "co-cited", "Graphs", "##ology", "caf\u00e9s"}) {
    EXPECT_THAT(refusal(str("stars\n", word)), HasSubstr("must be a word as the tokenizer finds it")) << word;
    EXPECT_THAT(refusal(str("stars\n", word)), HasSubstr("words.txt:2")) << word;
  }
}

TEST_F(Vocabulary, file_that_is_not_there_is_named) {
  EXPECT_THROW((void)ModelSource::open(folder(), folder() / "none.txt"), IoError);
}

}  // namespace
}  // namespace coterie::model
