#include "experts/upcycling.h"

#include <algorithm>
#include <charconv>
#include <set>

#include "base/error.h"

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

std::string expert_tensor(std::int64_t layer, std::int64_t expert, const std::string& tensor) {
  return str("encoder.layer.", layer, ".experts.", expert, ".", tensor);
}

std::string dense_tensor(std::int64_t layer, const std::string& tensor) {
  return str("encoder.layer.", layer, ".", tensor);
}

std::string gate_tensor(std::int64_t layer) { return str("encoder.layer.", layer, ".router.weight"); }

void upcycle(std::map<std::string, at::Tensor>& weights, const std::vector<std::int64_t>& layers,
             std::int64_t experts) {
  for (const std::int64_t layer : layers) {
    for (const std::string& tensor : mlp_tensors()) {
      const auto found = weights.find(dense_tensor(layer, tensor));
      COTERIE_CHECK(ShapeError, found != weights.end(), "upcycling: there is no '", dense_tensor(layer, tensor), "'");
      // The copies share storage until they are written into the parameter store.
      for (std::int64_t e = 0; e < experts; ++e) weights[expert_tensor(layer, e, tensor)] = found->second;
      weights.erase(found);
    }
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
