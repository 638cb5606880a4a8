// Small model files for the tests of this folder, made from nothing.
#pragma once

#include <ATen/Functions.h>
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/file_ops.h"
#include "model/bert_config.h"
#include "model/safetensors_writer.h"

namespace coterie::test {

using WeightMap = std::map<std::string, at::Tensor>;

inline void write_text(const std::filesystem::path& path, std::string_view content) {
  std::filesystem::create_directories(path.parent_path());
  std::ofstream(path, std::ios::binary) << content;
}

/// Overwrites nothing: the file must be new.
inline void write_tensors(const std::filesystem::path& path, const WeightMap& tensors) {
  std::vector<model::NamedTensor> list;
  for (const auto& [name, tensor] : tensors) list.push_back({name, tensor});
  model::write_safetensors(*real_file_ops(), path, list, {}, model::Sync::no);
}

/// The text of the DataError that `act` throws; empty if it throws none.
template <class Act>
std::string data_error(Act&& act) {
  try {
    act();
  } catch (const DataError& error) {
    return error.what();
  }
  return "";
}

/// Equal dtype, shape and bytes.
inline bool same_bits(const at::Tensor& a, const at::Tensor& b) {
  if (a.scalar_type() != b.scalar_type() || a.sizes() != b.sizes()) return false;
  const at::Tensor dense_a = a.contiguous();
  const at::Tensor dense_b = b.contiguous();
  return a.nbytes() == 0 || std::memcmp(dense_a.const_data_ptr(), dense_b.const_data_ptr(), dense_a.nbytes()) == 0;
}

/// Sizes that all differ, so that a swapped shape shows.
inline model::BertConfig tiny_config() {
  model::BertConfig config;
  config.vocab_size = 11;
  config.hidden_size = 6;
  config.layers = 2;
  config.heads = 3;
  config.intermediate_size = 10;
  config.max_position_embeddings = 9;
  return config;
}

/// Different small integers over 8 in every tensor: exact in fp16 and bf16 too.
inline WeightMap tiny_weights(const model::BertConfig& config) {
  WeightMap out;
  std::int64_t start = 0;
  for (const model::TensorSpec& spec : model::bert_tensors(config)) {
    std::int64_t count = 1;
    for (const std::int64_t dim : spec.shape) count *= dim;
    out[spec.name] = at::arange(start, start + count).remainder(97).sub(48).div(8.0).to(at::kFloat).reshape(spec.shape);
    start += 7;
  }
  return out;
}

}  // namespace coterie::test
