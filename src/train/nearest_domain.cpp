#include "train/nearest_domain.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

#include <algorithm>
#include <filesystem>

#include "base/error.h"
#include "data/loader.h"
#include "dist/together.h"
#include "eval/embedder.h"
#include "kernels/pooling.h"
#include "model/checkpoint.h"
#include "model/source_hash.h"
#include "train/model_setup.h"
#include "train/training_state.h"

namespace coterie::train {
namespace {

constexpr std::size_t kDocuments = 1000;

// Training documents of a domain, at most kDocuments, evenly spaced.
std::vector<std::uint32_t> documents_of(const data::Corpus& corpus, std::int32_t domain) {
  std::vector<std::uint32_t> all;
  for (std::uint32_t document = 0; document < corpus.documents(); ++document)
    if (corpus.domain(document) == domain && data::belongs_to(corpus.split(document), data::Split::train))
      all.push_back(document);
  if (all.empty())
    throw DataError(str("corpus: a domain must have training documents for experts.unknown_domain=", kNearest,
                        ", got none of '", corpus.domains()[static_cast<std::size_t>(domain)], "' (",
                        corpus.path().string(), ")"));
  std::vector<std::uint32_t> chosen;
  const std::size_t count = std::min(all.size(), kDocuments);
  for (std::size_t i = 0; i < count; ++i) chosen.push_back(all[i * all.size() / count]);
  return chosen;
}

// In fp32, whatever the model runs in: the same means and the same nearest ones.
model::SentenceEncoder dense(const model::ModelSource& base, const dist::Mesh& mesh) {
  return model::make_sentence_encoder(base.spec, base.read({}), mesh, at::kFloat);
}

model::ModelSource base_of(const model::ModelSource& trained) {
  const TrainingState state = read_training_state(trained.folder);
  if (!std::filesystem::is_directory(state.start.folder))
    throw DataError(str("checkpoint: experts.unknown_domain=", kNearest, " needs the model that the run started from, ",
                        "which is gone (", state.start.folder, ")"));
  model::ModelSource base = model::ModelSource::open(state.start.folder);
  if (const std::string hash = model::weights_sha256(base); hash != state.settings.at(kWeightsHash))
    throw DataError(str("checkpoint: the model that the run started from must have weights of SHA-256 ",
                        state.settings.at(kWeightsHash), ", got ", hash, " (", state.start.folder, ")"));
  return base;
}

at::Tensor means_of(const model::ModelSource& trained) {
  if (!trained.checkpoint)
    throw DataError(
        str("model: experts.unknown_domain=", kNearest, " needs a run's checkpoint (", trained.folder.string(), ")"));
  const model::CheckpointReader reader(trained.folder, model::Verification::done);
  return reader.read(kDomainMeans);
}

}  // namespace

std::vector<kernels::Declaration> domain_means(const RunOptions& options, const data::Corpus& corpus,
                                               const model::ModelSource& base, const dist::Mesh& mesh) {
  if (options.experts.unknown_domain != kNearest) return {};
  if (!options.model.added_tokens.empty())
    throw ConfigError(str("config: experts.unknown_domain=", kNearest,
                          " needs the untrained model's own vocabulary, got ", "model.added_tokens '",
                          options.model.added_tokens, "'"));
  struct Parts {
    std::vector<data::PackedSequences> texts;  // of each domain
    model::SentenceEncoder encoder;
  };
  const Parts parts = dist::made_together(mesh.world(), [&] {
    const model::ModelSpec spec = trained_spec(options, corpus, base.spec);
    Parts made{{}, dense(base, mesh)};
    for (std::int32_t domain = 0; domain < static_cast<std::int32_t>(spec.domains.size()); ++domain)
      made.texts.push_back(data::pack(corpus, documents_of(corpus, domain), spec.max_length));
    return made;
  });
  if (parts.texts.empty()) return {};
  std::vector<at::Tensor> means;
  for (const data::PackedSequences& texts : parts.texts)
    means.push_back(
        kernels::normalize_rows(eval::embed_all(*parts.encoder.encoder, texts, options.eval.batch_tokens, mesh, {}))
            .mean(0)
            .cpu());
  return {{kDomainMeans, at::stack(means), {kernels::Sharing::replicated, kernels::Decay::no, kernels::Rate::encoder}}};
}

NearestDomain::NearestDomain(const model::ModelSource& trained, const RunOptions& options, const dist::Mesh& mesh)
    : means_ND_(kernels::normalize_rows(means_of(trained))),
      base_(dense(base_of(trained), mesh)),
      batch_tokens_(options.eval.batch_tokens),
      mesh_(mesh) {}

std::unique_ptr<NearestDomain> nearest_domain_of(const model::ModelSource& source, const RunOptions& options,
                                                 const dist::Mesh& mesh) {
  if (options.experts.unknown_domain != kNearest || source.spec.domains.empty()) return nullptr;
  return std::make_unique<NearestDomain>(source, options, mesh);
}

void NearestDomain::assign(data::PackedSequences& texts) const {
  std::vector<std::size_t> unknown;
  for (std::size_t i = 0; i < texts.domain.size(); ++i)
    if (texts.domain[i] < 0) unknown.push_back(i);
  if (unknown.empty()) return;
  const at::Tensor rows_ND =
      eval::embed_all(*base_.encoder, data::select(texts, unknown), batch_tokens_, mesh_, {}).cpu();
  const at::Tensor nearest = kernels::normalize_rows(rows_ND).mm(means_ND_.t()).argmax(1).contiguous();
  const auto* domain = nearest.const_data_ptr<std::int64_t>();
  for (std::size_t i = 0; i < unknown.size(); ++i) texts.domain[unknown[i]] = static_cast<std::int32_t>(domain[i]);
}

}  // namespace coterie::train
