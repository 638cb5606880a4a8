// What backward finds of the layers, read from the graph of an embedding.
#include <gtest/gtest.h>
#include <torch/csrc/autograd/function.h>

#include <set>
#include <string>
#include <vector>

#include "model/sentence_encoder.h"
#include "tests/harness/packing.h"
#include "tests/harness/tiny_model.h"

namespace coterie::model {
namespace {

/// How many nodes of the graph have a name that holds `part`.
int nodes(const at::Tensor& root, const std::string& part) {
  std::vector<torch::autograd::Node*> open = {root.grad_fn().get()};
  std::set<torch::autograd::Node*> seen(open.begin(), open.end());
  int found = 0;
  while (!open.empty()) {
    torch::autograd::Node* const node = open.back();
    open.pop_back();
    if (node->name().find(part) != std::string::npos) ++found;
    for (const torch::autograd::Edge& edge : node->next_edges())
      if (edge.function != nullptr && seen.insert(edge.function.get()).second) open.push_back(edge.function.get());
  }
  return found;
}

class ActivationsTest : public testing::Test {
 protected:
  [[nodiscard]] at::Tensor embed(Activations activations) {
    Noise noise;
    noise.activations = activations;
    return model_.encoder->embed(packed_, noise, plans_);
  }
  ActivationsTest() {
    test::append(packed_, {2, 7, 8, 3}, 16, -1, 0);
    test::append(packed_, {2, 9, 3}, 16, -1, 1);
  }

  dist::Mesh mesh_ = dist::Mesh::solo();
  ModelSpec spec_ = test::tiny_spec();
  SentenceEncoder model_ = make_sentence_encoder(spec_, test::tiny_weights(spec_, 3), mesh_, at::kFloat);
  data::PackedSequences packed_;
  experts::Plans plans_;
};

TEST_F(ActivationsTest, kept_ones_are_in_the_graph) {
  const at::Tensor embeddings_BD = embed(Activations::kept);

  EXPECT_EQ(nodes(embeddings_BD, "MlpFunction"), spec_.bert.layers);
  EXPECT_EQ(nodes(embeddings_BD, "Recomputed"), 0);
}

TEST_F(ActivationsTest, of_those_computed_again_each_layer_leaves_one_node) {
  const at::Tensor embeddings_BD = embed(Activations::recomputed);

  EXPECT_EQ(nodes(embeddings_BD, "MlpFunction"), 0);
  EXPECT_EQ(nodes(embeddings_BD, "Recomputed"), spec_.bert.layers);
}

TEST_F(ActivationsTest, without_plans_that_live_on_nothing_can_be_computed_again) {
  Noise noise;
  noise.activations = Activations::recomputed;

  EXPECT_THROW((void)model_.encoder->embed(packed_, noise), ShapeError);
}

}  // namespace
}  // namespace coterie::model
