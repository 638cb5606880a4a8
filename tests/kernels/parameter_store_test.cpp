// The flat buffers behind named parameters.
#include "kernels/parameter_store.h"

#include <gmock/gmock.h>

#include "base/error.h"
#include "tests/harness/tensors.h"

namespace coterie::kernels {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr ParameterKind kDense{};
constexpr ParameterKind kBias{.decay = Decay::no};
constexpr ParameterKind kExpert{.sharing = Sharing::expert};

class Store : public testing::Test {
 protected:
  const at::Tensor first_ = test::random_tensor({2, 3}, 1);
  const at::Tensor bias_ = test::random_tensor({4}, 2);
  const at::Tensor second_ = test::random_tensor({5}, 3);
  const at::Tensor expert_ = test::random_tensor({2, 2}, 4);
  ParameterStore store_{
      {{"first", first_, kDense}, {"bias", bias_, kBias}, {"second", second_, kDense}, {"expert", expert_, kExpert}},
      at::kDouble};
};

TEST_F(Store, keeps_the_first_values) {
  EXPECT_TRUE(at::equal(store_.at("first"), first_));
  EXPECT_TRUE(at::equal(store_.at("bias"), bias_));
  EXPECT_TRUE(at::equal(store_.at("second"), second_));
  EXPECT_TRUE(at::equal(store_.at("expert"), expert_));
}

TEST_F(Store, copies_them) { EXPECT_FALSE(store_.at("first").is_alias_of(first_)); }

TEST_F(Store, has_one_segment_for_each_kind_in_order_of_declaration) {
  ASSERT_EQ(store_.segments().size(), 3U);
  EXPECT_EQ(store_.segments()[0].kind, kDense);
  EXPECT_EQ(store_.segments()[1].kind, kBias);
  EXPECT_EQ(store_.segments()[2].kind, kExpert);
  EXPECT_THAT(store_.segments()[0].names, ElementsAre("first", "second"));
  EXPECT_THAT(store_.names(), ElementsAre("first", "bias", "second", "expert"));
  EXPECT_TRUE(at::equal(store_.segments()[0].values, at::cat({first_.flatten(), second_})));
}

TEST_F(Store, joins_matrices_that_lie_one_behind_the_other) {
  const ParameterStore store({{"query", test::random_tensor({2, 3}, 1), kDense},
                              {"bias", bias_, kBias},
                              {"key", test::random_tensor({4, 3}, 2), kDense}},
                             {at::kDouble, at::kBFloat16});

  const Operand joined = store.joined({"query", "key"});
  (joined.leaf * 2).sum().backward();

  EXPECT_TRUE(at::equal(joined.leaf, at::cat({store.at("query"), store.at("key")})));
  EXPECT_TRUE(at::equal(joined.value, joined.leaf.to(at::kBFloat16)));
  EXPECT_TRUE(at::equal(store.at("key").grad(), at::full({4, 3}, 2, at::kDouble)));
  EXPECT_TRUE(at::equal(store.segments()[0].gradients, at::full({18}, 2, at::kDouble)));
}

TEST_F(Store, refuses_to_join_what_lies_apart_or_differs_in_width) {
  EXPECT_THAT(test::error_of<ShapeError>([&] {
                static_cast<void>(store_.joined({"second", "first"}));
              }),
              HasSubstr("parameters: 'first' does not continue 'second'"));
  EXPECT_THAT(test::error_of<ShapeError>([&] {
                static_cast<void>(store_.joined({"first", "second"}));
              }),
              HasSubstr("'second' does not continue 'first'"));
  EXPECT_THAT(test::error_of<ShapeError>([&] {
                static_cast<void>(store_.joined({"first", "bias"}));
              }),
              HasSubstr("'bias' does not continue 'first'"));
}

TEST_F(Store, leaf_and_flat_buffer_are_the_same_memory) {
  const at::NoGradGuard no_gradient;
  const Segment& dense = store_.segments()[0];

  at::Tensor flat = dense.values;
  flat.fill_(7);
  at::Tensor leaf = store_.at("second");
  leaf.fill_(8);

  EXPECT_TRUE(at::equal(store_.at("first"), at::full({2, 3}, 7, at::kDouble)));
  EXPECT_TRUE(at::equal(dense.values.slice(0, 6, 11), at::full({5}, 8, at::kDouble)));
  EXPECT_TRUE(at::equal(store_.at("bias"), bias_));
}

TEST_F(Store, parameters_are_leaves_that_require_a_gradient) {
  for (const std::string& name : store_.names()) {
    EXPECT_TRUE(store_.at(name).is_leaf()) << name;
    EXPECT_TRUE(store_.at(name).requires_grad()) << name;
  }
}

TEST_F(Store, backward_adds_into_the_flat_gradients) {
  const auto pass = [&] {
    torch::autograd::backward({(store_.at("first") * first_).sum() + store_.at("second").sum() * 2});
  };

  pass();
  pass();

  const Segment& dense = store_.segments()[0];
  EXPECT_TRUE(at::equal(dense.gradients, at::cat({first_.flatten() * 2, at::full({5}, 4, at::kDouble)})));
  EXPECT_EQ(store_.at("second").grad().data_ptr<double>(), dense.gradients.data_ptr<double>() + 6);
  // Nothing reached these: their gradient is zero, not missing.
  EXPECT_TRUE(at::equal(store_.segments()[1].gradients, at::zeros({4}, at::kDouble)));
  EXPECT_TRUE(at::equal(store_.segments()[2].gradients, at::zeros({4}, at::kDouble)));
}

TEST_F(Store, zero_gradients_keeps_them_in_the_flat_buffer) {
  torch::autograd::backward({store_.at("second").sum()});

  store_.zero_gradients();
  EXPECT_TRUE(at::equal(store_.segments()[0].gradients, at::zeros({11}, at::kDouble)));
  torch::autograd::backward({store_.at("second").sum()});

  EXPECT_TRUE(at::equal(store_.segments()[0].gradients.slice(0, 6, 11), at::ones({5}, at::kDouble)));
}

TEST_F(Store, stays_whole_when_a_graph_outlives_it) {
  at::Tensor loss;
  at::Tensor gradients;
  {
    const ParameterStore brief({{"only", second_, kDense}}, at::kDouble);
    loss = (brief.at("only") * 3).sum();
    gradients = brief.segments()[0].gradients;
  }

  torch::autograd::backward({loss});

  EXPECT_TRUE(at::equal(gradients, at::full({5}, 3, at::kDouble)));
}

TEST_F(Store, slices_a_buffer_that_is_parallel_to_the_segments) {
  std::vector<at::Tensor> moments;
  for (const Segment& segment : store_.segments()) moments.push_back(at::zeros_like(segment.values));
  moments[0].copy_(at::arange(11, at::kDouble));

  const at::Tensor first = store_.slice("first", moments);
  const at::Tensor second = store_.slice("second", moments);

  EXPECT_TRUE(at::equal(first, at::arange(6, at::kDouble).view({2, 3})));
  EXPECT_TRUE(at::equal(second, at::arange(6, 11, at::kDouble)));
  EXPECT_TRUE(first.is_alias_of(moments[0]));
}

TEST_F(Store, holds_the_master_dtype_whatever_was_declared) {
  const ParameterStore single({{"first", first_, kDense}}, at::kFloat);

  EXPECT_EQ(single.master(), at::kFloat);
  EXPECT_EQ(single.at("first").scalar_type(), at::kFloat);
  EXPECT_EQ(single.segments()[0].gradients.scalar_type(), at::kFloat);
  EXPECT_TRUE(at::equal(single.at("first"), first_.to(at::kFloat)));
}

TEST_F(Store, knows_what_it_contains) {
  EXPECT_TRUE(store_.contains("bias"));
  EXPECT_FALSE(store_.contains("biases"));
}

TEST_F(Store, refuses_a_name_that_is_declared_twice) {
  const std::vector<Declaration> twice = {{"first", first_, kDense}, {"first", bias_, kBias}};

  EXPECT_THAT(test::error_of<ShapeError>([&] { const ParameterStore store(twice, at::kFloat); }),
              HasSubstr("parameters: 'first' is declared twice"));
}

TEST_F(Store, names_what_is_missing) {
  EXPECT_THAT(test::error_of<ShapeError>([&] { static_cast<void>(store_.at("third")); }),
              HasSubstr("parameters: there is no 'third'"));
  EXPECT_THAT(test::error_of<ShapeError>([&] { static_cast<void>(store_.slice("third", {})); }),
              HasSubstr("parameters: there is no 'third'"));
}

TEST_F(Store, without_parameters_is_legal) {
  ParameterStore none({}, at::kFloat);
  none.zero_gradients();

  EXPECT_TRUE(none.segments().empty());
}

}  // namespace
}  // namespace coterie::kernels
