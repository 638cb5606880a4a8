// Parameters and gradients in flat buffers that the program owns, with a named view for each tensor.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace coterie::kernels {

/// Over which ranks a parameter's gradient is summed.
enum class Sharing : std::uint8_t {
  replicated,  ///< every rank holds it
  expert,      ///< the ranks of the data axis hold it
};

/// Whether AdamW's weight decay applies: not to biases, LayerNorms and temperatures.
enum class Decay : std::uint8_t { yes, no };

/// Which learning rate a parameter follows.
enum class Rate : std::uint8_t { encoder, temperature };

/// What the reducer and the optimizer must know of a parameter. Parameters of one kind share one flat buffer.
struct ParameterKind {
  Sharing sharing = Sharing::replicated;
  Decay decay = Decay::yes;
  Rate rate = Rate::encoder;

  friend auto operator<=>(const ParameterKind&, const ParameterKind&) = default;
};

/// A parameter before it has a place: its name, first value and kind.
struct Declaration {
  std::string name;
  at::Tensor value;
  ParameterKind kind;
};

/// All parameters of one kind: flat values and gradients of the same length.
struct Segment {
  ParameterKind kind;
  at::Tensor values;               ///< [P], master dtype
  at::Tensor gradients;            ///< [P], master dtype; zero where nothing was added
  std::vector<std::string> names;  ///< in order of declaration
};

/// Owns every parameter of this rank. A named parameter is an autograd leaf whose storage, and whose gradient's
/// storage, are slices of its segment's buffers: reduction, clipping, the optimizer and saving see few large buffers.
class ParameterStore {
 public:
  /// @param master  dtype of parameters, gradients and moments: float, or double in tests
  /// @throws ShapeError if a name is declared twice
  ParameterStore(const std::vector<Declaration>& declarations, at::ScalarType master);

  /// The leaf of that name.
  /// @throws ShapeError if there is none
  [[nodiscard]] const at::Tensor& at(const std::string& name) const;
  /// Whether this rank holds a parameter of that name.
  [[nodiscard]] bool contains(const std::string& name) const { return leaves_.contains(name); }
  /// The flat buffers, one for each kind that occurs.
  [[nodiscard]] const std::vector<Segment>& segments() const noexcept { return segments_; }
  /// Names in order of declaration.
  [[nodiscard]] const std::vector<std::string>& names() const noexcept { return names_; }
  /// Dtype of every parameter and gradient.
  [[nodiscard]] at::ScalarType master() const noexcept { return master_; }

  /// A tensor of one parameter's shape that is a slice of `flat`, a buffer parallel to its segment (a moment, say).
  [[nodiscard]] at::Tensor slice(const std::string& name, const std::vector<at::Tensor>& flat_per_segment) const;

  /// Every step begins with it: backward adds.
  void zero_gradients();

 private:
  struct Place {
    std::size_t segment = 0;
    std::int64_t offset = 0;
  };
  at::ScalarType master_;
  std::vector<Segment> segments_;
  std::vector<std::string> names_;
  std::map<std::string, at::Tensor> leaves_;
  std::map<std::string, Place> places_;
};

}  // namespace coterie::kernels
