// Dropout: what a bit depends on, how often it falls, and the gradient.
#include "kernels/dropout.h"

#include <ATen/Parallel.h>
#include <gmock/gmock.h>

#include <cmath>

#include "base/error.h"
#include "tests/harness/tensors.h"

namespace coterie::kernels {
namespace {

using testing::HasSubstr;

constexpr RandomKey kKey{12345};

/// Token positions 0, 1, 2, ... of sequences with these indices and lengths.
TokenPlaces places_of(const std::vector<std::pair<std::int64_t, std::int64_t>>& sequences) {
  TokenPlaces places;
  for (const auto& [index, length] : sequences) {
    for (std::int64_t t = 0; t < length; ++t) {
      places.sequence.push_back(index);
      places.token.push_back(t);
    }
  }
  return places;
}

at::Tensor factors(const TokenPlaces& places, std::int64_t width, double rate, RandomKey key = kKey) {
  return dropout(at::ones({static_cast<std::int64_t>(places.sequence.size()), width}, at::kDouble), rate, key, places);
}

double dropped(const at::Tensor& values) { return values.eq(0).sum().item<double>(); }

TEST(Dropout, of_rate_zero_returns_the_input) {
  const at::Tensor tokens_TD = test::random_tensor({2, 3}, 1);

  EXPECT_TRUE(dropout(tokens_TD, 0.0, kKey, places_of({{0, 2}})).is_same(tokens_TD));
}

TEST(Dropout, zeroes_or_divides_by_the_rate_kept) {
  const at::Tensor tokens_TD = test::random_tensor({5, 32}, 1);

  const at::Tensor out_TD = dropout(tokens_TD, 0.25, kKey, places_of({{0, 5}}));

  const at::Tensor kept_TD = tokens_TD * (1.0 / 0.75);
  EXPECT_TRUE((out_TD.eq(0) | out_TD.eq(kept_TD)).all().item<bool>());
  EXPECT_TRUE(out_TD.eq(0).any().item<bool>());
  EXPECT_TRUE(out_TD.eq(kept_TD).any().item<bool>());
}

TEST(Dropout, of_a_token_is_the_same_in_any_packing) {
  const at::Tensor together = factors(places_of({{7, 3}, {2, 5}, {900, 1}}), 64, 0.5);
  const at::Tensor reordered = factors(places_of({{900, 1}, {2, 5}, {11, 4}, {7, 3}}), 64, 0.5);
  const at::Tensor alone = factors(places_of({{2, 5}}), 64, 0.5);

  EXPECT_TRUE(at::equal(together.slice(0, 0, 3), reordered.slice(0, 10, 13)));
  EXPECT_TRUE(at::equal(together.slice(0, 3, 8), reordered.slice(0, 1, 6)));
  EXPECT_TRUE(at::equal(together.slice(0, 3, 8), alone));
  EXPECT_TRUE(at::equal(together.slice(0, 8, 9), reordered.slice(0, 0, 1)));
}

TEST(Dropout, of_different_tokens_sequences_and_keys_differs) {
  // 64 bits at rate one half: two rows are equal by chance once in 2^64. The places hold (a, b) as well as (b, a).
  const TokenPlaces places = places_of({{0, 4}, {1, 4}, {2, 4}, {3, 4}});
  const at::Tensor rows = at::cat({factors(places, 64, 0.5), factors(places, 64, 0.5, {54321})});

  for (std::int64_t i = 0; i < rows.size(0); ++i)
    for (std::int64_t j = 0; j < i; ++j) EXPECT_FALSE(at::equal(rows[i], rows[j])) << i << ", " << j;
}

TEST(Dropout, of_a_channel_does_not_depend_on_the_width) {
  const TokenPlaces places = places_of({{0, 9}});

  const at::Tensor narrow = factors(places, 7, 0.5);
  const at::Tensor wide = factors(places, 64, 0.5);

  EXPECT_TRUE(at::equal(narrow, wide.slice(1, 0, 7)));
}

TEST(Dropout, drops_at_its_rate_and_neighbouring_channels_independently) {
  const double rate = 0.1;
  const at::Tensor values = factors(places_of({{0, 100}, {1, 100}}), 512, rate);

  const at::Tensor zero = values.eq(0);
  const double pairs = (zero.slice(1, 0, 511) & zero.slice(1, 1, 512)).sum().item<double>();

  // Counts of independent events: n p, with deviation sqrt(n p (1 - p)). Five deviations fail once in 2 million keys.
  // Pairs overlap by one: their variance is below n (p^2 + 2 p^3).
  const double n = 200 * 512;
  EXPECT_NEAR(dropped(values), n * rate, 5 * std::sqrt(n * rate * (1 - rate)));
  const double m = 200 * 511;
  EXPECT_NEAR(pairs, m * rate * rate, 5 * std::sqrt(m * (rate * rate + 2 * rate * rate * rate)));
}

TEST(Dropout, gradient_is_the_factor) {
  const at::Tensor tokens_TD = test::random_leaf({4, 8}, 1);
  const at::Tensor weights_TD = test::random_tensor({4, 8}, 2);
  const TokenPlaces places = places_of({{3, 4}});

  torch::autograd::backward({(dropout(tokens_TD, 0.5, kKey, places) * weights_TD).sum()});

  EXPECT_TRUE(at::equal(tokens_TD.grad(), weights_TD * factors(places, 8, 0.5)));
}

TEST(Dropout, drops_the_same_in_float_and_double) {
  const TokenPlaces places = places_of({{1, 10}});

  const at::Tensor single = dropout(at::ones({10, 33}, at::kFloat), 0.3, kKey, places);

  EXPECT_EQ(single.scalar_type(), at::kFloat);
  EXPECT_TRUE(at::equal(single.eq(0), factors(places, 33, 0.3).eq(0)));
}

TEST(Dropout, does_not_depend_on_the_number_of_threads) {
  const TokenPlaces places = places_of({{0, 300}});
  const int before = at::get_num_threads();
  at::set_num_threads(1);
  const at::Tensor one = factors(places, 16, 0.5);

  at::set_num_threads(3);
  const at::Tensor three = factors(places, 16, 0.5);
  at::set_num_threads(before);

  EXPECT_TRUE(at::equal(one, three));
}

TEST(Dropout, of_no_tokens_is_legal) { EXPECT_EQ(factors({}, 16, 0.5).sizes(), (std::vector<std::int64_t>{0, 16})); }

TEST(Dropout, needs_a_place_for_each_token) {
  TokenPlaces places = places_of({{0, 3}});
  const auto call = [&](std::int64_t tokens) {
    return test::error_of<ShapeError>([&] {
      static_cast<void>(dropout(at::ones({tokens, 4}, at::kDouble), 0.5, kKey, places));
    });
  };

  EXPECT_THAT(call(4), HasSubstr("dropout: 3 places for 4 tokens"));
  places.token.pop_back();
  EXPECT_THAT(call(3), HasSubstr("dropout: 2 places for 3 tokens"));
}

at::Tensor attention_factors(std::int64_t heads, std::int64_t length, std::int64_t sequence, double rate = 0.5,
                             RandomKey key = kKey) {
  return attention_dropout_factors(heads, length, rate, key, sequence, at::kDouble);
}

TEST(AttentionDropout, factors_are_zero_or_one_over_the_rate_kept) {
  const at::Tensor values = attention_factors(2, 16, 0, 0.25);

  EXPECT_TRUE((values.eq(0) | values.eq(1.0 / 0.75)).all().item<bool>());
}

TEST(AttentionDropout, bit_depends_on_sequence_head_query_and_key_position_only) {
  const at::Tensor small = attention_factors(2, 5, 3);
  const at::Tensor large = attention_factors(4, 70, 3);

  EXPECT_TRUE(at::equal(small, large.slice(0, 0, 2).slice(1, 0, 5).slice(2, 0, 5)));
}

TEST(AttentionDropout, of_different_sequences_heads_queries_and_keys_differs) {
  const at::Tensor rows =
      at::cat({attention_factors(3, 64, 0).slice(1, 0, 4), attention_factors(3, 64, 1).slice(1, 0, 4),
               attention_factors(3, 64, 0, 0.5, {54321}).slice(1, 0, 4)})
          .reshape({-1, 64});

  for (std::int64_t i = 0; i < rows.size(0); ++i)
    for (std::int64_t j = 0; j < i; ++j) EXPECT_FALSE(at::equal(rows[i], rows[j])) << i << ", " << j;
}

TEST(AttentionDropout, differs_from_the_dropout_of_tokens_under_the_same_key) {
  const at::Tensor tokens = factors(places_of({{2, 64}}), 64, 0.5);
  const at::Tensor attention = attention_factors(1, 64, 2)[0];

  for (std::int64_t i = 0; i < 64; ++i) EXPECT_FALSE(at::equal(tokens[i], attention[i])) << i;
}

TEST(AttentionDropout, drops_at_its_rate) {
  const double rate = 0.2;

  const at::Tensor values = attention_factors(4, 160, 5, rate);

  // As for tokens: five deviations.
  const double n = 4 * 160 * 160;
  EXPECT_NEAR(dropped(values), n * rate, 5 * std::sqrt(n * rate * (1 - rate)));
}

TEST(AttentionDropout, drops_the_same_in_float_and_double) {
  const at::Tensor single = attention_dropout_factors(2, 9, 0.5, kKey, 1, at::kFloat);

  EXPECT_TRUE(at::equal(single.eq(0), attention_factors(2, 9, 1).eq(0)));
}

}  // namespace
}  // namespace coterie::kernels
