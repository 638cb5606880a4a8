// Embeddings of all-MiniLM-L6-v2 on a GPU against those of Hugging Face (golden/minilm).
#include <ATen/Functions.h>
#include <c10/core/InferenceMode.h>

#include "base/npy.h"
#include "model/sentence_encoder.h"
#include "tests/harness/gpu.h"
#include "tests/harness/packing.h"
#include "tests/harness/shared_files.h"

namespace coterie::model {
namespace {

class GpuGolden : public test::OnGpu {
 protected:
  void SetUp() override {
    test::OnGpu::SetUp();
    if (IsSkipped()) return;
    COTERIE_REQUIRE_PATH(test::shared_path("golden/minilm/texts.jsonl"));
    COTERIE_REQUIRE_PATH(test::minilm_path());
  }

  static at::Tensor embed(Precision precision) {
    const dist::Mesh mesh({}, {}, dist::DeviceKind::cuda);
    const ModelSource source = ModelSource::open(test::minilm_path());
    const SentenceEncoder model = make_sentence_encoder(source.spec, source.read({}), mesh, dtypes_of(precision));
    std::vector<std::string> texts;
    for (const auto& line : test::read_json_lines(test::shared_path("golden/minilm/texts.jsonl")))
      texts.push_back(line.is_string() ? line.get<std::string>() : line.at("text").get<std::string>());
    const c10::InferenceMode inference;
    return model.encoder->embed(test::pack_texts(source.tokenizer(), texts, 256), {}).cpu();
  }

  static at::Tensor golden() {
    NpyArray array = read_npy(test::shared_path("golden/minilm/embeddings_256.npy"));
    return at::from_blob(array.values.data(), array.shape, at::kFloat).clone();
  }
};

TEST_F(GpuGolden, embeddings_in_float_are_those_of_the_reference) {
  EXPECT_LE((embed(Precision::fp32) - golden()).abs().max().item<double>(), 1e-4);
}

TEST_F(GpuGolden, embeddings_in_bf16_point_where_the_reference_points) {
  EXPECT_GE((embed(Precision::bf16) * golden()).sum(1).min().item<double>(), 0.9995);
}

}  // namespace
}  // namespace coterie::model
