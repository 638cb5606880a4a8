// Enforced routing: the input itself says which expert, with weight one, and the host knows all counts.
#pragma once

#include <cstdint>
#include <string>

#include "experts/router.h"

namespace coterie::experts {

/// What names the expert.
enum class Enforced : std::uint8_t {
  domain,      ///< the domain of a sequence, of all its tokens
  index,       ///< the expert that the caller gave for a sequence, of all its tokens
  token_type,  ///< the type of each token
  one,         ///< nothing: there is one expert, the dense baseline
};

/// Sends every token where its input says.
///
/// @par Source
/// Contrastive Learning and Mixture of Experts (arXiv:2401.15713), enforced routing of sentences, of token types and by
/// an index list. There an index out of range leaves rows uninitialised; here it is an error.
class EnforcedRouter final : public Router {
 public:
  EnforcedRouter(Enforced by, std::int64_t experts) : by_(by), experts_(experts) {}

  /// @throws DataError if a label is missing or not below E; ShapeError if the layout does not fit
  [[nodiscard]] Routing route(const at::Tensor& tokens_TD, const BatchLayout& layout, const RouterNoise& noise,
                              const Choice* replay) const override;
  /// Of everything but token types.
  [[nodiscard]] std::vector<std::int64_t> counts(const BatchLayout& layout, const RouterNoise& noise) const override;
  [[nodiscard]] bool fixed_by_layout() const noexcept override { return true; }

 private:
  /// What names the expert of each sequence, checked.
  [[nodiscard]] std::span<const std::int32_t> labels_of(const BatchLayout& layout) const;
  [[nodiscard]] at::Tensor of_sequences(const BatchLayout& layout) const;
  [[nodiscard]] at::Tensor of_tokens(const BatchLayout& layout) const;
  [[nodiscard]] bool has(std::int64_t label) const noexcept { return label >= 0 && label < experts_; }
  [[noreturn]] void refuse(std::int64_t label, const std::string& place) const;

  Enforced by_;
  std::int64_t experts_;
};

}  // namespace coterie::experts
