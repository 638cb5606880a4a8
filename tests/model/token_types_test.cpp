// The types of tokens that the encoder tells their router: segments of each sequence, and an expert for each.
#include <ATen/Functions.h>
#include <gtest/gtest.h>

#include "model/sentence_encoder.h"
#include "tests/harness/packing.h"
#include "tests/harness/tensors.h"
#include "tests/harness/tiny_model.h"

namespace coterie::model {
namespace {

// [SEP] is 3 in the tiny vocabulary, [CLS] 2.
class TokenTypes : public testing::Test {
 protected:
  void append(const std::vector<std::int32_t>& ids) {
    test::append(packed_, ids, 16, -1, packed_.sequences());
    packed_.expert.push_back(0);
  }
  /// A model of three experts that differ, in the last layer alone: its tokens then meet in no further attention.
  [[nodiscard]] SentenceEncoder model(experts::RouterKind router) const {
    ModelSpec spec = test::tiny_spec();
    spec.expert_layers = {1};
    spec.router = router;
    spec.expert_count = 3;
    return make_sentence_encoder(spec, test::tiny_weights(spec, 3, at::kDouble), mesh_, at::kDouble);
  }
  [[nodiscard]] at::Tensor experts_by_type() const {
    experts::Plans plans;
    static_cast<void>(model(experts::RouterKind::token_type).encoder->forward(packed_, {}, plans));
    EXPECT_EQ(plans.records().size(), 1U);
    return plans.records()[0].choice.expert_S;
  }
  /// The last layer's output for each token.
  [[nodiscard]] at::Tensor forward(experts::RouterKind router) const {
    experts::Plans plans;
    return model(router).encoder->forward(packed_, {}, plans).detach();
  }

  const dist::Mesh mesh_ = dist::Mesh::solo();
  data::PackedSequences packed_;
};

TEST_F(TokenTypes, rise_behind_each_separator) {
  append({2, 7, 3, 8, 3});

  EXPECT_TRUE(at::equal(experts_by_type(), at::tensor({0, 0, 0, 1, 1}, at::kLong)));
}

TEST_F(TokenTypes, start_again_at_each_sequence) {
  append({2, 7, 3, 8, 3});
  append({2, 9, 3});
  append({2, 7, 3, 3, 8, 9, 3});

  EXPECT_TRUE(at::equal(experts_by_type(), at::tensor({0, 0, 0, 1, 1, 0, 0, 0, 0, 0, 0, 1, 2, 2, 2}, at::kLong)));
}

// The router by index sends all tokens of the sequence where it is told.
TEST_F(TokenTypes, send_each_segment_through_an_expert_of_its_own) {
  append({2, 7, 3, 8, 3});
  const at::Tensor first_TD = forward(experts::RouterKind::index);
  packed_.expert[0] = 1;
  const at::Tensor second_TD = forward(experts::RouterKind::index);

  const at::Tensor by_type_TD = forward(experts::RouterKind::token_type);

  // Products over fewer rows may add some 20 numbers around one in another order.
  EXPECT_LT(test::distance(by_type_TD.slice(0, 0, 3), first_TD.slice(0, 0, 3)), 1e-13);
  EXPECT_LT(test::distance(by_type_TD.slice(0, 3, 5), second_TD.slice(0, 3, 5)), 1e-13);
  EXPECT_GT(test::distance(by_type_TD.slice(0, 3, 5), first_TD.slice(0, 3, 5)), 1e-3) << "the experts must differ";
}

TEST_F(TokenTypes, change_the_embedding_of_a_text_of_two_segments) {
  append({2, 7, 3, 8, 3});

  const at::Tensor by_type_BD = model(experts::RouterKind::token_type).encoder->embed(packed_, {}).detach();

  const at::Tensor of_first_BD = model(experts::RouterKind::index).encoder->embed(packed_, {}).detach();
  EXPECT_GT(test::distance(by_type_BD, of_first_BD), 1e-3);
}

}  // namespace
}  // namespace coterie::model
