// What `Dispatcher::combine` relies on: ATen's segment sum with segments of any length, none included.
#include "tests/harness/tensors.h"

namespace coterie::experts {
namespace {

at::Tensor segment_sum(const at::Tensor& rows_SD, const std::vector<std::int64_t>& lengths) {
  return at::segment_reduce(rows_SD, "sum", at::tensor(lengths, at::kLong), {}, {}, 0, /*unsafe=*/true, 0.0);
}

class SegmentSum : public testing::TestWithParam<std::vector<std::int64_t>> {
 protected:
  [[nodiscard]] static std::vector<std::int64_t> segments() {
    std::vector<std::int64_t> segment_of;
    for (std::size_t i = 0; i < GetParam().size(); ++i)
      segment_of.insert(segment_of.end(), static_cast<std::size_t>(GetParam()[i]), static_cast<std::int64_t>(i));
    return segment_of;
  }
};

INSTANTIATE_TEST_SUITE_P(Lengths, SegmentSum,
                         testing::Values(std::vector<std::int64_t>{0, 2, 0, 0, 1, 3, 0},
                                         std::vector<std::int64_t>{0, 0}, std::vector<std::int64_t>{0},
                                         std::vector<std::int64_t>{4}, std::vector<std::int64_t>{}));

TEST_P(SegmentSum, adds_the_rows_of_each_segment_and_is_zero_for_an_empty_one) {
  const std::vector<std::int64_t> segment_of = segments();
  for (const at::ScalarType dtype : {at::kFloat, at::kDouble}) {
    // Integers: sums are exact.
    const auto rows = static_cast<std::int64_t>(segment_of.size());
    const at::Tensor rows_SD = at::arange(rows * 17, at::kDouble).view({rows, 17}).to(dtype);

    const at::Tensor sum = segment_sum(rows_SD, GetParam());

    at::Tensor expected = at::zeros({static_cast<std::int64_t>(GetParam().size()), 17}, dtype);
    for (std::int64_t s = 0; s < rows; ++s) expected[segment_of[static_cast<std::size_t>(s)]] += rows_SD[s];
    EXPECT_TRUE(at::equal(sum, expected)) << sum << expected;
  }
}

TEST_P(SegmentSum, hands_each_row_the_gradient_of_its_segment) {
  const std::vector<std::int64_t> segment_of = segments();
  const at::Tensor rows_SD = test::random_leaf({static_cast<std::int64_t>(segment_of.size()), 17}, 1);
  const at::Tensor weights = test::random_tensor({static_cast<std::int64_t>(GetParam().size()), 17}, 2);

  torch::autograd::backward({(segment_sum(rows_SD, GetParam()) * weights).sum()});

  EXPECT_TRUE(at::equal(rows_SD.grad(), weights.index_select(0, at::tensor(segment_of, at::kLong))));
}

}  // namespace
}  // namespace coterie::experts
