#include "kernels/dropout.h"

#include <ATen/Dispatch.h>
#include <ATen/Functions.h>
#include <ATen/Parallel.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <array>

#include "base/error.h"
#include "kernels/gpu/kernels.h"
#include "kernels/stored.h"
#include "kernels/upload.h"

namespace coterie::kernels {
namespace {

// An element is dropped when its 32 random bits are below this.
std::uint32_t threshold(double rate) { return static_cast<std::uint32_t>(rate * 4294967296.0); }

// Writes the factors of `count` neighbouring elements; one Philox block serves four of them.
template <class Scalar>
void fill_row(Scalar* out, std::int64_t count, RandomKey key, std::array<std::uint32_t, 3> place, std::uint32_t limit,
              Scalar kept) {
  for (std::int64_t first = 0; first < count; first += 4) {
    const auto words = philox(key, {place[0], place[1], static_cast<std::uint32_t>(first / 4), place[2]});
    const std::int64_t last = std::min(count, first + 4);
    for (std::int64_t i = first; i < last; ++i)
      out[i] = words[static_cast<std::size_t>(i - first)] < limit ? Scalar{0} : kept;
  }
}

std::uint32_t low(std::int64_t value) { return static_cast<std::uint32_t>(value); }

/// What the backward pass needs.
struct Noise : torch::CustomClassHolder {
  simd::Drop drop;
  TokenPlaces places;
};

at::Tensor dropped(const at::Tensor& tokens, const Noise& noise) {
  const at::Tensor tokens_TD = tokens.contiguous();
  const std::int64_t width = tokens_TD.size(1);
  const at::Tensor out_TD = at::empty(tokens_TD.sizes(), tokens_TD.options());
  with_stored(tokens_TD.scalar_type(), "dropout", [&](auto stored) {
    using Stored = decltype(stored);
    at::parallel_for(0, tokens_TD.size(0), 32, [&](std::int64_t first, std::int64_t last) {
      loops<Stored>().drop_rows(numbers<Stored>(tokens_TD) + first * width,
                                writable_numbers<Stored>(out_TD) + first * width, last - first, width,
                                {noise.places.sequence.data() + first, noise.places.token.data() + first}, noise.drop);
    });
  });
  return out_TD;
}

class Dropout : public torch::autograd::Function<Dropout> {
 public:
  static at::Tensor forward(torch::autograd::AutogradContext* context, const at::Tensor& tokens_TD,
                            const c10::intrusive_ptr<Noise>& noise) {
    context->saved_data["noise"] = c10::IValue::make_capsule(noise);
    return dropped(tokens_TD, *noise);
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 const torch::autograd::variable_list& gradients) {
    const auto holder = context->saved_data["noise"].toCapsule();
    return {dropped(gradients[0], static_cast<const Noise&>(*holder)), at::Tensor()};
  }
};

}  // namespace

void TokenPlaces::put_on(const at::Device& device) {
  if (device.is_cpu()) return;
  std::vector<std::int64_t> both = sequence;
  both.insert(both.end(), token.begin(), token.end());
  on_gpu_2T = upload(both, device).view({2, static_cast<std::int64_t>(sequence.size())});
}

void check_places(const TokenPlaces& places, std::int64_t tokens) {
  const auto known = static_cast<std::int64_t>(std::min(places.sequence.size(), places.token.size()));
  COTERIE_CHECK(ShapeError, known == tokens, "dropout: ", known, " places for ", tokens, " tokens");
}

simd::Drop drop_of(double rate, RandomKey key) { return {key.value, threshold(rate), 1.0 / (1.0 - rate)}; }

at::Tensor dropout(const at::Tensor& tokens_TD, double rate, RandomKey key, const TokenPlaces& places) {
  if (rate == 0.0) return tokens_TD;
  check_places(places, tokens_TD.size(0));
  if (tokens_TD.is_cuda()) return gpu::dropout(tokens_TD, rate, key, places);
  auto noise = c10::make_intrusive<Noise>();
  noise->drop = drop_of(rate, key);
  noise->places = places;
  return Dropout::apply(tokens_TD, noise);
}

at::Tensor attention_dropout_factors(std::int64_t heads, std::int64_t length, double rate, RandomKey key,
                                     std::int64_t sequence, at::ScalarType dtype) {
  at::Tensor factors_HNN = at::empty({heads, length, length}, at::TensorOptions(dtype));
  AT_DISPATCH_FLOATING_TYPES(dtype, "attention_dropout", [&] {
    auto* out = factors_HNN.mutable_data_ptr<scalar_t>();
    const auto kept = static_cast<scalar_t>(1.0 / (1.0 - rate));
    at::parallel_for(0, heads * length, 16, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t row = begin; row < end; ++row) {
        // Head and query share a word: positions are below 2^16 in every BERT.
        const std::int64_t place = ((row / length) << 16) | (row % length);
        fill_row(out + row * length, length, key, {low(sequence), low(place), 1}, threshold(rate), kept);
      }
    });
  });
  return factors_HNN;
}

}  // namespace coterie::kernels
