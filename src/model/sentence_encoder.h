// A model ready to run: its weights on this rank and the encoder over them.
#pragma once

#include <filesystem>
#include <memory>

#include "data/corpus.h"
#include "data/tokenizer.h"
#include "dist/mesh.h"
#include "model/encoder.h"
#include "model/options.h"
#include "model/vocabulary_extension.h"

namespace coterie::model {

/// A model as it lies on disk: a Hugging Face directory, a run's checkpoint, or a run (its best checkpoint).
struct ModelSource {
  ModelSpec spec;
  std::filesystem::path folder;        ///< with config.json and the tokenizer's files
  bool checkpoint = false;             ///< a run's checkpoint, not a Hugging Face directory
  std::filesystem::path opened;        ///< absolute: opening it gives this model, whatever the run does next
  VocabularyExtension extension = {};  ///< of what lies in the folder; the spec's vocabulary has it

  /// @param path  a directory; a bare name that is none is looked up among the cached models
  /// @throws DataError or ConfigError naming the path
  [[nodiscard]] static ModelSource open(const std::filesystem::path& path);
  /// The same with the words of a file added to its vocabulary.
  /// @param added_tokens  as `read_extension`; empty: none
  /// @throws ConfigError if it is a run's checkpoint, which has its vocabulary
  [[nodiscard]] static ModelSource open(const std::filesystem::path& path, const std::filesystem::path& added_tokens);
  /// What the `[model]` section names.
  [[nodiscard]] static ModelSource open(const ModelOptions& options) {
    return open(options.checkpoint, options.added_tokens);
  }

  /// Lets the head answer in another way than it was trained to.
  /// @throws ConfigError if there is none
  void set_head_inference(experts::HeadInference inference);
  /// The tensors of `model_tensors` for the experts of `range`.
  [[nodiscard]] Weights read(const ExpertRange& range) const;
  /// @throws DataError if it gives ids that the model has no embedding for
  [[nodiscard]] data::Tokenizer tokenizer() const;
  /// The files of that tokenizer: name -> content.
  /// @throws as `read_tokenizer_files`
  [[nodiscard]] std::map<std::string, std::string> tokenizer_files() const;
  /// The tokenizer, which must be the one that made the corpus's ids.
  /// @throws DataError naming both if it is another
  [[nodiscard]] data::Tokenizer tokenizer_of(const data::Corpus& corpus) const;
};

/// The experts that this rank of the mesh holds.
/// @throws ConfigError naming the key if the expert axis does not divide the number of experts of layers or head
[[nodiscard]] ExpertRange expert_range(const ModelSpec& spec, const dist::Mesh& mesh);

/// Weights and encoder of one rank.
struct SentenceEncoder {
  ModelSpec spec;
  std::unique_ptr<kernels::ParameterStore> parameters;
  std::unique_ptr<Encoder> encoder;
};

/// Float masters, and products as `precision` says.
[[nodiscard]] kernels::Dtypes dtypes_of(Precision precision);

/// @param extra  further parameters to keep in the same store, for example a learned scale
/// @param mesh   must outlive the encoder; its device is where the model lies
[[nodiscard]] SentenceEncoder make_sentence_encoder(const ModelSpec& spec, const Weights& weights,
                                                    const dist::Mesh& mesh, const kernels::Dtypes& dtypes,
                                                    const std::vector<kernels::Declaration>& extra = {});

}  // namespace coterie::model
