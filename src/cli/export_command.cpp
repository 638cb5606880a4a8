// coterie export: one domain of a run as a plain sentence-transformers directory.
#include <nlohmann/json.hpp>

#include "base/file_ops.h"
#include "base/log.h"
#include "cli/commands.h"
#include "cli/configuration.h"
#include "config/config.h"
#include "model/sentence_encoder.h"
#include "model/st_directory.h"

namespace coterie::cli {

/// Settings of `coterie export`.
struct ExportOptions {
  std::string domain;
  std::string json;
};

inline void describe(config::Visitor& v, ExportOptions& o) {
  v.field("domain", o.domain, "the domain whose experts and token become the dense model");
  v.field("json", o.json, "also write what was exported to this file as JSON; empty: do not");
}

namespace {

std::string model_card(const model::ModelSource& source, const std::string& domain) {
  const model::ModelSpec& spec = source.spec;
  std::string card =
      "---\nlibrary_name: sentence-transformers\npipeline_tag: sentence-similarity\ntags:\n"
      "- sentence-transformers\n- feature-extraction\n---\n\n";
  card +=
      str("A BERT sentence encoder with ", spec.bert.layers, " layers of width ", spec.bert.hidden_size,
          source.checkpoint ? ", trained with Coterie on co-cited abstracts" : ", written by Coterie as it was read",
          ". Texts are cut at ", spec.max_length, " tokens.\n");
  if (!domain.empty())
    card += str("\nIt is the part of a mixture of experts that serves the domain `", domain,
                "`: its embeddings equal the routed model's for texts of that domain.\n");
  card +=
      "\n```python\nfrom sentence_transformers import SentenceTransformer\n\n"
      "model = SentenceTransformer(\"path/to/this/folder\")\nembeddings = model.encode([\"an abstract\"])\n```\n";
  return card;
}

}  // namespace

Exit export_model(const CommandLine& line) {
  line.expect(2, 2);
  const auto options = config::read<ExportOptions>(config::compose(line.settings));
  expect_json_writable(options.json);
  model::expect_vacant(line.positional[1]);
  const auto source = model::ModelSource::open(line.positional[0]);
  const model::ModelSpec& spec = source.spec;
  if (const auto reasons = model::not_splitting(spec); !reasons.empty())
    throw ConfigError(str("export: ", joined(reasons), " (", source.folder.string(), ")"));
  if (!spec.domains.empty() && options.domain.empty())
    throw ConfigError("export: a model with domains is exported one by one, got no domain=NAME");
  model::Weights weights = source.read(model::all_experts(spec));
  const std::int32_t domain = options.domain.empty() ? -1 : spec.domain(options.domain);
  weights = model::dense_weights(std::move(weights), spec, domain, source.tokenizer().cls_id());
  const model::DenseModel dense{.config = spec.bert,
                                .pooling = spec.pooling,
                                .normalize = spec.normalize,
                                .max_length = spec.max_length,
                                .weights = std::move(weights),
                                .tokenizer = source.folder,
                                .model_card = model_card(source, options.domain)};
  model::write_st_directory(*real_file_ops(), line.positional[1], dense);
  log::info(str("wrote ", line.positional[1]));
  write_json(options.json, nlohmann::ordered_json{{"path", line.positional[1]},
                                                  {"domain", options.domain},
                                                  {"width", spec.bert.hidden_size},
                                                  {"layers", spec.bert.layers},
                                                  {"max_length", spec.max_length}}
                               .dump(2));
  return Exit::ok;
}

}  // namespace coterie::cli
