#include "train/run_options.h"

namespace coterie::train {

void validate(const RunOptions& options, config::Problems& problems) {
  const bool plain =
      !options.run.empty() && options.run != "." && options.run != ".." && options.run.find('/') == std::string::npos;
  if (!plain) problems.add("run", "must be a plain folder name");
  if (options.model.max_length == 1 || options.model.max_length == 2)
    problems.add("model.max_length", "must be 0, or at least 3: two places are [CLS] and [SEP]");
  if (options.data.validation_fraction + options.data.test_fraction >= 1.0)
    problems.add("data.test_fraction", "must leave documents for training beside data.validation_fraction");
  if (options.data.window_pairs < options.data.batch_pairs)
    problems.add("data.window_pairs", "must be at least data.batch_pairs");
  const LossOptions& loss = options.loss;
  if (loss.learn_scale && (loss.scale > loss.scale_max || loss.scale * loss.scale_max < 1.0))
    problems.add("loss.scale", "must be within 1 / loss.scale_max and loss.scale_max when it is learned");
  if (options.optim.warmup_steps > options.train.steps)
    problems.add("optim.warmup_steps", "must be at most train.steps");
}

}  // namespace coterie::train
