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
enum class Rate : std::uint8_t { encoder, temperature, head, gate };

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

/// The dtypes of a model.
struct Dtypes {
  at::ScalarType master;   ///< of parameters, gradients and moments: float, or double in tests
  at::ScalarType product;  ///< of matrix products and what flows between them: the master dtype or bf16

  Dtypes(at::ScalarType master_dtype, at::ScalarType product_dtype) : master(master_dtype), product(product_dtype) {}
  /// One dtype for both.
  Dtypes(at::ScalarType both) : Dtypes(both, both) {}  // NOLINT(google-explicit-constructor)
};

/// A parameter as matrix products read it.
struct Operand {
  at::Tensor leaf;   ///< the master: receives the gradient
  at::Tensor value;  ///< its copy in the dtype of products; the leaf itself where that is the master dtype

  Operand() = default;
  Operand(at::Tensor master, at::Tensor copy) : leaf(std::move(master)), value(std::move(copy)) {}
  /// Where products run in the master dtype.
  Operand(const at::Tensor& master) : Operand(master, master) {}  // NOLINT(google-explicit-constructor)
};

/// Owns every parameter of this rank. A named parameter is an autograd leaf whose storage, and whose gradient's
/// storage, are slices of its segment's buffers: reduction, clipping, the optimizer and saving see few large buffers.
class ParameterStore {
 public:
  /// @param device  where all of it lies
  /// @throws ShapeError if a name is declared twice
  ParameterStore(const std::vector<Declaration>& declarations, const Dtypes& dtypes,
                 const at::Device& device = at::kCPU);

  /// The leaf of that name.
  /// @throws ShapeError if there is none
  [[nodiscard]] const at::Tensor& at(const std::string& name) const;
  /// The same parameter for products. Its copy is as old as the last `refresh`.
  /// @throws ShapeError if there is none
  [[nodiscard]] Operand operand(const std::string& name) const;
  /// Matrices that lie one behind the other in the store as one, their rows in the order of the names: one product
  /// instead of several. Its leaf is another than theirs, with the same values and gradients.
  /// @throws ShapeError if there is no such name, they do not lie so, or differ in all but their first dimension
  [[nodiscard]] Operand joined(const std::vector<std::string>& names) const;
  /// Whether this rank holds a parameter of that name.
  [[nodiscard]] bool contains(const std::string& name) const { return leaves_.contains(name); }
  /// The flat buffers, one for each kind that occurs.
  [[nodiscard]] const std::vector<Segment>& segments() const noexcept { return segments_; }
  /// Names in order of declaration.
  [[nodiscard]] const std::vector<std::string>& names() const noexcept { return names_; }
  /// Dtype of every parameter and gradient.
  [[nodiscard]] at::ScalarType master() const noexcept { return dtypes_.master; }
  /// Where every parameter and gradient lies.
  [[nodiscard]] const at::Device& device() const noexcept { return device_; }
  /// Dtype of matrix products.
  [[nodiscard]] at::ScalarType product() const noexcept { return dtypes_.product; }

  /// A tensor of one parameter's shape that is a slice of `flat`, a buffer parallel to its segment (a moment, say).
  [[nodiscard]] at::Tensor slice(const std::string& name, const std::vector<at::Tensor>& flat_per_segment) const;

  /// Every step begins with it: backward adds.
  void zero_gradients();

  /// Brings the copies for products up to date. Whoever writes to a value that products read calls it.
  void refresh();

 private:
  struct Place {
    std::size_t segment = 0;
    std::int64_t offset = 0;
  };
  Dtypes dtypes_;
  at::Device device_;
  std::vector<Segment> segments_;
  std::vector<at::Tensor> copies_;  // of the segments' values, in the dtype of products; empty where that is the master
  std::vector<std::string> names_;
  std::map<std::string, at::Tensor> leaves_;
  std::map<std::string, Place> places_;
};

}  // namespace coterie::kernels
