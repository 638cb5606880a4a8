// Which pairs form a batch, how ranks share it, and which of its cells are no negatives.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <set>

#include "base/error.h"
#include "data/masked_cells.h"
#include "data/pair_sampler.h"
#include "data/share.h"
#include "data/window_plan.h"
#include "tests/data/corpus_fixture.h"

namespace coterie::data {
namespace {

using Key = std::pair<std::uint32_t, std::uint32_t>;

Key unswapped(std::uint32_t a, std::uint32_t b) { return {std::min(a, b), std::max(a, b)}; }

std::vector<Key> pairs_of(const GlobalBatch& batch) {
  std::vector<Key> pairs;
  for (std::size_t i = 0; i < batch.a.size(); ++i) pairs.push_back(unswapped(batch.a[i], batch.b[i]));
  return pairs;
}

class Sampler : public testing::Test {
 protected:
  static constexpr SamplerOptions kOptions{.batch_pairs = 8, .window_pairs = 100};
  static constexpr RandomKey kKey{17};

  Sampler() {
    write_corpus(folder_ / "corpus.h5", small_content(200, 8));
    corpus_.emplace(folder_ / "corpus.h5");
  }

  // Every batch of an epoch, from its start.
  static std::vector<GlobalBatch> epoch_of(PairSampler& sampler, std::int64_t epoch) {
    std::vector<GlobalBatch> batches;
    while (sampler.cursor().epoch == epoch) batches.push_back(sampler.next());
    return batches;
  }

