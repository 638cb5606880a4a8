// BERT on packed tokens: attention sees sequences, everything else sees tokens, and nothing sees padding.
//
// Shape letters: T tokens on this rank, D model width, F hidden width of an MLP, B sequences, V vocabulary.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <variant>
#include <vector>

#include "base/random.h"
#include "data/batch.h"
#include "experts/embedding_head.h"
#include "experts/moe_layer.h"
#include "kernels/parameter_store.h"
#include "model/expert_layers.h"
#include "model/weights.h"

namespace coterie::model {

/// What a pass is for: the head behind pooling chooses otherwise in training.
enum class Mode : std::uint8_t { evaluation, training };

/// What backward finds of each layer: all it needs, or the layer's input, from which it runs the layer again.
enum class Activations : std::uint8_t { kept, recomputed };

/// Randomness of one step or of an evaluation, and how its passes run; rates of zero, the default, are evaluation.
struct Noise {
  double hidden = 0.0;     ///< after the embeddings and after each sublayer
  double attention = 0.0;  ///< of the attention probabilities
  RandomKey key;           ///< of the seed and the step; in evaluation, of what random routes draw
  double jitter = 0.0;     ///< of the routers' input
  double logits = 0.0;     ///< standard deviation of the noise on the routers' logits
  Mode mode = Mode::evaluation;
  Activations activations = Activations::kept;
};

/// A BERT encoder whose MLPs are dense or experts.
///
/// @par Source
/// Devlin et al. 2019 (arXiv:1810.04805), as in Hugging Face's BertModel without the pooler.
class Encoder {
 public:
  /// @param store         holds the tensors of `model_tensors`; must outlive the encoder
  /// @param range         the experts that the store holds
  /// @param expert_group  the ranks that share one set of experts; must outlive every backward pass
  Encoder(const ModelSpec& spec, const kernels::ParameterStore& store, const ExpertRange& range,
          const dist::ProcessGroup& expert_group);

  /// Where activations are recomputed, `sequences` and `plans` must outlive backward.
  ///
  /// @param plans   of these sequences: empty for the first pass, what that pass left for every further one; takes the
  ///                records of this pass's routers
  /// @param states  where given, takes the embedding output and the output of each layer, each [T, D], in the
  ///                dtype of products
  /// @return        [T, D], the last layer's output in the master dtype
  /// @throws DataError if a sequence is longer than the position table, or has a domain the model does not know
  /// @note collective over the expert group when the model has experts
  [[nodiscard]] at::Tensor forward(const data::PackedSequences& sequences, const Noise& noise, experts::Plans& plans,
                                   std::vector<at::Tensor>* states = nullptr) const;

  /// The pooled token vectors, normalised or not. Activations are kept.
  /// @return  [B, D]
  /// @note collective over the expert group when the model has experts
  [[nodiscard]] at::Tensor embed(const data::PackedSequences& sequences, const Noise& noise) const;
  /// The same in one of several passes, as `forward`.
  [[nodiscard]] at::Tensor embed(const data::PackedSequences& sequences, const Noise& noise,
                                 experts::Plans& plans) const;

 private:
  struct Norm {
    at::Tensor weight_D;
    at::Tensor bias_D;
  };
  struct Linear {
    kernels::Operand weight;
    kernels::Operand bias;
  };
  struct Layer {
    Linear projections;  ///< query, key and value, one behind the other
    Linear output;
    Norm attention_norm;
    std::variant<experts::Mlp, experts::MoeLayer> mlp;
    Norm mlp_norm;
  };
  struct Pass;  // what is common to all layers of one forward pass

  [[nodiscard]] at::Tensor embeddings(const data::PackedSequences& sequences) const;
  [[nodiscard]] at::Tensor attend(const Layer& layer, const at::Tensor& tokens_TD, const Pass& pass,
                                  RandomKey key) const;
  [[nodiscard]] at::Tensor feed_forward(const Layer& layer, const at::Tensor& tokens_TD, const Pass& pass,
                                        experts::Plans& plans, RandomKey key) const;
  [[nodiscard]] at::Tensor run_layer(std::size_t n, const at::Tensor& tokens_TD, const Pass& pass,
                                     experts::Plans& plans) const;
  [[nodiscard]] at::Tensor recomputed_layer(std::size_t n, const at::Tensor& tokens_TD,
                                            const std::shared_ptr<const Pass>& pass, experts::Plans& plans) const;
  [[nodiscard]] at::Tensor normalized(const at::Tensor& tokens_TD, const Norm& norm) const;

  ModelSpec spec_;
  at::ScalarType product_;  // of what flows between the layers
  at::Tensor words_VD_;
  at::Tensor positions_;
  at::Tensor types_;
  Norm embedding_norm_;
  std::vector<Layer> layers_;
  std::optional<experts::EmbeddingHead> head_;
};

}  // namespace coterie::model
