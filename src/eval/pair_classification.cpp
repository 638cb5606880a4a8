#include "eval/pair_classification.h"

#include <ATen/Functions.h>

#include <algorithm>
#include <set>

#include "base/error.h"
#include "data/loader.h"
#include "eval/embedder.h"
#include "kernels/pooling.h"

namespace coterie::eval {

ScoredPairs ScoredPairs::of_domain(std::int32_t wanted) const {
  ScoredPairs chosen;
  for (std::size_t i = 0; i < scores.size(); ++i) {
    if (domain[i] != wanted) continue;
    chosen.scores.push_back(scores[i]);
    chosen.labels.push_back(labels[i]);
    chosen.domain.push_back(domain[i]);
    if (!pairs.empty()) chosen.pairs.push_back(pairs[i]);
  }
  return chosen;
}

ScoredPairs pairs_to_score(const data::Corpus& corpus, data::Split split) {
  ScoredPairs out;
  out.pairs = corpus.positives(split);
  const std::size_t positives = out.pairs.size();
  const auto& negatives = corpus.negatives(split);
  out.pairs.insert(out.pairs.end(), negatives.begin(), negatives.end());
  if (positives == 0 || negatives.empty())
    throw DataError(str("eval: the ", data::name_of(split), " split must have co-cited and random pairs, got ",
                        positives, " and ", negatives.size(), " (", corpus.path().string(), ")"));
  out.labels.assign(out.pairs.size(), 0);
  std::fill_n(out.labels.begin(), positives, std::uint8_t{1});
  for (const data::Pair& pair : out.pairs) out.domain.push_back(corpus.domain(pair.a));
  return out;
}

EmbeddedSplit embed_split(const model::Encoder& encoder, const CorpusView& view, data::Split split,
                          const dist::Mesh& mesh) {
  std::set<std::uint32_t> documents;
  for (const data::Pair& pair : pairs_to_score(view.corpus, split).pairs) documents.insert({pair.a, pair.b});
  EmbeddedSplit out{.split = split, .documents = {documents.begin(), documents.end()}, .embeddings_ND = {}};
  data::PackedSequences texts = data::pack(view.corpus, out.documents, view.max_length);
  for (std::int32_t& domain : texts.domain) domain = view.model_domain[static_cast<std::size_t>(domain)];
  if (view.place_unknown) view.place_unknown(texts);
  out.embeddings_ND =
      kernels::normalize_rows(embed_all(encoder, texts, view.batch_tokens, mesh, view.key)).cpu().to(at::kDouble);
  return out;
}

ScoredPairs score_pairs(const EmbeddedSplit& embedded, const data::Corpus& corpus) {
  ScoredPairs scored = pairs_to_score(corpus, embedded.split);
  const auto rows = [&](std::uint32_t data::Pair::*side) {
    std::vector<std::int64_t> index;
    for (const data::Pair& pair : scored.pairs) {
      const auto found = std::lower_bound(embedded.documents.begin(), embedded.documents.end(), pair.*side);
      COTERIE_CHECK(ShapeError, found != embedded.documents.end() && *found == pair.*side, "eval: the pairs' document ",
                    pair.*side, " is not among the embedded ones");
      index.push_back(found - embedded.documents.begin());
    }
    return embedded.embeddings_ND.index_select(0, at::tensor(index, at::kLong));
  };
  const at::Tensor scores = (rows(&data::Pair::a) * rows(&data::Pair::b)).sum(1).contiguous();
  const auto* values = scores.const_data_ptr<double>();
  scored.scores.assign(values, values + scores.numel());
  return scored;
}

namespace {

bool has_both(const ScoredPairs& pairs) {
  const auto positives = std::count(pairs.labels.begin(), pairs.labels.end(), std::uint8_t{1});
  return positives > 0 && positives < static_cast<std::ptrdiff_t>(pairs.labels.size());
}

DomainResult result_of(const std::string& name, const ScoredPairs& measured, const ScoredPairs& validation) {
  DomainResult result{name, measure(measured.scores, measured.labels), measure_binary(measured.scores, measured.labels),
                      std::nullopt};
  if (!has_both(validation)) return result;
  const double threshold = measure(validation.scores, validation.labels).threshold;
  result.at_validation = {threshold, f1_at(measured.scores, measured.labels, threshold)};
  return result;
}

PairDocuments documents_of(const ScoredPairs& scored) {
  PairDocuments documents;
  for (std::size_t i = 0; i < scored.pairs.size(); ++i)
    documents.add(str(scored.domain[i]), str(scored.pairs[i].a), str(scored.pairs[i].b));
  return documents;
}

}  // namespace

std::vector<DomainResult> classify(const std::vector<std::string>& domains, const ScoredPairs& measured,
                                   const ScoredPairs& validation, const std::optional<Resampling>& resampling) {
  std::vector<DomainResult> results;
  const auto add = [&](const std::string& name, const ScoredPairs& here, const ScoredPairs& validation_here) {
    results.push_back(result_of(name, here, validation_here));
    if (resampling)
      results.back().intervals = bootstrap_pairs(here.scores, here.labels, documents_of(here), *resampling);
  };
  add("all", measured, validation);
  for (std::size_t d = 0; d < domains.size(); ++d) {
    const auto domain = static_cast<std::int32_t>(d);
    const ScoredPairs here = measured.of_domain(domain);
    if (has_both(here)) add(domains[d], here, validation.of_domain(domain));
  }
  return results;
}

}  // namespace coterie::eval
