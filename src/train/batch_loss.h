// The loss of a global batch as the `[loss]` section asks for it: a contrastive loss, at one or several widths.
#pragma once

#include <cstdint>
#include <vector>

#include "train/contrastive_loss.h"
#include "train/options.h"

namespace coterie::train {

/// The first `dims` coordinates of every embedding, and the weight of the loss over them.
struct Truncation {
  std::int64_t dims = 0;
  double weight = 1.0;
};

/// A contrastive loss over one or several widths of the embeddings.
class BatchLoss {
 public:
  /// @param width  D of the model's embeddings
  /// @throws ConfigError unless `matryoshka_dims` ascend within 1..D and have no or as many weights
  BatchLoss(const LossOptions& options, std::int64_t width);

  /// The sum over the widths of weight times loss. With cosine similarity truncated embeddings are normalised again, so
  /// that each width is trained as it will be used.
  ///
  /// @param batch  normalised where the similarity is cosine
  /// @return       as `contrastive_loss`
  /// @par Source
  /// Kusupati et al. 2022 (arXiv:2205.13147), as sentence-transformers' MatryoshkaLoss: weights are not divided by
  /// their sum.
  [[nodiscard]] LossShare share(const Embeddings& batch, const std::vector<std::int64_t>& positions, double scale,
                                const NegativeMask& mask) const;

 private:
  LossKind kind_;
  Similarity similarity_;
  std::int64_t width_;
  std::vector<Truncation> truncations_;
};

}  // namespace coterie::train
