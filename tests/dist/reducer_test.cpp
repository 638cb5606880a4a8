// Gradients are summed over the ranks that hold the same parameters, and nothing else happens to them.
#include "dist/reducer.h"

#include "base/error.h"
#include "groups.h"

namespace coterie::dist {
namespace {

TEST(Reducer, sums_every_gradient_over_its_own_group_in_place) {
  const auto world = make_world();
  const auto half = make_part(2);
  at::Tensor dense = rows_of<float>({1, 2, 3}, 3).flatten();
  at::Tensor expert = rows_of<double>({10}, 1).flatten();
  const Reducer reducer({{dense, world.get()}, {expert, half.get()}});

  reducer.reduce();

  const auto ranks = static_cast<float>(world->size());
  EXPECT_EQ(values_of<float>(dense), (std::vector<float>{ranks, 2 * ranks, 3 * ranks}));
  EXPECT_EQ(values_of<double>(expert), std::vector<double>{10.0 * half->size()});
}

TEST(Reducer, gives_the_same_bits_for_every_bucket_size) {
  const auto world = make_world();
  std::vector<float> values;
  for (int i = 0; i < 10001; ++i) values.push_back(1.0f / static_cast<float>(i + 3 + 7 * world->rank()));
  at::Tensor once = rows_of(values, 1).flatten();
  at::Tensor in_buckets = once.clone();

  Reducer({{once, world.get()}}).reduce();
  Reducer({{in_buckets, world.get()}}, 4 * 333).reduce();

  EXPECT_EQ(values_of<float>(once), values_of<float>(in_buckets));
}

TEST(Reducer, accepts_an_empty_gradient) {
  const auto world = make_world();
  at::Tensor nothing = at::empty({0}, at::kFloat);

  EXPECT_NO_THROW(Reducer({{nothing, world.get()}}).reduce());
}

TEST(Reducer, refuses_a_gradient_that_is_not_flat) {
  const auto world = make_world();

  EXPECT_THROW(Reducer({{at::empty({2, 2}, at::kFloat), world.get()}}), ShapeError);
  EXPECT_THROW(Reducer({{at::empty({2}, at::kFloat), nullptr}}), ShapeError);
  EXPECT_THROW(Reducer({}, 0), ShapeError);
}

}  // namespace
}  // namespace coterie::dist
