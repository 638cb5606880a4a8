// coterie embed: texts to an array file.
#include <ATen/Functions.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <numeric>

#include "base/excerpt.h"
#include "base/file_ops.h"
#include "base/log.h"
#include "base/npy.h"
#include "base/text.h"
#include "cli/commands.h"
#include "cli/ranks.h"
#include "data/import_json.h"
#include "data/loader.h"
#include "data/pack_text.h"
#include "dist/environment.h"
#include "eval/embedder.h"
#include "train/model_setup.h"
#include "train/nearest_domain.h"

namespace coterie::cli {
namespace {

/// A text to embed; an empty domain is none.
struct Text {
  std::string text;
  std::string domain;
  std::int64_t line = 0;     ///< of the file, from 1
  std::int32_t expert = -1;  ///< named for routing by index; -1: none
};

std::vector<Text> read_texts(const fs::path& path) {
  std::vector<Text> texts;
  if (path.extension() == ".jsonl") {
    data::for_each_json_line("embed", path, [&](const data::JsonLine& line, std::int64_t number) {
      const auto expert = line.has("expert") ? line.integer("expert", 0, data::kMostNamedExperts - 1) : -1;
      texts.push_back({line.text("text"), line.has("domain") ? line.text("domain") : "", number,
                       static_cast<std::int32_t>(expert)});
    });
  } else {
    const std::string content = read_file(path);
    LineReader lines(content);
    while (const auto line = lines.next()) texts.push_back({std::string(*line), "", lines.number(), -1});
  }
  if (texts.empty()) throw DataError(str("embed: there is no text (", path.string(), ")"));
  return texts;
}

/// What becomes of a text that has no domain, or one that the model does not know.
struct Unknown {
  std::int32_t domain = -1;  ///< it is taken as of this one; -1: none is named
  bool nearest = false;      ///< it is left for `NearestDomain`; otherwise, with no domain named, an error
};

std::int32_t domain_of(const Text& text, const model::ModelSpec& spec, const Unknown& unknown,
                       const std::string& where) {
  if (spec.domains.empty()) return -1;
  const auto found = std::find(spec.domains.begin(), spec.domains.end(), text.domain);
  if (found != spec.domains.end()) return static_cast<std::int32_t>(found - spec.domains.begin());
  if (unknown.domain >= 0 || unknown.nearest) return unknown.domain;
  throw DataError(str("embed: the domain of a text must be one of ", joined(spec.domains), ", got ",
                      text.domain.empty() ? "none" : excerpt(text.domain), " (", where,
                      "); experts.unknown_domain=NAME or nearest takes such texts as of that domain"));
}

// @param in  the file of the texts, for errors
data::PackedSequences pack_texts(const std::vector<Text>& texts, const fs::path& in, const model::ModelSource& source,
                                 const Unknown& unknown) {
  const data::Tokenizer tokenizer = source.tokenizer();
  data::PackedSequences packed;
  for (const Text& text : texts) {
    data::append_text(packed, tokenizer, text.text, source.spec.max_length,
                      domain_of(text, source.spec, unknown, str(in.string(), ":", text.line)));
    packed.expert.push_back(text.expert);
  }
  return packed;
}

data::PackedSequences pack_corpus(const data::Corpus& corpus, const model::ModelSource& source,
                                  const train::RunOptions& options) {
  (void)source.tokenizer_of(corpus);
  std::vector<std::uint32_t> all(static_cast<std::size_t>(corpus.documents()));
  std::iota(all.begin(), all.end(), 0U);
  data::PackedSequences packed = data::pack(corpus, all, source.spec.max_length);
  const eval::CorpusView view = train::view_of(corpus, source.spec, options);
  for (std::int32_t& domain : packed.domain) domain = view.model_domain[static_cast<std::size_t>(domain)];
  return packed;
}

}  // namespace

Exit embed(const CommandLine& line, int& argc, char**& argv) {
  if (print_and_exit("", line)) return Exit::ok;
  line.expect(3, 3);
  const fs::path in = line.positional[1];
  const fs::path out = line.positional[2];
  if (out.extension() != ".npy") throw ConfigError(str("embed: OUT must end in .npy, got '", out.string(), "'"));
  if (in.extension() != ".txt" && in.extension() != ".jsonl" && in.extension() != ".h5")
    throw ConfigError(str("embed: IN must end in .txt, .jsonl or .h5, got '", in.string(), "'"));

  const dist::MpiEnvironment mpi(argc, argv);
  const train::RunOptions options = shared_configuration("", line).options;
  const dist::Mesh mesh = make_mesh(options, Layout::replicated);
  expect_writable_for_all(mesh, {out.string(), options.json});
  model::ModelSource source = model::ModelSource::open(line.positional[0]);
  if (options.model.max_length > 0) source.spec.max_length = std::min(source.spec.max_length, options.model.max_length);
  source.spec.normalize = model::normalizes(options.model.normalize, source.spec.normalize);
  if (line.sets("head.inference")) source.set_head_inference(options.head.inference);
  const auto nearest = train::nearest_domain_of(source, options, mesh);
  const Unknown unknown{train::unknown_domain(source.spec, options.experts), nearest != nullptr};
  data::PackedSequences texts = in.extension() == ".h5" ? pack_corpus(data::Corpus(in), source, options)
                                                        : pack_texts(read_texts(in), in, source, unknown);
  if (nearest) nearest->assign(texts);
  const model::SentenceEncoder model =
      model::make_sentence_encoder(source.spec, source.read(model::expert_range(source.spec, mesh)), mesh,
                                   model::dtypes_of(options.model.precision));
  const at::Tensor embeddings_ND =
      eval::embed_all(*model.encoder, texts, options.eval.batch_tokens, mesh, train::evaluation_key(options)).cpu();
  if (mesh.world().rank() != 0) return Exit::ok;
  const std::span values(embeddings_ND.const_data_ptr<float>(), static_cast<std::size_t>(embeddings_ND.numel()));
  write_npy(*real_file_ops(), out, values, std::vector<std::int64_t>(embeddings_ND.sizes().vec()));
  log::info(str("wrote ", out.string(), ": ", embeddings_ND.size(0), " embeddings of width ", embeddings_ND.size(1)));
  write_json(options.json,
             nlohmann::ordered_json{
                 {"path", out.string()}, {"embeddings", embeddings_ND.size(0)}, {"width", embeddings_ND.size(1)}}
                 .dump(2));
  return Exit::ok;
}

}  // namespace coterie::cli
