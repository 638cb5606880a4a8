// Experts named for documents: from documents.jsonl through corpus.h5 into packed batches.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "data/build.h"
#include "data/import_formats.h"
#include "data/loader.h"
#include "tests/data/corpus_fixture.h"
#include "tests/data/import_fixture.h"

namespace coterie::data {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::vector<Collection> imported(const SourceFolder& folder, std::string_view documents) {
  folder.write("mine/documents.jsonl", documents);
  folder.write("mine/pairs.jsonl", "");
  return import_plain(folder.path() / "mine");
}

TEST(NamedExperts, are_read_from_documents) {
  const SourceFolder folder;

  const auto collections = imported(folder, R"({"id": 1, "text": "a", "expert": 3}
{"id": 2, "text": "b"})");

  EXPECT_EQ(collections[0].documents[0].expert, 3);
  EXPECT_FALSE(collections[0].documents[1].expert.has_value());
}

TEST(NamedExperts, must_be_numbers_below_4096) {
  const SourceFolder folder;
  for (const char* bad : {"-1", "4096", "1.5", "\"2\""}) {
    const std::string line = str(R"({"id": 1, "text": "a", "expert": )", bad, "}");
    EXPECT_THAT(message_of<DataError>([&] { (void)imported(folder, line); }), HasSubstr("'expert'")) << bad;
  }
}

TEST(NamedExperts, of_a_corpus_come_back_and_reach_packed_sequences) {
  const TemporaryFolder folder;
  CorpusContent content = small_content();
  for (std::size_t i = 0; i < content.ids.size(); ++i)
    content.expert.push_back(i == 2 ? -1 : static_cast<std::int32_t>(i % 5));
  write_corpus(folder / "a.h5", content);

  const Corpus corpus(folder / "a.h5");
  const std::vector<std::uint32_t> documents = {7, 2, 4};
  const PackedSequences packed = pack(corpus, documents, 64);

  ASSERT_TRUE(corpus.names_experts());
  for (std::uint32_t i = 0; i < corpus.documents(); ++i) EXPECT_EQ(corpus.expert(i), content.expert[i]);
  EXPECT_THAT(packed.expert, ElementsAre(2, -1, 4));
  const std::vector<std::size_t> chosen = {2, 0};
  EXPECT_THAT(select(packed, chosen).expert, ElementsAre(4, 2));
}

TEST(NamedExperts, are_none_in_a_corpus_without_them) {
  const TemporaryFolder folder;
  write_corpus(folder / "a.h5", small_content());

  const Corpus corpus(folder / "a.h5");
  const std::vector<std::uint32_t> documents = {7, 2};

  EXPECT_FALSE(corpus.names_experts());
  EXPECT_TRUE(pack(corpus, documents, 64).expert.empty());
}

TEST(NamedExperts, must_fit_the_documents_of_a_corpus) {
  const TemporaryFolder folder;
  CorpusContent content = small_content();
  content.expert = {1};
  EXPECT_THAT(message_of<DataError>([&] { write_corpus(folder / "a.h5", content); }),
              HasSubstr("expected 60 experts, one per id, or none, got 1"));
  content.expert.assign(content.ids.size(), 4096);
  EXPECT_THAT(message_of<DataError>([&] { write_corpus(folder / "a.h5", content); }), HasSubstr("got 4096"));
}

TEST(NamedExperts, are_kept_by_the_build_where_one_document_names_one) {
  const TextEncoder encoder{[](std::string_view) { return std::vector<std::int32_t>{1, 2}; }, "test", 10};
  const auto built = [&](std::optional<std::int32_t> expert) {
    Collection collection{"alpha", {{"x", "text", Split::train, expert}, {"y", "more", Split::train}}, {}, {}};
    std::vector<Collection> collections;
    collections.push_back(std::move(collection));
    return build_content(std::move(collections), encoder, {}, RandomKey{3}).content.expert;
  };

  EXPECT_THAT(built(2), ElementsAre(2, -1));
  EXPECT_TRUE(built(std::nullopt).empty());
}

}  // namespace
}  // namespace coterie::data
