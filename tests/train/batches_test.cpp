// Which cells the loss options take out of the negatives, on a corpus small enough to list them by hand.
#include "train/batches.h"

#include <gtest/gtest.h>

#include "tests/harness/temporary_folder.h"

namespace coterie::train {
namespace {

using Cells = std::vector<std::int64_t>;
using Domains = std::vector<std::int32_t>;

// Documents 0 to 3 are of one domain, 4 to 7 of another; 2 and 7 have one text.
class NegativeMasks : public testing::Test {
 protected:
  static data::Corpus make(const std::filesystem::path& path) {
    data::CorpusContent content;
    content.domains = {"biology", "physics"};
    content.tokenizer = "none";
    content.vocabulary = 10;
    for (int i = 0; i < 8; ++i) {
      content.ids.push_back(str("document ", i));
      content.texts.push_back(i == 7 ? "text 2" : str("text ", i));
      content.domain.push_back(i < 4 ? 0 : 1);
      content.split.push_back(data::Split::train);
      content.tokens.push_back({1, 2});
    }
    // Beside the four pairs of the batch: 0 with 3, 5 with 6.
    content.graph = {{0, 1, 1}, {0, 3, 1}, {2, 3, 1}, {4, 5, 1}, {5, 6, 2}, {6, 7, 1}};
    content.positives[0] = content.graph;
    data::write_corpus(path, content);
    return data::Corpus(path);
  }

  NegativeMask mask(bool known, Negatives negatives) const {
    return negative_mask({.mask_known = known, .negatives = negatives}, corpus_, batch_);
  }

  test::TemporaryFolder folder_;
  data::Corpus corpus_ = make(folder_.path() / "corpus.h5");
  const data::GlobalBatch batch_{{}, {0, 4, 2, 6}, {1, 5, 3, 7}, {}};
  // Row 0 (document 0): b of pair 2 is document 3. Row 2 (document 2): b of pair 3 has its text. Row 3 (document 6): b
  // of pair 1 is document 5. A pair's own cell stays.
  const Cells known_offsets_ = {0, 1, 1, 2, 3};
  const Cells known_columns_ = {2, 3, 1};
  const Cells no_offsets_ = {0, 0, 0, 0, 0};
};

TEST_F(NegativeMasks, known_pairs_and_equal_texts_are_out_by_default) {
  const NegativeMask mask = negative_mask({}, corpus_, batch_);

  EXPECT_EQ(mask.known.row_offsets, known_offsets_);
  EXPECT_EQ(mask.known.columns, known_columns_);
  EXPECT_EQ(mask.domain_a, Domains{});
  EXPECT_EQ(mask.domain_b, Domains{});
}

TEST_F(NegativeMasks, without_mask_known_every_cell_is_in) {
  const NegativeMask mask = this->mask(false, Negatives::all);

  EXPECT_EQ(mask.known.row_offsets, no_offsets_);
  EXPECT_EQ(mask.known.columns, Cells{});
  EXPECT_EQ(mask.domain_a, Domains{});
  EXPECT_EQ(mask.domain_b, Domains{});
}

TEST_F(NegativeMasks, of_the_same_domain_have_the_domain_of_each_side) {
  const NegativeMask mask = this->mask(false, Negatives::same_domain);

  EXPECT_EQ(mask.known.row_offsets, no_offsets_);
  EXPECT_EQ(mask.known.columns, Cells{});
  EXPECT_EQ(mask.domain_a, (Domains{0, 1, 0, 1}));
  EXPECT_EQ(mask.domain_b, (Domains{0, 1, 0, 1}));
}

// Document 3 is co-cited with documents 0 and 2, document 7 has the text of document 2.
TEST_F(NegativeMasks, have_a_column_for_each_hard_negative) {
  data::GlobalBatch batch{{}, {0, 4, 2}, {1, 5, 6}, {}};
  batch.negatives = {3, 7};
  batch.negative_of = {0, 1};

  const NegativeMask mask = negative_mask({.negatives = Negatives::same_domain}, corpus_, batch);

  EXPECT_EQ(mask.known.row_offsets, (Cells{0, 1, 1, 3}));
  EXPECT_EQ(mask.known.columns, (Cells{3, 3, 4}));
  EXPECT_EQ(mask.domain_a, (Domains{0, 1, 0}));
  EXPECT_EQ(mask.domain_b, (Domains{0, 1, 1, 0, 1}));
}

TEST(LoaderOptions, follow_the_loss) {
  const dist::Mesh mesh = dist::Mesh::solo();
  RunOptions options;
  options.loss.hard_negatives = 3;

  const data::LoaderOptions swapping = loader_options(options, {}, mesh, {});
  options.loss.kind = LossKind::query_to_document;
  const data::LoaderOptions directed = loader_options(options, {}, mesh, {});

  EXPECT_EQ(swapping.hard_negatives, 3);
  EXPECT_EQ(swapping.sampler.sides, data::Sides::random);
  EXPECT_EQ(directed.sampler.sides, data::Sides::as_stored);
}

TEST_F(NegativeMasks, of_the_same_domain_leave_known_pairs_out_too) {
  const NegativeMask mask = this->mask(true, Negatives::same_domain);

  EXPECT_EQ(mask.known.row_offsets, known_offsets_);
  EXPECT_EQ(mask.known.columns, known_columns_);
  EXPECT_EQ(mask.domain_a, (Domains{0, 1, 0, 1}));
  EXPECT_EQ(mask.domain_b, (Domains{0, 1, 0, 1}));
}

}  // namespace
}  // namespace coterie::train
