#include "experts/upcycling.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

#include <algorithm>
#include <charconv>
#include <set>

#include "base/error.h"
#include "experts/gate_noise.h"

namespace coterie::experts {

std::vector<std::int64_t> expert_layers(const std::vector<std::string>& wanted, std::int64_t layers) {
  std::set<std::int64_t> chosen;
  if (wanted.empty())
    throw ConfigError("config: experts.layers must be all, middle, none or indices, got an empty list");
  if (wanted.size() == 1 && wanted[0] == "none") return {};
  if (wanted.size() == 1 && wanted[0] == "middle") return {layers / 2};
  if (wanted.size() == 1 && wanted[0] == "all") {
    for (std::int64_t n = 0; n < layers; ++n) chosen.insert(n);
    return {chosen.begin(), chosen.end()};
  }
  for (const std::string& text : wanted) {
    if (text == "all" || text == "middle" || text == "none")
      throw ConfigError(str("config: experts.layers must be one word or indices, got '", text, "' among ",
                            wanted.size(), " entries"));
    std::int64_t index = -1;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), index);
    if (error != std::errc{} || end != text.data() + text.size())
      throw ConfigError(str("config: experts.layers must be all, middle, none or indices, got '", text, "'"));
    if (index < 0 || index >= layers)
      throw ConfigError(str("config: experts.layers must be in 0..", layers - 1, ", got ", index));
    if (!chosen.insert(index).second) throw ConfigError(str("config: experts.layers names layer ", index, " twice"));
  }
  return {chosen.begin(), chosen.end()};
}

const std::vector<std::string>& mlp_tensors() {
  static const std::vector<std::string> kNames = {"intermediate.dense.weight", "intermediate.dense.bias",
                                                  "output.dense.weight", "output.dense.bias"};
  return kNames;
}

const std::vector<std::string>& mlp_tensors(MlpKind kind) {
  static const std::vector<std::string> kEnlarged = [] {
    std::vector<std::string> names = mlp_tensors();
    names.insert(names.end(), {"intermediate.gate.weight", "intermediate.gate.bias"});
    return names;
  }();
  return kind == MlpKind::glu ? kEnlarged : mlp_tensors();
}

std::string expert_tensor(std::int64_t layer, std::int64_t expert, const std::string& tensor) {
  return str("encoder.layer.", layer, ".experts.", expert, ".", tensor);
}

std::string shared_tensor(std::int64_t layer, const std::string& tensor) {
  return str("encoder.layer.", layer, ".shared.", tensor);
}

std::string dense_tensor(std::int64_t layer, const std::string& tensor) {
  return str("encoder.layer.", layer, ".", tensor);
}

std::string gate_tensor(std::int64_t layer) { return str("encoder.layer.", layer, ".router.weight"); }

std::string balance_tensor(std::int64_t layer) { return str("encoder.layer.", layer, ".router.balance.bias"); }

namespace {

using Tensors = std::map<std::string, at::Tensor>;

// Takes a dense layer's MLP out of the weights: suffix -> tensor.
Tensors take_mlp(Tensors& weights, std::int64_t layer) {
  Tensors mlp;
  for (const std::string& tensor : mlp_tensors()) {
    const auto found = weights.find(dense_tensor(layer, tensor));
    COTERIE_CHECK(ShapeError, found != weights.end(), "upcycling: there is no '", dense_tensor(layer, tensor), "'");
    mlp[tensor] = found->second;
    weights.erase(found);
  }
  return mlp;
}

// The gate of an enlarged MLP: the constant one.
void enlarge(Tensors& mlp, MlpKind kind) {
  if (kind != MlpKind::glu) return;
  mlp["intermediate.gate.weight"] = at::zeros_like(mlp.at("intermediate.dense.weight"));
  mlp["intermediate.gate.bias"] = at::ones_like(mlp.at("intermediate.dense.bias"));
}

void halve_output(Tensors& mlp) {
  for (const char* tensor : {"output.dense.weight", "output.dense.bias"}) mlp[tensor] = mlp.at(tensor) * 0.5;
}

at::Tensor disturbed(const at::Tensor& matrix, double amount, RandomKey key) {
  const at::Tensor wide = matrix.to(at::kDouble);
  return (wide + amount * wide.std() * normal_numbers(matrix.sizes(), key)).to(matrix.scalar_type());
}

}  // namespace

