// Embeddings against plain pooling of the last layer, normalised and as pooling leaves them.
#include "model/encoder.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include "model/sentence_encoder.h"
#include "tests/harness/packing.h"
#include "tests/harness/tensors.h"
#include "tests/harness/tiny_model.h"

namespace coterie::model {
namespace {

// Gradient of a sum of the rows, each channel with a factor of its own, with respect to the word embeddings.
at::Tensor word_gradient(const SentenceEncoder& model, const at::Tensor& rows_BD) {
  model.parameters->zero_gradients();
  torch::autograd::backward({(rows_BD * test::random_tensor(rows_BD.sizes().vec(), 4)).sum()}, {});
  return model.parameters->at("embeddings.word_embeddings.weight").grad().clone();
}

class EncoderEmbeddings : public testing::TestWithParam<Pooling> {
 protected:
  EncoderEmbeddings() {
    test::append(packed_, {2, 7, 8, 3}, 16, -1, 0);
    test::append(packed_, {2, 9, 3}, 16, -1, 1);
  }
  [[nodiscard]] SentenceEncoder model(bool normalize) const {
    ModelSpec spec = test::tiny_spec();
    spec.pooling = GetParam();
    spec.normalize = normalize;
    return make_sentence_encoder(spec, test::tiny_weights(spec, 3, at::kDouble), mesh_, at::kDouble);
  }
  // The rows of sequence b's tokens made one, as the pooling is called.
  [[nodiscard]] static at::Tensor plain(const at::Tensor& tokens_ND) {
    if (GetParam() == Pooling::cls) return tokens_ND[0];
    return GetParam() == Pooling::mean ? tokens_ND.mean(0) : std::get<0>(tokens_ND.max(0));
  }
  [[nodiscard]] at::Tensor pooled(const SentenceEncoder& model) {
    const at::Tensor tokens_TD = model.encoder->forward(packed_, {}, plans_);
    return at::stack({plain(tokens_TD.slice(0, 0, 4)), plain(tokens_TD.slice(0, 4, 7))});
  }

  const dist::Mesh mesh_ = dist::Mesh::solo();
  data::PackedSequences packed_;
  experts::Plans plans_;
};

TEST_P(EncoderEmbeddings, without_normalisation_are_the_pooled_rows_and_so_are_their_gradients) {
  const SentenceEncoder model = this->model(false);
  const at::Tensor expected_BD = pooled(model);

  const at::Tensor embeddings_BD = model.encoder->embed(packed_, {});

  // Another order of a few sums of numbers around one, in double; their lengths are not one.
  EXPECT_LE(test::distance(embeddings_BD, expected_BD), 1e-14);
  EXPECT_GT((embeddings_BD.norm(2, {1}) - 1.0).abs().min().item<double>(), 0.1);
  EXPECT_LE(test::distance(word_gradient(model, embeddings_BD), word_gradient(model, expected_BD)), 1e-12);
}

TEST_P(EncoderEmbeddings, with_normalisation_are_the_pooled_rows_over_their_length) {
  const SentenceEncoder model = this->model(true);
  const at::Tensor pooled_BD = pooled(model);
  const at::Tensor expected_BD = pooled_BD / pooled_BD.square().sum({1}, /*keepdim=*/true).sqrt();

  const at::Tensor embeddings_BD = model.encoder->embed(packed_, {});

  EXPECT_LE(test::distance(embeddings_BD, expected_BD), 1e-14);
  EXPECT_LE(test::distance(word_gradient(model, embeddings_BD), word_gradient(model, expected_BD)), 1e-12);
}

INSTANTIATE_TEST_SUITE_P(Poolings, EncoderEmbeddings, testing::Values(Pooling::mean, Pooling::cls, Pooling::max));

}  // namespace
}  // namespace coterie::model
