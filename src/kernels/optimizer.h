// AdamW on the flat buffers of a ParameterStore.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "kernels/parameter_store.h"

namespace coterie::kernels {

/// Constants of AdamW, under the names of its paper.
struct AdamWOptions {
  double beta1 = 0.9;          ///< decay of the first moment
  double beta2 = 0.999;        ///< decay of the second moment
  double epsilon = 1e-8;       ///< added to the root of the second moment
  double weight_decay = 0.01;  ///< of parameters that decay, times the learning rate
};

/// Learning rates of one step, by rate group.
struct LearningRates {
  double encoder = 0.0;
  double temperature = 0.0;
  double head = 0.0;
  double gate = 0.0;

  [[nodiscard]] double of(Rate rate) const {
    switch (rate) {
      case Rate::temperature:
        return temperature;
      case Rate::head:
        return head;
      case Rate::gate:
        return gate;
      case Rate::encoder:
        break;
    }
    return encoder;
  }
};

/// AdamW with decoupled weight decay; moments live in the master dtype, in buffers parallel to the store's segments.
///
/// @par Source
/// Loshchilov and Hutter 2019 (arXiv:1711.05101), algorithm 2; the step is ATen's fused kernel.
class AdamW {
 public:
  AdamW(const AdamWOptions& options, const ParameterStore& store);

  /// One update from the store's gradients; the store's copies for products follow.
  /// @param divisor  gradients are divided by it first, in place: max(1, norm / limit) clips
  void step(ParameterStore& store, const LearningRates& rates, double divisor);

  /// Number of updates made.
  [[nodiscard]] std::int64_t steps() const noexcept { return steps_; }
  /// For a restored run: bias correction goes on from there.
  void set_steps(std::int64_t steps) noexcept { steps_ = steps; }
  /// First and second moments, one flat tensor for each segment.
  [[nodiscard]] const std::vector<at::Tensor>& first_moments() const noexcept { return first_; }
  [[nodiscard]] const std::vector<at::Tensor>& second_moments() const noexcept { return second_; }

 private:
  AdamWOptions options_;
  std::int64_t steps_ = 0;
  std::vector<at::Tensor> first_;
  std::vector<at::Tensor> second_;
};

}  // namespace coterie::kernels