  TemporaryFolder folder_;
  std::optional<Corpus> corpus_;
};

TEST_F(Sampler, gives_full_batches_without_a_repeated_text) {
  PairSampler sampler(*corpus_, kKey, kOptions);
  ASSERT_GE(sampler.windows(), 3);

  for (std::int64_t epoch = 0; epoch < 3; ++epoch) {
    const std::vector<GlobalBatch> batches = epoch_of(sampler, epoch);
    ASSERT_GE(batches.size(), 20U);
    for (const GlobalBatch& batch : batches) {
      std::set<std::uint32_t> classes;
      for (const auto* side : {&batch.a, &batch.b})
        for (const std::uint32_t document : *side) classes.insert(corpus_->text_class(document));
      EXPECT_EQ(batch.pairs(), 8);
      EXPECT_EQ(classes.size(), 16U);
    }
  }
}

TEST_F(Sampler, gives_every_pair_once_an_epoch_or_counts_it_as_dropped) {
  PairSampler sampler(*corpus_, kKey, kOptions);
  const auto& train = corpus_->positives(Split::train);

  for (std::int64_t epoch = 0; epoch < 3; ++epoch) {
    std::set<Key> seen;
    std::int64_t told = 0;
    std::int64_t batches = 0;
    std::size_t dropped = 0;
    for (const GlobalBatch& batch : epoch_of(sampler, epoch)) {
      EXPECT_EQ(batch.window.windows, sampler.windows());
      ++batches;
      if (batch.cursor.batch == 0) {
        told += batch.window.batches;
        dropped += static_cast<std::size_t>(batch.window.dropped_pairs);
      }
      for (const Key& pair : pairs_of(batch)) {
        EXPECT_TRUE(seen.insert(pair).second) << "twice in epoch " << epoch;
        const bool known = std::any_of(train.begin(), train.end(),
                                       [&](const Pair& p) { return p.a == pair.first && p.b == pair.second; });
        EXPECT_TRUE(known);
      }
    }
    EXPECT_EQ(batches, told);
    EXPECT_EQ(seen.size() + dropped, train.size());
  }
}

TEST_F(Sampler, shuffles_each_epoch_anew) {
  PairSampler sampler(*corpus_, kKey, kOptions);
  std::vector<std::vector<Key>> orders;
  for (std::int64_t epoch = 0; epoch < 2; ++epoch) {
    orders.emplace_back();
    for (const GlobalBatch& batch : epoch_of(sampler, epoch))
      for (const Key& pair : pairs_of(batch)) orders.back().push_back(pair);
  }

  EXPECT_NE(orders[0], orders[1]);
  for (const auto& order : orders) EXPECT_FALSE(std::is_sorted(order.begin(), order.end()));
}

TEST_F(Sampler, depends_on_the_key) {
  PairSampler one(*corpus_, {1}, kOptions);
  PairSampler same(*corpus_, {1}, kOptions);
  PairSampler other(*corpus_, {2}, kOptions);

  const GlobalBatch batch = one.next();

  EXPECT_EQ(batch.a, same.next().a);
  EXPECT_NE(batch.a, other.next().a);
}

// Fair coins: of n swaps, n / 2 with a deviation of sqrt(n) / 2; six of them are allowed.
TEST_F(Sampler, swaps_half_of_the_pairs_and_others_in_the_next_epoch) {
  PairSampler sampler(*corpus_, kKey, kOptions);
  std::map<Key, bool> first;
  std::int64_t swapped = 0;
  std::int64_t all = 0;
  std::int64_t changed = 0;
  std::int64_t repeated = 0;
  for (std::int64_t epoch = 0; epoch < 2; ++epoch) {
    for (const GlobalBatch& batch : epoch_of(sampler, epoch)) {
      for (std::size_t i = 0; i < batch.a.size(); ++i) {
        const bool swap = batch.a[i] > batch.b[i];
        ++all;
        swapped += swap ? 1 : 0;
        const auto [found, fresh] = first.emplace(unswapped(batch.a[i], batch.b[i]), swap);
        if (fresh) continue;
        ++repeated;
        changed += found->second == swap ? 0 : 1;
      }
    }
  }

  ASSERT_GT(repeated, 100);
  EXPECT_NEAR(static_cast<double>(swapped), 0.5 * static_cast<double>(all), 3 * std::sqrt(static_cast<double>(all)));
  EXPECT_NEAR(static_cast<double>(changed), 0.5 * static_cast<double>(repeated),
              3 * std::sqrt(static_cast<double>(repeated)));
}

TEST_F(Sampler, swaps_nothing_where_sides_are_as_stored) {
  SamplerOptions as_stored = kOptions;
  as_stored.sides = Sides::as_stored;
  PairSampler sampler(*corpus_, kKey, as_stored);
  PairSampler swapping(*corpus_, kKey, kOptions);

  for (int i = 0; i < 20; ++i) {
    const GlobalBatch batch = sampler.next();
    for (std::size_t k = 0; k < batch.a.size(); ++k) EXPECT_LT(batch.a[k], batch.b[k]);
    EXPECT_EQ(pairs_of(batch), pairs_of(swapping.next())) << "the order of pairs does not depend on it";
  }
}

TEST_F(Sampler, continues_at_any_cursor) {
  PairSampler sampler(*corpus_, kKey, kOptions);
  std::vector<Cursor> cursors;
  std::vector<GlobalBatch> batches;
  while (sampler.cursor().epoch < 2) {
    cursors.push_back(sampler.cursor());
    batches.push_back(sampler.next());
    EXPECT_EQ(batches.back().cursor, cursors.back());
  }

  for (std::size_t i = 0; i < cursors.size(); ++i) {
    PairSampler resumed(*corpus_, kKey, kOptions);
    resumed.seek(cursors[i]);
    EXPECT_EQ(resumed.cursor(), cursors[i]);
    for (std::size_t j = i; j < std::min(i + 15, batches.size()); ++j) {
      const GlobalBatch batch = resumed.next();
      EXPECT_EQ(batch.a, batches[j].a);
      EXPECT_EQ(batch.b, batches[j].b);
      EXPECT_EQ(batch.cursor, batches[j].cursor);
    }
  }
}

TEST_F(Sampler, takes_the_end_of_a_window_for_the_start_of_the_next) {
  PairSampler sampler(*corpus_, kKey, kOptions);
  std::int64_t batches = 0;
  for (; sampler.cursor().window == 0; ++batches) static_cast<void>(sampler.next());

  sampler.seek({0, 0, batches});

  EXPECT_EQ(sampler.cursor(), (Cursor{0, 1, 0}));
  EXPECT_THROW(sampler.seek({0, 0, batches + 1}), DataError);
  EXPECT_THROW(sampler.seek({0, sampler.windows(), 0}), DataError);
  EXPECT_THROW(sampler.seek({-1, 0, 0}), DataError);
  EXPECT_EQ(sampler.cursor(), (Cursor{0, 1, 0}));
}

TEST_F(Sampler, says_what_to_lower_when_the_pairs_are_too_few) {
  const auto pairs = static_cast<std::int64_t>(corpus_->positives(Split::train).size());
  try {
    const PairSampler sampler(*corpus_, kKey, {.batch_pairs = pairs + 1, .window_pairs = pairs + 1});
    FAIL() << "no error";
  } catch (const DataError& error) {
    EXPECT_THAT(error.what(), testing::HasSubstr(str("takes ", pairs + 1, " training pairs")));
    EXPECT_THAT(error.what(), testing::HasSubstr(str("has ", pairs, ": lower data.batch_pairs")));
  }
}

// 120 training documents give at most 60 disjoint pairs, however many pairs there are.
TEST_F(Sampler, says_what_to_lower_when_the_documents_are_too_few) {
  ASSERT_GT(corpus_->positives(Split::train).size(), 80U);
  EXPECT_THROW(PairSampler(*corpus_, kKey, {.batch_pairs = 80, .window_pairs = 80}), DataError);
}

TEST_F(Sampler, wants_windows_that_hold_a_batch) {
  EXPECT_THROW(PairSampler(*corpus_, kKey, {.batch_pairs = 8, .window_pairs = 7}), ConfigError);
}

// Disjoint pairs: nothing stands in the way, so that only what fills no batch is left out.
TEST(WindowPlan, fills_batches_in_order_where_nothing_repeats) {
  const std::vector<std::uint32_t> first = {0, 1, 2, 3, 4, 5, 6};
  const std::vector<std::uint32_t> second = {10, 11, 12, 13, 14, 15, 16};

  EXPECT_EQ(plan_window(first, second, 3), (std::vector<std::vector<std::uint32_t>>{{0, 1, 2}, {3, 4, 5}}));
}

TEST(WindowPlan, leaves_out_a_pair_of_one_class) {
  EXPECT_EQ(plan_window({0, 1, 2}, {5, 1, 6}, 1), (std::vector<std::vector<std::uint32_t>>{{0}, {2}}));
}

// Pairs 0, 1, 2 share document 0: each must wait for a batch of its own.
TEST(WindowPlan, spreads_the_pairs_of_one_document_over_batches) {
  const std::vector<std::uint32_t> first = {0, 0, 0, 1, 2, 3};
  const std::vector<std::uint32_t> second = {10, 11, 12, 13, 14, 15};

  EXPECT_EQ(plan_window(first, second, 2), (std::vector<std::vector<std::uint32_t>>{{0, 3}, {1, 4}, {2, 5}}));
}

// 200 pairs of one document before 200 disjoint ones: more than the 64 batches that are open at a time.
TEST(WindowPlan, brings_deferred_pairs_into_later_batches) {
  std::vector<std::uint32_t> first(200, 0);
  std::vector<std::uint32_t> second;
  for (std::uint32_t i = 0; i < 200; ++i) first.push_back(1000 + i);
  for (std::uint32_t i = 0; i < 400; ++i) second.push_back(5000 + i);

  EXPECT_EQ(plan_window(first, second, 2).size(), 200U);
}

// Pairs 0 and 3 are left in one batch, 1 and 2 in another; pair 3 completes the second.
TEST(WindowPlan, completes_a_batch_with_the_pairs_of_another) {
  EXPECT_EQ(plan_window({0, 0, 10, 3}, {10, 12, 13, 30}, 3), (std::vector<std::vector<std::uint32_t>>{{1, 2, 3}}));
}

class Shares : public Sampler, public testing::WithParamInterface<std::int64_t> {};

TEST_P(Shares, add_up_to_the_batch_and_are_ascending) {
  PairSampler sampler(*corpus_, kKey, kOptions);
  const GlobalBatch batch = sampler.next();

  const auto shares = share(*corpus_, batch, 20, GetParam());

  std::vector<std::int64_t> all;
  ASSERT_EQ(static_cast<std::int64_t>(shares.size()), GetParam());
  for (const auto& positions : shares) {
    EXPECT_TRUE(std::is_sorted(positions.begin(), positions.end()));
    all.insert(all.end(), positions.begin(), positions.end());
  }
  std::sort(all.begin(), all.end());
  EXPECT_EQ(all, (std::vector<std::int64_t>{0, 1, 2, 3, 4, 5, 6, 7}));
}

// Longest first to the lightest: two ranks never differ by more than the longest pair (two documents, cut to 20).
TEST_P(Shares, are_balanced_by_tokens) {
  PairSampler sampler(*corpus_, kKey, {.batch_pairs = 32, .window_pairs = 100});
  const GlobalBatch batch = sampler.next();

  std::vector<std::int64_t> loads;
  for (const auto& positions : share(*corpus_, batch, 20, GetParam())) {
    loads.push_back(0);
    for (const std::int64_t position : positions)
      for (const auto* side : {&batch.a, &batch.b})
        loads.back() += std::min<std::int64_t>(20, corpus_->length((*side)[static_cast<std::size_t>(position)]));
  }

  const auto [least, most] = std::minmax_element(loads.begin(), loads.end());
  EXPECT_LE(*most - *least, 40);
}

INSTANTIATE_TEST_SUITE_P(Ranks, Shares, testing::Values(1, 2, 3, 4, 6, 11));

// Lengths of each pair, cut: 8, 40, 12, 20. The second goes to rank 0, the others to rank 1.
TEST(Share, weighs_a_long_pair_against_several_short_ones) {
  const TemporaryFolder folder;
  CorpusContent content = small_content();
  const std::size_t lengths[] = {4, 20, 6, 10};
  for (std::size_t i = 0; i < 8; ++i) content.tokens[i].assign(lengths[i % 4], 7);
  write_corpus(folder / "corpus.h5", content);
  GlobalBatch batch;
  batch.a = {0, 1, 2, 3};
  batch.b = {4, 5, 6, 7};
  const Corpus corpus(folder / "corpus.h5");

  EXPECT_EQ(share(corpus, batch, 100, 2), (std::vector<std::vector<std::int64_t>>{{1}, {0, 2, 3}}));
  // Cut to 4 all pairs weigh the same.
  EXPECT_EQ(share(corpus, batch, 4, 2), (std::vector<std::vector<std::int64_t>>{{0, 2}, {1, 3}}));
}

// Any batch, also one with documents and texts that occur more than once, against the definition.
TEST_F(Sampler, masks_what_is_co_cited_or_equal_and_nothing_else) {
  GlobalBatch batch;
  for (std::uint64_t i = 0; i < 60; ++i) {
    batch.a.push_back(static_cast<std::uint32_t>(random_below({3}, i, 200)));
    batch.b.push_back(static_cast<std::uint32_t>(random_below({4}, i, 200)));
  }
  batch.a[7] = batch.b[9];  // one document on both sides
  batch.b[20] = batch.b[21];
  batch.a[30] = 0;  // a hub: more partners than the batch has columns is tried below
  MaskedCells expected;
  for (std::size_t i = 0; i < 60; ++i) {
    for (std::size_t j = 0; j < 60; ++j) {
      const bool known = corpus_->co_cited(batch.a[i], batch.b[j]) ||
                         corpus_->text_class(batch.a[i]) == corpus_->text_class(batch.b[j]);
      if (i != j && known) expected.columns.push_back(static_cast<std::int64_t>(j));
    }
    expected.row_offsets.push_back(static_cast<std::int64_t>(expected.columns.size()));
  }
  ASSERT_GT(expected.columns.size(), 60U);

  const MaskedCells cells = masked_cells(*corpus_, batch);

  EXPECT_EQ(cells.row_offsets, expected.row_offsets);
  EXPECT_EQ(cells.columns, expected.columns);
}

TEST_F(Sampler, masks_alike_when_a_document_has_more_partners_than_the_batch_pairs) {
  const auto partners = corpus_->partners(0);
  ASSERT_GT(partners.size(), 3U);
  GlobalBatch batch;
  batch.a = {0, 1, 2};
  batch.b = {partners[0], 199, partners[2]};

  const MaskedCells cells = masked_cells(*corpus_, batch);

  EXPECT_EQ(cells.row_offsets[1], 1);
  EXPECT_EQ(cells.columns[0], 2);
}

TEST_F(Sampler, names_the_domain_of_each_document) {
  EXPECT_EQ(domains_of(*corpus_, {0, 150, 99, 100}), (std::vector<std::int32_t>{0, 1, 0, 1}));
}

}  // namespace
}  // namespace coterie::data
