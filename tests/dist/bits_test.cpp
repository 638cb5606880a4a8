// Replicas must stay equal in every bit: sums are the same on all ranks, in every repetition and however they are cut.
#include <cstring>

#include "base/random.h"
#include "groups.h"

namespace coterie::dist {
namespace {

class Bits : public OnEveryBackend {};

INSTANTIATE_TEST_SUITE_P(Groups, Bits, testing::ValuesIn(backends()), BackendName());

/// Values between -1 and 1 over many magnitudes, so that the order of a sum shows; a function of (rank, index).
at::Tensor noise(int rank, std::int64_t count) {
  at::Tensor values = at::empty({count}, at::kFloat);
  const RandomKey key = RandomKey{7}.derive(static_cast<std::uint64_t>(rank));
  for (std::int64_t i = 0; i < count; ++i) {
    const double unit = random_unit(key, static_cast<std::uint64_t>(i));
    values.data_ptr<float>()[i] = static_cast<float>((unit - 0.5) * (i % 3 == 0 ? 1e4 : 2.0));
  }
  return values;
}

/// The sum over ranks 0, 1, 2, ... in this order.
std::vector<float> sum_in_rank_order(int size, std::int64_t count) {
  std::vector<float> sum = values_of<float>(noise(0, count));
  for (int rank = 1; rank < size; ++rank) {
    const auto next = values_of<float>(noise(rank, count));
    for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += next[i];
  }
  return sum;
}

bool same_bits(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

// 100: every rank folds all. 5000: each rank folds a part and hands it to the others.
constexpr std::int64_t kCounts[] = {100, 5000};

TEST_P(Bits, all_reduce_adds_in_rank_order_on_every_rank) {
  for (const std::int64_t count : kCounts) {
    at::Tensor values = placed(noise(rank(), count));

    group().all_reduce(values);

    // The expected value does not depend on the rank, so this holds only if all ranks have the same bits.
    EXPECT_TRUE(same_bits(values_of<float>(values), sum_in_rank_order(size(), count))) << count;
  }
}

TEST_P(Bits, all_reduce_does_not_depend_on_how_a_tensor_is_cut) {
  at::Tensor whole = placed(noise(rank(), 5000));
  at::Tensor pieces = whole.clone();

  group().all_reduce(whole);
  for (std::int64_t begin = 0; begin < 5000; begin += 700) {
    at::Tensor piece = pieces.narrow(0, begin, std::min<std::int64_t>(700, 5000 - begin));
    group().all_reduce(piece);
  }

  EXPECT_TRUE(same_bits(values_of<float>(whole), values_of<float>(pieces)));
}

TEST_P(Bits, reduce_scatter_adds_in_rank_order) {
  const std::int64_t count = 100;
  const at::Tensor rows = placed(noise(rank(), count * size()));

  const at::Tensor block = group().reduce_scatter(rows, splits(count));

  const auto all = sum_in_rank_order(size(), count * size());
  const auto first = all.begin() + rank() * count;
  EXPECT_TRUE(same_bits(values_of<float>(block), std::vector<float>(first, first + count)));
}

}  // namespace
}  // namespace coterie::dist