void upcycle(Tensors& weights, const std::vector<std::int64_t>& layers, std::int64_t experts, const Upcycling& how) {
  for (const std::int64_t layer : layers) {
    Tensors mlp = take_mlp(weights, layer);
    enlarge(mlp, how.mlp);
    if (how.shared) halve_output(mlp);
    for (const auto& [tensor, value] : mlp) {
      if (how.shared) weights[shared_tensor(layer, tensor)] = value;
      const bool noisy = how.copy_noise > 0.0 && tensor.ends_with("dense.weight");
      for (std::int64_t e = 0; e < experts; ++e) {
        const RandomKey key =
            how.key.derive(static_cast<std::uint64_t>(layer)).derive(static_cast<std::uint64_t>(e)).derive(tensor);
        // Exact copies share storage until they are written into the parameter store.
        weights[expert_tensor(layer, e, tensor)] = noisy ? disturbed(value, how.copy_noise, key) : value;
      }
    }
  }
}

void make_heads(Tensors& weights, const std::vector<std::int64_t>& layers, std::int64_t experts, std::int64_t heads,
                const Upcycling& how) {
  constexpr double kDeviation = 0.02;  // BERT's initializer_range
  for (const std::int64_t layer : layers) {
    Tensors dense = take_mlp(weights, layer);
    enlarge(dense, how.mlp);
    const at::Tensor up_FD = dense.at("intermediate.dense.weight");
    const std::int64_t width = up_FD.size(1);
    for (std::int64_t e = 0; e < experts; ++e) {
      const RandomKey key = how.key.derive(static_cast<std::uint64_t>(layer)).derive(static_cast<std::uint64_t>(e));
      const auto drawn = [&](at::IntArrayRef shape, std::string_view name) {
        return (kDeviation * normal_numbers(shape, key.derive(name))).to(up_FD.scalar_type());
      };
      Tensors mlp = {{"intermediate.dense.weight", drawn({up_FD.size(0), width / heads}, "up")},
                     {"intermediate.dense.bias", at::zeros_like(dense.at("intermediate.dense.bias"))},
                     {"output.dense.weight", drawn({width / heads, up_FD.size(0)}, "down")},
                     {"output.dense.bias", at::zeros({width / heads}, up_FD.options())}};
      enlarge(mlp, how.mlp);
      for (const auto& [tensor, value] : mlp) weights[expert_tensor(layer, e, tensor)] = value;
    }
    for (const char* part : {"heads.split", "heads.merge"}) {
      weights[dense_tensor(layer, str(part, ".weight"))] = at::eye(width, up_FD.options());
      weights[dense_tensor(layer, str(part, ".bias"))] = at::zeros({width}, up_FD.options());
    }
    if (!how.shared) continue;
    for (const auto& [tensor, value] : dense) weights[shared_tensor(layer, tensor)] = value;
  }
}

void extract_expert(std::map<std::string, at::Tensor>& weights, const std::vector<std::int64_t>& layers,
                    std::int64_t expert, std::int64_t experts) {
  for (const std::int64_t layer : layers) {
    for (const std::string& tensor : mlp_tensors()) {
      const auto found = weights.find(expert_tensor(layer, expert, tensor));
      COTERIE_CHECK(ShapeError, found != weights.end(), "upcycling: there is no '",
                    expert_tensor(layer, expert, tensor), "'");
      weights[dense_tensor(layer, tensor)] = found->second;
      for (std::int64_t e = 0; e < experts; ++e) weights.erase(expert_tensor(layer, e, tensor));
    }
  }
}

}  // namespace coterie::experts
